import assert from "node:assert/strict";
import { type StoreClient, StoreError, type WatchBatch } from "../api.ts";
import { memoryStore } from "./memory.ts";

const b = (text: string) => Buffer.from(text);

async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
	const until = performance.now() + 15_000;
	while (!(await check())) {
		if (performance.now() > until) assert.fail(`not in time: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

describe("store/client/memory", () => {
	let store: StoreClient;
	beforeEach(() => {
		store = memoryStore({ minLeaseTtl: 1 });
	});
	afterEach(() => store.close());

	it("puts, gets, compares and deletes with revisions", async () => {
		const put = await store.put({ key: b("a"), value: b("1") });
		const { kvs, header } = await store.range({ key: b("a") });
		assert.equal(kvs[0]?.modRevision, put.header.revision);
		assert.equal(header.revision, put.header.revision);
		const txn = await store.txn({
			compare: [{ key: b("a"), target: "mod", result: "equal", operand: put.header.revision }],
			success: [{ op: "put", key: b("a"), value: b("2") }],
			failure: [{ op: "range", key: b("a") }],
		});
		assert.equal(txn.succeeded, true);
		assert.equal((await store.deleteRange({ key: b("a") })).deleted, 1);
		assert.equal(await store.currentRevision(), txn.header.revision + 1);
		await assert.rejects(
			store.put({ key: b(""), value: b("") }),
			(e) => e instanceof StoreError && e.code === "empty_key",
		);
	});

	it("watches from history on, in order", async () => {
		const first = await store.put({ key: b("k/1"), value: b("1") });
		const batches: WatchBatch[] = [];
		const handle = store.watch(
			{ key: b("k/"), rangeEnd: b("k0"), startRevision: first.header.revision },
			{ onBatch: (batch) => void batches.push(batch), onEnd: (error) => assert.equal(error.code, "closed") },
		);
		await store.put({ key: b("k/2"), value: b("2") });
		await store.put({ key: b("other"), value: b("3") });
		handle.requestProgress();
		const seen = () => batches.flatMap((batch) => batch.events).map((event) => event.kv.key.toString());
		await eventually(() => batches.some((batch) => batch.events.length === 0), "progress");
		assert.deepEqual(seen(), ["k/1", "k/2"]);
		assert.equal(batches.at(-1)?.revision, await store.currentRevision());
	});

	it("ends a watch below the compacted revision", async () => {
		await store.put({ key: b("k"), value: b("1") });
		const last = await store.put({ key: b("k"), value: b("2") });
		await store.compact({ revision: last.header.revision });
		const ended = await new Promise<StoreError>((resolve) => {
			store.watch({ key: b("k"), startRevision: 1 }, { onBatch: () => undefined, onEnd: resolve });
		});
		assert.equal(ended.code, "compacted");
		assert.equal(ended.compactRevision, last.header.revision);
	});

	it("expires leases with their keys", async () => {
		const lease = await store.leaseGrant({ id: 0n, ttl: 1 });
		await store.put({ key: b("leased"), value: b(""), lease: lease.id });
		assert.deepEqual((await store.leaseTimeToLive(lease.id, { keys: true })).keys, [b("leased")]);
		await eventually(async () => (await store.range({ key: b("leased") })).kvs.length === 0, "expiry");
		assert.equal((await store.leaseKeepAlive(lease.id)).ttl, 0);
		assert.equal((await store.leaseTimeToLive(lease.id)).ttl, -1);
	});
});
