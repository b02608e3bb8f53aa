/** PodTopologySpread: hard constraints filter, soft ones and the cluster's default ones score (KEP-895). */

import { tolerates } from "../../../apiserver/machinery/pods.ts";
import { fromLabelSelector } from "../../../apiserver/machinery/selectors.ts";
import type { TopologySpreadConstraint } from "../../../apiserver/scheme/types.gen.ts";
import { greatest, smallest } from "../../../kit/lists.ts";
import {
	type FilterPlugin,
	maxNodeScore,
	rejected,
	rejectedForGood,
	type ScorePlugin,
	type Snapshot,
} from "../framework.ts";
import type { NodeInfo, PodObject } from "../node-info.ts";
import { affinityAdmits } from "./node-affinity.ts";

type Labels = Readonly<Record<string, string>>;

interface Constraint {
	readonly topologyKey: string;
	readonly maxSkew: number;
	readonly minDomains: number;
	readonly selects: (labels: Labels) => boolean;
	readonly honorsAffinity: boolean;
	readonly honorsTaints: boolean;
}

/** Upstream's system defaults, both soft; they apply to pods that a Service or a ReplicaSet selects. */
const systemDefaults = [
	{ topologyKey: "kubernetes.io/hostname", maxSkew: 3 },
	{ topologyKey: "topology.kubernetes.io/zone", maxSkew: 5 },
] as const;

function parse(constraint: TopologySpreadConstraint, pod: PodObject): Constraint {
	const labels = pod.metadata.labels ?? {};
	const matchLabels = { ...constraint.labelSelector?.matchLabels };
	for (const key of constraint.matchLabelKeys ?? []) {
		if (labels[key] !== undefined) matchLabels[key] = labels[key];
	}
	const selector =
		constraint.labelSelector === undefined
			? undefined
			: fromLabelSelector({ ...constraint.labelSelector, matchLabels });
	return {
		topologyKey: constraint.topologyKey ?? "",
		maxSkew: constraint.maxSkew ?? 1,
		minDomains: constraint.minDomains ?? 1,
		selects: (candidate) => selector?.matches(candidate) ?? false,
		honorsAffinity: constraint.nodeAffinityPolicy !== "Ignore",
		honorsTaints: constraint.nodeTaintsPolicy === "Honor",
	};
}

function constraintsOf(pod: PodObject, action: "DoNotSchedule" | "ScheduleAnyway"): Constraint[] {
	return (pod.spec?.topologySpreadConstraints ?? [])
		.filter((constraint) => constraint.whenUnsatisfiable === action)
		.map((constraint) => parse(constraint, pod));
}

function defaultConstraints(pod: PodObject, snapshot: Snapshot): Constraint[] {
	const selectors = snapshot.defaultSelectors(pod);
	if (selectors.length === 0) return [];
	return systemDefaults.map((constraint) => ({
		...constraint,
		minDomains: 1,
		selects: (labels: Labels) => selectors.every((selects) => selects(labels)),
		honorsAffinity: true,
		honorsTaints: false,
	}));
}

function counts(node: NodeInfo, constraint: Constraint, pod: PodObject): boolean {
	if (constraint.honorsAffinity && !affinityAdmits(pod, node)) return false;
	if (!constraint.honorsTaints) return true;
	return !(node.node.spec?.taints ?? []).some(
		(taint) =>
			taint.effect !== "PreferNoSchedule" &&
			!(pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint)),
	);
}

function matchingPods(node: NodeInfo, constraint: Constraint, pod: PodObject): number {
	let count = 0;
	for (const other of node.pods.values()) {
		if (other.metadata.namespace !== pod.metadata.namespace || other.metadata.deletionTimestamp !== undefined) continue;
		if (constraint.selects(other.metadata.labels ?? {})) count++;
	}
	return count;
}

/** Matching pods by domain, over the nodes that carry every constraint's key. */
function domainCounts(pod: PodObject, constraint: Constraint, keys: readonly string[], nodes: readonly NodeInfo[]) {
	const domains = new Map<string, number>();
	for (const node of nodes) {
		const domain = node.labels[constraint.topologyKey];
		if (domain === undefined || keys.some((key) => node.labels[key] === undefined)) continue;
		if (!counts(node, constraint, pod)) continue;
		domains.set(domain, (domains.get(domain) ?? 0) + matchingPods(node, constraint, pod));
	}
	return domains;
}

const missingLabel = "node(s) didn't match pod topology spread constraints (missing required label)";
const skewed = "node(s) didn't match pod topology spread constraints";

export const podTopologySpread: FilterPlugin & ScorePlugin = {
	name: "PodTopologySpread",
	weight: 2,
	prepare(pod, snapshot) {
		const constraints = constraintsOf(pod, "DoNotSchedule");
		if (constraints.length === 0) return undefined;
		const keys = constraints.map((constraint) => constraint.topologyKey);
		const states = constraints.map((constraint) => {
			const domains = domainCounts(pod, constraint, keys, snapshot.nodes);
			const fewest = domains.size < constraint.minDomains ? 0 : smallest(domains.values());
			return { constraint, domains, fewest: domains.size === 0 ? 0 : fewest };
		});
		const labels = pod.metadata.labels ?? {};
		return (node) => {
			for (const { constraint, domains, fewest } of states) {
				const domain = node.labels[constraint.topologyKey];
				if (domain === undefined) return rejectedForGood(missingLabel);
				const self = constraint.selects(labels) ? 1 : 0;
				if ((domains.get(domain) ?? 0) + self - fewest > constraint.maxSkew) return rejected(skewed);
			}
			return undefined;
		};
	},
	score(pod, nodes, snapshot) {
		const own = constraintsOf(pod, "ScheduleAnyway");
		const hasOwn = (pod.spec?.topologySpreadConstraints ?? []).length > 0;
		const constraints = hasOwn ? own : defaultConstraints(pod, snapshot);
		if (constraints.length === 0) return undefined;
		const sums = nodes.map(() => 0);
		for (const constraint of constraints) {
			const domains = domainCounts(pod, constraint, hasOwn ? own.map((c) => c.topologyKey) : [], snapshot.nodes);
			// Fewer domains make each weigh less (upstream's topologyNormalizingWeight).
			const weight = Math.log(domains.size + 2);
			for (const [i, node] of nodes.entries()) {
				const domain = node.labels[constraint.topologyKey];
				if (domain === undefined) continue;
				sums[i] = (sums[i] ?? 0) + (domains.get(domain) ?? 0) * weight + (constraint.maxSkew - 1);
			}
		}
		const most = greatest(sums);
		const least = smallest(sums);
		return sums.map((sum) => (most === 0 ? maxNodeScore : Math.floor((maxNodeScore * (most + least - sum)) / most)));
	},
};
