/**
 * One outgoing connection to one member: dialled again with backoff for as long as the transport lives. Frames are only
 * sent while it is up; what does not fit its bounded queue is refused, since Raft's own messages make up for the loss.
 */
import type { Socket } from "node:net";
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import {
	type Channel,
	decodeWelcome,
	encodeBytes,
	encodeHello,
	frameKind,
	maxFrameBytes,
	type Pieces,
	protocolVersion,
} from "./codec.ts";
import { FrameReader } from "./frames.ts";
import { Outbox } from "./outbox.ts";

const firstRetryMs = 50;
const lastRetryMs = 1000;

export interface LinkOptions {
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/** Starts a connection; "secure" or "connect" fires once it can be written. */
	readonly dial: () => { readonly socket: Socket; readonly ready: string };
	readonly clusterId: bigint;
	readonly from: bigint;
	readonly to: bigint;
	readonly channel: Channel;
	/** Bytes that may wait in the socket. */
	readonly maxQueued: number;
	/** A connection that says nothing for this long is given up, ms. */
	readonly silenceMs: number;
	readonly onDown: () => void;
}

const ping = encodeBytes(frameKind.ping, Buffer.alloc(0));

export class Link {
	readonly #options: LinkOptions;
	#socket: Socket | undefined;
	#up = false;
	#closed = false;
	#retryMs = firstRetryMs;
	#timer: Timer | undefined;
	#pinger: Timer | undefined;
	#heardAt = 0;
	#outbox: Outbox | undefined;
	#lastComplaint = "";

	constructor(options: LinkOptions) {
		this.#options = options;
		this.#dial();
	}

	get up(): boolean {
		return this.#up;
	}

	/** False: not sent, and never will be. */
	write(pieces: Pieces): boolean {
		const outbox = this.#outbox;
		if (!this.#up || outbox === undefined || outbox.backlog > this.#options.maxQueued) return false;
		for (const piece of pieces) outbox.push(piece);
		return true;
	}

	close(): void {
		this.#closed = true;
		this.#timer?.cancel();
		this.#pinger?.cancel();
		this.#socket?.destroy();
	}

	#dial(): void {
		const { clock, silenceMs } = this.#options;
		const { socket, ready } = this.#options.dial();
		this.#socket = socket;
		this.#outbox = new Outbox(socket);
		this.#heardAt = clock.monotonic();
		socket.setNoDelay(true);
		const reader = new FrameReader(maxFrameBytes, (frame) => this.#onFrame(frame));
		socket.once(ready, () => {
			const { clusterId, from, to, channel } = this.#options;
			socket.write(
				encodeHello({ minVersion: protocolVersion, maxVersion: protocolVersion, clusterId, from, to, channel }),
			);
		});
		socket.on("data", (chunk: Buffer) => {
			this.#heardAt = clock.monotonic();
			try {
				reader.push(chunk);
			} catch (error) {
				socket.destroy(error as Error);
			}
		});
		let reason = "closed by the other side";
		socket.on("error", (error: Error) => {
			reason = error.message;
		});
		socket.on("close", () => this.#onClose(socket, reason));
		this.#pinger?.cancel();
		this.#pinger = clock.every(Math.max(50, silenceMs / 4), () => {
			if (clock.monotonic() - this.#heardAt > silenceMs) socket.destroy(new Error(`no answer for ${silenceMs} ms`));
			else if (this.#up) this.write(ping);
		});
	}

	#onFrame(frame: Buffer): void {
		if (this.#up) return;
		const welcome = decodeWelcome(frame);
		if (welcome.refusal !== "") throw new Error(`refused: ${welcome.refusal}`);
		this.#up = true;
		this.#retryMs = firstRetryMs;
		this.#lastComplaint = "";
		const { logger, to, channel } = this.#options;
		logger.info("connected to member", { peer: to, channel });
	}

	#onClose(socket: Socket, reason: string): void {
		if (this.#socket !== socket) return;
		const wasUp = this.#up;
		this.#up = false;
		this.#socket = undefined;
		this.#outbox = undefined;
		this.#pinger?.cancel();
		if (this.#closed) return;
		const { logger, to, channel, random, clock } = this.#options;
		if (wasUp || reason !== this.#lastComplaint) {
			logger.warn("no connection to member", { peer: to, channel, reason });
			this.#lastComplaint = reason;
		}
		if (wasUp) this.#options.onDown();
		const wait = this.#retryMs * (0.5 + random.float() / 2);
		this.#retryMs = Math.min(lastRetryMs, this.#retryMs * 2);
		this.#timer = clock.after(wait, () => this.#dial());
	}
}
