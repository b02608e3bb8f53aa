/** Objects by key, with indexes beside: what an informer keeps. */
import type { KubeObject } from "../scheme/object.ts";

export interface Store<T extends object> {
	readonly objects: Map<string, KubeObject<T>>;
	readonly namespaces: Map<string, Map<string, KubeObject<T>>>;
	readonly indexes: Map<string, Index<T>>;
}

export interface Index<T extends object> {
	readonly keysOf: (object: KubeObject<T>) => readonly string[];
	readonly entries: Map<string, Map<string, KubeObject<T>>>;
}

export function insert<T extends object>(
	map: Map<string, Map<string, KubeObject<T>>>,
	at: string,
	key: string,
	o: KubeObject<T>,
) {
	let bucket = map.get(at);
	if (bucket === undefined) map.set(at, (bucket = new Map()));
	bucket.set(key, o);
}

function remove<T extends object>(map: Map<string, Map<string, KubeObject<T>>>, at: string, key: string) {
	const bucket = map.get(at);
	if (bucket?.delete(key) === true && bucket.size === 0) map.delete(at);
}

export function put<T extends object>(store: Store<T>, key: string, object: KubeObject<T>) {
	take(store, key);
	store.objects.set(key, object);
	insert(store.namespaces, object.metadata.namespace ?? "", key, object);
	for (const index of store.indexes.values()) {
		for (const at of keysIn(index, object)) insert(index.entries, at, key, object);
	}
}

/** An object that an index cannot read is not in that index. */
export function keysIn<T extends object>(index: Index<T>, object: KubeObject<T>): readonly string[] {
	try {
		return index.keysOf(object);
	} catch {
		return [];
	}
}

export function take<T extends object>(store: Store<T>, key: string): KubeObject<T> | undefined {
	const object = store.objects.get(key);
	if (object === undefined) return undefined;
	store.objects.delete(key);
	remove(store.namespaces, object.metadata.namespace ?? "", key);
	for (const index of store.indexes.values()) {
		for (const at of keysIn(index, object)) remove(index.entries, at, key);
	}
	return object;
}
