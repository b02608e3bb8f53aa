/**
 * WebSockets (RFC 6455) on HTTP/1.1, the server's end: a handshake, messages out, and of what comes in only what the protocol
 * asks to be answered. No extensions. Nothing a client sends is kept beyond a control frame's 125 bytes: its messages are
 * read and forgotten, as a watch has nothing to be told.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const version = "13";
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Buffered bytes above which a client's pings are not answered: it does not read. */
const maxPongBacklog = 64 << 10;

const opcodes = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;
const known: ReadonlySet<number> = new Set(Object.values(opcodes));
const final = 0x80;
export const closeCodes = { normal: 1000, protocolError: 1002 } as const;

const names = (value: string | undefined): string[] =>
	(value ?? "")
		.slice(0, 8192)
		.split(",")
		.map((name) => name.trim())
		.filter((name) => name !== "");

/** A GET that asks to become a WebSocket. */
export const asksForWebSocket = ({ method, headers }: IncomingMessage): boolean =>
	method === "GET" &&
	(headers.upgrade ?? "").toLowerCase() === "websocket" &&
	names(headers.connection).some((name) => name.toLowerCase() === "upgrade");

/** What is wrong with the handshake; undefined: nothing. */
export function handshakeProblem({ headers }: IncomingMessage): string | undefined {
	if (headers["sec-websocket-version"] !== version)
		return `only version ${version} of the WebSocket protocol is spoken`;
	const key = headers["sec-websocket-key"] ?? "";
	// 16 bytes in base64.
	return /^[A-Za-z0-9+/]{22}==$/.test(key) ? undefined : "the Sec-WebSocket-Key is not of 16 bytes";
}

/** Subprotocols in the client's order. */
export const offeredProtocols = ({ headers }: IncomingMessage): string[] => names(headers["sec-websocket-protocol"]);

/** The answer to a handshake that is well formed. `protocol`: one of those offered. */
export function handshakeAnswer({ headers }: IncomingMessage, protocol: string | undefined): string {
	const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${acceptSuffix}`).digest("base64");
	const chosen = protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
	return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`;
}

function frameHead(opcode: number, length: number): Buffer {
	if (length < 126) return Buffer.of(final | opcode, length);
	const head = Buffer.alloc(length < 65_536 ? 4 : 10);
	head[0] = final | opcode;
	if (length < 65_536) {
		head[1] = 126;
		head.writeUInt16BE(length, 2);
	} else {
		head[1] = 127;
		head.writeBigUInt64BE(BigInt(length), 2);
	}
	return head;
}

export interface FrameEvents {
	ping(payload: Buffer): void;
	/** `code` is absent where the client gave none. */
	close(code: number | undefined): void;
	/** Nothing after it can be understood. */
	broken(why: string): void;
}

/** Reads a client's frames as they come, in any pieces. Its work grows with the bytes, its memory does not. */
export class FrameReader {
	readonly #events: FrameEvents;
	/** Head and mask of the frame being read: 14 bytes at most. */
	readonly #head = Buffer.alloc(14);
	#headBytes = 0;
	/** Payload bytes still to come; undefined: a head is being read. */
	#left: number | undefined;
	/** Payload of a control frame so far. */
	readonly #control = Buffer.alloc(125);
	#controlBytes = 0;
	#over = false;

	constructor(events: FrameEvents) {
		this.#events = events;
	}

	push(chunk: Buffer): void {
		for (let at = 0; at < chunk.length && !this.#over; ) {
			at = this.#left === undefined ? this.#readHead(chunk, at) : this.#readPayload(chunk, at);
			if (this.#left === 0 && !this.#over) this.#end();
		}
	}

	get #opcode(): number {
		return (this.#head[0] as number) & 0x0f;
	}

	#fail(why: string): void {
		this.#over = true;
		this.#events.broken(why);
	}

