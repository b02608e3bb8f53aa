/**
 * Turns for long work of many: one piece for each round of the event loop, first come, first served, so that however many
 * answers are made at a time, heartbeats pass between any two pieces.
 */
export class Turns {
	readonly #schedule: (work: () => void) => void;
	#waiting: (() => void)[] = [];
	#next = 0;

	/** `schedule` runs its argument after what the event loop has to do now: `setImmediate`. */
	constructor(schedule: (work: () => void) => void) {
		this.#schedule = schedule;
	}

	take(): Promise<void> {
		return new Promise((resolve) => {
			this.#waiting.push(resolve);
			if (this.#waiting.length - this.#next === 1) this.#schedule(() => this.#give());
		});
	}

	#give(): void {
		const resolve = this.#waiting[this.#next++];
		if (this.#next === this.#waiting.length) {
			this.#waiting = [];
			this.#next = 0;
		} else {
			if (this.#next >= 1000) {
				this.#waiting = this.#waiting.slice(this.#next);
				this.#next = 0;
			}
			this.#schedule(() => this.#give());
		}
		resolve?.();
	}
}
