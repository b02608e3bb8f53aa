/**
 * The recent past of one resource, so that watches can resume: events in revision order, bounded by count and by the
 * bytes they keep alive. Encoded frames hang on the events themselves and are shared by all watchers.
 */
import type { Entry } from "./entry.ts";

export interface CacheEvent {
	/** Position in the resource's sequence of events, from 0. */
	readonly sequence: number;
	/** The revision at which it happened. */
	readonly revision: number;
	/** The key without the resource's prefix: `namespace/name` or `name`. */
	readonly path: string;
	/** Undefined: deleted. */
	readonly current: Entry | undefined;
	/** Undefined: created. */
	readonly previous: Entry | undefined;
	/** Encoded frames by encoder and event type. */
	frames: Map<string, Buffer> | undefined;
}

export interface HistoryLimits {
	readonly events: number;
	readonly bytes: number;
	/** Encoded frames are kept for this many of the newest events. */
	readonly framed: number;
}

export const defaultHistoryLimits: HistoryLimits = { events: 20_000, bytes: 64 << 20, framed: 256 };

const weight = (event: CacheEvent) =>
	200 + event.path.length + (event.current?.bytes.length ?? 0) + (event.previous?.bytes.length ?? 0);

export class History {
	readonly #limits: HistoryLimits;
	#events: CacheEvent[] = [];
	/** Events before this index are evicted; the array is cut when half of it is. */
	#head = 0;
	#bytes = 0;
	#next = 0;
	#floor = 0;

	constructor(limits: HistoryLimits) {
		this.#limits = limits;
	}

	/** Every event with a revision above this one is here. */
	get floor(): number {
		return this.#floor;
	}

	/** Sequence of the oldest event kept (or of the next one, when none is). */
	get firstSequence(): number {
		return this.#next - (this.#events.length - this.#head);
	}

	/** Sequence the next event gets. */
	get nextSequence(): number {
		return this.#next;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** Forgets everything: what happens from `revision` on is kept. Sequences go on. */
	reset(revision: number): void {
		this.#events = [];
		this.#head = 0;
		this.#bytes = 0;
		this.#floor = revision;
	}

	append(event: Omit<CacheEvent, "sequence" | "frames">): CacheEvent {
		const kept: CacheEvent = { ...event, sequence: this.#next++, frames: undefined };
		this.#events.push(kept);
		this.#bytes += weight(kept);
		const old = this.#events[this.#events.length - 1 - this.#limits.framed];
		if (old !== undefined) old.frames = undefined;
		while (
			this.#events.length - this.#head > 1 &&
			(this.#events.length - this.#head > this.#limits.events || this.#bytes > this.#limits.bytes)
		) {
			this.#evict();
		}
		return kept;
	}

	at(sequence: number): CacheEvent | undefined {
		return sequence < this.firstSequence ? undefined : this.#events[this.#head + sequence - this.firstSequence];
	}

	/** Sequence of the first event with a revision above `revision`; undefined when some of those are gone. */
	after(revision: number): number | undefined {
		if (revision < this.#floor) return undefined;
		let low = this.#head;
		let high = this.#events.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.#events[middle]!.revision <= revision) low = middle + 1;
			else high = middle;
		}
		return this.firstSequence + low - this.#head;
	}

	#evict(): void {
		const event = this.#events[this.#head]!;
		this.#floor = event.revision;
		this.#bytes -= weight(event);
		this.#head++;
		if (this.#head > 1024 && this.#head * 2 > this.#events.length) {
			this.#events = this.#events.slice(this.#head);
			this.#head = 0;
		}
	}
}
