/** Dependencies between transactions: the cycles among them, the worst of each, and their description. */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

/** ww: the next version overwrites; wr: reads what was written; rw: overwrites what was read; rt: began after the answer. */
export type EdgeKind = "ww" | "wr" | "rw" | "rt";

export interface Edge {
	readonly from: number;
	readonly to: number;
	readonly kind: EdgeKind;
	readonly why: string;
	/** Of appends to one list: what each of both appended. */
	readonly order?: AppendOrder | undefined;
}

/** `next` was appended to the list `key` after `first`, not always right after. */
export interface AppendOrder {
	readonly key: string;
	readonly first: string;
	readonly next: string;
}

/** For `why` of an edge. */
export function appendedAfter({ key, first, next }: AppendOrder): string {
	return `appended ${next} to ${key} after ${first}`;
}

class Graph {
	readonly #out = new Map<number, Map<number, Edge[]>>();

	constructor(edges: readonly Edge[]) {
		for (const edge of edges) {
			const targets = this.#out.get(edge.from) ?? new Map<number, Edge[]>();
			this.#out.set(edge.from, targets);
			const parallel = targets.get(edge.to) ?? [];
			if (!parallel.some((other) => other.kind === edge.kind)) targets.set(edge.to, [...parallel, edge]);
		}
	}

	/** The fewest edges from `from` to `to` among those allowed; undefined: there is no way. */
	path(from: number, to: number, allowed: (edge: Edge) => boolean): Edge[] | undefined {
		const reached = new Map<number, Edge>();
		let front = [from];
		while (front.length > 0) {
			const next: number[] = [];
			for (const node of front) {
				for (const [target, parallel] of this.#out.get(node) ?? []) {
					const edge = parallel.find(allowed);
					if (edge === undefined || reached.has(target)) continue;
					reached.set(target, edge);
					if (target === to) return traceBack(reached, from, to);
					next.push(target);
				}
			}
			front = next;
		}
		return undefined;
	}

