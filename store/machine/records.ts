/**
 * Records by revision: written behind through the `EngineWriter`, read from memory while recent and from the engine
 * otherwise. The cache is two maps, a young and an old one; when the young is half the limit, the old is dropped, but
 * never before its records are on the engine, so what is not in the cache is always there.
 */
import type { Engine } from "../engine/types.ts";
import type { RecordStore } from "../mvcc/keyspace.ts";
import { revisionKey } from "../mvcc/record.ts";
import type { EngineWriter } from "./writer.ts";

const subsInNumber = 8192;
const maxMainInNumber = 2 ** 40;

/** A number for almost all revisions; both forms never collide. */
function revisionId(main: number, sub: number): number | string {
	return sub < subsInNumber && main < maxMainInNumber ? main * subsInNumber + sub : `${main}.${sub}`;
}

export class Records implements RecordStore {
	readonly #engine: Engine;
	readonly #writer: EngineWriter;
	readonly #prefix: Buffer;
	readonly #halfBytes: number;
	#young = new Map<number | string, Buffer>();
	#old = new Map<number | string, Buffer>();
	#youngBytes = 0;
	/** The writer's batch that takes the last record of the old map. */
	#oldSequence = 0;

	constructor(engine: Engine, writer: EngineWriter, prefix: Buffer, cacheBytes: number) {
		this.#engine = engine;
		this.#writer = writer;
		this.#prefix = prefix;
		this.#halfBytes = cacheBytes / 2;
	}

	read(main: number, sub: number): Buffer {
		const record = this.maybeRead(main, sub);
		if (record === undefined) throw new Error(`record of revision ${main}.${sub} is not on the engine`);
		return record;
	}

	/** Undefined when it was compacted away. */
	maybeRead(main: number, sub: number): Buffer | undefined {
		const id = revisionId(main, sub);
		return (
			this.#young.get(id) ?? this.#old.get(id) ?? this.#engine.getSync(revisionKey(this.#prefix, main, sub, false))
		);
	}

	write(main: number, sub: number, tombstone: boolean, record: Buffer): void {
		this.#writer.put(revisionKey(this.#prefix, main, sub, tombstone), record);
		if (tombstone) return;
		this.#young.set(revisionId(main, sub), record);
		this.#youngBytes += record.length + 100;
		if (this.#youngBytes > this.#halfBytes && this.#oldSequence <= this.#writer.written) this.#rotate();
	}

	#rotate(): void {
		this.#old = this.#young;
		this.#oldSequence = this.#writer.collecting;
		this.#young = new Map();
		this.#youngBytes = 0;
	}

	remove(main: number, sub: number, tombstone: boolean): void {
		const id = revisionId(main, sub);
		if (!this.#young.delete(id)) this.#old.delete(id);
		this.#writer.del(revisionKey(this.#prefix, main, sub, tombstone));
	}
}
