/** The native protocol's frames over a TCP or TLS socket. Everything a turn sends leaves in one system call. */
import type { Socket } from "node:net";
import { FrameReader } from "../transport/frames.ts";
import { Outbox } from "../transport/outbox.ts";
import { type FrameChannel, type FrameHandlers, frameHeadBytes } from "./protocol.ts";

export class SocketChannel implements FrameChannel {
	readonly #socket: Socket;
	readonly #maxFrame: number;
	#early: Buffer | undefined;
	readonly #outbox: Outbox;
	#closed = false;

	/** `early`: bytes read from the socket before. `maxFrame`: longest frame accepted. */
	constructor(socket: Socket, maxFrame: number, early?: Buffer) {
		this.#socket = socket;
		this.#maxFrame = maxFrame;
		this.#early = early;
		this.#outbox = new Outbox(socket);
		socket.setNoDelay(true);
	}

	get backlog(): number {
		return this.#outbox.backlog;
	}

	start(handlers: FrameHandlers): void {
		const socket = this.#socket;
		let reason = new Error("connection closed");
		const reader = new FrameReader(this.#maxFrame, (frame) => {
			if (!this.#closed) handlers.onFrame(frame);
		});
		const read = (chunk: Buffer) => {
			try {
				reader.push(chunk);
			} catch (error) {
				socket.destroy(error as Error);
			}
		};
		socket.on("data", read);
		socket.on("drain", () => handlers.onDrain());
		socket.on("error", (error: Error) => {
			reason = error;
		});
		socket.once("close", () => {
			this.#closed = true;
			handlers.onClose(reason);
		});
		if (socket.destroyed) {
			this.#closed = true;
			queueMicrotask(() => handlers.onClose(reason));
			return;
		}
		const early = this.#early;
		this.#early = undefined;
		if (early !== undefined && early.length > 0) read(early);
	}

	send(frame: Buffer): void {
		if (this.#closed) return;
		const head = Buffer.allocUnsafe(frameHeadBytes);
		head.writeUInt32BE(frame.length);
		this.#outbox.push(head);
		this.#outbox.push(frame);
	}

	setReading(on: boolean): void {
		if (on) this.#socket.resume();
		else this.#socket.pause();
	}

	/** Writes bytes that are not a frame (the protocol's magic). */
	sendRaw(bytes: Buffer): void {
		this.#outbox.push(bytes);
	}

	destroy(): void {
		this.#socket.destroy();
	}

	close(): void {
		if (this.#socket.destroyed) return;
		this.#outbox.flush();
		this.#socket.end();
		// A client that never closes its side must not keep the socket.
		const timer = setTimeout(() => this.#socket.destroy(), 1000);
		timer.unref();
		this.#socket.once("close", () => clearTimeout(timer));
	}
}
