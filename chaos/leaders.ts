/** Who leads the cluster under test over the time of a run, as its members say, and Raft's election safety over it. */
import type { Clock } from "../kit/clock.ts";
import type { Violation } from "./checkers/violation.ts";
import type { Leadership } from "./targets/members.ts";

/** What was known from `time` on, until the next sample. */
export interface LeaderSample {
	/** Ms since the run began. */
	readonly time: number;
	/** Both undefined: nobody leads, or nobody tells. */
	readonly name: string | undefined;
	/** May be older than that of an earlier sample: a stale member spoke. */
	readonly term: number | undefined;
}

const sampleMs = 250;
/** Without an answer for this long, nobody tells. */
const silentMs = 1000;

/** Asks every 250 ms, one question at a time, and keeps what changes. Whatever becomes of an answer, nobody waits for it. */
export class LeaderSampler {
	readonly #ask: () => Promise<Leadership | undefined>;
	readonly #clock: Clock;
	readonly #startedAt: number;
	readonly #samples: LeaderSample[] = [];
	/** When the open question was asked; undefined: there is none. */
	#askedAt: number | undefined;
	#isOver = false;

	/** `startedAt`: the clock's monotonic time at which the run began. */
	constructor(ask: () => Promise<Leadership | undefined>, clock: Clock, startedAt: number) {
		this.#ask = ask;
		this.#clock = clock;
		this.#startedAt = startedAt;
	}

	/** Returns what ends it and gives the samples; answers that come later are dropped. */
	start(): () => readonly LeaderSample[] {
		const timer = this.#clock.every(sampleMs, () => this.#tick());
		this.#tick();
		return () => {
			timer.cancel();
			this.#isOver = true;
			return this.#samples;
		};
	}

	#tick(): void {
		const now = this.#clock.monotonic();
		if (this.#askedAt === undefined) {
			this.#askedAt = now;
			void this.#sample();
		} else if (now - this.#askedAt >= silentMs) {
			this.#keep(undefined);
		}
	}

	async #sample(): Promise<void> {
		try {
			this.#keep(await this.#ask());
		} catch {
			// Members under fault refuse and break off; that nobody tells is all there is to know.
			this.#keep(undefined);
		} finally {
			this.#askedAt = undefined;
		}
	}

	#keep(leadership: Leadership | undefined): void {
		if (this.#isOver) return;
		const last = this.#samples.at(-1);
		const { name, term } = leadership ?? {};
		if (last !== undefined && last.name === name && last.term === term) return;
		const time = Math.round((this.#clock.monotonic() - this.#startedAt) * 1000) / 1000;
		this.#samples.push({ time, name, term });
	}
}

/** Raft's election safety: at most one leader a term. A stale member tells an older term, and so is no contradiction. */
export function checkLeaders(samples: readonly LeaderSample[]): Violation[] {
	const leaders = new Map<number, LeaderSample[]>();
	for (const sample of samples) {
		if (sample.name === undefined || sample.term === undefined) continue;
		const known = leaders.get(sample.term) ?? [];
		if (!known.some(({ name }) => name === sample.name)) leaders.set(sample.term, [...known, sample]);
	}
	return [...leaders].flatMap(([term, claims]): Violation[] => {
		if (claims.length < 2) return [];
		const names = claims.map(({ name }) => name).join(" and ");
		return [{ kind: "two-leaders", message: `term ${term} has the leaders ${names}`, witness: claims.map(describe) }];
	});
}

function describe({ time, name, term }: LeaderSample): string {
	return `${(time / 1000).toFixed(3)} s: ${name} leads in term ${term}`;
}
