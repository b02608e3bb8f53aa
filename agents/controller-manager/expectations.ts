/**
 * What a controller has asked for and not yet seen in its cache. While expectations are open the cache is known to be
 * behind, and acting on it would create or delete twice. They lapse after five minutes, in case an event never comes.
 */
import type { Clock } from "../../kit/clock.ts";

const lapseMs = 300_000;

interface Expected {
	creations: number;
	/** Keys of objects whose deletion is awaited. */
	readonly deletions: Set<string>;
	readonly at: number;
}

export class Expectations {
	readonly #clock: Clock;
	readonly #open = new Map<string, Expected>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Everything asked for has been seen, or waiting has lapsed, or nothing was asked for. */
	satisfied(controller: string): boolean {
		const expected = this.#open.get(controller);
		if (expected === undefined) return true;
		if (expected.creations <= 0 && expected.deletions.size === 0) return true;
		return this.#clock.monotonic() - expected.at > lapseMs;
	}

	expectCreations(controller: string, count: number): void {
		this.#open.set(controller, { creations: count, deletions: new Set(), at: this.#clock.monotonic() });
	}

	expectDeletions(controller: string, objects: readonly string[]): void {
		this.#open.set(controller, { creations: 0, deletions: new Set(objects), at: this.#clock.monotonic() });
	}

	/** Also for a creation that failed: it will never be seen. */
	creationObserved(controller: string, count = 1): void {
		const expected = this.#open.get(controller);
		if (expected !== undefined) expected.creations -= count;
	}

	deletionObserved(controller: string, object: string): void {
		this.#open.get(controller)?.deletions.delete(object);
	}

	/** The controller's object is gone. */
	forget(controller: string): void {
		this.#open.delete(controller);
	}
}
