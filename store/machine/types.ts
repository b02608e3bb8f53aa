/**
 * The replicated state machine: committed entries in, answers and events out. It is the same on every member and a
 * function of the log alone; time enters only as the leader's time inside entries. Implemented in machine.ts over
 * `mvcc/`, `lease/`, sessions and `watch/`.
 */
import type {
	CompactRequest,
	DeleteRangeRequest,
	DeleteRangeResult,
	LeaseGrantRequest,
	LeaseGrantResult,
	LeaseTimeToLiveResult,
	PutRequest,
	PutResult,
	RangeRequest,
	RangeResult,
	StoreError,
	TxnRequest,
	TxnResult,
	WatchHandler,
	WatchRequest,
} from "../api.ts";
import type { RangeOptions } from "../mvcc/read.ts";
import type { ReadPlan } from "../mvcc/write.ts";
import type { ConfState, Entry, SnapshotMeta } from "../raft/types.ts";
import type { WatchCursor } from "../watch/types.ts";
import type { SessionLimits } from "./session-limits.ts";

/** What an entry asks for. `kind` numbers are fixed forever (codec.ts). */
export type Command =
	| ({ readonly kind: "put" } & PutRequest)
	| ({ readonly kind: "delete" } & DeleteRangeRequest)
	| ({ readonly kind: "txn" } & TxnRequest)
	| ({ readonly kind: "compact" } & CompactRequest)
	| ({ readonly kind: "lease_grant" } & LeaseGrantRequest)
	| {
			readonly kind: "lease_revoke";
			readonly id: bigint /** Set by the leader's expiry: revoked only if still expired at the entry's time. */;
			readonly expired: boolean;
	  }
	| { readonly kind: "lease_keepalive"; readonly ids: readonly bigint[] }
	/** Opens the session named in the header, under these limits or `defaultSessionLimits`. */
	| { readonly kind: "session_open"; readonly limits?: SessionLimits | undefined }
	| { readonly kind: "session_close" }
	/**
	 * Nothing but its time: lets leases and sessions age in a quiet cluster. The leader proposes one whenever nothing else
	 * was proposed for a second: a gap of more than `pauseThresholdMs` (machine/time.ts) counts as an outage, in which
	 * nothing ages.
	 */
	| { readonly kind: "tick" };

/** In front of every command in an entry (house plan: "formats are versioned from the first byte"). */
export interface CommandHeader {
	/** 0n: no session, no deduplication. */
	readonly session: bigint;
	/** Per session, increasing from 1. The machine keeps the answers of those not yet acknowledged. */
	readonly sequence: number;
	/** Answers of this session up to here were received by the client and may be forgotten. */
	readonly acknowledged: number;
	/** The proposing leader's wall time, ms; the machine's clock is the maximum seen, so it never runs back. */
	readonly time: number;
	/** Matches the answer to the waiting request on the member that proposed it; random per member start. */
	readonly requestId: bigint;
}

export type CommandResult =
	| { readonly kind: "put"; readonly result: PutResult }
	| { readonly kind: "delete"; readonly result: DeleteRangeResult }
	| { readonly kind: "txn"; readonly result: TxnResult }
	| { readonly kind: "lease_grant"; readonly result: LeaseGrantResult }
	| { readonly kind: "lease_keepalive"; readonly result: ReadonlyArray<{ readonly id: bigint; readonly ttl: number }> }
	| { readonly kind: "compact" | "lease_revoke" | "session_open" | "session_close" | "tick" };

export interface Applied {
	readonly index: number;
	readonly header: CommandHeader;
	/** The store's revision after this entry. */
	readonly revision: number;
	readonly outcome: CommandResult | StoreError;
}

export interface StateMachine {
	readonly appliedIndex: number;
	readonly appliedTerm: number;
	/** Applied index that a crash cannot lose any more (a synced engine batch carries it). */
	readonly durableIndex: number;
	readonly conf: ConfState;
	readonly revision: number;
	readonly compactRevision: number;
	/** The machine's clock, ms. */
	readonly time: number;
	/** Open sessions: while there are any (or leases), the leader must keep the machine's time moving. */
	readonly sessionCount: number;

	/**
	 * Applies committed entries in order, synchronously, in memory; queues one engine batch with the applied index, and
	 * hands events to the watch hub. Entries of kind confchange and empty entries only move the applied index (`conf` is
	 * passed by the shell). An unknown format or kind throws: the member must stop.
	 */
	apply(entries: readonly Entry[], confAfter: (entry: Entry) => ConfState | undefined): Applied[];
	/** Resolves when everything applied so far is durable in the engine (used before releasing the log). */
	sync(): Promise<SnapshotMeta>;
	/** Resolves once the records that a compaction at `revision` made unreadable are gone from the engine (`physical`). */
	compactionDone(revision: number): Promise<void>;
	/** Bytes applied but not yet written to the engine; the shell stops applying above a limit until it falls. */
	readonly pendingBytes: number;

	/** Answers from this member's state; the shell confirms linearizability first. Throws StoreError. */
	range(request: RangeRequest, options?: RangeOptions): RangeResult;
	/** For a transaction whose branches only read: decides its compares on this member's state. Throws StoreError. */
	planReads(request: TxnRequest): ReadPlan;
	leaseTimeToLive(id: bigint, keys: boolean): LeaseTimeToLiveResult;
	leases(): bigint[];
	/** Leases past their time on the machine's clock moved forward to `now` (ms); at most `limit`. For the leader to propose revokes. */
	expiredLeases(now: number, limit: number): bigint[];
	/** The handler is never called before this returns. `progressNotify` is the server's part: it calls `requestProgress`. */
	watch(request: WatchRequest, handler: WatchHandler): WatchCursor;

	/** CRC32C over the key space up to a revision, equal on all members and to etcd's HashKV. */
	hash(
		revision: number,
	): Promise<{ readonly hash: number; readonly revision: number; readonly compactRevision: number }>;

	/** The whole state at the applied index as a versioned, chunked, checksummed stream; a consistent view while writes go on. */
	snapshot(): { readonly meta: SnapshotMeta; readonly chunks: AsyncIterable<Buffer> };
	/** Replaces the whole state; atomic: after a crash either the old state or the new is there. Ends or resumes watchers correctly. Rejects on a bad checksum or an unknown version, leaving the old state. */
	restore(meta: SnapshotMeta, chunks: AsyncIterable<Buffer>): Promise<void>;
	close(): Promise<void>;
}
