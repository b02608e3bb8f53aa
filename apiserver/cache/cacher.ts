/**
 * The watch cache of one apiserver replica: one fill and one watch on the whole prefix, split by resource, so that
 * progress of one resource is progress of all. Consistent reads ask the store for its current revision and wait until the
 * cache has it.
 */
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { KeyValue, StoreClient, StoreError, WatchBatch, WatchHandle } from "../../store/api.ts";
import { Entry, type FactsReader } from "./entry.ts";
import { defaultHistoryLimits, type HistoryLimits } from "./history.ts";
import { prefixEnd } from "./ordered.ts";
import { ResourceCache } from "./resource-cache.ts";

export interface CachedResource {
	/** Path under the root without slashes at the ends: `pods`, `services/specs`. */
	readonly storagePrefix: string;
	readonly readFacts: FactsReader;
	/** Why stored bytes are no object that can be served; undefined where they are one. Absent: all are. */
	readonly problemOf?: ((bytes: Buffer) => string | undefined) | undefined;
	readonly trigger?: string | undefined;
}

export interface CacherOptions {
	readonly store: StoreClient;
	/** Root of all keys, with the slash at its end: `/registry/`. */
	readonly root: string;
	readonly resources: readonly CachedResource[];
	readonly clock: Clock;
	readonly log: Logger;
	readonly limits?: HistoryLimits | undefined;
	/** Keys of one page of the first fill. */
	readonly pageSize?: number | undefined;
}

/** How long a read waits for the cache to reach a revision. */
export const freshTimeoutMs = 3000;
const progressEveryMs = 100;
const bookmarkEveryMs = 60_000;
const refillDelayMs = { first: 50, most: 5000 } as const;

interface Waiter {
	readonly revision: number;
	readonly resolve: (fresh: boolean) => void;
	timer: Timer;
}

export class Cacher {
	readonly #options: CacherOptions;
	readonly #resources = new Map<string, ResourceCache>();
	readonly #problems = new Map<string, NonNullable<CachedResource["problemOf"]>>();
	#revision = 0;
	#ready = false;
	#readyWaiters: (() => void)[] = [];
	#waiters: Waiter[] = [];
	#progressTimer: Timer | undefined;
	#watch: WatchHandle | undefined;
	#bookmarks: Timer | undefined;
	#refillTimer: Timer | undefined;
	#stopped = false;
	#failures = 0;

	constructor(options: CacherOptions) {
		this.#options = options;
		for (const resource of options.resources) {
			if (this.#resources.has(resource.storagePrefix)) continue;
			if (resource.problemOf !== undefined) this.#problems.set(resource.storagePrefix, resource.problemOf);
			this.#resources.set(
				resource.storagePrefix,
				new ResourceCache({
					prefix: `${options.root}${resource.storagePrefix}/`,
					readFacts: resource.readFacts,
					trigger: resource.trigger,
					limits: options.limits ?? defaultHistoryLimits,
					later: (work) => void options.clock.after(0, work),
				}),
			);
		}
	}

	/** Filled, and following the store. */
	get ready(): boolean {
		return this.#ready;
	}

	/** The cache contains every change up to this revision. */
	get revision(): number {
		return this.#revision;
	}

	resource(storagePrefix: string): ResourceCache {
		const cache = this.#resources.get(storagePrefix);
		if (cache === undefined) throw new Error(`no cache for ${storagePrefix}`);
		return cache;
	}

	resources(): Iterable<readonly [string, ResourceCache]> {
		return this.#resources;
	}

	start(): void {
		void this.#fill();
		this.#bookmarks = this.#options.clock.every(1000, () => this.#sendBookmarks());
	}

