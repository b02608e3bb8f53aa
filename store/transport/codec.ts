/**
 * What members say to each other, in bytes. Every frame begins with its kind; integers are big-endian, 64-bit where they
 * count entries or terms. Entry data is not copied when large, and the entries of an append are encoded once for all
 * followers. Version 2: both sides of a greeting tell what data they stand on; frames are those of version 1.
 */
import type { Standing } from "../member/incarnations.ts";
import type { Forward, RefusalReason } from "../member/types.ts";
import type { ConfState, Entry, EntryKind, Message, MessageType, SnapshotMeta } from "../raft/types.ts";
import { FrameError } from "./frames.ts";

export const protocolVersion = 2;
export const magic = 0x42515031; // "BQP1"
/** What every version begins with. */
export const helloHeadBytes = 4 + 2 + 2 + 8 + 8 + 8 + 1;
const standingBytes = 8 + 8 + 8 + 1 + 8;
export const helloBytes = helloHeadBytes + standingBytes;
export const maxFrameBytes = 64 << 20;

export const frameKind = {
	message: 1,
	forward: 2,
	refuse: 3,
	ping: 4,
	pong: 5,
	snapshot: 6,
	chunk: 7,
	end: 8,
	result: 9,
	welcome: 10,
} as const;

export const channels = ["control", "bulk", "snapshot"] as const;
export type Channel = (typeof channels)[number];

/** A type's position is its number on the wire: the order is fixed forever. */
const messageTypes: readonly MessageType[] = [
	"pre_vote",
	"pre_vote_response",
	"vote",
	"vote_response",
	"append",
	"append_response",
	"heartbeat",
	"heartbeat_response",
	"snapshot",
	"read_index",
	"read_index_response",
	"transfer_leader",
	"timeout_now",
];
const entryKinds: readonly EntryKind[] = ["normal", "confchange"];
const refusals: readonly RefusalReason[] = ["not_leader", "overloaded"];

/** Data up to this size is copied next to its header: cheaper than one more piece in writev. */
const copyBelow = 4096;
const entryHead = 8 + 8 + 1 + 4;
const messageHead = 1 + 1 + 1 + 8 * 8 + 4;

class Writer {
	readonly buffer: Buffer;
	#at = 0;

	constructor(size: number) {
		this.buffer = Buffer.allocUnsafe(size);
	}

	u8(value: number): void {
		this.buffer[this.#at++] = value;
	}

	u16(value: number): void {
		this.#at = this.buffer.writeUInt16BE(value, this.#at);
	}

	u32(value: number): void {
		this.#at = this.buffer.writeUInt32BE(value, this.#at);
	}

	u53(value: number): void {
		this.#at = this.buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), this.#at);
		this.#at = this.buffer.writeUInt32BE(value >>> 0, this.#at);
	}

	u64(value: bigint): void {
		this.#at = this.buffer.writeBigUInt64BE(value, this.#at);
	}

	bytes(data: Buffer): void {
		this.#at += data.copy(this.buffer, this.#at);
	}
}

export class Reader {
	readonly #buffer: Buffer;
	#at: number;

	constructor(buffer: Buffer, at = 0) {
		this.#buffer = buffer;
		this.#at = at;
	}

	get left(): number {
		return this.#buffer.length - this.#at;
	}

	#take(bytes: number): number {
		const at = this.#at;
		if (at + bytes > this.#buffer.length)
			throw new FrameError(`frame ends ${at + bytes - this.#buffer.length} bytes early`);
		this.#at = at + bytes;
		return at;
	}

	u8(): number {
		return this.#buffer[this.#take(1)] ?? 0;
	}

	u16(): number {
		return this.#buffer.readUInt16BE(this.#take(2));
	}

	u32(): number {
		return this.#buffer.readUInt32BE(this.#take(4));
	}

	u53(): number {
		const at = this.#take(8);
		const value = this.#buffer.readUInt32BE(at) * 0x1_0000_0000 + this.#buffer.readUInt32BE(at + 4);
		if (!Number.isSafeInteger(value)) throw new FrameError(`integer ${value} is beyond 2^53`);
		return value;
	}

