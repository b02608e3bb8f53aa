/**
 * Fan-out of applied events. A watcher is a cursor (`next`, the first revision not yet given to it) in one of four places:
 *
 * - synced: in a group of watchers with the same range and options; gets every flush, sharing one batch object per group;
 * - unsynced: behind; served from the recent events or, before those, from the engine, in slices between which the event
 *   loop turns, so that neither writes nor other watchers wait for it;
 * - future: begins at a revision not yet reached;
 * - paused: its consumer cannot take more; nothing is kept for it but the cursor.
 *
 * Batches hold whole revisions, in order, without gaps or repeats: the step from unsynced to synced happens in one
 * synchronous piece with the last slice. A cursor before the compacted revision ends the watch with `compacted`.
 */
import { append } from "../../kit/lists.ts";
import type { Logger } from "../../kit/log.ts";
import {
	type KeyValue,
	StoreError,
	type WatchBatch,
	type WatchEvent,
	type WatchHandler,
	type WatchRequest,
} from "../api.ts";
import { compacted } from "../mvcc/errors.ts";
import { type Bounds, boundsOf, type Change } from "../mvcc/keyspace.ts";
import { decodeRecord } from "../mvcc/record.ts";
import { RangeIndex } from "./ranges.ts";
import { RecentEvents, type RevisionEvents, SharedEvent, toRevisionEvents } from "./recent.ts";
import type { WatchCursor } from "./types.ts";

/** One record of the history on the engine. */
export interface HistoryRecord {
	readonly main: number;
	readonly sub: number;
	readonly tombstone: boolean;
	readonly record: Buffer;
}

/** The state watched. */
export interface WatchSource {
	readonly revision: number;
	readonly compactRevision: number;
	/** Every record up to this revision is on the engine. */
	readonly writtenRevision: number;
	/** Records of main revisions in [from, to], in order, as the engine has them now. */
	history(from: number, to: number): AsyncIterable<HistoryRecord>;
	/** The pair of a key just before main revision `main`; undefined when there was none or it is compacted. */
	previous(key: string, main: number): KeyValue | undefined;
	/** The pair that a change of revision `main` replaced, likewise. */
	replaced(change: Change, main: number): KeyValue | undefined;
}

export interface WatchHubOptions {
	readonly logger: Logger;
	/** Bytes of recent events kept for watchers a little behind. */
	readonly recentBytes: number;
	/** Lets the event loop turn. */
	readonly turn: () => Promise<void>;
}

/** Records read from the engine, or revisions taken from memory, in one slice. */
const sliceRecords = 1000;
const sliceBytes = 2 ** 20;
/** Watchers served from memory between two turns. */
const sliceWatchers = 64;

type Place = "synced" | "unsynced" | "future" | "paused" | "ended";

interface Group {
	readonly bounds: Bounds;
	readonly prevKv: boolean;
	readonly noPut: boolean;
	readonly noDelete: boolean;
	readonly watchers: Set<Watcher>;
	/** Events of the flush under way. */
	out: WatchEvent[];
	/** First revision of the flush under way, while some watchers have not got it yet; 0 otherwise. */
	owedFrom: number;
}

interface Watcher {
	readonly handler: WatchHandler;
	readonly bounds: Bounds;
	readonly prevKv: boolean;
	readonly noPut: boolean;
	readonly noDelete: boolean;
	/** First revision not yet given to it; kept up to date only outside of groups. */
	next: number;
	/** Within a group: the flush (its revision) it was given last, or joined after. */
	given: number;
	place: Place;
	group: Group | undefined;
	progressWanted: boolean;
}

function holds(bounds: Bounds, key: string): boolean {
	return bounds.single ? key === bounds.start : key >= bounds.start && key < bounds.end;
}

export class WatchHub {
	readonly #source: WatchSource;
	readonly #options: WatchHubOptions;
	readonly #recent: RecentEvents;
	readonly #byKey = new Map<string, Group[]>();
	readonly #byRange = new RangeIndex<Group[]>();
	readonly #unsynced = new Set<Watcher>();
	readonly #future = new Set<Watcher>();
	readonly #paused = new Set<Watcher>();
	#pending: RevisionEvents[] = [];
	/** Everything up to here was given to the synced watchers. */
	#current: number;
	#synced = 0;
	#running = false;
	/** Counts resets, so that a slice read from the state before is dropped. */
	#epoch = 0;

