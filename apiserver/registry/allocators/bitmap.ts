/** A bitmap as upstream's RangeAllocation holds it: the big-endian bytes of an integer whose bit N is offset N. */

export class Bitmap {
	/** Little end first; grown as needed. */
	#bytes: Uint8Array;

	constructor(data: Buffer) {
		this.#bytes = Uint8Array.from(data).reverse();
	}

	has(offset: number): boolean {
		return ((this.#bytes[offset >>> 3] ?? 0) & (1 << (offset & 7))) !== 0;
	}

	set(offset: number): void {
		const index = offset >>> 3;
		if (index >= this.#bytes.length) {
			const grown = new Uint8Array(index + 1);
			grown.set(this.#bytes);
			this.#bytes = grown;
		}
		this.#bytes[index] = (this.#bytes[index] ?? 0) | (1 << (offset & 7));
	}

	clear(offset: number): void {
		const index = offset >>> 3;
		if (index < this.#bytes.length) this.#bytes[index] = (this.#bytes[index] ?? 0) & ~(1 << (offset & 7));
	}

	/** The first free offset from `start` on, going round at `size` and leaving those below `last` for the end; undefined when all are taken. */
	free(start: number, size: number, last = 0): number | undefined {
		const between = (from: number, to: number) => {
			for (let offset = from; offset < to; offset++) if (!this.has(offset)) return offset;
			return undefined;
		};
		return between(start, size) ?? between(last, start) ?? between(0, last);
	}

	/** Offsets that are set, in order. */
	*offsets(): IterableIterator<number> {
		for (let i = 0; i < this.#bytes.length * 8; i++) if (this.has(i)) yield i;
	}

	toBuffer(): Buffer {
		let end = this.#bytes.length;
		while (end > 0 && this.#bytes[end - 1] === 0) end--;
		return Buffer.from(this.#bytes.slice(0, end).reverse());
	}
}