	#readHead(chunk: Buffer, at: number): number {
		this.#head[this.#headBytes++] = chunk[at] as number;
		if (this.#headBytes < 2) return at + 1;
		const short = (this.#head[1] as number) & 0x7f;
		const size = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + 4;
		if (this.#headBytes === 2) this.#checkHead(short);
		if (this.#headBytes < size || this.#over) return at + 1;
		const length =
			short === 126 ? this.#head.readUInt16BE(2) : short === 127 ? Number(this.#head.readBigUInt64BE(2)) : short;
		if (length >= 2 ** 53) this.#fail("a frame is longer than can be counted");
		this.#left = length;
		return at + 1;
	}

	#checkHead(length: number): void {
		const first = this.#head[0] as number;
		if ((first & 0x70) !== 0) this.#fail("reserved bits are set");
		else if (!known.has(this.#opcode)) this.#fail(`opcode ${this.#opcode} is not known`);
		else if (((this.#head[1] as number) & 0x80) === 0) this.#fail("a client's frame is not masked");
		else if (this.#opcode >= opcodes.close && (length > 125 || (first & final) === 0)) {
			this.#fail("a control frame is long or in pieces");
		}
	}

	#readPayload(chunk: Buffer, at: number): number {
		const left = this.#left as number;
		const end = Math.min(chunk.length, at + left);
		if (this.#opcode >= opcodes.close) {
			const mask = this.#head.subarray(this.#headBytes - 4, this.#headBytes);
			for (let i = at; i < end; i++) {
				this.#control[this.#controlBytes] = (chunk[i] as number) ^ (mask[this.#controlBytes % 4] as number);
				this.#controlBytes++;
			}
		}
		this.#left = left - (end - at);
		return end;
	}

	#end(): void {
		const payload = Buffer.from(this.#control.subarray(0, this.#controlBytes));
		const opcode = this.#opcode;
		this.#headBytes = 0;
		this.#left = undefined;
		this.#controlBytes = 0;
		if (opcode === opcodes.ping) this.#events.ping(payload);
		else if (opcode === opcodes.close) {
			this.#over = true;
			this.#events.close(payload.length < 2 ? undefined : payload.readUInt16BE(0));
		}
	}
}

/** An open WebSocket: messages out; answers pings and the client's goodbye. */
export class WebSocketConnection {
	readonly #socket: Duplex;
	readonly #onClosed: () => void;
	#closing = false;

	/** `first`: bytes that came with the handshake. `onClosed`: nothing more can be sent. */
	constructor(socket: Duplex, first: Buffer, onClosed: () => void) {
		this.#socket = socket;
		this.#onClosed = onClosed;
		const reader = new FrameReader({
			ping: (payload) => {
				if (this.#closing || socket.writableLength > maxPongBacklog) return;
				this.#frame(opcodes.pong, payload);
			},
			close: (code) => this.close(code ?? closeCodes.normal),
			broken: () => this.close(closeCodes.protocolError),
		});
		socket.on("data", (chunk: Buffer) => reader.push(chunk));
		// A client that only ends its side has nobody left to read.
		socket.on("end", () => this.close(closeCodes.normal));
		if (first.length > 0) reader.push(first);
	}

	/** One message of text (UTF-8). False: the socket is full. */
	text(message: Buffer): boolean {
		return this.#closing || this.#frame(opcodes.text, message);
	}

	/** Says goodbye and ends the connection; what was sent before goes out first. */
	close(code: number): void {
		if (this.#closing) return;
		const payload = Buffer.alloc(2);
		payload.writeUInt16BE(code);
		this.#frame(opcodes.close, payload);
		this.#closing = true;
		this.#socket.end();
		this.#onClosed();
	}

	#frame(opcode: number, payload: Buffer): boolean {
		if (this.#socket.destroyed || this.#socket.writableEnded) return true;
		this.#socket.cork();
		this.#socket.write(frameHead(opcode, payload.length));
		const room = this.#socket.write(payload);
		process.nextTick(() => this.#socket.uncork());
		return room;
	}
}
