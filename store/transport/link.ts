/**
 * One outgoing connection to one member: dialled again with backoff for as long as the transport lives. Frames are only
 * sent while it is up; what does not fit its bounded queue is refused, since Raft's own messages make up for the loss.
 */
import type { Socket } from "node:net";
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import type { PeerGate } from "../member/incarnations.ts";
import {
	type Channel,
	decodeWelcome,
	encodeBytes,
	encodeHello,
	frameKind,
	type Hello,
	maxFrameBytes,
	type Pieces,
	type Welcome,
} from "./codec.ts";
import { FrameReader } from "./frames.ts";
import { Outbox } from "./outbox.ts";

const firstRetryMs = 50;
const lastRetryMs = 1000;
/**
 * Beats of the pulse within `silenceMs`; a link may ping at each. As many without an answer end the connection, and
 * twice as many without a welcome end an attempt to greet.
 */
export const beatsInSilence = 6;
/** After this many unanswered pings, a new connection from the peer shows that our connection hangs, not the peer. */
const pingsDoubtful = 2;
/** When the peer connects to us, our own attempt goes on if it is younger than this, ms. */
const freshMs = 50;

export interface LinkOptions {
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/** Starts a connection; "secure" or "connect" fires once it can be written. */
	readonly dial: () => { readonly socket: Socket; readonly ready: string };
	readonly to: bigint;
	readonly channel: Channel;
	/** Our greeting, built anew for each connection. */
	readonly hello: () => Hello;
	readonly gate: PeerGate;
	/** Bytes that may wait in the socket. */
	readonly maxQueued: number;
	/**
	 * A connection that says nothing for this long is given up, ms; an attempt to connect after a third of it. Packets dropped
	 * on the way break nothing by themselves: TCP repeats them at growing intervals, so that a connection would stand still
	 * for about as long again as the path was cut.
	 */
	readonly silenceMs: number;
	/** Calls back `beatsInSilence` times within each `silenceMs`, until cancelled; links that share one wake the process less often. */
	readonly pulse: (beat: () => void) => Timer;
	readonly onDown: () => void;
}

const ping = encodeBytes(frameKind.ping, Buffer.alloc(0));

export class Link {
	readonly #options: LinkOptions;
	#socket: Socket | undefined;
	#up = false;
	/** Our greeting is on its way. */
	#greeted = false;
	/** The peer's answer to it is being judged. */
	#admitting = false;
	#closed = false;
	#retryMs = firstRetryMs;
	#timer: Timer | undefined;
	#pinger: Timer | undefined;
	/** The peer was heard since the last ping was due. */
	#heard = false;
	#unanswered = 0;
	/** The TCP connection is not established yet. */
	#connecting = false;
	#dialledAt = 0;
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

	/**
	 * The peer has just connected to us, so the path works: a hanging connection or attempt is started again at once.
	 */
	peerIsBack(): void {
		if (this.#closed) return;
		if (this.#socket === undefined) {
			this.#timer?.cancel();
			this.#dial();
			return;
		}
		const hangs = this.#connecting
			? this.#options.clock.monotonic() - this.#dialledAt > freshMs
			: this.#up && this.#unanswered >= pingsDoubtful;
		if (!hangs) return;
		this.#retryMs = firstRetryMs;
		this.#socket.destroy(new Error("hangs, although the member connects to us"));
	}

	/** Greets the peer anew over a new connection; nothing more is sent on the old one. */
	greet(): void {
		if (!this.#greeted) return;
		this.#up = false;
		this.#socket?.destroy();
		this.#socket = undefined;
		this.#dial();
	}

	close(): void {
		this.#closed = true;
		this.#timer?.cancel();
		this.#pinger?.cancel();
		this.#socket?.destroy();
	}

	#dial(): void {
		const { clock } = this.#options;
		const { socket, ready } = this.#options.dial();
		this.#socket = socket;
		this.#outbox = new Outbox(socket);
		this.#greeted = false;
		this.#admitting = false;
		this.#heard = false;
		this.#unanswered = 0;
		this.#dialledAt = clock.monotonic();
		this.#limitConnecting(socket);
		socket.setNoDelay(true);
		const reader = new FrameReader(maxFrameBytes, (frame) => this.#onFrame(socket, frame));
		socket.once(ready, () => {
			if (this.#socket !== socket) return;
			this.#greeted = true;
			socket.write(encodeHello(this.#options.hello()));
		});
		socket.on("data", (chunk: Buffer) => {
			this.#heard = true;
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
		this.#pinger = this.#options.pulse(() => this.#onPing(socket));
	}

	/**
	 * Counts intervals, not time: if our own process was paused, answers are still waiting to be read. Pings only when
	 * nothing was heard: a peer that receives messages answers now and then anyway.
	 */
	#onPing(socket: Socket): void {
		const isQuiet = !this.#heard;
		this.#unanswered = isQuiet ? this.#unanswered + 1 : 0;
		this.#heard = false;
		const { silenceMs } = this.#options;
		const patience = this.#up ? 1 : 2;
		if (this.#unanswered >= patience * beatsInSilence) {
			socket.destroy(new Error(`no answer for ${patience * silenceMs} ms`));
		} else if (this.#up && isQuiet) this.write(ping);
	}

	#limitConnecting(socket: Socket): void {
		this.#connecting = true;
		const limitMs = this.#options.silenceMs / 3;
		const timer = this.#options.clock.after(limitMs, () => {
			// If our own process was paused, the connection may be established already, with its event still queued.
			setImmediate(() => {
				if (this.#socket !== socket || !this.#connecting) return;
				// The time it took is pause enough.
				this.#retryMs = firstRetryMs;
				socket.destroy(new Error(`no connection within ${Math.round(limitMs)} ms`));
			});
		});
		socket.once("close", () => timer.cancel());
		socket.once("connect", () => {
			timer.cancel();
			if (this.#socket === socket) this.#connecting = false;
		});
	}

	#onFrame(socket: Socket, frame: Buffer): void {
		if (this.#up || this.#admitting || this.#socket !== socket) return;
		const welcome = decodeWelcome(frame);
		const { gate, to } = this.#options;
		if (welcome.kind === "expelled") gate.expelled(to, welcome.refusal);
		if (welcome.kind !== "welcome") throw new Error(`refused: ${welcome.refusal}`);
		this.#admitting = true;
		this.#admit(socket, welcome).catch((error: Error) => socket.destroy(error));
	}

	/** Sends to the peer only after its standing is accepted: a member that lost its data gets nothing from us. */
	async #admit(socket: Socket, { standing }: Welcome & { kind: "welcome" }): Promise<void> {
		const { logger, to, channel, gate } = this.#options;
		const refusal = await gate.meet(to, standing);
		if (refusal !== undefined) throw new Error(refusal);
		if (this.#socket !== socket || socket.destroyed) return;
		this.#up = true;
		this.#retryMs = firstRetryMs;
		this.#lastComplaint = "";
		logger.info("connected to member", { peer: to, channel });
		gate.answered(to, standing);
	}

	#onClose(socket: Socket, reason: string): void {
		if (this.#socket !== socket) return;
		const wasUp = this.#up;
		this.#up = false;
		this.#greeted = false;
		this.#socket = undefined;
		this.#connecting = false;
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
