import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { serviceUnavailable } from "../machinery/errors.ts";
import { createFakeClient } from "./fake.ts";
import { createLeaderElector, type LeaderElectionOptions } from "./leader-election.ts";
import { leases } from "./resources.ts";

function setup() {
	const clock = new VirtualClock({ turns: 5 });
	const client = createFakeClient({ clock });
	const log: string[] = [];
	let seed = 1;
	const candidate = (identity: string, options: Partial<LeaderElectionOptions> = {}) =>
		createLeaderElector({
			client,
			clock,
			random: seededRandom(seed++),
			logger: silentLogger,
			namespace: "kube-system",
			name: "x",
			identity,
			onStarted: (signal) => {
				log.push(`${identity} started`);
				signal.addEventListener("abort", () => log.push(`${identity} ended`));
			},
			onLost: () => log.push(`${identity} lost`),
			...options,
		});
	const lease = () => client.peek(leases, "kube-system/x")?.spec;
	return { clock, client, log, candidate, lease };
}

describe("leader election", () => {
	it("lets one lead, and the next at once when it releases", async () => {
		const { clock, log, candidate, lease } = setup();
		const a = candidate("a");
		const b = candidate("b");
		void a.run();
		void b.run();
		await clock.runFor(60_000);
		assert.deepEqual(log, ["a started"]);
		assert.equal(lease()?.leaseDurationSeconds, 15);
		await a.stop();
		assert.equal(lease()?.holderIdentity, "");
		await clock.runFor(5000);
		assert.deepEqual(log, ["a started", "a ended", "b started"]);
		assert.equal(lease()?.holderIdentity, "b");
		assert.equal(lease()?.leaseTransitions, 1);
		await b.stop();
	});

	it("gives the lease back only when what was begun has ended, and not at all when that takes too long", async () => {
		const { clock, candidate, lease } = setup();
		const work = Promise.withResolvers<void>();
		const a = candidate("a", { settled: () => work.promise });
		void a.run();
		await clock.runFor(5000);
		const stopped = a.stop();
		await clock.runFor(3000);
		assert.deepEqual([lease()?.holderIdentity, a.expired], ["a", false]);
		work.resolve();
		await stopped;
		assert.deepEqual([lease()?.holderIdentity, a.expired], ["", true]);
		const again = candidate("a", { settled: () => new Promise(() => {}) });
		void again.run();
		await clock.runFor(5000);
		const ended = again.stop();
		await clock.runFor(11_000);
		await ended;
		assert.equal(lease()?.holderIdentity, "a");
	});

	it("waits for what was begun until its renew deadline, not longer, and is expired then", async () => {
		const { clock, client, candidate, lease } = setup();
		const a = candidate("a", { settled: () => new Promise(() => {}) });
		void a.run();
		await clock.runFor(5000);
		// Nobody renews from here on, first because it fails, then because it stops.
		client.failNext("*", "leases", serviceUnavailable("down"), 1000);
		await clock.runFor(6000);
		let ended = false;
		const stopped = a.stop().then(() => {
			ended = true;
		});
		await clock.runFor(1000);
		assert.deepEqual([ended, a.expired], [false, false]);
		await clock.runFor(3500);
		assert.deepEqual([ended, a.expired, lease()?.holderIdentity], [true, true, "a"]);
		await stopped;
	});

	it("judges expiry by its own observation, not by the record's times", async () => {
		const { clock, client, log, candidate } = setup();
		client.add({
			apiVersion: "coordination.k8s.io/v1",
			kind: "Lease",
			metadata: { name: "x", namespace: "kube-system" },
			spec: { holderIdentity: "gone", leaseDurationSeconds: 15, renewTime: "2001-01-01T00:00:00.000000Z" },
		});
		const a = candidate("a");
		void a.run();
		await clock.runFor(14_000);
		assert.deepEqual(log, []);
		await clock.runFor(10_000);
		assert.deepEqual(log, ["a started"]);
		await a.stop();
	});

	it("stops leading when it cannot renew within the deadline", async () => {
		const { clock, client, log, candidate } = setup();
		const a = candidate("a");
		void a.run();
		await clock.runFor(10_000);
		client.failNext("*", "leases", serviceUnavailable("down"), 1000);
		await clock.runFor(7000);
		assert.equal(a.expired, false);
		await clock.runFor(2000);
		assert.deepEqual(log, ["a started"]);
		await clock.runFor(6000);
		assert.deepEqual(log, ["a started", "a ended", "a lost"]);
		assert.equal(a.expired, true);
	});

	it("is expired when it stops and learns that another leads", async () => {
		const { clock, client, candidate } = setup();
		let stopped: Promise<void> | undefined;
		const stopping = (resource: Parameters<typeof client.resource>[0]) => {
			const api = client.resource(resource);
			const get: typeof api.get = (...args) => {
				if (a.leading) stopped = a.stop();
				return api.get(...args);
			};
			return { ...api, get };
		};
		const a = candidate("a", { client: { ...client, resource: stopping as typeof client.resource } });
		void a.run();
		await clock.runFor(1000);
		const taken = await client.resource(leases).get("kube-system", "x");
		await client.resource(leases).update({ ...taken, spec: { ...taken.spec, holderIdentity: "b" } });
		await clock.runFor(3000);
		assert.ok(stopped !== undefined);
		await stopped;
		assert.equal(a.expired, true);
	});

	it("makes the lease anew when somebody deletes it, unless another was faster", async () => {
		const { clock, client, log, candidate, lease } = setup();
		const a = candidate("a");
		void a.run();
		await clock.runFor(5000);
		await client.resource(leases).delete("kube-system", "x");
		await clock.runFor(15_000);
		assert.deepEqual([log, lease()?.holderIdentity, a.expired], [["a started"], "a", false]);
		await client.resource(leases).delete("kube-system", "x");
		client.add({
			apiVersion: "coordination.k8s.io/v1",
			kind: "Lease",
			metadata: { name: "x", namespace: "kube-system" },
			spec: { holderIdentity: "b", leaseDurationSeconds: 15 },
		});
		await clock.runFor(3000);
		assert.deepEqual([log, lease()?.holderIdentity], [["a started", "a ended", "a lost"], "b"]);
	});

	it("refuses durations that do not fit each other", () => {
		const { candidate } = setup();
		const make = (leaseDurationMs: number, renewDeadlineMs: number) => () =>
			candidate("a", { leaseDurationMs, renewDeadlineMs });
		assert.throws(make(10_000, 10_000), /must be greater than renew deadline/);
		assert.throws(make(10_000, 2000), /must be greater than 1.2/);
	});
});
