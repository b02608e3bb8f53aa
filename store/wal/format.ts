/**
 * The log's bytes, format 1. Everything is little-endian.
 *
 * A segment file `SEQUENCE-FIRSTINDEX.wal` (16 hex digits each) is a header of 64 bytes and then groups, back to back.
 * A group is what one write and one sync made durable; its extent is a multiple of 32 bytes:
 *
 *     header 32   magic, extent, number in the segment, chain of the group before, checksum of the rest of the group,
 *                 count of all-zero sectors, 0, checksum of the header (salted)
 *     records     each: length u32, type u8, 0 u24, body, zeros to a multiple of 8
 *     zeros, end mark 8
 *
 * `chain` is a CRC32C rolling over the whole log: it begins with the segment's header, which carries the chain of the
 * segment before. The header's fields and the count of zero sectors serve to tell a torn write from rot (see scan.ts).
 */
import { crc32c } from "../../kit/crc32c.ts";
import type { ConfState, Entry, HardState, SnapshotMeta } from "../raft/types.ts";
import type { LogIdentity, LogRecord } from "./types.ts";

export const formatVersion = 1;
export const segmentHeaderBytes = 64;
export const groupHeaderBytes = 32;
export const groupAlignment = 32;
export const sectorBytes = 512;
/** Extents are 32-bit; nothing the member appends comes near. */
export const maxGroupExtent = 2 ** 31;

const segmentMagic = Buffer.from("BARQWAL\n", "latin1");
export const groupMagic = 0x31475742; // "BWG1"
const endMark = Buffer.from("\xb5END\xa7\x9d\xc3\n", "latin1");

export const recordType = { end: 0, hardState: 1, entry: 2, snapshot: 3 } as const;
const entryKinds = ["normal", "confchange"] as const;
const recordHeaderBytes = 8;
const entryHeadBytes = 24;
const hardStateBytes = 24;

/** Where a file's bytes do not mean what they must; the reader adds the file and makes it a LogCorruptError. */
export class FormatError extends Error {
	override name = "FormatError";
	readonly offset: number;

	constructor(offset: number, what: string) {
		super(what);
		this.offset = offset;
	}
}

export interface SegmentHeader {
	readonly sequence: number;
	/** One past the last index when the segment was begun. */
	readonly firstIndex: number;
	readonly identity: LogIdentity;
	/** Chain at the end of the segment before; 0 for the log's first. */
	readonly previousChain: number;
	/** Random; makes group headers impossible to forge inside values. */
	readonly salt: Buffer;
}

export function segmentName(sequence: number, firstIndex: number): string {
	return `${hex(sequence)}-${hex(firstIndex)}.wal`;
}

function hex(value: number): string {
	return value.toString(16).padStart(16, "0");
}

const namePattern = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

export function parseSegmentName(name: string): { sequence: number; firstIndex: number } | undefined {
	const match = namePattern.exec(name);
	if (match === null) return undefined;
	return { sequence: Number.parseInt(match[1]!, 16), firstIndex: Number.parseInt(match[2]!, 16) };
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
	const bytes = Buffer.alloc(segmentHeaderBytes);
	segmentMagic.copy(bytes, 0);
	bytes.writeUInt32LE(formatVersion, 8);
	bytes.writeBigUInt64LE(BigInt(header.sequence), 16);
	bytes.writeBigUInt64LE(BigInt(header.firstIndex), 24);
	bytes.writeBigUInt64LE(header.identity.clusterId, 32);
	bytes.writeBigUInt64LE(header.identity.memberId, 40);
	bytes.writeUInt32LE(header.previousChain, 48);
	header.salt.copy(bytes, 56, 0, 8);
	bytes.writeUInt32LE(crc32c(bytes), 12);
	return bytes;
}

