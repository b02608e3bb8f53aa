/**
 * A store in this process, for tests: the real state machine on the engine's twin in memory, without Raft, disk or network.
 * Leases expire, history is kept and compacted, watches behave as a member's do.
 */
import { type Clock, systemClock, type Timer } from "../../kit/clock.ts";
import { type Random, systemRandom } from "../../kit/random.ts";
import {
	type CallOptions,
	type CompactRequest,
	type DeleteRangeRequest,
	type LeaseGrantRequest,
	type PutRequest,
	type RangeRequest,
	type StoreClient,
	StoreError,
	type TxnRequest,
	type WatchHandle,
	type WatchHandler,
	type WatchRequest,
} from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { encodeCommand } from "../machine/codec.ts";
import { type Machine, openMachine } from "../machine/machine.ts";
import type { Applied, Command } from "../machine/types.ts";
import { type Replica, Requests } from "../member/requests.ts";
import { abortable } from "./abortable.ts";

export interface MemoryStoreOptions {
	readonly clock?: Clock | undefined;
	readonly random?: Random | undefined;
	/** Seconds; by default etcd's 2. */
	readonly minLeaseTtl?: number | undefined;
}

const expireEveryMs = 200;
const expireAtOnce = 1000;
const term = 1;

class LocalReplica implements Replica {
	readonly clusterId = 0xba59e5704en;
	readonly memberId = 1n;
	readonly term = term;
	readonly machine: Machine;
	readonly #clock: Clock;
	readonly #random: Random;
	readonly #timer: Timer;

	constructor(machine: Machine, clock: Clock, random: Random) {
		this.machine = machine;
		this.#clock = clock;
		this.#random = random;
		this.#timer = clock.every(expireEveryMs, () => this.#expire());
	}

	propose(
		command: Command,
		options: {
			readonly session?: bigint | undefined;
			readonly sequence?: number | undefined;
			readonly acknowledged?: number | undefined;
		} = {},
	): Promise<Applied> {
		const { session = 0n, sequence = 0, acknowledged = 0 } = options;
		const header = { session, sequence, acknowledged, time: Math.floor(this.#clock.now()), requestId: 0n };
		const data = encodeCommand(header, command);
		const entry = { term, index: this.machine.appliedIndex + 1, kind: "normal", data } as const;
		const [applied] = this.machine.apply([entry], () => undefined);
		if (applied === undefined) return Promise.reject(new StoreError("closed", "store is closed"));
		return Promise.resolve(applied);
	}

	async linearizableRead(): Promise<void> {}

	async leaseKeepAlive(id: bigint) {
		const { outcome, revision } = await this.propose({ kind: "lease_keepalive", ids: [id] });
		if (outcome instanceof Error) throw outcome;
		const ttl = outcome.kind === "lease_keepalive" ? (outcome.result[0]?.ttl ?? 0) : 0;
		return { id, ttl, revision };
	}

	newLeaseId(): bigint {
		return (this.#random.bytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn) | 1n;
	}

	#expire(): void {
		if (this.machine.leases().length === 0) return;
		// Time moves in small steps, so that no gap counts as an outage.
		void this.propose({ kind: "tick" });
		for (const id of this.machine.expiredLeases(this.machine.time, expireAtOnce)) {
			void this.propose({ kind: "lease_revoke", id, expired: true });
		}
	}

	async close(): Promise<void> {
		this.#timer.cancel();
		await this.machine.close();
	}
}

class MemoryStore implements StoreClient {
	readonly #opened: Promise<{ readonly replica: LocalReplica; readonly requests: Requests }>;
	#requests: Requests | undefined;
	readonly #watches = new Set<WatchHandle>();
	#closed = false;

	constructor(options: MemoryStoreOptions) {
		const clock = options.clock ?? systemClock;
		this.#opened = openMachine(new MemoryEngine()).then((machine) => {
			const replica = new LocalReplica(machine, clock, options.random ?? systemRandom);
			const usedBytes = () => machine.stats.trackedBytes;
			const limits = { usedBytes, ...(options.minLeaseTtl === undefined ? {} : { minLeaseTtl: options.minLeaseTtl }) };
			this.#requests = new Requests(replica, limits);
			return { replica, requests: this.#requests };
		});
	}

	/** Waits for the machine and asks it; the signal ends the wait for the answer. */
	async #ask<T>(options: CallOptions | undefined, ask: (requests: Requests) => T | Promise<T>): Promise<T> {
		if (this.#closed) throw new StoreError("closed", "client is closed");
		options?.signal?.throwIfAborted();
		const requests = this.#requests ?? (await abortable(this.#opened, options?.signal)).requests;
		return abortable(Promise.resolve(ask(requests)), options?.signal);
	}

	range(request: RangeRequest, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.range(request));
	}

