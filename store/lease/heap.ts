/**
 * Leases by deadline: a binary heap with positions. A renewal only moves a deadline later, and does not touch the heap: a
 * lease found too early at the top is put back in its place then. So renewals, by far the most frequent, cost nothing here.
 */
export interface HeapItem {
	readonly id: bigint;
	deadline: number;
	/** The deadline its place was chosen for; never after `deadline`. */
	heapDeadline: number;
}

export class DeadlineHeap {
	#items: HeapItem[] = [];
	/** Removed, still in the heap; dropped when they come to the top. */
	readonly #removed = new Set<HeapItem>();

	push(item: HeapItem): void {
		item.heapDeadline = item.deadline;
		this.#items.push(item);
		this.#up(this.#items.length - 1);
	}

	remove(item: HeapItem): void {
		this.#removed.add(item);
		if (this.#removed.size * 2 > this.#items.length) this.#rebuild();
	}

	/** Items due at or before `now`, soonest first, at most `limit`; they stay in the heap. */
	due(now: number, limit: number): HeapItem[] {
		const due: HeapItem[] = [];
		while (due.length < limit) {
			const top = this.#items[0];
			if (top === undefined || top.heapDeadline > now) break;
			this.#pop();
			if (this.#removed.delete(top)) continue;
			if (top.deadline <= now && top.heapDeadline === top.deadline) due.push(top);
			else this.push(top);
		}
		for (const item of due) this.push(item);
		return due;
	}

	#rebuild(): void {
		const kept = this.#items.filter((item) => !this.#removed.has(item));
		this.#removed.clear();
		this.#items = [];
		for (const item of kept) this.push(item);
	}

	#pop(): void {
		const last = this.#items.pop()!;
		if (this.#items.length === 0) return;
		this.#items[0] = last;
		this.#down(0);
	}

	#before(a: HeapItem, b: HeapItem): boolean {
		return a.heapDeadline < b.heapDeadline || (a.heapDeadline === b.heapDeadline && a.id < b.id);
	}

	#up(start: number): void {
		const items = this.#items;
		let at = start;
		while (at > 0) {
			const parent = (at - 1) >>> 1;
			if (!this.#before(items[at]!, items[parent]!)) return;
			[items[at], items[parent]] = [items[parent]!, items[at]!];
			at = parent;
		}
	}

	#down(start: number): void {
		const items = this.#items;
		let at = start;
		for (;;) {
			let least = at;
			for (const child of [2 * at + 1, 2 * at + 2]) {
				if (child < items.length && this.#before(items[child]!, items[least]!)) least = child;
			}
			if (least === at) return;
			[items[at], items[least]] = [items[least]!, items[at]!];
			at = least;
		}
	}
}