	constructor(source: WatchSource, options: WatchHubOptions) {
		this.#source = source;
		this.#options = options;
		this.#recent = new RecentEvents(options.recentBytes);
		this.#current = source.revision;
	}

	/** Watchers by place, for metrics. */
	get counts(): { readonly synced: number; readonly unsynced: number; readonly paused: number } {
		return { synced: this.#synced + this.#future.size, unsynced: this.#unsynced.size, paused: this.#paused.size };
	}

	/** Takes the events of the next revision. They are given out at `flush`. */
	publish(main: number, changes: readonly Change[]): void {
		const events = toRevisionEvents(main, changes, (change, at) => this.#source.replaced(change, at));
		this.#recent.push(events);
		this.#pending.push(events);
	}

	/** Gives everything published to the synced watchers. */
	flush(): void {
		const pending = this.#pending;
		if (pending.length === 0) return;
		this.#pending = [];
		const current = pending.at(-1)!.main;
		const touched = this.#synced === 0 ? [] : this.#collect(pending);
		for (const group of touched) group.owedFrom = this.#current + 1;
		this.#current = current;
		for (const group of touched) {
			const batch: WatchBatch = { events: group.out, revision: current };
			group.out = [];
			// While handlers run, watchers may leave the group or join it. One that has left gets its events when it catches up;
			// one that has just joined asked only for what comes later. Neither gets this batch.
			for (const watcher of [...group.watchers]) if (this.#owed(watcher, group)) this.#give(watcher, batch);
			group.owedFrom = 0;
		}
		this.#wakeFuture();
		this.#recent.trim(this.#source.writtenRevision);
	}

	#collect(pending: readonly RevisionEvents[]): Group[] {
		const touched: Group[] = [];
		let event: SharedEvent;
		const add = (group: Group) => {
			const deleted = event.plain.type === "delete";
			if (deleted ? group.noDelete : group.noPut) return;
			if (group.out.length === 0) touched.push(group);
			group.out.push(group.prevKv ? event.withPrevious : event.plain);
		};
		const addAll = (groups: readonly Group[]) => {
			for (const group of groups) add(group);
		};
		for (const revision of pending) {
			for (event of revision.events) {
				const exact = this.#byKey.get(event.key);
				if (exact !== undefined) addAll(exact);
				this.#byRange.stab(event.key, addAll);
			}
		}
		return touched;
	}

	/** The flush under way has events for it that it has not got. */
	#owed(watcher: Watcher, group: Group): boolean {
		return watcher.group === group && group.owedFrom > 0 && watcher.given < this.#current;
	}

	#give(watcher: Watcher, batch: WatchBatch): void {
		watcher.given = batch.revision;
		this.#deliver(watcher, batch);
		if (watcher.progressWanted) this.#requestProgress(watcher);
	}

