/**
 * Writes a snapshot's stream as a new generation beside the current one, checks it to its end, and switches by one synced
 * batch. A crash or a bad stream before that leaves the old state as it was; what was written goes away here or at the
 * next start.
 */
import type { Engine, EngineOp } from "../engine/types.ts";
import { readRevisionKey } from "../mvcc/record.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import { FormatError } from "./bytes.ts";
import { encodeGeneration, generationRange, pointerKey } from "./layout.ts";
import { encodeMeta, type Meta } from "./meta.ts";
import { checkHead, readSnapshot, type SnapshotTarget } from "./snapshot.ts";
import { encodeTerms, type State } from "./state.ts";

/** Bytes collected before they are written. */
const batchBytes = 1024 * 1024;

export interface PreparedSnapshot {
	readonly meta: Meta;
	/**
	 * Makes it the engine's state. When that rejects, nobody knows which of the two states the next start will find: nothing
	 * may be written or removed any more.
	 */
	activate(): Promise<void>;
}

/** Fills `fresh`, a new state of the next generation. Rejects with `FormatError` on a bad stream. */
export async function prepareSnapshot(
	engine: Engine,
	fresh: State,
	meta: SnapshotMeta,
	chunks: AsyncIterable<Buffer>,
): Promise<PreparedSnapshot> {
	const range = generationRange(fresh.generation);
	await engine.clear(range);
	const installation = new Installation(engine, fresh, meta);
	try {
		await readSnapshot(chunks, installation);
		return await installation.finish();
	} catch (error) {
		await engine.clear(range);
		throw error;
	}
}

class Installation implements SnapshotTarget {
	readonly #engine: Engine;
	readonly #state: State;
	readonly #wanted: SnapshotMeta;
	#meta: Meta | undefined;
	#ops: EngineOp[] = [];
	#bytes = 0;
	readonly #sessions: Buffer[] = [];

	constructor(engine: Engine, state: State, wanted: SnapshotMeta) {
		this.#engine = engine;
		this.#state = state;
		this.#wanted = wanted;
	}

	#put(key: Buffer, value: Buffer): void {
		this.#ops.push({ type: "put", key, value });
		this.#bytes += key.length + value.length;
	}

	head(meta: Meta): void {
		checkHead(meta, this.#wanted);
		this.#meta = { ...meta, conf: this.#wanted.conf };
		this.#state.setMeta(this.#meta);
	}

	lease(id: bigint, ttl: number, deadline: number): void {
		this.#state.lessor.restore(id, ttl, deadline);
		this.#put(this.#state.leaseKey(id), encodeTerms(ttl, deadline));
	}

	session(stored: Buffer): void {
		const kept = Buffer.from(stored);
		this.#sessions.push(kept);
		this.#put(this.#state.sessionKey(kept.readBigUInt64BE(1)), kept);
	}

	record(revisionKey: Buffer, record: Buffer): void {
		const { main, sub, tombstone } = readRevisionKey(revisionKey, 0);
		this.#state.space.load(main, sub, tombstone, record);
		this.#put(Buffer.concat([this.#state.recordPrefix, revisionKey]), record);
	}

	async frameDone(): Promise<void> {
		if (this.#bytes >= batchBytes) await this.#flush();
	}

	async #flush(): Promise<void> {
		const ops = this.#ops;
		this.#ops = [];
		this.#bytes = 0;
		await this.#engine.batch(ops, { sync: false });
	}

	async finish(): Promise<PreparedSnapshot> {
		const meta = this.#meta;
		if (meta === undefined) throw new FormatError("snapshot without a head");
		this.#state.sessions.restore(this.#sessions);
		this.#put(this.#state.metaKey, encodeMeta(meta));
		await this.#flush();
		const pointer = { type: "put", key: pointerKey, value: encodeGeneration(this.#state.generation) } as const;
		return { meta, activate: () => this.#engine.batch([pointer], { sync: true }) };
	}
}
