/** etcd's documented behaviour, case by case (`api/etcdserverpb/rpc.proto`, `server/etcdserver/txn`, `v3rpc/key.go`). */
import assert from "node:assert/strict";
import type { Compare, RangeRequest, RequestOp, StoreError, StoreErrorCode, TxnRequest, TxnResult } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { bytes, Driver } from "./testing/driver.ts";
import type { Command } from "./types.ts";

const all = { key: bytes("\0"), rangeEnd: bytes("\0") };

describe("machine semantics", () => {
	let d: Driver;

	beforeEach(async () => {
		d = await Driver.open(new MemoryEngine());
	});
	afterEach(() => d.machine.close());

	const keys = (request: Partial<RangeRequest>) => {
		const result = d.machine.range({ ...all, ...request });
		return result.kvs.map((kv) => kv.key.toString("latin1")).join(" ");
	};
	const fails = (command: Command, code: StoreErrorCode, message: string) => {
		const before = d.machine.revision;
		const outcome = d.apply(command).outcome as StoreError;
		assert.equal(outcome.code, code);
		assert.equal(outcome.message, message);
		assert.equal(d.machine.revision, before, "a refused command changes nothing");
	};
	const txn = (request: Partial<TxnRequest>): TxnResult => {
		const outcome = d.run({ kind: "txn", compare: [], success: [], failure: [], ...request });
		assert.ok(outcome.kind === "txn");
		return outcome.result;
	};
	const putOp = (key: string, value = ""): RequestOp => ({ op: "put", key: bytes(key), value: bytes(value) });
	const delOp = (key: string, rangeEnd?: string): RequestOp => ({
		op: "delete",
		key: bytes(key),
		rangeEnd: rangeEnd === undefined ? undefined : bytes(rangeEnd),
	});

	describe("revisions", () => {
		it("begin at 1; each write that changes something takes the next", () => {
			assert.equal(d.machine.revision, 1);
			assert.equal(d.put("a"), 2);
			assert.equal(d.put("a"), 3);
			assert.equal(d.del("a"), 4);
		});

		it("stay when nothing is deleted, and for a transaction that writes nothing", () => {
			d.put("a");
			assert.equal(d.del("b"), 2);
			assert.equal(d.del("b", "z"), 2);
			txn({ success: [{ op: "range", ...all }, delOp("nothing")] });
			assert.equal(d.machine.revision, 2);
		});

		it("count version from 1 in each life; create is the life's first revision", () => {
			d.put("a", "1");
			d.put("a", "2");
			assert.deepEqual(pick(d, "a"), { createRevision: 2, modRevision: 3, version: 2 });
			d.del("a");
			assert.equal(d.get("a"), undefined);
			d.put("a", "3");
			assert.deepEqual(pick(d, "a"), { createRevision: 5, modRevision: 5, version: 1 });
			assert.deepEqual(pick(d, "a", 3), { createRevision: 2, modRevision: 3, version: 2 });
			assert.equal(d.get("a", 4), undefined);
		});

		it("are shared by all writes of a transaction", () => {
			txn({ success: [putOp("a"), putOp("b"), delOp("nothing")] });
			assert.equal(d.machine.revision, 2);
			assert.equal(pick(d, "a").modRevision, 2);
			assert.equal(pick(d, "b").modRevision, 2);
		});
	});

	describe("range", () => {
		beforeEach(() => {
			for (const [key, value] of ["c3", "a9", "b5", "ab1"].map((t) => [t.slice(0, -1), t.slice(-1)]))
				d.put(key!, value);
			d.put("a", "7");
		});

		it("takes one key, a half-open range, or everything from a key on", () => {
			assert.equal(keys({ key: bytes("a"), rangeEnd: undefined }), "a");
			assert.equal(keys({ key: bytes("a"), rangeEnd: Buffer.alloc(0) }), "a");
			assert.equal(keys({ key: bytes("a"), rangeEnd: bytes("b") }), "a ab");
			assert.equal(keys({ key: bytes("ab"), rangeEnd: bytes("\0") }), "ab b c");
			assert.equal(keys({ key: bytes("b"), rangeEnd: bytes("a") }), "");
			assert.equal(keys({}), "a ab b c");
		});

		it("counts all keys of the range whatever the limit and the filters", () => {
			const limited = d.machine.range({ ...all, limit: 2 });
			assert.deepEqual([limited.kvs.length, limited.more, limited.count], [2, true, 4]);
			const filtered = d.machine.range({ ...all, minModRevision: 4 });
			assert.deepEqual([filtered.kvs.length, filtered.more, filtered.count], [3, false, 4]);
			const counted = d.machine.range({ ...all, countOnly: true, limit: 1 });
			assert.deepEqual([counted.kvs.length, counted.more, counted.count], [0, false, 4]);
			const exact = d.machine.range({ ...all, limit: 4 });
			assert.deepEqual([exact.kvs.length, exact.more], [4, false]);
		});

		it("sorts; a target other than the key ascends by default", () => {
			assert.equal(keys({ sortTarget: "key", sortOrder: "descend" }), "c b ab a");
			assert.equal(keys({ sortTarget: "mod" }), "c b ab a");
			assert.equal(keys({ sortTarget: "mod", sortOrder: "descend" }), "a ab b c");
			assert.equal(keys({ sortTarget: "create", sortOrder: "ascend" }), "c a b ab");
			assert.equal(keys({ sortTarget: "version", sortOrder: "descend", limit: 1 }), "a");
			assert.equal(keys({ sortTarget: "value", sortOrder: "ascend" }), "ab c b a");
			assert.equal(keys({ sortTarget: "value", sortOrder: "descend", limit: 2 }), "a b");
		});

		it("filters by revisions before it limits", () => {
			assert.equal(keys({ maxModRevision: 4, limit: 1 }), "b");
			assert.equal(d.machine.range({ ...all, maxModRevision: 4, limit: 1 }).more, true);
			assert.equal(keys({ minCreateRevision: 3, maxCreateRevision: 4 }), "a b");
		});

		it("leaves values out when only keys are wanted, and keeps the lease", () => {
			d.run({ kind: "lease_grant", id: 7n, ttl: 60 });
			d.put("l", "value", { lease: 7n });
			for (const revision of [0, d.machine.revision]) {
				const [kv] = d.machine.range({ key: bytes("l"), keysOnly: true, revision }).kvs;
				assert.equal(kv?.value.length, 0);
				assert.equal(kv?.lease, 7n);
			}
		});

		it("refuses revisions that are compacted or yet to come", () => {
			d.run({ kind: "compact", revision: 4 });
			const error = (revision: number) => {
				try {
					d.machine.range({ ...all, revision });
				} catch (thrown) {
					return thrown as StoreError;
				}
				return assert.fail("no error");
			};
			assert.equal(error(3).message, "etcdserver: mvcc: required revision has been compacted");
			assert.equal(error(3).compactRevision, 4);
			assert.equal(error(7).message, "etcdserver: mvcc: required revision is a future revision");
			assert.equal(keys({ revision: 4 }), "a b c");
			assert.equal(keys({ revision: -1 }), "a ab b c");
		});
	});

	describe("put", () => {
		it("answers with what was there before, if asked", () => {
			d.put("a", "1");
			const outcome = d.run({ kind: "put", key: bytes("a"), value: bytes("2"), prevKv: true });
			assert.ok(outcome.kind === "put");
			assert.deepEqual(outcome.result.prevKv?.value, bytes("1"));
		});

		it("keeps value or lease when told to, which needs the key", () => {
			d.run({ kind: "lease_grant", id: 7n, ttl: 60 });
			d.put("a", "1", { lease: 7n });
			d.run({ kind: "put", key: bytes("a"), value: Buffer.alloc(0), ignoreValue: true });
			assert.deepEqual([d.get("a")?.value, d.get("a")?.lease], [bytes("1"), 0n]);
			d.put("a", "1", { lease: 7n });
			d.run({ kind: "put", key: bytes("a"), value: bytes("2"), ignoreLease: true });
			assert.deepEqual([d.get("a")?.value, d.get("a")?.lease], [bytes("2"), 7n]);
		});

		it("refuses what etcd refuses", () => {
			const put = { kind: "put", key: bytes("k"), value: Buffer.alloc(0) } as const;
			fails({ ...put, key: Buffer.alloc(0) }, "empty_key", "etcdserver: key is not provided");
			fails({ ...put, ignoreValue: true }, "key_not_found", "etcdserver: key not found");
			fails({ ...put, ignoreLease: true }, "key_not_found", "etcdserver: key not found");
			fails({ ...put, value: bytes("v"), ignoreValue: true }, "value_provided", "etcdserver: value is provided");
			fails({ ...put, lease: 5n, ignoreLease: true }, "lease_provided", "etcdserver: lease is provided");
			fails({ ...put, lease: 5n }, "lease_not_found", "etcdserver: requested lease not found");
			const empty = { kind: "delete", key: Buffer.alloc(0) } as const;
			fails(empty, "empty_key", "etcdserver: key is not provided");
		});
	});

	describe("txn", () => {
		const compare = (target: Compare["target"], result: Compare["result"], operand: unknown, key = "k"): Compare =>
			({ key: bytes(key), target, result, operand }) as Compare;

		it("compares a missing key as zeroes, but never its value", () => {
			const cases: [Compare, boolean][] = [
				[compare("version", "equal", 0), true],
				[compare("create", "equal", 0), true],
				[compare("mod", "less", 1), true],
				[compare("version", "greater", 0), false],
				[compare("lease", "equal", 0n), true],
				[compare("value", "equal", bytes("")), false],
				[compare("value", "not_equal", bytes("x")), false],
				[compare("value", "less", bytes("x")), false],
			];
			for (const [one, succeeded] of cases) {
				assert.equal(txn({ compare: [one] }).succeeded, succeeded, `${one.target} ${one.result}`);
			}
		});

		it("compares every field, and every key of a range", () => {
			d.run({ kind: "lease_grant", id: 7n, ttl: 60 });
			d.put("k", "m", { lease: 7n });
			d.put("k", "m", { lease: 7n });
			d.put("l", "z");
			const range = (one: Compare): Compare => ({ ...one, rangeEnd: bytes("m") });
			const cases: [Compare, boolean][] = [
				[compare("version", "equal", 2), true],
				[compare("create", "less", 3), true],
				[compare("mod", "greater", 3), false],
				[compare("mod", "not_equal", 2), true],
				[compare("value", "greater", bytes("a")), true],
				[compare("value", "less", bytes("n")), true],
				[compare("lease", "equal", 7n), true],
				[compare("lease", "greater", 2n ** 64n - 1n), true],
				[range(compare("mod", "greater", 2)), true],
				[range(compare("value", "equal", bytes("m"))), false],
				[range(compare("version", "greater", 1)), false],
			];
			for (const [one, succeeded] of cases) {
				assert.equal(txn({ compare: [one] }).succeeded, succeeded, `${one.target} ${one.result}`);
			}
			assert.equal(txn({ compare: cases.slice(0, 3).map(([one]) => one) }).succeeded, false);
		});

		it("runs one branch, in order, each operation seeing the earlier ones", () => {
			d.put("a", "1");
			const result = txn({
				compare: [compare("version", "equal", 1, "a")],
				success: [putOp("b", "2"), { op: "range", ...all }, delOp("a"), { op: "range", ...all, countOnly: true }],
				failure: [putOp("never")],
			});
			assert.equal(result.succeeded, true);
			const [, first, deleted, second] = result.responses;
			assert.ok(first?.op === "range" && second?.op === "range" && deleted?.op === "delete");
			assert.deepEqual(
				first.kvs.map((kv) => kv.modRevision),
				[2, 3],
			);
			assert.equal(deleted.deleted, 1);
			assert.equal(second.count, 1);
			assert.equal(keys({}), "b");
		});

		it("decides nested transactions by the state before the outer one", () => {
			const nested: RequestOp = {
				op: "txn",
				compare: [compare("version", "greater", 0, "a")],
				success: [putOp("yes")],
				failure: [putOp("no")],
			};
			const result = txn({ success: [putOp("a"), nested] });
			const inner = result.responses[1];
			assert.ok(inner?.op === "txn");
			assert.equal(inner.succeeded, false);
			assert.equal(keys({}), "a no");
			assert.equal(d.machine.revision, 2);
		});

		it("is refused whole when any operation of its branch would fail", () => {
			d.put("a");
			const refuse = (success: RequestOp[], code: StoreErrorCode, message: string) =>
				fails({ kind: "txn", compare: [], success, failure: [] }, code, message);
			const future = "etcdserver: mvcc: required revision is a future revision";
			refuse([putOp("b"), { op: "range", ...all, revision: 3 }], "future_revision", future);
			const lease: RequestOp = { op: "put", key: bytes("c"), value: bytes(""), lease: 9n };
			refuse([putOp("b"), lease], "lease_not_found", "etcdserver: requested lease not found");
			const duplicate = "etcdserver: duplicate key given in txn request";
			refuse([putOp("b"), putOp("b")], "duplicate_key", duplicate);
			refuse([putOp("b"), delOp("a", "c")], "duplicate_key", duplicate);
			refuse([delOp("b"), putOp("b")], "duplicate_key", duplicate);
			assert.equal(keys({}), "a");
		});

		it("allows a key in both branches, deletes that overlap, and a nested put before a nested delete, as etcd does", () => {
			txn({ success: [putOp("a")], failure: [putOp("a")] });
			const nest = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
				op: "txn",
				compare: [],
				success,
				failure,
			});
			txn({ success: [nest([putOp("a")], [putOp("a")])] });
			txn({ success: [delOp("a"), delOp("a", "z")] });
			txn({ success: [nest([putOp("a")]), nest([delOp("a")])] });
			assert.equal(d.get("a"), undefined);
			const outcome = d.apply({
				kind: "txn",
				compare: [],
				success: [nest([delOp("a")]), nest([putOp("a")])],
				failure: [],
			});
			assert.equal((outcome.outcome as StoreError).code, "duplicate_key");
		});

		it("takes 128 operations along any path, not more", () => {
			const puts = (count: number) => Array.from({ length: count }, (_, i) => putOp(`k${i}`));
			txn({ success: puts(128) });
			const message = "etcdserver: too many operations in txn request";
			fails({ kind: "txn", compare: [], success: puts(129), failure: [] }, "too_many_ops", message);
			const deep: RequestOp = { op: "txn", compare: [], success: puts(127), failure: [] };
			txn({ success: [deep] });
			fails(
				{ kind: "txn", compare: [], success: [{ ...deep, success: puts(128) }], failure: [] },
				"too_many_ops",
				message,
			);
		});
	});

	describe("compaction", () => {
		it("refuses revisions compacted before and future ones", () => {
			d.put("a");
			d.put("a");
			d.run({ kind: "compact", revision: 2 });
			assert.equal(d.machine.compactRevision, 2);
			const compacted = "etcdserver: mvcc: required revision has been compacted";
			fails({ kind: "compact", revision: 2 }, "compacted", compacted);
			fails({ kind: "compact", revision: 0 }, "compacted", compacted);
			const future = "etcdserver: mvcc: required revision is a future revision";
			fails({ kind: "compact", revision: 4 }, "future_revision", future);
		});

		it("removes history in the background and forgets deleted keys", async () => {
			for (let i = 0; i < 50; i++) d.put("a", String(i));
			d.put("b");
			d.del("b");
			const last = d.put("c");
			d.run({ kind: "compact", revision: last, physical: true });
			await d.machine.compactionDone(last);
			assert.equal(d.machine.stats.indexedKeys, 2);
			assert.deepEqual(d.get("a", last)?.value, bytes("49"));
		});

		it("frees the quota at the entry, whatever is removed yet", () => {
			d.put("a", "x".repeat(1000));
			d.put("a", "y");
			const before = d.machine.stats.trackedBytes;
			d.run({ kind: "compact", revision: 3 });
			assert.ok(d.machine.stats.trackedBytes < before - 1000);
		});
	});
});

function pick(d: Driver, key: string, revision = 0) {
	const { createRevision, modRevision, version } = d.get(key, revision)!;
	return { createRevision, modRevision, version };
}
