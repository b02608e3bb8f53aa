/**
 * How many bytes become free at which compaction. Every member must free them at the same entry, though each removes the
 * records from its engine at its own pace; so the sum is kept here, by the main revision whose compaction frees them.
 */
export class GarbageQueue {
	/** Ascending. */
	#revisions: number[] = [];
	#bytes: number[] = [];
	#head = 0;

	/** Bytes that a compaction at or after `revision` frees. Calls come with ascending revisions. */
	push(revision: number, bytes: number): void {
		const last = this.#revisions.length - 1;
		if (last >= this.#head && this.#revisions[last]! === revision) {
			this.#bytes[last]! += bytes;
			return;
		}
		if (last >= this.#head && this.#revisions[last]! > revision) throw new Error("garbage out of order");
		this.#revisions.push(revision);
		this.#bytes.push(bytes);
	}

	/** Takes and sums what a compaction at `revision` frees. */
	take(revision: number): number {
		let bytes = 0;
		while (this.#head < this.#revisions.length && this.#revisions[this.#head]! <= revision) {
			bytes += this.#bytes[this.#head++]!;
		}
		if (this.#head * 2 > this.#revisions.length) {
			this.#revisions = this.#revisions.slice(this.#head);
			this.#bytes = this.#bytes.slice(this.#head);
			this.#head = 0;
		}
		return bytes;
	}
}
