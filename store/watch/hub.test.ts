/** Cases that random runs (machine/machine.property.test.ts) do not name. */
import assert from "node:assert/strict";
import type { StoreError, WatchBatch, WatchRequest } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { bytes, Driver } from "../machine/testing/driver.ts";
import type { WatchCursor } from "./types.ts";

const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

interface Consumer {
	readonly cursor: WatchCursor;
	readonly batches: WatchBatch[];
	readonly ends: StoreError[];
}

describe("watch hub", () => {
	let d: Driver;
	let slices: number;

	beforeEach(async () => {
		slices = 0;
		const turn = async () => {
			slices++;
			await new Promise((resolve) => setImmediate(resolve));
		};
		d = await Driver.open(new MemoryEngine(), { recentBytes: 10_000, turn });
	});
	afterEach(() => d.machine.close());

	const watch = (request: Partial<WatchRequest> = {}, onBatch?: (batch: WatchBatch) => void): Consumer => {
		const batches: WatchBatch[] = [];
		const ends: StoreError[] = [];
		const cursor = d.machine.watch(
			{ key: bytes("\0"), rangeEnd: bytes("\0"), ...request },
			{
				onBatch: (batch) => {
					batches.push(batch);
					onBatch?.(batch);
				},
				onEnd: (error) => ends.push(error),
			},
		);
		return { cursor, batches, ends };
	};
	const revisions = (consumer: Consumer) => consumer.batches.flatMap((b) => b.events.map((e) => e.kv.modRevision));
	const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

	it("gives one shared batch per apply to watchers of one range", () => {
		const [a, b] = [watch(), watch()];
		const prev = watch({ prevKv: true });
		const entries = [1, 2, 3].map((i) => ({
			...d.entry({ kind: "put", key: bytes("k"), value: bytes(String(i)) }),
			index: i,
		}));
		d.machine.apply(entries, () => undefined);
		assert.equal(a.batches.length, 1);
		assert.equal(a.batches[0], b.batches[0]);
		assert.notEqual(a.batches[0], prev.batches[0]);
		assert.deepEqual(revisions(a), [2, 3, 4]);
		assert.equal(a.batches[0]?.revision, 4);
		assert.deepEqual(
			prev.batches[0]?.events.map((e) => e.prevKv?.value.toString()),
			[undefined, "1", "2"],
		);
	});

	it("gives those that catch up no more than a slice in a turn, by bytes and all together", async () => {
		const size = 300 << 10;
		let given = 0;
		let most = 0;
		const turn = async () => {
			most = Math.max(most, given);
			given = 0;
			await new Promise((resolve) => setImmediate(resolve));
		};
		const own = await Driver.open(new MemoryEngine(), { recentBytes: 16 << 20, turn });
		for (let i = 0; i < 12; i++) own.put("k", "x".repeat(size));
		const seen: number[] = [];
		for (let i = 0; i < 20; i++) {
			own.machine.watch(
				{ key: bytes("k"), startRevision: 2 },
				{
					onBatch: ({ events }) => {
						given += events.length * size;
						seen[i] = (seen[i] ?? 0) + events.length;
					},
					onEnd: assert.fail,
				},
			);
		}
		while (seen.length < 20 || seen.some((count) => count < 12)) await settle();
		most = Math.max(most, given);
		assert.ok(most <= (1 << 20) + 5 * size, `${most} bytes in one turn`);
		await own.machine.close();
	});

	it("tells a watcher of one key only about that key", () => {
		const one = watch({ key: bytes("b"), rangeEnd: undefined });
		for (const key of ["a", "b", "b\0", "c"]) d.put(key);
		assert.deepEqual(revisions(one), [3]);
	});

	it("shapes deletes as etcd does", () => {
		d.put("a", "1");
		const one = watch({ prevKv: true });
		d.del("a");
		const [event] = one.batches[0]!.events;
		assert.deepEqual(event?.kv, {
			key: bytes("a"),
			createRevision: 0,
			modRevision: 3,
			version: 0,
			value: Buffer.alloc(0),
			lease: 0n,
		});
		assert.equal(event?.prevKv?.modRevision, 2);
	});

	it("reads long histories in slices while live watchers and writes go on", async () => {
		for (let i = 0; i < 6000; i++) d.put(`k${i % 100}`, "some value");
		const live = watch();
		const old = watch({ startRevision: 1 });
		assert.equal(old.batches.length, 0, "never before watch returns");
		let written = 0;
		while (revisions(old).length < 6000 + written && slices < 200) {
			d.put("more");
			written++;
			await new Promise((resolve) => setImmediate(resolve));
		}
		assert.ok(slices >= 5 && written >= 3);
		await settle();
		assert.deepEqual(revisions(old), from(2, 6001 + written));
		assert.deepEqual(revisions(live), from(6002, 6001 + written));
	});

	it("starts at a revision yet to come", async () => {
		const one = watch({ startRevision: 5 });
		for (let i = 0; i < 6; i++) d.put("k");
		await settle();
		assert.deepEqual(revisions(one), [5, 6, 7]);
		d.put("k");
		assert.deepEqual(revisions(one), [5, 6, 7, 8]);
	});

	it("keeps nothing for a paused watcher, and lets it catch up", async () => {
		const one = watch();
		d.put("k");
		one.cursor.pause();
		one.cursor.pause();
		for (let i = 0; i < 500; i++) d.put("k", "x".repeat(100));
		one.cursor.requestProgress();
		await settle();
		assert.deepEqual(revisions(one), [2]);
		assert.deepEqual(d.machine.stats.watchers, { synced: 0, unsynced: 0, paused: 1 });
		one.cursor.resume();
		while (d.machine.stats.watchers.unsynced > 0) await settle();
		assert.deepEqual(revisions(one), from(2, 502));
		assert.deepEqual(one.batches.at(-1), { events: [], revision: 502 }, "the progress asked for while paused");
	});

	it("can be paused from within a batch, live or catching up", async () => {
		for (let i = 0; i < 10; i++) d.put("k");
		const cursors: WatchCursor[] = [];
		const stepping = (index: number) => () => {
			cursors[index]!.pause();
			setImmediate(() => cursors[index]!.resume());
		};
		const live = watch({}, stepping(0));
		const old = watch({ startRevision: 1 }, stepping(1));
		cursors.push(live.cursor, old.cursor);
		for (let i = 0; i < 10; i++) d.put("k");
		for (let i = 0; i < 20; i++) await settle();
		assert.deepEqual(revisions(live), from(12, 21));
		assert.deepEqual(revisions(old), from(2, 21));
		for (const { cursor } of [live, old]) cursor.cancel();
	});

	it("owes a watcher that another one's handler pauses its batch, and gives it once after", async () => {
		for (const ranges of [
			["a", "a"],
			["a", "b"],
		]) {
			const all: Consumer[] = [];
			const request = (i: number) => ({ key: bytes(ranges[i]!), rangeEnd: bytes("\0") });
			const others = (i: number) => () => {
				if (all[i]!.batches.length > 1) return;
				for (const other of all) if (other !== all[i]) other.cursor.pause();
				setImmediate(() => {
					for (const other of all) other.cursor.resume();
				});
			};
			all.push(watch(request(0), others(0)), watch(request(1), others(1)));
			const first = d.machine.revision + 1;
			for (let i = 0; i < 3; i++) d.put("k");
			for (let i = 0; i < 10; i++) await settle();
			for (const one of all) {
				assert.deepEqual(revisions(one), from(first, first + 2));
				one.cursor.cancel();
			}
		}
	});

	it("gives a watch made within a batch nothing from before it, and progress only after what is owed", () => {
		const late: Consumer[] = [];
		const first = watch({}, () => {
			if (late.length === 0) late.push(watch({ key: bytes("a") }));
			second.cursor.requestProgress();
		});
		const second: Consumer = watch({ key: bytes("a") });
		d.put("k");
		assert.deepEqual(revisions(first), [2]);
		assert.deepEqual(late[0]!.batches, []);
		assert.deepEqual(
			second.batches.map(({ events, revision }) => [events.length, revision]),
			[
				[1, 2],
				[0, 2],
			],
		);
		d.put("k");
		assert.deepEqual(revisions(late[0]!), [3]);
	});

	it("gives progress only when caught up, and exactly up to the store's revision", async () => {
		const live = watch();
		live.cursor.requestProgress();
		assert.deepEqual(live.batches, [{ events: [], revision: 1 }]);
		for (let i = 0; i < 5; i++) d.put("k");
		const old = watch({ startRevision: 1, key: bytes("other") });
		old.cursor.requestProgress();
		assert.equal(old.batches.length, 0);
		await settle();
		assert.deepEqual(old.batches, [{ events: [], revision: 6 }]);
	});

	it("ends a watch that begins before the compacted revision; one at it sees its tombstone", async () => {
		d.put("a");
		d.put("b");
		d.del("a");
		d.put("c");
		d.run({ kind: "compact", revision: 4 });
		await d.machine.compactionDone(4);
		const [early, exact] = [watch({ startRevision: 3 }), watch({ startRevision: 4 })];
		await settle();
		assert.deepEqual(
			early.ends.map((e) => [e.code, e.compactRevision]),
			[["compacted", 4]],
		);
		assert.deepEqual(revisions(exact), [4, 5]);
		assert.equal(exact.batches[0]?.events[0]?.type, "delete");
	});

	it("tells previous values that the very next entry makes unreadable", () => {
		d.put("k", "old");
		const one = watch({ prevKv: true });
		const put = d.entry({ kind: "put", key: bytes("k"), value: bytes("new") });
		const compact = { ...d.entry({ kind: "compact", revision: 3 }), index: put.index + 1 };
		d.machine.apply([put, compact], () => undefined);
		assert.deepEqual(one.batches[0]?.events[0]?.prevKv?.value, bytes("old"));
	});

	it("stops at once when cancelled, also from within", () => {
		const cursors: WatchCursor[] = [];
		const first = watch({}, () => {
			for (const cursor of cursors) cursor.cancel();
		});
		const second = watch();
		cursors.push(first.cursor, second.cursor);
		d.put("k");
		d.put("k");
		assert.deepEqual(revisions(first), [2]);
		assert.deepEqual(revisions(second), []);
		assert.deepEqual(d.machine.stats.watchers, { synced: 0, unsynced: 0, paused: 0 });
	});

	it("ends only the watch whose consumer fails", () => {
		const broken = watch({}, () => assert.fail("consumer's own failure"));
		const good = watch();
		d.put("k");
		d.put("k");
		assert.deepEqual(
			broken.ends.map((e) => e.code),
			["closed"],
		);
		assert.deepEqual(revisions(good), [2, 3]);
	});

	it("ends all watches when the machine closes", async () => {
		d.put("k");
		const consumers = [watch(), watch({ startRevision: 1 }), watch({ startRevision: 99 }), watch({ key: bytes("k") })];
		consumers[3]!.cursor.pause();
		await d.machine.close();
		for (const { ends } of consumers)
			assert.deepEqual(
				ends.map((e) => e.code),
				["closed"],
			);
		d = await Driver.open(new MemoryEngine());
	});
});
