/** List-and-watch caches: a reflector keeps each store equal to the server's state and tells handlers what changed, in order. */
import { type Clock, sleep } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import { ApiError } from "../machinery/errors.ts";
import type { GroupVersionResource, KubeObject } from "../scheme/object.ts";
import type { Status } from "../scheme/types.gen.ts";
import { keyOf, resourceKey } from "./resources.ts";
import { errorFromStatus } from "./rest.ts";
import type { ApiClient, Informer, InformerFactory, InformerHandlers, ResourceClient, ResourceOf } from "./types.ts";

const backoffMinMs = 800;
const backoffMaxMs = 30_000;
/** A reflector that worked this long starts again at the shortest back-off. */
const backoffResetMs = 120_000;
const watchTimeoutMinSeconds = 300;
/** A watch that ended sooner, having said nothing, counts as a failure. */
const shortWatchMs = 1000;

export interface InformerFactoryOptions {
	readonly client: ApiClient;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/**
	 * The first list asks for the newest state instead of whatever its server's cache holds: for those who go on with what
	 * others did a moment ago, perhaps through another server. Default false.
	 */
	readonly newest?: boolean | undefined;
}

export interface InformerFilter {
	readonly fieldSelector?: string;
	readonly labelSelector?: string;
	readonly namespace?: string;
	/** Keeps only apiVersion, kind and metadata in memory. */
	readonly metadataOnly?: boolean;
}

/** The factory with what the garbage collector needs besides: informers that come and go with discovery. */
export interface DynamicInformerFactory extends InformerFactory {
	informer<T extends object>(resource: ResourceOf<T>, filter?: InformerFilter): Informer<T>;
	/** Stops the shared informer of a resource that is no longer served. */
	drop(resource: GroupVersionResource): void;
}

interface Store<T extends object> {
	readonly objects: Map<string, KubeObject<T>>;
	readonly namespaces: Map<string, Map<string, KubeObject<T>>>;
	readonly indexes: Map<string, Index<T>>;
}

interface Index<T extends object> {
	readonly keysOf: (object: KubeObject<T>) => readonly string[];
	readonly entries: Map<string, Map<string, KubeObject<T>>>;
}

