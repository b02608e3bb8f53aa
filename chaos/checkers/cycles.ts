/**
 * Transactions by their dependencies, as Elle does (Kingsbury and Alvaro, 2020; Adya, 1999): reads tell the order of
 * versions, that order gives edges between transactions, and a cycle is an anomaly, named after its edges. With edges of
 * real time the claim is strict serializability, without them serializability.
 */
import { append, greatest } from "../../kit/lists.ts";
import { type AppendOrder, appendedAfter, cycleViolations, type Edge, type EdgeKind } from "./dependencies.ts";
import { describeTimed, type Timed, type Violation } from "./violation.ts";

/** `append` and list reads for list-append; `write` and register reads for rw-register. `null`: nothing was there. */
export type MicroOp =
	| { readonly f: "append"; readonly key: string; readonly value: string }
	| { readonly f: "write"; readonly key: string; readonly value: string }
	| { readonly f: "read"; readonly key: string; readonly list: readonly string[] }
	| { readonly f: "read"; readonly key: string; readonly value: string | null };

export interface Transaction extends Timed {
	/** ok: committed; fail: certainly not; info: perhaps. Reads count only when ok. */
	readonly status: "ok" | "fail" | "info";
	readonly ops: readonly MicroOp[];
}

export interface CycleOptions {
	/** With edges from what was answered to what began later. Default true. */
	readonly realtime?: boolean | undefined;
}

interface Versions {
	/** Edges that follow from values, and violations that need no cycle. */
	readonly edges: readonly Edge[];
	readonly violations: readonly Violation[];
}

function violation(kind: string, message: string, ...transactions: readonly Transaction[]): Violation {
	return { kind, message, witness: describeTimed([...new Set(transactions)]) };
}

/** Who wrote each value of each key, and whether it was the transaction's last write of that key. */
class Writers {
	readonly #byValue = new Map<string, { readonly transaction: number; readonly final: boolean }>();
	readonly violations: Violation[] = [];

	constructor(transactions: readonly Transaction[]) {
		for (const [index, transaction] of transactions.entries()) {
			const writes = transaction.ops.filter((op) => op.f !== "read");
			for (const [i, op] of writes.entries()) {
				const id = JSON.stringify([op.key, op.value]);
				const later = writes.slice(i + 1).find((other) => other.key === op.key);
				const before = this.#byValue.get(id);
				if (before !== undefined) {
					throw new Error(`${op.f} of ${op.value} to ${op.key} twice: values must be unique for each key`);
				}
				this.#byValue.set(id, { transaction: index, final: later === undefined });
			}
		}
	}

	of(key: string, value: string) {
		return this.#byValue.get(JSON.stringify([key, value]));
	}
}

// ---- list-append ----

/** Lists only grow, so one read tells the whole order of versions up to it. */
export function listAppendEdges(transactions: readonly Transaction[]): Versions {
	const writers = new Writers(transactions);
	const violations: Violation[] = [];
	const edges: Edge[] = [];
	const keys = new Set(transactions.flatMap((transaction) => transaction.ops.map((op) => op.key)));
	for (const key of keys) orderList(key, transactions, writers, violations, edges);
	for (const transaction of transactions) append(violations, internalList(transaction));
	return { edges, violations };
}

interface ListRead {
	readonly reader: number;
	/** Without what the reader appended itself before reading. */
	readonly list: readonly string[];
}

function externalListReads(key: string, transactions: readonly Transaction[]): ListRead[] {
	const reads: ListRead[] = [];
	for (const [reader, { status, ops }] of transactions.entries()) {
		if (status !== "ok") continue;
		let own = 0;
		for (const op of ops) {
			if (op.key !== key) continue;
			if (op.f === "append") own++;
			else if (op.f === "read" && "list" in op) reads.push({ reader, list: op.list.slice(0, op.list.length - own) });
		}
	}
	return reads;
}

