/**
 * What one revision of one key is on the engine. The key is etcd's revision key (8 bytes main, `_`, 8 bytes sub, `t` for a
 * tombstone); the value is a marshalled `mvccpb.KeyValue`, byte for byte as etcd writes it, so that hashes agree.
 * A tombstone's value holds only the key.
 */
import type { KeyValue } from "../api.ts";

const high = 2 ** 32;
const underscore = 0x5f;
const tombstoneMark = 0x74;
/** Bytes of a revision key without the tombstone's mark. */
export const revisionKeySize = 17;

const tagKey = 0x0a;
const tagCreate = 0x10;
const tagMod = 0x18;
const tagVersion = 0x20;
const tagValue = 0x2a;
const tagLease = 0x30;

const noBytes: Buffer = Buffer.alloc(0);

/** `prefix` and the revision key behind it. */
export function revisionKey(prefix: Buffer, main: number, sub: number, tombstone: boolean): Buffer {
	const at = prefix.length;
	const key = Buffer.allocUnsafe(at + (tombstone ? revisionKeySize + 1 : revisionKeySize));
	key.set(prefix);
	key.writeUInt32BE(Math.floor(main / high), at);
	key.writeUInt32BE(main % high, at + 4);
	key[at + 8] = underscore;
	key.writeUInt32BE(Math.floor(sub / high), at + 9);
	key.writeUInt32BE(sub % high, at + 13);
	if (tombstone) key[at + 17] = tombstoneMark;
	return key;
}

/** Reads a revision key that begins at `at`. */
export function readRevisionKey(key: Buffer, at: number): { main: number; sub: number; tombstone: boolean } {
	const length = key.length - at;
	if ((length !== revisionKeySize && length !== revisionKeySize + 1) || key[at + 8] !== underscore) {
		throw new Error(`not a revision key: ${key.subarray(at).toString("hex")}`);
	}
	return {
		main: key.readUInt32BE(at) * high + key.readUInt32BE(at + 4),
		sub: key.readUInt32BE(at + 9) * high + key.readUInt32BE(at + 13),
		tombstone: length === revisionKeySize + 1 && key[at + 17] === tombstoneMark,
	};
}

function varintSize(value: number): number {
	if (value < 0x80) return 1;
	if (value < 0x4000) return 2;
	if (value < 0x200000) return 3;
	if (value < 0x10000000) return 4;
	let size = 5;
	for (let rest = Math.floor(value / 0x800000000); rest > 0; rest = Math.floor(rest / 0x80)) size++;
	return size;
}

function writeVarint(target: Buffer, at: number, value: number): number {
	let rest = value;
	let offset = at;
	while (rest >= 0x80000000) {
		target[offset++] = (rest % 0x80) | 0x80;
		rest = Math.floor(rest / 0x80);
	}
	while (rest >= 0x80) {
		target[offset++] = (rest & 0x7f) | 0x80;
		rest >>>= 7;
	}
	target[offset++] = rest;
	return offset;
}

function bigVarintSize(value: bigint): number {
	let size = 1;
	for (let rest = value >> 7n; rest > 0n; rest >>= 7n) size++;
	return size;
}

function writeBigVarint(target: Buffer, at: number, value: bigint): number {
	let rest = value;
	let offset = at;
	while (rest >= 0x80n) {
		target[offset++] = Number(rest & 0x7fn) | 0x80;
		rest >>= 7n;
	}
	target[offset++] = Number(rest);
	return offset;
}

/** A marshalled `mvccpb.KeyValue`; zero and empty fields are left out, as in proto3. The value's bytes are copied once. */
export function encodeRecord(
	key: Buffer,
	createRevision: number,
	modRevision: number,
	version: number,
	value: Buffer,
	lease: bigint,
): Buffer {
	let size = 1 + varintSize(key.length) + key.length;
	size += 3 + varintSize(createRevision) + varintSize(modRevision) + varintSize(version);
	if (value.length > 0) size += 1 + varintSize(value.length) + value.length;
	if (lease !== 0n) size += 1 + bigVarintSize(lease);
	const record = Buffer.allocUnsafe(size);
	record[0] = tagKey;
	let at = writeVarint(record, 1, key.length);
	record.set(key, at);
	at += key.length;
	record[at] = tagCreate;
	at = writeVarint(record, at + 1, createRevision);
	record[at] = tagMod;
	at = writeVarint(record, at + 1, modRevision);
	record[at] = tagVersion;
	at = writeVarint(record, at + 1, version);
	if (value.length > 0) {
		record[at] = tagValue;
		at = writeVarint(record, at + 1, value.length);
		record.set(value, at);
		at += value.length;
	}
	if (lease !== 0n) {
		record[at] = tagLease;
		at = writeBigVarint(record, at + 1, lease);
	}
	return record;
}

/** A tombstone's record: only the key. */
export function encodeTombstone(key: Buffer): Buffer {
	const record = Buffer.allocUnsafe(1 + varintSize(key.length) + key.length);
	record[0] = tagKey;
	record.set(key, writeVarint(record, 1, key.length));
	return record;
}

/** Reads varints one after the other; `value` is the last one's. */
class VarintReader {
	readonly data: Buffer;
	offset = 0;

	constructor(data: Buffer) {
		this.data = data;
	}

	number(): number {
		let value = 0;
		let scale = 1;
		for (;;) {
			const byte = this.data[this.offset++];
			if (byte === undefined) throw new Error("record cut short");
			value += (byte & 0x7f) * scale;
			if (byte < 0x80) return value;
			scale *= 0x80;
		}
	}

	big(): bigint {
		let value = 0n;
		let shift = 0n;
		for (;;) {
			const byte = this.data[this.offset++];
			if (byte === undefined) throw new Error("record cut short");
			value |= BigInt(byte & 0x7f) << shift;
			if (byte < 0x80) return value;
			shift += 7n;
		}
	}

	bytes(): Buffer {
		const length = this.number();
		const at = this.offset;
		if (length > this.data.length - at) throw new Error("record cut short");
		this.offset = at + length;
		return this.data.subarray(at, this.offset);
	}
}

/** Key and value of the answer are views of `record`. Throws on damage: the engine has checksums, so it is a broken invariant. */
export function decodeRecord(record: Buffer): KeyValue {
	const r = new VarintReader(record);
	let key: Buffer = noBytes;
	let value: Buffer = noBytes;
	let createRevision = 0;
	let modRevision = 0;
	let version = 0;
	let lease = 0n;
	while (r.offset < record.length) {
		const tag = record[r.offset++];
		if (tag === tagKey) key = r.bytes();
		else if (tag === tagCreate) createRevision = r.number();
		else if (tag === tagMod) modRevision = r.number();
		else if (tag === tagVersion) version = r.number();
		else if (tag === tagValue) value = r.bytes();
		else if (tag === tagLease) lease = r.big();
		else throw new Error(`record with unknown field tag ${tag}`);
	}
	return { key, createRevision, modRevision, version, value, lease };
}

/** Only the key of a record: it comes first. */
export function recordKey(record: Buffer): Buffer {
	const r = new VarintReader(record);
	if (record[r.offset++] !== tagKey) throw new Error("record does not begin with its key");
	return r.bytes();
}
