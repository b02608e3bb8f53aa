/** The cache of one resource: current objects in key order, recent events, and the watches on them. */
import type { Entry, FactsReader } from "./entry.ts";
import { type CacheEvent, History, type HistoryLimits } from "./history.ts";
import { OrderedMap, type Snapshot } from "./ordered.ts";
import { everything, type Selection, selects } from "./selection.ts";
import { type EventEncoder, type WatchEnd, Watcher, type WatchOptions, type WatchSource } from "./watcher.ts";

export interface ResourceCacheOptions {
	/** The resource's key prefix with the slash at its end: `/registry/pods/`. */
	readonly prefix: string;
	readonly readFacts: FactsReader;
	/** A field by whose value watches are indexed: `spec.nodeName`. */
	readonly trigger?: string | undefined;
	readonly limits: HistoryLimits;
	/** Runs `work` in a later turn of the event loop. */
	readonly later: (work: () => void) => void;
}

export interface StartPoint {
	/** Send events after this revision; undefined: from the current state on. */
	readonly after: number | undefined;
	/** Send the current objects as ADDED first. */
	readonly initial: boolean;
	/** And mark their end with an annotated bookmark (sendInitialEvents). */
	readonly announceInitialEnd: boolean;
}

/** Snapshots of past revisions kept for continued lists. */
const maxSnapshots = 32;

/** Selected entries of a snapshot, in key order, from the key `from` on. */
export function* filterSnapshot(
	snapshot: Snapshot<Entry>,
	prefix: string,
	selection: Selection,
	read: FactsReader,
	from?: string,
): IterableIterator<Entry> {
	const scope = prefix + selection.scope;
	for (const entry of snapshot.range(scope, from)) {
		if (selection.exact && entry.key !== scope) return;
		if (selects(selection, entry, read)) yield entry;
	}
}

export type ChangeListener = (event: CacheEvent) => void;

export class ResourceCache implements WatchSource {
	readonly prefix: string;
	readonly readFacts: FactsReader;
	readonly #trigger: string | undefined;
	readonly #later: (work: () => void) => void;
	readonly #objects = new OrderedMap<Entry>();
	readonly #history: History;
	readonly #watchers = new Set<Watcher>();
	/** Watchers by the kind of event they need to see: `all`, `scope PATH`, `exact PATH`, `trigger VALUE`. */
	readonly #buckets = new Map<string, Set<Watcher>>();
	readonly #listeners = new Set<ChangeListener>();
	readonly #snapshots = new Map<number, Snapshot<Entry>>();
	#bookmarkFrames = new Map<string, Buffer>();
	#revision = 0;

	constructor(options: ResourceCacheOptions) {
		this.prefix = options.prefix;
		this.readFacts = options.readFacts;
		this.#trigger = options.trigger;
		this.#later = options.later;
		this.#history = new History(options.limits);
	}

	/** The cache contains every change up to this revision. */
	get revision(): number {
		return this.#revision;
	}

	/** Watches can start after any revision from this one on. */
	get floor(): number {
		return this.#history.floor;
	}

	get nextSequence(): number {
		return this.#history.nextSequence;
	}

	get size(): number {
		return this.#objects.size;
	}

	get watcherCount(): number {
		return this.#watchers.size;
	}

	get historyBytes(): number {
		return this.#history.bytes;
	}

	get(path: string): Entry | undefined {
		return this.#objects.get(this.prefix + path);
	}

	/** The objects as they are now, immutable. */
	snapshot(): Snapshot<Entry> {
		return this.#objects.snapshot();
	}

