/** Runs on virtual time: who leads is asked along the way, whatever becomes of the answers. */
import assert from "node:assert/strict";
import { sleep } from "../kit/clock.ts";
import { VirtualClock } from "../kit/sim/clock.ts";
import { checkLeaders } from "./leaders.ts";
import { type Nemesis, type RunOutcome, runWorkload } from "./run.ts";
import type { Leadership } from "./targets/members.ts";
import type { Workload } from "./workloads/workload.ts";

interface Target {
	close(): Promise<void>;
}

const idle: Workload<Target> = {
	name: "idle",
	summary: "asks for nothing that could go wrong",
	rate: 10,
	actor: () => ({ next: () => ({ f: "nothing" }), perform: async () => null }),
	check: () => [],
};

const workMs = 10_000;

async function run(
	leader?: (clock: VirtualClock) => Promise<Leadership | undefined>,
	exactTerms?: boolean,
): Promise<RunOutcome> {
	const clock = new VirtualClock();
	let outcome: RunOutcome | undefined;
	const running = runWorkload({
		workload: idle,
		connect: () => ({ close: async () => {} }),
		clock,
		seed: 1,
		clients: 2,
		workMs,
		leader: leader && (() => leader(clock)),
		exactTerms,
	});
	const ended = running.then((value) => {
		outcome = value;
	});
	assert.ok(await clock.runUntilTrue(() => outcome !== undefined, 2 * workMs), "the run never ended");
	await ended;
	return outcome!;
}

describe("chaos/run: who leads", () => {
	it("is asked every 250 ms of the run, and only what changes is kept", async () => {
		const asked: number[] = [];
		const { leaders, violations } = await run(async ({ time }) => {
			asked.push(time);
			if (time < 2000) return { name: "m1", term: 2 };
			return time < 3000 ? undefined : { name: "m2", term: 4 };
		});
		assert.deepEqual(asked.slice(0, 4), [0, 250, 500, 750]);
		assert.ok(asked.at(-1)! >= workMs - 250);
		assert.deepEqual(leaders, [
			{ time: 0, name: "m1", term: 2 },
			{ time: 2000, name: undefined, term: undefined },
			{ time: 3000, name: "m2", term: 4 },
		]);
		assert.deepEqual(violations, []);
	});

	it("is not asked again before the answer, and after a second of silence nobody leads", async () => {
		let open = 0;
		let most = 0;
		const { leaders } = await run(async (clock) => {
			const { time } = clock;
			most = Math.max(most, ++open);
			if (time >= 1000 && time < 4000) await new Promise<void>((resolve) => void clock.after(3000, resolve));
			open--;
			return { name: "m1", term: 1 };
		});
		assert.equal(most, 1);
		assert.deepEqual(
			leaders.map(({ time, name }) => [time, name]),
			[
				[0, "m1"],
				[2000, undefined],
				[4000, "m1"],
			],
		);
	});

	it("neither fails nor delays the run: questions that are refused, thrown out, or never answered", async () => {
		const nobody = [{ time: 0, name: undefined, term: undefined }];
		const refused = await run(() => Promise.reject(new Error("refused")));
		assert.deepEqual(refused.leaders, nobody);
		const thrown = await run(() => {
			throw new Error("thrown");
		});
		assert.deepEqual(thrown.leaders, nobody);
		const silent = await run(() => new Promise(() => {}));
		assert.deepEqual(silent.leaders, [{ time: 1000, name: undefined, term: undefined }]);
		for (const { finished, violations } of [refused, thrown, silent]) {
			assert.ok(finished);
			assert.deepEqual(violations, []);
		}
		assert.deepEqual((await run()).leaders, []);
	});

	it("is one member a term: a second one is a violation, with both as witness", async () => {
		const two = async ({ time }: VirtualClock) => ({ name: time < 5000 ? "m1" : "m3", term: 7 });
		const { violations } = await run(two);
		assert.deepEqual(violations, [
			{
				kind: "two-leaders",
				message: "term 7 has the leaders m1 and m3",
				witness: ["0.000 s: m1 leads in term 7", "5.000 s: m3 leads in term 7"],
			},
		]);
		assert.deepEqual((await run(two, false)).violations, [], "of terms that lag behind nothing follows");
	});

	it("may be told by a stale member: an older term contradicts nothing", () => {
		const at = (time: number, name: string, term: number) => ({ time, name, term });
		const stale = [at(0, "m1", 1), at(250, "m2", 2), at(500, "m1", 1), at(750, "m2", 2), at(1000, "m1", 3)];
		assert.deepEqual(checkLeaders(stale), []);
		assert.equal(checkLeaders([...stale, at(1250, "m3", 1)])[0]?.message, "term 1 has the leaders m1 and m3");
	});
});

