/**
 * The replicated state machine over an engine. `apply` changes the state in memory, synchronously; what changed is written
 * behind it, one engine batch at a time, each with the applied index in it. Reads never wait for the engine's writes.
 */
import { type Logger, silentLogger } from "../../kit/log.ts";
import {
	type LeaseTimeToLiveResult,
	type RangeRequest,
	type RangeResult,
	StoreError,
	type TxnRequest,
	type WatchHandler,
	type WatchRequest,
} from "../api.ts";
import type { Engine, EngineOp } from "../engine/types.ts";
import { checkRange, checkTxn } from "../mvcc/check.ts";
import { compacted, futureRevision } from "../mvcc/errors.ts";
import { hashRecords } from "../mvcc/hash.ts";
import type { Change } from "../mvcc/keyspace.ts";
import { executeRange, type RangeOptions } from "../mvcc/read.ts";
import { decodeRecord, readRevisionKey, revisionKey } from "../mvcc/record.ts";
import { planReads, type ReadPlan } from "../mvcc/write.ts";
import type { ConfState, Entry, SnapshotMeta } from "../raft/types.ts";
import { type HistoryRecord, WatchHub, type WatchSource } from "../watch/hub.ts";
import type { WatchCursor } from "../watch/types.ts";
import { decodeCommand } from "./codec.ts";
import { Compactor } from "./compactor.ts";
import { type Executed, execute } from "./execute.ts";
import { prepareSnapshot } from "./install.ts";
import { decodeGeneration, generationRange, otherGenerations, pointerKey, tableRange } from "./layout.ts";
import { encodeMeta, type Meta, noConf } from "./meta.ts";
import { encodeLease, writeSnapshot } from "./snapshot.ts";
import { loadState, State } from "./state.ts";
import type { Applied, CommandHeader, StateMachine } from "./types.ts";
import { EngineWriter } from "./writer.ts";

/** Nothing here changes what an entry does: that follows from the log alone, and is the same on every member. */
export interface MachineOptions {
	readonly logger?: Logger | undefined;
	/** Bytes of recently written pairs kept in memory for reads. Default 64 MiB. */
	readonly cacheBytes?: number | undefined;
	/** Bytes of recent events kept in memory for watchers a little behind. Default 16 MiB. */
	readonly recentBytes?: number | undefined;
	/**
	 * Lets the event loop turn between slices of background work (`() => setImmediate` in production). Default: only
	 * promises turn.
	 */
	readonly turn?: (() => Promise<void>) | undefined;
	/** Waits a few ms before each engine batch, so that more commands share one. Default: none. */
	readonly gather?: (() => Promise<void>) | undefined;
	/** The engine failed or an invariant broke: the member must stop. */
	readonly onFatal?: ((error: unknown) => void) | undefined;
}

/** For metrics. */
export interface MachineStats {
	readonly keys: number;
	readonly indexedKeys: number;
	readonly trackedBytes: number;
	readonly leases: number;
	readonly sessions: number;
	readonly sessionBytes: number;
	readonly watchers: { readonly synced: number; readonly unsynced: number; readonly paused: number };
}

/**
 * Opens the machine on `engine`, which it owns from then on. Removes what an interrupted snapshot installation left, loads
 * the index, and goes on with an unfinished compaction.
 */
export async function openMachine(engine: Engine, options: MachineOptions = {}): Promise<Machine> {
	const generation = decodeGeneration(engine.getSync(pointerKey));
	for (const range of otherGenerations(generation)) await engine.clear(range);
	const machine = new Machine(engine, generation, options);
	await machine.load();
	return machine;
}

const defaultTurn = () => Promise.resolve();
const smallestKey = Buffer.from([0]);

export class Machine implements StateMachine {
	readonly #engine: Engine;
	readonly #options: MachineOptions;
	readonly #logger: Logger;
	readonly #turn: () => Promise<void>;
	readonly #writer: EngineWriter;
	readonly #hub: WatchHub;
	#state: State;
	#compactor: Compactor;
	#index = 0;
	#term = 0;
	#conf: ConfState = noConf;
	/** What the batch under way, and the last durable one, hold. */
	#sealed = { meta: { index: 0, term: 0, conf: noConf } as SnapshotMeta, revision: 1, generation: 0 };
	#durable: SnapshotMeta = { index: 0, term: 0, conf: noConf };
	#writtenRevision = 1;
	#broken: unknown;
	#restoring = false;
	#cleanup: Promise<void> = Promise.resolve();