	/** Strongly connected components of more than one node (Tarjan, without recursion). */
	components(): number[][] {
		const index = new Map<number, number>();
		const low = new Map<number, number>();
		const open: number[] = [];
		const isOpen = new Set<number>();
		const found: number[][] = [];
		for (const root of this.#out.keys()) {
			if (index.has(root)) continue;
			const work = [{ node: root, targets: [...(this.#out.get(root)?.keys() ?? [])], at: 0 }];
			const enter = (node: number) => {
				index.set(node, index.size);
				low.set(node, index.size - 1);
				open.push(node);
				isOpen.add(node);
			};
			enter(root);
			for (let top = work.at(-1); top !== undefined; top = work.at(-1)) {
				const target = top.targets[top.at++];
				if (target === undefined) {
					work.pop();
					const parent = work.at(-1);
					if (parent !== undefined) low.set(parent.node, Math.min(low.get(parent.node)!, low.get(top.node)!));
					if (low.get(top.node) !== index.get(top.node)) continue;
					const component = open.splice(open.lastIndexOf(top.node));
					for (const node of component) isOpen.delete(node);
					if (component.length > 1) found.push(component);
				} else if (!index.has(target)) {
					enter(target);
					work.push({ node: target, targets: [...(this.#out.get(target)?.keys() ?? [])], at: 0 });
				} else if (isOpen.has(target)) {
					low.set(top.node, Math.min(low.get(top.node)!, index.get(target)!));
				}
			}
		}
		return found;
	}
}

function traceBack(reached: ReadonlyMap<number, Edge>, from: number, to: number): Edge[] {
	const path: Edge[] = [];
	let at = to;
	do {
		const edge = reached.get(at)!;
		path.unshift(edge);
		at = edge.from;
	} while (at !== from);
	return path;
}

/** The worst first; a component is reported once for each name. */
function cyclesOf(component: ReadonlySet<number>, edges: readonly Edge[], graph: Graph): Map<string, readonly Edge[]> {
	const found = new Map<string, readonly Edge[]>();
	const inside = edges.filter((edge) => component.has(edge.from) && component.has(edge.to));
	const isIn = (edge: Edge) => component.has(edge.to);
	const close = (through: readonly EdgeKind[], first: Edge) => {
		const path = graph.path(first.to, first.from, (edge) => isIn(edge) && through.includes(edge.kind));
		return path === undefined ? undefined : [first, ...path];
	};
	const searches: ReadonlyArray<readonly [name: string, first: EdgeKind, through: readonly EdgeKind[]]> = [
		["G0", "ww", ["ww"]],
		["G1c", "wr", ["ww", "wr"]],
		["G-single", "rw", ["ww", "wr"]],
		["G2", "rw", ["ww", "wr", "rw"]],
		["G0-realtime", "ww", ["ww", "rt"]],
		["G1c-realtime", "wr", ["ww", "wr", "rt"]],
		["stale-read", "rw", ["rt"]],
		["G-single-realtime", "rw", ["ww", "wr", "rt"]],
		["G2-realtime", "rw", ["ww", "wr", "rw", "rt"]],
	];
	for (const [name, first, through] of searches) {
		let shortest: readonly Edge[] | undefined;
		for (const edge of inside) {
			if (edge.kind !== first) continue;
			const cycle = close(through, edge);
			if (cycle !== undefined && cycle.length < (shortest?.length ?? Number.POSITIVE_INFINITY)) shortest = cycle;
		}
		if (shortest === undefined) continue;
		found.set(name, shortest);
		// Every other cycle here is at most as bad.
		break;
	}
	return found;
}

/** What `to` did, and what of `from` that followed; `why` says the first without a subject. */
function sentence({ kind, why }: Edge, from: string, to: string): string {
	if (kind === "rt") return `${to} began after ${from} was answered`;
	const what = { ww: "", wr: `, which ${from} wrote`, rw: `, and ${from} had read what was there before` }[kind];
	return `${to} ${why}${what}`;
}

/**
 * Steps along one list, or along real time, become one: the order of each goes on through all of them. The circle stays
 * one of the same kind, and shows only where it turns.
 */
function shorten(cycle: readonly Edge[]): readonly Edge[] {
	let kept = [...cycle];
	for (let i = 0; i < kept.length && kept.length > 2; ) {
		const [first, second] = [kept[i]!, kept[(i + 1) % kept.length]!];
		const joined = first.from === second.to ? undefined : join(first, second);
		if (joined === undefined) i++;
		else kept = i + 1 < kept.length ? kept.toSpliced(i, 2, joined) : [joined, ...kept.slice(1, -1)];
	}
	return kept;
}

function join(first: Edge, second: Edge): Edge | undefined {
	const ends = { from: first.from, to: second.to };
	if (first.kind === "rt" && second.kind === "rt") return { ...second, ...ends };
	if (first.order === undefined || first.order.key !== second.order?.key) return undefined;
	const order: AppendOrder = { ...first.order, next: second.order.next };
	return { ...ends, kind: "ww", why: appendedAfter(order), order };
}

function describeCycle(kind: string, found: readonly Edge[], transactions: readonly Timed[]): Violation {
	const short = shorten(found);
	const order = [...new Set(short.map((edge) => edge.from))].toSorted(
		(a, b) => transactions[a]!.invoked - transactions[b]!.invoked,
	);
	const start = short.findIndex((edge) => edge.from === order[0]);
	const cycle = [...short.slice(start), ...short.slice(0, start)];
	const label = (transaction: number) => `T${order.indexOf(transaction) + 1}`;
	const edges = cycle.map((edge) => {
		const [from, to] = [label(edge.from), label(edge.to)];
		return { from, to, kind: edge.kind, why: sentence(edge, from, to) };
	});
	const lines = describeTimed(order.map((index) => transactions[index]!)).map((line, i) => `T${i + 1} ${line}`);
	return {
		kind,
		message: `${edges.length} transactions depend on each other in a circle (${edges.map((edge) => edge.kind).join(" ")})`,
		witness: [...lines, ...edges.map(({ from, to, kind: name, why }) => `${from} --${name}--> ${to}: ${why}`)],
		cycle: edges,
	};
}

/** One violation for each knot of transactions, named after its worst cycle. Edges name places in `transactions`. */
export function cycleViolations(edges: readonly Edge[], transactions: readonly Timed[]): Violation[] {
	const graph = new Graph(edges);
	return graph.components().flatMap((component) => {
		const found = cyclesOf(new Set(component), edges, graph);
		return [...found].map(([name, cycle]) => describeCycle(name, cycle, transactions));
	});
}
