/** The contract between the log on disk and the member's shell. Implemented in wal.ts. */
import type { Entry, HardState, SnapshotMeta } from "../raft/types.ts";

/** First record of every segment, so that a member never runs on another's files. */
export interface LogIdentity {
	readonly clusterId: bigint;
	readonly memberId: bigint;
}

export interface LogRecord {
	readonly hardState?: HardState | undefined;
	readonly entries: readonly Entry[];
	/** Marks that the state machine holds everything up to here durably; entries at or below it may be released. */
	readonly snapshot?: SnapshotMeta | undefined;
	/** False: may be written with the next synced record. */
	readonly mustSync: boolean;
}

export interface RecoveredLog {
	readonly identity: LogIdentity;
	readonly hardState: HardState;
	/** The newest snapshot mark; index 0 on a log that never had one. */
	readonly snapshot: SnapshotMeta;
	/** Everything after the snapshot mark, without a gap. */
	readonly entries: readonly Entry[];
	/** Set when a torn tail of the last segment was cut: file, offset and bytes dropped. Never set for damage elsewhere: that throws. */
	readonly repaired?: { readonly file: string; readonly offset: number; readonly bytes: number } | undefined;
}

/**
 * Appends are ordered; records that arrive while a sync runs share the next one (group commit). The promise of each
 * resolves once it and all before it are durable; after a failed write or sync every later call rejects (the state of
 * the medium is unknown: the member must stop; "fsyncgate").
 */
export interface Log {
	append(record: LogRecord): Promise<void>;
	/** Removes whole segments that hold only entries at or below `index`. Called only after a durable snapshot mark ≥ index. */
	release(index: number): Promise<void>;
	close(): Promise<void>;
}

/** Damage that no crash explains: wrong checksum before the tail, a missing segment, another member's identity. */
export class LogCorruptError extends Error {
	readonly file: string;
	readonly offset: number;

	constructor(file: string, offset: number, what: string) {
		super(`${file}: offset ${offset}: ${what}`);
		this.name = "LogCorruptError";
		this.file = file;
		this.offset = offset;
	}
}
