/** The decision itself: filters, then scores, over a snapshot; pure. */
import { greatest } from "../../kit/lists.ts";
import type { Random } from "../../kit/random.ts";
import type { FilterPlugin, ScorePlugin, Snapshot } from "./framework.ts";
import type { NodeInfo, PodObject } from "./node-info.ts";
import { nodeAffinity, nodeName } from "./plugins/node-affinity.ts";
import { interPodAffinity } from "./plugins/pod-affinity.ts";
import { balancedAllocation, nodePorts, nodeResourcesFit } from "./plugins/resources.ts";
import { nodeUnschedulable, taintToleration } from "./plugins/taints.ts";
import { podTopologySpread } from "./plugins/topology-spread.ts";

/** In upstream's order: the first that rejects a node gives the reason. */
export const filterPlugins: readonly FilterPlugin[] = [
	nodeUnschedulable,
	nodeName,
	taintToleration,
	nodeAffinity,
	nodePorts,
	nodeResourcesFit,
	podTopologySpread,
	interPodAffinity,
];

export const scorePlugins: readonly ScorePlugin[] = [
	taintToleration,
	nodeAffinity,
	nodeResourcesFit,
	podTopologySpread,
	interPodAffinity,
	balancedAllocation,
];

export type Decision =
	| { readonly node: string }
	/** `message` as the FailedScheduling event and the PodScheduled condition carry it. */
	| { readonly node: undefined; readonly message: string };

/** Above this many nodes only a share of the feasible ones is looked for (percentageOfNodesToScore, adaptive). */
const minFeasibleToFind = 100;

function feasibleWanted(nodes: number): number {
	if (nodes <= minFeasibleToFind) return nodes;
	const percentage = Math.max(5, 50 - Math.floor(nodes / 125));
	return Math.max(minFeasibleToFind, Math.floor((nodes * percentage) / 100));
}

/** `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.`: reasons sorted as upstream does. */
export function unschedulableMessage(nodes: number, reasons: ReadonlyMap<string, number>): string {
	if (nodes === 0) return "no nodes available to schedule pods";
	const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
	return `0/${nodes} nodes are available: ${parts.join(", ")}.`;
}

/** Chooses a node. `start`: where the search begins, so that large clusters are covered evenly. Ties go by `random`. */
export function decide(pod: PodObject, snapshot: Snapshot, random: Random, start = 0): Decision {
	const checks = filterPlugins.flatMap((plugin) => plugin.prepare(pod, snapshot) ?? []);
	const reasons = new Map<string, number>();
	const feasible: NodeInfo[] = [];
	const total = snapshot.nodes.length;
	const wanted = feasibleWanted(total);
	for (let i = 0; i < total && feasible.length < wanted; i++) {
		const node = snapshot.nodes[(start + i) % total];
		if (node === undefined) continue;
		const rejection = firstRejection(checks, node);
		if (rejection === undefined) feasible.push(node);
		else for (const reason of rejection) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
	}
	const [only, second] = feasible;
	if (only === undefined) return { node: undefined, message: unschedulableMessage(total, reasons) };
	if (second === undefined) return { node: only.name };
	return { node: best(pod, feasible, snapshot, random).name };
}

function firstRejection(
	checks: ReadonlyArray<(node: NodeInfo) => { readonly reasons: readonly string[] } | undefined>,
	node: NodeInfo,
): readonly string[] | undefined {
	for (const check of checks) {
		const rejection = check(node);
		if (rejection !== undefined) return rejection.reasons;
	}
	return undefined;
}

function best(pod: PodObject, nodes: readonly NodeInfo[], snapshot: Snapshot, random: Random): NodeInfo {
	const totals = nodes.map(() => 0);
	for (const plugin of scorePlugins) {
		const scores = plugin.score(pod, nodes, snapshot);
		if (scores === undefined) continue;
		for (const [i, score] of scores.entries()) totals[i] = (totals[i] ?? 0) + score * plugin.weight;
	}
	const highest = greatest(totals);
	const winners = nodes.filter((_, i) => totals[i] === highest);
	return winners[random.int(winners.length)] ?? nodes[0]!;
}
