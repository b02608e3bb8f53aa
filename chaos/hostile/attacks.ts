/** What a hostile client does to one listener: slow, huge, malformed, many. Each ends by itself, or when it is told to. */
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import tls from "node:tls";
import type { Random } from "../../kit/random.ts";
import type { Listener, Speech } from "./listeners.ts";

export interface Attack {
	readonly name: "slow" | "huge" | "malformed" | "many";
	run(listener: Listener, random: Random, signal: AbortSignal): Promise<void>;
}

const nativeMagic = Buffer.from([0xb7, 0x42, 0x51, 0x01]);
const h2Preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const patienceMs = 4_000;

const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)] as T;

/** A connection whose errors are nobody's business; `undefined` where none comes about in time. */
async function open(listener: Listener, signal: AbortSignal, alpn?: string): Promise<net.Socket | undefined> {
	const { host, port } = listener;
	const socket =
		listener.tls === undefined
			? net.connect({ host, port })
			: tls.connect({
					host,
					port,
					rejectUnauthorized: false,
					cert: listener.tls.cert,
					key: listener.tls.key,
					...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
				});
	socket.on("error", () => undefined);
	const end = () => socket.destroy();
	signal.addEventListener("abort", end, { once: true });
	socket.once("close", () => signal.removeEventListener("abort", end));
	socket.resume();
	const ready = listener.tls === undefined ? "connect" : "secureConnect";
	return new Promise((resolve) => {
		const timer = setTimeout(() => socket.destroy(), patienceMs);
		socket.once(ready, () => {
			clearTimeout(timer);
			resolve(socket);
		});
		socket.once("close", () => {
			clearTimeout(timer);
			resolve(undefined);
		});
	});
}

const alpnOf = (listener: Listener, speech: Speech) =>
	listener.tls?.alpn === undefined ? undefined : speech === "http2" ? "h2" : "http/1.1";

/** How a conversation of each kind begins. */
const openings: Readonly<Record<Speech, Buffer>> = {
	http1: Buffer.from(
		"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n",
	),
	http2: h2Preface,
	native: nativeMagic,
	peer: Buffer.alloc(8, 0x42),
};

async function wait(ms: number, signal: AbortSignal): Promise<void> {
	await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** Many connections that say what they have to say a byte at a time. */
const slow: Attack = {
	name: "slow",
	async run(listener, random, signal) {
		const speech = pick(random, listener.speaks);
		const sockets = await Promise.all(
			Array.from({ length: 20 }, () => open(listener, signal, alpnOf(listener, speech))),
		);
		const text = openings[speech];
		for (let i = 0; i < 8 && !signal.aborted; i++) {
			for (const socket of sockets) if (socket?.writable) socket.write(text.subarray(i, i + 1));
			await wait(500, signal);
		}
		for (const socket of sockets) socket?.destroy();
	},
};

/** The other side took what was sent before patience ended. */
function drains(socket: net.Socket): Promise<boolean> {
	return new Promise((resolve) => {
		const settle = (drained: boolean) => {
			clearTimeout(timer);
			socket.off("drain", onDrain).off("close", onClose);
			resolve(drained);
		};
		const onDrain = () => settle(true);
		const onClose = () => settle(false);
		const timer = setTimeout(onClose, patienceMs);
		socket.on("drain", onDrain).on("close", onClose);
	});
}

/** Heads, bodies and frames larger than anyone takes. */
const huge: Attack = {
	name: "huge",
	async run(listener, random, signal) {
		const speech = pick(random, listener.speaks);
		const socket = await open(listener, signal, alpnOf(listener, speech));
		if (socket === undefined) return;
		const block = Buffer.alloc(256 << 10, pick(random, ["/", "a", "-", "{", "["]));
		const head = (more: string) => Buffer.from(`POST /${more} HTTP/1.1\r\nHost: a\r\n`);
		const begin: Record<Speech, readonly Buffer[]> = {
			http1: pick(random, [
				[Buffer.from("GET /")],
				[Buffer.from(`GET /${"/".repeat(60_000)}x HTTP/1.1\r\nHost: a\r\n\r\n`)],
				[head("api/v1/namespaces"), Buffer.from("X-A: ")],
				[head("api/v1/namespaces"), Buffer.from("Content-Type: application/yaml\r\nContent-Length: 3000000\r\n\r\n")],
				[
					head("api/v1/namespaces"),
					Buffer.from("Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"),
				],
			]),
			http2: [h2Preface, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])],
			native: [nativeMagic, Buffer.from([0xff, 0xff, 0xff, 0xff])],
			peer: [Buffer.alloc(64, 0xff)],
		};
		for (const piece of begin[speech]) socket.write(piece);
		for (let sent = 0; sent < 64 << 20 && socket.writable && !signal.aborted; sent += block.length) {
			if (!socket.write(block) && !(await drains(socket))) break;
		}
		socket.destroy();
	},
};