export function decodeSegmentHeader(file: Buffer): SegmentHeader {
	if (file.length < segmentHeaderBytes) throw new FormatError(file.length, "the segment's header is cut short");
	const bytes = Buffer.from(file.subarray(0, segmentHeaderBytes));
	if (!bytes.subarray(0, 8).equals(segmentMagic)) throw new FormatError(0, "not a log segment (wrong magic)");
	const version = bytes.readUInt32LE(8);
	const checksum = bytes.readUInt32LE(12);
	bytes.writeUInt32LE(0, 12);
	const good = crc32c(bytes) === checksum;
	if (!good) throw new FormatError(0, "the segment's header has a wrong checksum");
	if (version !== formatVersion) {
		throw new FormatError(8, `log format ${version} is not known; this program reads format ${formatVersion}`);
	}
	return {
		sequence: safeInteger(bytes, 16, 16, "sequence"),
		firstIndex: safeInteger(bytes, 24, 24, "first index"),
		identity: { clusterId: bytes.readBigUInt64LE(32), memberId: bytes.readBigUInt64LE(40) },
		previousChain: bytes.readUInt32LE(48),
		salt: bytes.subarray(56, 64),
	};
}

/** What the first group of a segment chains to. */
export function initialChain(header: Buffer): number {
	return crc32c(header.subarray(0, segmentHeaderBytes));
}

export function saltChecksum(salt: Buffer): number {
	return crc32c(salt);
}

function safeInteger(bytes: Buffer, at: number, offset: number, what: string): number {
	const value = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
	if (!Number.isSafeInteger(value)) throw new FormatError(offset, `${what} is beyond 2^53`);
	return value;
}

function writeInteger(bytes: Buffer, value: number, at: number): void {
	if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`log: ${value} is not an integer in [0, 2^53)`);
	bytes.writeUInt32LE(value >>> 0, at);
	bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

export function align(value: number, to: number): number {
	return Math.ceil(value / to) * to;
}

export interface BufferSource {
	/** At least `bytes` long, of any content. */
	allocate(bytes: number): Buffer;
	/** Gives a buffer from `allocate` back. */
	free(buffer: Buffer): void;
}

export const plainBuffers: BufferSource = { allocate: (bytes) => Buffer.alloc(bytes), free: () => {} };

/** Collects records in one buffer, ready to be written where the last group ended. */
export class GroupBuilder {
	readonly #source: BufferSource;
	#buffer: Buffer;
	#length = groupHeaderBytes;
	hardState: HardState | undefined;
	snapshot: SnapshotMeta | undefined;
	/** Highest entry index in the group; 0 without entries. */
	maxIndex = 0;

	constructor(source: BufferSource, bytes = 16 * 1024) {
		this.#source = source;
		this.#buffer = source.allocate(bytes);
	}

	get length(): number {
		return this.#length;
	}

	get buffer(): Buffer {
		return this.#buffer;
	}

	/** The mark comes first: entries that follow a received snapshot stand on it. */
	add(record: Pick<LogRecord, "hardState" | "entries" | "snapshot">): void {
		if (record.snapshot !== undefined) this.#addSnapshot(record.snapshot);
		for (const entry of record.entries) this.#addEntry(entry);
		if (record.hardState !== undefined) this.#addHardState(record.hardState);
	}

