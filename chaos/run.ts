/** Runs a workload's clients against a target while a nemesis does harm, and has the history judged. */
import { type Clock, sleep } from "../kit/clock.ts";
import { type Random, seededRandom } from "../kit/random.ts";
import type { Violation } from "./checkers/violation.ts";
import { type Completion, describeHit, type HistoryEvent, HistoryRecorder, nemesisProcess } from "./history.ts";
import { checkLeaders, type LeaderSample, LeaderSampler } from "./leaders.ts";
import type { Leadership } from "./targets/members.ts";
import { TargetError } from "./workloads/target.ts";
import type { Actor, Invocation, Workload } from "./workloads/workload.ts";

/** Does harm by a schedule of its own. */
export interface Nemesis {
	/** Resolves when stopped, with everything whole again. `note` records a fault: its name and what it hits. */
	run(signal: AbortSignal, note: (f: string, value: unknown) => void): Promise<void>;
}

export interface RunOptions<T> {
	readonly workload: Workload<T>;
	/** A client of its own for each actor. */
	readonly connect: (index: number) => T & { close(): Promise<void> };
	readonly nemesis?: Nemesis | undefined;
	readonly clock: Clock;
	readonly seed: number;
	readonly clients: number;
	/** How long clients work and faults happen. */
	readonly workMs: number;
	/** Operations a second of all clients; by default the workload's. */
	readonly rate?: number | undefined;
	/** How long the last operations may take once everything is healed. Default 30 s. */
	readonly patienceMs?: number | undefined;
	/** Who leads: asked every 250 ms, one question at a time. It may fail, or never answer. */
	readonly leader?: (() => Promise<Leadership | undefined>) | undefined;
	/** false: `leader` may tell an older term than that of the leadership, so that two leaders of one term prove nothing. */
	readonly exactTerms?: boolean | undefined;
	readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Counts {
	readonly ok: number;
	readonly fail: number;
	readonly info: number;
}

export interface Progress extends Counts {
	readonly elapsedMs: number;
	readonly faults: number;
	readonly lastFault: string;
	readonly phase: "setup" | "work" | "heal" | "finish" | "check";
}

export interface RunOutcome {
	readonly events: readonly HistoryEvent[];
	readonly violations: readonly Violation[];
	readonly counts: Counts;
	readonly faults: number;
	/** Who led from when on: a sample for each change. Empty where nobody was asked. */
	readonly leaders: readonly LeaderSample[];
	/** The last operations were answered within the patience. */
	readonly finished: boolean;
}

/** Safety without liveness is easy: a cluster that is whole again must answer. */
const stillDead: Violation = {
	kind: "liveness",
	message: "everything was healed, and the last operations were not answered in time",
	witness: [],
};

const progressMs = 1000;
/** Of the last fault, in progress lines. */
const maxFaultText = 120;
const retryMs = 300;
/** Operations an actor gets to end by itself when the work is over. */
const graceMs = 15_000;

export function runWorkload<T>(options: RunOptions<T>): Promise<RunOutcome> {
	return new Run(options).run();
}

class Run<T> {
	readonly #options: RunOptions<T>;
	readonly #recorder: HistoryRecorder;
	readonly #counts = { ok: 0, fail: 0, info: 0 };
	readonly #startedAt: number;
	#faults = 0;
	#lastFault = "";
	#phase: Progress["phase"] = "setup";
	/** What is under way, by its process. */
	readonly #open = new Map<string, HistoryEvent>();
	#leaders: readonly LeaderSample[] = [];

	constructor(options: RunOptions<T>) {
		this.#options = options;
		this.#startedAt = options.clock.monotonic();
		this.#recorder = new HistoryRecorder(() => this.#elapsed());
	}

	#elapsed(): number {
		return this.#options.clock.monotonic() - this.#startedAt;
	}

