/** List-and-watch caches: a reflector keeps each store equal to the server's state and tells handlers what changed, in order. */
import { type Clock, sleep } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import { ApiError } from "../machinery/errors.ts";
import type { GroupVersionResource, KubeObject } from "../scheme/object.ts";
import type { ObjectReference, Status } from "../scheme/types.gen.ts";
import { type Index, insert, keysIn, put, type Store, take } from "./indexed.ts";
import { isExpired, listInPages } from "./pages.ts";
import { apiVersionOf, keyOf, resourceKey } from "./resources.ts";
import { errorFromStatus } from "./rest.ts";
import { isRecord, problemOf } from "./shape.ts";
import type {
	ApiClient,
	Informer,
	InformerFactory,
	InformerHandlers,
	ResourceClient,
	ResourceOf,
	WatchOptions,
	WatchStreamEvent,
} from "./types.ts";
import { InitialObjects, lacksWatchList, Silence } from "./watch-list.ts";

const backoffMinMs = 800;
const backoffMaxMs = 30_000;
/** A reflector that worked this long starts again at the shortest back-off. */
const backoffResetMs = 120_000;
const watchTimeoutMinSeconds = 300;
/** A watch that ended sooner than this without any event counts as a failure. */
const shortWatchMs = 1000;
/**
 * A server that does not know watch-lists may never mark the end of the initial objects; this long a silence shows it.
 */
const watchListSilenceMs = 30_000;
const initialEventsEnd = "k8s.io/initial-events-end";

export interface InformerFactoryOptions {
	readonly client: ApiClient;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/**
	 * The first list asks for the newest state instead of whatever its server's cache holds: for readers that depend on
	 * writes made a moment ago, perhaps through another server. Default false.
	 */
	readonly newest?: boolean | undefined;
	/**
	 * Called with each object that cannot be used as received, and why. The object is left out, or its last usable
	 * version is kept, so that one bad object does not stop the informer.
	 */
	readonly onParked?: ((object: ObjectReference, why: string) => void) | undefined;
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

function onlyMetadata<T extends object>(object: KubeObject<T>): KubeObject<T> {
	const { managedFields: _, ...metadata } = object.metadata;
	return { apiVersion: object.apiVersion, kind: object.kind, metadata } as KubeObject<T>;
}

const isTooLargeResourceVersion = (error: unknown) =>
	error instanceof ApiError && error.reason === "Timeout" && /Too large resource version/.test(error.message);

/** What informers of one client learn of its server. */
interface ServerTraits {
	watchList: boolean;
}

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
	readonly #server: ServerTraits;
	readonly #logger: Logger;
	readonly #store: Store<T> = { objects: new Map(), namespaces: new Map(), indexes: new Map() };
	readonly #handlers: InformerHandlers<T>[] = [];
	readonly #whenSynced = Promise.withResolvers<void>();
	readonly #stopped = new AbortController();
	#started = false;
	/** Where the next watch begins. */
	#resourceVersion = "";
	/** The server can no longer list or watch from the last version: ask for the newest. */
	#resourceVersionUnavailable = false;

