import assert from "node:assert/strict";
import type { RequestOp, StoreError } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { bytes, Driver } from "../machine/testing/driver.ts";
import type { Command } from "../machine/types.ts";
import { type Replica, Requests } from "./requests.ts";

describe("store/member/requests: the quota", () => {
	let d: Driver;
	beforeEach(async () => {
		d = await Driver.open(new MemoryEngine());
	});
	afterEach(() => d.machine.close());

	const withQuota = (quotaBytes: number) => {
		const replica = {
			machine: d.machine,
			propose: async (command: Command) => d.apply(command),
			newLeaseId: () => 1n,
		} as unknown as Replica;
		const usedBytes = () => d.machine.stats.trackedBytes;
		return new Requests(replica, { quotaBytes, usedBytes, quotaCheckEvery: 1 });
	};
	const key = bytes("k");
	const value = Buffer.alloc(900, 1);
	const isFull = (error: StoreError) =>
		error.code === "no_space" && error.message === "etcdserver: mvcc: database space exceeded";

	it("refuses puts and grants where they come in, and takes deletes and compactions, which make room", async () => {
		const requests = withQuota(2000);
		for (let i = 0; i < 3; i++) await requests.put({ key, value });
		const put: RequestOp = { op: "put", key, value };
		const nested: RequestOp = { op: "txn", compare: [], success: [], failure: [put] };
		await assert.rejects(async () => requests.put({ key, value }), isFull);
		await assert.rejects(async () => requests.txn({ compare: [], success: [nested], failure: [] }), isFull);
		await assert.rejects(async () => requests.leaseGrant({ id: 0n, ttl: 5 }), isFull);
		await requests.deleteRange({ key });
		await requests.compact({ revision: d.machine.revision });
		await requests.put({ key, value });
	});

	it("of one member does not change what entries do: members with other quotas stay equal", async () => {
		const [small, large] = [withQuota(1), withQuota(1 << 30)];
		await large.put({ key, value });
		await assert.rejects(async () => small.put({ key, value }), isFull);
		const other = await Driver.open(new MemoryEngine());
		await large.put({ key, value });
		other.machine.apply(d.log, () => undefined);
		assert.deepEqual(await other.machine.hash(0), await d.machine.hash(0));
		await other.machine.close();
	});
});
