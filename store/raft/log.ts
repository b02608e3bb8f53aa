/**
 * The log's tail in memory. Indexes, in this order at all times:
 *
 *   base ≤ applied ≤ handed ≤ committed ≤ last,  handed ≤ max(stable, base)
 *
 * except between a received snapshot and the report that it is durable, when `applied` and `stable` lag behind `base`.
 */
import { type Entry, RaftInvariantError, type Recovered, type SnapshotMeta } from "./types.ts";

/** What an entry costs beside its data, in memory and on the wire; keeps floods of empty entries within the byte limits. */
const entryOverheadBytes = 32;

export function entryBytes(entry: Entry): number {
	return entry.data.length + entryOverheadBytes;
}

export const noEntries: readonly Entry[] = [];

export class RaftLog {
	/** Entry i is at `i - base - 1`. */
	#entries: Entry[];
	#base: number;
	#baseTerm: number;
	#committed: number;
	/** Given out to be applied. */
	#handed: number;
	#applied: number;
	/** Durable here, with the contents they have in `#entries`. */
	#stable: number;
	/** Index of the first entry not yet handed out to be persisted. */
	#nextPersist: number;

	constructor(recovered: Recovered) {
		const { snapshot, entries, applied, hardState } = recovered;
		this.#base = snapshot.index;
		this.#baseTerm = snapshot.term;
		this.#entries = entries.slice();
		this.#checkRecovered(recovered);
		// The commit index is written lazily, so the applied index may be ahead of it.
		this.#committed = Math.max(hardState.commit, applied, snapshot.index);
		this.#handed = applied;
		this.#applied = applied;
		this.#stable = this.lastIndex;
		this.#nextPersist = this.lastIndex + 1;
	}

	get firstIndex(): number {
		return this.#base + 1;
	}

	get lastIndex(): number {
		return this.#base + this.#entries.length;
	}

	get lastTerm(): number {
		return this.#entries.length === 0 ? this.#baseTerm : this.#entries[this.#entries.length - 1]!.term;
	}

	get committed(): number {
		return this.#committed;
	}

	get applied(): number {
		return this.#applied;
	}

	get stable(): number {
		return this.#stable;
	}

	get hasUnpersisted(): boolean {
		return this.#nextPersist <= this.lastIndex;
	}

	get hasCommitted(): boolean {
		return this.#handed < this.#committed && this.#handed < this.#stable;
	}

