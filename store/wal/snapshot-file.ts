/**
 * A received snapshot as a file, until the state machine has taken it in. Format 1, little-endian: magic 8, version
 * u32, length of the mark u32, the mark (as in the log), checksum of all that u32; then chunks: length u32, checksum
 * rolling over everything before u32, bytes; a chunk of length 0 ends the file. A file has its name only once whole.
 */
import { dirname, join } from "node:path";
import { crc32c } from "../../kit/crc32c.ts";
import type { Disk, DiskFile } from "../../kit/disk.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import { decodeSnapshotMeta, encodeSnapshotMeta, FormatError } from "./format.ts";
import { LogCorruptError } from "./types.ts";
import { temporaryPath } from "./writer.ts";

const magic = Buffer.from("BARQSNP\n", "latin1");
const version = 1;
const fixedBytes = 16;
const chunkHeaderBytes = 8;
const maxMetaBytes = 1024 * 1024;
/** Larger chunks are refused, in writing and in reading. */
export const maxSnapshotChunkBytes = 16 * 1024 * 1024;

function hex(value: number): string {
	return value.toString(16).padStart(16, "0");
}

/** By index, so that names sort by age. */
export function snapshotPath(directory: string, meta: SnapshotMeta): string {
	return join(directory, `${hex(meta.index)}-${hex(meta.term)}.snap`);
}

/** Paths of the complete snapshot files in a directory, newest first. */
export async function listSnapshotFiles(disk: Disk, directory: string): Promise<string[]> {
	const names = (await disk.list(directory)).filter((name) => /^[0-9a-f]{16}-[0-9a-f]{16}\.snap$/.test(name));
	return names.reverse().map((name) => join(directory, name));
}

/** Removes every snapshot file in the directory except `keep`, and what an interrupted write left. */
export async function removeSnapshotFiles(disk: Disk, directory: string, keep?: string): Promise<void> {
	for (const name of await disk.list(directory)) {
		const path = join(directory, name);
		if (path !== keep && (name.endsWith(".snap") || name.endsWith(".snap.tmp"))) await disk.remove(path);
	}
	await disk.syncDirectory(directory);
}

function encodeHead(meta: SnapshotMeta): Buffer {
	const mark = encodeSnapshotMeta(meta);
	const head = Buffer.alloc(fixedBytes + mark.length + 4);
	magic.copy(head, 0);
	head.writeUInt32LE(version, 8);
	head.writeUInt32LE(mark.length, 12);
	mark.copy(head, fixedBytes);
	head.writeUInt32LE(crc32c(head.subarray(0, -4)), head.length - 4);
	return head;
}

/** The checksum covers the length, so that a damaged one is never believed. */
function chunkHeader(chunk: Buffer, previous: number): Buffer {
	const header = Buffer.alloc(chunkHeaderBytes);
	header.writeUInt32LE(chunk.length, 0);
	header.writeUInt32LE(crc32c(chunk, crc32c(header.subarray(0, 4), previous)), 4);
	return header;
}

async function writeAll(file: DiskFile, meta: SnapshotMeta, chunks: AsyncIterable<Buffer>): Promise<void> {
	const head = encodeHead(meta);
	let position = head.length;
	let checksum = crc32c(head);
	await file.truncate(0);
	await file.write(head, 0);
	const put = async (chunk: Buffer) => {
		const header = chunkHeader(chunk, checksum);
		checksum = header.readUInt32LE(4);
		await file.write(header, position);
		if (chunk.length > 0) await file.write(chunk, position + chunkHeaderBytes);
		position += chunkHeaderBytes + chunk.length;
	};
	for await (const chunk of chunks) {
		if (chunk.length > maxSnapshotChunkBytes) {
			throw new RangeError(`snapshot chunk: ${chunk.length} bytes is above the limit of ${maxSnapshotChunkBytes}`);
		}
		if (chunk.length > 0) await put(chunk);
	}
	await put(Buffer.alloc(0));
	await file.sync();
}

