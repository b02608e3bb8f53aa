/**
 * Intervals of keys that can be asked which of them hold a key: a treap ordered by (start, end) whose nodes know the
 * greatest end below them. All operations take logarithmic time (a query: for each interval found).
 */
interface IntervalNode<T> {
	readonly start: string;
	readonly end: string;
	readonly value: T;
	readonly priority: number;
	maxEnd: string;
	left: IntervalNode<T> | undefined;
	right: IntervalNode<T> | undefined;
}

type Link<T> = IntervalNode<T> | undefined;

function order<T>(start: string, end: string, node: IntervalNode<T>): number {
	if (start !== node.start) return start < node.start ? -1 : 1;
	return end === node.end ? 0 : end < node.end ? -1 : 1;
}

function update<T>(node: IntervalNode<T>): IntervalNode<T> {
	let max = node.end;
	if (node.left !== undefined && node.left.maxEnd > max) max = node.left.maxEnd;
	if (node.right !== undefined && node.right.maxEnd > max) max = node.right.maxEnd;
	node.maxEnd = max;
	return node;
}

function rotateRight<T>(node: IntervalNode<T>): IntervalNode<T> {
	const top = node.left!;
	node.left = top.right;
	top.right = update(node);
	return update(top);
}

function rotateLeft<T>(node: IntervalNode<T>): IntervalNode<T> {
	const top = node.right!;
	node.right = top.left;
	top.left = update(node);
	return update(top);
}

function insert<T>(node: Link<T>, fresh: IntervalNode<T>): IntervalNode<T> {
	if (node === undefined) return fresh;
	if (order(fresh.start, fresh.end, node) < 0) {
		node.left = insert(node.left, fresh);
		return node.left.priority > node.priority ? rotateRight(node) : update(node);
	}
	node.right = insert(node.right, fresh);
	return node.right.priority > node.priority ? rotateLeft(node) : update(node);
}

function merge<T>(left: Link<T>, right: Link<T>): Link<T> {
	if (left === undefined) return right;
	if (right === undefined) return left;
	if (left.priority > right.priority) {
		left.right = merge(left.right, right);
		return update(left);
	}
	right.left = merge(left, right.left);
	return update(right);
}

function remove<T>(node: Link<T>, start: string, end: string): Link<T> {
	if (node === undefined) return undefined;
	const side = order(start, end, node);
	if (side === 0) return merge(node.left, node.right);
	if (side < 0) node.left = remove(node.left, start, end);
	else node.right = remove(node.right, start, end);
	return update(node);
}

function stab<T>(node: Link<T>, key: string, visit: (value: T) => void): void {
	if (node === undefined || node.maxEnd <= key) return;
	stab(node.left, key, visit);
	if (node.start > key) return;
	if (key < node.end) visit(node.value);
	stab(node.right, key, visit);
}

function each<T>(node: Link<T>, visit: (value: T) => void): void {
	if (node === undefined) return;
	each(node.left, visit);
	visit(node.value);
	each(node.right, visit);
}

export class RangeIndex<T> {
	#root: Link<T> = undefined;
	#size = 0;
	/** Priorities only have to be spread; a fixed sequence keeps runs repeatable. */
	#sequence = 0x9e3779b9;

	get size(): number {
		return this.#size;
	}

	get(start: string, end: string): T | undefined {
		let node = this.#root;
		while (node !== undefined) {
			const side = order(start, end, node);
			if (side === 0) return node.value;
			node = side < 0 ? node.left : node.right;
		}
		return undefined;
	}

	/** The interval [start, end) must not be there. */
	insert(start: string, end: string, value: T): void {
		this.#sequence = (Math.imul(this.#sequence, 1664525) + 1013904223) >>> 0;
		const priority = this.#sequence;
		this.#root = insert(this.#root, { start, end, value, priority, maxEnd: end, left: undefined, right: undefined });
		this.#size++;
	}

	delete(start: string, end: string): void {
		if (this.get(start, end) === undefined) return;
		this.#root = remove(this.#root, start, end);
		this.#size--;
	}

	/** Visits the value of every interval that holds `key`. */
	stab(key: string, visit: (value: T) => void): void {
		stab(this.#root, key, visit);
	}

	/** Visits every interval's value, in order. */
	each(visit: (value: T) => void): void {
		each(this.#root, visit);
	}
}