	termAt(index: number): number | undefined {
		if (index === this.#base) return this.#baseTerm;
		return this.#entries[index - this.#base - 1]?.term;
	}

	/** Whether a candidate whose log ends at this index and term is at least as up to date as we are: paper 5.4.1. */
	isUpToDate(lastIndex: number, lastTerm: number): boolean {
		return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
	}

	/** The highest index ≤ `index` whose term is ≤ `term`, by bisection (terms never fall along a log); `base - 1` at the least. */
	findByTerm(index: number, term: number): number {
		let low = this.#base;
		let high = Math.min(index, this.lastIndex);
		if (high < low) return Math.max(index, 0);
		if (this.#baseTerm > term) return Math.max(this.#base - 1, 0);
		while (low < high) {
			const middle = low + ((high - low + 1) >>> 1);
			if (this.termAt(middle)! <= term) low = middle;
			else high = middle - 1;
		}
		return low;
	}

	appendOne(entry: Entry): void {
		this.#entries.push(entry);
	}

	/**
	 * Takes a leader's entries, which follow an index where the logs match. Drops ours from the first that differs (paper
	 * 5.3); returns its index, or 0 when nothing was dropped.
	 */
	merge(entries: readonly Entry[]): number {
		let at = 0;
		const last = this.lastIndex;
		while (at < entries.length && entries[at]!.index <= last) {
			const entry = entries[at]!;
			if (this.termAt(entry.index) !== entry.term) break;
			at++;
		}
		let dropped = 0;
		if (at < entries.length && entries[at]!.index <= last) {
			dropped = entries[at]!.index;
			this.#truncate(dropped);
		}
		for (; at < entries.length; at++) this.#entries.push(entries[at]!);
		return dropped;
	}

	commitTo(index: number): boolean {
		if (index <= this.#committed) return false;
		if (index > this.lastIndex)
			throw new RaftInvariantError(`commit index ${index} is beyond the last index ${this.lastIndex}`);
		this.#committed = index;
		return true;
	}

	/** Entries not yet given out to be persisted; gives them out. */
	takeUnpersisted(): readonly Entry[] {
		if (!this.hasUnpersisted) return noEntries;
		const taken = this.#entries.slice(this.#nextPersist - this.#base - 1);
		this.#nextPersist = this.lastIndex + 1;
		return taken;
	}

	stableTo(index: number): void {
		if (index > this.#stable) this.#stable = index;
	}

	/** Committed and durable entries not yet given out to be applied, at least one and at most about `maxBytes`. */
	takeCommitted(maxBytes: number): readonly Entry[] {
		if (!this.hasCommitted) return noEntries;
		const taken = this.slice(this.#handed + 1, Math.min(this.#committed, this.#stable), maxBytes);
		this.#handed += taken.length;
		return taken;
	}

	appliedTo(index: number): void {
		if (index > this.#handed)
			throw new RaftInvariantError(`applied index ${index} is beyond what was handed out (${this.#handed})`);
		if (index > this.#applied) this.#applied = index;
	}

	/** Entries from `first` to `last`, of at most `maxBytes` but at least one. */
	slice(first: number, last: number, maxBytes: number): readonly Entry[] {
		const from = first - this.#base - 1;
		const to = last - this.#base;
		let end = from;
		for (let bytes = 0; end < to; end++) {
			bytes += entryBytes(this.#entries[end]!);
			if (bytes > maxBytes && end > from) break;
		}
		return this.#entries.slice(from, end);
	}

	/** Bytes of data between two indexes, the first excluded. */
	dataBytes(after: number, last: number): number {
		let bytes = 0;
		for (let at = after - this.#base; at < last - this.#base; at++) bytes += this.#entries[at]!.data.length;
		return bytes;
	}

	hasConfChange(after: number, last: number): boolean {
		for (let at = Math.max(after - this.#base, 0); at < last - this.#base; at++)
			if (this.#entries[at]!.kind === "confchange") return true;
		return false;
	}

	compact(index: number): void {
		if (index <= this.#base) return;
		if (index > this.#applied)
			throw new RaftInvariantError(`compaction at ${index} is beyond the applied index ${this.#applied}`);
		this.#baseTerm = this.termAt(index)!;
		this.#entries = this.#entries.slice(index - this.#base);
		this.#base = index;
	}

	/** Begins anew after a received snapshot; `installed` tells when it is durable. */
	restore(snapshot: SnapshotMeta): void {
		this.#entries = [];
		this.#base = snapshot.index;
		this.#baseTerm = snapshot.term;
		this.#committed = snapshot.index;
		this.#handed = snapshot.index;
		this.#stable = 0;
		this.#nextPersist = snapshot.index + 1;
	}

	installed(index: number): void {
		if (index > this.#applied) this.#applied = index;
		this.stableTo(index);
	}

	#truncate(index: number): void {
		if (index <= this.#committed)
			throw new RaftInvariantError(`entry ${index} differs from the leader's but is committed (${this.#committed})`);
		this.#entries.length = index - this.#base - 1;
		if (this.#stable >= index) this.#stable = index - 1;
		if (this.#nextPersist > index) this.#nextPersist = index;
	}

	#checkRecovered({ hardState, snapshot, entries, applied }: Recovered): void {
		let term = snapshot.term;
		let index = snapshot.index;
		for (const entry of entries) {
			if (entry.index !== index + 1)
				throw new RaftInvariantError(`recovered log: entry ${entry.index} follows entry ${index}`);
			if (entry.term < term)
				throw new RaftInvariantError(`recovered log: term falls from ${term} to ${entry.term} at entry ${entry.index}`);
			({ index, term } = entry);
		}
		if (term > hardState.term)
			throw new RaftInvariantError(
				`recovered log: last entry's term ${term} is beyond the hard state's ${hardState.term}`,
			);
		if (hardState.commit > index)
			throw new RaftInvariantError(`recovered log: commit index ${hardState.commit} is beyond the last index ${index}`);
		if (applied < snapshot.index || applied > index)
			throw new RaftInvariantError(
				`recovered log: applied index ${applied} is outside of the log (${snapshot.index} to ${index})`,
			);
	}
}
