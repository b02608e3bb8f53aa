/**
 * The revisions of one key that are still readable, oldest first, as numbers only: values are on the engine. What etcd
 * keeps as generations follows from the records: version 0 is a tombstone, and the record after it begins a new life
 * (`created` is its own revision).
 */

import type { KeyValue } from "../api.ts";

/** Numbers per older record: main, sub, created, version. */
const stride = 4;

export class KeyHistory {
	/** The newest record. */
	main: number;
	sub: number;
	/** Main revision that created the life the newest record belongs to (the tombstone belongs to the life it ends). */
	created: number;
	/** Puts since creation; 0: a tombstone. */
	version: number;
	/** Bytes of the newest record on the engine, with its key. */
	size: number;
	/** The newest pair itself while the cache (cache.ts) has it; never a tombstone's. */
	kv: KeyValue | undefined = undefined;
	/** Flat records before the newest; absent when there are none (most keys, after compaction). */
	#older: number[] | undefined = undefined;

	constructor(main: number, sub: number, created: number, version: number, size: number) {
		this.main = main;
		this.sub = sub;
		this.created = created;
		this.version = version;
		this.size = size;
	}

	get alive(): boolean {
		return this.version !== 0;
	}

	/** Revisions of this key still held. */
	get length(): number {
		return (this.#older === undefined ? 0 : this.#older.length / stride) + 1;
	}

	/** Appends a newer record. */
	push(main: number, sub: number, created: number, version: number, size: number): void {
		if (main < this.main || (main === this.main && sub <= this.sub)) {
			throw new Error(`revision ${main}.${sub} does not follow ${this.main}.${this.sub}`);
		}
		if (this.#older === undefined) this.#older = [this.main, this.sub, this.created, this.version];
		else this.#older.push(this.main, this.sub, this.created, this.version);
		this.main = main;
		this.sub = sub;
		this.created = created;
		this.version = version;
		this.size = size;
	}

	/** Position of the last record at or before main revision `revision`; -1 when there is none. */
	locate(revision: number): number {
		const older = this.#older;
		if (this.main <= revision) return older === undefined ? 0 : older.length / stride;
		if (older === undefined) return -1;
		let low = 0;
		let end = older.length / stride;
		while (low < end) {
			const middle = (low + end) >>> 1;
			if (older[middle * stride]! <= revision) low = middle + 1;
			else end = middle;
		}
		return low - 1;
	}

	#field(position: number, field: number): number | undefined {
		return this.#older?.[position * stride + field];
	}

	mainAt(position: number): number {
		return this.#field(position, 0) ?? this.main;
	}

	subAt(position: number): number {
		return this.#field(position, 1) ?? this.sub;
	}

	createdAt(position: number): number {
		return this.#field(position, 2) ?? this.created;
	}

	versionAt(position: number): number {
		return this.#field(position, 3) ?? this.version;
	}

	/**
	 * Forgets what a reader at or after `revision` cannot see: everything before the last record at or before it, and that
	 * one too if it is a tombstone of an earlier revision (a watcher may still begin at `revision` itself, so a tombstone
	 * of exactly `revision` stays, as in etcd). Each forgotten record is given to `drop`. True: nothing is left.
	 */
	compact(revision: number, drop: (main: number, sub: number, tombstone: boolean) => void): boolean {
		const last = this.locate(revision);
		if (last < 0) return false;
		const dead = this.versionAt(last) === 0 && this.mainAt(last) < revision;
		const keepFrom = dead ? last + 1 : last;
		if (keepFrom === 0) return false;
		const total = this.length;
		for (let i = 0; i < keepFrom; i++) drop(this.mainAt(i), this.subAt(i), this.versionAt(i) === 0);
		if (keepFrom >= total - 1) this.#older = undefined;
		else this.#older = this.#older?.slice(keepFrom * stride);
		return keepFrom === total;
	}
}
