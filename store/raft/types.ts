/**
 * The Raft core's vocabulary and its contract with the shell. Raft paper: Ongaro and Ousterhout, extended version;
 * thesis sections cited where used. The core does no I/O: messages and ticks go in, `Effects` come out.
 */

/** Random 64-bit id, never 0n; `none` stands for "nobody". */
export type MemberId = bigint;
export const none: MemberId = 0n;

export type EntryKind = "normal" | "confchange";

export interface Entry {
	readonly term: number;
	readonly index: number;
	readonly kind: EntryKind;
	/** Opaque to the core; empty for the entry a new leader begins its term with. */
	readonly data: Buffer;
}

/** What must survive a restart (paper figure 2, persistent state). */
export interface HardState {
	readonly term: number;
	readonly vote: MemberId;
	readonly commit: number;
}

export interface ConfState {
	readonly voters: readonly MemberId[];
	readonly votersOutgoing: readonly MemberId[];
	readonly learners: readonly MemberId[];
	readonly learnersNext: readonly MemberId[];
	readonly autoLeave: boolean;
}

export interface SnapshotMeta {
	readonly index: number;
	readonly term: number;
	readonly conf: ConfState;
}

export type ConfChangeType = "add_voter" | "add_learner" | "remove" | "update";
export interface ConfChange {
	readonly type: ConfChangeType;
	readonly id: MemberId;
	/** Opaque to the core (addresses, name). */
	readonly context: Buffer;
}

export type MessageType =
	| "pre_vote"
	| "pre_vote_response"
	| "vote"
	| "vote_response"
	| "append"
	| "append_response"
	| "heartbeat"
	| "heartbeat_response"
	| "snapshot"
	| "read_index"
	| "read_index_response"
	| "transfer_leader"
	| "timeout_now";

export interface Message {
	readonly type: MessageType;
	readonly from: MemberId;
	readonly to: MemberId;
	/** 0 only for forwarded requests (read_index), which carry no term. */
	readonly term: number;
	/** append: term and index of the entry before `entries`; vote: of the candidate's last entry; append_response: what is acknowledged or rejected; heartbeat: up to where the follower acknowledged in this term (0 from versions that did not tell). */
	readonly logTerm: number;
	readonly index: number;
	readonly entries: readonly Entry[];
	readonly commit: number;
	readonly reject: boolean;
	/** On a rejected append: the follower's last index, and `logTerm` its term there (fast backtracking, paper 5.3). */
	readonly rejectHint: number;
	readonly snapshot?: SnapshotMeta | undefined;
	/** Heartbeat round and ReadIndex request ids. */
	readonly context: bigint;
	/** vote: set for a leadership transfer, overrides the leader's lease. */
	readonly force: boolean;
}

export type Role = "follower" | "pre_candidate" | "candidate" | "leader";

export interface Persist {
	/** Consecutive from 1; the shell reports `persisted(sequence)` in this order. */
	readonly sequence: number;
	readonly hardState?: HardState | undefined;
	/** To append; entries at or after `entries[0].index` already on disk are void and must be replaced. */
	readonly entries: readonly Entry[];
	/** A received snapshot to install before `entries`: log before it is void, state is replaced by it. */
	readonly snapshot?: SnapshotMeta | undefined;
	/** hardState's term or vote changed, entries or a snapshot are present, or `messages` wait for it: needs fsync. Otherwise (commit only, without messages) it may be written lazily. */
	readonly mustSync: boolean;
	/** Messages that may leave only after this and every earlier persist is durable: votes, append acknowledgements. */
	readonly messages: readonly Message[];
}

/**
 * What the shell must do, in this order:
 * 1. hand `persist` to the log (in sequence; several may be in flight) and, side by side, send `messages` now;
 *    they promise nothing about our own disk (leader's appends, heartbeats, pre-votes).
 * 2. when a persist is durable: send its `messages`, then call `persisted(sequence)`.
 * 3. apply `committed`, in order; they are always durable on this member already. Then call `applied(index)`.
 * 4. answer `readStates` whose index is applied.
 */
export interface Effects {
	readonly persist?: Persist | undefined;
	readonly messages: readonly Message[];
	readonly committed: readonly Entry[];
	readonly readStates: readonly ReadState[];
	/** Set when leader, role or term changed. */
	readonly soft?: { readonly leader: MemberId; readonly role: Role; readonly term: number } | undefined;
}

