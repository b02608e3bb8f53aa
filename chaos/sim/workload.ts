/** Clients of a run: the production client over the simulated network, one operation after the other each. */
import { sleep } from "../../kit/clock.ts";
import type { Random } from "../../kit/random.ts";
import type { VirtualClock } from "../../kit/sim/clock.ts";
import { type StoreClient, StoreError, type StoreErrorCode, type WatchHandle } from "../../store/api.ts";
import { connectStore } from "../../store/client/client.ts";
import {
	describeOutcome,
	describeRequest,
	type History,
	type LeaseRecord,
	type Outcome,
	recordBatch,
	type Seen,
	seen,
	type WatchRecord,
	type WorkOperation,
	type WorkRequest,
} from "./history.ts";
import type { NodeName, SimNetwork } from "./network.ts";

export const registers: readonly string[] = ["r/0", "r/1", "r/2", "r/3"];
const registerEnd = "r0";

export interface WorkloadOptions {
	readonly clock: VirtualClock;
	readonly network: SimNetwork;
	readonly random: Random;
	readonly history: History;
	readonly note: (line: string) => void;
	readonly members: readonly NodeName[];
	readonly requestTimeoutMs: number;
	readonly compacts: boolean;
	readonly leases: boolean;
	readonly onlyReads: boolean;
	/** Longest time between two operations, ms. */
	readonly thinkMs: number;
	/** A named code path was taken. */
	readonly reached: (path: string) => void;
}

/** Codes after which a write may have been applied; every other says that it was not. */
const uncertain: ReadonlySet<StoreErrorCode> = new Set(["outcome_unknown", "closed", "timeout"]);

export class WorkloadClient {
	readonly name: string;
	readonly store: StoreClient;
	readonly #options: WorkloadOptions;
	readonly #watches: { readonly record: WatchRecord; handle: WatchHandle }[] = [];
	#stopping = false;
	#values = 0;
	#lists = 0;
	#lease: LeaseRecord | undefined;
	/** Highest revision seen in an answer. */
	#revision = 0;
	/** What this client last knew of each register. */
	readonly #known = new Map<string, string | null>();

	constructor(name: string, options: WorkloadOptions) {
		this.name = name;
		this.#options = options;
		const { clock, network, random, members } = options;
		this.store = connectStore({
			endpoints: members,
			clock,
			random,
			requestTimeoutMs: options.requestTimeoutMs,
			connector: { connect: (endpoint) => network.connect(name, endpoint) },
		});
	}

	/** Works until told to stop. */
	async run(): Promise<void> {
		const { clock, random, thinkMs, leases } = this.#options;
		this.#watch(undefined, 1);
		if (leases) void this.#keepLease();
		while (!this.#stopping) {
			await sleep(clock, random.float() * thinkMs);
			await this.#next();
		}
	}

	stop(): void {
		this.#stopping = true;
	}

	/** A linearizable read of every register, for the end. */
	async readAll(): Promise<WorkOperation> {
		return this.#perform({ kind: "list", keys: registers });
	}

	askProgress(): void {
		for (const { handle } of this.#watches) handle.requestProgress();
	}

	async close(): Promise<void> {
		await this.store.close();
	}

	async #next(): Promise<void> {
		const { random, compacts, onlyReads } = this.#options;
		const key = registers[random.int(registers.length)]!;
		if (onlyReads) {
			await this.#perform({ kind: "get", key, serializable: false });
			return;
		}
		const dice = random.int(100);
		if (dice < 30) await this.#perform({ kind: "put", key, value: this.#value(), lease: 0n });
		else if (dice < 40) await this.#perform({ kind: "delete", key });
		else if (dice < 60) await this.#perform({ kind: "get", key, serializable: false });
		else if (dice < 65) await this.#perform({ kind: "get", key, serializable: true });
		else if (dice < 70) await this.#perform({ kind: "list", keys: registers });
		else if (dice < 85) await this.#swap(key);
		else if (dice < 93) await this.#pair(key);
		else if (dice < 94) await this.#putLeased();
		else if (dice < 96) this.#resume();
		else if (dice < 98) this.#watch(key, this.#revision + 1);
		else if (compacts && this.#revision > 30) {
			await this.#perform({ kind: "compact", revision: this.#revision - random.int(30) });
		}
	}

