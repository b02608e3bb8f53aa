import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { makeMessage } from "../raft/message.ts";
import type { Message } from "../raft/types.ts";
import { openGate } from "../testing.ts";
import {
	encodeBytes,
	encodeHello,
	encodeMessage,
	encodeWelcome,
	frameKind,
	type Hello,
	helloBytes,
	protocolVersion,
} from "./codec.ts";
import { receiveSnapshot, sendSnapshot } from "./snapshot.ts";

const hello: Hello = {
	minVersion: protocolVersion,
	maxVersion: protocolVersion,
	clusterId: 1n,
	from: 1n,
	to: 2n,
	channel: "snapshot",
	standing: openGate.standing(),
};
const conf = { voters: [1n, 2n], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const message = makeMessage("snapshot", 1n, 2n, 3, { snapshot: { index: 5, term: 2, conf } });
type Handle = (message: Message, chunks: AsyncIterable<Buffer>) => Promise<void>;

describe("store/transport/snapshot", function () {
	this.timeout(20_000);
	let server: Server;
	let received: Promise<void>;

	/** A receiver behind the greeting, and a connection to it. */
	const listen = async (handle: Handle, silenceMs?: number): Promise<Socket> => {
		const done = Promise.withResolvers<void>();
		received = done.promise;
		received.catch(() => undefined);
		server = createServer((socket) => {
			socket.on("error", () => undefined);
			let first = Buffer.alloc(0);
			const onData = (chunk: Buffer) => {
				first = Buffer.concat([first, chunk]);
				if (first.length < helloBytes) return;
				socket.off("data", onData);
				for (const piece of encodeWelcome({ kind: "welcome", standing: openGate.standing() })) socket.write(piece);
				receiveSnapshot(socket, first.subarray(helloBytes), handle, silenceMs).then(done.resolve, done.reject);
			};
			socket.on("data", onData);
		});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		return connect((server.address() as { port: number }).port, "127.0.0.1");
	};
	const send = (socket: Socket, chunks: AsyncIterable<Buffer>) =>
		sendSnapshot(socket, "connect", hello, message, chunks);
	afterEach(() => new Promise((resolve) => server.close(resolve)));

	it("carries message and chunks", async () => {
		let bytes = 0;
		const socket = await listen(async (got, chunks) => {
			assert.deepEqual(got, message);
			for await (const chunk of chunks) bytes += chunk.length;
		});
		await send(
			socket,
			(async function* () {
				for (let i = 0; i < 50; i++) yield Buffer.alloc(300_000, i);
			})(),
		);
		await received;
		assert.equal(bytes, 50 * 300_000);
	});

	it("ends the sender's work when the receiver refuses early, without waiting for room", async () => {
		const socket = await listen(async () => {
			throw new Error("another snapshot is being received");
		});
		const endless = (async function* () {
			for (;;) yield Buffer.alloc(1 << 20);
		})();
		await assert.rejects(send(socket, endless));
		await assert.rejects(received, /another snapshot/);
	});

	it("gives up a sender that falls silent in the middle, though it holds the line", async () => {
		const socket = await listen(async (_message, chunks) => {
			for await (const chunk of chunks) assert.ok(chunk.length > 0);
		}, 200);
		socket.on("error", () => undefined);
		await once(socket, "connect");
		socket.write(encodeHello(hello));
		for (const piece of encodeMessage(message, frameKind.snapshot)) socket.write(piece);
		for (const piece of encodeBytes(frameKind.chunk, Buffer.alloc(100))) socket.write(piece);
		socket.resume();
		await assert.rejects(received, /nothing came for 200 ms/);
		socket.destroy();
	});
});
