/** The client of the store: follows the leader, fails over, retries what is safe to retry, resumes watches. */
import { type Clock, systemClock, type Timer } from "../../kit/clock.ts";
import { type Logger, silentLogger } from "../../kit/log.ts";
import { type Random, systemRandom } from "../../kit/random.ts";
import {
	type CallOptions,
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
import { Call, CallEndedError } from "./call.ts";
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
	/** How long a request may take in all, retries included, ms: it is answered or rejected by then. Default 10 s. */
	readonly requestTimeoutMs?: number | undefined;
	readonly clock?: Clock | undefined;
	readonly random?: Random | undefined;
	readonly logger?: Logger | undefined;
	/** The network; TCP and TLS by default. */
	readonly connector?: Connector | undefined;
}

const retryMs = 25;
const maxRetryMs = 250;
/** The longest that timers can wait. */
const maxTimeoutMs = 2 ** 31 - 1;

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
	/** Why the last attempt to open a session failed. */
	#sessionTrouble: unknown;
	#closed = false;

	constructor(options: ConnectOptions) {
		this.#clock = options.clock ?? systemClock;
		this.#random = options.random ?? systemRandom;
		this.#timeoutMs = options.requestTimeoutMs ?? 10_000;
		if (!(this.#timeoutMs > 0 && this.#timeoutMs <= maxTimeoutMs)) {
			throw new TypeError(`requestTimeoutMs: must be above 0 and at most ${maxTimeoutMs}, not ${this.#timeoutMs}`);
		}
		this.#endpoints = new Endpoints({
			endpoints: options.endpoints,
			clock: this.#clock,
			random: this.#random,
			logger: options.logger ?? silentLogger,
			connector: options.connector ?? socketConnector(options.tls),
			clusterId: options.clusterId ?? 0n,
		});
	}

	async range(request: RangeRequest, options?: CallOptions) {
		const { header, body } = await this.#read(
			method.range,
			wire.rangeToWire(request),
			request.serializable !== true,
			options,
		);
		return { header, ...wire.rangeResultFromWire(body) };
	}

	async put(request: PutRequest, options?: CallOptions) {
		const { header, body } = await this.#write(method.put, wire.putToWire(request), options);
		return { header, ...wire.putResultFromWire(body) };
	}

	async deleteRange(request: DeleteRangeRequest, options?: CallOptions) {
		const { header, body } = await this.#write(method.delete, wire.deleteToWire(request), options);
		return { header, ...wire.deleteResultFromWire(body) };
	}

	async txn(request: TxnRequest, options?: CallOptions) {
		const { header, body } = await this.#write(method.txn, wire.txnToWire(request), options);
		return { header, ...wire.txnResultFromWire(body) };
	}

	async compact(request: CompactRequest, options?: CallOptions) {
		const { header } = await this.#write(method.compact, [request.revision, request.physical === true], options);
		return { header };
	}

	async leaseGrant(request: LeaseGrantRequest, options?: CallOptions) {
		const { header, body } = await this.#write(method.leaseGrant, [request.id, request.ttl], options);
		const f = new wire.Fields(body, "lease_grant");
		return { header, id: f.id("id"), ttl: f.integer("ttl") };
	}

	async leaseRevoke(id: bigint, options?: CallOptions) {
		const { header } = await this.#write(method.leaseRevoke, [id], options);
		return { header };
	}

	async leaseKeepAlive(id: bigint, options?: CallOptions) {
		const { header, body } = await this.#read(method.leaseKeepAlive, [id], true, options);
		const f = new wire.Fields(body, "lease_keep_alive");
		return { header, id: f.id("id"), ttl: f.integer("ttl") };
	}

	async leaseTimeToLive(id: bigint, options?: CallOptions & { readonly keys?: boolean }) {
		const { header, body } = await this.#read(method.leaseTimeToLive, [id, options?.keys === true], true, options);
		const f = new wire.Fields(body, "lease_time_to_live");
		return {
			header,
			id: f.id("id"),
			ttl: f.integer("ttl"),
			grantedTtl: f.integer("granted_ttl"),
			keys: f.list("keys") as readonly Buffer[],
		};
	}

	async leases(options?: CallOptions) {
		const { header, body } = await this.#read(method.leases, [], true, options);
		const ids = new wire.Fields(body, "leases").list("ids").map((id) => BigInt.asUintN(64, BigInt(id as bigint)));
		return { header, ids };
	}

	async currentRevision(options?: CallOptions): Promise<number> {
		const { header } = await this.#read(method.currentRevision, [], true, options);
		return header.revision;
	}

	watch(request: WatchRequest, handler: WatchHandler, options?: CallOptions): WatchHandle {
		options?.signal?.throwIfAborted();
		if (this.#closed) throw new StoreError("closed", "client is closed");
		const watcher: Watcher = new Watcher(
			{
				place: (placement, afterMs) => this.#endpoints.whenPlaced(placement, afterMs),
				ended: (ended) => void this.#watchers.delete(ended),
			},
			request,
			handler,
			options?.signal,
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
		const answer = connection.request(method.sessionClose, [], stamp).answer.then(
			() => undefined,
			() => undefined,
		);
		await Promise.race([answer, this.#sleep(500)]);
	}

	// ---- attempts ----

	#call(options: CallOptions | undefined): Call {
		return new Call(this.#clock, this.#timeoutMs, options?.signal);
	}

	async #read(number: number, body: unknown, leader: boolean, options: CallOptions | undefined): Promise<WireAnswer> {
		const call = this.#call(options);
		let last: unknown;
		try {
			for (let attempt = 0; ; attempt++) {
				const connection = await this.#connection(leader, call);
				const asked = connection.request(number, body);
				try {
					return answered(connection, await call.wait(asked.answer, asked.abandon));
				} catch (error) {
					if (error instanceof CallEndedError || judge(error) === "final") throw error;
					last = error;
				}
				await this.#backOff(attempt, call, last);
			}
		} catch (error) {
			throw this.#asStoreError(error, last);
		} finally {
			call.close();
		}
	}

	async #write(number: number, body: unknown, options: CallOptions | undefined): Promise<WireAnswer> {
		const call = this.#call(options);
		// `uncertain` is set once an attempt may have been applied.
		const write: Write = { number, body, call, session: undefined, sequence: 0, uncertain: undefined, last: undefined };
		try {
			for (let attempt = 0; ; attempt++) {
				const answer = await this.#tryWrite(write);
				if (answer !== undefined) return answer;
				await this.#backOff(attempt, call, write.last);
			}
		} catch (error) {
			if (error instanceof FinalAnswer) throw error.answer;
			if (write.uncertain === undefined || isAborted(error)) throw this.#asStoreError(error, write.last);
			throw unknownOutcome(write.uncertain);
		} finally {
			write.session?.done(write.sequence);
			call.close();
		}
	}

	/** Undefined: to be tried again. Throws FinalAnswer for what the store answered. */
	async #tryWrite(write: Write): Promise<WireAnswer | undefined> {
		const { call } = write;
		for (;;) {
			write.session ??= await this.#sessionFor(call);
			if (write.sequence === 0) write.sequence = write.session.next();
			const { session, sequence } = write;
			const connection = await this.#connection(true, call);
			const stamp = { session: session.id, sequence, acknowledged: session.acknowledged };
			const asked = connection.request(write.number, write.body, stamp);
			try {
				return answered(connection, await call.wait(asked.answer, asked.abandon));
			} catch (error) {
				const code = error instanceof StoreError ? error.code : undefined;
				if (code === "session_expired") {
					this.#dropSession(session);
					if (write.uncertain !== undefined) throw new FinalAnswer(unknownOutcome(error));
					session.done(sequence);
					write.session = undefined;
					write.sequence = 0;
					continue;
				}
				if (code === "not_applied") {
					// The answer to an earlier attempt was lost, and no attempt so far had or can have an effect.
					write.uncertain = undefined;
					session.done(sequence);
					write.sequence = 0;
					continue;
				}
				const verdict = judge(error);
				if (verdict === "uncertain") write.uncertain = error;
				if (error instanceof CallEndedError) throw error;
				if (verdict === "final" && (write.uncertain === undefined || isAnswer(error))) throw new FinalAnswer(error);
				write.last = error;
				return undefined;
			}
		}
	}

	/** Waits for the session that is being opened for all writes; their ends do not end it. */
	async #sessionFor(call: Call): Promise<WriteSession> {
		for (;;) {
			if (this.#openSession !== undefined) return this.#openSession;
			const opening = this.#session ?? this.#beginSession();
			try {
				return await call.wait(opening);
			} catch (error) {
				// Opening the session may have run out of its own time limit while this call still has time left.
				if (error instanceof CallEndedError || judge(error) === "final") throw error;
			}
		}
	}

	#beginSession(): Promise<WriteSession> {
		const opening = this.#openNewSession();
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

	async #openNewSession(): Promise<WriteSession> {
		const call = this.#call(undefined);
		this.#sessionTrouble = undefined;
		try {
			for (let attempt = 0; ; attempt++) {
				const connection = await this.#connection(true, call);
				// Each attempt opens another: a late copy of an answered one would open it anew, without memory, after its end.
				const id = this.#random.bytes(8).readBigUInt64BE() | 1n;
				const asked = connection.request(method.sessionOpen, [], { session: id, sequence: 0, acknowledged: 0 });
				try {
					await call.wait(asked.answer, asked.abandon);
					return new WriteSession(id);
				} catch (error) {
					if (error instanceof CallEndedError || judge(error) === "final") throw error;
					this.#sessionTrouble = error;
				}
				await this.#backOff(attempt, call, this.#sessionTrouble);
			}
		} catch (error) {
			const known = this.#asStoreError(error, this.#sessionTrouble);
			throw isUnknown(known) ? new StoreError("unavailable", (known as Error).message, { cause: known }) : known;
		} finally {
			call.close();
		}
	}

	#dropSession(session: WriteSession): void {
		if (this.#openSession !== session) return;
		this.#openSession = undefined;
		this.#session = undefined;
	}

	async #connection(leader: boolean, call: Call): Promise<ClientConnection> {
		for (;;) {
			if (this.#closed) throw new StoreError("closed", "client is closed");
			const connection = this.#endpoints.pick(leader);
			if (connection !== undefined) return connection;
			const { mismatch } = this.#endpoints;
			if (mismatch !== undefined) throw mismatch;
			await this.#sleep(retryMs, call, (wake) => this.#endpoints.onceUp(wake));
		}
	}

	/** Throws `last` when the call would be over before the next attempt. */
	async #backOff(attempt: number, call: Call, last: unknown): Promise<void> {
		const wait = Math.min(maxRetryMs, retryMs * 2 ** attempt) * (0.5 + this.#random.float() / 2);
		if (wait >= call.leftMs) throw last;
		// The first retry may go elsewhere at once where something is known to be wrong with the member.
		const elsewhere = last instanceof ConnectionLostError || last instanceof RequestMovedError;
		if (attempt > 0 || !elsewhere) await this.#sleep(wait, call);
	}

	#sleep(ms: number, call?: Call, sooner?: (wake: () => void) => { cancel(): void }): Promise<void> {
		let wake: () => void = () => undefined;
		const slept = new Promise<void>((resolve) => {
			wake = () => {
				this.#sleeping.delete(entry);
				entry.timer.cancel();
				early?.cancel();
				resolve();
			};
			const entry = { timer: this.#clock.after(ms, wake, { keepAlive: true }), wake };
			this.#sleeping.add(entry);
			const early = sooner?.(wake);
		});
		return call === undefined ? slept : call.wait(slept, wake);
	}

	/** What the caller of a request is told that got no answer; `last`: why its last attempt failed. */
	#asStoreError(error: unknown, last: unknown): unknown {
		if (error instanceof CallEndedError) {
			if (error.why === "aborted") return error.reason;
			if (last instanceof StoreError) return last;
			if (this.#endpoints.pick(false) === undefined) {
				return new StoreError("unavailable", `no member of the store can be reached: ${this.#endpoints.complaint}`);
			}
			const cause = last ?? this.#sessionTrouble;
			const why = cause === undefined ? "" : `: ${(cause as Error).message}`;
			return new StoreError("timeout", `no answer within ${this.#timeoutMs} ms${why}`, { cause: cause ?? error });
		}
		return error instanceof StoreError
			? error
			: new StoreError("unavailable", (error as Error).message, { cause: error });
	}
}

interface Write {
	readonly number: number;
	readonly body: unknown;
	readonly call: Call;
	session: WriteSession | undefined;
	/** 0: none yet. */
	sequence: number;
	uncertain: unknown;
	last: unknown;
}

/** What the store answered, or what follows from it: not to be judged again. */
class FinalAnswer extends Error {
	readonly answer: unknown;

	constructor(answer: unknown) {
		super("answered");
		this.answer = answer;
	}
}

interface WireAnswer {
	readonly header: ResponseHeader;
	readonly body: unknown;
}

function isAborted(error: unknown): boolean {
	return error instanceof CallEndedError && error.why === "aborted";
}

function isUnknown(error: unknown): boolean {
	return error instanceof StoreError && error.code === "outcome_unknown";
}

function answered(connection: ClientConnection, answer: Answer): WireAnswer {
	const { clusterId, memberId } = connection;
	return {
		header: { clusterId, memberId, revision: answer.revision, raftTerm: answer.raftTerm },
		body: answer.body,
	};
}

function judge(error: unknown): Verdict {
	if (error instanceof ConnectionLostError || error instanceof RequestMovedError) return "uncertain";
	if (error instanceof CallEndedError) return "uncertain";
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
