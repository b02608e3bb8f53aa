/** Persists handed to the shell and not yet reported durable, in order. */
import { type MemberId, RaftInvariantError } from "./types.ts";

export interface InFlight {
	readonly sequence: number;
	/** Last of its entries that still is in the log as it was written; lowered when later entries replace them (the ABA guard). */
	lastIndex: number;
	/** 0: none. */
	readonly snapshotIndex: number;
	/** The term and vote that are durable with it. */
	readonly term: number;
	readonly vote: MemberId;
	readonly mustSync: boolean;
}

export class PersistQueue {
	readonly #queue: InFlight[] = [];
	#sequence = 0;
	#syncs = 0;
	#snapshots = 0;
	get empty(): boolean {
		return this.#queue.length === 0;
	}

	/** A persist that needs fsync is not durable yet. */
	get syncing(): boolean {
		return this.#syncs > 0;
	}

	get installing(): boolean {
		return this.#snapshots > 0;
	}

	add(inFlight: Omit<InFlight, "sequence">): number {
		const sequence = ++this.#sequence;
		this.#queue.push({
			sequence,
			lastIndex: inFlight.lastIndex,
			snapshotIndex: inFlight.snapshotIndex,
			term: inFlight.term,
			vote: inFlight.vote,
			mustSync: inFlight.mustSync,
		});
		if (inFlight.mustSync) this.#syncs++;
		if (inFlight.snapshotIndex > 0) this.#snapshots++;
		return sequence;
	}

	/**
	 * Entries after `index` were replaced: reports of persists already under way must not count for the new entries.
	 */
	voidAfter(index: number): void {
		for (const inFlight of this.#queue) if (inFlight.lastIndex > index) inFlight.lastIndex = index;
	}

	done(sequence: number): InFlight {
		const first = this.#queue[0];
		if (first === undefined || first.sequence !== sequence)
			throw new RaftInvariantError(`persist ${sequence} was reported, ${first?.sequence ?? "none"} was expected`);
		this.#queue.shift();
		if (first.mustSync) this.#syncs--;
		if (first.snapshotIndex > 0) this.#snapshots--;
		return first;
	}
}
