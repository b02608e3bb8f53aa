/** What can be done to a cluster under test, and how its clients reach it. */
import type { Clocks } from "../places/clocks.ts";
import type { Disks } from "../places/disks.ts";
import type { Network } from "../places/network.ts";
import type { KvTarget } from "../workloads/target.ts";

export interface Leadership {
	/** Of `Members.names`. */
	readonly name: string;
	readonly term: number;
}

/** Of what it printed so many lines are told. */
export const lastLines = 10;

/** One that ended by itself. */
export interface Ended {
	/** A member, or a part of one. */
	readonly name: string;
	/** The end of what it printed. */
	readonly output: string;
}

/** A master's controller manager and scheduler. */
export interface Agents {
	/** SIGSTOP and SIGCONT, to them alone. */
	pause(master: string): Promise<void>;
	resume(master: string): Promise<void>;
}

export interface Members<T = KvTarget> {
	/** What runs, for reports: "3 members of barque store 0.1.0". */
	readonly description: string;
	readonly names: readonly string[];
	/** SIGKILL; resolves when it is gone. */
	kill(name: string): Promise<void>;
	/** Starts it again; resolves when it says that it is ready. Of a member that runs: nothing. */
	start(name: string): Promise<void>;
	/** SIGTERM; resolves when it is gone. */
	stop?(name: string): Promise<void>;
	/** SIGSTOP and SIGCONT. Absent where processes are out of reach. */
	pause?(name: string): Promise<void>;
	resume?(name: string): Promise<void>;
	/** What leads by a Lease, where members are masters. */
	readonly agents?: Agents | undefined;
	/** Between members only: clients reach every member all along. */
	readonly network?: Network | undefined;
	/** Wall clocks, where members were started for it. */
	readonly clocks?: Clocks | undefined;
	/** Disks, where members were started for it. */
	readonly disks?: Disks | undefined;
	/**
	 * Those that ended since the start though nothing was done to them, each time, with what they printed last. Absent: nobody
	 * knows.
	 */
	ended?(): Promise<readonly Ended[]>;
	/** Discards history up to a revision of a moment ago. */
	compact?(): Promise<void>;
	/** Gives freed space of one member's database back. */
	defragment?: ((name: string) => Promise<void>) | undefined;
	/** false: `leader` tells the term that the leader last applied, which may be older than its leadership (etcd). */
	readonly exactTerms?: boolean | undefined;
	/** undefined: none, or nobody tells. Where two claim it, the one with the higher term. */
	leader(): Promise<Leadership | undefined>;
	/** A client of its own, whose nearest member differs with `index`. */
	connect(index: number): T;
	/** Ends everything and leaves nothing behind. */
	close(): Promise<void>;
}

/** `list` beginning at another place for each index. */
export function rotated<T>(list: readonly T[], index: number): T[] {
	const at = index % list.length;
	return [...list.slice(at), ...list.slice(0, at)];
}