function insert<T extends object>(
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

function put<T extends object>(store: Store<T>, key: string, object: KubeObject<T>) {
	take(store, key);
	store.objects.set(key, object);
	insert(store.namespaces, object.metadata.namespace ?? "", key, object);
	for (const index of store.indexes.values()) {
		for (const at of index.keysOf(object)) insert(index.entries, at, key, object);
	}
}

function take<T extends object>(store: Store<T>, key: string): KubeObject<T> | undefined {
	const object = store.objects.get(key);
	if (object === undefined) return undefined;
	store.objects.delete(key);
	remove(store.namespaces, object.metadata.namespace ?? "", key);
	for (const index of store.indexes.values()) {
		for (const at of index.keysOf(object)) remove(index.entries, at, key);
	}
	return object;
}

function onlyMetadata<T extends object>(object: KubeObject<T>): KubeObject<T> {
	const { managedFields: _, ...metadata } = object.metadata;
	return { apiVersion: object.apiVersion, kind: object.kind, metadata } as KubeObject<T>;
}

const isExpired = (error: unknown) =>
	error instanceof ApiError && (error.code === 410 || error.reason === "Expired" || error.reason === "Gone");

const isTooLargeResourceVersion = (error: unknown) =>
	error instanceof ApiError && error.reason === "Timeout" && /Too large resource version/.test(error.message);

/** client-go's reflector back-off: doubling from 0.8 s to 30 s, jittered up to twice, reset after two good minutes. */
function createBackoff(clock: Clock, random: Random) {
	let base = backoffMinMs;
	let last = Number.NEGATIVE_INFINITY;
	return () => {
		const now = clock.monotonic();
		if (now - last > backoffResetMs) base = backoffMinMs;
		last = now;
		const ms = base * (1 + random.float());
		base = Math.min(backoffMaxMs, base * 2);
		return ms;
	};
}

class SharedInformer<T extends object> implements Informer<T> {
	readonly resource: GroupVersionResource;
	synced = false;
	readonly #options: InformerFactoryOptions;
	readonly #filter: InformerFilter;
	readonly #client: ResourceClient<T>;
	readonly #logger: Logger;
	readonly #store: Store<T> = { objects: new Map(), namespaces: new Map(), indexes: new Map() };
	readonly #handlers: InformerHandlers<T>[] = [];
	readonly #whenSynced = Promise.withResolvers<void>();
	readonly #stopped = new AbortController();
	#started = false;
	/** Where the next watch begins. */
	#resourceVersion = "";
	/** The last version cannot be listed or watched from any more: ask for the newest. */
	#resourceVersionUnavailable = false;

	constructor(resource: GroupVersionResource, filter: InformerFilter, options: InformerFactoryOptions) {
		this.resource = resource;
		this.#filter = filter;
		this.#options = options;
		this.#client = options.client.resource<T>(resource);
		this.#logger = options.logger.with({ informer: resource.resource });
		// Whoever waits sees the rejection of stop; with nobody waiting it is no failure.
		this.#whenSynced.promise.catch(() => undefined);
	}

	whenSynced(): Promise<void> {
		return this.#whenSynced.promise;
	}

	addHandlers(handlers: InformerHandlers<T>): void {
		this.#handlers.push(handlers);
		for (const object of this.#store.objects.values()) this.#tell(() => handlers.onAdd?.(object));
	}

	get(key: string): KubeObject<T> | undefined {
		return this.#store.objects.get(key);
	}

	list(namespace?: string): KubeObject<T>[] {
		if (namespace === undefined || namespace === "") return [...this.#store.objects.values()];
		return [...(this.#store.namespaces.get(namespace)?.values() ?? [])];
	}

	addIndex(name: string, keysOf: (object: KubeObject<T>) => readonly string[]): void {
		if (this.#store.indexes.has(name)) return;
		const index: Index<T> = { keysOf, entries: new Map() };
		this.#store.indexes.set(name, index);
		for (const [key, object] of this.#store.objects) {
			for (const at of keysOf(object)) insert(index.entries, at, key, object);
		}
	}

	byIndex(name: string, key: string): KubeObject<T>[] {
		const index = this.#store.indexes.get(name);
		if (index === undefined) throw new TypeError(`${this.resource.resource}: no index named ${JSON.stringify(name)}`);
		return [...(index.entries.get(key)?.values() ?? [])];
	}

	start(): void {
		if (this.#started) return;
		this.#started = true;
		void this.#run();
	}

	stop(): void {
		this.#stopped.abort(new Error("informer stopped"));
		this.#whenSynced.reject(new Error(`informer of ${this.resource.resource} stopped before its first list`));
	}

	async #run(): Promise<void> {
		const signal = this.#stopped.signal;
		const backoff = createBackoff(this.#options.clock, this.#options.random);
		let listed = false;
		while (!signal.aborted) {
			try {
				if (!listed) {
					await this.#list();
					listed = true;
				}
				await this.#watch(signal);
				continue; // a watch that ended in order resumes at once
			} catch (error) {
				if (signal.aborted) return;
				if (isExpired(error) || isTooLargeResourceVersion(error)) {
					// A list that was refused asks for the newest state; a watch that was refused lists again from what it knew.
					if (!listed) this.#resourceVersionUnavailable = true;
					if (listed) this.#logger.info("watch expired, listing again", { error });
					listed = false;
				} else {
					// A broken connection resumes the watch where it was; any answer of the server other than overload lists anew.
					if (error instanceof ApiError && error.code !== 429) listed = false;
					this.#logger.warn(listed ? "watch failed" : "list or watch failed", { error });
				}
			}
			await sleep(this.#options.clock, backoff(), signal).catch(() => undefined); // stopped: the loop sees it
		}
	}

	#listVersion(): string | undefined {
		if (this.#resourceVersionUnavailable) return undefined;
		if (this.#resourceVersion !== "") return this.#resourceVersion;
		return this.#options.newest === true ? undefined : "0";
	}

	async #list(): Promise<void> {
		const { namespace = "", fieldSelector, labelSelector } = this.#filter;
		const list = await this.#client.list(namespace, {
			fieldSelector,
			labelSelector,
			resourceVersion: this.#listVersion(),
		});
		if (this.#stopped.signal.aborted) return;
		this.#replace(list.items);
		this.#resourceVersion = list.metadata.resourceVersion ?? "";
		this.#resourceVersionUnavailable = false;
		if (!this.synced) {
			this.synced = true;
			this.#whenSynced.resolve();
		}
	}

	/** Makes the store equal to `items`, telling handlers only the differences. */
	#replace(items: readonly KubeObject<T>[]): void {
		const gone = new Set(this.#store.objects.keys());
		for (const item of items) {
			gone.delete(keyOf(item));
			this.#set(item);
		}
		for (const key of gone) this.#delete(key, undefined);
	}

	#set(received: KubeObject<T>): void {
		const object = this.#filter.metadataOnly === true ? onlyMetadata(received) : received;
		const key = keyOf(object);
		const previous = this.#store.objects.get(key);
		if (previous !== undefined && previous.metadata.uid === object.metadata.uid) {
			if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return;
			put(this.#store, key, object);
			for (const handlers of this.#handlers) this.#tell(() => handlers.onUpdate?.(previous, object));
			return;
		}
		// The same name with another uid was deleted and created again between two looks.
		if (previous !== undefined) this.#delete(key, undefined);
		put(this.#store, key, object);
		for (const handlers of this.#handlers) this.#tell(() => handlers.onAdd?.(object));
	}

	#delete(key: string, final: KubeObject<T> | undefined): void {
		const previous = take(this.#store, key);
		if (previous === undefined) return;
		const last = final === undefined ? previous : this.#filter.metadataOnly === true ? onlyMetadata(final) : final;
		for (const handlers of this.#handlers) this.#tell(() => handlers.onDelete?.(last));
	}

	/** One handler's bug must not stop the others or leave the store behind. */
	#tell(call: () => void): void {
		try {
			call();
		} catch (error) {
			this.#logger.error("informer handler failed", { error, stack: (error as Error).stack });
		}
	}

	async #watch(signal: AbortSignal): Promise<void> {
		const { clock, random } = this.#options;
		const { namespace = "", fieldSelector, labelSelector } = this.#filter;
		const timeoutSeconds = Math.floor(watchTimeoutMinSeconds * (1 + random.float()));
		const options = {
			fieldSelector,
			labelSelector,
			resourceVersion: this.#resourceVersion,
			allowWatchBookmarks: true,
			timeoutSeconds,
		};
		const began = clock.monotonic();
		let seen = 0;
		for await (const event of this.#client.watch(namespace, options, signal)) {
			if (signal.aborted) return;
			seen++;
			if (event.type === "ERROR") throw errorFromStatus(event.object as unknown as Status);
			if (event.type === "DELETED") this.#delete(keyOf(event.object), event.object);
			else if (event.type !== "BOOKMARK") this.#set(event.object);
			const version = event.object.metadata.resourceVersion;
			if (version !== undefined && version !== "") this.#resourceVersion = version;
		}
		if (seen === 0 && clock.monotonic() - began < shortWatchMs) {
			throw new Error("very short watch: it ended within a second without an event");
		}
	}
}

/** Shared informers over one client. Handlers and indexes added before `start` see every object. */
export function createInformerFactory(options: InformerFactoryOptions): DynamicInformerFactory {
	const informers = new Map<string, SharedInformer<object>>();
	let started = false;
	let stopped = false;
	const keyFor = (resource: GroupVersionResource, filter: InformerFilter) => {
		const { fieldSelector = "", labelSelector = "", namespace = "", metadataOnly = false } = filter;
		return [resourceKey(resource), fieldSelector, labelSelector, namespace, metadataOnly].join("\0");
	};
	return {
		informer<T extends object>(resource: ResourceOf<T>, filter: InformerFilter = {}) {
			// A full informer also serves those who need metadata only.
			const full = informers.get(keyFor(resource, { ...filter, metadataOnly: false }));
			const key = keyFor(resource, filter);
			let informer = full ?? informers.get(key);
			if (informer === undefined) {
				informer = new SharedInformer<object>(resource, filter, options);
				informers.set(key, informer);
				if (stopped) informer.stop();
				else if (started) informer.start();
			}
			return informer as unknown as Informer<T>;
		},
		drop(resource) {
			for (const [key, informer] of informers) {
				if (!key.startsWith(`${resourceKey(resource)}\0`)) continue;
				informer.stop();
				informers.delete(key);
			}
		},
		start() {
			started = true;
			for (const informer of informers.values()) informer.start();
		},
		async whenSynced() {
			await Promise.all([...informers.values()].map((informer) => informer.whenSynced()));
		},
		stop() {
			stopped = true;
			for (const informer of informers.values()) informer.stop();
		},
	};
}
