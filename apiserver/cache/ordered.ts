/**
 * An ordered map from string keys with snapshots: a two-level tree of chunks, copied on write only where a snapshot still
 * shares them. Taking a snapshot is O(1); a write costs a binary search and, after a snapshot, the copy of one chunk and
 * of the chunk list.
 */
const maxChunk = 256;
const mergeBelow = 64;

export interface Keyed {
	readonly key: string;
}

interface Chunk<T> {
	readonly epoch: number;
	readonly items: T[];
}

/** An immutable view at one moment. */
export interface Snapshot<T extends Keyed> {
	readonly size: number;
	get(key: string): T | undefined;
	/** Iterates entries whose key starts with `prefix` and is >= `from`, in key order. */
	range(prefix: string, from?: string): IterableIterator<T>;
	/** How many entries `range(prefix, from)` gives. */
	count(prefix: string, from?: string): number;
}

/** Index of the first chunk that may hold `key`: the last one whose first key is <= key (0 when none is). */
function findChunk<T extends Keyed>(chunks: readonly Chunk<T>[], key: string): number {
	let low = 0;
	let high = chunks.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (chunks[middle]!.items[0]!.key <= key) low = middle + 1;
		else high = middle;
	}
	return Math.max(0, low - 1);
}

/** Index of the first item with a key >= `key`. */
function findItem<T extends Keyed>(items: readonly T[], key: string): number {
	let low = 0;
	let high = items.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (items[middle]!.key < key) low = middle + 1;
		else high = middle;
	}
	return low;
}

/** The smallest string greater than every string with this prefix; undefined: no upper bound. */
export function prefixEnd(prefix: string): string | undefined {
	if (prefix === "") return undefined;
	const last = prefix.charCodeAt(prefix.length - 1);
	return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}

class View<T extends Keyed> implements Snapshot<T> {
	readonly size: number;
	readonly #chunks: readonly Chunk<T>[];

	constructor(chunks: readonly Chunk<T>[], size: number) {
		this.#chunks = chunks;
		this.size = size;
	}

	get(key: string): T | undefined {
		return lookup(this.#chunks, key);
	}

	*range(prefix: string, from = prefix): IterableIterator<T> {
		const start = from > prefix ? from : prefix;
		for (let c = findChunk(this.#chunks, start); c < this.#chunks.length; c++) {
			const { items } = this.#chunks[c]!;
			for (let i = findItem(items, start); i < items.length; i++) {
				const item = items[i]!;
				if (!item.key.startsWith(prefix)) return;
				yield item;
			}
		}
	}

	count(prefix: string, from = prefix): number {
		const start = from > prefix ? from : prefix;
		const end = prefixEnd(prefix);
		const total = (end === undefined ? this.size : this.#rank(end)) - this.#rank(start);
		return Math.max(0, total);
	}

	/** Entries with a key < `key`. */
	#rank(key: string): number {
		if (this.#chunks.length === 0) return 0;
		const at = findChunk(this.#chunks, key);
		let rank = findItem(this.#chunks[at]!.items, key);
		for (let c = 0; c < at; c++) rank += this.#chunks[c]!.items.length;
		return rank;
	}
}

function lookup<T extends Keyed>(chunks: readonly Chunk<T>[], key: string): T | undefined {
	if (chunks.length === 0) return undefined;
	const { items } = chunks[findChunk(chunks, key)]!;
	const item = items[findItem(items, key)];
	return item?.key === key ? item : undefined;
}

export class OrderedMap<T extends Keyed> {
	#chunks: Chunk<T>[] = [];
	#size = 0;
	/** Chunks of an older epoch, and the list itself when `#listEpoch` is older, are shared with a snapshot. */
	#epoch = 0;
	#listEpoch = 0;

	get size(): number {
		return this.#size;
	}

	get(key: string): T | undefined {
		return lookup(this.#chunks, key);
	}

	/** Inserts or replaces; gives the entry that was there. */
	set(item: T): T | undefined {
		this.#ownList();
		if (this.#chunks.length === 0) {
			this.#chunks.push({ epoch: this.#epoch, items: [item] });
			this.#size = 1;
			return undefined;
		}
		const at = findChunk(this.#chunks, item.key);
		const { items } = this.#ownChunk(at);
		const index = findItem(items, item.key);
		const previous = items[index];
		if (previous?.key === item.key) {
			items[index] = item;
			return previous;
		}
		items.splice(index, 0, item);
		this.#size++;
		if (items.length > maxChunk) {
			this.#chunks.splice(at + 1, 0, { epoch: this.#epoch, items: items.splice(items.length >>> 1) });
		}
		return undefined;
	}

	/** Gives the entry that was there. */
	delete(key: string): T | undefined {
		if (this.get(key) === undefined) return undefined;
		this.#ownList();
		const at = findChunk(this.#chunks, key);
		const { items } = this.#ownChunk(at);
		const [previous] = items.splice(findItem(items, key), 1);
		this.#size--;
		if (items.length === 0) this.#chunks.splice(at, 1);
		else if (items.length < mergeBelow && at + 1 < this.#chunks.length) this.#mergeWithNext(at);
		return previous;
	}

	snapshot(): Snapshot<T> {
		this.#epoch++;
		return new View(this.#chunks, this.#size);
	}

	clear(): void {
		this.#epoch++;
		this.#chunks = [];
		this.#listEpoch = this.#epoch;
		this.#size = 0;
	}

	#mergeWithNext(at: number): void {
		const next = this.#chunks[at + 1]!;
		const { items } = this.#chunks[at]!;
		if (items.length + next.items.length > maxChunk) return;
		for (const item of next.items) items.push(item);
		this.#chunks.splice(at + 1, 1);
	}

	#ownList(): void {
		if (this.#listEpoch === this.#epoch) return;
		this.#chunks = [...this.#chunks];
		this.#listEpoch = this.#epoch;
	}

	#ownChunk(at: number): Chunk<T> {
		const chunk = this.#chunks[at]!;
		if (chunk.epoch === this.#epoch) return chunk;
		const own = { epoch: this.#epoch, items: [...chunk.items] };
		this.#chunks[at] = own;
		return own;
	}
}
