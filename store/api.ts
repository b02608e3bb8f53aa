/**
 * The store's requests and answers, as the state machine, the server and the client know them. Names and meaning are
 * etcd's (API v3, `rpc.proto`); revisions and versions are integers below 2^53, ids of leases, members and clusters are
 * unsigned 64-bit.
 */

export interface KeyValue {
	readonly key: Buffer;
	readonly createRevision: number;
	readonly modRevision: number;
	readonly version: number;
	readonly value: Buffer;
	/** 0n: no lease. */
	readonly lease: bigint;
}

export interface ResponseHeader {
	readonly clusterId: bigint;
	readonly memberId: bigint;
	readonly revision: number;
	readonly raftTerm: number;
}

export type SortTarget = "key" | "version" | "create" | "mod" | "value";

export interface RangeRequest {
	readonly key: Buffer;
	/** Absent: the one key. A single zero byte: everything from `key` on. Otherwise the half-open range [key, rangeEnd). */
	readonly rangeEnd?: Buffer | undefined;
	/** 0 or absent: no limit. */
	readonly limit?: number | undefined;
	/** 0 or absent: the newest. */
	readonly revision?: number | undefined;
	readonly sortTarget?: SortTarget | undefined;
	readonly sortOrder?: "none" | "ascend" | "descend" | undefined;
	/** Answered from the member's own state, possibly stale. */
	readonly serializable?: boolean | undefined;
	readonly keysOnly?: boolean | undefined;
	readonly countOnly?: boolean | undefined;
	readonly minModRevision?: number | undefined;
	readonly maxModRevision?: number | undefined;
	readonly minCreateRevision?: number | undefined;
	readonly maxCreateRevision?: number | undefined;
}

export interface RangeResult {
	readonly kvs: readonly KeyValue[];
	readonly more: boolean;
	/** Keys in the range, ignoring limit and filters. */
	readonly count: number;
}

export interface PutRequest {
	readonly key: Buffer;
	readonly value: Buffer;
	readonly lease?: bigint | undefined;
	readonly prevKv?: boolean | undefined;
	readonly ignoreValue?: boolean | undefined;
	readonly ignoreLease?: boolean | undefined;
}

export interface PutResult {
	readonly prevKv?: KeyValue | undefined;
}

export interface DeleteRangeRequest {
	readonly key: Buffer;
	readonly rangeEnd?: Buffer | undefined;
	readonly prevKv?: boolean | undefined;
}

export interface DeleteRangeResult {
	readonly deleted: number;
	readonly prevKvs: readonly KeyValue[];
}

export type CompareResult = "equal" | "greater" | "less" | "not_equal";

export type Compare = {
	readonly key: Buffer;
	readonly rangeEnd?: Buffer | undefined;
	readonly result: CompareResult;
} & (
	| { readonly target: "version" | "create" | "mod"; readonly operand: number }
	| { readonly target: "value"; readonly operand: Buffer }
	| { readonly target: "lease"; readonly operand: bigint }
);

export type RequestOp =
	| ({ readonly op: "range" } & RangeRequest)
	| ({ readonly op: "put" } & PutRequest)
	| ({ readonly op: "delete" } & DeleteRangeRequest)
	| ({ readonly op: "txn" } & TxnRequest);

export interface TxnRequest {
	readonly compare: readonly Compare[];
	readonly success: readonly RequestOp[];
	readonly failure: readonly RequestOp[];
}

export type ResponseOp =
	| ({ readonly op: "range" } & RangeResult)
	| ({ readonly op: "put" } & PutResult)
	| ({ readonly op: "delete" } & DeleteRangeResult)
	| ({ readonly op: "txn" } & TxnResult);

export interface TxnResult {
	readonly succeeded: boolean;
	readonly responses: readonly ResponseOp[];
}

export interface CompactRequest {
	readonly revision: number;
	/** Answer only once the compacted revisions are gone from disk. */
	readonly physical?: boolean | undefined;
}

export interface LeaseGrantRequest {
	/** 0n: the store chooses. */
	readonly id: bigint;
	/** Seconds. */
	readonly ttl: number;
}

export interface LeaseGrantResult {
	readonly id: bigint;
	readonly ttl: number;
}

export interface LeaseTimeToLiveResult {
	readonly id: bigint;
	/** Seconds left; -1 when the lease does not exist. */
	readonly ttl: number;
	readonly grantedTtl: number;
	readonly keys: readonly Buffer[];
}

export interface WatchRequest {
	readonly key: Buffer;
	readonly rangeEnd?: Buffer | undefined;
	/** First revision wanted; 0 or absent: the one after the current. */
	readonly startRevision?: number | undefined;
	readonly prevKv?: boolean | undefined;
	readonly noPut?: boolean | undefined;
	readonly noDelete?: boolean | undefined;
	/** Ask for a progress answer when nothing happened for the server's interval. */
	readonly progressNotify?: boolean | undefined;
}

