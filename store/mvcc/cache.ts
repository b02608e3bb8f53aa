/**
 * Which newest pairs are kept in memory: those of the last `limitBytes` written, superseded ones included. First in, first
 * out, so what is held is bounded by what was allocated in one stretch of time: keys and values are views of the log's
 * entries, and no large buffer stays alive for a small part of it. The pairs hang on their histories: a hit costs nothing.
 */
import type { KeyValue } from "../api.ts";
import type { KeyHistory } from "./history.ts";

/** Accounted for each pair beside its bytes. */
const overhead = 200;

export class PairCache {
	readonly #limitBytes: number;
	#histories: KeyHistory[] = [];
	#mains: number[] = [];
	#sizes: number[] = [];
	#head = 0;
	#bytes = 0;

	constructor(limitBytes: number) {
		this.#limitBytes = limitBytes;
	}

	/** `kv` is the newest of `history`. */
	keep(history: KeyHistory, kv: KeyValue): void {
		const size = kv.key.length + kv.value.length + overhead;
		history.kv = kv;
		this.#histories.push(history);
		this.#mains.push(history.main);
		this.#sizes.push(size);
		this.#bytes += size;
		while (this.#bytes > this.#limitBytes) this.#evict();
		if (this.#head > 4096 && this.#head * 2 > this.#histories.length) this.#shrink();
	}

	#evict(): void {
		const history = this.#histories[this.#head]!;
		// A later pair of the same key has its own place in the line.
		if (history.main === this.#mains[this.#head]) history.kv = undefined;
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