	#deliver(watcher: Watcher, batch: WatchBatch): void {
		try {
			watcher.handler.onBatch(batch);
		} catch (error) {
			this.#options.logger.error("watch consumer failed", { error });
			this.#end(watcher, new StoreError("closed", "watch consumer failed", { cause: error }));
		}
	}

	#end(watcher: Watcher, error: StoreError): void {
		if (watcher.place === "ended") return;
		this.#leave(watcher);
		watcher.place = "ended";
		try {
			watcher.handler.onEnd(error);
		} catch (cause) {
			this.#options.logger.error("watch consumer failed at its end", { error: cause });
		}
	}

	/** Never calls the handler before it returns. */
	watch(request: WatchRequest, handler: WatchHandler): WatchCursor {
		const start = request.startRevision ?? 0;
		const watcher: Watcher = {
			handler,
			bounds: boundsOf(request.key, request.rangeEnd),
			prevKv: request.prevKv === true,
			noPut: request.noPut === true,
			noDelete: request.noDelete === true,
			next: start > 0 ? start : this.#source.revision + 1,
			given: 0,
			place: "paused",
			group: undefined,
			progressWanted: false,
		};
		this.#place(watcher);
		return {
			requestProgress: () => this.#requestProgress(watcher),
			cancel: () => {
				this.#leave(watcher);
				watcher.place = "ended";
			},
			pause: () => this.#pause(watcher),
			resume: () => this.#resume(watcher),
		};
	}

	#place(watcher: Watcher): void {
		if (watcher.next === this.#current + 1) {
			this.#sync(watcher);
		} else if (watcher.next > this.#current + 1) {
			watcher.place = "future";
			this.#future.add(watcher);
		} else {
			watcher.place = "unsynced";
			this.#unsynced.add(watcher);
			this.#wake();
		}
	}

	#sync(watcher: Watcher): void {
		const group = this.#groupFor(watcher);
		group.watchers.add(watcher);
		watcher.group = group;
		watcher.given = this.#current;
		watcher.place = "synced";
		this.#synced++;
		if (watcher.progressWanted) this.#requestProgress(watcher);
	}

	#groupFor(watcher: Watcher): Group {
		const { bounds, prevKv, noPut, noDelete } = watcher;
		let groups = bounds.single ? this.#byKey.get(bounds.start) : this.#byRange.get(bounds.start, bounds.end);
		if (groups === undefined) {
			groups = [];
			if (bounds.single) this.#byKey.set(bounds.start, groups);
			else this.#byRange.insert(bounds.start, bounds.end, groups);
		}
		for (const group of groups) {
			if (group.prevKv === prevKv && group.noPut === noPut && group.noDelete === noDelete) return group;
		}
		const group: Group = { bounds, prevKv, noPut, noDelete, watchers: new Set(), out: [], owedFrom: 0 };
		groups.push(group);
		return group;
	}

	/** Takes the watcher from where it is; its cursor is right afterwards. */
	#leave(watcher: Watcher): void {
		this.#unsynced.delete(watcher);
		this.#future.delete(watcher);
		this.#paused.delete(watcher);
		const { group } = watcher;
		if (group === undefined) return;
		watcher.next = this.#owed(watcher, group) ? group.owedFrom : this.#current + 1;
		watcher.group = undefined;
		this.#synced--;
		group.watchers.delete(watcher);
		if (group.watchers.size === 0) this.#dropGroup(group);
	}

	#dropGroup(group: Group): void {
		const { bounds } = group;
		const groups = bounds.single ? this.#byKey.get(bounds.start) : this.#byRange.get(bounds.start, bounds.end);
		if (groups === undefined) return;
		groups.splice(groups.indexOf(group), 1);
		if (groups.length > 0) return;
		if (bounds.single) this.#byKey.delete(bounds.start);
		else this.#byRange.delete(bounds.start, bounds.end);
	}

	#requestProgress(watcher: Watcher): void {
		if (watcher.place === "ended") return;
		const { group } = watcher;
		const behind = group === undefined ? watcher.place !== "future" : this.#owed(watcher, group);
		watcher.progressWanted = behind;
		if (!behind) this.#deliver(watcher, { events: [], revision: this.#current });
	}

	#pause(watcher: Watcher): void {
		if (watcher.place === "ended" || watcher.place === "paused") return;
		this.#leave(watcher);
		watcher.place = "paused";
		this.#paused.add(watcher);
	}

	#resume(watcher: Watcher): void {
		if (watcher.place !== "paused") return;
		this.#paused.delete(watcher);
		// Not straight into a group: the handler may ask for progress from within, and must not be called before this returns.
		watcher.place = "unsynced";
		this.#unsynced.add(watcher);
		this.#wake();
	}

	#wakeFuture(): void {
		for (const watcher of this.#future) {
			if (watcher.next > this.#current) continue;
			this.#future.delete(watcher);
			watcher.place = "unsynced";
			this.#unsynced.add(watcher);
		}
		this.#wake();
	}

	#wake(): void {
		if (this.#running || this.#unsynced.size === 0) return;
		this.#running = true;
		Promise.resolve()
			.then(() => this.#catchUp())
			.catch((error: unknown) => {
				this.#options.logger.error("reading history for watchers failed", { error });
				const end = new StoreError("closed", "reading history failed", { cause: error });
				for (const watcher of [...this.#unsynced]) this.#end(watcher, end);
			})
			.finally(() => {
				this.#running = false;
				this.#wake();
			});
	}

	async #catchUp(): Promise<void> {
		while (this.#unsynced.size > 0) {
			this.#endCompacted();
			const first = this.#recent.first ?? this.#current + 1;
			let behind = Number.POSITIVE_INFINITY;
			for (const watcher of this.#unsynced) behind = Math.min(behind, watcher.next);
			if (behind < first) await this.#serveFromHistory(behind, first - 1);
			this.#serveFromRecent();
			if (this.#unsynced.size > 0) await this.#options.turn();
		}
	}

	#endCompacted(): void {
		const compactRevision = this.#source.compactRevision;
		for (const watcher of [...this.#unsynced]) {
			if (watcher.next < compactRevision) this.#end(watcher, compacted(compactRevision));
		}
	}

	/** Serves some of those that are within the recent events, or at the end. */
	#serveFromRecent(): void {
		const first = this.#recent.first ?? this.#current + 1;
		const watchers = [...this.#unsynced].filter((watcher) => watcher.next >= first).slice(0, sliceWatchers);
		let bytes = 0;
		for (const watcher of watchers) {
			// All of them together: each may belong to a client that takes nothing.
			if (bytes >= sliceBytes) return;
			const revisions = this.#recent.from(watcher.next, sliceRecords, sliceBytes);
			for (const revision of revisions) bytes += revision.bytes;
			const last = revisions.at(-1)?.main ?? this.#current;
			// Published but not yet flushed belongs to the flush.
			this.#advance(watcher, revisions, Math.min(last, this.#current));
		}
	}

	/** Serves every watcher that has a cursor up to the end of one slice of [from, to]. */
	async #serveFromHistory(from: number, to: number): Promise<void> {
		const epoch = this.#epoch;
		const { revisions, end } = await this.#readSlice(from, to);
		if (epoch !== this.#epoch) return;
		for (const watcher of [...this.#unsynced]) {
			if (watcher.next >= from && watcher.next <= end) this.#advance(watcher, revisions, end);
		}
	}

	async #readSlice(from: number, to: number): Promise<{ revisions: RevisionEvents[]; end: number }> {
		const revisions: RevisionEvents[] = [];
		let events: SharedEvent[] = [];
		let main = 0;
		let records = 0;
		let bytes = 0;
		for await (const one of this.#source.history(from, to)) {
			if (one.main !== main) {
				if (events.length > 0) revisions.push({ main, events, bytes: 0 });
				if (records >= sliceRecords || bytes >= sliceBytes) return { revisions, end: main };
				events = [];
				main = one.main;
			}
			events.push(this.#fromRecord(one));
			records++;
			bytes += one.record.length;
		}
		if (events.length > 0) revisions.push({ main, events, bytes: 0 });
		return { revisions, end: to };
	}

	#fromRecord(one: HistoryRecord): SharedEvent {
		const kv = decodeRecord(one.record);
		const key = kv.key.toString("latin1");
		const event: WatchEvent = one.tombstone
			? { type: "delete", kv: { ...kv, modRevision: one.main } }
			: { type: "put", kv };
		return new SharedEvent(key, event, () => this.#source.previous(key, one.main));
	}

	/** Gives a watcher its part of `revisions` up to `end`, and moves it into its group when it has caught up. */
	#advance(watcher: Watcher, revisions: readonly RevisionEvents[], end: number): void {
		const events: WatchEvent[] = [];
		for (const revision of revisions) {
			if (revision.main < watcher.next || revision.main > end) continue;
			for (const event of revision.events) {
				if (!holds(watcher.bounds, event.key)) continue;
				if (event.plain.type === "delete" ? watcher.noDelete : watcher.noPut) continue;
				events.push(watcher.prevKv ? event.withPrevious : event.plain);
			}
		}
		watcher.next = Math.max(watcher.next, end + 1);
		if (events.length > 0) this.#deliver(watcher, { events, revision: end });
		// The handler may have paused or cancelled it.
		if (watcher.place !== "unsynced" || watcher.next <= this.#current) return;
		this.#unsynced.delete(watcher);
		this.#place(watcher);
	}

	/** The state was replaced by a newer one: every watcher goes on from its cursor, or ends with `compacted`. */
	reset(): void {
		this.#epoch++;
		const watchers: Watcher[] = [...this.#future];
		for (const groups of this.#byKey.values()) for (const group of groups) append(watchers, group.watchers);
		this.#byRange.each((groups) => {
			for (const group of groups) append(watchers, group.watchers);
		});
		for (const watcher of watchers) this.#leave(watcher);
		this.#pending = [];
		this.#recent.clear();
		this.#current = this.#source.revision;
		for (const watcher of watchers) this.#place(watcher);
	}

	/** Ends every watch. */
	close(error: StoreError): void {
		const all = new Set<Watcher>([...this.#future, ...this.#unsynced, ...this.#paused]);
		for (const groups of this.#byKey.values())
			for (const group of groups) for (const one of group.watchers) all.add(one);
		this.#byRange.each((groups) => {
			for (const group of groups) for (const one of group.watchers) all.add(one);
		});
		for (const watcher of all) this.#end(watcher, error);
	}
}