/** Writes the stream to `snapshotPath(directory, meta)`; the file appears whole and durable, or not at all. */
export async function writeSnapshotFile(
	disk: Disk,
	directory: string,
	meta: SnapshotMeta,
	chunks: AsyncIterable<Buffer>,
): Promise<string> {
	const path = snapshotPath(directory, meta);
	const temporary = temporaryPath(path);
	const file = await disk.open(temporary, { create: true });
	try {
		await writeAll(file, meta, chunks);
	} catch (error) {
		await file.close();
		await disk.remove(temporary);
		throw error;
	}
	await file.close();
	await disk.rename(temporary, path);
	await disk.syncDirectory(dirname(path));
	return path;
}

async function readExactly(file: DiskFile, length: number, position: number): Promise<Buffer> {
	const bytes = Buffer.allocUnsafe(length);
	const read = await file.read(bytes, position);
	if (read < length) throw new FormatError(position + read, "the snapshot is cut short");
	return bytes;
}

async function readHead(file: DiskFile): Promise<Buffer> {
	const fixed = await readExactly(file, fixedBytes, 0);
	if (!fixed.subarray(0, 8).equals(magic)) throw new FormatError(0, "not a snapshot file (wrong magic)");
	const length = fixed.readUInt32LE(12);
	if (length > maxMetaBytes) throw new FormatError(12, `a mark of ${length} bytes is above ${maxMetaBytes}`);
	const head = await readExactly(file, fixedBytes + length + 4, 0);
	if (crc32c(head.subarray(0, -4)) !== head.readUInt32LE(head.length - 4)) {
		throw new FormatError(0, "the snapshot's header has a wrong checksum");
	}
	const found = head.readUInt32LE(8);
	if (found !== version)
		throw new FormatError(8, `snapshot format ${found} is not known; this program reads ${version}`);
	return head;
}

async function* readChunks(file: DiskFile, head: Buffer): AsyncGenerator<Buffer> {
	let position = head.length;
	let checksum = crc32c(head);
	for (;;) {
		const header = await readExactly(file, chunkHeaderBytes, position);
		const length = header.readUInt32LE(0);
		if (length > maxSnapshotChunkBytes) throw new FormatError(position, `chunk of ${length} bytes is above the limit`);
		const chunk = await readExactly(file, length, position + chunkHeaderBytes);
		if (crc32c(chunk, crc32c(header.subarray(0, 4), checksum)) !== header.readUInt32LE(4)) {
			throw new FormatError(position, "damaged snapshot: wrong checksum");
		}
		if (length === 0) return;
		yield chunk;
		checksum = header.readUInt32LE(4);
		position += chunkHeaderBytes + length;
	}
}

export interface SnapshotFile {
	readonly meta: SnapshotMeta;
	/** To be read once. Each chunk is checked before it is given out, and the end only when the file is whole; throws LogCorruptError. */
	readonly chunks: AsyncIterable<Buffer>;
}

function named(path: string, error: unknown): unknown {
	return error instanceof FormatError ? new LogCorruptError(path, error.offset, error.message) : error;
}

/** Opens a snapshot file. Throws LogCorruptError naming file and offset when its header is damaged. */
export async function readSnapshotFile(disk: Disk, path: string): Promise<SnapshotFile> {
	const file = await disk.open(path);
	let head: Buffer;
	let meta: SnapshotMeta;
	try {
		head = await readHead(file);
		meta = decodeSnapshotMeta(head.subarray(fixedBytes, -4), fixedBytes);
	} catch (error) {
		await file.close();
		throw named(path, error);
	}
	async function* chunks(): AsyncGenerator<Buffer> {
		try {
			yield* readChunks(file, head);
		} catch (error) {
			throw named(path, error);
		} finally {
			await file.close();
		}
	}
	return { meta, chunks: chunks() };
}
