/**
 * A snapshot's stream, version 1: the state as data, never files of an engine. A sequence of frames
 *
 *     u32 length of the payload, u32 CRC32C of the payload, payload
 *
 * whose first byte tells what it holds:
 *
 *     1 head      "BARQUE", u16 version, meta (meta.ts)
 *     2 leases    any number of: u64 id, i53 TTL, i53 deadline
 *     3 sessions  any number of: bytes (sessions.ts)
 *     4 records   any number of: bytes revision key, bytes record (mvcc/record.ts), in revision order
 *     5 end       u53 records, u32 leases, u32 sessions, u32 frames before this one, u32 CRC32C over their checksums
 *
 * A head comes first and an end last; the end's counts show a stream that lost or repeated whole frames. The boundaries of
 * the buffers that carry the stream mean nothing.
 */
import { crc32c } from "../../kit/crc32c.ts";
import type { Lease } from "../lease/lessor.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import { FormatError, Reader, Writer } from "./bytes.ts";
import { decodeMeta, encodeMeta, type Meta } from "./meta.ts";

export const snapshotVersion = 1;
const magic = Buffer.from("BARQUE");
/** Payload bytes at which a frame is closed. */
const frameBytes = 256 * 1024;
/** Payload bytes refused: no honest frame comes near. */
const maxFrameBytes = 64 * 2 ** 20;

const types = { head: 1, leases: 2, sessions: 3, records: 4, end: 5 } as const;

/** The parts of the state that are small and copied when the snapshot is taken. */
export interface SnapshotHead {
	readonly meta: Meta;
	readonly leases: readonly Buffer[];
	readonly sessions: readonly Buffer[];
}

export function encodeLease(lease: Readonly<Lease>): Buffer {
	const w = new Writer(24);
	w.u64(lease.id);
	w.i53(lease.ttl);
	w.i53(lease.deadline);
	return w.done();
}

/** Collects items into frames and keeps the sums for the end. */
class FrameWriter {
	#parts: Buffer[] = [];
	#bytes = 0;
	#frames = 0;
	#sum = 0;

	add(...parts: readonly Buffer[]): boolean {
		for (const part of parts) {
			this.#parts.push(part);
			this.#bytes += part.length;
		}
		return this.#bytes >= frameBytes;
	}

	get empty(): boolean {
		return this.#parts.length === 0;
	}

	get frames(): number {
		return this.#frames;
	}

	get sum(): number {
		return this.#sum;
	}

