/** Connections between members that hang without breaking, as when packets are dropped on their way. */
import assert from "node:assert/strict";
import { connect, createServer, type Server, Socket } from "node:net";
import { systemClock } from "../../kit/clock.ts";
import { silentLogger } from "../../kit/log.ts";
import { systemRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { makeMessage } from "../raft/message.ts";
import type { Message } from "../raft/types.ts";
import { eventually, openGate } from "../testing.ts";
import { encodeBytes, encodeWelcome, frameKind, helloBytes, protocolVersion } from "./codec.ts";
import { FrameReader } from "./frames.ts";
import { beatsInSilence, Link } from "./link.ts";
import { TcpTransport } from "./transport.ts";

const silenceMs = 600;
/** Length and kind. */
const pingBytes = 5;
const hello = {
	minVersion: protocolVersion,
	maxVersion: protocolVersion,
	clusterId: 7n,
	from: 1n,
	to: 2n,
	channel: "control" as const,
	standing: openGate.standing(),
};
const portOf = (server: Server) => (server.address() as { port: number }).port;

async function listening(server: Server): Promise<Server> {
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return server;
}

describe("store/transport: a link that hangs", () => {
	let clock: VirtualClock;
	let link: Link;
	let server: Server;
	/** The peer's end of the last connection. */
	let peer: Socket | undefined;
	let dials: Socket[];
	/** Packets to it get lost: connections never come to be. */
	let isUnreachable: boolean;
	/** Takes everything and says nothing. */
	let isStill: boolean;

	beforeEach(async () => {
		clock = new VirtualClock();
		dials = [];
		isUnreachable = false;
		isStill = false;
		server = await listening(
			createServer((socket) => {
				peer = socket;
				socket.on("error", () => socket.destroy());
				let greeted = false;
				const reader = new FrameReader(1000, () => {
					if (!isStill) for (const piece of encodeBytes(frameKind.pong, Buffer.alloc(0))) socket.write(piece);
				});
				socket.on("data", (chunk: Buffer) => {
					if (!greeted)
						for (const piece of encodeWelcome({ kind: "welcome", standing: openGate.standing() })) socket.write(piece);
					reader.push(greeted ? chunk : chunk.subarray(helloBytes));
					greeted = true;
				});
			}),
		);
	});
	afterEach(async () => {
		link.close();
		for (const socket of dials) socket.destroy();
		await new Promise((resolve) => server.close(resolve));
	});

	const open = () => {
		link = new Link({
			clock,
			random: systemRandom,
			logger: silentLogger,
			dial: () => {
				const socket = isUnreachable ? new Socket() : connect(portOf(server), "127.0.0.1");
				dials.push(socket);
				return { socket, ready: "connect" };
			},
			to: 2n,
			channel: "control",
			hello: () => hello,
			gate: openGate,
			maxQueued: 1000,
			silenceMs,
			pulse: (beat) => clock.every(silenceMs / beatsInSilence, beat),
			onDown: () => undefined,
		});
	};
	const isUp = () => eventually("a connection", () => link.up);
	/** Intervals of pings, each with time for its answer where one is asked for: the link asks when an interval was quiet. */
	const intervals = async (count: number) => {
		for (let n = 0; n < count; n++) {
			const socket = dials.at(-1)!;
			const [read, written] = [socket.bytesRead, socket.bytesWritten];
			await clock.runFor(silenceMs / 6);
			// What a turn writes leaves at its end.
			await new Promise((resolve) => setImmediate(resolve));
			const asked = socket.bytesWritten > written;
			if (asked && !isStill && !isUnreachable)
				await eventually("an answer", () => socket.destroyed || socket.bytesRead > read);
		}
	};
	const isClosed = async (socket: Socket) => {
		await eventually("its end", () => socket.closed);
		// The link hears of it a tick later.
		await new Promise((resolve) => setImmediate(resolve));
	};

	it("is dialled anew when no connection comes to be within a third of the silence allowed, again and again", async () => {
		isUnreachable = true;
		open();
		for (let n = 0; n < 5; n++) {
			await clock.runFor(silenceMs / 3);
			await isClosed(dials[n]!);
			await clock.runFor(50);
			assert.equal(dials.length, n + 2);
		}
		isUnreachable = false;
		await clock.runFor(silenceMs / 3);
		await isClosed(dials[5]!);
		await clock.runFor(50);
		await isUp();
	});

	it("is dialled anew when the peer says nothing any more, and not while it answers", async () => {
		open();
		await isUp();
		await intervals(12);
		assert.equal(dials.length, 1);
		isStill = true;
		await intervals(6);
		assert.equal(dials[0]!.destroyed, false);
		await intervals(1);
		await isClosed(dials[0]!);
		isStill = false;
		await clock.runFor(50);
		await isUp();
		assert.equal(dials.length, 2);
	});

	it("asks a peer that answers every other interval, and one that speaks by itself never", async () => {
		open();
		await isUp();
		const socket = dials[0]!;
		const pings = (since: number) => (socket.bytesWritten - since) / pingBytes;
		let before = socket.bytesWritten;
		await intervals(12);
		assert.equal(pings(before), 6);
		before = socket.bytesWritten;
		for (let n = 0; n < 6; n++) {
			const read = socket.bytesRead;
			for (const piece of encodeBytes(frameKind.pong, Buffer.alloc(0))) peer?.write(piece);
			await eventually("a sign of life", () => socket.bytesRead > read);
			await intervals(1);
		}
		assert.ok(pings(before) <= 1, `${pings(before)} pings`);
		assert.equal(dials.length, 1);
	});

	it("does not take its own standing still for the peer's silence", async () => {
		open();
		await isUp();
		// One late tick of a clock, however late, is one unanswered ping at most.
		const { monotonic } = clock;
		clock.monotonic = () => monotonic.call(clock) + 100 * silenceMs;
		await intervals(3);
		assert.equal(dials.length, 1);
	});

	it("is dialled anew at once when the peer connects to us, if it hangs", async () => {
		isUnreachable = true;
		open();
		link.peerIsBack();
		assert.equal(dials[0]!.destroyed, false, "just begun");
		await clock.runFor(60);
		isUnreachable = false;
		link.peerIsBack();
		await isClosed(dials[0]!);
		await clock.runFor(50);
		await isUp();
		await intervals(2);
		link.peerIsBack();
		assert.equal(dials[1]!.destroyed, false, "nothing is wrong with it");
		isStill = true;
		await intervals(3);
		link.peerIsBack();
		await isClosed(dials[1]!);
		isStill = false;
		await clock.runFor(50);
		await isUp();
		assert.equal(dials.length, 3);
	});

	it("is dialled at once when the peer connects to us, instead of after the pause between attempts", async () => {
		isUnreachable = true;
		open();
		dials[0]!.destroy();
		await isClosed(dials[0]!);
		isUnreachable = false;
		link.peerIsBack();
		await isUp();
		await clock.runFor(100);
		assert.equal(dials.length, 2);
	});
});

/** Forwards bytes until it is made a black hole; connections that were there then never come back to life. */
class Hole {
	readonly server: Server;
	target = 0;
	isBlack = false;
	/** Takes in no more than 64 KiB at a time, then nothing for so long, ms. */
	pauseMs = 0;
	readonly #pairs: { readonly here: Socket; readonly there: Socket }[] = [];

	constructor() {
		this.server = createServer((here) => {
			const there = connect(this.target, "127.0.0.1");
			const pair = { here, there };
			this.#pairs.push(pair);
			let dead = this.isBlack;
			const forward = (from: Socket, to: Socket) => {
				from.on("data", (chunk: Buffer) => {
					dead ||= this.isBlack;
					if (!dead) to.write(chunk);
					if (this.pauseMs === 0) return;
					from.pause();
					setTimeout(() => from.resume(), this.pauseMs);
				});
				from.on("error", () => from.destroy());
				from.on("close", () => dead || to.destroy());
			};
			forward(here, there);
			forward(there, here);
		});
	}

	close(): void {
		this.server.close();
		for (const { here, there } of this.#pairs) {
			here.destroy();
			there.destroy();
		}
	}
}

describe("store/transport: members whose packets were dropped for a while", function () {
	this.timeout(30_000);
	const ids = [1n, 2n];
	let holes: Hole[];
	let transports: TcpTransport[];
	const heard: Message[] = [];

	beforeEach(async () => {
		holes = ids.map(() => new Hole());
		await Promise.all(holes.map(({ server }) => listening(server)));
		const peers = ids.map((id, i) => ({ id, host: "127.0.0.1", port: portOf(holes[i]!.server), tls: false }));
		const common = {
			clock: systemClock,
			random: systemRandom,
			logger: silentLogger,
			clusterId: 7n,
			peers,
			gate: openGate,
		};
		const listen = [{ host: "127.0.0.1", port: 0, tls: false }];
		transports = await Promise.all(ids.map((id) => TcpTransport.listen({ ...common, id, listen, silenceMs: 300 })));
		heard.length = 0;
		for (const [i, transport] of transports.entries()) {
			holes[i]!.target = transport.ports[0]!;
			transport.start({
				onMessages: (messages) => void heard.push(...messages),
				onForward: () => undefined,
				onRefused: () => undefined,
				onSnapshot: () => Promise.reject(new Error("none is sent")),
				onUnreachable: () => undefined,
			});
		}
	});
	afterEach(async () => {
		for (const hole of holes) hole.close();
		await Promise.all(transports.map((transport) => transport.close()));
	});

	/** Each sends to the other, on both channels, until all of it arrives. */
	const talk = (term: number) =>
		eventually(`messages of term ${term}`, () => {
			for (const [i, transport] of transports.entries()) {
				const to = ids[1 - i]!;
				transport.send([makeMessage("append", ids[i]!, to, term, {}), makeMessage("heartbeat", ids[i]!, to, term, {})]);
			}
			const kinds = heard.filter((message) => message.term === term).map(({ type, from }) => `${type} ${from}`);
			return new Set(kinds).size === 4;
		});

	it("talk again, though their connections of before never come back", async () => {
		await talk(1);
		for (const hole of holes) hole.isBlack = true;
		for (const [i, transport] of transports.entries()) {
			await eventually("they notice", () => !transport.connected.includes(ids[1 - i]!));
		}
		for (const hole of holes) hole.isBlack = false;
		await talk(2);
	});

	it("keep a connection on which large messages arrive slowly", async () => {
		await talk(1);
		// What is on its way takes several times as long as silence is allowed; pings wait behind it.
		for (const hole of holes) hole.pauseMs = 10;
		const data = Buffer.alloc(1 << 20);
		const entries = [{ index: 1, term: 2, kind: "normal" as const, data }];
		for (let n = 0; n < 8; n++) transports[0]!.send([makeMessage("append", 1n, 2n, 2, { entries })]);
		await eventually("all of them", () => heard.filter((message) => message.term === 2).length === 8);
	});
});
