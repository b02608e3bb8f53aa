/**
 * Numbers for writes, so that a retried one applies once: a session known to the replicated state, a sequence number per
 * write, and how far answers have arrived without a gap.
 */
export class WriteSession {
	readonly id: bigint;
	#last = 0;
	#acknowledged = 0;
	readonly #done = new Set<number>();

	constructor(id: bigint) {
		this.id = id;
	}

	next(): number {
		return ++this.#last;
	}

	get acknowledged(): number {
		return this.#acknowledged;
	}

	/** The write's answer is here, or it was given up for good: it is never sent again. */
	done(sequence: number): void {
		this.#done.add(sequence);
		while (this.#done.delete(this.#acknowledged + 1)) this.#acknowledged++;
	}
}
