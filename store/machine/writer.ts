/**
 * Writes behind the machine: one engine batch at a time; everything added while it runs goes with the next. Each batch is
 * completed by `seal` right before it leaves, which adds the applied index and whatever else changed.
 */
import type { Engine, EngineOp } from "../engine/types.ts";

/** A batch of this size leaves without gathering more. */
const fullBatchBytes = 1 << 20;
/** Accounted for each operation beside its key and value. */
const opOverhead = 64;

export interface WriterHooks {
	/** Adds the state's head to a batch about to leave; called synchronously with taking it. */
	seal(add: (op: EngineOp) => void): void;
	/** Batch `sequence` is on the engine; `synced`: and durable, with all before it. */
	written(sequence: number, synced: boolean): void;
	/** A batch failed. Nothing is written any more; what is in memory is ahead of the engine for good. */
	failed(error: unknown): void;
	/** Waits a little before a batch, so that more commands share it and what they change alike is written once. */
	readonly gather?: (() => Promise<void>) | undefined;
}

interface Waiter {
	readonly sequence: number;
	readonly sync: boolean;
	resolve(): void;
	reject(error: unknown): void;
}

export class EngineWriter {
	readonly #engine: Engine;
	readonly #hooks: WriterHooks;
	#ops: EngineOp[] = [];
	#bytes = 0;
	#inFlightBytes = 0;
	#dirty = false;
	#running = false;
	#error: unknown;
	#waiters: Waiter[] = [];
	/** Sequence of the batch now being collected. */
	collecting = 1;
	/** Every batch up to this one is on the engine. */
	written = 0;
	/** Every batch up to this one is durable. */
	#durable = 0;

	constructor(engine: Engine, hooks: WriterHooks) {
		this.#engine = engine;
		this.#hooks = hooks;
	}

	/** Bytes added but not yet on the engine. */
	get pendingBytes(): number {
		return this.#bytes + this.#inFlightBytes;
	}

	get failed(): boolean {
		return this.#error !== undefined;
	}

	put(key: Buffer, value: Buffer): void {
		this.#ops.push({ type: "put", key, value });
		this.#bytes += key.length + value.length + opOverhead;
		this.#dirty = true;
	}

	del(key: Buffer): void {
		this.#ops.push({ type: "del", key });
		this.#bytes += key.length + opOverhead;
		this.#dirty = true;
	}

	/** The head changed. */
	touch(): void {
		this.#dirty = true;
	}

	/** Sends what was added, now or after the batch under way. */
	kick(): void {
		if (this.#running || this.#error !== undefined || !(this.#dirty || this.#wantsSync())) return;
		this.#running = true;
		// `#run` handles its errors itself.
		void this.#run();
	}

	#wantsSync(): boolean {
		return this.#waiters.some((waiter) => waiter.sync);
	}

	async #run(): Promise<void> {
		try {
			while (this.#dirty || this.#wantsSync()) {
				const { gather } = this.#hooks;
				// Nobody waits for the engine: an answer needs only the log.
				if (gather !== undefined && this.#waiters.length === 0 && this.#bytes < fullBatchBytes) await gather();
				await this.#writeBatch();
			}
			this.#running = false;
		} catch (error) {
			this.#running = false;
			this.#error = error;
			for (const waiter of this.#waiters) waiter.reject(error);
			this.#waiters = [];
			this.#hooks.failed(error);
		}
	}

	async #writeBatch(): Promise<void> {
		const ops = this.#ops;
		this.#hooks.seal((op) => ops.push(op));
		const sequence = this.collecting++;
		const sync = this.#wantsSync();
		this.#ops = [];
		this.#inFlightBytes = this.#bytes;
		this.#bytes = 0;
		this.#dirty = false;
		await this.#engine.batch(ops, { sync });
		this.#inFlightBytes = 0;
		this.written = sequence;
		if (sync) this.#durable = sequence;
		this.#hooks.written(sequence, sync);
		this.#settle();
	}

	#settle(): void {
		const due = this.#waiters.filter((one) => one.sequence <= (one.sync ? this.#durable : this.written));
		if (due.length === 0) return;
		this.#waiters = this.#waiters.filter((one) => one.sequence > (one.sync ? this.#durable : this.written));
		for (const waiter of due) waiter.resolve();
	}

	/** Resolves when everything added so far is on the engine, with `sync` durably. */
	flushed(sync: boolean): Promise<void> {
		if (this.#error !== undefined) return Promise.reject(this.#error);
		const sequence = this.#dirty ? this.collecting : this.collecting - 1;
		if (sequence <= (sync ? this.#durable : this.written)) return Promise.resolve();
		return new Promise((resolve, reject) => {
			this.#waiters.push({ sequence, sync, resolve, reject });
			this.kick();
		});
	}
}
