/**
 * What clients may ask of a member, whatever protocol they speak: checks a request as etcd's front does, replicates it or
 * confirms the read, and answers with etcd's header. Stands on a `Replica`: a member of a cluster, or one machine alone.
 */
import {
	type CompactRequest,
	type DeleteRangeRequest,
	type DeleteRangeResult,
	type KeyValue,
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
import type { Applied, Command, CommandResult, StateMachine } from "../machine/types.ts";
import { checkDelete, checkPut, checkRange, checkTxn, maxTxnOps } from "../mvcc/check.ts";
import { isInKeyOrder } from "../mvcc/read.ts";
import type { WatchCursor } from "../watch/types.ts";
import type { Renewal } from "./keepalives.ts";
import type { ProposeOptions } from "./member.ts";

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

export interface RequestLimits {
	readonly maxRequestBytes: number;
	readonly maxTxnOps: number;
	/** Smallest lease TTL granted, seconds; a smaller one asked for is raised to it (etcd: 1.5 × the election timeout). */
	readonly minLeaseTtl: number;
	/** Bytes in use above which puts are refused. */
	readonly quotaBytes: number;
	/** Looked at now and then, not at every request. */
	readonly usedBytes: () => number;
	/** Keys read in one piece; between pieces of a longer range `turn` lets others run. */
	readonly rangePageKeys: number;
	/** Bytes of keys and values in one answer; a range that has more is refused. */
	readonly maxAnswerBytes: number;
	readonly turn: () => Promise<void>;
}

export const defaultRequestLimits: RequestLimits = {
	maxRequestBytes: 1.5 * 1024 * 1024,
	maxTxnOps,
	minLeaseTtl: 2,
	quotaBytes: 2 * 2 ** 30,
	usedBytes: () => 0,
	rangePageKeys: 1000,
	maxAnswerBytes: 512 * 2 ** 20,
	turn: () => Promise.resolve(),
};

/** Long ranges read at a time; the others wait, so that their answers are not all in memory at once. */
const maxLongRanges = 4;
const maxWaitingRanges = 10_000;

/** Requests between two looks at the space in use. */
const quotaCheckEvery = 64;

const zeroByte = Buffer.alloc(1);

function pairBytes(kvs: readonly KeyValue[]): number {
	let bytes = 0;
	for (const { key, value } of kvs) bytes += key.length + value.length;
	return bytes;
}

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
	#sinceQuotaCheck = quotaCheckEvery;
	#full = false;
	#longRanges = 0;
	readonly #waitingRanges: (() => void)[] = [];

	constructor(replica: Replica, limits: Partial<RequestLimits> = {}) {
		this.replica = replica;
		this.#limits = { ...defaultRequestLimits, ...limits };
	}

	header(revision: number = this.replica.machine.revision): ResponseHeader {
		const { clusterId, memberId, term } = this.replica;
		return { clusterId, memberId, revision, raftTerm: term };
	}

	async range(request: RangeRequest): Promise<WithHeader<RangeResult>> {
		reject(checkRange(request));
		if (request.serializable !== true) await this.replica.linearizableRead();
		return this.#isPaged(request) ? this.#rangeInPages(request) : this.#rangeAtOnce(request);
	}

	/** Waits for one of the few places of long ranges; to be given back. */
	async #longRangePlace(): Promise<() => void> {
		if (this.#longRanges < maxLongRanges) this.#longRanges++;
		else if (this.#waitingRanges.length >= maxWaitingRanges) {
			throw new StoreError("too_many_requests", "etcdserver: too many requests");
		} else await new Promise<void>((resolve) => this.#waitingRanges.push(resolve));
		return () => {
			const next = this.#waitingRanges.shift();
			if (next === undefined) this.#longRanges--;
			else next();
		};
	}

	#rangeAtOnce(request: RangeRequest): WithHeader<RangeResult> {
		const { machine } = this.replica;
		// Read and revision belong together: no await between them.
		const { kvs, more, count } = machine.range(request);
		const header = this.header(machine.revision);
		this.#checkAnswer(pairBytes(kvs));
		return { header, kvs, more, count };
	}

	/** Keys alone are read from the index, which knows them for the newest revision only. */
	#isPaged(request: RangeRequest): boolean {
		const { rangePageKeys } = this.#limits;
		const { limit = 0, rangeEnd } = request;
		if (rangeEnd === undefined || rangeEnd.length === 0 || request.countOnly === true) return false;
		return request.keysOnly !== true && (limit <= 0 || limit > rangePageKeys) && isInKeyOrder(request);
	}

	/** Reads at the revision of the first page, so that the answer is what one piece would have given at its time. */
	async #rangeInPages(request: RangeRequest): Promise<WithHeader<RangeResult>> {
		const { machine } = this.replica;
		const header = this.header(machine.revision);
		const first = machine.range({ ...request, limit: this.#limits.rangePageKeys });
		this.#checkAnswer(pairBytes(first.kvs));
		if (!first.more) return { header, kvs: first.kvs, more: false, count: first.count };
		const release = await this.#longRangePlace();
		const asked = request.revision ?? 0;
		try {
			const rest = await this.#furtherPages(request, first.kvs, asked > 0 ? asked : header.revision);
			return { header, ...rest, count: first.count };
		} catch (error) {
			// Compacted away under us, although the newest was asked for.
			if (asked <= 0 && error instanceof StoreError && error.code === "compacted") return this.#rangeAtOnce(request);
			throw error;
		} finally {
			release();
		}
	}

	async #furtherPages(
		request: RangeRequest,
		first: readonly KeyValue[],
		revision: number,
	): Promise<Pick<RangeResult, "kvs" | "more">> {
		const { rangePageKeys, turn } = this.#limits;
		const wanted = (request.limit ?? 0) > 0 ? request.limit! : Number.POSITIVE_INFINITY;
		const kvs = [...first];
		let bytes = pairBytes(kvs);
		let more = true;
		while (more && kvs.length < wanted) {
			await turn();
			const key = Buffer.concat([kvs.at(-1)!.key, zeroByte]);
			const limit = Math.min(rangePageKeys, wanted - kvs.length);
			const page = this.replica.machine.range({ ...request, key, limit, revision }, { count: false });
			for (const kv of page.kvs) kvs.push(kv);
			bytes += pairBytes(page.kvs);
			this.#checkAnswer(bytes);
			more = page.more;
		}
		return { kvs, more };
	}

	#checkAnswer(bytes: number): void {
		const { maxAnswerBytes } = this.#limits;
		if (bytes <= maxAnswerBytes) return;
		throw new StoreError("invalid_argument", `range: the answer is above ${maxAnswerBytes} bytes; ask with a limit`);
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

	txn(request: TxnRequest, options?: ProposeOptions): Promise<WithHeader<TxnResult>> {
		reject(checkTxn(request, this.#limits.maxTxnOps));
		this.#checkSize(txnBytes(request));
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
		return this.#replicate({ kind }, options, onlyHeader);
	}

	#checkSize(bytes: number): void {
		if (bytes > this.#limits.maxRequestBytes) {
			throw new StoreError("request_too_large", "etcdserver: request is too large");
		}
	}

	/** etcd's NOSPACE: deletes and compactions still pass, and open the store again by themselves. */
	#checkQuota(): void {
		if (this.#full || ++this.#sinceQuotaCheck >= quotaCheckEvery) {
			this.#sinceQuotaCheck = 0;
			this.#full = this.#limits.usedBytes() > this.#limits.quotaBytes;
		}
		if (this.#full) throw new StoreError("no_space", "etcdserver: mvcc: database space exceeded");
	}

	/** One promise for the whole way: this is the hot path of every write. */
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
