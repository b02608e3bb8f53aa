/** Workloads against a store in memory: right, with answers lost, and lying. */
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { memoryStore } from "../../store/client/memory.ts";
import { describeViolation } from "../checkers/violation.ts";
import { type RunOutcome, runWorkload } from "../run.ts";
import { storeTarget } from "../targets/store.ts";
import { type Lie, liar, lossy } from "../testing/faulty.ts";
import { kvWorkloads } from "./all.ts";
import { type KvTarget, TargetError } from "./target.ts";

const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1_000_000);

/** Each request and each answer takes some virtual time. */
function delayed(target: KvTarget, clock: VirtualClock, random: Random): KvTarget {
	const wait = () => new Promise<void>((resolve) => void clock.after(random.float() * 5, resolve));
	const slow =
		<A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
		async (...args: A): Promise<R> => {
			await wait();
			try {
				return await call(...args);
			} finally {
				await wait();
			}
		};
	const { range, put, txn, leaseGrant, leaseKeepAlive, leaseRevoke } = target;
	return {
		...target,
		range: slow(range),
		put: slow(put),
		delete: slow(target.delete),
		txn: slow(txn),
		leaseGrant: slow(leaseGrant),
		leaseKeepAlive: slow(leaseKeepAlive),
		leaseRevoke: slow(leaseRevoke),
	};
}

async function run(
	name: string,
	workMs: number,
	wrap: (target: KvTarget) => KvTarget = (t) => t,
	rate?: number,
): Promise<RunOutcome> {
	const workload = kvWorkloads.get(name)!;
	const clock = new VirtualClock();
	const random = seededRandom(seed);
	const store = memoryStore({ clock, random });
	const running = runWorkload({
		workload,
		connect: () => ({ ...wrap(delayed(storeTarget(store), clock, random)), close: async () => {} }),
		clock,
		seed,
		clients: 5,
		workMs,
		rate,
	});
	let outcome: RunOutcome | undefined;
	let failure: unknown;
	running.then(
		(value) => (outcome = value),
		(error: unknown) => (failure = error),
	);
	await clock.runUntilTrue(() => outcome !== undefined || failure !== undefined, workMs * 10 + 120_000);
	await store.close();
	if (outcome === undefined) throw failure ?? new Error("the run never ended");
	return outcome;
}

describe("chaos/workloads on a store in memory", function () {
	this.timeout(60_000);
	before(() => console.log(`      seed ${seed}; replay with BARQUE_SEED=${seed}`));

	for (const [name, workload] of kvWorkloads) {
		if (name === "lock-unfenced") continue;
		const workMs = workload.rate < 100 ? 80_000 : 4000;
		it(`${name}: finds nothing wrong, whole or with answers lost`, async () => {
			for (const share of [0, 0.05]) {
				const random = seededRandom(seed + 1);
				const { violations, counts } = await run(name, workMs, (target) => lossy(target, random, share));
				assert.deepEqual(violations.map(describeViolation), []);
				assert.ok(counts.ok > 50, JSON.stringify(counts));
				if (share > 0) assert.ok(counts.info + counts.fail > 0, JSON.stringify(counts));
			}
		});
	}

	const lies: ReadonlyArray<readonly [workload: string, lie: Lie]> = [
		["register", "stale-read"],
		["register", "lost-write"],
		["register", "blind-swap"],
		["kv", "stale-read"],
		["kv", "lost-write"],
		["kv", "double-write"],
		["kv", "blind-swap"],
		["append", "blind-swap"],
		["rw", "blind-swap"],
		["set", "lost-write"],
		["set", "stale-read"],
		["counter", "blind-swap"],
		["counter", "stale-read"],
		["bank", "blind-swap"],
		["bank", "torn-snapshot"],
		["queue", "lost-write"],
		["queue", "blind-swap"],
		["watch", "lost-event"],
		["lock", "blind-swap"],
		["election", "blind-swap"],
	];
	for (const [name, lie] of lies) {
		it(`${name}: notices a ${lie}`, async () => {
			const { rate } = kvWorkloads.get(name)!;
			const { violations } = await run(
				name,
				rate < 100 ? 30_000 : 8000,
				liar(seededRandom(seed + 2), 0.4, lie),
				rate < 100 ? rate * 2 : 400,
			);
			assert.ok(violations.length > 0);
			assert.ok(violations.every(({ kind }) => kind !== "undecided"));
		});
	}

	it("queue: a drain that is given up and repeated tells what it took out before", async () => {
		const store = memoryStore({ clock: new VirtualClock(), random: seededRandom(seed) });
		const whole = storeTarget(store);
		let left = 2;
		const txn: KvTarget["txn"] = async (request) => {
			if (left-- <= 0) throw new TargetError("no", "down");
			return whole.txn(request);
		};
		const options = { random: seededRandom(seed), name: "p1", index: 0, clock: new VirtualClock() };
		const actor = kvWorkloads.get("queue")!.actor({ ...whole, txn }, options);
		for (const value of ["a", "b", "c"]) await actor.perform({ f: "enqueue", value });
		await assert.rejects(actor.perform({ f: "drain" }), /down/);
		left = Number.POSITIVE_INFINITY;
		assert.deepEqual(await actor.perform({ f: "drain" }), { elements: ["a", "b", "c"], unsure: 0 });
		await store.close();
	});

	it("lock-unfenced: is caught, because holders stall longer than their leases", async () => {
		const { violations } = await run("lock-unfenced", 40_000);
		const kinds = new Set(violations.map(({ kind }) => kind));
		assert.ok(kinds.has("two-holders") && kinds.has("lost-update"), [...kinds].join());
	});
});
