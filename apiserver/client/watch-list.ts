/** The parts of a watch that begins with the objects there are (KEP-3157). */
import type { Clock, Timer } from "../../kit/clock.ts";
import { ApiError } from "../machinery/errors.ts";
import type { KubeObject } from "../scheme/object.ts";

/** The server does not know watch-lists, or is told not to have them. */
export class NoWatchListError extends Error {
	override name = "NoWatchListError";
}

export const lacksWatchList = (error: unknown) =>
	error instanceof NoWatchListError || (error instanceof ApiError && [400, 405, 422, 501].includes(error.code));

/** The objects of a watch-list until its end. */
export class InitialObjects<T extends object> {
	readonly objects = new Map<string, KubeObject<T>>();
	readonly parked = new Set<string>();
	done = false;
	readonly #finished: () => void;

	constructor(finished: () => void) {
		this.#finished = finished;
	}

	finish(): void {
		this.done = true;
		this.objects.clear();
		this.#finished();
	}
}

/** Aborts when nothing was heard for a while; without a time, never. */
export class Silence {
	readonly #clock: Clock;
	readonly #ms: number | undefined;
	readonly #abort = new AbortController();
	#timer: Timer | undefined;
	#heard = 0;

	constructor(clock: Clock, ms: number | undefined) {
		this.#clock = clock;
		this.#ms = ms;
		this.broken();
	}

	get signal(): AbortSignal {
		return this.#abort.signal;
	}

	broken(): void {
		if (this.#ms === undefined) return;
		this.#heard = this.#clock.monotonic();
		if (this.#timer === undefined) this.#wait(this.#ms);
	}

	end(): void {
		this.#timer?.cancel();
	}

	#wait(ms: number): void {
		this.#timer = this.#clock.after(ms, () => {
			const left = this.#heard + (this.#ms ?? 0) - this.#clock.monotonic();
			if (left > 0) this.#wait(left);
			else this.#abort.abort(new NoWatchListError("the server does not say that it has sent all objects"));
		});
	}
}