/** A linearizable read with this id may be answered once `index` is applied. `index` -1: no leader could confirm it (leader changed); ask again. */
export interface ReadState {
	readonly id: bigint;
	readonly index: number;
}

export interface RaftConfig {
	readonly id: MemberId;
	/** Ticks; the election timeout is drawn from [electionTicks, 2 × electionTicks). */
	readonly electionTicks: number;
	readonly heartbeatTicks: number;
	/** Uniform integer in [0, bound). */
	readonly randomInt: (bound: number) => number;
	readonly preVote: boolean;
	readonly checkQuorum: boolean;
	readonly maxBytesPerAppend: number;
	readonly maxInflightAppends: number;
	readonly maxInflightBytes: number;
	/** Bytes of proposals accepted but not yet committed; beyond it `propose` refuses. */
	readonly maxUncommittedBytes: number;
	/** Bytes of entries handed out in one `committed`. */
	readonly maxCommittedBytes: number;
}

/** Recovered from the log at start. `entries` follow `snapshot.index` without a gap; `applied` is what the state machine already holds. */
export interface Recovered {
	readonly hardState: HardState;
	readonly snapshot: SnapshotMeta;
	readonly entries: readonly Entry[];
	readonly applied: number;
	/** The configuration at `applied`. Absent: the confchange entries after the snapshot up to `applied` are replayed over `snapshot.conf`. */
	readonly conf?: ConfState | undefined;
}

export interface ProgressView {
	readonly id: MemberId;
	readonly match: number;
	readonly next: number;
	readonly state: "probe" | "replicate" | "snapshot";
	readonly learner: boolean;
	readonly recentActive: boolean;
	/** It rejects what it once acknowledged: it has lost its log. */
	readonly stalled: boolean;
}

export type ProposeResult =
	| { readonly ok: true; readonly firstIndex: number; readonly term: number }
	| { readonly ok: false; readonly reason: "not_leader" | "overloaded" | "transferring" }
	/** Only from `proposeConfChange`: an earlier change is not applied yet; the change is not possible on the current configuration. */
	| { readonly ok: false; readonly reason: "conf_change_pending" | "conf_change_invalid" };

/** Implemented by `Raft` in raft.ts: `new Raft(config, recovered)`. */
export interface RaftCore {
	readonly id: MemberId;
	readonly term: number;
	readonly leader: MemberId;
	readonly role: Role;
	readonly commitIndex: number;
	readonly appliedIndex: number;
	readonly lastIndex: number;
	/** First index still in the core's memory (the log's tail is kept there for followers). */
	readonly firstIndex: number;
	readonly conf: ConfState;

	tick(): void;
	step(message: Message): void;
	/** Start an election now (tests, transfer). */
	campaign(): void;
	/** Appends all of `data` as consecutive entries of the current term, or none. Never drops silently. */
	propose(data: readonly Buffer[]): ProposeResult;
	/** The entry's data is `encodeConfChange(change)` (codec.ts); one change at a time. */
	proposeConfChange(change: ConfChange): ProposeResult;
	/** Called by the shell when it applies a confchange entry; returns the new configuration. */
	applyConfChange(change: ConfChange): ConfState;
	/** Linearizable read (thesis 6.4): later a ReadState with `id` comes out, here or, forwarded, on this follower. Ids must never repeat on a member, not even across restarts. */
	readIndex(id: bigint): void;
	transferLeader(to: MemberId): void;

	hasEffects(): boolean;
	/** Takes all pending effects. */
	takeEffects(): Effects;
	persisted(sequence: number): void;
	applied(index: number): void;
	/** The shell's answer to a `snapshot` message it carried to a follower. */
	reportSnapshot(id: MemberId, ok: boolean): void;
	/** The link to a member failed: stop optimistic pipelining until it answers. */
	reportUnreachable(id: MemberId): void;
	/** Drops entries up to `index` from memory; followers needing them will get a snapshot at `snapshot` (state applied at its index). */
	compact(index: number, snapshot: SnapshotMeta): void;
	/** Term at an index still in memory (or the snapshot's). */
	termAt(index: number): number | undefined;
	progress(): readonly ProgressView[];
}

/** A broken invariant: the member must stop before it answers or writes anything more. */
export class RaftInvariantError extends Error {
	override name = "RaftInvariantError";
}