	whenReady(): Promise<void> {
		if (this.#ready) return Promise.resolve();
		return new Promise((resolve) => this.#readyWaiters.push(resolve));
	}

	/** True once the cache contains every change up to `revision`; false when it does not after `timeoutMs`. */
	waitFor(revision: number, timeoutMs = freshTimeoutMs): Promise<boolean> {
		if (this.#ready && this.#revision >= revision) return Promise.resolve(true);
		if (this.#stopped) return Promise.resolve(false);
		return new Promise((resolve) => {
			const waiter: Waiter = {
				revision,
				resolve,
				timer: this.#options.clock.after(timeoutMs, () => {
					this.#waiters = this.#waiters.filter((other) => other !== waiter);
					resolve(false);
				}),
			};
			this.#waiters.push(waiter);
			this.#askProgress();
		});
	}

	/** Waits until the cache contains every write acknowledged before the call; false when that takes too long. */
	async waitConsistent(): Promise<boolean> {
		return this.waitFor(await this.#options.store.currentRevision());
	}

	compacted(revision: number): void {
		for (const cache of this.#resources.values()) cache.compacted(revision);
	}

	/** Ends every client's watch, and the cache's own watch on the store. */
	stop(): void {
		this.#stopped = true;
		this.#ready = false;
		this.#watch?.cancel();
		this.#bookmarks?.cancel();
		this.#progressTimer?.cancel();
		this.#refillTimer?.cancel();
		for (const waiter of this.#waiters.splice(0)) {
			waiter.timer.cancel();
			waiter.resolve(false);
		}
		for (const cache of this.#resources.values()) cache.closeWatchers({ kind: "closed" });
	}

	async #fill(): Promise<void> {
		try {
			const found = await this.#readAll();
			if (this.#stopped) return;
			for (const [prefix, cache] of this.#resources) cache.replace(found.entries.get(prefix) ?? [], found.revision);
			this.#revision = found.revision;
			this.#failures = 0;
			this.#follow();
			this.#ready = true;
			this.#resolveWaiters();
			for (const resolve of this.#readyWaiters.splice(0)) resolve();
			this.#options.log.info("watch cache filled", { revision: found.revision });
		} catch (error) {
			if (this.#stopped) return;
			const delay = Math.min(refillDelayMs.most, refillDelayMs.first * 2 ** this.#failures++);
			this.#options.log.warn("watch cache: fill failed, trying again", { error, delayMs: delay });
			this.#refillTimer = this.#options.clock.after(delay, () => void this.#fill(), { keepAlive: true });
		}
	}

	/** Reads the whole prefix, page by page, at one revision. */
	async #readAll(): Promise<{ entries: Map<string, Entry[]>; revision: number }> {
		const { store, root, pageSize = 1000 } = this.#options;
		const entries = new Map<string, Entry[]>();
		const rangeEnd = Buffer.from(prefixEnd(root) as string);
		let key = Buffer.from(root);
		let revision = 0;
		for (;;) {
			const page = await store.range({ key, rangeEnd, limit: pageSize, ...(revision > 0 ? { revision } : {}) });
			if (revision === 0) revision = page.header.revision;
			for (const kv of page.kvs) {
				const text = kv.key.toString("utf8");
				const prefix = this.#prefixOf(text);
				if (prefix === undefined || !this.#isReadable(prefix, text, kv)) continue;
				const list = entries.get(prefix);
				const entry = toEntry(text, kv);
				if (list === undefined) entries.set(prefix, [entry]);
				else list.push(entry);
			}
			const last = page.kvs.at(-1);
			if (!page.more || last === undefined) return { entries, revision };
			key = Buffer.concat([last.key, Buffer.of(0)]);
		}
	}

	#follow(): void {
		const { store, root } = this.#options;
		this.#watch = store.watch(
			{ key: Buffer.from(root), rangeEnd: Buffer.from(prefixEnd(root) as string), startRevision: this.#revision + 1 },
			{ onBatch: (batch) => this.#onBatch(batch), onEnd: (error) => this.#onWatchEnd(error) },
		);
	}

	#onBatch(batch: WatchBatch): void {
		if (this.#stopped) return;
		for (const { type, kv } of batch.events) {
			const key = kv.key.toString("utf8");
			const prefix = this.#prefixOf(key);
			if (prefix === undefined || (type === "put" && !this.#isReadable(prefix, key, kv))) continue;
			const cache = this.#resources.get(prefix) as ResourceCache;
			cache.apply(key, type === "put" ? toEntry(key, kv) : undefined, kv.modRevision);
		}
		const revision = Math.max(batch.revision, batch.events.at(-1)?.kv.modRevision ?? 0);
		if (revision <= this.#revision) return;
		this.#revision = revision;
		for (const cache of this.#resources.values()) cache.progress(revision);
		this.#resolveWaiters();
	}

	/** False for bytes that are no object: the change is skipped, and the cache keeps the object it had, if any. */
	#isReadable(prefix: string, key: string, kv: KeyValue): boolean {
		const problem = this.#problems.get(prefix)?.(kv.value);
		if (problem === undefined) return true;
		this.#options.log.error("watch cache: a stored object cannot be read, and is left out", {
			key,
			revision: kv.modRevision,
			problem,
		});
		return false;
	}

	#onWatchEnd(error: StoreError): void {
		if (this.#stopped) return;
		this.#options.log.warn("watch cache: the store's watch ended", { code: error.code, error });
		if (error.code === "slow_watcher") {
			this.#follow();
			return;
		}
		// The missed events are compacted away: start over.
		this.#ready = false;
		void this.#fill();
	}

	/** `services/specs` of `/registry/services/specs/default/x`; undefined for keys that are no cached resource's. */
	#prefixOf(key: string): string | undefined {
		const start = this.#options.root.length;
		const first = key.indexOf("/", start);
		if (first < 0) return undefined;
		const one = key.slice(start, first);
		if (this.#resources.has(one)) return one;
		const second = key.indexOf("/", first + 1);
		if (second < 0) return undefined;
		const two = key.slice(start, second);
		return this.#resources.has(two) ? two : undefined;
	}

	#resolveWaiters(): void {
		if (this.#waiters.length === 0) return;
		const still: Waiter[] = [];
		for (const waiter of this.#waiters) {
			if (waiter.revision > this.#revision) still.push(waiter);
			else {
				waiter.timer.cancel();
				waiter.resolve(true);
			}
		}
		this.#waiters = still;
		if (still.length === 0) {
			this.#progressTimer?.cancel();
			this.#progressTimer = undefined;
		}
	}

	/** Asks at once, and again every 100 ms while someone waits. */
	#askProgress(): void {
		if (this.#progressTimer !== undefined || this.#stopped) return;
		this.#watch?.requestProgress();
		this.#progressTimer = this.#options.clock.after(progressEveryMs, () => {
			this.#progressTimer = undefined;
			if (this.#waiters.length > 0) this.#askProgress();
		});
	}

	/**
	 * About once a minute for each watch that asked for bookmarks; not all at once, since watches start at different
	 * times.
	 */
	#sendBookmarks(): void {
		const now = this.#options.clock.monotonic();
		for (const cache of this.#resources.values()) {
			for (const watcher of cache.watchers()) {
				if (!watcher.bookmarks) continue;
				if (watcher.bookmarkedAt === 0) watcher.bookmarkedAt = now;
				if (now - watcher.bookmarkedAt < bookmarkEveryMs) continue;
				if (watcher.bookmark()) watcher.bookmarkedAt = now;
			}
		}
	}
}

/** A value that is a small part of a network buffer is copied, so that the cache does not keep the rest alive. */
const own = (value: Buffer) => (value.buffer.byteLength > 2 * value.length ? Buffer.from(value) : value);

const toEntry = (key: string, kv: KeyValue) => new Entry(key, own(kv.value), kv.modRevision, kv.lease);
