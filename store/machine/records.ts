/**
 * Records by revision: written behind through the `EngineWriter`, and kept in memory until they are on the engine, so what
 * is not here is always there. (The newest pairs stay in memory longer: `mvcc/cache.ts`.)
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
	/** Of the batch being collected, and of the one under way. */
	#collected = new Map<number | string, Buffer>();
	#underWay = new Map<number | string, Buffer>();

	constructor(engine: Engine, writer: EngineWriter, prefix: Buffer) {
		this.#engine = engine;
		this.#writer = writer;
		this.#prefix = prefix;
	}

	/** The batch being collected leaves for the engine; the one before it has arrived. */
	sealed(): void {
		this.#underWay = this.#collected;
		this.#collected = new Map();
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
			this.#collected.get(id) ??
			this.#underWay.get(id) ??
			this.#engine.getSync(revisionKey(this.#prefix, main, sub, false))
		);
	}

	write(main: number, sub: number, tombstone: boolean, record: Buffer): void {
		this.#writer.put(revisionKey(this.#prefix, main, sub, tombstone), record);
		if (!tombstone) this.#collected.set(revisionId(main, sub), record);
	}

	remove(main: number, sub: number, tombstone: boolean): void {
		const id = revisionId(main, sub);
		if (!this.#collected.delete(id)) this.#underWay.delete(id);
		this.#writer.del(revisionKey(this.#prefix, main, sub, tombstone));
	}
}
