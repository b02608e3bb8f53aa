/** A clock that tests move by hand: timers fire in order of their time, and promises settle between them. */
import type { Clock, Timer } from "../../kit/clock.ts";

export interface FakeClock extends Clock {
	/** Moves time on by `ms`, firing what falls due, and lets promises settle after each. */
	advance(ms: number): Promise<void>;
	/** Lets promises settle without moving time. */
	settle(): Promise<void>;
}

interface Pending {
	readonly at: number;
	readonly order: number;
	readonly callback: () => void;
}

const settleRounds = 5;

/** Starts at `startMs` (ms since the epoch). */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
	const pending = new Set<Pending>();
	let elapsed = 0;
	let order = 0;
	const after = (ms: number, callback: () => void): Timer => {
		const entry: Pending = { at: elapsed + Math.max(0, ms), order: order++, callback };
		pending.add(entry);
		return { cancel: () => void pending.delete(entry) };
	};
	const settle = async () => {
		for (let i = 0; i < settleRounds; i++) await new Promise<void>((resolve) => setImmediate(resolve));
	};
	const next = (until: number): Pending | undefined => {
		let first: Pending | undefined;
		for (const entry of pending) {
			if (entry.at > until) continue;
			if (first === undefined || entry.at < first.at || (entry.at === first.at && entry.order < first.order))
				first = entry;
		}
		return first;
	};
	return {
		now: () => startMs + elapsed,
		monotonic: () => elapsed,
		after,
		every(ms, callback) {
			let timer = after(ms, function tick() {
				timer = after(ms, tick);
				callback();
			});
			return { cancel: () => timer.cancel() };
		},
		settle,
		async advance(ms) {
			const until = elapsed + ms;
			await settle();
			for (let entry = next(until); entry !== undefined; entry = next(until)) {
				pending.delete(entry);
				elapsed = entry.at;
				entry.callback();
				await settle();
			}
			elapsed = until;
			await settle();
		},
	};
}
