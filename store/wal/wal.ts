/** The log on disk: group commit over segments. Formats in format.ts, reading in recover.ts and scan.ts. */

import { join } from "node:path";
import { type Clock, systemClock, type Timer } from "../../kit/clock.ts";
import type { Disk } from "../../kit/disk.ts";
import { greatest } from "../../kit/lists.ts";
import { type Random, systemRandom } from "../../kit/random.ts";
import type { HardState, SnapshotMeta } from "../raft/types.ts";
import {
	type BufferSource,
	encodeSegmentHeader,
	GroupBuilder,
	initialChain,
	plainBuffers,
	saltChecksum,
	segmentHeaderBytes,
	segmentName,
} from "./format.ts";
import { emptyHardState, emptySnapshot, listSegments, recoverSegments, type SegmentInfo } from "./recover.ts";
import type { Log, LogIdentity, LogRecord, RecoveredLog } from "./types.ts";
import { createDiskWriter, type LogWriter } from "./writer.ts";

export interface LogOptions {
	/** A segment is ended by the first group that would pass it. Default 64 MiB. */
	readonly segmentBytes?: number | undefined;
	/** A group takes no further record beyond this; one record may be larger. Default 4 MiB. */
	readonly maxGroupBytes?: number | undefined;
	/** How long a record that need not be synced waits for one that must, ms. Default 20. */
	readonly lazyMs?: number | undefined;
	readonly clock?: Clock | undefined;
	readonly random?: Random | undefined;
	/** Who writes; by default the `disk` itself. In production: `createThreadWriter()`. Closed with the log. */
	readonly writer?: LogWriter | undefined;
}

/** The log failed to write or to sync; what the medium holds is unknown, so nothing more is written. */
export class LogFailedError extends Error {
	override name = "LogFailedError";
}

interface Waiter {
	readonly resolve: () => void;
	readonly reject: (error: Error) => void;
}

/** Records that will be durable together. */
class Group {
	readonly builder: GroupBuilder;
	readonly waiters: Waiter[] = [];
	mustSync = false;

	constructor(source: BufferSource) {
		this.builder = new GroupBuilder(source);
	}
}

/** Where the next group goes. */
interface Tail {
	position: number;
	number: number;
	chain: number;
	saltChecksum: number;
}

interface Start {
	readonly segments: SegmentInfo[];
	readonly tail: Tail;
	readonly hardState: HardState;
	readonly snapshot: SnapshotMeta;
	readonly lastIndex: number;
}

class SegmentedLog implements Log {
	readonly #disk: Disk;
	readonly #directory: string;
	readonly #identity: LogIdentity;
	readonly #writer: LogWriter;
	readonly #clock: Clock;
	readonly #random: Random;
	readonly #segmentBytes: number;
	readonly #maxGroupBytes: number;
	readonly #lazyMs: number;

	readonly #segments: SegmentInfo[];
	#tail: Tail;
	/** As of the last durable group. */
	#hardState: HardState;
	#snapshot: SnapshotMeta;
	/** As of the last record appended, durable or not. */
	#lastIndex: number;

	readonly #groups: Group[] = [];
	#writing: Promise<void> | undefined;
	#lazyTimer: Timer | undefined;
	/** Set to write records although none of them must be synced. */
	#lazyDue = false;
	#releasing: Promise<void> = Promise.resolve();
	#failed: LogFailedError | undefined;
	#closed = false;

	constructor(
		disk: Disk,
		directory: string,
		identity: LogIdentity,
		writer: LogWriter,
		options: LogOptions,
		start: Start,
	) {
		this.#disk = disk;
		this.#directory = directory;
		this.#identity = identity;
		this.#writer = writer;
		this.#clock = options.clock ?? systemClock;
		this.#random = options.random ?? systemRandom;
		this.#segmentBytes = options.segmentBytes ?? 64 * 1024 * 1024;
		this.#maxGroupBytes = options.maxGroupBytes ?? 4 * 1024 * 1024;
		this.#lazyMs = options.lazyMs ?? 20;
		this.#segments = start.segments;
		this.#tail = start.tail;
		this.#hardState = start.hardState;
		this.#snapshot = start.snapshot;
		this.#lastIndex = start.lastIndex;
	}

	append(record: LogRecord): Promise<void> {
		const refused = this.#failed ?? (this.#closed ? new LogFailedError("the log is closed") : undefined);
		if (refused !== undefined) return Promise.reject(refused);
		this.#follow(record);
		const group = this.#openGroup();
		group.builder.add(record);
		return new Promise((resolve, reject) => {
			group.waiters.push({ resolve, reject });
			if (record.mustSync) group.mustSync = true;
			this.#schedule();
		});
	}

