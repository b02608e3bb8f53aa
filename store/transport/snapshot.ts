/** One snapshot over a connection of its own: greeting, the message, chunks, end; then the receiver says how it went. */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Message } from "../raft/types.ts";
import {
	decodeMessage,
	decodeWelcome,
	encodeBytes,
	encodeHello,
	encodeMessage,
	frameKind,
	type Hello,
	maxFrameBytes,
	type Pieces,
} from "./codec.ts";
import { FrameError, FrameReader } from "./frames.ts";

/** A transfer without any progress for this long is given up, ms. */
const stallMs = 30_000;
/** Chunks held in memory while the receiver writes them away. */
const maxBuffered = 8 << 20;

/** Rejects when the connection breaks, stalls, or the receiver refuses. */
export async function sendSnapshot(
	socket: Socket,
	ready: string,
	hello: Hello,
	message: Message,
	chunks: AsyncIterable<Buffer>,
): Promise<void> {
	const failed = new Promise<never>((_resolve, reject) => {
		socket.once("error", reject);
		socket.once("close", () => reject(new Error("connection closed")));
		socket.setTimeout(stallMs, () => socket.destroy(new Error(`no progress for ${stallMs} ms`)));
	});
	// Observed below through races; alone it must not count as unhandled.
	failed.catch(() => undefined);
	const replies: Buffer[] = [];
	let wake = () => {};
	const reader = new FrameReader(64 << 10, (frame) => {
		replies.push(frame);
		wake();
	});
	socket.on("data", (chunk: Buffer) => {
		try {
			reader.push(chunk);
		} catch (error) {
			socket.destroy(error as Error);
		}
	});
	const reply = async (): Promise<Buffer> => {
		while (replies.length === 0) {
			const woken = new Promise<void>((resolve) => {
				wake = resolve;
			});
			await Promise.race([woken, failed]);
		}
		return replies.shift() as Buffer;
	};
	const write = async (pieces: Pieces) => {
		let more = true;
		socket.cork();
		for (const piece of pieces) more = socket.write(piece);
		socket.uncork();
		if (!more) await Promise.race([once(socket, "drain"), failed]);
	};
	try {
		await Promise.race([once(socket, ready), failed]);
		socket.write(encodeHello(hello));
		const welcome = decodeWelcome(await reply());
		if (welcome.kind !== "welcome") throw new Error(`refused: ${welcome.refusal}`);
		await write(encodeMessage(message, frameKind.snapshot));
		for await (const chunk of chunks) await write(encodeBytes(frameKind.chunk, chunk));
		await write(encodeBytes(frameKind.end, Buffer.alloc(0)));
		// Installing may take long; the receiver keeps the line alive.
		let result = await reply();
		while (result[0] === frameKind.pong) result = await reply();
		if (result[0] !== frameKind.result) throw new FrameError("the member did not say how the snapshot went");
		const text = result.subarray(1).toString();
		if (text !== "") throw new Error(`not installed: ${text}`);
	} finally {
		socket.destroy();
	}
}

type Incoming =
	| { readonly kind: "chunk"; readonly data: Buffer }
	| { readonly kind: "end" }
	| { readonly kind: "failed"; readonly error: Error };

/** Queue with backpressure between the socket and the reader of the chunks. */
class ChunkQueue {
	readonly #socket: Socket;
	readonly #items: Incoming[] = [];
	#bytes = 0;
	#wake = () => {};

	constructor(socket: Socket) {
		this.#socket = socket;
	}

	push(item: Incoming): void {
		this.#items.push(item);
		if (item.kind === "chunk") this.#bytes += item.data.length;
		if (this.#bytes > maxBuffered) this.#socket.pause();
		this.#wake();
	}

	async *chunks(): AsyncIterable<Buffer> {
		for (;;) {
			const item = this.#items.shift();
			if (item === undefined) {
				await new Promise<void>((resolve) => {
					this.#wake = resolve;
				});
			} else if (item.kind === "failed") throw item.error;
			else if (item.kind === "end") return;
			else {
				this.#bytes -= item.data.length;
				if (this.#bytes <= maxBuffered / 2 && this.#socket.isPaused()) this.#socket.resume();
				yield item.data;
			}
		}
	}
}

/** Resolves once it is handled; `silenceMs`: a sender that sends nothing for this long, though we read, is given up. */
export async function receiveSnapshot(
	socket: Socket,
	rest: Buffer,
	handle: (message: Message, chunks: AsyncIterable<Buffer>) => Promise<void>,
	silenceMs: number = stallMs,
): Promise<void> {
	const queue = new ChunkQueue(socket);
	let settle: (message: Message) => void = () => {};
	let refuse: (error: Error) => void = () => {};
	const first = new Promise<Message>((resolve, reject) => {
		settle = resolve;
		refuse = reject;
	});
	const fail = (error: Error) => {
		refuse(error);
		queue.push({ kind: "failed", error });
	};
	let started = false;
	let ended = false;
	const reader = new FrameReader(maxFrameBytes, (frame) => {
		if (!started) {
			if (frame[0] !== frameKind.snapshot) throw new FrameError("a snapshot connection begins with a snapshot message");
			started = true;
			settle(decodeMessage(frame));
		} else if (frame[0] === frameKind.chunk) queue.push({ kind: "chunk", data: Buffer.from(frame.subarray(1)) });
		else if (frame[0] === frameKind.end) {
			ended = true;
			queue.push({ kind: "end" });
		} else throw new FrameError(`unexpected kind of frame ${frame[0]}`);
	});
	let quietTicks = 0;
	const onData = (chunk: Buffer) => {
		quietTicks = 0;
		try {
			reader.push(chunk);
		} catch (error) {
			fail(error as Error);
			socket.destroy();
		}
	};
	socket.on("close", () => fail(new Error("connection closed before the end of the snapshot")));
	if (rest.length > 0) onData(rest);
	socket.on("data", onData);
	// The socket's own timeout is no use here: our keep-alive bytes would reset it although the sender is silent.
	const alive = setInterval(() => {
		if (socket.isPaused()) return;
		if (!ended && ++quietTicks > 4) {
			fail(new Error(`nothing came for ${silenceMs} ms`));
			socket.destroy();
		} else for (const piece of encodeBytes(frameKind.pong, Buffer.alloc(0))) socket.write(piece);
	}, silenceMs / 4);
	try {
		await handle(await first, queue.chunks());
		for (const piece of encodeBytes(frameKind.result, Buffer.alloc(0))) socket.write(piece);
	} catch (error) {
		const text = Buffer.from((error as Error).message.slice(0, 1000) || "failed");
		for (const piece of encodeBytes(frameKind.result, text)) socket.write(piece);
		// Nobody reads the rest: the sender must not wait for room.
		socket.destroySoon();
		throw error;
	} finally {
		clearInterval(alive);
		socket.end();
	}
}
