/**
 * The engine's twin for tests and simulation: an ordered map in memory that forgets at a crash what was not synced. What
 * survives is a prefix of the batches, each whole, that contains every batch whose sync was acknowledged.
 */
import type { Random } from "../../kit/random.ts";
import type { Engine, EngineOp, EngineRange } from "./types.ts";

/**
 * Sorted by bytes; keys are Latin-1 strings. Appending in order is cheap, which is what revisions do; deleted keys stay in
 * the list until they are half of it, so that removing many is cheap too.
 */
class SortedMap {
	#keys: string[];
	readonly values: Map<string, Buffer>;

	constructor(keys: string[] = [], values = new Map<string, Buffer>()) {
		this.#keys = keys;
		this.values = values;
	}

	copy(): SortedMap {
		return new SortedMap([...this.#keys], new Map(this.values));
	}

	/** First position at or above `key`. */
	#position(key: string): number {
		let low = 0;
		let end = this.#keys.length;
		if (end > 0 && this.#keys[end - 1]! < key) return end;
		while (low < end) {
			const middle = (low + end) >>> 1;
			if (this.#keys[middle]! < key) low = middle + 1;
			else end = middle;
		}
		return low;
	}

	put(key: string, value: Buffer): void {
		if (!this.values.has(key)) {
			const at = this.#position(key);
			if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
		}
		this.values.set(key, value);
	}

	delete(key: string): void {
		this.values.delete(key);
		if (this.#keys.length > 2 * this.values.size + 16) this.#keys = this.#keys.filter((one) => this.values.has(one));
	}

	/** Keys in [gte, lt), in order. */
	range(gte: string | undefined, lt: string | undefined): string[] {
		const from = gte === undefined ? 0 : this.#position(gte);
		const to = lt === undefined ? this.#keys.length : this.#position(lt);
		return this.#keys.slice(from, Math.max(from, to)).filter((key) => this.values.has(key));
	}
}

type Change = { readonly ops: readonly EngineOp[] } | { readonly clear: { readonly gte: string; readonly lt: string } };

function run(map: SortedMap, change: Change): void {
	if ("clear" in change) {
		for (const key of map.range(change.clear.gte, change.clear.lt)) map.delete(key);
		return;
	}
	for (const op of change.ops) {
		if (op.type === "put") map.put(op.key.toString("latin1"), op.value);
		else map.delete(op.key.toString("latin1"));
	}
}

export interface MemoryEngineOptions {
	/** Runs before a batch or clear takes effect: a simulated disk's time. Calls still take effect in order. */
	readonly delay?: (() => Promise<void>) | undefined;
}

export class MemoryEngine implements Engine {
	readonly #options: MemoryEngineOptions;
	readonly #now: SortedMap;
	/** What a crash leaves for certain. */
	readonly #synced: SortedMap;
	#unsynced: Change[] = [];
	#tail: Promise<void> = Promise.resolve();
	#closed = false;

	constructor(options: MemoryEngineOptions = {}, content: { copy(): unknown } = new SortedMap()) {
		if (!(content instanceof SortedMap)) throw new TypeError("content comes from another MemoryEngine");
		this.#options = options;
		this.#now = content;
		this.#synced = content.copy();
	}

	#assertOpen(): void {
		if (this.#closed) throw new Error("engine is closed");
	}

	getSync(key: Buffer): Buffer | undefined {
		this.#assertOpen();
		return this.#now.values.get(key.toString("latin1"));
	}

	iterate(range: EngineRange): AsyncIterable<readonly [Buffer, Buffer]> {
		this.#assertOpen();
		const map = this.#now;
		const keys = map.range(range.gte?.toString("latin1"), range.lt?.toString("latin1"));
		if (range.reverse === true) keys.reverse();
		if (range.limit !== undefined) keys.length = Math.min(keys.length, range.limit);
		const values = keys.map((key) => map.values.get(key)!);
		return pairs(keys, values);
	}

	batch(ops: readonly EngineOp[], options: { readonly sync: boolean }): Promise<void> {
		return this.#enqueue({ ops }, options.sync);
	}

	clear(range: { readonly gte: Buffer; readonly lt: Buffer }): Promise<void> {
		return this.#enqueue({ clear: { gte: range.gte.toString("latin1"), lt: range.lt.toString("latin1") } }, false);
	}

	#enqueue(change: Change, sync: boolean): Promise<void> {
		const done = this.#tail.then(async () => {
			this.#assertOpen();
			await this.#options.delay?.();
			this.#assertOpen();
			run(this.#now, change);
			this.#unsynced.push(change);
			if (!sync) return;
			for (const each of this.#unsynced) run(this.#synced, each);
			this.#unsynced = [];
		});
		// A refused batch must not stop the order of those after it; its caller sees the rejection.
		this.#tail = done.catch(() => undefined);
		return done;
	}

	/**
	 * The process dies: this handle refuses everything from now on, and the engine returned holds what survived: all that
	 * was synced, and of the rest none, or with `random` a prefix drawn from it.
	 */
	crash(random?: Random): MemoryEngine {
		this.#closed = true;
		const survivors = this.#synced.copy();
		const kept = random === undefined ? 0 : random.int(this.#unsynced.length + 1);
		for (const change of this.#unsynced.slice(0, kept)) run(survivors, change);
		return new MemoryEngine(this.#options, survivors);
	}

	/** A clean stop: everything written before is kept by `reopen`. */
	async close(): Promise<void> {
		await this.#tail;
		this.#closed = true;
	}

	/** After `close`: the same content, open again. */
	reopen(): MemoryEngine {
		if (!this.#closed) throw new Error("engine is still open");
		return new MemoryEngine(this.#options, this.#now.copy());
	}
}

async function* pairs(keys: readonly string[], values: readonly Buffer[]) {
	for (let i = 0; i < keys.length; i++) {
		yield [Buffer.from(keys[i]!, "latin1"), values[i]!] as const;
	}
}
