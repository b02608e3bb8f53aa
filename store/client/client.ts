/** The client of the store: follows the leader, fails over, retries what is safe to retry, resumes watches. */
import { type Clock, systemClock, type Timer } from "../../kit/clock.ts";
import { type Logger, silentLogger } from "../../kit/log.ts";
import { type Random, systemRandom } from "../../kit/random.ts";
import {
	type CompactRequest,
	type DeleteRangeRequest,
	type LeaseGrantRequest,
	type PutRequest,
	type RangeRequest,
	type ResponseHeader,
	type StoreClient,
	StoreError,
	type TxnRequest,
	type WatchHandle,
	type WatchHandler,
	type WatchRequest,
} from "../api.ts";
import { method } from "../native/protocol.ts";
import * as wire from "../native/wire.ts";
import { type Answer, type ClientConnection, ConnectionLostError, RequestMovedError } from "./connection.ts";
import { type ClientTls, type Connector, socketConnector } from "./connector.ts";
import { Endpoints } from "./endpoints.ts";
import { WriteSession } from "./session.ts";
import { Watcher } from "./watcher.ts";

export interface ConnectOptions {
	/** `http(s)://HOST:PORT` of any members; watches and serializable reads prefer the first that answers. */
	readonly endpoints: readonly string[];
	readonly tls?: ClientTls | undefined;
	/** Refuse members of another cluster. Absent: the first one reached decides. */
	readonly clusterId?: bigint | undefined;
	/** How long a request is retried in all, ms. Default 10 s. */
	readonly requestTimeoutMs?: number | undefined;
	readonly clock?: Clock | undefined;
	readonly random?: Random | undefined;
	readonly logger?: Logger | undefined;
	/** The network; TCP and TLS by default. */
	readonly connector?: Connector | undefined;
}

const retryMs = 25;
const maxRetryMs = 250;
/** Times a request may move to another member without counting as a retry. */
const maxMoves = 8;

/** What a failed attempt means for the request. */
type Verdict = "retry" | "uncertain" | "final";

export function connectStore(options: ConnectOptions): StoreClient {
	return new NativeClient(options);
}

class NativeClient implements StoreClient {
	readonly #clock: Clock;
	readonly #random: Random;
	readonly #timeoutMs: number;
	readonly #endpoints: Endpoints;
	readonly #watchers = new Set<Watcher>();
	readonly #sleeping = new Set<{ readonly timer: Timer; readonly wake: () => void }>();
	#session: Promise<WriteSession> | undefined;
	#openSession: WriteSession | undefined;
	#closed = false;