	put(request: PutRequest, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.put(request));
	}

	deleteRange(request: DeleteRangeRequest, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.deleteRange(request));
	}

	txn(request: TxnRequest, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.txn(request));
	}

	compact(request: CompactRequest, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.compact(request));
	}

	leaseGrant(request: LeaseGrantRequest, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.leaseGrant(request));
	}

	leaseRevoke(id: bigint, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.leaseRevoke(id));
	}

	leaseKeepAlive(id: bigint, options?: CallOptions) {
		return this.#ask(options, (requests) => requests.leaseKeepAlive(id));
	}

	leaseTimeToLive(id: bigint, options?: CallOptions & { readonly keys?: boolean }) {
		return this.#ask(options, (requests) => requests.leaseTimeToLive(id, options?.keys === true));
	}

	leases(options?: CallOptions) {
		return this.#ask(options, (requests) => requests.leases());
	}

	currentRevision(options?: CallOptions): Promise<number> {
		return this.#ask(options, (requests) => requests.currentRevision());
	}

	watch(request: WatchRequest, handler: WatchHandler, options?: CallOptions): WatchHandle {
		if (this.#closed) throw new StoreError("closed", "client is closed");
		const signal = options?.signal;
		signal?.throwIfAborted();
		const onAbort = () => watch.cancel();
		const watch = new LocalWatch(handler, (handle) => {
			this.#watches.delete(handle);
			signal?.removeEventListener("abort", onAbort);
		});
		signal?.addEventListener("abort", onAbort, { once: true });
		this.#watches.add(watch);
		if (this.#requests !== undefined) watch.start(this.#requests, request);
		else this.#opened.then(({ requests }) => watch.start(requests, request));
		return watch;
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		// The machine ends every watch with `closed`.
		await (await this.#opened).replica.close();
	}
}

/** A watch whose machine may still be opening. */
class LocalWatch implements WatchHandle {
	readonly #handler: WatchHandler;
	readonly #forget: (watch: WatchHandle) => void;
	#handle: WatchHandle | undefined;
	#cancelled = false;
	#progressWanted = false;

	constructor(handler: WatchHandler, forget: (watch: WatchHandle) => void) {
		this.#handler = handler;
		this.#forget = forget;
	}

	start(requests: Requests, request: WatchRequest): void {
		if (this.#cancelled) return;
		try {
			this.#handle = requests.watch(request, {
				onBatch: (batch) => this.#handler.onBatch(batch),
				onEnd: (error) => {
					this.#forget(this);
					this.#handler.onEnd(error);
				},
			});
		} catch (error) {
			if (!(error instanceof StoreError)) throw error;
			// As over a connection, a refused watch ends after `watch` has returned.
			queueMicrotask(() => {
				this.#forget(this);
				if (!this.#cancelled) this.#handler.onEnd(error);
			});
			return;
		}
		if (this.#progressWanted) queueMicrotask(() => this.#handle?.requestProgress());
	}

	requestProgress(): void {
		// As over a connection, the answer comes later.
		if (this.#handle === undefined) this.#progressWanted = true;
		else queueMicrotask(() => this.#handle?.requestProgress());
	}

	cancel(): void {
		this.#cancelled = true;
		this.#handle?.cancel();
		this.#forget(this);
	}
}

/** Each call is a store of its own. Close it, or its timer and watches live on. */
export function memoryStore(options: MemoryStoreOptions = {}): StoreClient {
	return new MemoryStore(options);
}