	/** The frame of what was added. */
	close(type: number): Buffer {
		const frame = Buffer.allocUnsafe(9 + this.#bytes);
		frame.writeUInt32BE(1 + this.#bytes, 0);
		frame[8] = type;
		let at = 9;
		for (const part of this.#parts) {
			frame.set(part, at);
			at += part.length;
		}
		frame.writeUInt32BE(crc32c(frame.subarray(8)), 4);
		this.#sum = crc32c(frame.subarray(4, 8), this.#sum);
		this.#frames++;
		this.#parts = [];
		this.#bytes = 0;
		return frame;
	}
}

function withLength(bytes: Buffer): readonly [Buffer, Buffer] {
	const length = Buffer.allocUnsafe(4);
	length.writeUInt32BE(bytes.length);
	return [length, bytes];
}

/** `records`: revision key and record in order, their keys behind `prefixSize` bytes. */
export async function* writeSnapshot(
	head: SnapshotHead,
	records: AsyncIterable<readonly [Buffer, Buffer]>,
	prefixSize: number,
): AsyncGenerator<Buffer> {
	const out = new FrameWriter();
	out.add(magic, Buffer.from([snapshotVersion >> 8, snapshotVersion & 0xff]), encodeMeta(head.meta));
	yield out.close(types.head);
	for (const lease of head.leases) if (out.add(lease)) yield out.close(types.leases);
	if (!out.empty) yield out.close(types.leases);
	// bounded: a length and its bytes.
	for (const session of head.sessions) if (out.add(...withLength(session))) yield out.close(types.sessions);
	if (!out.empty) yield out.close(types.sessions);
	let count = 0;
	for await (const [key, record] of records) {
		count++;
		// bounded: two pairs.
		if (out.add(...withLength(key.subarray(prefixSize)), ...withLength(record))) yield out.close(types.records);
	}
	if (!out.empty) yield out.close(types.records);
	const end = new Writer(24);
	end.u53(count);
	end.u32(head.leases.length);
	end.u32(head.sessions.length);
	end.u32(out.frames);
	end.u32(out.sum);
	out.add(end.done());
	yield out.close(types.end);
}

/** Takes what a stream holds, in its order. */
export interface SnapshotTarget {
	head(meta: Meta): void;
	lease(id: bigint, ttl: number, deadline: number): void;
	session(stored: Buffer): void;
	record(revisionKey: Buffer, record: Buffer): void;
	/** After each frame: the chance to write and to let others run. */
	frameDone(): Promise<void>;
}

interface Frame {
	readonly payload: Buffer;
	readonly crc: Buffer;
}

/** Puts buffers of any size together into frames with correct checksums. */
class FrameCutter {
	#pending: Buffer[] = [];
	#size = 0;
	#needed = 8;

	push(chunk: Buffer): Frame[] {
		const frames: Frame[] = [];
		this.#pending.push(chunk);
		this.#size += chunk.length;
		while (this.#size >= this.#needed) {
			const data = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
			const length = data.readUInt32BE(0);
			if (length < 1 || length > maxFrameBytes) throw new FormatError(`snapshot frame of ${length} bytes`);
			this.#needed = 8 + length;
			this.#pending = [data];
			if (this.#size < this.#needed) break;
			const payload = data.subarray(8, this.#needed);
			if (crc32c(payload) !== data.readUInt32BE(4)) throw new FormatError("snapshot frame with a wrong checksum");
			this.#pending = [data.subarray(this.#needed)];
			this.#size -= this.#needed;
			this.#needed = 8;
			frames.push({ payload, crc: data.subarray(4, 8) });
		}
		return frames;
	}

	end(): void {
		if (this.#size > 0) throw new FormatError(`snapshot ends within a frame, ${this.#size} bytes left over`);
	}
}

/** Reads a whole stream into `target`. Throws `FormatError` on damage, a version not known, or a stream that is not whole. */
export async function readSnapshot(chunks: AsyncIterable<Buffer>, target: SnapshotTarget): Promise<void> {
	const reader = new SnapshotReader(target);
	const cutter = new FrameCutter();
	for await (const chunk of chunks) {
		for (const { payload, crc } of cutter.push(chunk)) {
			reader.frame(payload, crc);
			await target.frameDone();
		}
	}
	cutter.end();
	reader.end();
}

/**
 * Passes a stream on and checks it on its way: versions, checksums, that it is of `wanted` and whole. Throws `FormatError`,
 * at the latest at its end.
 */
export async function* checkedSnapshot(wanted: SnapshotMeta, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	const reader = new SnapshotReader({
		head: (meta) => checkHead(meta, wanted),
		lease: () => {},
		session: () => {},
		record: () => {},
		frameDone: async () => {},
	});
	const cutter = new FrameCutter();
	for await (const chunk of chunks) {
		for (const { payload, crc } of cutter.push(chunk)) reader.frame(payload, crc);
		yield chunk;
	}
	cutter.end();
	reader.end();
}

/** Throws `FormatError` unless a stream's head is what was announced. */
export function checkHead(meta: Meta, { index, term }: SnapshotMeta): void {
	if (meta.index === index && meta.term === term) return;
	throw new FormatError(`snapshot of index ${meta.index} term ${meta.term}, announced as ${index} term ${term}`);
}

class SnapshotReader {
	readonly #target: SnapshotTarget;
	#frames = 0;
	#sum = 0;
	#records = 0;
	#leases = 0;
	#sessions = 0;
	#ended = false;

	constructor(target: SnapshotTarget) {
		this.#target = target;
	}

	frame(payload: Buffer, crc: Buffer): void {
		const type = payload[0];
		const r = new Reader(payload, 1);
		if (this.#ended) throw new FormatError("snapshot goes on after its last frame");
		if ((type === types.head) !== (this.#frames === 0)) throw new FormatError("snapshot head out of place");
		if (type === types.head) this.#head(r);
		else if (type === types.leases) while (r.left > 0) this.#lease(r);
		else if (type === types.sessions) while (r.left > 0) this.#session(r);
		else if (type === types.records) while (r.left > 0) this.#record(r);
		else if (type === types.end) this.#end(r);
		else throw new FormatError(`snapshot frame of unknown type ${type}`);
		this.#frames++;
		this.#sum = crc32c(crc, this.#sum);
	}

	/** Throws unless the last frame was the end. */
	end(): void {
		if (!this.#ended) throw new FormatError("snapshot ends without its last frame");
	}

	#head(r: Reader): void {
		if (!r.raw(magic.length).equals(magic)) throw new FormatError("not a snapshot");
		const version = r.u16();
		if (version !== snapshotVersion) throw new FormatError(`unknown snapshot version ${version}`);
		this.#target.head(decodeMeta(r.raw(r.left)));
	}

	#lease(r: Reader): void {
		this.#leases++;
		this.#target.lease(r.u64(), r.i53(), r.i53());
	}

	#session(r: Reader): void {
		this.#sessions++;
		this.#target.session(r.bytes());
	}

	#record(r: Reader): void {
		this.#records++;
		const key = r.bytes();
		this.#target.record(key, r.bytes());
	}

	#end(r: Reader): void {
		const whole =
			r.u53() === this.#records &&
			r.u32() === this.#leases &&
			r.u32() === this.#sessions &&
			r.u32() === this.#frames &&
			r.u32() === this.#sum;
		r.end();
		if (!whole) throw new FormatError("snapshot lost or repeated frames");
		this.#ended = true;
	}
}
