/**
 * One watch: a cursor over the resource's shared events. While its sink keeps up it is live and is handed each event as
 * it happens; when the sink is full it costs nothing but its position, and catches up from the history when the sink
 * drains. When the history has moved past it, it is ended: its client resumes or lists again.
 */
import type { Entry } from "./entry.ts";
import type { CacheEvent } from "./history.ts";
import { inScope, type Selection, selects } from "./selection.ts";

export type EventType = "ADDED" | "MODIFIED" | "DELETED";

/** Renders events of one resource in one media type. Frames of the same `id` are shared between watchers. */
export interface EventEncoder {
	readonly id: string;
	/** `revision`: what the object's resourceVersion reads (of a deleted object: the deletion's). */
	event(type: EventType, entry: Entry, revision: number): Buffer;
	bookmark(revision: number, initialEventsEnd: boolean): Buffer;
	/** The encoder of events after the first (tables print their columns once). */
	readonly rest?: EventEncoder;
}

export type WatchEnd =
	/** The history no longer has what comes next; `floor` is the oldest revision one can resume from. */
	| { readonly kind: "too_old"; readonly position: number; readonly floor: number }
	/** The cache starts over, or the server stops. */
	| { readonly kind: "closed" };

/** Where frames go. */
export interface WatchSink {
	/** False: full; the owner calls `watcher.drained()` once there is room again. */
	write(frame: Buffer): boolean;
	end(reason: WatchEnd): void;
}

export interface WatchOptions {
	readonly selection: Selection;
	readonly encoder: EventEncoder;
	readonly sink: WatchSink;
	readonly bookmarks: boolean;
}

/** What a watcher needs of its resource's cache. */
export interface WatchSource {
	readonly revision: number;
	readonly floor: number;
	readonly nextSequence: number;
	eventAt(sequence: number): CacheEvent | undefined;
	readonly readFacts: Parameters<Entry["facts"]>[0];
	bookmarkFrame(encoder: EventEncoder): Buffer;
	drop(watcher: Watcher): void;
}

/** How many events a watcher that catches up takes in one turn of the loop. */
const eventsPerPump = 500;

export class Watcher {
	readonly selection: Selection;
	readonly bookmarks: boolean;
	/** Monotonic ms of the last bookmark; the owner of the clock keeps it. */
	bookmarkedAt = 0;
	readonly #source: WatchSource;
	readonly #sink: WatchSink;
	#encoder: EventEncoder;
	#initial: IterableIterator<Entry> | undefined;
	#announceInitialEnd = false;
	#initialRevision = 0;
	/** The next event to look at, while not live. */
	#position: number;
	/** Events up to this revision are known to the client already (it asked from a revision still to come). */
	readonly #after: number;
	#live = false;
	#full = false;
	#ended = false;

	constructor(
		source: WatchSource,
		options: WatchOptions,
		start: {
			/** Sequence of the first event to send. */
			readonly position: number;
			readonly after: number;
			/** Objects to send as ADDED first, in the state at `initialRevision`. */
			readonly initial?: IterableIterator<Entry> | undefined;
			readonly initialRevision?: number | undefined;
			readonly announceInitialEnd?: boolean | undefined;
		},
	) {
		this.#source = source;
		this.#sink = options.sink;
		this.#encoder = options.encoder;
		this.selection = options.selection;
		this.bookmarks = options.bookmarks;
		this.#position = start.position;
		this.#after = start.after;
		this.#initial = start.initial;
		this.#initialRevision = start.initialRevision ?? 0;
		this.#announceInitialEnd = start.announceInitialEnd ?? false;
	}

	get live(): boolean {
		return this.#live;
	}

	/** Sends what is due; gives true while more is ready to be sent in a later turn. */
	pump(): boolean {
		if (this.#ended || this.#full || this.#live) return false;
		let budget = eventsPerPump;
		if (this.#initial !== undefined) {
			budget = this.#pumpInitial(this.#initial, budget);
			if (this.#full || budget === 0) return !this.#full;
		}
		for (; budget > 0 && !this.#full; budget--) {
			if (this.#position >= this.#source.nextSequence) {
				this.#live = true;
				return false;
			}
			const event = this.#source.eventAt(this.#position);
			if (event === undefined) {
				this.#endTooOld();
				return false;
			}
			this.#position++;
			this.#offer(event);
		}
		return !this.#full && !this.#ended;
	}

	/** A live watcher takes the event that has just happened; it is in scope. */
	take(event: CacheEvent): void {
		if (!this.#live) return;
		this.#offer(event);
		if (this.#full) {
			this.#live = false;
			this.#position = event.sequence + 1;
		}
	}

	/** Sends a bookmark with the current revision; only for a live watcher. */
	bookmark(): boolean {
		if (!this.#live || !this.bookmarks || this.#ended) return false;
		if (this.#source.revision < this.#after) return false;
		const position = this.#source.nextSequence;
		this.#write(this.#source.bookmarkFrame(this.#encoder));
		if (this.#full) {
			this.#live = false;
			this.#position = position;
		}
		return true;
	}

	/** The sink has room again. */
	drained(): boolean {
		this.#full = false;
		return this.pump();
	}

	/** The client is gone, or its time is up: nothing more is sent. */
	stop(): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#live = false;
		this.#source.drop(this);
	}

	/** Ends it from the cache's side. */
	close(reason: WatchEnd): void {
		if (this.#ended) return;
		this.stop();
		this.#sink.end(reason);
	}

	#pumpInitial(initial: IterableIterator<Entry>, budget: number): number {
		let left = budget;
		while (left > 0 && !this.#full) {
			const next = initial.next();
			if (next.done === true) {
				this.#initial = undefined;
				if (this.#announceInitialEnd) this.#write(this.#encoder.bookmark(this.#initialRevision, true));
				return left;
			}
			left--;
			this.#write(this.#encoder.event("ADDED", next.value, next.value.revision));
			this.#afterFirst();
		}
		return left;
	}

	#offer(event: CacheEvent): void {
		if (event.revision <= this.#after || !inScope(this.selection, event.path)) return;
		const { readFacts } = this.#source;
		const now = selects(this.selection, event.current, readFacts);
		const before = selects(this.selection, event.previous, readFacts);
		if (!now && !before) return;
		this.#write(this.#frame(event, now ? (before ? "MODIFIED" : "ADDED") : "DELETED"));
		this.#afterFirst();
	}

	#frame(event: CacheEvent, type: EventType): Buffer {
		const id = `${this.#encoder.id} ${type}`;
		let frame = event.frames?.get(id);
		if (frame === undefined) {
			const entry = (type === "DELETED" ? event.previous : event.current) as Entry;
			frame = this.#encoder.event(type, entry, event.revision);
			event.frames ??= new Map();
			event.frames.set(id, frame);
		}
		return frame;
	}

	#afterFirst(): void {
		if (this.#encoder.rest !== undefined) this.#encoder = this.#encoder.rest;
	}

	#write(frame: Buffer): void {
		if (!this.#sink.write(frame)) this.#full = true;
	}

	#endTooOld(): void {
		const { floor } = this.#source;
		this.close({ kind: "too_old", position: this.#position, floor });
	}
}
