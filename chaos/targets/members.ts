/** What can be done to a cluster under test, and how its clients reach it. */
import type { KvTarget } from "../workloads/target.ts";

export interface Members<T = KvTarget> {
	/** What runs, for reports: "3 members of barque store 0.1.0". */
	readonly description: string;
	readonly names: readonly string[];
	/** SIGKILL; resolves when it is gone. */
	kill(name: string): Promise<void>;
	/** Starts it again; resolves when it says that it is ready. */
	start(name: string): Promise<void>;
	/** SIGSTOP and SIGCONT. Absent where processes are out of reach. */
	pause?(name: string): void;
	resume?(name: string): void;
	/** undefined: none, or nobody tells. */
	leader(): Promise<string | undefined>;
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