	constructor(engine: Engine, generation: number, options: MachineOptions) {
		this.#engine = engine;
		this.#options = options;
		this.#logger = options.logger ?? silentLogger;
		this.#turn = options.turn ?? defaultTurn;
		this.#writer = new EngineWriter(engine, {
			seal: (add) => this.#seal(add),
			written: (_sequence, synced) => this.#written(synced),
			failed: (error) => this.#fail(error),
			gather: options.gather,
		});
		this.#state = this.#newState(generation);
		this.#compactor = this.#newCompactor();
		const recentBytes = options.recentBytes ?? 16 * 2 ** 20;
		this.#hub = new WatchHub(this.#watchSource(), { logger: this.#logger, recentBytes, turn: this.#turn });
	}

	#newState(generation: number): State {
		return new State(generation, this.#engine, this.#writer, {
			cacheBytes: this.#options.cacheBytes ?? 64 * 2 ** 20,
		});
	}

	#newCompactor(): Compactor {
		const state = this.#state;
		return new Compactor(state.space, this.#writer, state.compactedRevision, {
			turn: this.#turn,
			done: (revision) => {
				state.compactedRevision = revision;
				this.#writer.touch();
				this.#writer.kick();
			},
			failed: (error) => this.#fail(error),
		});
	}

	/** Called once, by `openMachine`. */
	async load(): Promise<void> {
		const meta = await loadState(this.#state, this.#engine);
		if (meta === undefined) return;
		this.#adopt(meta);
		// Data written by a killed process may not have reached the medium yet.
		this.#writer.touch();
		await this.#writer.flushed(true);
	}

	/** The state in `#state` is that of `meta`, and it is on the engine. */
	#adopt(meta: Meta): void {
		this.#index = meta.index;
		this.#term = meta.term;
		this.#conf = meta.conf;
		this.#writtenRevision = meta.revision;
		this.#hub.reset();
		this.#compactor = this.#newCompactor();
		this.#compactor.compactTo(meta.compactRevision);
	}

	get appliedIndex(): number {
		return this.#index;
	}

	get appliedTerm(): number {
		return this.#term;
	}

	get durableIndex(): number {
		return this.#durable.index;
	}

	get conf(): ConfState {
		return this.#conf;
	}

	get revision(): number {
		return this.#state.space.revision;
	}

	get compactRevision(): number {
		return this.#state.space.compactRevision;
	}

	get time(): number {
		return this.#state.time.time;
	}

	get sessionCount(): number {
		return this.#state.sessions.size;
	}

	get pendingBytes(): number {
		return this.#writer.pendingBytes;
	}

	get stats(): MachineStats {
		const { space, lessor, sessions } = this.#state;
		return {
			keys: space.liveKeys,
			indexedKeys: space.indexedKeys,
			trackedBytes: space.trackedBytes,
			leases: lessor.size,
			sessions: sessions.size,
			sessionBytes: sessions.bytes,
			watchers: this.#hub.counts,
		};
	}

	#fail(error: unknown): void {
		if (this.#broken !== undefined) return;
		this.#broken = error;
		this.#logger.error("state machine failed", { error });
		this.#options.onFatal?.(error);
	}

	#assertUsable(): void {
		if (this.#broken !== undefined) throw new Error("state machine failed before", { cause: this.#broken });
		if (this.#restoring) throw new Error("a snapshot is being installed");
	}

	apply(entries: readonly Entry[], confAfter: (entry: Entry) => ConfState | undefined): Applied[] {
		this.#assertUsable();
		const applied: Applied[] = [];
		try {
			for (const entry of entries) {
				const answer = this.#applyEntry(entry, confAfter);
				if (answer !== undefined) applied.push(answer);
			}
		} catch (error) {
			// What was applied before it in this call is not written: a restart meets the same entry again.
			this.#fail(error);
			throw error;
		}
		this.#hub.flush();
		if (entries.length > 0) this.#writer.touch();
		this.#writer.kick();
		return applied;
	}

	#applyEntry(entry: Entry, confAfter: (entry: Entry) => ConfState | undefined): Applied | undefined {
		if (entry.index !== this.#index + 1) throw new Error(`entry ${entry.index} does not follow ${this.#index}`);
		let answer: Applied | undefined;
		if (entry.kind === "confchange") this.#conf = confAfter(entry) ?? this.#conf;
		else if (entry.data.length > 0) answer = this.#applyCommand(entry);
		this.#index = entry.index;
		this.#term = entry.term;
		return answer;
	}

	#applyCommand(entry: Entry): Applied {
		const { header, command } = decodeCommand(entry.data);
		const state = this.#state;
		state.time.advance(header.time, entry.term);
		state.sessions.expire(state.time.active);
		const inSession = header.session !== 0n && command.kind !== "session_open" && command.kind !== "session_close";
		if (inSession) {
			const { session, sequence, acknowledged } = header;
			const lookup = state.sessions.begin(session, sequence, acknowledged, entry.index, state.time.active);
			if (!lookup.run) return this.#applied(entry, header, lookup);
		}
		// Watchers' previous values must be read before this entry makes them unreadable.
		if (command.kind === "compact") this.#hub.flush();
		const executed = execute(state, entry, header, command);
		this.#publish(executed.changes);
		if (command.kind === "compact" && executed.effective) this.#compactor.compactTo(state.space.compactRevision);
		if (inSession) {
			const kept = executed.effective && !(executed.outcome instanceof StoreError) ? executed.outcome : undefined;
			state.sessions.record(header.session, header.sequence, state.space.revision, kept);
		}
		return this.#applied(entry, header, executed);
	}

	#applied(entry: Entry, header: CommandHeader, from: { outcome: Executed["outcome"]; revision?: number | undefined }) {
		return { index: entry.index, header, revision: from.revision ?? this.revision, outcome: from.outcome };
	}

	#publish(changes: readonly Change[]): void {
		if (changes.length > 0) this.#hub.publish(this.#state.space.revision, changes);
	}

	#meta(): Meta {
		const { time, space, compactedRevision } = this.#state;
		return {
			index: this.#index,
			term: this.#term,
			conf: this.#conf,
			time: time.time,
			paused: time.paused,
			timeTerm: time.term,
			revision: space.revision,
			compactRevision: space.compactRevision,
			compactedRevision,
		};
	}

	#seal(add: (op: EngineOp) => void): void {
		// An entry may have failed halfway: nothing of it may reach the engine.
		if (this.#broken !== undefined) throw new Error("state machine failed before", { cause: this.#broken });
		const state = this.#state;
		const store = (key: Buffer, value: Buffer | undefined) =>
			add(value === undefined ? { type: "del", key } : { type: "put", key, value });
		for (const id of state.lessor.takeDirty()) store(state.leaseKey(id), state.encodeLease(id));
		for (const id of state.sessions.takeDirty()) store(state.sessionKey(id), state.sessions.encode(id));
		state.records.sealed();
		const meta = this.#meta();
		add({ type: "put", key: state.metaKey, value: encodeMeta(meta) });
		const { index, term, conf, revision } = meta;
		this.#sealed = { meta: { index, term, conf }, revision, generation: state.generation };
	}

	#written(synced: boolean): void {
		// Of the state that a snapshot replaced while the batch was under way: says nothing about the new one.
		if (this.#sealed.generation !== this.#state.generation) return;
		this.#writtenRevision = this.#sealed.revision;
		if (synced) this.#durable = this.#sealed.meta;
	}

	async sync(): Promise<SnapshotMeta> {
		await this.#writer.flushed(true);
		return this.#durable;
	}

	compactionDone(revision: number): Promise<void> {
		return this.#compactor.whenDone(Math.min(revision, this.compactRevision));
	}

	range(request: RangeRequest, options?: RangeOptions): RangeResult {
		const error = checkRange(request);
		if (error !== undefined) throw error;
		return executeRange(this.#state.space, request, options);
	}

	planReads(request: TxnRequest): ReadPlan {
		const error = checkTxn(request);
		if (error !== undefined) throw error;
		return planReads(this.#state.space, request);
	}

	leaseTimeToLive(id: bigint, keys: boolean): LeaseTimeToLiveResult {
		const lease = this.#state.lessor.get(id);
		if (lease === undefined) return { id, ttl: -1, grantedTtl: 0, keys: [] };
		const left = Math.max(0, Math.floor((lease.deadline - this.#state.time.active) / 1000));
		const attached = keys ? [...lease.keys].sort().map((key) => Buffer.from(key, "latin1")) : [];
		return { id, ttl: left, grantedTtl: lease.ttl, keys: attached };
	}

	leases(): bigint[] {
		return this.#state.lessor.list();
	}

	expiredLeases(now: number, limit: number): bigint[] {
		return this.#state.lessor.expired(this.#state.time.activeAt(now), limit);
	}

	watch(request: WatchRequest, handler: WatchHandler): WatchCursor {
		// As in etcd, a watch without a key begins at the smallest there is.
		const wanted = request.key.length === 0 ? { ...request, key: smallestKey } : request;
		return this.#hub.watch(wanted, handler);
	}

	#watchSource(): WatchSource {
		const machine = this;
		return {
			get revision() {
				return machine.revision;
			},
			get compactRevision() {
				return machine.compactRevision;
			},
			get writtenRevision() {
				return machine.#writtenRevision;
			},
			history: (from, to) => machine.#history(from, to),
			previous(key, main) {
				const { space } = machine.#state;
				// As in etcd, the state before a revision that is compacted is not readable.
				if (main <= space.compactRevision) return undefined;
				const found = space.find(key, main - 1);
				return found === undefined ? undefined : space.fetch(found);
			},
			replaced(change, main) {
				const { space, records } = machine.#state;
				if (change.previousMain === 0 || main <= space.compactRevision) return undefined;
				if (change.previousKv !== undefined) return change.previousKv;
				const record = records.maybeRead(change.previousMain, change.previousSub);
				return record === undefined ? undefined : decodeRecord(record);
			},
		};
	}

	async *#history(from: number, to: number): AsyncGenerator<HistoryRecord> {
		const prefix = this.#state.recordPrefix;
		const range = { gte: revisionKey(prefix, from, 0, false), lt: revisionKey(prefix, to + 1, 0, false) };
		for await (const [key, record] of this.#engine.iterate(range)) {
			yield { ...readRevisionKey(key, prefix.length), record };
		}
	}

	async hash(wanted: number) {
		this.#assertUsable();
		const state = this.#state;
		const { space, generation, recordPrefix } = state;
		const revision = wanted > 0 ? wanted : space.revision;
		const compactRevision = space.compactRevision;
		if (revision < compactRevision) throw compacted(compactRevision);
		if (revision > space.revision) throw futureRevision();
		const unpin = this.#compactor.pin();
		try {
			await this.#writer.flushed(false);
			this.#assertStill(state);
			const records = this.#engine.iterate(tableRange(generation, "r"));
			const hash = await hashRecords(space, revision, compactRevision, records, recordPrefix.length);
			// etcd's word for "never compacted".
			return { hash, revision, compactRevision: compactRevision === 0 ? -1 : compactRevision };
		} finally {
			unpin();
		}
	}

	/**
	 * `chunks` must be read to the end or left by its `return`: until then the engine keeps the view it was taken at.
	 */
	snapshot(): { readonly meta: SnapshotMeta; readonly chunks: AsyncIterable<Buffer> } {
		this.#assertUsable();
		const { lessor, sessions, recordPrefix } = this.#state;
		const meta = this.#meta();
		const leases = [...lessor.all()].map(encodeLease);
		const kept = [...sessions.ids()].map((id) => sessions.encode(id)!);
		const head = { meta: { ...meta, compactedRevision: 0 }, leases, sessions: kept };
		const records = this.#openRecords(meta.revision);
		const chunks = writeSnapshot(head, records, recordPrefix.length);
		return { meta: { index: meta.index, term: meta.term, conf: meta.conf }, chunks };
	}

	/** Records up to `revision`, as of now: nothing is removed before the engine's view of them is taken. */
	#openRecords(revision: number): AsyncIterable<readonly [Buffer, Buffer]> {
		const state = this.#state;
		const { recordPrefix } = state;
		const range = { gte: recordPrefix, lt: revisionKey(recordPrefix, revision + 1, 0, false) };
		const unpin = this.#compactor.pin();
		const opened = this.#writer
			.flushed(false)
			.then(() => {
				this.#assertStill(state);
				return this.#engine.iterate(range);
			})
			.finally(unpin);
		// The reader gets the rejection; without a reader it must not stop the process.
		opened.catch((error: unknown) => this.#logger.warn("snapshot could not be opened", { error }));
		return {
			async *[Symbol.asyncIterator]() {
				yield* await opened;
			},
		};
	}

	#assertStill(state: State): void {
		if (this.#state !== state) throw new StoreError("unavailable", "etcdserver: the state was replaced by a snapshot");
	}

	async restore(meta: SnapshotMeta, chunks: AsyncIterable<Buffer>): Promise<void> {
		this.#assertUsable();
		this.#restoring = true;
		try {
			await this.#cleanup;
			await this.#writer.flushed(false);
			const old = this.#state;
			const fresh = this.#newState(old.generation + 1);
			const prepared = await prepareSnapshot(this.#engine, fresh, meta, chunks);
			try {
				await prepared.activate();
			} catch (error) {
				this.#fail(error);
				throw error;
			}
			this.#compactor.stop();
			this.#state = fresh;
			this.#durable = meta;
			this.#adopt(prepared.meta);
			this.#cleanup = this.#engine
				.clear(generationRange(old.generation))
				.catch((error: unknown) => this.#logger.warn("removing the replaced state failed", { error }));
		} finally {
			this.#restoring = false;
		}
	}

	async close(): Promise<void> {
		this.#compactor.stop();
		this.#hub.close(new StoreError("closed", "etcdserver: server stopped"));
		try {
			if (!this.#writer.failed) await this.#writer.flushed(false);
			await this.#cleanup;
		} finally {
			await this.#engine.close();
		}
	}
}
