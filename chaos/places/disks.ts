/** Harm to the disks of members. */

/**
 * slow: each sync takes that much longer. error: syncs fail with EIO. Both and full until healed. torn: the next write stops
 * in its middle and the process dies by SIGKILL. full: every write fails with ENOSPC.
 */
export const diskFaults = ["slow", "error", "torn", "full"] as const;
export type DiskFault = (typeof diskFaults)[number];

export interface Disks {
	/** The member's disk goes bad in this way. Absent where calls cannot be intercepted. */
	harm?(name: string, fault: DiskFault): Promise<void>;
	/** The disk is good again; its content is what it is. */
	heal?(name: string): Promise<void>;
	/** The member dies and its disk loses everything that was not synced. Resolves when the disk can be used again. */
	loseUnsynced?(names: readonly string[]): Promise<void>;
	/** What a kernel does by itself now and then: makes durable what was written so far. There with `loseUnsynced`. */
	writeBack?(names: readonly string[]): Promise<void>;
}
