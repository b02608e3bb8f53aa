/**
 * Reading one segment, and the judgement on bytes that are not what they must be.
 *
 * A crash can hurt only the group whose write was not yet answered by a sync: the last one of the last segment. Of it
 * any subset of 512-byte sectors may have reached the medium, in any order; the others hold what they held before,
 * which past the end of the log is zeros or no file at all. (File systems show no stale data there, and sectors are
 * written whole or not at all.) So at the first group that does not check:
 *
 * - a whole group header of a later group further on, or a later segment: this group had been synced, so its damage is
 *   rot. Refused. Headers carry a salted checksum, so that values holding log files are not mistaken for them.
 * - its header is good, and more of its sectors are zero, or past the end of the file, than when it was written: torn.
 *   Cut; no acknowledgement ever left for it, unless the file was shortened by other hands.
 * - its header is good and no sector is missing: nothing a crash does. Refused, although this might have been a write
 *   never acknowledged: the whole of it had arrived before the damage.
 * - its header is not good: refused when it resembles the header that belongs there (half of the bytes known
 *   beforehand are right) or when a single bit is set in what should be zeros; otherwise the first sector was lost, or
 *   something that never was a group follows the log, and it is cut.
 *
 * What cannot be told from a torn write, and is cut: an acknowledged last group of which whole sectors turned to zeros
 * or whose tail was removed, or whose header was overwritten by noise. A last segment removed as a whole leaves no trace
 * in the others.
 */
import { crc32c } from "../../kit/crc32c.ts";
import {
	countZeroSectors,
	decodeGroupHeader,
	decodeRecords,
	decodeSegmentHeader,
	FormatError,
	groupAlignment,
	groupHeaderBytes,
	groupMagic,
	initialChain,
	isZero,
	type RecordVisitor,
	type SegmentHeader,
	saltChecksum,
	sectorBytes,
	segmentHeaderBytes,
} from "./format.ts";

export interface ScannedSegment {
	readonly header: SegmentHeader;
	/** Offset after the last good group. */
	readonly end: number;
	readonly chain: number;
	readonly groups: number;
	/** Where the last good group begins. */
	readonly lastGroup: number;
	/** Bytes of a torn group after `end`; 0 when there are none or only zeros. */
	readonly torn: number;
}

/** Visits every record of the segment in order. Throws FormatError on damage that no crash explains. */
export function scanSegment(file: Buffer, last: boolean, visit: RecordVisitor): ScannedSegment {
	const header = decodeSegmentHeader(file);
	const salt = saltChecksum(header.salt);
	let chain = initialChain(file);
	let at = segmentHeaderBytes;
	let number = 0;
	let lastGroup = at;
	for (;;) {
		const group = decodeGroupHeader(file, at, salt);
		const follows = group !== undefined && group.number === number && group.previousChain === chain;
		const bytes = follows ? file.subarray(at, at + group.extent) : undefined;
		if (!follows || bytes!.length < group.extent || !bodyIsGood(bytes!, group)) break;
		decodeRecords(bytes!, at, visit);
		chain = group.chain;
		lastGroup = at;
		at += group.extent;
		number++;
	}
	const torn = judgeTail(file, at, { number, chain, salt, last });
	return { header, end: at, chain, groups: number, lastGroup, torn };
}

function bodyIsGood(group: Buffer, header: { previousChain: number; bodyChecksum: number; extent: number }): boolean {
	if (header.extent < 2 * groupHeaderBytes || header.extent % groupAlignment !== 0) return false;
	return crc32c(group.subarray(groupHeaderBytes), header.previousChain) === header.bodyChecksum;
}

interface Expected {
	readonly number: number;
	readonly chain: number;
	readonly salt: number;
	readonly last: boolean;
}

/** Bytes after `at` that a crash left, to be cut. */
function judgeTail(file: Buffer, at: number, expected: Expected): number {
	const tail = file.subarray(at);
	if (expected.number === 0) {
		// The first group was synced before the file got its name.
		throw new FormatError(at, "the segment's first group is damaged or missing");
	}
	if (isZero(tail)) return 0;
	if (!expected.last) throw new FormatError(at, "damaged record: wrong checksum before the last segment");
	if (tail.length >= groupHeaderBytes && singleBit(tail))
		throw new FormatError(at + firstNonZero(tail), "a bit is set after the end of the log");
	const later = findLaterGroup(file, at, expected);
	if (later !== undefined) {
		throw new FormatError(at, `damaged record: wrong checksum, with a later record at offset ${later}`);
	}
	const header = decodeGroupHeader(file, at, expected.salt);
	if (header !== undefined) {
		if (header.number !== expected.number || header.previousChain !== expected.chain) {
			throw new FormatError(at, "damaged record: it does not follow the one before it");
		}
		const bytes = file.subarray(at, at + header.extent);
		const missing = sectorsPast(at + header.extent, file.length, at);
		if (missing + countZeroSectors(bytes, at) > header.zeroSectors) return tail.length;
		throw new FormatError(at, "damaged record: wrong checksum, though all of its sectors were written");
	}
	if (resemblesHeader(tail, expected)) throw new FormatError(at, "damaged record: its header has a wrong checksum");
	return tail.length;
}

/** At least one when a group from `start` to `end` does not fit in a file of `size` bytes. */
function sectorsPast(end: number, size: number, start: number): number {
	return end <= size ? 0 : Math.ceil((end - Math.max(size, start)) / sectorBytes);
}

function findLaterGroup(file: Buffer, at: number, expected: Expected): number | undefined {
	for (let offset = at + groupAlignment; offset + groupHeaderBytes <= file.length; offset += groupAlignment) {
		if (file.readUInt32LE(offset) !== groupMagic) continue;
		const header = decodeGroupHeader(file, offset, expected.salt);
		if (header !== undefined && header.number > expected.number) return offset;
	}
	return undefined;
}

function resemblesHeader(tail: Buffer, expected: Expected): boolean {
	if (tail.length < groupHeaderBytes) return false;
	const known = Buffer.alloc(12);
	known.writeUInt32LE(groupMagic, 0);
	known.writeUInt32LE(expected.number, 4);
	known.writeUInt32LE(expected.chain, 8);
	const found = Buffer.concat([tail.subarray(0, 4), tail.subarray(8, 16)]);
	let right = 0;
	for (let i = 0; i < known.length; i++) if (known[i] === found[i] && found[i] !== 0) right++;
	const telling = known.reduce((count, byte) => count + (byte === 0 ? 0 : 1), 0);
	return right * 2 >= telling;
}

function singleBit(bytes: Buffer): boolean {
	const at = firstNonZero(bytes);
	const byte = bytes[at]!;
	return (byte & (byte - 1)) === 0 && isZero(bytes.subarray(at + 1));
}

function firstNonZero(bytes: Buffer): number {
	let at = 0;
	while (bytes[at] === 0) at++;
	return at;
}