export interface WatchEvent {
	readonly type: "put" | "delete";
	/** For a delete: only key and modRevision are set (value empty, others 0). */
	readonly kv: KeyValue;
	readonly prevKv?: KeyValue | undefined;
}

/** Events of whole revisions, in revision order: a revision's events are never split between two batches. */
export interface WatchBatch {
	readonly events: readonly WatchEvent[];
	/** The store's revision when this was sent: everything up to it has been delivered. With no events: progress. */
	readonly revision: number;
}

export type WithHeader<T> = T & { readonly header: ResponseHeader };

/**
 * Expected failures, with stable codes; `store/serve` maps them to gRPC statuses and etcd's exact texts.
 * `unavailable` (no leader, lost connection before sending): not applied, safe to retry anywhere.
 * `outcome_unknown`: may or may not have been applied. `not_applied`, between server and client alone: an earlier copy of
 * the write ran and changed nothing, no copy ever will; it may be sent under a new number.
 */
export type StoreErrorCode =
	| "compacted"
	| "future_revision"
	| "empty_key"
	| "key_not_found"
	| "value_provided"
	| "lease_provided"
	| "too_many_ops"
	| "duplicate_key"
	| "invalid_range"
	| "request_too_large"
	| "no_space"
	| "lease_not_found"
	| "lease_exists"
	| "lease_ttl_too_large"
	| "too_many_requests"
	| "unavailable"
	| "timeout"
	| "outcome_unknown"
	| "session_expired"
	| "cluster_id_mismatch"
	| "slow_watcher"
	| "corrupt"
	| "invalid_argument"
	| "closed"
	| "not_applied";

export class StoreError extends Error {
	readonly code: StoreErrorCode;
	/** With `compacted`: the revision compacted at, the smallest readable one. */
	readonly compactRevision: number | undefined;

	constructor(code: StoreErrorCode, message: string, options?: { compactRevision?: number; cause?: unknown }) {
		super(message, options?.cause === undefined ? undefined : { cause: options.cause });
		this.name = "StoreError";
		this.code = code;
		this.compactRevision = options?.compactRevision;
	}
}

export interface WatchHandler {
	/** Called in order; the client resumes by itself after a lost connection, without gaps or repeats. */
	onBatch(batch: WatchBatch): void;
	/** Ended for good: `compacted` (with `compactRevision`), `slow_watcher` (resume from the last revision seen), `closed` ... */
	onEnd(error: StoreError): void;
}

export interface WatchHandle {
	/** Asks the server for a progress batch (`events: []`) that covers everything up to its current revision. */
	requestProgress(): void;
	cancel(): void;
}

export interface CallOptions {
	/** Ends the call at once, which then rejects with the signal's reason. A write may be applied all the same. */
	readonly signal?: AbortSignal | undefined;
}

/**
 * What `apiserver/storage` stands on: `store/client` implements it over the native protocol, a twin in memory for tests.
 * All methods reject with `StoreError`, except when their signal is aborted.
 */
export interface StoreClient {
	range(request: RangeRequest, options?: CallOptions): Promise<WithHeader<RangeResult>>;
	put(request: PutRequest, options?: CallOptions): Promise<WithHeader<PutResult>>;
	deleteRange(request: DeleteRangeRequest, options?: CallOptions): Promise<WithHeader<DeleteRangeResult>>;
	txn(request: TxnRequest, options?: CallOptions): Promise<WithHeader<TxnResult>>;
	compact(request: CompactRequest, options?: CallOptions): Promise<WithHeader<object>>;
	leaseGrant(request: LeaseGrantRequest, options?: CallOptions): Promise<WithHeader<LeaseGrantResult>>;
	leaseRevoke(id: bigint, options?: CallOptions): Promise<WithHeader<object>>;
	/** One renewal; `ttl` 0 when the lease is gone. */
	leaseKeepAlive(id: bigint, options?: CallOptions): Promise<WithHeader<{ readonly id: bigint; readonly ttl: number }>>;
	leaseTimeToLive(
		id: bigint,
		options?: CallOptions & { readonly keys?: boolean },
	): Promise<WithHeader<LeaseTimeToLiveResult>>;
	leases(options?: CallOptions): Promise<WithHeader<{ readonly ids: readonly bigint[] }>>;
	/** The current revision, linearizably (one ReadIndex, shared with others of the same turn). */
	currentRevision(options?: CallOptions): Promise<number>;
	/** Aborting the signal is as `cancel` of the handle. */
	watch(request: WatchRequest, handler: WatchHandler, options?: CallOptions): WatchHandle;
	close(): Promise<void>;
}
