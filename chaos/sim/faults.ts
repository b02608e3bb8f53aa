/** Types and helpers that all faults of a simulated run share. */
import type { Random } from "../../kit/random.ts";
import type { VirtualClock } from "../../kit/sim/clock.ts";
import type { CrashKind, SimCluster, SimNode } from "./cluster.ts";
import type { History } from "./history.ts";
import type { Ledger } from "./ledger.ts";
import type { NodeName, SimNetwork } from "./network.ts";
import type { Reduction, Swarm } from "./swarm.ts";

export interface NemesisOptions {
	readonly clock: VirtualClock;
	readonly network: SimNetwork;
	readonly cluster: SimCluster;
	readonly ledger: Ledger;
	readonly history: History;
	readonly seed: number;
	readonly swarm: Swarm;
	readonly reduction: Reduction;
	readonly clients: readonly NodeName[];
	readonly note: (line: string) => void;
}

export interface Deed {
	/** Nodes, or ways `a>b`. */
	readonly hits: readonly string[];
	/** `over`: to be called when the fault is over. */
	strike(over: () => void): void;
}

/** What faults may do. */
export interface Ground {
	readonly options: NemesisOptions;
	/** No more faults. */
	readonly stopped: boolean;
	/** The fault ends after a while, or when everything is healed. */
	lasts(random: Random, over: () => void, ...undo: readonly (() => void)[]): void;
	/** The fault ends when the function returned is called, or when everything is healed. */
	untilHealed(over: () => void, ...undo: readonly (() => void)[]): () => void;
	/** The node is down for so long. */
	crashFor(node: SimNode, kind: CrashKind, ms: number, over?: () => void): void;
	/** Boots a node; a quarantined one gets its disk repaired some time after `ms`. */
	restoreLater(node: SimNode, ms: number): void;
}

export function downMs(random: Random): number {
	return random.int(2) === 0 ? random.float() * 15 : random.float() * 500;
}

export function names(nodes: readonly SimNode[]): NodeName[] {
	return nodes.map((node) => node.name);
}

/** The items in random order. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
	const order = [...items];
	for (let i = order.length - 1; i > 0; i--) {
		const at = random.int(i + 1);
		[order[i], order[at]] = [order[at]!, order[i]!];
	}
	return order;
}
