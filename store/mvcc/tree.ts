/**
 * The key index: a B+ tree from key to history, ordered by bytes. Keys are Latin-1 strings, one character a byte: V8 keeps
 * them in one byte each, compares them natively, and they cost a third of a Buffer. Every node counts the live keys below
 * it, so counting a range takes logarithmic time.
 */
import { append } from "../../kit/lists.ts";
import type { KeyHistory } from "./history.ts";

const maxKeys = 64;
const minKeys = 16;

/** Greater than every key: "to the end". */
export const endOfKeys = "\uffff";

class Leaf {
	readonly keys: string[];
	readonly values: KeyHistory[];
	live = 0;

	constructor(keys: string[], values: KeyHistory[]) {
		this.keys = keys;
		this.values = values;
	}
}

class Inner {
	/** `keys[i]` is not above any key of `children[i + 1]` and above all of `children[i]`. */
	readonly keys: string[];
	readonly children: Node[];
	live = 0;

	constructor(keys: string[], children: Node[]) {
		this.keys = keys;
		this.children = children;
	}
}

type Node = Leaf | Inner;

/** First position whose key is at or above `key`. */
function lowerBound(keys: readonly string[], key: string): number {
	let low = 0;
	let end = keys.length;
	while (low < end) {
		const middle = (low + end) >>> 1;
		if (keys[middle]! < key) low = middle + 1;
		else end = middle;
	}
	return low;
}

/** The child that holds `key`: the number of separators at or below it. */
function childOf(keys: readonly string[], key: string): number {
	let low = 0;
	let end = keys.length;
	while (low < end) {
		const middle = (low + end) >>> 1;
		if (keys[middle]! <= key) low = middle + 1;
		else end = middle;
	}
	return low;
}

function countLive(node: Node): number {
	let live = 0;
	if (node instanceof Leaf) for (const value of node.values) live += value.alive ? 1 : 0;
	else for (const child of node.children) live += child.live;
	return live;
}

/** Moves the tail of a full node into a new one. Appending in key order leaves nearly full nodes behind. */
function split(node: Node, appended: boolean): { readonly separator: string; readonly right: Node } {
	const size = node instanceof Leaf ? node.keys.length : node.children.length;
	const at = appended ? size - 4 : size >>> 1;
	if (node instanceof Leaf) {
		const right = new Leaf(node.keys.splice(at), node.values.splice(at));
		right.live = countLive(right);
		node.live -= right.live;
		return { separator: right.keys[0]!, right };
	}
	const children = node.children.splice(at);
	const right = new Inner(node.keys.splice(at), children);
	const separator = node.keys.pop()!;
	right.live = countLive(right);
	node.live -= right.live;
	return { separator, right };
}

function insert(node: Node, key: string, value: KeyHistory): { separator: string; right: Node } | undefined {
	const live = value.alive ? 1 : 0;
	node.live += live;
	if (node instanceof Leaf) {
		const at = lowerBound(node.keys, key);
		const appended = at === node.keys.length;
		node.keys.splice(at, 0, key);
		node.values.splice(at, 0, value);
		return node.keys.length > maxKeys ? split(node, appended) : undefined;
	}
	const at = childOf(node.keys, key);
	const grown = insert(node.children[at]!, key, value);
	if (grown === undefined) return undefined;
	const appended = at === node.keys.length;
	node.keys.splice(at, 0, grown.separator);
	node.children.splice(at + 1, 0, grown.right);
	return node.children.length > maxKeys ? split(node, appended) : undefined;
}

function sizeOf(node: Node): number {
	return node instanceof Leaf ? node.keys.length : node.children.length;
}

