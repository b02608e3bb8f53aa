/**
 * What clients may ask of a member, whatever protocol they speak: checks a request as etcd's front does, replicates it or
 * confirms the read, and answers with etcd's header. Stands on a `Replica`: a member of a cluster, or one machine alone.
 */
import {
	type CompactRequest,
	type DeleteRangeRequest,
	type DeleteRangeResult,
	type LeaseGrantRequest,
	type LeaseGrantResult,
	type LeaseTimeToLiveResult,
	type PutRequest,
	type PutResult,
	type RangeRequest,
	type RangeResult,
	type RequestOp,
	type ResponseHeader,
	StoreError,
	type TxnRequest,
	type TxnResult,
	type WatchHandler,
	type WatchRequest,
	type WithHeader,
} from "../api.ts";
import type { SessionLimits } from "../machine/session-limits.ts";
import type { Applied, Command, CommandResult, StateMachine } from "../machine/types.ts";
import { checkDelete, checkPut, checkRange, checkTxn, maxTxnOps } from "../mvcc/check.ts";
import { isReadOnly } from "../mvcc/write.ts";
import type { WatchCursor } from "../watch/types.ts";
import type { Renewal } from "./keepalives.ts";
import {
	type Abandonable,
	abandonedError,
	collect,
	OvertakenError,
	openPages,
	type PageLimits,
	type RangePages,
} from "./long-ranges.ts";
import type { ProposeOptions } from "./member.ts";
import { Places } from "./places.ts";
import { isSerializable, readTxn } from "./read-txn.ts";

export interface Replica {
	readonly clusterId: bigint;
	readonly memberId: bigint;
	readonly term: number;
	readonly machine: StateMachine;
	propose(command: Command, options?: ProposeOptions): Promise<Applied>;
	linearizableRead(timeoutMs?: number): Promise<void>;
	leaseKeepAlive(id: bigint): Promise<Renewal>;
	newLeaseId(): bigint;
}

export interface RequestLimits extends PageLimits {
	readonly maxRequestBytes: number;
	readonly maxTxnOps: number;
	/** Smallest lease TTL granted, seconds; a smaller one asked for is raised to it (etcd: 1.5 × the election timeout). */
	readonly minLeaseTtl: number;
	/** Limits of sessions opened here; by default those of `machine/session-limits.ts`. */
	readonly sessionLimits?: SessionLimits | undefined;
	/** Bytes in use above which puts are refused. */
	readonly quotaBytes: number;
	/** Called now and then, not at every request. */
	readonly usedBytes: () => number;
	/** The space in use was found above the quota, or below it again. */
	readonly onSpace?: ((exceeded: boolean, usedBytes: number) => void) | undefined;
	/** Requests between two checks of the quota. */
	readonly quotaCheckEvery: number;
}

export const defaultRequestLimits: RequestLimits = {
	maxRequestBytes: 1.5 * 1024 * 1024,
	maxTxnOps,
	minLeaseTtl: 2,
	quotaBytes: 2 * 2 ** 30,
	usedBytes: () => 0,
	quotaCheckEvery: 64,
	rangePageKeys: 1000,
	rangePageBytes: 256 << 10,
	maxAnswerBytes: 512 * 2 ** 20,
	turn: () => Promise.resolve(),
};

/** Long answers gathered at a time; the others wait, so that they are not all in memory at once. */
const maxLongAnswers = 4;
const maxWaitingAnswers = 10_000;

type Answer<K extends CommandResult["kind"]> = Extract<CommandResult, { kind: K }>;

function opBytes(op: RequestOp): number {
	if (op.op === "put") return op.key.length + op.value.length;
	if (op.op === "txn") return txnBytes(op);
	return op.key.length + (op.rangeEnd?.length ?? 0);
}

function txnBytes(txn: TxnRequest): number {
	let bytes = 0;
	for (const compare of txn.compare) {
		bytes += compare.key.length + (compare.target === "value" ? compare.operand.length : 8);
	}
	for (const op of txn.success) bytes += opBytes(op);
	for (const op of txn.failure) bytes += opBytes(op);
	return bytes;
}

function adds(ops: readonly RequestOp[]): boolean {
	return ops.some((op) => op.op === "put" || (op.op === "txn" && (adds(op.success) || adds(op.failure))));
}

