/** The scheduling framework's extension points that the plugins here use (KEP-624), as pure functions over a snapshot. */
import { greatest } from "../../kit/lists.ts";
import type { NodeInfo, PodObject } from "./node-info.ts";

export interface Snapshot {
	readonly nodes: readonly NodeInfo[];
	/** Labels of a namespace, for namespace selectors. */
	namespaceLabels(name: string): Readonly<Record<string, string>>;
	/** Label selectors of the Services and ReplicaSets that select the pod: what default spreading spreads over. */
	defaultSelectors(pod: PodObject): ReadonlyArray<(labels: Readonly<Record<string, string>>) => boolean>;
}

/** Why a node does not fit, as upstream words it; undefined: it fits. */
export type Rejection = {
	readonly reasons: readonly string[];
	/** No eviction on the node could help (UnschedulableAndUnresolvable). */
	readonly unresolvable: boolean;
};

export interface FilterPlugin {
	readonly name: string;
	/** Computes once a pod what every node's check shares; undefined: the plugin has nothing to say about this pod. */
	prepare(pod: PodObject, snapshot: Snapshot): ((node: NodeInfo) => Rejection | undefined) | undefined;
}

export interface ScorePlugin {
	readonly name: string;
	readonly weight: number;
	/** Scores of the feasible nodes in their order, each 0 to 100; undefined: no opinion. */
	score(pod: PodObject, nodes: readonly NodeInfo[], snapshot: Snapshot): readonly number[] | undefined;
}

export const maxNodeScore = 100;

/** Scales to 0..100 by the largest (`reverse`: the smallest wins). All zero stays zero, or all 100 in reverse. */
export function normalize(scores: readonly number[], reverse: boolean): number[] {
	const max = greatest(scores, 0);
	if (max === 0) return scores.map(() => (reverse ? maxNodeScore : 0));
	return scores.map((score) => {
		const scaled = Math.floor((maxNodeScore * score) / max);
		return reverse ? maxNodeScore - scaled : scaled;
	});
}

export const rejected = (...reasons: string[]): Rejection => ({ reasons, unresolvable: false });
export const rejectedForGood = (...reasons: string[]): Rejection => ({ reasons, unresolvable: true });
