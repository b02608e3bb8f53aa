import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { runningPid } from "../../cluster/processes.ts";
import { eventually } from "../../test/until.ts";
import type { Place } from "../places/place.ts";
import { startProcessPlace } from "../places/processes.ts";
import { OwnCluster } from "./own-cluster.ts";

describe("chaos/targets: a cluster on the hosts of a place", function () {
	this.timeout(60_000);
	let place: Place;
	let own: OwnCluster;
	let started: number;
	beforeEach(async () => {
		const real = await startProcessPlace({ size: 1 });
		started = 0;
		place = {
			...real,
			enter: (host, command) => {
				started++;
				return real.enter(host, command);
			},
		};
		own = await OwnCluster.start(place, { nodes: 0, runtime: "hollow" });
		assert.equal(started, 4);
	});
	afterEach(() => place.close());

	/** Being revived, which waits for a store that stands still. */
	async function revivedWithStandingStore() {
		await own.signal("master-1", "SIGSTOP", ["store"]);
		const revived = own.revive("master-1");
		// Its failure is looked at below.
		revived.catch(() => {});
		await delay(500);
		return { revived };
	}

	it("tells of a store that ends while its master is being started", async () => {
		const { revived } = await revivedWithStandingStore();
		await own.signal("master-1", "SIGKILL", ["store"]);
		await revived;
		assert.deepEqual(
			(await own.ended()).map(({ name }) => name),
			["master-1-store"],
		);
		assert.equal(started, 5);
	});

	it("says nothing of what was excused, until it has been started again", async () => {
		await own.excuse("master-1", ["store"]);
		// One whose end was excused and did not come may still end.
		await own.revive("master-1");
		await own.signal("master-1", "SIGKILL", ["store"]);
		const dir = own.cluster.dir;
		await eventually("it is gone", async () => (await runningPid(dir, "master-1-store")) === undefined);
		assert.deepEqual(await own.ended(), []);
		await own.revive("master-1");
		await own.signal("master-1", "SIGKILL", ["store"]);
		await eventually("it is told", async () => (await own.ended()).length === 1);
	});

	it("starts nothing any more while it is ended", async () => {
		const { revived } = await revivedWithStandingStore();
		const before = started;
		await place.close();
		await assert.rejects(revived);
		assert.equal(started, before);
	});
});