	/** Entries must continue the log or replace a part of it: anything else is a fault of the caller. */
	#follow(record: LogRecord): void {
		if (record.snapshot !== undefined) this.#lastIndex = Math.max(this.#lastIndex, record.snapshot.index);
		let expected = record.entries[0]?.index ?? 0;
		if (expected > this.#lastIndex + 1) {
			throw new RangeError(`log: entry ${expected} does not follow the last, ${this.#lastIndex}`);
		}
		for (const { index } of record.entries) {
			if (index !== expected) throw new RangeError(`log: entry ${index} where ${expected} was expected`);
			this.#lastIndex = index;
			expected++;
		}
	}

	/** The first group is not under way as long as it is in the list. */
	#openGroup(): Group {
		let group = this.#groups.at(-1);
		if (group === undefined || group.builder.length > this.#maxGroupBytes) {
			group = new Group(this.#writer);
			this.#groups.push(group);
		}
		return group;
	}

	#schedule(): void {
		if (this.#writing !== undefined) return;
		if (this.#isDue()) this.#start();
		else if (this.#groups.length > 0) {
			this.#lazyTimer ??= this.#clock.after(this.#lazyMs, () => {
				this.#lazyTimer = undefined;
				this.#lazyDue = true;
				this.#schedule();
			});
		}
	}

	#isDue(): boolean {
		return this.#groups.length > 0 && (this.#lazyDue || this.#groups.some((group) => group.mustSync));
	}

	#start(): void {
		this.#lazyTimer?.cancel();
		this.#lazyTimer = undefined;
		this.#writing = this.#writeGroups();
	}

	async #writeGroups(): Promise<void> {
		// Appends of the same turn share the first group.
		await Promise.resolve();
		while (this.#isDue()) {
			const group = this.#groups.shift()!;
			if (this.#groups.length === 0) this.#lazyDue = false;
			try {
				await this.#writeGroup(group.builder);
			} catch (error) {
				return this.#fail(error as Error, group);
			}
			for (const waiter of group.waiters) waiter.resolve();
		}
		this.#writing = undefined;
		this.#schedule();
	}

	async #writeGroup(group: GroupBuilder): Promise<void> {
		const full = this.#tail.position + group.length > this.#segmentBytes && this.#tail.number > 1;
		if (full) await this.#cut();
		const tail = this.#tail;
		const { bytes, chain } = group.seal({ ...tail, previousChain: tail.chain });
		await this.#writer.write(bytes, tail.position);
		const segment = this.#segments.at(-1)!;
		segment.maxIndex = Math.max(segment.maxIndex, group.maxIndex);
		this.#tail = { ...tail, position: tail.position + bytes.length, number: tail.number + 1, chain };
		this.#hardState = group.hardState ?? this.#hardState;
		this.#snapshot = group.snapshot ?? this.#snapshot;
	}

	async #cut(): Promise<void> {
		const sequence = this.#segments.at(-1)!.sequence + 1;
		const highest = greatest(
			this.#segments.map((segment) => segment.maxIndex),
			this.#snapshot.index,
		);
		const begun = beginSegment({
			directory: this.#directory,
			sequence,
			firstIndex: highest + 1,
			identity: this.#identity,
			previousChain: this.#tail.chain,
			salt: this.#random.bytes(8),
			hardState: this.#hardState,
			snapshot: this.#snapshot,
		});
		await this.#writer.create(begun.segment.path, begun.bytes);
		this.#segments.push(begun.segment);
		this.#tail = begun.tail;
	}

	#fail(cause: Error, group: Group): void {
		this.#failed = new LogFailedError(`the log cannot be written any more: ${cause.message}`, { cause });
		const failed = [group, ...this.#groups.splice(0)];
		for (const { waiters } of failed) for (const waiter of waiters) waiter.reject(this.#failed);
	}

	release(index: number): Promise<void> {
		const done = this.#releasing.then(() => this.#release(index));
		this.#releasing = done.catch(() => {});
		return done;
	}

	async #release(index: number): Promise<void> {
		if (this.#failed !== undefined) throw this.#failed;
		if (index > this.#snapshot.index) {
			throw new RangeError(`log: release(${index}) is above the durable snapshot mark, ${this.#snapshot.index}`);
		}
		while (this.#segments.length > 1 && this.#segments[0]!.maxIndex <= index) {
			await this.#disk.remove(this.#segments[0]!.path);
			// One by one: a later removal must never survive a crash that undoes an earlier one, or there were a hole.
			await this.#disk.syncDirectory(this.#directory);
			this.#segments.shift();
		}
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		this.#lazyDue = true;
		if (this.#failed === undefined) this.#schedule();
		await this.#writing;
		await this.#releasing;
		await this.#writer.close();
		if (this.#failed !== undefined) throw this.#failed;
	}
}

interface Beginning {
	readonly directory: string;
	readonly sequence: number;
	readonly firstIndex: number;
	readonly identity: LogIdentity;
	readonly previousChain: number;
	readonly salt: Buffer;
	readonly hardState: HardState;
	readonly snapshot: SnapshotMeta;
}

/** A segment's first bytes repeat hard state and mark, so that the segments before it can go. */
function beginSegment(from: Beginning): { bytes: Buffer; segment: SegmentInfo; tail: Tail } {
	const header = encodeSegmentHeader(from);
	const salted = saltChecksum(from.salt);
	const group = new GroupBuilder(plainBuffers, 1024);
	group.add({ hardState: from.hardState, entries: [], snapshot: from.snapshot });
	const place = {
		position: segmentHeaderBytes,
		number: 0,
		previousChain: initialChain(header),
		saltChecksum: salted,
	};
	const { bytes, chain } = group.seal(place);
	const path = join(from.directory, segmentName(from.sequence, from.firstIndex));
	return {
		bytes: Buffer.concat([header, bytes]),
		segment: { path, sequence: from.sequence, maxIndex: 0 },
		tail: { position: segmentHeaderBytes + bytes.length, number: 1, chain, saltChecksum: salted },
	};
}

export interface OpenedLog {
	readonly log: Log;
	readonly recovered: RecoveredLog;
}

/** Whether a log was begun in the directory; false also when there is no such directory. */
export async function logExists(disk: Disk, directory: string): Promise<boolean> {
	try {
		return (await listSegments(disk, directory)).length > 0;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
		throw error;
	}
}

async function removeLeftovers(disk: Disk, directory: string): Promise<void> {
	for (const name of await disk.list(directory)) {
		if (name.endsWith(".wal.tmp")) await disk.remove(join(directory, name));
	}
}

/** Begins an empty log. The directory is made if absent; its parent must exist. Throws when a log is there already. */
export async function createLog(
	disk: Disk,
	directory: string,
	identity: LogIdentity,
	options: LogOptions = {},
): Promise<OpenedLog> {
	const writer = options.writer ?? createDiskWriter(disk);
	try {
		await disk.makeDirectory(directory);
		await disk.syncDirectory(join(directory, ".."));
		if (await logExists(disk, directory)) throw new Error(`${directory}: there is a log already`);
		await removeLeftovers(disk, directory);
		const begun = beginSegment({
			directory,
			sequence: 1,
			firstIndex: 1,
			identity,
			previousChain: 0,
			salt: (options.random ?? systemRandom).bytes(8),
			hardState: emptyHardState,
			snapshot: emptySnapshot,
		});
		await writer.create(begun.segment.path, begun.bytes);
		const state = { hardState: emptyHardState, snapshot: emptySnapshot };
		const start = { segments: [begun.segment], tail: begun.tail, ...state, lastIndex: 0 };
		const log = new SegmentedLog(disk, directory, identity, writer, options, start);
		return { log, recovered: { identity, ...state, entries: [], repaired: undefined } };
	} catch (error) {
		await writer.close();
		throw error;
	}
}

/** Recovers a log and goes on writing it; everything recovered is durable. Throws LogCorruptError, ENOENT without the directory. */
export async function openLog(
	disk: Disk,
	directory: string,
	identity: LogIdentity,
	options: LogOptions = {},
): Promise<OpenedLog> {
	const writer = options.writer ?? createDiskWriter(disk);
	try {
		const { recovered, segments, last, lastGroup } = await recoverSegments(disk, directory, identity);
		await removeLeftovers(disk, directory);
		await writer.open(segments.at(-1)!.path, lastGroup, last.lastGroup);
		const tail = {
			position: last.end,
			number: last.groups,
			chain: last.chain,
			saltChecksum: saltChecksum(last.header.salt),
		};
		const { hardState, snapshot, entries } = recovered;
		const lastIndex = entries.at(-1)?.index ?? snapshot.index;
		const start = { segments, tail, hardState, snapshot, lastIndex };
		return { log: new SegmentedLog(disk, directory, identity, writer, options, start), recovered };
	} catch (error) {
		await writer.close();
		throw error;
	}
}