function orderList(
	key: string,
	transactions: readonly Transaction[],
	writers: Writers,
	violations: Violation[],
	edges: Edge[],
): void {
	const reads = externalListReads(key, transactions);
	let longest: ListRead = { reader: -1, list: [] };
	for (const read of reads) if (read.list.length > longest.list.length) longest = read;
	for (const read of reads) {
		const at = read.list.findIndex((value, i) => longest.list[i] !== value);
		if (at >= 0) {
			const after = at === 0 ? "first" : `after the same ${at} elements, of which the last is ${read.list[at - 1]}`;
			const text = `${key}: one read has ${read.list[at]}, another ${longest.list[at]}, ${after}`;
			violations.push(violation("incompatible-order", text, transactions[read.reader]!, transactions[longest.reader]!));
		}
		append(violations, badListRead(key, read, transactions, writers));
	}
	const place = new Map(longest.list.map((value, i) => [value, i]));
	const owner = (i: number) => writers.of(key, longest.list[i] ?? "")?.transaction;
	const link = (from: number | undefined, to: number | undefined, kind: EdgeKind, why: string) => {
		if (from !== undefined && to !== undefined && from !== to) edges.push({ from, to, kind, why });
	};
	const follow = (from: number | undefined, to: number | undefined, first: string, next: string) => {
		const order: AppendOrder = { key, first, next };
		if (from !== undefined && to !== undefined && from !== to)
			edges.push({ from, to, kind: "ww", why: appendedAfter(order), order });
	};
	for (let i = 0; i + 1 < longest.list.length; i++) {
		follow(owner(i), owner(i + 1), longest.list[i]!, longest.list[i + 1]!);
	}
	// What was appended for certain and never read comes after everything that was read.
	const unread = transactions.flatMap((transaction, index) =>
		transaction.status !== "ok"
			? []
			: transaction.ops.flatMap((op) =>
					op.f === "append" && op.key === key && !place.has(op.value) ? [{ index, value: op.value }] : [],
				),
	);
	const last = longest.list.length - 1;
	for (const { index, value } of unread) {
		if (last >= 0) follow(owner(last), index, longest.list[last]!, value);
	}
	for (const { reader, list } of reads) {
		const newest = list.at(-1);
		if (newest !== undefined) link(writers.of(key, newest)?.transaction, reader, "wr", `read ${newest} of ${key}`);
		const next = list.length;
		if (next <= last) {
			link(reader, nextOther(owner, next, last, reader), "rw", `appended ${longest.list[next]} to ${key}`);
		} else {
			for (const { index, value } of unread) link(reader, index, "rw", `appended ${value} to ${key}`);
		}
	}
	append(violations, lostAppends(key, transactions, reads));
}

/** The first transaction but the reader itself that appended at `from` or later. */
function nextOther(owner: (i: number) => number | undefined, from: number, last: number, reader: number) {
	for (let i = from; i <= last; i++) {
		const found = owner(i);
		if (found !== reader) return found;
	}
	return undefined;
}

function badListRead(
	key: string,
	{ reader, list }: ListRead,
	transactions: readonly Transaction[],
	writers: Writers,
): Violation[] {
	const found: Violation[] = [];
	const by = transactions[reader]!;
	if (new Set(list).size !== list.length) {
		found.push(violation("duplicate-elements", `${key} was read with an element twice: [${list.join(" ")}]`, by));
	}
	for (const [i, value] of list.entries()) {
		const writer = writers.of(key, value);
		if (writer === undefined) {
			found.push(violation("unwritten", `${key} was read with ${value}, which nobody appended`, by));
			continue;
		}
		const wrote = transactions[writer.transaction]!;
		if (wrote.status === "fail")
			found.push(violation("G1a", `${key}: ${value} is of an aborted transaction`, wrote, by));
		if (i === list.length - 1 && !writer.final && writer.transaction !== reader) {
			found.push(violation("G1b", `${key}: ${value} is from the middle of a transaction`, wrote, by));
		}
	}
	return found;
}

/** Two transactions that read the same version and both appended. */
function lostAppends(key: string, transactions: readonly Transaction[], reads: readonly ListRead[]): Violation[] {
	const writersOfVersion = new Map<string, Set<number>>();
	for (const { reader, list } of reads) {
		const { ops } = transactions[reader]!;
		const read = ops.findIndex((op) => op.f === "read" && op.key === key);
		const wrote = ops.findIndex((op) => op.f === "append" && op.key === key);
		if (wrote < read) continue;
		const version = JSON.stringify(list);
		writersOfVersion.set(version, (writersOfVersion.get(version) ?? new Set()).add(reader));
	}
	return lostUpdates(key, transactions, writersOfVersion);
}

function lostUpdates(
	key: string,
	transactions: readonly Transaction[],
	writersOfVersion: ReadonlyMap<string, ReadonlySet<number>>,
): Violation[] {
	return [...writersOfVersion]
		.filter(([, writers]) => writers.size > 1)
		.map(([version, writers]) =>
			violation(
				"lost-update",
				`${key}: ${writers.size} transactions read ${version} and wrote`,
				// bounded: the first few are witness enough.
				...[...writers].slice(0, 20).map((writer) => transactions[writer]!),
			),
		);
}