	/** Keeps a snapshot of the current revision, so that a later page of the same list can be served. */
	pin(): void {
		if (this.#snapshots.has(this.#revision)) return;
		if (this.#snapshots.size >= maxSnapshots) {
			this.#snapshots.delete(this.#snapshots.keys().next().value as number);
		}
		this.#snapshots.set(this.#revision, this.#objects.snapshot());
	}

	/** The objects as they were at a revision, when that is known here without asking the store. */
	at(revision: number): Snapshot<Entry> | undefined {
		const pinned = this.#snapshots.get(revision);
		if (pinned !== undefined) return pinned;
		if (revision > this.#revision) return undefined;
		const unchanged = this.#history.after(revision) === this.#history.nextSequence;
		return unchanged ? this.#objects.snapshot() : undefined;
	}

	/** Drops snapshots older than the store's compaction. */
	compacted(revision: number): void {
		for (const at of this.#snapshots.keys()) if (at < revision) this.#snapshots.delete(at);
	}

	/** Calls `listener` on every change from now on; returns a function that stops it. */
	listen(listener: ChangeListener): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	eventAt(sequence: number): CacheEvent | undefined {
		return this.#history.at(sequence);
	}

	/** Starts over with what the store holds at `revision`. Watches end; their clients come again. */
	replace(entries: Iterable<Entry>, revision: number): void {
		this.closeWatchers({ kind: "closed" });
		const before = new Map<string, Entry>();
		if (this.#listeners.size > 0) for (const entry of this.#objects.snapshot().range("")) before.set(entry.key, entry);
		this.#objects.clear();
		this.#snapshots.clear();
		for (const entry of entries) this.#objects.set(entry);
		this.#history.reset(revision);
		this.#revision = revision;
		this.#bookmarkFrames.clear();
		this.#announceReplacement(before);
	}

	/** One change of the store. `revision` is announced with `progress`, once all changes of it are in. */
	apply(key: string, current: Entry | undefined, revision: number): void {
		const previous = current === undefined ? this.#objects.delete(key) : this.#objects.set(current);
		if (previous === undefined && current === undefined) return;
		const event = this.#history.append({ revision, path: key.slice(this.prefix.length), current, previous });
		for (const listener of this.#listeners) listener(event);
		if (this.#watchers.size > 0) this.#dispatch(event);
	}

	progress(revision: number): void {
		if (revision === this.#revision) return;
		this.#revision = revision;
		this.#bookmarkFrames.clear();
	}

	/** Undefined: events after `start.after` are gone (410). */
	watch(options: WatchOptions, start: StartPoint): Watcher | undefined {
		const next = this.#history.nextSequence;
		const position = start.after === undefined ? next : this.#history.after(start.after);
		if (position === undefined) return undefined;
		const watcher = new Watcher(this, options, {
			position,
			after: start.after ?? 0,
			initial: start.initial ? this.select(options.selection) : undefined,
			initialRevision: this.#revision,
			announceInitialEnd: start.announceInitialEnd,
		});
		this.#watchers.add(watcher);
		const name = this.#bucketOf(watcher.selection);
		const bucket = this.#buckets.get(name);
		if (bucket === undefined) this.#buckets.set(name, new Set([watcher]));
		else bucket.add(watcher);
		return watcher;
	}

	/** Lets a watcher send what it can now, and go on in later turns. */
	run(watcher: Watcher): void {
		if (watcher.pump()) this.#later(() => this.run(watcher));
	}

	/** The watcher's sink has room again. */
	drained(watcher: Watcher): void {
		if (watcher.drained()) this.#later(() => this.run(watcher));
	}

	drop(watcher: Watcher): void {
		this.#watchers.delete(watcher);
		const name = this.#bucketOf(watcher.selection);
		const bucket = this.#buckets.get(name);
		bucket?.delete(watcher);
		if (bucket?.size === 0) this.#buckets.delete(name);
	}

	watchers(): Iterable<Watcher> {
		return this.#watchers;
	}

	closeWatchers(reason: WatchEnd): void {
		for (const watcher of [...this.#watchers]) watcher.close(reason);
	}

	bookmarkFrame(encoder: EventEncoder): Buffer {
		let frame = this.#bookmarkFrames.get(encoder.id);
		if (frame === undefined) {
			frame = encoder.bookmark(this.#revision, false);
			this.#bookmarkFrames.set(encoder.id, frame);
		}
		return frame;
	}

	/** Selected objects of the state as it is when called, in key order. */
	select(selection: Selection = everything): IterableIterator<Entry> {
		return filterSnapshot(this.#objects.snapshot(), this.prefix, selection, this.readFacts);
	}

	#bucketOf(selection: Selection): string {
		if (selection.exact) return `exact ${selection.scope}`;
		if (selection.scope !== "") return `scope ${selection.scope}`;
		return selection.trigger !== undefined && this.#trigger !== undefined ? `trigger ${selection.trigger}` : "all";
	}

	#dispatch(event: CacheEvent): void {
		this.#offer("all", event);
		const slash = event.path.indexOf("/");
		if (slash > 0) this.#offer(`scope ${event.path.slice(0, slash + 1)}`, event);
		this.#offer(`exact ${event.path}`, event);
		if (this.#trigger === undefined) return;
		const now = event.current?.facts(this.readFacts).fields[this.#trigger];
		const before = event.previous?.facts(this.readFacts).fields[this.#trigger];
		if (now !== undefined) this.#offer(`trigger ${now}`, event);
		if (before !== undefined && before !== now) this.#offer(`trigger ${before}`, event);
	}

	#offer(bucket: string, event: CacheEvent): void {
		const watchers = this.#buckets.get(bucket);
		if (watchers === undefined) return;
		for (const watcher of watchers) watcher.take(event);
	}

	#announceReplacement(before: Map<string, Entry>): void {
		if (this.#listeners.size === 0) return;
		const tell = (key: string, current: Entry | undefined, previous: Entry | undefined) => {
			const path = key.slice(this.prefix.length);
			const event = { sequence: -1, revision: this.#revision, path, current, previous, frames: undefined };
			for (const listener of this.#listeners) listener(event);
		};
		for (const entry of this.#objects.snapshot().range("")) {
			const previous = before.get(entry.key);
			before.delete(entry.key);
			if (previous?.revision !== entry.revision) tell(entry.key, entry, previous);
		}
		for (const [key, entry] of before) tell(key, undefined, entry);
	}
}
