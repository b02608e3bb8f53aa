/**
 * The time a leader puts into entries. It starts from the time replicated so far and moves with the leader's monotonic
 * clock, so a wall clock that jumps, or a new leader whose clock is far off, neither expires leases nor keeps them
 * alive; time without any leader does not age leases (etcd extends them at a leader's promotion to the same end).
 */
import type { Clock } from "../../kit/clock.ts";

export class LeaseClock {
	readonly #clock: Clock;
	#base: number;
	#origin: number;

	constructor(clock: Clock) {
		this.#clock = clock;
		this.#base = 0;
		this.#origin = clock.monotonic();
	}

	/** Start of a leadership; `replicated` is the machine's time, 0 in a new cluster. */
	rebase(replicated: number): void {
		this.#base = replicated > 0 ? replicated : this.#clock.now();
		this.#origin = this.#clock.monotonic();
	}

	/** ms; never below `replicated`. */
	now(replicated: number): number {
		const now = Math.floor(this.#base + (this.#clock.monotonic() - this.#origin));
		if (now >= replicated) return now;
		this.rebase(replicated);
		return replicated;
	}
}