/** What looks like a conversation for some bytes, and then is not one. */
const malformed: Attack = {
	name: "malformed",
	async run(listener, random, signal) {
		for (let i = 0; i < 20 && !signal.aborted; i++) {
			const speech = pick(random, listener.speaks);
			// Some of them do not even begin TLS as they should.
			const plain = random.int(4) === 0;
			const socket = await open(plain ? { ...listener, tls: undefined } : listener, signal, alpnOf(listener, speech));
			if (socket === undefined) continue;
			socket.write(
				Buffer.concat([
					openings[speech].subarray(0, random.int(openings[speech].length + 1)),
					nonsense(speech, random),
				]),
			);
			await wait(random.int(50), signal);
			if (random.int(2) === 0) socket.destroy();
			else socket.end();
		}
	},
};

function nonsense(speech: Speech, random: Random): Buffer {
	const bytes = random.bytes(1 + random.int(2000));
	if (random.int(2) === 0) return bytes;
	if (speech === "native") {
		// Frames of a right length whose content is not.
		const length = Buffer.alloc(4);
		length.writeUInt32BE(bytes.length);
		const hello = Buffer.from([0x93, 1, 1, 0]);
		return Buffer.concat([Buffer.from([0, 0, 0, hello.length]), hello, length, bytes]);
	}
	if (speech === "http2") {
		const type = random.int(12);
		return Buffer.concat([
			Buffer.from([0, 0, bytes.length & 0xff, type, random.int(256), 0, 0, 0, random.int(8)]),
			bytes.subarray(0, bytes.length & 0xff),
		]);
	}
	const paths = [
		"//",
		"/%",
		"/%zz",
		"http://[",
		"*",
		"/api/v1/pods?labelSelector=((((",
		"/apis/../..",
		"/api/v1/watch/pods?timeoutSeconds=1e9",
	];
	const headers = [
		"Expect: x",
		"Upgrade: websocket\r\nConnection: upgrade",
		"Transfer-Encoding: chunked, x",
		"Accept: ;;;q=",
		"Audit-Id: \xe9",
		"Content-Length: -1",
		"Impersonate-Extra-%: a",
	];
	return Buffer.from(
		`${pick(random, ["GET", "HEAD", "OPTIONS", "CONNECT", "PATCH", "get"])} ${pick(random, paths)} HTTP/1.1\r\nHost: a\r\n${pick(random, headers)}\r\n\r\n`,
		"latin1",
	);
}

/** Many connections at once, most of which ask nothing; many requests that are taken back at once. */
const many: Attack = {
	name: "many",
	async run(listener, random, signal) {
		if (listener.speaks.includes("http2") && random.int(2) === 0) {
			await rapidResets(listener, signal);
			return;
		}
		const sockets = await Promise.all(
			Array.from({ length: 150 }, (_, i) =>
				open(i % 3 === 0 ? { ...listener, tls: undefined } : listener, signal, alpnOf(listener, "http1")),
			),
		);
		await wait(2_000, signal);
		for (const socket of sockets) socket?.destroy();
	},
};

async function rapidResets(listener: Listener, signal: AbortSignal): Promise<void> {
	const { cert, key } = listener.tls ?? {};
	const session = http2.connect(`https://${listener.host}:${listener.port}`, { rejectUnauthorized: false, cert, key });
	session.on("error", () => undefined);
	const end = () => session.destroy();
	signal.addEventListener("abort", end, { once: true });
	for (let i = 0; i < 2_000 && !session.destroyed && !session.closed && !signal.aborted; i++) {
		const stream = session.request({ ":path": "/api/v1/pods?limit=500" });
		stream.on("error", () => undefined);
		stream.close(http2.constants.NGHTTP2_CANCEL);
		if (i % 50 === 49) await wait(1, signal);
	}
	signal.removeEventListener("abort", end);
	session.destroy();
}

export const attacks: readonly Attack[] = [slow, huge, malformed, many];
