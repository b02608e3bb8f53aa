/** Where members run: processes on this machine, network namespaces, containers. A system (`system.ts`) is what runs there. */
import type { Clocks } from "./clocks.ts";
import type { Disks } from "./disks.ts";
import type { Network } from "./network.ts";

export interface Command {
	readonly program: string;
	readonly args: readonly string[];
}

/** Where a member is and what it has. */
export interface Site {
	/** `m1`, `m2` … */
	readonly name: string;
	/** Where peers and clients reach its member: addresses without ports. */
	readonly peerAddress: string;
	readonly clientAddress: string;
	readonly peerPort: number;
	readonly clientPort: number;
	/** As the member sees it: a folder of its own that outlives its process. */
	readonly dataDir: string;
}

/** One machine, real or so it seems to the member. */
export interface Host extends Site {
	/** Starts the member. Resolves once the process runs; rejects where the program cannot be started. */
	run(command: Command): Promise<void>;
	readonly isRunning: boolean;
	/** The end of what the latest process printed, at most 64 KiB. */
	readonly output: string;
	/** SIGKILL or SIGTERM; resolves when it is gone. Nothing where none runs. */
	end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
	/** SIGSTOP and SIGCONT. */
	pause(): Promise<void>;
	resume(): Promise<void>;
}

export interface Place {
	/** For reports: "processes on this machine". */
	readonly description: string;
	readonly hosts: readonly Host[];
	/** Paths of the place for our own program: run it with `node launcher …`. */
	readonly node: string;
	readonly launcher: string;
	readonly network?: Network | undefined;
	/**
	 * The command that runs a program of this machine, with its files, on a host (by its name), in its network and with its
	 * clock and disk, under the same process id. It ends with this process at the latest, where the machine can do that.
	 */
	enter(host: string, command: Command): Promise<Command>;
	readonly clocks?: Clocks | undefined;
	/**
	 * Disks of the hosts' `dataDir`, which are then folders of this machine. `kill` is to end by SIGKILL whatever writes on
	 * that host: sent when it returns, gone when it resolves.
	 */
	disks?(kill: (host: string) => Promise<void>): Disks | undefined;
	/** What was started on hosts by way of `enter` is to be ended before the place goes, also when it is interrupted. */
	beforeClose(end: () => Promise<void>): void;
	/** Ends every member and leaves nothing behind: no process, namespace, container, mount or file. */
	close(): Promise<void>;
}

/** What a place must be prepared for, since it costs something. */
export interface PlaceOptions {
	/** 1 to 7. */
	readonly size: number;
	/** Members' clocks can be skewed. Default false, as of all below. */
	readonly clocks?: boolean;
	/** Members' disk calls can be intercepted. */
	readonly disks?: boolean;
	/** Members' disks can lose what was not synced. */
	readonly powerLoss?: boolean;
}

/** This machine cannot do it; the message says what is missing and what to do. */
export class MissingToolError extends Error {
	override name = "MissingToolError";
}
