/** Random requests over few keys, so that everything collides with everything. */
import type { Random } from "../../../kit/random.ts";
import type { Compare, RangeRequest, RequestOp, TxnRequest, WatchRequest } from "../../api.ts";
import type { Command } from "../types.ts";

const keys = ["a", "a\0", "aa", "ab", "b", "b\xff", "c", "ca", "d", "\x01", "\xff", "\xff\xff"].map((key) =>
	Buffer.from(key, "latin1"),
);
const ends = ["\0", "b", "c", "a\0", "\xff", "e"].map((key) => Buffer.from(key, "latin1"));
export const leaseIds = [1n, 2n, 3n, 2n ** 63n - 1n];

const pick = <T>(random: Random, list: readonly T[]): T => list[random.int(list.length)]!;
const chance = (random: Random, percent: number) => random.int(100) < percent;
const someEnd = (random: Random, percent: number) => (chance(random, percent) ? { rangeEnd: pick(random, ends) } : {});

function value(random: Random): Buffer {
	return random.bytes(chance(random, 5) ? 3000 : random.int(12));
}

export function randomRange(random: Random, revision: number): RangeRequest {
	const some = (percent: number) => (chance(random, percent) ? random.int(revision + 2) : 0);
	return {
		key: pick(random, keys),
		...someEnd(random, 70),
		limit: chance(random, 30) ? random.int(4) : 0,
		revision: some(40),
		// Only what orders strictly: equal versions or values may come in any order.
		sortTarget: pick(random, ["key", "key", "mod"] as const),
		sortOrder: pick(random, ["none", "ascend", "descend"] as const),
		keysOnly: chance(random, 20),
		countOnly: chance(random, 10),
		minModRevision: some(10),
		maxModRevision: some(10),
		minCreateRevision: some(10),
		maxCreateRevision: some(10),
	};
}

function randomPut(random: Random) {
	const ignoreValue = chance(random, 8);
	const ignoreLease = chance(random, 8);
	return {
		key: pick(random, keys),
		value: ignoreValue && !chance(random, 10) ? Buffer.alloc(0) : value(random),
		lease: chance(random, 25) && !ignoreLease ? pick(random, leaseIds) : 0n,
		prevKv: chance(random, 30),
		ignoreValue,
		ignoreLease,
	};
}

function randomDelete(random: Random) {
	return { key: pick(random, keys), ...someEnd(random, 40), prevKv: chance(random, 40) };
}

function randomCompare(random: Random, revision: number): Compare {
	const common = {
		key: pick(random, keys),
		...someEnd(random, 20),
		result: pick(random, ["equal", "greater", "less", "not_equal"] as const),
	};
	const target = pick(random, ["version", "create", "mod", "value", "lease"] as const);
	if (target === "value") return { ...common, target, operand: value(random) };
	if (target === "lease") return { ...common, target, operand: pick(random, [0n, ...leaseIds]) };
	return { ...common, target, operand: random.int(target === "version" ? 4 : revision + 2) };
}

function randomOp(random: Random, revision: number, depth: number): RequestOp {
	const kind = random.int(depth < 2 ? 10 : 9);
	if (kind < 4) return { op: "put", ...randomPut(random) };
	if (kind < 7) return { op: "range", ...randomRange(random, revision) };
	if (kind < 9) return { op: "delete", ...randomDelete(random) };
	return { op: "txn", ...randomTxn(random, revision, depth + 1) };
}

export function randomTxn(random: Random, revision: number, depth = 0): TxnRequest {
	const some = <T>(most: number, make: () => T): T[] => Array.from({ length: random.int(most + 1) }, make);
	return {
		compare: some(2, () => randomCompare(random, revision)),
		success: some(3, () => randomOp(random, revision, depth)),
		failure: some(3, () => randomOp(random, revision, depth)),
	};
}

export function randomCommand(random: Random, revision: number): Command {
	const kind = random.int(100);
	if (kind < 45) return { kind: "put", ...randomPut(random) };
	if (kind < 60) return { kind: "delete", ...randomDelete(random) };
	if (kind < 82) return { kind: "txn", ...randomTxn(random, revision) };
	if (kind < 85) return { kind: "compact", revision: revision - random.int(8) + 1, physical: chance(random, 50) };
	if (kind < 90) return { kind: "lease_grant", id: pick(random, leaseIds), ttl: random.int(8) };
	if (kind < 94) return { kind: "lease_revoke", id: pick(random, leaseIds), expired: chance(random, 60) };
	if (kind < 98) return { kind: "lease_keepalive", ids: [pick(random, leaseIds), pick(random, leaseIds)] };
	return { kind: "tick" };
}

export function randomWatch(random: Random): WatchRequest {
	return {
		key: pick(random, keys),
		...someEnd(random, 70),
		prevKv: chance(random, 50),
		noPut: chance(random, 10),
		noDelete: chance(random, 10),
	};
}
