import assert from "node:assert/strict";
import type { StoreClient } from "../api.ts";
import { Election } from "./election.ts";
import { LeaseKeeper } from "./lease.ts";
import { Lock } from "./lock.ts";
import { memoryStore } from "./memory.ts";

const value = Buffer.from("v");

describe("store/client/recipes: waits that are given up", () => {
	let client: StoreClient;
	let keepers: LeaseKeeper[];
	const keys = async () =>
		(await client.range({ key: Buffer.from("\0"), rangeEnd: Buffer.from("\0") })).kvs.map(({ key }) => key.toString());

	beforeEach(async () => {
		client = memoryStore();
		keepers = [await LeaseKeeper.grant(client, 30), await LeaseKeeper.grant(client, 30)];
	});
	afterEach(async () => {
		for (const keeper of keepers) keeper.stop();
		await client.close();
	});

	/** Deletes arrive late, as over a slow connection. */
	const slowToDelete = (): StoreClient => {
		const slow = Object.create(null) as StoreClient;
		slow.txn = (...args) => client.txn(...args);
		slow.range = (...args) => client.range(...args);
		slow.watch = (...args) => client.watch(...args);
		slow.deleteRange = async (...args) => {
			for (let i = 0; i < 20; i++) await keys();
			return client.deleteRange(...args);
		};
		return slow;
	};

	it("leave the line, and do not take the place that the same waiter takes next", async () => {
		const first = new Lock(client, "lock", keepers[0]!);
		const second = new Lock(slowToDelete(), "lock", keepers[1]!);
		await first.acquire();
		for (let round = 0; round < 5; round++) {
			const controller = new AbortController();
			const given = assert.rejects(second.acquire(controller.signal), /not now/);
			if (round % 2 === 0) await keys();
			controller.abort(new Error("not now"));
			await given;
		}
		const again = second.acquire();
		await first.release();
		await again;
		for (let i = 0; i < 30; i++) await keys();
		assert.deepEqual(await keys(), [`lock/${keepers[1]!.id.toString(16)}`]);
		const { succeeded } = await client.txn({ compare: [second.isOwner], success: [], failure: [] });
		assert.equal(succeeded, true);
	});

	it("leave an election's line as well", async () => {
		const [first, second] = [new Election(client, "e"), new Election(client, "e")];
		await first.campaign(value, keepers[0]!);
		const controller = new AbortController();
		const given = assert.rejects(second.campaign(value, keepers[1]!, controller.signal), /not now/);
		await keys();
		controller.abort(new Error("not now"));
		await given;
		await keys();
		await keys();
		assert.deepEqual(await keys(), [`e/${keepers[0]!.id.toString(16)}`]);
		const leaders: (string | undefined)[] = [];
		const watching = new AbortController();
		second.observe((leader) => void leaders.push(leader?.value.toString()), assert.fail, watching.signal);
		await keys();
		watching.abort();
		await first.resign();
		await keys();
		assert.deepEqual(leaders, ["v"]);
	});

	it("give back a lease that is granted too late", async () => {
		const before = (await client.leases()).ids.length;
		const controller = new AbortController();
		const grant = LeaseKeeper.grant(client, 30, {}, controller.signal);
		controller.abort(new Error("not now"));
		await assert.rejects(grant, /not now/);
		await keys();
		await keys();
		assert.equal((await client.leases()).ids.length, before);
	});
});
