/** One generation of the machine's state in memory, and loading it from the engine. */
import type { Engine } from "../engine/types.ts";
import { Lessor } from "../lease/lessor.ts";
import { KeySpace } from "../mvcc/keyspace.ts";
import { readRevisionKey } from "../mvcc/record.ts";
import { Reader, Writer } from "./bytes.ts";
import { idKey, tablePrefix, tableRange } from "./layout.ts";
import { decodeMeta, type Meta } from "./meta.ts";
import { Records } from "./records.ts";
import { Sessions } from "./sessions.ts";
import { MachineTime } from "./time.ts";
import type { EngineWriter } from "./writer.ts";

export interface StateOptions {
	readonly cacheBytes: number;
}

export class State {
	readonly generation: number;
	readonly metaKey: Buffer;
	readonly recordPrefix: Buffer;
	readonly records: Records;
	readonly space: KeySpace;
	readonly lessor: Lessor;
	readonly sessions: Sessions;
	time = new MachineTime();
	/** Compactions up to here are done on the engine too. */
	compactedRevision = 0;
	readonly #leasePrefix: Buffer;
	readonly #sessionPrefix: Buffer;

	constructor(generation: number, engine: Engine, writer: EngineWriter, options: StateOptions) {
		this.generation = generation;
		this.metaKey = tablePrefix(generation, "m");
		this.recordPrefix = tablePrefix(generation, "r");
		this.#leasePrefix = tablePrefix(generation, "l");
		this.#sessionPrefix = tablePrefix(generation, "s");
		this.records = new Records(engine, writer, this.recordPrefix);
		this.lessor = new Lessor();
		this.space = new KeySpace(this.records, this.lessor, options.cacheBytes);
		this.sessions = new Sessions();
	}

	setMeta(meta: Meta): void {
		this.time = new MachineTime(meta.time, meta.paused, meta.timeTerm);
		this.compactedRevision = meta.compactedRevision;
		this.space.setRevisions(meta.revision, meta.compactRevision);
	}

	leaseKey(id: bigint): Buffer {
		return idKey(this.#leasePrefix, id);
	}

	sessionKey(id: bigint): Buffer {
		return idKey(this.#sessionPrefix, id);
	}

	/** A lease's stored form; undefined when it is gone. */
	encodeLease(id: bigint): Buffer | undefined {
		const lease = this.lessor.get(id);
		return lease === undefined ? undefined : encodeTerms(lease.ttl, lease.deadline);
	}
}

export function encodeTerms(ttl: number, deadline: number): Buffer {
	const w = new Writer(16);
	w.i53(ttl);
	w.i53(deadline);
	return w.done();
}

/** Fills a new state from the engine; undefined when the engine holds none (a new member). */
export async function loadState(state: State, engine: Engine): Promise<Meta | undefined> {
	const stored = engine.getSync(state.metaKey);
	if (stored === undefined) return undefined;
	const meta = decodeMeta(stored);
	state.setMeta(meta);
	// Leases before records: the records say which keys are attached.
	for await (const [key, value] of engine.iterate(tableRange(state.generation, "l"))) {
		const r = new Reader(value);
		const ttl = r.i53();
		const deadline = r.i53();
		r.end();
		state.lessor.restore(key.readBigUInt64BE(6), ttl, deadline);
	}
	const sessions: Buffer[] = [];
	for await (const [, value] of engine.iterate(tableRange(state.generation, "s"))) sessions.push(value);
	state.sessions.restore(sessions);
	for await (const [key, record] of engine.iterate(tableRange(state.generation, "r"))) {
		const { main, sub, tombstone } = readRevisionKey(key, state.recordPrefix.length);
		state.space.load(main, sub, tombstone, record);
	}
	return meta;
}
