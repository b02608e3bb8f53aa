/**
 * The multi-version key space: revisions, the key index and what a write does to both, with etcd's semantics
 * (`server/storage/mvcc`). Everything is synchronous; records go to and come from a `RecordStore`.
 *
 * A write transaction is `begin`, any number of `put` and `deleteRange`, `end`: its changes share one main revision and
 * count sub revisions from 0; without changes the revision stays. Reads in between see the changes made so far.
 */
import type { KeyValue } from "../api.ts";
import { PairCache } from "./cache.ts";
import { compacted, futureRevision } from "./errors.ts";
import { GarbageQueue } from "./garbage.ts";
import { KeyHistory } from "./history.ts";
import { decodeRecord, encodeRecord, encodeTombstone, revisionKeySize } from "./record.ts";
import { endOfKeys, KeyTree } from "./tree.ts";

/** Where records are kept, by revision. */
export interface RecordStore {
	/** Throws when the record is not there: the index only names records that are. */
	read(main: number, sub: number): Buffer;
	write(main: number, sub: number, tombstone: boolean, record: Buffer): void;
	remove(main: number, sub: number, tombstone: boolean): void;
}

/** The part of the lessor that the key space drives: which lease holds a key. Keys are Latin-1 strings. */
export interface LeaseKeys {
	leaseOf(key: string): bigint;
	/** Does nothing when the lease does not exist (records of old revisions, while loading). */
	attach(id: bigint, key: string): void;
	detach(key: string): void;
}

/** One event of a write transaction, and where the record it replaced lies (`previousMain` 0: there was none). */
export interface Change {
	readonly key: string;
	readonly deleted: boolean;
	/** For a delete only key and modRevision are set. */
	readonly kv: KeyValue;
	readonly previousMain: number;
	readonly previousSub: number;
	/** The pair itself, when it was at hand. */
	readonly previousKv: KeyValue | undefined;
	/** Bytes of its record and of `previousKv`, for bounding what is kept. */
	readonly size: number;
}

/** A key alive at the revision asked for, and where its record lies. */
export interface Found {
	readonly key: string;
	readonly main: number;
	readonly sub: number;
	readonly created: number;
	readonly version: number;
	/** The pair, when it is at hand. */
	readonly kv: KeyValue | undefined;
}

const noBytes: Buffer = Buffer.alloc(0);

/** Range bounds as index strings: `end` exclusive. */
export interface Bounds {
	readonly start: string;
	readonly end: string;
	/** Exactly one key. */
	readonly single: boolean;
}

export function boundsOf(key: Buffer, rangeEnd: Buffer | undefined): Bounds {
	const start = key.toString("latin1");
	if (rangeEnd === undefined || rangeEnd.length === 0) return { start, end: `${start}\0`, single: true };
	if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { start, end: endOfKeys, single: false };
	return { start, end: rangeEnd.toString("latin1"), single: false };
}

export class KeySpace {
	readonly #tree = new KeyTree();
	readonly #records: RecordStore;
	readonly #leases: LeaseKeys;
	readonly #cache: PairCache;
	readonly #superseded = new GarbageQueue();
	readonly #tombstones = new GarbageQueue();
	#revision = 1;
	#compactRevision = 0;
	#trackedBytes = 0;
	/** Main revision of the transaction under way; 0: none. */
	#writing = 0;
	#changes: Change[] = [];

	/** `cacheBytes`: how much of the newest pairs is kept in memory. */
	constructor(records: RecordStore, leases: LeaseKeys, cacheBytes: number) {
		this.#records = records;
		this.#leases = leases;
		this.#cache = new PairCache(cacheBytes);
	}

	/** Of the last finished write; 1 when there was none. */
	get revision(): number {
		return this.#revision;
	}

	/** The smallest readable revision; 0: never compacted. */
	get compactRevision(): number {
		return this.#compactRevision;
	}