	constructor(
		resource: GroupVersionResource,
		filter: InformerFilter,
		options: InformerFactoryOptions,
		server: ServerTraits,
	) {
		this.resource = resource;
		this.#server = server;
		this.#filter = filter;
		this.#options = options;
		this.#client = options.client.resource<T>(resource);
		this.#logger = options.logger.with({ informer: resource.resource });
		// Callers that wait see the rejection made by stop; if nobody waits, it must not count as unhandled.
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
			for (const at of keysIn(index, object)) insert(index.entries, at, key, object);
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
				if (!listed && this.#server.watchList) {
					await this.#watch(signal, () => {
						listed = true;
					});
					continue;
				}
				if (!listed) {
					await this.#list();
					listed = true;
				}
				await this.#watch(signal);
				continue; // a watch that ended in order resumes at once
			} catch (error) {
				if (signal.aborted) return;
				if (!listed && this.#server.watchList && lacksWatchList(error)) {
					this.#server.watchList = false;
					this.#logger.info("the server has no watch-lists: lists in pages instead", { error });
					continue;
				}
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
		const parked = new Set<string>();
		const { items, resourceVersion } = await listInPages(this.#client, namespace, {
			fieldSelector,
			labelSelector,
			resourceVersion: this.#listVersion(),
			keep: (item) => this.#reduce(item as KubeObject<T>),
			onUndecodable: (text, error) => this.#park(undefined, `${(error as Error).message}: ${text.slice(0, 200)}`),
		});
		if (this.#stopped.signal.aborted) return;
		const usable = items.filter((item) => this.#isUsable(item, parked));
		this.#begin(usable, parked, resourceVersion);
	}

	/** Takes a complete state: the first one, or a new one after a gap. */
	#begin(items: Iterable<KubeObject<T>>, parked: ReadonlySet<string>, resourceVersion: string): void {
		this.#replace(items, parked);
		this.#resourceVersion = resourceVersion;
		this.#resourceVersionUnavailable = false;
		if (this.synced) return;
		this.synced = true;
		this.#whenSynced.resolve();
	}

	/** What is kept of an object: the one we have, where it is the same. */
	#reduce(received: KubeObject<T>): KubeObject<T> {
		if (problemOf(received) !== undefined) return received;
		const known = this.#store.objects.get(keyOf(received));
		const { uid, resourceVersion } = received.metadata;
		const same = known?.metadata.uid === uid && known?.metadata.resourceVersion === resourceVersion;
		if (known !== undefined && same) return known;
		return this.#filter.metadataOnly === true ? onlyMetadata(received) : received;
	}

	/** False: parked; its key, where it has one, is noted. */
	#isUsable(object: KubeObject<T>, parked?: Set<string>): boolean {
		const problem = problemOf(object);
		if (problem === undefined) return true;
		const { metadata } = object as { metadata?: { name?: unknown; namespace?: unknown; uid?: unknown } };
		if (isRecord(metadata) && typeof metadata.name === "string") parked?.add(keyOf(object));
		this.#park(object, problem);
		return false;
	}

	#park(object: KubeObject<T> | undefined, why: string): void {
		const text = (value: unknown) => (typeof value === "string" ? value : "");
		const metadata: Record<string, unknown> = isRecord(object?.metadata) ? object.metadata : {};
		const reference: ObjectReference = {
			apiVersion: text(object?.apiVersion) || apiVersionOf(this.resource),
			kind: text(object?.kind),
			namespace: text(metadata["namespace"]),
			name: text(metadata["name"]),
			uid: text(metadata["uid"]),
		};
		this.#logger.error("an object cannot be used, and is left as it was known", { ...reference, why });
		if (reference.name !== "") this.#tell(() => this.#options.onParked?.(reference, why));
	}

	/** Makes the store equal to `items`, telling handlers only the differences; what is parked stays as it was. */
	#replace(items: Iterable<KubeObject<T>>, parked: ReadonlySet<string>): void {
		const gone = new Set(this.#store.objects.keys());
		for (const key of parked) gone.delete(key);
		for (const item of items) {
			gone.delete(keyOf(item));
			this.#set(item);
		}
		for (const key of gone) this.#delete(key, undefined);
	}

	#set(object: KubeObject<T>): void {
		const key = keyOf(object);
		const previous = this.#store.objects.get(key);
		if (previous !== undefined && previous.metadata.uid === object.metadata.uid) {
			if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return;
			put(this.#store, key, object);
			for (const handlers of this.#handlers) this.#tell(() => handlers.onUpdate?.(previous, object));
			return;
		}
		// The same name with another uid: the object was deleted and created again between two lists.
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

	/**
	 * Follows the changes. With `listed` it begins with the objects there are (a watch-list), and calls it when they are in;
	 * until then the store stays as it was.
	 */
	async #watch(signal: AbortSignal, listed?: () => void): Promise<void> {
		const { clock, random } = this.#options;
		const { namespace = "", fieldSelector, labelSelector } = this.#filter;
		const timeoutSeconds = Math.floor(watchTimeoutMinSeconds * (1 + random.float()));
		const begin = listed === undefined ? undefined : new InitialObjects<T>(listed);
		const silence = new Silence(clock, begin === undefined ? undefined : watchListSilenceMs);
		const options: WatchOptions = {
			fieldSelector,
			labelSelector,
			allowWatchBookmarks: true,
			timeoutSeconds,
			onUndecodable: (text, error) => this.#park(undefined, `${(error as Error).message}: ${text.slice(0, 200)}`),
			...(begin === undefined
				? { resourceVersion: this.#resourceVersion }
				: { resourceVersion: this.#listVersion(), resourceVersionMatch: "NotOlderThan", sendInitialEvents: true }),
		};
		const began = clock.monotonic();
		let seen = 0;
		try {
			const both = AbortSignal.any([signal, silence.signal]);
			for await (const event of this.#client.watch(namespace, options, both)) {
				if (signal.aborted) return;
				seen++;
				silence.broken();
				if (event.type === "ERROR") throw errorFromStatus(event.object as unknown as Status);
				if (begin !== undefined && !begin.done) this.#take(begin, event);
				else this.#apply(event);
				if (begin?.done === true) silence.end();
			}
		} finally {
			silence.end();
		}
		if (signal.aborted) return;
		silence.signal.throwIfAborted();
		if (begin !== undefined && !begin.done) throw new Error("the watch ended before all objects were sent");
		if (seen === 0 && clock.monotonic() - began < shortWatchMs) {
			throw new Error("very short watch: it ended within a second without an event");
		}
	}

	/** An event before the end of the initial ones. */
	#take(begin: InitialObjects<T>, { type, object }: WatchStreamEvent<T>): void {
		if (type === "BOOKMARK") {
			if (object.metadata.annotations?.[initialEventsEnd] !== "true") return;
			this.#begin(begin.objects.values(), begin.parked, object.metadata.resourceVersion ?? "");
			begin.finish();
		} else if (this.#isUsable(object, begin.parked)) {
			if (type === "DELETED") begin.objects.delete(keyOf(object));
			else begin.objects.set(keyOf(object), this.#reduce(object));
		}
	}

	#apply({ type, object }: WatchStreamEvent<T>): void {
		if (type === "BOOKMARK" || this.#isUsable(object)) {
			if (type === "DELETED") this.#delete(keyOf(object), object);
			else if (type !== "BOOKMARK") this.#set(this.#reduce(object));
		}
		const version: unknown = isRecord(object?.metadata) ? object.metadata["resourceVersion"] : undefined;
		if (typeof version === "string" && version !== "") this.#resourceVersion = version;
	}
}

/** Shared informers over one client. Handlers and indexes added before `start` see every object. */
export function createInformerFactory(options: InformerFactoryOptions): DynamicInformerFactory {
	const informers = new Map<string, SharedInformer<object>>();
	const server: ServerTraits = { watchList: true };
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
				informer = new SharedInformer<object>(resource, filter, options, server);
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