/** A transaction sees its own appends, and nothing changes under it. */
function internalList(transaction: Transaction): Violation[] {
	if (transaction.status !== "ok") return [];
	const known = new Map<string, { readonly list: readonly string[] | undefined; readonly own: readonly string[] }>();
	const found: Violation[] = [];
	for (const op of transaction.ops) {
		const before = known.get(op.key) ?? { list: undefined, own: [] };
		if (op.f === "append") {
			known.set(op.key, {
				list: before.list === undefined ? undefined : [...before.list, op.value],
				own: [...before.own, op.value],
			});
		} else if (op.f === "read" && "list" in op) {
			const expected = before.list ?? [...op.list.slice(0, op.list.length - before.own.length), ...before.own];
			if (expected.join("\n") !== op.list.join("\n")) {
				const text = `${op.key} was read as [${op.list.join(" ")}] where its own steps give [${expected.join(" ")}]`;
				found.push(violation("internal", text, transaction));
			}
			known.set(op.key, { list: op.list, own: before.own });
		}
	}
	return found;
}

// ---- rw-register ----

const absent = "";

/**
 * Registers do not show their history. Versions are ordered by what is certain: nothing comes before the first write, a
 * transaction's write follows what it read or wrote of the same key before, and, with `realtime`, what was answered
 * before another write of the key began.
 */
export function registerEdges(transactions: readonly Transaction[], options: CycleOptions = {}): Versions {
	const writers = new Writers(transactions);
	const violations: Violation[] = [];
	const edges: Edge[] = [];
	const keys = new Set(transactions.flatMap((transaction) => transaction.ops.map((op) => op.key)));
	for (const key of keys) orderRegister(key, transactions, writers, options.realtime !== false, violations, edges);
	for (const transaction of transactions) append(violations, internalRegister(transaction));
	return { edges, violations };
}

interface Access {
	readonly transaction: number;
	/** What was there when it first read the key, before writing it; undefined: not read. */
	readonly read: string | undefined;
	/** Its last write; undefined: none. */
	readonly wrote: string | undefined;
}

function accesses(key: string, transactions: readonly Transaction[]): Access[] {
	const found: Access[] = [];
	for (const [transaction, { status, ops }] of transactions.entries()) {
		if (status === "fail") continue;
		let read: string | undefined;
		let wrote: string | undefined;
		for (const op of ops) {
			if (op.key !== key) continue;
			if (op.f === "write") wrote = op.value;
			else if (status === "ok" && op.f === "read" && "value" in op && wrote === undefined) read ??= op.value ?? absent;
		}
		if (read !== undefined || wrote !== undefined) found.push({ transaction, read, wrote });
	}
	return found;
}

function orderRegister(
	key: string,
	transactions: readonly Transaction[],
	writers: Writers,
	realtime: boolean,
	violations: Violation[],
	edges: Edge[],
): void {
	const all = accesses(key, transactions);
	const link = (from: number | undefined, to: number | undefined, kind: EdgeKind, why: string) => {
		if (from !== undefined && to !== undefined && from !== to) edges.push({ from, to, kind, why });
	};
	const wroteVersion = (value: string) => (value === absent ? undefined : writers.of(key, value)?.transaction);
	const show = (value: string) => (value === absent ? "nothing" : value);
	const readersOf = new Map<string, number[]>();
	const seen = new Set<string>();
	for (const { transaction, read, wrote } of all) {
		if (read === undefined) continue;
		append(violations, badRegisterRead(key, read, transaction, transactions, writers));
		link(wroteVersion(read), transaction, "wr", `read ${show(read)} of ${key}`);
		readersOf.set(read, [...(readersOf.get(read) ?? []), transaction]);
		seen.add(read);
		if (wrote !== undefined) seen.add(wrote);
	}
	// An unanswered write counts once somebody saw it; whoever read the version before it is ordered before it.
	const writes = all.filter(
		(each) => each.wrote !== undefined && (transactions[each.transaction]!.status === "ok" || seen.has(each.wrote)),
	);
	const successor = (before: string, next: Access) => {
		const why = `wrote ${next.wrote} to ${key} over ${show(before)}`;
		link(wroteVersion(before), next.transaction, "ww", why);
		for (const reader of readersOf.get(before) ?? []) link(reader, next.transaction, "rw", why);
	};
	for (const each of writes) {
		if (each.read !== undefined) successor(each.read, each);
		if (each.read !== absent) successor(absent, each);
	}
	if (realtime) {
		for (const { before, next } of realtimeSuccessors(writes, transactions)) successor(before.wrote!, next);
	}
	const writersOfVersion = new Map<string, Set<number>>();
	for (const { transaction, read, wrote } of all) {
		if (read === undefined || wrote === undefined) continue;
		const version = show(read);
		writersOfVersion.set(version, (writersOfVersion.get(version) ?? new Set()).add(transaction));
	}
	append(violations, lostUpdates(key, transactions, writersOfVersion));
}

