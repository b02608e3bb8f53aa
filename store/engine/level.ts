/** The engine on LevelDB (`level`). */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import type { Engine, EngineOp, EngineRange } from "./types.ts";

const buffers = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
/** Pairs fetched from LevelDB's thread at a time. */
const pairsPerRead = 500;

export interface LevelEngineOptions {
	/** Bytes of LevelDB's memtable before it is written out; up to two are in memory. */
	readonly writeBufferBytes?: number | undefined;
	/** Bytes of LevelDB's cache of uncompressed blocks. */
	readonly blockCacheBytes?: number | undefined;
	/** Descriptors for its files, from LevelDB's least (74) up. Default 1000. */
	readonly maxOpenFiles?: number | undefined;
	/** Makes a file's bytes durable; for tests. */
	readonly syncFile?: ((path: string) => Promise<void>) | undefined;
}

async function fdatasyncFile(path: string): Promise<void> {
	const file = await open(path, "r+");
	try {
		await file.datasync();
	} finally {
		await file.close();
	}
}

/** Opens or creates the database in directory `path`. Rejects when another process holds it or it is damaged. */
export async function openLevelEngine(path: string, options: LevelEngineOptions = {}): Promise<Engine> {
	const db = new Level<Buffer, Buffer>(path, {
		...buffers,
		writeBufferSize: options.writeBufferBytes ?? 32 * 2 ** 20,
		...(options.maxOpenFiles === undefined ? {} : { maxOpenFiles: options.maxOpenFiles }),
		cacheSize: options.blockCacheBytes ?? 32 * 2 ** 20,
	});
	await db.open();
	return new LevelEngine(db, path, options.syncFile ?? fdatasyncFile);
}

class LevelEngine implements Engine {
	readonly #db: Level<Buffer, Buffer>;
	readonly #path: string;
	readonly #syncFile: (path: string) => Promise<void>;
	/** Resolves when the last write made has settled; undefined when none is under way. */
	#last: Promise<void> | undefined;

	constructor(db: Level<Buffer, Buffer>, path: string, syncFile: (path: string) => Promise<void>) {
		this.#db = db;
		this.#path = path;
		this.#syncFile = syncFile;
	}

	getSync(key: Buffer): Buffer | undefined {
		return this.#db.getSync(key, buffers);
	}

	iterate(range: EngineRange): AsyncIterable<readonly [Buffer, Buffer]> {
		// LevelDB takes the snapshot when the iterator is made, so it is made here and not at the first read.
		const iterator = this.#db.iterator({
			...buffers,
			...(range.gte === undefined ? {} : { gte: range.gte }),
			...(range.lt === undefined ? {} : { lt: range.lt }),
			reverse: range.reverse === true,
			limit: range.limit ?? -1,
		});
		return new LevelPairs(iterator);
	}

	batch(ops: readonly EngineOp[], { sync }: { readonly sync: boolean }): Promise<void> {
		return this.#inOrder(async () => {
			if (sync) await this.#syncLogs();
			await this.#write(ops, sync);
		});
	}

	/** At once, unless something is under way: LevelDB's calls run on threads, and two at a time may overtake each other. */
	#inOrder(work: () => Promise<void>): Promise<void> {
		const run = this.#last === undefined ? work() : this.#last.then(work);
		const settled = () => {
			if (this.#last === last) this.#last = undefined;
		};
		const last: Promise<void> = run.then(settled, settled);
		this.#last = last;
		return run;
	}

	#write(ops: readonly EngineOp[], sync: boolean): Promise<void> {
		// A chained batch: half the price of an array, whose objects are taken apart and put together again.
		const batch = this.#db.batch();
		for (const op of ops) {
			if (op.type === "put") batch.put(op.key, op.value);
			else batch.del(op.key);
		}
		return batch.write({ sync });
	}

	/**
	 * LevelDB's synced write syncs only its present log file. Earlier batches may lie in the one before, left unsynced when
	 * the memtable was switched and needed until that is written out: a power cut could lose them and keep this batch.
	 */
	async #syncLogs(): Promise<void> {
		const logs = (await readdir(this.#path)).filter((name) => name.endsWith(".log"));
		for (const name of logs) {
			try {
				await this.#syncFile(join(this.#path, name));
			} catch (error) {
				// Removed since: what it held is in a table, which LevelDB syncs before.
				if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
			}
		}
	}

	clear(range: { readonly gte: Buffer; readonly lt: Buffer }): Promise<void> {
		return this.#inOrder(() => this.#db.clear({ ...range, keyEncoding: "buffer" }));
	}

	async close(): Promise<void> {
		await this.#last;
		await this.#db.close();
	}
}

interface PairIterator {
	nextv(size: number): Promise<[Buffer, Buffer][]>;
	close(): Promise<void>;
}

/** One pass over an iterator, closed at its end or when the reader leaves early, also before its first read. */
class LevelPairs implements AsyncIterable<readonly [Buffer, Buffer]>, AsyncIterator<readonly [Buffer, Buffer]> {
	readonly #iterator: PairIterator;
	#read: [Buffer, Buffer][] = [];
	#at = 0;

	constructor(iterator: PairIterator) {
		this.#iterator = iterator;
	}

	[Symbol.asyncIterator](): AsyncIterator<readonly [Buffer, Buffer]> {
		return this;
	}

	async next(): Promise<IteratorResult<readonly [Buffer, Buffer]>> {
		if (this.#at === this.#read.length) {
			this.#read = await this.#iterator.nextv(pairsPerRead);
			this.#at = 0;
			if (this.#read.length === 0) return this.return();
		}
		return { done: false, value: this.#read[this.#at++]! };
	}

	async return(): Promise<IteratorResult<readonly [Buffer, Buffer]>> {
		await this.#iterator.close();
		return { done: true, value: undefined };
	}
}