	/** Unlike every other value ever written. */
	#value(): string {
		const { random } = this.#options;
		const size = random.int(20) === 0 ? 3000 : random.int(40);
		return `${this.name}-${++this.#values}${size < 10 ? "" : "-".padEnd(size, "x")}`;
	}

	async #swap(key: string): Promise<void> {
		const expected = this.#known.get(key) ?? null;
		await this.#perform({ kind: "cas", key, expected, value: this.#value() });
	}

	async #pair(key: string): Promise<void> {
		const other = registers[(registers.indexOf(key) + 1) % registers.length]!;
		await this.#perform({ kind: "pair", keys: [key, other], value: this.#value() });
	}

	/** A key of its own, which may vanish with the lease. */
	async #putLeased(): Promise<void> {
		const lease = this.#lease?.id ?? 0n;
		await this.#perform({ kind: "put", key: `l/${this.name}`, value: this.#value(), lease });
	}

	/** Side by side with the other work: grants leases, keeps them for a while, often by a hair, and lets them go. */
	async #keepLease(): Promise<void> {
		const { clock, random } = this.#options;
		while (!this.#stopping) {
			try {
				if (this.#lease === undefined) await this.#grant();
				else if (random.int(8) === 0) await this.#revoke(this.#lease);
				else await this.#renew(this.#lease);
			} catch (error) {
				this.#options.note(`${this.name} lease failed: ${codeOf(error)}`);
				if (random.int(3) === 0) this.#lease = undefined;
			}
			// A renewal in the last moment must still count, one right after must not.
			await sleep(clock, random.int(3) === 0 ? 1600 + random.float() * 450 : random.float() * 500);
		}
	}

	/** Recorded as a process of its own, since the client's operations go on meanwhile. */
	async #recorded<T>(f: string, id: bigint, work: () => Promise<T>, tell: (result: T) => unknown): Promise<T> {
		const end = this.#options.history.aside(`${this.name} lease`, f, id === 0n ? undefined : id.toString(16));
		try {
			const result = await work();
			end("ok", tell(result));
			return result;
		} catch (error) {
			const code = codeOf(error);
			end(uncertain.has(code) ? "info" : "fail", code);
			throw error;
		}
	}

	async #grant(): Promise<void> {
		const { clock, history, note } = this.#options;
		const began = clock.time;
		const grant = () => this.store.leaseGrant({ id: 0n, ttl: 2 });
		const { id, ttl } = await this.#recorded("lease-grant", 0n, grant, (granted) => granted.id.toString(16));
		this.#lease = { client: this.name, id, ttl, renewedAt: began, revoked: false };
		history.leases.push(this.#lease);
		note(`${this.name} lease ${id.toString(16)} granted`);
	}

	async #renew(lease: LeaseRecord): Promise<void> {
		const began = this.#options.clock.time;
		const renew = () => this.store.leaseKeepAlive(lease.id);
		const { ttl } = await this.#recorded("lease-keepalive", lease.id, renew, (renewed) => renewed.ttl);
		this.#options.note(`${this.name} lease ${lease.id.toString(16)} ${ttl > 0 ? "renewed" : "is gone"}`);
		if (ttl > 0) {
			lease.renewedAt = began;
			this.#options.reached("a lease is renewed");
		} else this.#lease = undefined;
	}

	async #revoke(lease: LeaseRecord): Promise<void> {
		this.#lease = undefined;
		lease.revoked = true;
		await this.#recorded(
			"lease-revoke",
			lease.id,
			() => this.store.leaseRevoke(lease.id),
			() => undefined,
		);
	}

	#watch(key: string | undefined, startRevision: number): void {
		const { history, note, random } = this.#options;
		const name = `${this.name}/w${this.#watches.length + 1}`;
		const record = history.watch(name, key, startRevision, random.int(3) === 0);
		note(`${name} watch ${key ?? "everything"} from ${startRevision}`);
		this.#watches.push({ record, handle: this.#startWatch(record, startRevision) });
	}

	/** Leaves a watch and goes on from its bookmark. */
	#resume(): void {
		const { random, note } = this.#options;
		const watch = this.#watches[random.int(this.#watches.length)];
		if (watch === undefined || watch.record.ended !== undefined || watch.record.coveredTo === 0) return;
		watch.handle.cancel();
		note(`${watch.record.name} resumes from ${watch.record.coveredTo + 1}`);
		watch.handle = this.#startWatch(watch.record, watch.record.coveredTo + 1);
	}

	#startWatch(record: WatchRecord, startRevision: number): WatchHandle {
		const range = record.key === undefined ? { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) } : undefined;
		return this.store.watch(
			{ ...(range ?? { key: Buffer.from(record.key!) }), startRevision, prevKv: record.prevKv },
			{
				onBatch: (batch) => {
					if (batch.events.length === 0) this.#options.reached("a watch is told its progress");
					recordBatch(record, batch);
				},
				onEnd: (error) => {
					record.ended = error.code;
					if (error.code === "compacted") this.#options.reached("a watch ends by compaction");
					this.#options.note(`${record.name} ended: ${error.code}`);
				},
			},
		);
	}

	async #perform(request: WorkRequest): Promise<WorkOperation> {
		const { history, note } = this.#options;
		const operation = history.invoke(this.name, request);
		note(`${this.name} #${operation.id} ${describeRequest(request)}`);
		const outcome = await this.#attempt(request);
		if (outcome.type !== "ok") this.#options.reached(`an operation ends with ${outcome.code}`);
		history.complete(operation, outcome);
		note(`${this.name} #${operation.id} ${describeOutcome(outcome)}`);
		this.#learn(request, outcome);
		return operation;
	}

	async #attempt(request: WorkRequest): Promise<Outcome> {
		try {
			return await this.#execute(request);
		} catch (error) {
			const code = codeOf(error);
			return { type: uncertain.has(code) ? "info" : "fail", code };
		}
	}

	#learn(request: WorkRequest, outcome: Outcome): void {
		if (outcome.type !== "ok") return;
		this.#revision = Math.max(this.#revision, outcome.revision);
		for (const each of outcome.found) this.#known.set(each.key, each.value);
		if (request.kind === "put" || (request.kind === "cas" && outcome.done)) this.#known.set(request.key, request.value);
		else if (request.kind === "delete") this.#known.set(request.key, null);
		else if (request.kind !== "compact" && request.kind !== "list" && outcome.found.length === 0) {
			for (const key of request.kind === "pair" ? request.keys : [request.key]) this.#known.delete(key);
		}
	}

	async #execute(request: WorkRequest): Promise<Outcome> {
		const { store } = this;
		const ok = (revision: number, found: readonly Seen[] = [], done = true): Outcome => ({
			type: "ok",
			revision,
			found,
			done,
		});
		switch (request.kind) {
			case "put": {
				const put = { key: Buffer.from(request.key), value: Buffer.from(request.value), lease: request.lease };
				return ok((await store.put(put)).header.revision);
			}
			case "delete": {
				const { header, deleted } = await store.deleteRange({ key: Buffer.from(request.key) });
				return ok(header.revision, [], deleted > 0);
			}
			case "get": {
				const get = { key: Buffer.from(request.key), serializable: request.serializable };
				const { header, kvs } = await store.range(get);
				return ok(header.revision, kvs.map(seen));
			}
			case "list": {
				const range = { key: Buffer.from("r/"), rangeEnd: Buffer.from(registerEnd) };
				// Every second one as a transaction, which is a read as well.
				if (this.#lists++ % 2 === 0) {
					const { header, kvs } = await store.range(range);
					return ok(header.revision, kvs.map(seen));
				}
				const { header, responses } = await store.txn({
					compare: [],
					success: [{ op: "range", ...range }],
					failure: [],
				});
				const [response] = responses;
				return ok(header.revision, response?.op === "range" ? response.kvs.map(seen) : []);
			}
			case "cas":
				return this.#compareAndSwap(request, ok);
			case "pair": {
				const value = Buffer.from(request.value);
				const success = request.keys.map((key) => ({ op: "put", key: Buffer.from(key), value }) as const);
				return ok((await store.txn({ compare: [], success, failure: [] })).header.revision);
			}
			case "compact":
				return ok((await store.compact({ revision: request.revision })).header.revision);
		}
	}

	async #compareAndSwap(
		request: Extract<WorkRequest, { kind: "cas" }>,
		ok: (revision: number, found: readonly Seen[], done: boolean) => Outcome,
	): Promise<Outcome> {
		const key = Buffer.from(request.key);
		const compare =
			request.expected === null
				? ({ key, target: "create", result: "equal", operand: 0 } as const)
				: ({ key, target: "value", result: "equal", operand: Buffer.from(request.expected) } as const);
		const { header, succeeded, responses } = await this.store.txn({
			compare: [compare],
			success: [{ op: "put", key, value: Buffer.from(request.value) }],
			failure: [{ op: "range", key }],
		});
		const [response] = responses;
		return ok(header.revision, response?.op === "range" ? response.kvs.map(seen) : [], succeeded);
	}
}

function codeOf(error: unknown): StoreErrorCode {
	if (error instanceof StoreError) return error.code;
	throw error;
}