/** For each write those that were answered before it began, without those that others of them already follow. */
function realtimeSuccessors(writes: readonly Access[], transactions: readonly Transaction[]) {
	const pairs: Array<{ readonly before: Access; readonly next: Access }> = [];
	for (const next of writes) {
		const { invoked } = transactions[next.transaction]!;
		const earlier = writes.filter((each) => (transactions[each.transaction]!.completed ?? Infinity) < invoked);
		const newestStart = greatest(earlier.map((each) => transactions[each.transaction]!.invoked));
		for (const before of earlier) {
			if (transactions[before.transaction]!.completed! >= newestStart) pairs.push({ before, next });
		}
	}
	return pairs;
}

function badRegisterRead(
	key: string,
	value: string,
	reader: number,
	transactions: readonly Transaction[],
	writers: Writers,
): Violation[] {
	if (value === absent) return [];
	const by = transactions[reader]!;
	const writer = writers.of(key, value);
	if (writer === undefined) return [violation("unwritten", `${key} was read as ${value}, which nobody wrote`, by)];
	const wrote = transactions[writer.transaction]!;
	const found: Violation[] = [];
	if (wrote.status === "fail") found.push(violation("G1a", `${key}: ${value} is of an aborted transaction`, wrote, by));
	if (!writer.final && writer.transaction !== reader) {
		found.push(violation("G1b", `${key}: ${value} is from the middle of a transaction`, wrote, by));
	}
	return found;
}

function internalRegister(transaction: Transaction): Violation[] {
	if (transaction.status !== "ok") return [];
	const known = new Map<string, string | null>();
	const found: Violation[] = [];
	for (const op of transaction.ops) {
		if (op.f === "write") known.set(op.key, op.value);
		else if (op.f === "read" && "value" in op) {
			const expected = known.get(op.key);
			if (expected !== undefined && expected !== op.value) {
				const text = `${op.key} was read as ${op.value} where its own steps give ${expected}`;
				found.push(violation("internal", text, transaction));
			}
			known.set(op.key, op.value);
		}
	}
	return found;
}

// ---- cycles ----

/** Edges from every answered transaction to those that began later, without those that follow from others. */
function realtimeEdges(transactions: readonly Transaction[]): Edge[] {
	const events = transactions.flatMap((transaction, index) => {
		if (transaction.status === "fail") return [];
		const call = { at: transaction.invoked, index, isReturn: false };
		// Of an unanswered one nothing is known that others would have to follow.
		if (transaction.completed === undefined || transaction.status !== "ok") return [call];
		return [call, { at: transaction.completed, index, isReturn: true }];
	});
	events.sort((a, b) => a.at - b.at || Number(a.isReturn) - Number(b.isReturn));
	const edges: Edge[] = [];
	let frontier: number[] = [];
	const followed = new Map<number, readonly number[]>();
	for (const { index, isReturn } of events) {
		if (!isReturn) {
			followed.set(index, frontier);
			for (const from of frontier) edges.push({ from, to: index, kind: "rt", why: "began after that was answered" });
			continue;
		}
		const implied = new Set(followed.get(index));
		frontier = [...frontier.filter((other) => !implied.has(other)), index];
	}
	return edges;
}

function checkCycles(transactions: readonly Transaction[], versions: Versions, options: CycleOptions): Violation[] {
	const edges = [...versions.edges, ...(options.realtime === false ? [] : realtimeEdges(transactions))];
	return [...versions.violations, ...cycleViolations(edges, transactions)];
}

/** Strict serializability (or serializability, without `realtime`) of transactions of appends and list reads. */
export function checkListAppend(transactions: readonly Transaction[], options: CycleOptions = {}): Violation[] {
	return checkCycles(transactions, listAppendEdges(transactions), options);
}

/** The same for transactions of writes and register reads. */
export function checkReadWrite(transactions: readonly Transaction[], options: CycleOptions = {}): Violation[] {
	return checkCycles(transactions, registerEdges(transactions, options), options);
}
