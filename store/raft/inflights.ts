/** Append messages sent and not yet acknowledged, oldest first: a ring bounded by count and by bytes. */
export class Inflights {
	readonly #maxCount: number;
	readonly #maxBytes: number;
	/** Last index and bytes of each message. Grown on demand: most followers keep up and need a few slots. */
	#indexes: number[] = [];
	#sizes: number[] = [];
	#start = 0;
	#count = 0;
	#bytes = 0;

	constructor(maxCount: number, maxBytes: number) {
		this.#maxCount = maxCount;
		this.#maxBytes = maxBytes;
	}

	get count(): number {
		return this.#count;
	}

	/** The message that crosses the byte limit is still let through, so that a large entry cannot block for ever. */
	get full(): boolean {
		return this.#count >= this.#maxCount || this.#bytes >= this.#maxBytes;
	}

	add(lastIndex: number, bytes: number): void {
		if (this.#count === this.#indexes.length) this.#grow();
		const slot = (this.#start + this.#count) % this.#indexes.length;
		this.#indexes[slot] = lastIndex;
		this.#sizes[slot] = bytes;
		this.#count++;
		this.#bytes += bytes;
	}

	/** Frees the messages whose entries are all at or below `index`. */
	freeTo(index: number): void {
		while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
			this.#bytes -= this.#sizes[this.#start]!;
			this.#start = (this.#start + 1) % this.#indexes.length;
			this.#count--;
		}
	}

	reset(): void {
		this.#start = 0;
		this.#count = 0;
		this.#bytes = 0;
	}

	#grow(): void {
		const size = Math.min(Math.max(8, this.#indexes.length * 2), Math.max(this.#maxCount, this.#count + 1));
		const indexes = new Array<number>(size).fill(0);
		const sizes = new Array<number>(size).fill(0);
		for (let i = 0; i < this.#count; i++) {
			const slot = (this.#start + i) % this.#indexes.length;
			indexes[i] = this.#indexes[slot]!;
			sizes[i] = this.#sizes[slot]!;
		}
		this.#indexes = indexes;
		this.#sizes = sizes;
		this.#start = 0;
	}
}