describe("chaos/run: clients", () => {
	/** Ends also where the run never does. */
	async function outcomeOf(
		workload: Workload<Target>,
		clock = new VirtualClock(),
		nemesis?: Nemesis,
	): Promise<RunOutcome> {
		const target = { close: async () => {} };
		const running = runWorkload({ workload, connect: () => target, nemesis, clock, seed: 1, clients: 2, workMs });
		let ended = false;
		const over = () => {
			ended = true;
		};
		running.then(over, over);
		assert.ok(await clock.runUntilTrue(() => ended, 100_000), "the run never ended");
		return running;
	}

	it("that fail by an error of their own fail the run, which cleans up first", async () => {
		const unhandled: unknown[] = [];
		const note = (error: unknown) => void unhandled.push(error);
		const others = process.listeners("unhandledRejection");
		process.removeAllListeners("unhandledRejection");
		process.on("unhandledRejection", note);
		try {
			let closed = 0;
			const broken: Workload<Target> = {
				...idle,
				actor: () => ({
					next: () => ({ f: "nothing" }),
					perform: () => Promise.reject(new RangeError("a bug")),
					close: () => void closed++,
				}),
			};
			await assert.rejects(outcomeOf(broken), /a bug/);
			await new Promise((resolve) => setImmediate(resolve));
			assert.deepEqual([closed, unhandled], [2, []]);
		} finally {
			process.off("unhandledRejection", note);
			for (const listener of others) process.on("unhandledRejection", listener);
		}
	});

	it("hear at once of a nemesis that fails; one that does its work heals before a run ends that fails itself", async () => {
		const clock = new VirtualClock();
		let performed = 0;
		const count = { next: () => ({ f: "nothing" }), perform: async () => void performed++ };
		const fails: Nemesis = {
			run: async () => {
				await sleep(clock, 700);
				throw new RangeError("no such disk");
			},
		};
		await assert.rejects(outcomeOf({ ...idle, actor: () => count }, clock, fails), /no such disk/);
		assert.ok(clock.time < 2000, `it took ${clock.time} ms`);
		const until = performed;
		await clock.runUntilTrue(() => false, workMs);
		assert.deepEqual([until > 0, performed], [true, until]);

		let healed = false;
		const heals: Nemesis = {
			run: async (signal) => {
				await new Promise((resolve) => signal.addEventListener("abort", resolve));
				healed = true;
			},
		};
		const perform = () => Promise.reject(new RangeError("a bug"));
		const broken: Workload<Target> = { ...idle, actor: () => ({ next: () => ({ f: "nothing" }), perform }) };
		await assert.rejects(outcomeOf(broken, new VirtualClock(), heals), /a bug/);
		assert.ok(healed);
	});

	it("whose work never ends do their last operation all the same, and a late answer counts no more", async () => {
		let answer = (_: string) => {};
		const stuck: Workload<Target> = {
			...idle,
			actor: (_, { index }) => ({
				next: () => ({ f: index === 0 ? "stuck" : "nothing" }),
				perform: async ({ f }) => {
					if (f === "stuck") return new Promise<string>((resolve) => (answer = resolve));
					if (f === "last") answer("late");
					return null;
				},
			}),
			finish: { invocation: { f: "last" }, by: "all" },
			check: (history) => {
				const seen = history
					.filter((op) => op.f !== "nothing")
					.map(({ process, f, type }) => [process, f, type].join(" "));
				return [{ kind: "seen", message: seen.join(", "), witness: [] }];
			},
		};
		// The late answer comes with the last operations, and would be a second end of the first.
		const { violations, finished, counts } = await outcomeOf(stuck);
		assert.deepEqual([violations[0]?.message, finished], ["p0 stuck info, p0 last ok, p1 last ok", true]);
		assert.equal(counts.info, 1);
	});
});
