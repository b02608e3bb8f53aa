/** The typed client agents use: REST over undici, informers, work queues, leader election. */
import type { GroupVersionResource, KubeList, KubeObject } from "../scheme/object.ts";

/** A resource that may carry its object's type (the constants of resources.ts do), from which `T` is inferred. */
export type ResourceOf<T extends object> = GroupVersionResource & { readonly __type?: T };

export interface ListOptions {
	readonly labelSelector?: string | undefined;
	readonly fieldSelector?: string | undefined;
	readonly limit?: number | undefined;
	readonly continue?: string | undefined;
	readonly resourceVersion?: string | undefined;
	readonly resourceVersionMatch?: "Exact" | "NotOlderThan" | undefined;
	/** Told the text of each item or event that is not JSON, which is then left out; without it the call rejects. */
	readonly onUndecodable?: ((text: string, error: unknown) => void) | undefined;
	/**
	 * Called with each item as it is read; the list keeps the result instead of the item. For lists too long to hold
	 * whole.
	 */
	readonly keep?: ((item: KubeObject<object>) => KubeObject<object>) | undefined;
}

export interface WatchOptions extends ListOptions {
	readonly allowWatchBookmarks?: boolean | undefined;
	readonly timeoutSeconds?: number | undefined;
	/** The objects there are first, as ADDED, then a bookmark annotated `k8s.io/initial-events-end` (watch-list). */
	readonly sendInitialEvents?: boolean | undefined;
}

export interface DeleteOptions {
	readonly gracePeriodSeconds?: number | undefined;
	readonly propagationPolicy?: "Background" | "Foreground" | "Orphan" | undefined;
	readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
}

export type PatchType = "json" | "merge" | "strategic";

export interface WatchStreamEvent<T extends object> {
	readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
	readonly object: KubeObject<T>;
}

/** One resource, typed; `namespace` is "" for cluster-scoped ones (and for lists over all namespaces). All reject with ApiError. */
export interface ResourceClient<T extends object> {
	readonly resource: GroupVersionResource;
	get(namespace: string, name: string): Promise<KubeObject<T>>;
	list(namespace: string, options?: ListOptions): Promise<KubeList<T>>;
	watch(namespace: string, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchStreamEvent<T>>;
	create(
		namespace: string,
		object: T,
		subresource?: { readonly name: string; readonly of: string },
	): Promise<KubeObject<T>>;
	update(object: KubeObject<T>, subresource?: string): Promise<KubeObject<T>>;
	patch(namespace: string, name: string, type: PatchType, patch: unknown, subresource?: string): Promise<KubeObject<T>>;
	delete(namespace: string, name: string, options?: DeleteOptions): Promise<void>;
	deleteCollection(namespace: string, list: ListOptions, options?: DeleteOptions): Promise<void>;
}

export interface ApiClient {
	resource<T extends object>(resource: ResourceOf<T>): ResourceClient<T>;
	/** A request the typed calls do not cover; path from the root, e.g. `/version`. */
	raw(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<{ status: number; body: Buffer }>;
	close(): Promise<void>;
}

export interface InformerHandlers<T extends object> {
	onAdd?(object: KubeObject<T>): void;
	onUpdate?(previous: KubeObject<T>, object: KubeObject<T>): void;
	onDelete?(object: KubeObject<T>): void;
}

/** A list-and-watch cache of one resource; objects in it must not be changed by the reader. */
export interface Informer<T extends object> {
	readonly resource: GroupVersionResource;
	/** First list is in. */
	readonly synced: boolean;
	whenSynced(): Promise<void>;
	addHandlers(handlers: InformerHandlers<T>): void;
	/** Key: `namespace/name`, or `name` for cluster-scoped. */
	get(key: string): KubeObject<T> | undefined;
	list(namespace?: string): KubeObject<T>[];
	/** Registers before start: objects by the keys `index` gives. */
	addIndex(name: string, index: (object: KubeObject<T>) => readonly string[]): void;
	byIndex(name: string, key: string): KubeObject<T>[];
}

export interface InformerFactory {
	/** One shared informer per resource; filter: a server-side narrowing (then not shared). */
	informer<T extends object>(
		resource: ResourceOf<T>,
		filter?: { readonly fieldSelector?: string; readonly labelSelector?: string; readonly namespace?: string },
	): Informer<T>;
	start(): void;
	whenSynced(): Promise<void>;
	stop(): void;
}

/** client-go's rate-limited queue: a key is in it once, never handled by two workers at the same time. */
export interface WorkQueue {
	add(key: string): void;
	addAfter(key: string, ms: number): void;
	/** With the key's back-off (5 ms doubling to 1,000 s). */
	addRateLimited(key: string): void;
	forget(key: string): void;
	readonly length: number;
	stop(): void;
}