/** Drops the child at `at` when it is empty, or joins it with a neighbour when both fit in one node. */
function maybeMerge(parent: Inner, at: number): void {
	if (sizeOf(parent.children[at]!) === 0 && parent.children.length > 1) {
		parent.children.splice(at, 1);
		parent.keys.splice(at === 0 ? 0 : at - 1, 1);
		return;
	}
	const left = at > 0 ? at - 1 : 0;
	const a = parent.children[left];
	const b = parent.children[left + 1];
	if (a === undefined || b === undefined || sizeOf(a) + sizeOf(b) > maxKeys - minKeys) return;
	if (a instanceof Leaf && b instanceof Leaf) {
		append(a.keys, b.keys);
		append(a.values, b.values);
	} else if (a instanceof Inner && b instanceof Inner) {
		a.keys.push(parent.keys[left]!);
		append(a.keys, b.keys);
		append(a.children, b.children);
	}
	a.live += b.live;
	parent.keys.splice(left, 1);
	parent.children.splice(left + 1, 1);
}

function remove(node: Node, key: string): boolean {
	if (node instanceof Leaf) {
		const at = lowerBound(node.keys, key);
		if (node.keys[at] !== key) return false;
		if (node.values[at]!.alive) node.live--;
		node.keys.splice(at, 1);
		node.values.splice(at, 1);
		return true;
	}
	const at = childOf(node.keys, key);
	const child = node.children[at]!;
	const before = child.live;
	if (!remove(child, key)) return false;
	node.live += child.live - before;
	if (sizeOf(child) < minKeys) maybeMerge(node, at);
	return true;
}

/** Visits keys in [start, end) in order until `visit` says false. */
function walk(node: Node, start: string, end: string, visit: (key: string, value: KeyHistory) => boolean): boolean {
	if (node instanceof Leaf) {
		const { keys, values } = node;
		for (let i = lowerBound(keys, start); i < keys.length; i++) {
			const key = keys[i]!;
			if (key >= end) return false;
			if (!visit(key, values[i]!)) return false;
		}
		return true;
	}
	for (let i = childOf(node.keys, start); i < node.children.length; i++) {
		if (i > 0 && node.keys[i - 1]! >= end) return false;
		if (!walk(node.children[i]!, start, end, visit)) return false;
	}
	return true;
}

export class KeyTree {
	#root: Node = new Leaf([], []);
	#size = 0;

	/** Keys held, with those whose newest record is a tombstone. */
	get size(): number {
		return this.#size;
	}

	get live(): number {
		return this.#root.live;
	}

	get(key: string): KeyHistory | undefined {
		let node = this.#root;
		while (node instanceof Inner) node = node.children[childOf(node.keys, key)]!;
		const at = lowerBound(node.keys, key);
		return node.keys[at] === key ? node.values[at] : undefined;
	}

	/** The key must not be there. */
	insert(key: string, value: KeyHistory): void {
		const root = this.#root;
		const grown = insert(root, key, value);
		this.#size++;
		if (grown === undefined) return;
		const top = new Inner([grown.separator], [root, grown.right]);
		top.live = root.live + grown.right.live;
		this.#root = top;
	}

	/** To be called when the newest record of a key that is there became alive (+1) or a tombstone (-1). */
	adjustLive(key: string, delta: 1 | -1): void {
		let node = this.#root;
		node.live += delta;
		while (node instanceof Inner) {
			node = node.children[childOf(node.keys, key)]!;
			node.live += delta;
		}
	}

	delete(key: string): boolean {
		if (!remove(this.#root, key)) return false;
		this.#size--;
		while (this.#root instanceof Inner && this.#root.children.length === 1) this.#root = this.#root.children[0]!;
		return true;
	}

	/** Visits keys in [start, end) in order until `visit` says false; the tree must not change meanwhile. */
	each(start: string, end: string, visit: (key: string, value: KeyHistory) => boolean): void {
		walk(this.#root, start, end, visit);
	}

	/** Live keys below `key`. */
	#liveBelow(key: string): number {
		let node = this.#root;
		let live = 0;
		while (node instanceof Inner) {
			const at = childOf(node.keys, key);
			for (let i = 0; i < at; i++) live += node.children[i]!.live;
			node = node.children[at]!;
		}
		const at = lowerBound(node.keys, key);
		for (let i = 0; i < at; i++) live += node.values[i]!.alive ? 1 : 0;
		return live;
	}

	/** Live keys in [start, end). */
	countLive(start: string, end: string): number {
		if (end <= start) return 0;
		return this.#liveBelow(end) - this.#liveBelow(start);
	}
}
