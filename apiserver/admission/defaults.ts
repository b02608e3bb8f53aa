/** Plugins that fill in what pods and nodes are expected to carry. */
import type { Node, Pod, PodSpec, Toleration } from "../scheme/types.gen.ts";
import { type AdmissionAttributes, type AdmissionPlugin, isResource, refuse } from "./types.ts";

const notReady = "node.kubernetes.io/not-ready";
const unreachable = "node.kubernetes.io/unreachable";

export interface TolerationSeconds {
	/** `--default-not-ready-toleration-seconds`. */
	readonly notReady: number;
	/** `--default-unreachable-toleration-seconds`. */
	readonly unreachable: number;
}

const hasTolerationOf = (tolerations: readonly Toleration[], key: string) =>
	tolerations.some(
		(t) =>
			((t.key ?? "") === key || (t.key ?? "") === "") && ((t.effect ?? "") === "NoExecute" || (t.effect ?? "") === ""),
	);

const podOf = (a: AdmissionAttributes): Pod | undefined =>
	isResource(a, "", "pods") && (a.operation === "CREATE" || a.operation === "UPDATE")
		? (a.object as Pod | undefined)
		: undefined;

/** DefaultTolerationSeconds: pods stay that long on a node that is not ready or not reachable. */
export const defaultTolerationSeconds = (seconds: TolerationSeconds): AdmissionPlugin => ({
	name: "DefaultTolerationSeconds",
	mutate(a) {
		const pod = podOf(a);
		if (pod === undefined) return;
		const spec: PodSpec = (pod.spec ??= {});
		const add = (key: string, tolerationSeconds: number) => {
			if (hasTolerationOf(spec.tolerations ?? [], key)) return;
			spec.tolerations = [
				...(spec.tolerations ?? []),
				{ key, operator: "Exists", effect: "NoExecute", tolerationSeconds },
			];
		};
		add(notReady, seconds.notReady);
		add(unreachable, seconds.unreachable);
	},
});

/** TaintNodesByCondition: nothing is scheduled to a new node before its controller has seen it ready. */
export const taintNodesByCondition: AdmissionPlugin = {
	name: "TaintNodesByCondition",
	mutate(a) {
		if (a.operation !== "CREATE" || !isResource(a, "", "nodes") || a.object === undefined) return;
		const node = a.object as Node;
		const spec = (node.spec ??= {});
		const tainted = spec.taints?.some((t) => t.key === notReady && t.effect === "NoSchedule") === true;
		if (!tainted) spec.taints = [...(spec.taints ?? []), { key: notReady, effect: "NoSchedule" }];
	},
};

/** The classes every cluster has. */
const builtInClasses: ReadonlyMap<string, number> = new Map([
	["system-cluster-critical", 2_000_000_000],
	["system-node-critical", 2_000_001_000],
]);
const defaultPolicy = "PreemptLowerPriority";

/** Priority: the number a pod's class stands for. Without PriorityClass objects only the built-in classes exist. */
export const priority: AdmissionPlugin = {
	name: "Priority",
	mutate(a) {
		const pod = podOf(a);
		if (pod === undefined) return;
		const spec: PodSpec = (pod.spec ??= {});
		if (a.operation === "UPDATE") {
			const old = a.oldObject as Pod | undefined;
			// Clients of older versions leave out what they do not know.
			spec.priority ??= old?.spec?.priority;
			spec.preemptionPolicy ??= old?.spec?.preemptionPolicy;
			return;
		}
		const className = spec.priorityClassName ?? "";
		const value = className === "" ? 0 : builtInClasses.get(className);
		if (value === undefined) throw refuse(a, `no PriorityClass with name ${className} was found`);
		if (spec.priority !== undefined && spec.priority !== value) {
			throw refuse(
				a,
				`the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
			);
		}
		if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== defaultPolicy) {
			throw refuse(
				a,
				`the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${defaultPolicy} from the given PriorityClass name`,
			);
		}
		spec.priority = value;
		spec.preemptionPolicy = defaultPolicy;
	},
};
