/** Requests that may become WebSockets, behind the same seam as others: a response whose status is 101 sends messages. */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { SendAccount, SendBudget } from "../../kit/send-budget.ts";
import type { ApiResponse } from "./types.ts";
import { closeCodes, handshakeAnswer, WebSocketConnection } from "./websocket.ts";

/** A connection that was said goodbye to and does not end has this long. */
const goodbyeMs = 5_000;

/** HTTP/1's response that stands on a socket that was taken out of the server's hands. */
export function responseOn(raw: IncomingMessage, socket: TLSSocket): ServerResponse {
	const out = new ServerResponse(raw);
	out.shouldKeepAlive = false;
	out.assignSocket(socket);
	// The server, which tells responses of room on their sockets, has let go of this one.
	const onDrain = () => out.emit("drain");
	socket.on("drain", onDrain);
	out.once("finish", () => {
		socket.off("drain", onDrain);
		out.detachSocket(socket);
		socket.destroySoon();
	});
	return out;
}

/** Answers in HTTP, unless `head` says 101: then each `write` is a message, and `end` a goodbye. */
export class UpgradableResponse implements ApiResponse {
	readonly #raw: IncomingMessage;
	readonly #socket: TLSSocket;
	readonly #first: Buffer;
	readonly #plain: ApiResponse;
	readonly #onClosed: () => void;
	/** Of the messages; what is answered in HTTP has its own. */
	readonly #account: SendAccount | undefined;
	#messages: WebSocketConnection | undefined;
	#bytes = 0;

	constructor(
		raw: IncomingMessage,
		socket: TLSSocket,
		first: Buffer,
		plain: ApiResponse,
		onClosed: () => void,
		budget: SendBudget | undefined,
	) {
		this.#account = budget?.enter({ buffered: () => socket.writableLength, end: () => socket.destroy() });
		if (this.#account !== undefined) socket.once("close", this.#account.leave);
		this.#raw = raw;
		this.#socket = socket;
		this.#first = first;
		this.#plain = plain;
		this.#onClosed = onClosed;
	}

	get headSent(): boolean {
		return this.#messages !== undefined || this.#plain.headSent;
	}

	get bytesWritten(): number {
		return this.#messages === undefined ? this.#plain.bytesWritten : this.#bytes;
	}

	head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
		if (status !== 101) {
			this.#plain.head(status, headers);
			return;
		}
		this.#socket.write(handshakeAnswer(this.#raw, headers["sec-websocket-protocol"] as string | undefined));
		this.#messages = new WebSocketConnection(this.#socket, this.#first, () => {
			const timer = setTimeout(() => this.#socket.destroy(), goodbyeMs);
			timer.unref();
			this.#socket.once("close", () => clearTimeout(timer));
			this.#onClosed();
		});
	}

	write(chunk: Buffer): boolean {
		if (this.#messages === undefined) return this.#plain.write(chunk);
		this.#bytes += chunk.length;
		const room = this.#messages.text(chunk);
		this.#account?.wrote(chunk.length, this.#socket.writableLength);
		return room;
	}

	onDrain(callback: () => void): void {
		if (this.#messages === undefined) this.#plain.onDrain(callback);
		else if (this.#socket.writableNeedDrain) this.#socket.once("drain", callback);
		else setImmediate(callback);
	}

	end(chunk?: Buffer | string): void {
		if (this.#messages === undefined) {
			this.#plain.end(chunk);
			return;
		}
		if (chunk !== undefined) this.write(Buffer.from(chunk));
		this.#messages.close(closeCodes.normal);
	}

	destroy(): void {
		this.#socket.destroy();
	}
}