	async run(): Promise<RunOutcome> {
		const { clock, workload, onProgress } = this.#options;
		const report = () => {
			onProgress?.({
				...this.#counts,
				elapsedMs: this.#elapsed(),
				faults: this.#faults,
				lastFault: this.#lastFault,
				phase: this.#phase,
			});
		};
		const timer = clock.every(progressMs, report);
		try {
			const finished = await this.#work();
			this.#phase = "check";
			report();
			const violations = [
				...workload.check(this.#recorder.operations, finished),
				...(this.#options.exactTerms === false ? [] : checkLeaders(this.#leaders)),
				...(finished ? [] : [stillDead]),
			];
			const { events } = this.#recorder;
			const leaders = this.#leaders;
			return { events, violations, counts: this.#counts, faults: this.#faults, leaders, finished };
		} finally {
			timer.cancel();
		}
	}

	/** Whether the last operations were answered. */
	async #work(): Promise<boolean> {
		const { workload, clock, connect, clients, workMs, seed } = this.#options;
		const targets = Array.from({ length: clients }, (_, index) => connect(index));
		const actors: Actor[] = [];
		let stopSampling: (() => readonly LeaderSample[]) | undefined;
		try {
			await this.#setUp(targets[0]!);
			for (const [index, target] of targets.entries()) {
				const random = seededRandom(seed * 1009 + index);
				actors.push(workload.actor(target, { name: `p${index}`, index, random, clock }));
			}
			const over = new AbortController();
			this.#phase = "work";
			stopSampling = this.#sampleLeaders();
			const harm = this.#options.nemesis?.run(over.signal, (f, value) => this.#note(f, value));
			const deadline = clock.monotonic() + workMs;
			const work = Promise.all(
				actors.map((actor, i) => this.#act(actor, i, seededRandom(seed * 2003 + i), deadline, over.signal)),
			);
			try {
				await this.#untilFailure([harm, work], workMs);
			} catch (error) {
				over.abort();
				// The nemesis heals what it struck, and clients end; what they say now comes from that failure.
				await Promise.allSettled([harm, this.#settle(work)]);
				throw error;
			}
			this.#phase = "heal";
			over.abort();
			await harm;
			await this.#settle(work);
			this.#phase = "finish";
			return await this.#finish(actors);
		} finally {
			this.#leaders = stopSampling?.() ?? [];
			for (const actor of actors) actor.close?.();
			await Promise.all(targets.map((target) => target.close()));
		}
	}

	/** Resolves when the time is over; rejects at once where one of them fails, since the rest of the run would prove nothing. */
	async #untilFailure(tasks: readonly (Promise<unknown> | undefined)[], ms: number): Promise<void> {
		const over = new AbortController();
		const time = sleep(this.#options.clock, ms, over.signal);
		try {
			await Promise.race([time, Promise.all([time, ...tasks])]);
		} finally {
			over.abort();
		}
	}

	/** Waits for the work to end. Of what never does nobody knows what became, and a late answer counts no more. */
	async #settle(work: Promise<unknown>): Promise<void> {
		const settled = new AbortController();
		const grace = sleep(this.#options.clock, graceMs, settled.signal).catch(() => undefined);
		try {
			await Promise.race([work, grace]);
		} finally {
			settled.abort();
		}
		for (const call of [...this.#open.values()]) this.#end(call, { type: "info", error: "no answer until the end" });
	}

	#sampleLeaders(): (() => readonly LeaderSample[]) | undefined {
		const { leader, clock } = this.#options;
		return leader === undefined ? undefined : new LeaderSampler(leader, clock, this.#startedAt).start();
	}

	async #setUp(target: T): Promise<void> {
		const { workload, clock, patienceMs = 30_000 } = this.#options;
		const deadline = clock.monotonic() + patienceMs;
		for (;;) {
			try {
				await workload.setup?.(target);
				return;
			} catch (error) {
				if (!(error instanceof TargetError) || clock.monotonic() > deadline) throw error;
				await sleep(clock, retryMs);
			}
		}
	}

	#note(f: string, value: unknown): void {
		if (!f.startsWith("heal")) this.#faults++;
		this.#lastFault = `${f} ${describeHit(value)}`.trim().slice(0, maxFaultText);
		this.#recorder.record({ process: nemesisProcess, type: "info", f, value });
	}

	/** Until the deadline; where the run ends before it, by a failure, no operation is begun any more. */
	async #act(actor: Actor, index: number, random: Random, deadline: number, over: AbortSignal): Promise<void> {
		const { clock, clients, rate = this.#options.workload.rate } = this.#options;
		const meanMs = (1000 * clients) / rate;
		for (;;) {
			await sleep(clock, -Math.log(1 - random.float()) * meanMs);
			if (clock.monotonic() >= deadline || over.aborted) return;
			await this.#perform(actor, index, actor.next());
		}
	}

	/** Whether it was answered with ok. */
	async #perform(actor: Actor, index: number, invocation: Invocation): Promise<boolean> {
		const call = this.#recorder.record({ process: `p${index}`, type: "invoke", ...invocation });
		this.#open.set(call.process, call);
		try {
			const value = await actor.perform(invocation);
			this.#end(call, { type: "ok", value });
			return true;
		} catch (error) {
			if (!(error instanceof TargetError)) throw error;
			this.#end(call, { type: error.applied === "no" ? "fail" : "info", error: error.message });
			return false;
		}
	}

	#end(
		call: HistoryEvent,
		end: { readonly type: Completion; readonly value?: unknown; readonly error?: string },
	): void {
		const { process, f, key } = call;
		if (this.#open.get(process) !== call) return;
		this.#open.delete(process);
		this.#recorder.record({ process, f, key, ...end });
		this.#counts[end.type]++;
	}

	/** Everything is healed, so the last operations must be answered. */
	async #finish(actors: readonly Actor[]): Promise<boolean> {
		const { workload, clock, patienceMs = 30_000 } = this.#options;
		const { finish } = workload;
		const chosen = finish?.by === "all" ? actors : actors.slice(0, 1);
		if (finish === undefined) return true;
		const deadline = clock.monotonic() + patienceMs;
		const answers = chosen.map(async (actor, index) => {
			while (!(await this.#perform(actor, index, finish.invocation))) {
				if (clock.monotonic() > deadline) return false;
				await sleep(clock, retryMs);
			}
			return true;
		});
		return (await Promise.all(answers)).every(Boolean);
	}
}