	constructor(options: ConnectOptions) {
		this.#clock = options.clock ?? systemClock;
		this.#random = options.random ?? systemRandom;
		this.#timeoutMs = options.requestTimeoutMs ?? 10_000;
		this.#endpoints = new Endpoints({
			endpoints: options.endpoints,
			clock: this.#clock,
			random: this.#random,
			logger: options.logger ?? silentLogger,
			connector: options.connector ?? socketConnector(options.tls),
			clusterId: options.clusterId ?? 0n,
		});
	}

	async range(request: RangeRequest) {
		const { header, body } = await this.#read(method.range, wire.rangeToWire(request), request.serializable !== true);
		return { header, ...wire.rangeResultFromWire(body) };
	}

	async put(request: PutRequest) {
		const { header, body } = await this.#write(method.put, wire.putToWire(request));
		return { header, ...wire.putResultFromWire(body) };
	}

	async deleteRange(request: DeleteRangeRequest) {
		const { header, body } = await this.#write(method.delete, wire.deleteToWire(request));
		return { header, ...wire.deleteResultFromWire(body) };
	}

	async txn(request: TxnRequest) {
		const { header, body } = await this.#write(method.txn, wire.txnToWire(request));
		return { header, ...wire.txnResultFromWire(body) };
	}

	async compact(request: CompactRequest) {
		const { header } = await this.#write(method.compact, [request.revision, request.physical === true]);
		return { header };
	}

	async leaseGrant(request: LeaseGrantRequest) {
		const { header, body } = await this.#write(method.leaseGrant, [request.id, request.ttl]);
		const f = new wire.Fields(body, "lease_grant");
		return { header, id: f.id("id"), ttl: f.integer("ttl") };
	}

	async leaseRevoke(id: bigint) {
		const { header } = await this.#write(method.leaseRevoke, [id]);
		return { header };
	}

	async leaseKeepAlive(id: bigint) {
		const { header, body } = await this.#read(method.leaseKeepAlive, [id], true);
		const f = new wire.Fields(body, "lease_keep_alive");
		return { header, id: f.id("id"), ttl: f.integer("ttl") };
	}

	async leaseTimeToLive(id: bigint, options?: { keys?: boolean }) {
		const { header, body } = await this.#read(method.leaseTimeToLive, [id, options?.keys === true], true);
		const f = new wire.Fields(body, "lease_time_to_live");
		return {
			header,
			id: f.id("id"),
			ttl: f.integer("ttl"),
			grantedTtl: f.integer("granted_ttl"),
			keys: f.list("keys") as readonly Buffer[],
		};
	}

	async leases() {
		const { header, body } = await this.#read(method.leases, [], true);
		const ids = new wire.Fields(body, "leases").list("ids").map((id) => BigInt.asUintN(64, BigInt(id as bigint)));
		return { header, ids };
	}

	async currentRevision(): Promise<number> {
		const { header } = await this.#read(method.currentRevision, [], true);
		return header.revision;
	}

	watch(request: WatchRequest, handler: WatchHandler): WatchHandle {
		if (this.#closed) throw new StoreError("closed", "client is closed");
		const watcher: Watcher = new Watcher(
			{
				place: (onPlaced, afterMs) => this.#endpoints.whenPlaced(onPlaced, afterMs),
				ended: (ended) => void this.#watchers.delete(ended),
			},
			request,
			handler,
		);
		this.#watchers.add(watcher);
		return watcher;
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		for (const watcher of [...this.#watchers]) watcher.end(new StoreError("closed", "client is closed"));
		await this.#closeSession();
		for (const { timer, wake } of [...this.#sleeping]) {
			timer.cancel();
			wake();
		}
		this.#endpoints.close();
	}

	/** Saves the store a table entry; a session left behind expires by itself. */
	async #closeSession(): Promise<void> {
		const session = this.#openSession;
		const connection = session === undefined ? undefined : this.#endpoints.pick(true);
		if (session === undefined || connection === undefined) return;
		const stamp = { session: session.id, sequence: session.next(), acknowledged: session.acknowledged };
		const answer = connection.request(method.sessionClose, [], stamp).then(
			() => undefined,
			() => undefined,
		);
		await Promise.race([answer, this.#sleep(500)]);
	}

	// ---- attempts ----

	async #read(number: number, body: unknown, leader: boolean): Promise<{ header: ResponseHeader; body: unknown }> {
		const deadline = this.#clock.monotonic() + this.#timeoutMs;
		let moves = 0;
		for (let attempt = 0; ; attempt++) {
			const connection = await this.#connection(leader, deadline, undefined);
			try {
				return answered(connection, await connection.request(number, body));
			} catch (error) {
				if (error instanceof RequestMovedError && ++moves <= maxMoves) continue;
				if (judge(error) === "final") throw error;
				await this.#backOff(attempt, deadline, error);
			}
		}
	}

	async #write(number: number, body: unknown): Promise<{ header: ResponseHeader; body: unknown }> {
		const deadline = this.#clock.monotonic() + this.#timeoutMs;
		let session = await this.#sessionFor(deadline);
		let sequence = session.next();
		// Set once an attempt may have been applied.
		let uncertain: unknown;
		let moves = 0;
		try {
			for (let attempt = 0; ; attempt++) {
				const connection = await this.#connection(true, deadline, uncertain);
				try {
					const stamp = { session: session.id, sequence, acknowledged: session.acknowledged };
					return answered(connection, await connection.request(number, body, stamp));
				} catch (error) {
					if (error instanceof StoreError && error.code === "session_expired") {
						this.#dropSession(session);
						if (uncertain !== undefined) throw unknownOutcome(error);
						session.done(sequence);
						session = await this.#sessionFor(deadline);
						sequence = session.next();
						continue;
					}
					if (error instanceof StoreError && error.code === "not_applied") {
						// The answer to an earlier attempt was lost, and no attempt so far had or can have an effect.
						uncertain = undefined;
						session.done(sequence);
						sequence = session.next();
						continue;
					}
					const verdict = judge(error);
					if (verdict === "uncertain") uncertain = error;
					if (error instanceof RequestMovedError && ++moves <= maxMoves) continue;
					if (verdict === "final" && (uncertain === undefined || isAnswer(error))) throw error;
					await this.#backOff(attempt, deadline, uncertain === undefined ? error : unknownOutcome(uncertain));
				}
			}
		} finally {
			session.done(sequence);
		}
	}

	#sessionFor(deadline: number): Promise<WriteSession> {
		if (this.#openSession !== undefined) return Promise.resolve(this.#openSession);
		if (this.#session !== undefined) return this.#session;
		const opening = this.#openNewSession(deadline);
		this.#session = opening;
		opening.then(
			(session) => {
				if (this.#session === opening) this.#openSession = session;
			},
			() => {
				if (this.#session === opening) this.#session = undefined;
			},
		);
		return opening;
	}

	async #openNewSession(deadline: number): Promise<WriteSession> {
		let moves = 0;
		for (let attempt = 0; ; attempt++) {
			const connection = await this.#connection(true, deadline, undefined);
			// Each attempt opens another: a late copy of an answered one would open it anew, without memory, after its end.
			const id = this.#random.bytes(8).readBigUInt64BE() | 1n;
			try {
				await connection.request(method.sessionOpen, [], { session: id, sequence: 0, acknowledged: 0 });
				return new WriteSession(id);
			} catch (error) {
				if (error instanceof RequestMovedError && ++moves <= maxMoves) continue;
				if (judge(error) === "final") throw error;
				await this.#backOff(attempt, deadline, new StoreError("unavailable", (error as Error).message));
			}
		}
	}

	#dropSession(session: WriteSession): void {
		if (this.#openSession !== session) return;
		this.#openSession = undefined;
		this.#session = undefined;
	}

	async #connection(leader: boolean, deadline: number, uncertain: unknown): Promise<ClientConnection> {
		for (;;) {
			if (this.#closed)
				throw uncertain === undefined ? new StoreError("closed", "client is closed") : unknownOutcome(uncertain);
			const connection = this.#endpoints.pick(leader);
			if (connection !== undefined) return connection;
			const left = deadline - this.#clock.monotonic();
			if (left <= 0) {
				if (uncertain !== undefined) throw unknownOutcome(uncertain);
				throw new StoreError("unavailable", `no member of the store can be reached: ${this.#endpoints.complaint}`);
			}
			await this.#sleep(Math.min(left, retryMs), (wake) => this.#endpoints.onceUp(wake));
		}
	}

	/** Throws `last` when the time is up. */
	async #backOff(attempt: number, deadline: number, last: unknown): Promise<void> {
		const wait = Math.min(maxRetryMs, retryMs * 2 ** attempt) * (0.5 + this.#random.float() / 2);
		if (this.#clock.monotonic() + wait >= deadline) {
			throw last instanceof StoreError ? last : new StoreError("unavailable", (last as Error).message);
		}
		// The first retry after a lost connection may go elsewhere at once.
		if (attempt > 0 || !(last instanceof ConnectionLostError)) await this.#sleep(wait);
	}

	#sleep(ms: number, sooner?: (wake: () => void) => { cancel(): void }): Promise<void> {
		return new Promise((resolve) => {
			const wake = () => {
				this.#sleeping.delete(entry);
				entry.timer.cancel();
				early?.cancel();
				resolve();
			};
			const entry = { timer: this.#clock.after(ms, wake, { keepAlive: true }), wake };
			this.#sleeping.add(entry);
			const early = sooner?.(wake);
		});
	}
}

function answered(connection: ClientConnection, answer: Answer): { header: ResponseHeader; body: unknown } {
	const { clusterId, memberId } = connection;
	return {
		header: { clusterId, memberId, revision: answer.revision, raftTerm: answer.raftTerm },
		body: answer.body,
	};
}

function judge(error: unknown): Verdict {
	if (error instanceof ConnectionLostError || error instanceof RequestMovedError) return "uncertain";
	if (!(error instanceof StoreError)) return "final";
	if (error.code === "unavailable" || error.code === "timeout") return "retry";
	return error.code === "outcome_unknown" ? "uncertain" : "final";
}

/** Refused before the log was asked: says nothing about an earlier attempt of the same write. */
const refusals: ReadonlySet<StoreError["code"]> = new Set(["too_many_requests", "no_space", "closed"]);

function isAnswer(error: unknown): boolean {
	return error instanceof StoreError && !refusals.has(error.code);
}

function unknownOutcome(cause: unknown): StoreError {
	if (cause instanceof StoreError && cause.code === "outcome_unknown") return cause;
	return new StoreError("outcome_unknown", `the write may or may not have been applied: ${(cause as Error).message}`, {
		cause,
	});
}
