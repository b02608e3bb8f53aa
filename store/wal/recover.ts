/** Rebuilds what the log says from its segments, in order; later records supersede earlier ones. */
import { join } from "node:path";
import type { Disk } from "../../kit/disk.ts";
import type { Entry, HardState, SnapshotMeta } from "../raft/types.ts";
import { FormatError, parseSegmentName, type RecordVisitor } from "./format.ts";
import { type ScannedSegment, scanSegment } from "./scan.ts";
import { LogCorruptError, type LogIdentity, type RecoveredLog } from "./types.ts";

export const emptyHardState: HardState = { term: 0, vote: 0n, commit: 0 };
export const emptySnapshot: SnapshotMeta = {
	index: 0,
	term: 0,
	conf: { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
};

/** Follows the records; the entries kept are those after the newest mark. */
export class Replay implements RecordVisitor {
	hard = emptyHardState;
	mark = emptySnapshot;
	/** Index of `entries[0]`, or of the next entry when there are none and one is known. */
	#base: number | undefined;
	#entries: Entry[] = [];
	/** Highest entry index seen since it was last reset. */
	maxIndex = 0;

	hardState(state: HardState): void {
		this.hard = state;
	}

	entry(entry: Entry, offset: number): void {
		this.maxIndex = Math.max(this.maxIndex, entry.index);
		if (entry.index <= this.mark.index) {
			throw new FormatError(offset, `entry ${entry.index} is at or below the snapshot mark ${this.mark.index}`);
		}
		// Below the base: entries replaced since, whose beginning was in segments released since.
		if (this.#base === undefined || entry.index < this.#base) {
			this.#base = entry.index;
			this.#entries = [];
		}
		const at = entry.index - this.#base;
		if (at > this.#entries.length) {
			const next = this.#base + this.#entries.length;
			throw new FormatError(offset, `entry ${entry.index} where ${next} was expected`);
		}
		this.#entries.length = at;
		this.#entries.push(entry);
	}

	snapshot(meta: SnapshotMeta): void {
		if (meta.index < this.mark.index) return;
		this.mark = meta;
		if (this.#base === undefined || meta.index < this.#base) return;
		const held = this.#entries[meta.index - this.#base];
		// A received snapshot voids a log that does not hold its last entry (paper figure 13, step 6 and 7).
		this.#entries = held?.term === meta.term ? this.#entries.slice(meta.index - this.#base + 1) : [];
		this.#base = this.#entries.length > 0 ? meta.index + 1 : undefined;
	}

	get firstIndex(): number {
		return this.#base ?? this.mark.index + 1;
	}

	get lastIndex(): number {
		return this.firstIndex + this.#entries.length - 1;
	}

	/** Entries on buffers of their own, so that the segments' can go. */
	entries(): Entry[] {
		return this.#entries.map((entry) => ({ ...entry, data: Buffer.from(entry.data) }));
	}
}

export interface SegmentInfo {
	readonly path: string;
	readonly sequence: number;
	/** Highest entry index in it; 0 without entries. */
	maxIndex: number;
}

export interface RecoveredSegments {
	readonly recovered: RecoveredLog;
	readonly segments: SegmentInfo[];
	readonly last: ScannedSegment;
	readonly lastGroup: Buffer;
}

async function readWhole(disk: Disk, path: string): Promise<Buffer> {
	const file = await disk.open(path);
	try {
		const bytes = Buffer.allocUnsafe(await file.size());
		return bytes.subarray(0, await file.read(bytes, 0));
	} finally {
		await file.close();
	}
}

/** Segments in a directory, by sequence. Throws LogCorruptError when one is missing between two others. */
export async function listSegments(
	disk: Disk,
	directory: string,
): Promise<Array<SegmentInfo & { firstIndex: number }>> {
	const segments: Array<SegmentInfo & { firstIndex: number }> = [];
	for (const name of await disk.list(directory)) {
		const parsed = parseSegmentName(name);
		if (parsed !== undefined) segments.push({ path: join(directory, name), maxIndex: 0, ...parsed });
	}
	for (let i = 1; i < segments.length; i++) {
		const expected = segments[i - 1]!.sequence + 1;
		if (segments[i]!.sequence !== expected) {
			throw new LogCorruptError(segments[i]!.path, 0, `segment ${expected}, the one before this, is missing`);
		}
	}
	return segments;
}

function checkHeader(
	path: string,
	named: { sequence: number; firstIndex: number },
	scanned: ScannedSegment,
	identity: LogIdentity,
	previous: ScannedSegment | undefined,
): void {
	const { header } = scanned;
	if (header.sequence !== named.sequence || header.firstIndex !== named.firstIndex) {
		throw new LogCorruptError(path, 16, `the header says segment ${header.sequence} from index ${header.firstIndex}`);
	}
	const found = header.identity;
	if (found.clusterId !== identity.clusterId || found.memberId !== identity.memberId) {
		const name = (id: LogIdentity) => `member ${id.memberId.toString(16)} of cluster ${id.clusterId.toString(16)}`;
		throw new LogCorruptError(path, 32, `this log is of ${name(found)}, not of ${name(identity)}`);
	}
	if (previous !== undefined && header.previousChain !== previous.chain) {
		throw new LogCorruptError(path, 48, "it does not continue the segment before it, whose end is missing or damaged");
	}
}

/** Reads the whole log. Throws LogCorruptError; repairs nothing on disk. */
export async function recoverSegments(
	disk: Disk,
	directory: string,
	identity: LogIdentity,
): Promise<RecoveredSegments> {
	const segments = await listSegments(disk, directory);
	const replay = new Replay();
	let last: ScannedSegment | undefined;
	let lastGroup: Buffer = Buffer.alloc(0);
	for (const segment of segments) {
		const isLast = segment === segments.at(-1);
		replay.maxIndex = 0;
		try {
			const bytes = await readWhole(disk, segment.path);
			const scanned = scanSegment(bytes, isLast, replay);
			checkHeader(segment.path, segment, scanned, identity, last);
			last = scanned;
			if (isLast) lastGroup = Buffer.from(bytes.subarray(scanned.lastGroup, scanned.end));
		} catch (error) {
			if (error instanceof FormatError) throw new LogCorruptError(segment.path, error.offset, error.message);
			throw error;
		}
		segment.maxIndex = replay.maxIndex;
	}
	if (last === undefined) throw new LogCorruptError(directory, 0, "there is no log in this directory");
	const path = segments.at(-1)!.path;
	checkComplete(replay, segments[0]!.path, path, last.end);
	const repaired = last.torn > 0 ? { file: path, offset: last.end, bytes: last.torn } : undefined;
	const hardState = { ...replay.hard, commit: Math.max(replay.hard.commit, replay.mark.index) };
	const recovered = { identity, hardState, snapshot: replay.mark, entries: replay.entries(), repaired };
	return { recovered, segments, last, lastGroup };
}

function checkComplete(replay: Replay, firstPath: string, lastPath: string, end: number): void {
	if (replay.firstIndex !== replay.mark.index + 1) {
		const gap = `${replay.mark.index + 1} to ${replay.firstIndex - 1}`;
		throw new LogCorruptError(firstPath, 0, `entries ${gap} are missing: a segment before this is gone`);
	}
	if (replay.hard.commit > replay.lastIndex) {
		const what = `entry ${replay.hard.commit} was committed, but the log ends at ${replay.lastIndex}`;
		throw new LogCorruptError(lastPath, end, what);
	}
}