export class Requests {
	readonly replica: Replica;
	readonly #limits: RequestLimits;
	/** Starts so high that the first request checks the quota. */
	#sinceQuotaCheck = Number.MAX_SAFE_INTEGER - 1;
	#full = false;
	readonly #longAnswers = new Places(maxLongAnswers, maxWaitingAnswers);

	constructor(replica: Replica, limits: Partial<RequestLimits> = {}) {
		this.replica = replica;
		this.#limits = { ...defaultRequestLimits, ...limits };
	}

	header(revision: number = this.replica.machine.revision): ResponseHeader {
		const { clusterId, memberId, term } = this.replica;
		return { clusterId, memberId, revision, raftTerm: term };
	}

	/** Resolves when the next piece of long work may be done. */
	turn(): Promise<void> {
		return this.#limits.turn();
	}

	async range(request: RangeRequest, caller?: Abandonable): Promise<WithHeader<RangeResult>> {
		const pages = await this.rangePages(request, caller);
		if (pages.only !== undefined) return this.#gathered(pages);
		pages.forget();
		return this.#longAnswer(async () => {
			const begun = openPages(this.replica.machine, request, this.#limits, { caller });
			return this.#gathered(begun);
		});
	}

	async #gathered(pages: RangePages): Promise<WithHeader<RangeResult>> {
		const { revision, more, count, only } = pages;
		return { header: this.header(revision), kvs: only ?? (await collect(pages.pages())), more, count };
	}

	/** Takes its turn among the long answers; begins anew when what it reads at is compacted away meanwhile. */
	async #longAnswer<T>(read: () => Promise<T>): Promise<T> {
		const release = await this.#longAnswers.take();
		try {
			for (;;) {
				try {
					return await read();
				} catch (error) {
					if (!(error instanceof OvertakenError)) throw error;
				}
			}
		} finally {
			release();
		}
	}

	/** As `range`, for callers that take the answer in pieces: no more than a page of it is in memory. */
	async rangePages(request: RangeRequest, caller?: Abandonable): Promise<RangePages> {
		reject(checkRange(request));
		if (request.serializable !== true) await this.replica.linearizableRead();
		if (caller?.abandoned === true) throw abandonedError();
		return openPages(this.replica.machine, request, this.#limits, { caller });
	}

	/** A transaction that writes nothing is a read: it does not go through the log. */
	async #readTxn(request: TxnRequest, caller: Abandonable | undefined): Promise<WithHeader<TxnResult>> {
		if (!isSerializable(request)) await this.replica.linearizableRead();
		if (caller?.abandoned === true) throw abandonedError();
		return this.#longAnswer(async () => {
			const { revision, result } = await readTxn(this.replica.machine, request, this.#limits, caller);
			return { header: this.header(revision), ...result };
		});
	}

	/** Like the other writes, throws at once what is wrong with the request itself. */
	put(request: PutRequest, options?: ProposeOptions): Promise<WithHeader<PutResult>> {
		reject(checkPut(request));
		this.#checkSize(request.key.length + request.value.length);
		this.#checkQuota();
		return this.#replicate<"put", WithHeader<PutResult>>({ kind: "put", ...request }, options, (header, { result }) =>
			result.prevKv === undefined ? { header } : { header, prevKv: result.prevKv },
		);
	}

	deleteRange(request: DeleteRangeRequest, options?: ProposeOptions): Promise<WithHeader<DeleteRangeResult>> {
		reject(checkDelete(request));
		this.#checkSize(request.key.length + (request.rangeEnd?.length ?? 0));
		return this.#replicate<"delete", WithHeader<DeleteRangeResult>>(
			{ kind: "delete", ...request },
			options,
			(header, { result }) => ({ header, deleted: result.deleted, prevKvs: result.prevKvs }),
		);
	}

	/** `caller` is used only for read-only transactions. */
	txn(request: TxnRequest, options?: ProposeOptions, caller?: Abandonable): Promise<WithHeader<TxnResult>> {
		reject(checkTxn(request, this.#limits.maxTxnOps));
		this.#checkSize(txnBytes(request));
		if (isReadOnly(request)) return this.#readTxn(request, caller);
		if (adds(request.success) || adds(request.failure)) this.#checkQuota();
		return this.#replicate<"txn", WithHeader<TxnResult>>(
			{ kind: "txn", ...request },
			options,
			(header, { result }) => ({
				header,
				succeeded: result.succeeded,
				responses: result.responses,
			}),
		);
	}

	async compact(request: CompactRequest, options?: ProposeOptions): Promise<WithHeader<object>> {
		const answer = await this.#replicate({ kind: "compact", ...request }, options, onlyHeader);
		if (request.physical === true) await this.replica.machine.compactionDone(request.revision);
		return answer;
	}

	leaseGrant(request: LeaseGrantRequest, options?: ProposeOptions): Promise<WithHeader<LeaseGrantResult>> {
		this.#checkQuota();
		const id = request.id === 0n ? this.replica.newLeaseId() : request.id;
		const ttl = Math.max(this.#limits.minLeaseTtl, request.ttl);
		return this.#replicate<"lease_grant", WithHeader<LeaseGrantResult>>(
			{ kind: "lease_grant", id, ttl },
			options,
			(header, { result }) => ({ header, id: result.id, ttl: result.ttl }),
		);
	}

	leaseRevoke(id: bigint, options?: ProposeOptions): Promise<WithHeader<object>> {
		return this.#replicate({ kind: "lease_revoke", id, expired: false }, options, onlyHeader);
	}

	async leaseKeepAlive(id: bigint): Promise<WithHeader<{ readonly id: bigint; readonly ttl: number }>> {
		const renewal = await this.replica.leaseKeepAlive(id);
		return { header: this.header(renewal.revision), id, ttl: renewal.ttl };
	}

	async leaseTimeToLive(id: bigint, keys: boolean): Promise<WithHeader<LeaseTimeToLiveResult>> {
		await this.replica.linearizableRead();
		return { header: this.header(), ...this.replica.machine.leaseTimeToLive(id, keys) };
	}

	async leases(): Promise<WithHeader<{ readonly ids: readonly bigint[] }>> {
		await this.replica.linearizableRead();
		return { header: this.header(), ids: this.replica.machine.leases() };
	}

	async currentRevision(): Promise<number> {
		await this.replica.linearizableRead();
		return this.replica.machine.revision;
	}

	watch(request: WatchRequest, handler: WatchHandler): WatchCursor {
		return this.replica.machine.watch(request, handler);
	}

	/** `session` and the like are in `options`. */
	session(kind: "session_open" | "session_close", options: ProposeOptions): Promise<WithHeader<object>> {
		const command = kind === "session_open" ? { kind, limits: this.#limits.sessionLimits } : { kind };
		return this.#replicate(command, options, onlyHeader);
	}

	#checkSize(bytes: number): void {
		if (bytes > this.#limits.maxRequestBytes) {
			throw new StoreError("request_too_large", "etcdserver: request is too large");
		}
	}

	/** etcd's NOSPACE: deletes and compactions still pass, and open the store again by themselves. */
	#checkQuota(): void {
		if (this.#full || ++this.#sinceQuotaCheck >= this.#limits.quotaCheckEvery) this.#lookAtSpace();
		if (this.#full) throw new StoreError("no_space", "etcdserver: mvcc: database space exceeded");
	}

	#lookAtSpace(): void {
		this.#sinceQuotaCheck = 0;
		const { usedBytes, quotaBytes, onSpace } = this.#limits;
		const used = usedBytes();
		const exceeded = used > quotaBytes;
		if (exceeded === this.#full) return;
		this.#full = exceeded;
		onSpace?.(exceeded, used);
	}

	/** Whether puts are refused now for want of space. */
	get spaceExceeded(): boolean {
		this.#lookAtSpace();
		return this.#full;
	}

	/** Creates a single promise from request to answer: this is the hot path of every write. */
	#replicate<K extends CommandResult["kind"], T>(
		command: Command,
		options: ProposeOptions | undefined,
		answer: (header: ResponseHeader, outcome: Answer<K>) => T,
	): Promise<T> {
		return this.replica.propose(command, options).then(({ outcome, revision }) => {
			if (outcome instanceof StoreError) throw outcome;
			// A kept answer: the client numbered two requests alike.
			if (outcome.kind !== command.kind) {
				throw new StoreError("invalid_argument", `sequence: the number was used for another request (${outcome.kind})`);
			}
			return answer(this.header(revision), outcome as Answer<K>);
		});
	}
}

const onlyHeader = (header: ResponseHeader): WithHeader<object> => ({ header });

function reject(error: StoreError | undefined): void {
	if (error !== undefined) throw error;
}
