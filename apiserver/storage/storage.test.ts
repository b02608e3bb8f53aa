import assert from "node:assert/strict";
import { systemClock } from "../../kit/clock.ts";
import { silentLogger } from "../../kit/log.ts";
import type { StoreClient } from "../../store/api.ts";
import { StoreError } from "../../store/api.ts";
import { memoryStore } from "../../store/client/memory.ts";
import { Compactor } from "./compaction.ts";
import { LeaseManager } from "./leases.ts";
import { type Change, ObjectStorage, type StoredObject } from "./objects.ts";

const text = (object: StoredObject | undefined) => object?.bytes.toString();
const put = (value: string): Change => ({ kind: "put", bytes: Buffer.from(value) });

describe("storage", () => {
	let store: StoreClient;
	let storage: ObjectStorage;
	const operations: string[] = [];

	before(() => {
		store = memoryStore();
		storage = new ObjectStorage(
			store,
			() => systemClock.monotonic(),
			(operation) => operations.push(operation),
		);
	});
	after(() => store.close());

	it("creates a key once", async () => {
		const made = await storage.create("/registry/x/a", Buffer.from("1"));
		assert.equal(text(made), "1");
		assert.equal(await storage.create("/registry/x/a", Buffer.from("2")), undefined);
		assert.equal((await storage.get("/registry/x/a"))?.revision, made?.revision);
		assert.ok(operations.includes("create") && operations.includes("get"));
	});

	describe("fenced", () => {
		const key = "/registry/leases/l";
		const fenced = (holder: string) =>
			storage.fenced({
				key,
				holds: (object) => text(object)?.split(" ")[0] === holder,
				refusal: () => new Error("fenced off"),
			});
		const hold = (value: string) => storage.update(key, undefined, async () => put(value));

		before(() => storage.create(key, Buffer.from("a 1")));

		it("writes while the fence holds, though its object changes all the time", async () => {
			const a = fenced("a");
			for (let i = 2; i < 5; i++) {
				assert.equal(text(await a.create(`/registry/f/${i}`, Buffer.from("x"))), "x");
				await hold(`a ${i}`);
				assert.equal(await a.create(`/registry/f/${i}`, Buffer.from("y")), undefined);
				const written = await a.update(`/registry/f/${i}`, undefined, async () => put("z"));
				assert.equal(written?.kind, "put");
			}
			// Renewed between its look at the fence and its write, each time it tries but the last.
			let renewals = 0;
			const outcome = await a.update("/registry/f/2", undefined, async () => {
				if (renewals++ < 3) await hold(`a ${10 + renewals}`);
				return put("after renewals");
			});
			assert.equal(outcome?.kind, "put");
		});

		it("refuses everything once another holds it, also what began before", async () => {
			const [a, b] = [fenced("a"), fenced("b")];
			assert.equal(text(await a.create("/registry/f/10", Buffer.from("x"))), "x");
			const late = a.update("/registry/f/10", undefined, async () => {
				await hold("b 1");
				return put("too late");
			});
			await assert.rejects(late, /fenced off/);
			await assert.rejects(a.create("/registry/f/11", Buffer.from("x")), /fenced off/);
			await assert.rejects(
				a.update("/registry/f/10", undefined, async () => ({ kind: "delete" })),
				/fenced off/,
			);
			assert.equal(text(await storage.get("/registry/f/10")), "x");
			assert.equal(await storage.get("/registry/f/11"), undefined);
			assert.equal(text(await b.create("/registry/f/11", Buffer.from("b's"))), "b's");
			await assert.rejects(
				storage
					.fenced({ key: "/registry/leases/none", holds: () => true, refusal: () => new Error("no lease") })
					.create("/registry/f/12", Buffer.from("x")),
				/no lease/,
			);
		});
	});

	it("writes again on what is there, when what it knew was stale", async () => {
		const stale = await storage.get("/registry/x/a");
		await storage.update("/registry/x/a", undefined, async () => put("2"));
		const seen: string[] = [];
		const outcome = await storage.update("/registry/x/a", stale, async (current) => {
			seen.push(current.bytes.toString());
			return put(`${current.bytes}+`);
		});
		assert.deepEqual(seen, ["1", "2"]);
		assert.equal(text(outcome?.object), "2+");
	});

	it("judges refusals and no-ops on the current object only", async () => {
		const stale: StoredObject = { bytes: Buffer.from("old"), revision: 1, lease: 0n };
		const seen: string[] = [];
		const refuse = async (current: StoredObject): Promise<Change> => {
			seen.push(current.bytes.toString());
			throw new Error("refused");
		};
		await assert.rejects(storage.update("/registry/x/a", stale, refuse), { message: "refused" });
		assert.deepEqual(seen, ["old", "2+"]);
		const before = await store.currentRevision();
		const same = await storage.update("/registry/x/a", { ...stale, bytes: Buffer.from("2+") }, async () => put("2+"));
		assert.equal(same?.kind, "keep");
		assert.equal(await store.currentRevision(), before);
	});

	it("lets every one of many writers through", async () => {
		await storage.create("/registry/x/count", Buffer.from("0"));
		const add = () =>
			storage.update("/registry/x/count", undefined, async (current) => put(String(Number(current.bytes) + 1)));
		await Promise.all(Array.from({ length: 20 }, add));
		assert.equal(text(await storage.get("/registry/x/count")), "20");
	});

	it("deletes with the same comparison, and says what is not there", async () => {
		const outcome = await storage.update("/registry/x/a", undefined, async () => ({ kind: "delete" }));
		assert.equal(outcome?.kind, "delete");
		assert.equal(await storage.get("/registry/x/a"), undefined);
		assert.equal(await storage.update("/registry/x/a", undefined, async () => put("x")), undefined);
		const stale: StoredObject = { bytes: Buffer.from("2+"), revision: 1, lease: 0n };
		assert.equal(await storage.update("/registry/x/a", stale, async () => put("x")), undefined);
	});

	it("tells the store's failures in the API's words, and does not repeat writes", async () => {
		let calls = 0;
		const broken = (error: StoreError) =>
			new ObjectStorage(
				{
					...store,
					range: () => Promise.reject(error),
					txn: () => {
						calls++;
						return Promise.reject(error);
					},
				} as StoreClient,
				() => 0,
				() => {},
			);
		const away = broken(new StoreError("unavailable", "no leader"));
		await assert.rejects(away.get("/registry/x/b"), {
			code: 503,
			reason: "ServiceUnavailable",
			message: "etcdserver: no leader",
		});
		const unknown = broken(new StoreError("outcome_unknown", "request timed out"));
		await assert.rejects(unknown.create("/registry/x/b", Buffer.from("")), { code: 504, reason: "Timeout" });
		assert.equal(calls, 1);
	});

	it("shares a lease among the objects of a minute", async () => {
		let now = 0;
		const leases = new LeaseManager(store, () => now);
		const [a, b] = await Promise.all([leases.lease(3600), leases.lease(3600)]);
		assert.equal(a, b);
		now = 61_000;
		assert.notEqual(await leases.lease(3600), a);
		assert.notEqual(await leases.lease(7200), a);
	});

	it("compacts to where the store was a round before, one replica a round", async () => {
		const compacted: number[] = [];
		const replica = () =>
			new Compactor({
				store,
				clock: systemClock,
				log: silentLogger,
				intervalMs: 0,
				onCompacted: (revision) => compacted.push(revision),
			});
		const [first, second] = [replica(), replica()];
		await first.compactOnce();
		await second.compactOnce();
		const mark = await store.currentRevision();
		await storage.create("/registry/x/later", Buffer.from("1"));
		await first.compactOnce();
		await second.compactOnce();
		assert.deepEqual(compacted, [mark]);
		await assert.rejects(store.range({ key: Buffer.from("/"), revision: mark - 1 }), { code: "compacted" });
		await first.compactOnce();
		await second.compactOnce();
		assert.equal(compacted.length, 2);
	});
});