	u64(): bigint {
		return this.#buffer.readBigUInt64BE(this.#take(8));
	}

	bytes(length: number): Buffer {
		const at = this.#take(length);
		return this.#buffer.subarray(at, at + length);
	}

	/** A count of things that take at least `each` bytes, refused before anything is allocated for it. */
	count(each: number): number {
		const value = this.u32();
		if (value * each > this.left) throw new FrameError(`count of ${value} does not fit into the frame`);
		return value;
	}
}

/** A frame as pieces to write in order; the length prefix is in the first. */
export type Pieces = readonly Buffer[];

export function piecesLength(pieces: Pieces): number {
	let bytes = 0;
	for (const piece of pieces) bytes += piece.length;
	return bytes;
}

interface EncodedEntries {
	readonly last: Entry;
	readonly count: number;
	readonly pieces: Pieces;
	readonly bytes: number;
}

/** Encoded entries by their first entry: all appends of one turn carry the same entries. */
const encodedEntries = new WeakMap<Entry, EncodedEntries>();

function encodeEntries(entries: readonly Entry[]): EncodedEntries | undefined {
	const first = entries[0];
	const last = entries.at(-1);
	if (first === undefined || last === undefined) return undefined;
	const known = encodedEntries.get(first);
	if (known !== undefined && known.last === last && known.count === entries.length) return known;
	const pieces: Buffer[] = [];
	let from = 0;
	while (from < entries.length) {
		// One piece: headers and small data up to and including the header of the next large one.
		let size = 0;
		let to = from;
		while (to < entries.length) {
			const length = entries[to]?.data.length ?? 0;
			to++;
			size += entryHead + (length < copyBelow ? length : 0);
			if (length >= copyBelow) break;
		}
		const writer = new Writer(size);
		for (let i = from; i < to; i++) {
			const entry = entries[i] as Entry;
			writer.u53(entry.term);
			writer.u53(entry.index);
			writer.u8(entryKinds.indexOf(entry.kind));
			writer.u32(entry.data.length);
			if (entry.data.length < copyBelow) writer.bytes(entry.data);
		}
		pieces.push(writer.buffer);
		const large = entries[to - 1];
		if (large !== undefined && large.data.length >= copyBelow) pieces.push(large.data);
		from = to;
	}
	const encoded = { last, count: entries.length, pieces, bytes: piecesLength(pieces) };
	encodedEntries.set(first, encoded);
	return encoded;
}

function decodeEntries(reader: Reader): Entry[] {
	const count = reader.count(entryHead);
	const entries: Entry[] = [];
	for (let i = 0; i < count; i++) {
		const term = reader.u53();
		const index = reader.u53();
		const kind = entryKinds[reader.u8()];
		if (kind === undefined) throw new FrameError("unknown kind of entry");
		entries.push({ term, index, kind, data: reader.bytes(reader.u32()) });
	}
	return entries;
}

function confIds(conf: ConfState): readonly (readonly bigint[])[] {
	return [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext];
}

function snapshotBytes(snapshot: SnapshotMeta | undefined): number {
	if (snapshot === undefined) return 0;
	return 8 + 8 + 1 + confIds(snapshot.conf).reduce((bytes, ids) => bytes + 4 + 8 * ids.length, 0);
}

function writeSnapshot(writer: Writer, snapshot: SnapshotMeta): void {
	writer.u53(snapshot.index);
	writer.u53(snapshot.term);
	writer.u8(snapshot.conf.autoLeave ? 1 : 0);
	for (const ids of confIds(snapshot.conf)) {
		writer.u32(ids.length);
		for (const id of ids) writer.u64(id);
	}
}

function readSnapshot(reader: Reader): SnapshotMeta {
	const index = reader.u53();
	const term = reader.u53();
	const autoLeave = reader.u8() === 1;
	const ids = () => Array.from({ length: reader.count(8) }, () => reader.u64());
	return {
		index,
		term,
		conf: { voters: ids(), votersOutgoing: ids(), learners: ids(), learnersNext: ids(), autoLeave },
	};
}

export function encodeMessage(message: Message, kind: number = frameKind.message): Pieces {
	const entries = encodeEntries(message.entries);
	const head = messageHead + snapshotBytes(message.snapshot);
	const writer = new Writer(4 + head);
	writer.u32(head + (entries?.bytes ?? 0));
	writer.u8(kind);
	writer.u8(messageTypes.indexOf(message.type));
	writer.u8((message.reject ? 1 : 0) | (message.force ? 2 : 0) | (message.snapshot === undefined ? 0 : 4));
	writer.u64(message.from);
	writer.u64(message.to);
	writer.u53(message.term);
	writer.u53(message.logTerm);
	writer.u53(message.index);
	writer.u53(message.commit);
	writer.u53(message.rejectHint);
	writer.u64(message.context);
	if (message.snapshot !== undefined) writeSnapshot(writer, message.snapshot);
	writer.u32(message.entries.length);
	return entries === undefined ? [writer.buffer] : [writer.buffer, ...entries.pieces];
}

/** `frame` without its length prefix, kind included. */
export function decodeMessage(frame: Buffer): Message {
	const reader = new Reader(frame, 1);
	const type = messageTypes[reader.u8()];
	if (type === undefined) throw new FrameError("unknown type of message");
	const flags = reader.u8();
	const from = reader.u64();
	const to = reader.u64();
	const term = reader.u53();
	const logTerm = reader.u53();
	const index = reader.u53();
	const commit = reader.u53();
	const rejectHint = reader.u53();
	const context = reader.u64();
	const snapshot = (flags & 4) === 0 ? undefined : readSnapshot(reader);
	const entries = decodeEntries(reader);
	if (reader.left > 0) throw new FrameError(`${reader.left} bytes too many in a message`);
	return {
		type,
		from,
		to,
		term,
		logTerm,
		index,
		entries,
		commit,
		reject: (flags & 1) !== 0,
		rejectHint,
		snapshot,
		context,
		force: (flags & 2) !== 0,
	};
}

export function encodeForward(forward: Forward): Pieces {
	let bytes = 1 + 8 + 8 + 4;
	for (const command of forward.commands) bytes += 4 + command.length;
	const writer = new Writer(4 + bytes);
	writer.u32(bytes);
	writer.u8(frameKind.forward);
	writer.u53(forward.id);
	writer.u53(forward.term);
	writer.u32(forward.commands.length);
	for (const command of forward.commands) {
		writer.u32(command.length);
		writer.bytes(command);
	}
	return [writer.buffer];
}

/** Commands are copies: the leader writes its time into them. */
export function decodeForward(frame: Buffer): Forward {
	const reader = new Reader(frame, 1);
	const id = reader.u53();
	const term = reader.u53();
	const commands = Array.from({ length: reader.count(4) }, () => reader.bytes(reader.u32()));
	return { id, term, commands };
}

export function encodeRefuse(id: number, reason: RefusalReason): Pieces {
	const writer = new Writer(4 + 10);
	writer.u32(10);
	writer.u8(frameKind.refuse);
	writer.u53(id);
	writer.u8(refusals.indexOf(reason));
	return [writer.buffer];
}

export function decodeRefuse(frame: Buffer): { readonly id: number; readonly reason: RefusalReason } {
	const reader = new Reader(frame, 1);
	const id = reader.u53();
	const reason = refusals[reader.u8()];
	if (reason === undefined) throw new FrameError("unknown reason of a refusal");
	return { id, reason };
}

/** A frame that holds its kind and then raw bytes. */
export function encodeBytes(kind: number, body: Buffer): Pieces {
	const head = Buffer.allocUnsafe(5);
	head.writeUInt32BE(1 + body.length);
	head[4] = kind;
	return body.length === 0 ? [head] : [head, body];
}

export interface HelloHead {
	readonly minVersion: number;
	readonly maxVersion: number;
	readonly clusterId: bigint;
	readonly from: bigint;
	readonly to: bigint;
	readonly channel: Channel;
}

export interface Hello extends HelloHead {
	readonly standing: Standing;
}

function writeStanding(writer: Writer, { data, starts, nonce, begun, term }: Standing): void {
	writer.u64(data);
	writer.u53(starts);
	writer.u64(nonce);
	writer.u8(begun ? 1 : 0);
	writer.u53(term);
}

function readStanding(reader: Reader): Standing {
	return {
		data: reader.u64(),
		starts: reader.u53(),
		nonce: reader.u64(),
		begun: (reader.u8() & 1) !== 0,
		term: reader.u53(),
	};
}

/** First bytes of a connection, without a length prefix. */
export function encodeHello(hello: Hello): Buffer {
	const writer = new Writer(helloBytes);
	writer.u32(magic);
	writer.u16(hello.minVersion);
	writer.u16(hello.maxVersion);
	writer.u64(hello.clusterId);
	writer.u64(hello.from);
	writer.u64(hello.to);
	writer.u8(channels.indexOf(hello.channel));
	writeStanding(writer, hello.standing);
	return writer.buffer;
}

/** The first `helloHeadBytes` of a greeting of any version. */
export function decodeHelloHead(bytes: Buffer): HelloHead {
	const reader = new Reader(bytes);
	if (reader.u32() !== magic) throw new FrameError("not a member of a barque store (wrong first bytes)");
	const minVersion = reader.u16();
	const maxVersion = reader.u16();
	const clusterId = reader.u64();
	const from = reader.u64();
	const to = reader.u64();
	const channel = channels[reader.u8()];
	if (channel === undefined) throw new FrameError("unknown channel");
	return { minVersion, maxVersion, clusterId, from, to, channel };
}

export function decodeHello(bytes: Buffer): Hello {
	return { ...decodeHelloHead(bytes), standing: readStanding(new Reader(bytes, helloHeadBytes)) };
}

/**
 * The acceptor's answer. `expelled`: the greeter's data is not what it was, and it must stop. `refusal` says why not, and is
 * empty for a welcome; only a welcome tells the acceptor's standing.
 */
export type Welcome =
	| { readonly kind: "welcome"; readonly standing: Standing }
	| { readonly kind: "refused" | "expelled"; readonly refusal: string };

const welcomeKinds: readonly Welcome["kind"][] = ["welcome", "refused", "expelled"];

export function encodeWelcome(welcome: Welcome): Pieces {
	const text = welcome.kind === "welcome" ? Buffer.alloc(0) : Buffer.from(welcome.refusal);
	const writer = new Writer(3 + (welcome.kind === "welcome" ? standingBytes : text.length));
	writer.u16(protocolVersion);
	writer.u8(welcomeKinds.indexOf(welcome.kind));
	if (welcome.kind === "welcome") writeStanding(writer, welcome.standing);
	else writer.bytes(text);
	return encodeBytes(frameKind.welcome, writer.buffer);
}

/** A refusal in the format of version 1, for members that know no other version. */
export function encodeRefusalOfVersion1(refusal: string): Pieces {
	const text = Buffer.from(refusal);
	const writer = new Writer(2 + text.length);
	writer.u16(1);
	writer.bytes(text);
	return encodeBytes(frameKind.welcome, writer.buffer);
}

export function decodeWelcome(frame: Buffer): Welcome {
	const reader = new Reader(frame);
	if (reader.u8() !== frameKind.welcome) throw new FrameError("the member did not answer the greeting");
	// A member that knows only version 1 refuses our greeting in the format of version 1.
	if (reader.u16() === 1) return { kind: "refused", refusal: reader.bytes(reader.left).toString() };
	const kind = welcomeKinds[reader.u8()];
	if (kind === undefined) throw new FrameError("unknown kind of answer to the greeting");
	if (kind === "welcome") return { kind, standing: readStanding(reader) };
	return { kind, refusal: reader.bytes(reader.left).toString() };
}