	#addEntry(entry: Entry): void {
		const at = this.#begin(recordType.entry, entryHeadBytes + entry.data.length);
		const buffer = this.#buffer;
		writeInteger(buffer, entry.term, at);
		writeInteger(buffer, entry.index, at + 8);
		writeInteger(buffer, entryKinds.indexOf(entry.kind), at + 16);
		buffer.set(entry.data, at + entryHeadBytes);
		this.maxIndex = Math.max(this.maxIndex, entry.index);
	}

	#addHardState(state: HardState): void {
		const at = this.#begin(recordType.hardState, hardStateBytes);
		writeInteger(this.#buffer, state.term, at);
		this.#buffer.writeBigUInt64LE(state.vote, at + 8);
		writeInteger(this.#buffer, state.commit, at + 16);
		this.hardState = state;
	}

	#addSnapshot(meta: SnapshotMeta): void {
		const body = encodeSnapshotMeta(meta);
		const at = this.#begin(recordType.snapshot, body.length);
		this.#buffer.set(body, at);
		this.snapshot = meta;
	}

	/** Writes the record's header and padding; returns where its body goes. */
	#begin(type: number, bodyBytes: number): number {
		const start = this.#length;
		const end = align(start + recordHeaderBytes + bodyBytes, 8);
		this.#reserve(end);
		this.#buffer.fill(0, Math.max(start, end - 8), end);
		this.#buffer.writeUInt32LE(bodyBytes, start);
		this.#buffer.writeUInt32LE(type, start + 4);
		this.#length = end;
		return start + recordHeaderBytes;
	}

	#reserve(length: number): void {
		// Room for the padding, the end mark and no more.
		const needed = length + groupAlignment + endMark.length;
		if (needed > maxGroupExtent) throw new RangeError(`log: a group of ${needed} bytes is above ${maxGroupExtent}`);
		if (needed <= this.#buffer.length) return;
		const larger = this.#source.allocate(Math.max(needed, 2 * this.#buffer.length));
		larger.set(this.#buffer.subarray(0, this.#length));
		this.#source.free(this.#buffer);
		this.#buffer = larger;
	}

	/** Completes the group; the builder must not be added to afterwards. */
	seal(place: GroupPlace): { readonly bytes: Buffer; readonly chain: number } {
		const extent = align(this.#length + endMark.length, groupAlignment);
		this.#reserve(this.#length);
		const bytes = this.#buffer.subarray(0, extent);
		bytes.fill(0, this.#length, extent);
		endMark.copy(bytes, extent - endMark.length);
		bytes.writeUInt32LE(groupMagic, 0);
		bytes.writeUInt32LE(extent, 4);
		bytes.writeUInt32LE(place.number, 8);
		bytes.writeUInt32LE(place.previousChain, 12);
		bytes.writeUInt32LE(crc32c(bytes.subarray(groupHeaderBytes), place.previousChain), 16);
		bytes.writeUInt32LE(0, 24);
		bytes.writeUInt32LE(0, 28);
		bytes.writeUInt32LE(countZeroSectors(bytes, place.position), 20);
		const chain = crc32c(bytes.subarray(0, 28), place.saltChecksum);
		bytes.writeUInt32LE(chain, 28);
		return { bytes, chain };
	}
}

export interface GroupPlace {
	/** Offset in the file, a multiple of 32. */
	readonly position: number;
	readonly number: number;
	readonly previousChain: number;
	readonly saltChecksum: number;
}

export interface GroupHeader {
	readonly extent: number;
	readonly number: number;
	readonly previousChain: number;
	readonly bodyChecksum: number;
	readonly zeroSectors: number;
	/** The header's own checksum, which is the chain after this group. */
	readonly chain: number;
}

/** The group header at `offset` if one with a good checksum is there. */
export function decodeGroupHeader(file: Buffer, offset: number, saltCrc: number): GroupHeader | undefined {
	if (offset + groupHeaderBytes > file.length || file.readUInt32LE(offset) !== groupMagic) return undefined;
	const chain = file.readUInt32LE(offset + 28);
	if (crc32c(file.subarray(offset, offset + 28), saltCrc) !== chain) return undefined;
	return {
		extent: file.readUInt32LE(offset + 4),
		number: file.readUInt32LE(offset + 8),
		previousChain: file.readUInt32LE(offset + 12),
		bodyChecksum: file.readUInt32LE(offset + 16),
		zeroSectors: file.readUInt32LE(offset + 20),
		chain,
	};
}

const zeroSector = Buffer.alloc(sectorBytes);

export function isZero(bytes: Buffer): boolean {
	for (let at = 0; at < bytes.length; at += sectorBytes) {
		if (bytes[at] !== 0) return false;
		const part = bytes.subarray(at, at + sectorBytes);
		if (part.compare(zeroSector, 0, part.length) !== 0) return false;
	}
	return true;
}

/** Sectors of the medium whose share of `bytes`, which lie at `position` of the file, is all zero. */
export function countZeroSectors(bytes: Buffer, position: number): number {
	let count = 0;
	let start = 0;
	while (start < bytes.length) {
		const end = Math.min(bytes.length, start + sectorBytes - ((position + start) % sectorBytes));
		if (isZero(bytes.subarray(start, end))) count++;
		start = end;
	}
	return count;
}

export interface RecordVisitor {
	hardState(state: HardState): void;
	/** `data` is a view of the file's bytes. */
	entry(entry: Entry, offset: number): void;
	snapshot(meta: SnapshotMeta): void;
}

/** Reads the records of a group whose checksums were good. `offset` is the group's place in its file. */
export function decodeRecords(group: Buffer, offset: number, visit: RecordVisitor): void {
	const end = group.length - endMark.length;
	let at = groupHeaderBytes;
	while (at + recordHeaderBytes <= end) {
		const length = group.readUInt32LE(at);
		const type = group.readUInt32LE(at + 4);
		const start = at + recordHeaderBytes;
		if (type === recordType.end) return;
		if (start + length > end) throw new FormatError(offset + at, `a record of ${length} bytes leaves its group`);
		decodeRecord(type, group.subarray(start, start + length), offset + at, visit);
		at = align(start + length, 8);
	}
}

function decodeRecord(type: number, body: Buffer, offset: number, visit: RecordVisitor): void {
	const need = (bytes: number, what: string) => {
		if (body.length < bytes) throw new FormatError(offset, `${what} record of ${body.length} bytes is too short`);
	};
	switch (type) {
		case recordType.entry: {
			need(entryHeadBytes, "entry");
			const kind = entryKinds[body.readUInt32LE(16)];
			if (kind === undefined) throw new FormatError(offset, `entry kind ${body.readUInt32LE(16)} is not known`);
			const term = safeInteger(body, 0, offset, "term");
			const index = safeInteger(body, 8, offset, "index");
			visit.entry({ term, index, kind, data: body.subarray(entryHeadBytes) }, offset);
			break;
		}
		case recordType.hardState: {
			need(hardStateBytes, "hard state");
			const term = safeInteger(body, 0, offset, "term");
			const commit = safeInteger(body, 16, offset, "commit");
			visit.hardState({ term, vote: body.readBigUInt64LE(8), commit });
			break;
		}
		case recordType.snapshot:
			visit.snapshot(decodeSnapshotMeta(body, offset));
			break;
		default:
			throw new FormatError(offset, `record type ${type} is not known; a newer version wrote this log`);
	}
}

/** index, term, auto-leave, four counts, then the members' ids. */
export function encodeSnapshotMeta(meta: SnapshotMeta): Buffer {
	const { conf } = meta;
	const groups = [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext];
	const bytes = Buffer.alloc(40 + 8 * groups.reduce((sum, ids) => sum + ids.length, 0));
	writeInteger(bytes, meta.index, 0);
	writeInteger(bytes, meta.term, 8);
	bytes.writeUInt32LE(conf.autoLeave ? 1 : 0, 16);
	let at = 40;
	groups.forEach((ids, i) => {
		bytes.writeUInt32LE(ids.length, 20 + 4 * i);
		for (const id of ids) at = bytes.writeBigUInt64LE(id, at);
	});
	return bytes;
}

export function decodeSnapshotMeta(bytes: Buffer, offset: number): SnapshotMeta {
	if (bytes.length < 40) throw new FormatError(offset, `snapshot mark of ${bytes.length} bytes is too short`);
	const counts = [20, 24, 28, 32].map((at) => bytes.readUInt32LE(at));
	if (bytes.length !== 40 + 8 * counts.reduce((sum, count) => sum + count, 0)) {
		throw new FormatError(offset, "snapshot mark's member counts do not fit its length");
	}
	let at = 40;
	const take = (count: number) =>
		Array.from({ length: count }, () => {
			at += 8;
			return bytes.readBigUInt64LE(at - 8);
		});
	const conf: ConfState = {
		voters: take(counts[0]!),
		votersOutgoing: take(counts[1]!),
		learners: take(counts[2]!),
		learnersNext: take(counts[3]!),
		autoLeave: bytes.readUInt32LE(16) === 1,
	};
	return { index: safeInteger(bytes, 0, offset, "index"), term: safeInteger(bytes, 8, offset, "term"), conf };
}
