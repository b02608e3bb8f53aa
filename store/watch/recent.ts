/** The newest revisions' events, kept in memory and shared by all watchers that are a little behind. */
import type { KeyValue, WatchEvent } from "../api.ts";
import type { Change } from "../mvcc/keyspace.ts";

/** One event, made into what watchers get at most once per form. */
export class SharedEvent {
	readonly key: string;
	readonly plain: WatchEvent;
	readonly #readPrevious: () => KeyValue | undefined;
	#withPrevious: WatchEvent | undefined = undefined;

	constructor(key: string, plain: WatchEvent, readPrevious: () => KeyValue | undefined) {
		this.key = key;
		this.plain = plain;
		this.#readPrevious = readPrevious;
	}

	/** The event with the pair as it was before, unless there was none or it is compacted. */
	get withPrevious(): WatchEvent {
		if (this.#withPrevious === undefined) {
			const prevKv = this.#readPrevious();
			this.#withPrevious = prevKv === undefined ? this.plain : { ...this.plain, prevKv };
		}
		return this.#withPrevious;
	}
}

/** The events of one main revision, in order. */
export interface RevisionEvents {
	readonly main: number;
	readonly events: readonly SharedEvent[];
	readonly bytes: number;
}

export function toRevisionEvents(
	main: number,
	changes: readonly Change[],
	previous: (change: Change, main: number) => KeyValue | undefined,
): RevisionEvents {
	let bytes = 0;
	const events = changes.map((change) => {
		bytes += change.size + 200;
		const type = change.deleted ? "delete" : "put";
		return new SharedEvent(change.key, { type, kv: change.kv }, () => previous(change, main));
	});
	return { main, events, bytes };
}

export class RecentEvents {
	readonly #limitBytes: number;
	#ring: RevisionEvents[] = [];
	#head = 0;
	#bytes = 0;

	constructor(limitBytes: number) {
		this.#limitBytes = limitBytes;
	}

	/** The oldest revision held; undefined when empty. */
	get first(): number | undefined {
		return this.#ring[this.#head]?.main;
	}

	get bytes(): number {
		return this.#bytes;
	}

	push(revision: RevisionEvents): void {
		this.#ring.push(revision);
		this.#bytes += revision.bytes;
	}

	/** Forgets the oldest above the limit, but nothing after `written`: it could be read nowhere else. */
	trim(written: number): void {
		while (this.#bytes > this.#limitBytes) {
			const oldest = this.#ring[this.#head];
			if (oldest === undefined || oldest.main > written) break;
			this.#bytes -= oldest.bytes;
			this.#head++;
		}
		if (this.#head > 1024 && this.#head * 2 > this.#ring.length) {
			this.#ring = this.#ring.slice(this.#head);
			this.#head = 0;
		}
	}

	clear(): void {
		this.#ring = [];
		this.#head = 0;
		this.#bytes = 0;
	}

	/** Revisions from `main` on, oldest first, at most `limit`, and no further one after `maxBytes`. */
	from(main: number, limit: number, maxBytes: number): RevisionEvents[] {
		let low = this.#head;
		let end = this.#ring.length;
		while (low < end) {
			const middle = (low + end) >>> 1;
			if (this.#ring[middle]!.main < main) low = middle + 1;
			else end = middle;
		}
		let to = low;
		for (let bytes = 0; to < Math.min(low + limit, this.#ring.length) && bytes < maxBytes; to++) {
			bytes += this.#ring[to]!.bytes;
		}
		return this.#ring.slice(low, to);
	}
}