	/** Bytes of all records that are readable, the same on every member after the same entry. */
	get trackedBytes(): number {
		return this.#trackedBytes;
	}

	/** Keys alive now. */
	get liveKeys(): number {
		return this.#tree.live;
	}

	/** Keys in the index, with deleted ones whose history is readable. */
	get indexedKeys(): number {
		return this.#tree.size;
	}

	/** What a read without a revision sees: the transaction's own changes, if there are any. */
	get readRevision(): number {
		return this.#changes.length > 0 ? this.#writing : this.#revision;
	}

	/** Throws `compacted` or `future_revision`; 0 or less means the newest and is always readable. */
	checkReadable(revision: number): void {
		if (revision <= 0) return;
		if (revision > this.readRevision) throw futureRevision();
		if (revision < this.#compactRevision) throw compacted(this.#compactRevision);
	}

	begin(): void {
		if (this.#writing !== 0) throw new Error("a write transaction is under way already");
		this.#writing = this.#revision + 1;
		this.#changes = [];
	}

	/** The transaction's changes in order; empty: the revision stayed. */
	end(): readonly Change[] {
		const changes = this.#changes;
		if (changes.length > 0) this.#revision = this.#writing;
		this.#writing = 0;
		this.#changes = [];
		return changes;
	}

	put(keyBytes: Buffer, value: Buffer, lease: bigint): void {
		const key = keyBytes.toString("latin1");
		const main = this.#writing;
		const sub = this.#changes.length;
		const history = this.#tree.get(key);
		const alive = history?.alive === true;
		const created = alive ? history.created : main;
		const version = alive ? history.version + 1 : 1;
		const record = encodeRecord(keyBytes, created, main, version, value, lease);
		const size = record.length + revisionKeySize;
		const kv: KeyValue = { key: keyBytes, createRevision: created, modRevision: main, version, value, lease };
		this.#pushChange(key, history, false, size, kv);
		this.#cache.keep(this.#extend(key, history, main, sub, created, version, size), kv);
		this.#records.write(main, sub, false, record);
		if (alive) this.#leases.detach(key);
		if (lease !== 0n) this.#leases.attach(lease, key);
	}

	/** Deletes every live key in bounds, in key order; the number deleted. */
	deleteRange(bounds: Bounds): number {
		const found: string[] = [];
		if (bounds.single) {
			if (this.#tree.get(bounds.start)?.alive === true) found.push(bounds.start);
		} else {
			this.#tree.each(bounds.start, bounds.end, (key, history) => {
				if (history.alive) found.push(key);
				return true;
			});
		}
		for (const key of found) this.#delete(key);
		return found.length;
	}

	#delete(key: string): void {
		const main = this.#writing;
		const sub = this.#changes.length;
		const history = this.#tree.get(key);
		if (history === undefined) throw new Error("deleting a key that is not in the index");
		const keyBytes = Buffer.from(key, "latin1");
		const record = encodeTombstone(keyBytes);
		const size = record.length + revisionKeySize + 1;
		this.#pushChange(key, history, true, size, {
			key: keyBytes,
			createRevision: 0,
			modRevision: main,
			version: 0,
			value: noBytes,
			lease: 0n,
		});
		this.#extend(key, history, main, sub, history.created, 0, size).kv = undefined;
		this.#records.write(main, sub, true, record);
		this.#leases.detach(key);
	}

	#pushChange(key: string, history: KeyHistory | undefined, deleted: boolean, size: number, kv: KeyValue): void {
		let previousMain = 0;
		let previousSub = 0;
		let previousKv: KeyValue | undefined;
		if (history !== undefined) {
			// What watchers get as the previous value is the state before the transaction, also when it wrote the key twice.
			const at = history.main < this.#writing ? history.length - 1 : history.locate(this.#writing - 1);
			if (at >= 0 && history.versionAt(at) !== 0) {
				previousMain = history.mainAt(at);
				previousSub = history.subAt(at);
				if (history.main < this.#writing) previousKv = history.kv;
			}
		}
		const total = previousKv === undefined ? size : size + previousKv.value.length;
		this.#changes.push({ key, deleted, kv, previousMain, previousSub, previousKv, size: total });
	}

	/** Adds a record to the index and to the accounts; `version` 0: a tombstone. */
	#extend(
		key: string,
		history: KeyHistory | undefined,
		main: number,
		sub: number,
		created: number,
		version: number,
		size: number,
	): KeyHistory {
		const extended = history ?? new KeyHistory(main, sub, created, version, size);
		if (history === undefined) {
			this.#tree.insert(key, extended);
		} else {
			const wasAlive = history.alive;
			this.#supersede(history, main);
			history.push(main, sub, created, version, size);
			if (wasAlive !== history.alive) this.#tree.adjustLive(key, wasAlive ? -1 : 1);
		}
		if (version === 0 && main < this.#compactRevision) return extended;
		this.#trackedBytes += size;
		if (version === 0) this.#tombstones.push(main + 1, size);
		return extended;
	}

	/**
	 * Accounts for the newest record of `history` becoming unreadable: a put when its successor's revision is compacted, a
	 * tombstone with the first compaction after its own revision, unless the same transaction wrote the key again.
	 */
	#supersede(history: KeyHistory, main: number): void {
		const size = history.size;
		if (!history.alive) {
			if (history.main !== main || main < this.#compactRevision) return;
			this.#tombstones.push(main + 1, -size);
		}
		if (main > this.#compactRevision) this.#superseded.push(main, size);
		else this.#trackedBytes -= size;
	}

	/**
	 * Takes in one record found on the engine or in a snapshot. Called in revision order, on a new key space, after
	 * `setRevisions`; records that a compaction made unreadable may be among them.
	 */
	load(main: number, sub: number, tombstone: boolean, record: Buffer): void {
		const kv = decodeRecord(record);
		const key = kv.key.toString("latin1");
		const history = this.#tree.get(key);
		const size = record.length + revisionKeySize + (tombstone ? 1 : 0);
		const created = tombstone ? (history?.created ?? 0) : kv.createRevision;
		this.#extend(key, history, main, sub, created, tombstone ? 0 : kv.version, size);
		if (history !== undefined) this.#leases.detach(key);
		if (!tombstone && kv.lease !== 0n) this.#leases.attach(kv.lease, key);
	}

	setRevisions(revision: number, compactRevision: number): void {
		this.#revision = revision;
		this.#compactRevision = compactRevision;
	}

	/** Makes everything before `revision` unreadable. The records go later, by `compactSlice`. Throws as etcd's Compact. */
	compact(revision: number): void {
		if (revision <= this.#compactRevision) throw compacted(this.#compactRevision);
		if (revision > this.#revision) throw futureRevision();
		this.#compactRevision = revision;
		this.#trackedBytes -= this.#superseded.take(revision) + this.#tombstones.take(revision);
	}

	/**
	 * Forgets what a compaction at `revision` made unreadable in up to `limit` keys from `start` on, and removes the records.
	 * Returns where to go on; undefined at the end.
	 */
	compactSlice(revision: number, start: string, limit: number): string | undefined {
		const batch: [string, KeyHistory][] = [];
		let visited = 0;
		let next: string | undefined;
		this.#tree.each(start, endOfKeys, (key, history) => {
			if (visited++ === limit) {
				next = key;
				return false;
			}
			if (history.length > 1 || !history.alive) batch.push([key, history]);
			return true;
		});
		for (const [key, history] of batch) {
			const empty = history.compact(revision, (main, sub, tombstone) => this.#records.remove(main, sub, tombstone));
			if (empty) this.#tree.delete(key);
		}
		return next;
	}

	/** The key's record at `revision`, if it is alive there. */
	#foundAt(key: string, history: KeyHistory, revision: number): Found | undefined {
		const at = revision >= history.main ? history.length - 1 : history.locate(revision);
		if (at < 0) return undefined;
		const version = history.versionAt(at);
		if (version === 0) return undefined;
		const main = history.mainAt(at);
		const sub = history.subAt(at);
		const pair = at === history.length - 1 ? history.kv : undefined;
		return { key, main, sub, created: history.createdAt(at), version, kv: pair };
	}

	/** One key at a readable revision; 0: the newest. */
	find(key: string, revision = 0): Found | undefined {
		const history = this.#tree.get(key);
		if (history === undefined) return undefined;
		if (revision > 0) return this.#foundAt(key, history, revision);
		if (!history.alive) return undefined;
		const { main, sub, created, version, kv } = history;
		return { key, main, sub, created, version, kv };
	}

	/** Keys alive in bounds at a readable revision (0: the newest), in order, at most `limit` (0: all). */
	findRange(bounds: Bounds, revision: number, limit: number): Found[] {
		if (bounds.single) {
			const one = this.find(bounds.start, revision);
			return one === undefined ? [] : [one];
		}
		const found: Found[] = [];
		const at = revision > 0 ? revision : Number.MAX_SAFE_INTEGER;
		this.#tree.each(bounds.start, bounds.end, (key, history) => {
			const one = this.#foundAt(key, history, at);
			if (one !== undefined) found.push(one);
			return limit === 0 || found.length < limit;
		});
		return found;
	}

	/** Keys alive in bounds at a readable revision (0: the newest). Logarithmic for the newest. */
	count(bounds: Bounds, revision: number): number {
		if (bounds.single) return this.find(bounds.start, revision) === undefined ? 0 : 1;
		if (revision <= 0 || revision >= this.readRevision) return this.#tree.countLive(bounds.start, bounds.end);
		let count = 0;
		this.#tree.each(bounds.start, bounds.end, (key, history) => {
			if (this.#foundAt(key, history, revision) !== undefined) count++;
			return true;
		});
		return count;
	}

	/** The whole pair; key and value are views of the stored record or of the log's entry. */
	fetch(found: Found): KeyValue {
		return found.kv ?? decodeRecord(this.#records.read(found.main, found.sub));
	}

	/** The pair of a key in the newest state, without reading its value from the engine. */
	fetchWithoutValue(found: Found): KeyValue {
		return {
			key: Buffer.from(found.key, "latin1"),
			createRevision: found.created,
			modRevision: found.main,
			version: found.version,
			value: noBytes,
			lease: this.#leases.leaseOf(found.key),
		};
	}

	/** The lease of a key in the newest state; 0n: none. */
	leaseOf(key: string): bigint {
		return this.#leases.leaseOf(key);
	}

	/** Whether anything is alive at a readable revision. */
	anyAliveAt(revision: number): boolean {
		let any = false;
		this.#tree.each("", endOfKeys, (key, history) => {
			any = this.#foundAt(key, history, revision) !== undefined;
			return !any;
		});
		return any;
	}

	/** Whether record (main, sub) of `key` is what a reader sees at `revision` (alive there). */
	isVisibleAt(key: string, main: number, sub: number, revision: number): boolean {
		const history = this.#tree.get(key);
		const found = history === undefined ? undefined : this.#foundAt(key, history, revision);
		return found !== undefined && found.main === main && found.sub === sub;
	}

	/** Whether record (main, sub) of `key` outlives a compaction at `revision`. */
	survives(key: string, main: number, sub: number, revision: number): boolean {
		if (main > revision) return true;
		const history = this.#tree.get(key);
		if (history === undefined) return false;
		const at = history.locate(revision);
		if (at < 0 || history.mainAt(at) !== main || history.subAt(at) !== sub) return false;
		return history.versionAt(at) !== 0 || main === revision;
	}
}
