/** Pods: phase and QoS class at birth, graceful deletion. */
import { isFinalPhase } from "../../machinery/pods.ts";
import { compareQuantities, parseQuantity } from "../../machinery/quantity.ts";
import { appArmorWarnings, takeAppArmorAnnotations } from "../../scheme/defaults/apparmor.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { Container, DeleteOptions, Pod, PodSpec, PodStatus } from "../../scheme/types.gen.ts";
import { hostnameWarnings, podWarnings } from "../../scheme/validation/pod-warnings.ts";
import { baseStrategy, type Strategy } from "../strategy.ts";

const defaultGraceSeconds = 30;
const qosResources = ["cpu", "memory"];

const isZero = (text: string) => {
	const quantity = parseQuantity(text);
	return quantity !== undefined && compareQuantities(quantity, zero) === 0;
};
const zero = parseQuantity("0");

function amounts(list: Record<string, string> | undefined): Map<string, string> {
	return new Map(Object.entries(list ?? {}).filter(([name, value]) => qosResources.includes(name) && !isZero(value)));
}

const sameAmount = (a: string | undefined, b: string | undefined) => {
	if (a === undefined || b === undefined) return a === b;
	return compareQuantities(parseQuantity(a), parseQuantity(b)) === 0;
};

/** Guaranteed: every container limits cpu and memory and requests as much; BestEffort: none asks for any; else Burstable. */
export function qosClassOf(spec: PodSpec): "Guaranteed" | "Burstable" | "BestEffort" {
	const containers: readonly Container[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
	let guaranteed = true;
	let any = false;
	for (const { resources } of containers) {
		const limits = amounts(resources?.limits);
		const requests = amounts(resources?.requests);
		if (limits.size > 0 || requests.size > 0) any = true;
		const full = qosResources.every((name) => limits.has(name));
		const equal = qosResources.every((name) => !requests.has(name) || sameAmount(requests.get(name), limits.get(name)));
		if (!full || !equal) guaranteed = false;
	}
	if (!any) return "BestEffort";
	return guaranteed ? "Guaranteed" : "Burstable";
}

const specOf = (object: KubeObject) => (object["spec"] ?? {}) as PodSpec;
const statusOf = (object: KubeObject) => (object["status"] ?? {}) as PodStatus;

/** A pod that runs nowhere, or no more, is deleted at once. */
function gracePeriod(object: KubeObject, options: DeleteOptions): number {
	const spec = specOf(object);
	const wanted = options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
	const { phase } = statusOf(object);
	if ((spec.nodeName ?? "") === "" || isFinalPhase(phase)) return 0;
	return wanted < 0 ? 1 : wanted;
}

export const podStrategy: Strategy = {
	...baseStrategy,
	countsGenerations: true,
	returnsDeleted: true,
	prepareForCreate(object) {
		takeAppArmorAnnotations(object as Pod);
		object["status"] = { phase: "Pending", qosClass: qosClassOf(specOf(object)) };
	},
	prepareForStatusUpdate(object, old) {
		object.metadata.ownerReferences = old.metadata.ownerReferences;
		const status = statusOf(object);
		status.qosClass ??= statusOf(old).qosClass;
		object["status"] = status;
	},
	gracePeriod,
	warningsOfInput: (object) => appArmorWarnings(object as Pod),
	// Humans seldom change pods, and kubelets often.
	warnings: (object, old) =>
		old === undefined
			? [...hostnameWarnings("the Pod's hostname", object.metadata.name ?? ""), ...podWarnings("", object as Pod)]
			: [],
};
