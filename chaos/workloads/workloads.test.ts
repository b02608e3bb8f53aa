/** Workloads against a store in memory: right, with answers lost, and lying. */
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { StoreClient } from "../../store/api.ts";
import { memoryStore } from "../../store/client/memory.ts";
import { describeViolation } from "../checkers/violation.ts";
import type { WatchedEvent } from "../checkers/watch.ts";
import { HistoryRecorder } from "../history.ts";
import { type RunOutcome, runWorkload } from "../run.ts";
import { storeTarget } from "../targets/store.ts";
import { type Lie, liar, lossy } from "../testing/faulty.ts";
import { kvWorkloads } from "./all.ts";
import { type KvTarget, TargetError } from "./target.ts";
import type { Actor } from "./workload.ts";

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
	wrap: (target: KvTarget, clock: VirtualClock) => KvTarget = (t) => t,
	rate?: number,
): Promise<RunOutcome> {
	const workload = kvWorkloads.get(name)!;
	const clock = new VirtualClock();
	const random = seededRandom(seed);
	const store = memoryStore({ clock, random });
	const running = runWorkload({
		workload,
		connect: () => ({ ...wrap(delayed(storeTarget(store), clock, random), clock), close: async () => {} }),
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

	for (const name of ["register", "kv", "append", "rw", "lock"]) {
		it(`${name}: notices what is lost only when all work is done`, async () => {
			const workMs = name === "lock" ? 20_000 : 4000;
			let isLost = false;
			const forgetful = (target: KvTarget, clock: VirtualClock): KvTarget => {
				const forget = async () => {
					if (isLost || clock.time < workMs) return;
					isLost = true;
					await target.delete("!", "~");
				};
				return {
					...target,
					range: (op) => forget().then(() => target.range(op)),
					txn: (request) => forget().then(() => target.txn(request)),
				};
			};
			const { violations } = await run(name, workMs, forgetful);
			assert.ok(isLost && violations.length > 0);
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

	/** What the watch workload says of one client that did `steps`, and then collected. */
	async function watched(
		wrap: (target: KvTarget, clock: VirtualClock) => KvTarget,
		steps: (actor: Actor, store: StoreClient) => Promise<void>,
	): Promise<string[]> {
		const clock = new VirtualClock();
		const random = { ...seededRandom(seed), int: () => 0 };
		const store = memoryStore({ clock, random: seededRandom(seed) });
		const workload = kvWorkloads.get("watch")!;
		const actor = workload.actor(wrap(storeTarget(store), clock), { random, name: "p1", index: 1, clock });
		const recorder = new HistoryRecorder(() => clock.monotonic());
		await steps(actor, store);
		recorder.record({ process: "p1", type: "invoke", f: "collect" });
		let end: { readonly value?: unknown; readonly error?: unknown } | undefined;
		actor.perform({ f: "collect" }).then(
			(value) => (end = { value }),
			(error: unknown) => (end = { error }),
		);
		await clock.runUntilTrue(() => end !== undefined, 60_000);
		assert.ifError(end?.error);
		recorder.record({ process: "p1", type: "ok", f: "collect", value: end?.value });
		actor.close?.();
		await store.close();
		return workload.check(recorder.operations, true).map(describeViolation);
	}

	it("watch: a delete that lands while the last state is read is no lost event, however late it is told", async () => {
		const late = (target: KvTarget, clock: VirtualClock): KvTarget => {
			let isLate = false;
			return {
				...target,
				range: async (op) => {
					await target.delete("w/0");
					return target.range(op);
				},
				watch: (options, onBatch, onEnd) =>
					target.watch(
						options,
						(batch) => {
							isLate ||= batch.events.some((event) => event.type === "delete");
							if (isLate) clock.after(1000, () => onBatch(batch));
							else onBatch(batch);
						},
						onEnd,
					),
			};
		};
		const found = await watched(late, async (actor) => {
			await actor.perform({ f: "put", key: "w/0", value: "a" });
		});
		assert.deepEqual(found, []);
	});

	it("watch: a previous value that is compacted may be missing, and no other", async () => {
		const whole = (target: KvTarget) => target;
		const steps = (compacts: boolean) => async (actor: Actor, store: StoreClient) => {
			await actor.perform({ f: "put", key: "w/0", value: "a" });
			const revision = (await actor.perform({ f: "put", key: "w/0", value: "b" })) as number;
			if (compacts) await store.compact({ revision });
			await actor.perform({ f: "watch", key: "w/0", value: revision });
		};
		assert.deepEqual(await watched(whole, steps(true)), []);
		const silent = (target: KvTarget): KvTarget => ({
			...target,
			watch: (options, onBatch, onEnd) => {
				const strip = ({ previous: _, ...event }: WatchedEvent): WatchedEvent => event;
				return target.watch(options, (batch) => onBatch({ ...batch, events: batch.events.map(strip) }), onEnd);
			},
		});
		assert.match((await watched(silent, steps(false)))[0] ?? "", /^watch-previous: .*there was a@2/);
	});

	it("lock-unfenced: is caught, because holders stall longer than their leases", async () => {
		const { violations } = await run("lock-unfenced", 40_000);
		const kinds = new Set(violations.map(({ kind }) => kind));
		assert.ok(kinds.has("two-holders") && kinds.has("lost-update"), [...kinds].join());
	});
});
