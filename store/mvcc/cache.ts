/**
 * Which newest records are kept in memory: those of the last `limitBytes` written, superseded ones included. First in,
 * first out, so what is held is bounded by what was allocated in one stretch of time, and no slab of small buffers stays
 * alive for one of them. The records hang on their histories: a hit costs nothing.
 */
import type { KeyHistory } from "./history.ts";

/** Accounted for each record beside its bytes. */
const overhead = 100;

export class RecordCache {
	readonly #limitBytes: number;
	#histories: KeyHistory[] = [];
	#mains: number[] = [];
	#sizes: number[] = [];
	#head = 0;
	#bytes = 0;

	constructor(limitBytes: number) {
		this.#limitBytes = limitBytes;
	}

	/** `record` is the newest of `history`. */
	keep(history: KeyHistory, record: Buffer): void {
		const size = record.length + overhead;
		history.record = record;
		this.#histories.push(history);
		this.#mains.push(history.main);
		this.#sizes.push(size);
		this.#bytes += size;
		while (this.#bytes > this.#limitBytes) this.#evict();
		if (this.#head > 4096 && this.#head * 2 > this.#histories.length) this.#shrink();
	}

	#evict(): void {
		const history = this.#histories[this.#head]!;
		// A later record of the same key has its own place in the line.
		if (history.main === this.#mains[this.#head]) history.record = undefined;
		this.#bytes -= this.#sizes[this.#head]!;
		this.#head++;
	}

	#shrink(): void {
		this.#histories = this.#histories.slice(this.#head);
		this.#mains = this.#mains.slice(this.#head);
		this.#sizes = this.#sizes.slice(this.#head);
		this.#head = 0;
	}
}
