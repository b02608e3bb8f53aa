/** What the member's shell needs from outside, and what it tells outside. */
import type { Clock } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import type { StateMachine } from "../machine/types.ts";
import type { ConfState, MemberId, Message, Role } from "../raft/types.ts";
import type { Log, LogIdentity, RecoveredLog } from "../wal/types.ts";

/** Proposals a member hands to the leader. The leader appends them only while its term is `term`: that is what lets the sender prove one lost. */
export interface Forward {
	/** The sender's; comes back when refused. */
	readonly id: number;
	readonly term: number;
	readonly commands: readonly Buffer[];
}

export type RefusalReason = "not_leader" | "overloaded";

/** The links to the other members. Anything may be lost or delayed, Raft messages also repeated and reordered; a forward arrives at most as often as it is handed over. */
export interface PeerTransport {
	/** Called before anything is sent; called again, the new handlers take the place of the old. */
	start(handlers: PeerHandlers): void;
	/** Never blocks; what cannot be queued is dropped and reported by `onUnreachable`. */
	send(messages: readonly Message[]): void;
	/** False: not handed to the link, and never will be. True: may arrive. */
	forward(to: MemberId, forward: Forward): boolean;
	/** Tells the sender that nothing of its forward, in any copy, was or ever will be appended. */
	refuse(to: MemberId, id: number, reason: RefusalReason): void;
	/** Streams the state after the message; resolves when the other member has taken it. */
	sendSnapshot(message: Message, chunks: AsyncIterable<Buffer>): Promise<void>;
	close(): Promise<void>;
}

export interface PeerHandlers {
	onMessages(messages: readonly Message[]): void;
	onForward(from: MemberId, forward: Forward): void;
	onRefused(from: MemberId, id: number, reason: RefusalReason): void;
	/** Resolves when the state is installed (or proved unneeded); rejects when it could not be. */
	onSnapshot(message: Message, chunks: AsyncIterable<Buffer>): Promise<void>;
	onUnreachable(id: MemberId): void;
}

/** Where a snapshot under way is kept until it is whole: memory in simulation, a file in production. */
export interface SnapshotSpool {
	write(chunk: Buffer): Promise<void>;
	/** After the last write; may be read once. Where one buffer ends and the next begins means nothing. */
	read(): AsyncIterable<Buffer>;
	/** Frees the space; idempotent. */
	discard(): Promise<void>;
}

export interface MemberConfig {
	readonly id: MemberId;
	readonly clusterId: bigint;
	/** For logs. */
	readonly name: string;
	/** The configuration a new log starts with. */
	readonly voters: readonly MemberId[];
	readonly heartbeatMs: number;
	readonly electionMs: number;
	readonly preVote: boolean;
	/** Entries between two snapshot marks. */
	readonly snapshotCount: number;
	/** Entries kept in memory behind a mark for followers that lag. */
	readonly catchUpEntries: number;
	readonly autoCompaction?: AutoCompaction | undefined;
}

/** `periodic`: keep history of `retention` ms; `revision`: keep `retention` revisions. */
export interface AutoCompaction {
	readonly mode: "periodic" | "revision";
	readonly retention: number;
}

export interface MemberLimits {
	/** Applied may lag committed by this many entries before proposals are refused. */
	readonly applyGap: number;
	/** Machine bytes not yet in the engine: above this nothing is applied until they fall. */
	readonly machinePendingBytes: number;
	readonly uncommittedBytes: number;
	/** Bytes of proposals waiting on this member for an answer. */
	readonly waitingBytes: number;
	/** Entry bytes kept in memory behind a snapshot mark. */
	readonly catchUpBytes: number;
	/** Entry bytes after which a snapshot mark is due even below `snapshotCount`. */
	readonly snapshotBytes: number;
}

export const defaultLimits: MemberLimits = {
	applyGap: 5000,
	machinePendingBytes: 64 << 20,
	uncommittedBytes: 256 << 20,
	waitingBytes: 128 << 20,
	catchUpBytes: 64 << 20,
	snapshotBytes: 256 << 20,
};

export interface MemberOptions {
	readonly config: MemberConfig;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	readonly log: Log;
	readonly recovered: RecoveredLog;
	readonly machine: StateMachine;
	readonly transport: PeerTransport;
	readonly limits?: Partial<MemberLimits>;
	/** In memory when absent. */
	readonly openSpool?: () => Promise<SnapshotSpool>;
	/** Runs the callback once the current event-loop turn's input has been read; proposals up to then make one batch. By default a timer of 0 ms. */
	readonly endOfTurn?: (callback: () => void) => void;
	/** The member has stopped itself because going on could be wrong. Called at most once. */
	readonly onFatal?: (error: Error) => void;
	readonly observer?: MemberObserver;
}

/** For metrics and tests; calls must return quickly and not throw. */
export interface MemberObserver {
	onSoftState?(leader: MemberId, role: Role, term: number): void;
	onApplied?(index: number, revision: number): void;
	onSnapshotMark?(index: number): void;
	onSnapshotSent?(to: MemberId, ok: boolean): void;
	onSnapshotInstalled?(index: number): void;
}

/** What a log is opened with; a new log holds the initial configuration as a mark at index 0. */
export interface LogStart {
	readonly identity: LogIdentity;
	readonly conf: ConfState;
}
