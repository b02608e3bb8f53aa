/** A counting semaphore for expensive work, with a bounded queue of waiters. */
import { StoreError } from "../api.ts";

export class Places {
	readonly #maxWaiting: number;
	readonly #waiting: (() => void)[] = [];
	#free: number;

	constructor(places: number, maxWaiting: number) {
		this.#free = places;
		this.#maxWaiting = maxWaiting;
	}

	/** Whether the next caller has to wait. */
	get taken(): boolean {
		return this.#free === 0;
	}

	/** Resolves with the function that gives the place back; first come, first served. Rejects with `too_many_requests`. */
	async take(): Promise<() => void> {
		if (this.#free > 0) this.#free--;
		else if (this.#waiting.length >= this.#maxWaiting) {
			throw new StoreError("too_many_requests", "etcdserver: too many requests");
		} else await new Promise<void>((resolve) => this.#waiting.push(resolve));
		let given = false;
		return () => {
			if (given) return;
			given = true;
			const next = this.#waiting.shift();
			if (next === undefined) this.#free++;
			else next();
		};
	}
}
