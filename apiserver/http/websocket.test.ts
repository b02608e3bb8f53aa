import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { type Harness, startHarness } from "../testing/harness.ts";
import { FrameReader } from "./websocket.ts";

interface Message {
	readonly opcode: number;
	readonly payload: Buffer;
}

/** A client that speaks bytes, so that it can also speak wrongly. */
class Client {
	readonly socket: TLSSocket;
	#bytes = Buffer.alloc(0);
	#ended = false;
	#wake = () => {};

	constructor(socket: TLSSocket) {
		this.socket = socket;
		socket.on("data", (chunk: Buffer) => {
			this.#bytes = Buffer.concat([this.#bytes, chunk]);
			this.#wake();
		});
		for (const event of ["end", "close", "error"]) {
			socket.on(event, () => {
				this.#ended = true;
				this.#wake();
			});
		}
	}

	async #need(bytes: number): Promise<boolean> {
		while (this.#bytes.length < bytes) {
			if (this.#ended) return false;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
		return true;
	}

	async #take(bytes: number): Promise<Buffer> {
		assert.ok(await this.#need(bytes), "the connection ended");
		const taken = this.#bytes.subarray(0, bytes);
		this.#bytes = this.#bytes.subarray(bytes);
		return taken;
	}

	async head(): Promise<string> {
		for (let size = 1; ; size++) {
			if (!(await this.#need(size))) return this.#bytes.toString();
			const at = this.#bytes.indexOf("\r\n\r\n");
			if (at >= 0) return (await this.#take(at + 4)).toString();
			size = this.#bytes.length;
		}
	}

	async rest(): Promise<string> {
		await this.#need(Number.POSITIVE_INFINITY);
		return this.#bytes.toString();
	}

	async message(): Promise<Message> {
		const [first = 0, second = 0] = await this.#take(2);
		assert.equal(second & 0x80, 0, "a server masks nothing");
		const length =
			second === 126
				? (await this.#take(2)).readUInt16BE()
				: second === 127
					? Number((await this.#take(8)).readBigUInt64BE())
					: second;
		return { opcode: first, payload: Buffer.from(await this.#take(length)) };
	}
}

/** A client's frame, masked. */
function frame(first: number, payload: Buffer): Buffer {
	const mask = randomBytes(4);
	const head = payload.length < 126 ? Buffer.of(first, 0x80 | payload.length) : Buffer.alloc(4);
	if (payload.length >= 126) {
		head[0] = first;
		head[1] = 0x80 | 126;
		head.writeUInt16BE(payload.length, 2);
	}
	return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ (mask[i % 4] as number))]);
}

const closing = (code: number) => ({ opcode: 0x88, payload: Buffer.of(code >> 8, code & 255) });

describe("http/websocket", () => {
	let harness: Harness;
	before(async () => {
		harness = await startHarness({ tokenFile: { text: 'tok,admin,admin,"system:masters"\n', name: "tokens" } });
	});
	after(() => harness.close());

	async function open(path: string, headers: Readonly<Record<string, string>> = {}, first?: Buffer): Promise<Client> {
		const { port } = harness.server;
		const { key, cert } = harness.admin;
		const anonymous = "sec-websocket-protocol" in headers && headers["sec-websocket-protocol"]?.includes("bearer");
		const socket = connect({
			port,
			host: "127.0.0.1",
			ca: harness.authority.cert,
			ALPNProtocols: ["http/1.1"],
			...(anonymous === true ? {} : { key, cert }),
		});
		await once(socket, "secureConnect");
		const all = {
			host: "localhost",
			upgrade: "websocket",
			connection: "keep-alive, Upgrade",
			"sec-websocket-version": "13",
			// RFC 6455's example, section 1.3.
			"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
			...headers,
		};
		const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
		socket.write(
			Buffer.concat([Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), first ?? Buffer.alloc(0)]),
		);
		return new Client(socket);
	}

	const watch = "/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=0";
	const named = `${watch}&fieldSelector=metadata.name%3Da`;

	it("sends each event as a message of text with the line's bytes, and says goodbye when its time is up", async () => {
		const data = { k: "x".repeat(70_000) };
		const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data };
		await harness.call("POST", "/api/v1/namespaces/default/configmaps", { body });
		// What kube-apiserver 1.36.1 answers: 101, text whatever protocol, the single one offered given back, 1000 at the end.
		for (const protocol of [undefined, "binary.k8s.io", "base64.binary.k8s.io", "v4.channel.k8s.io"]) {
			const headers = protocol === undefined ? {} : { "sec-websocket-protocol": protocol };
			const client = await open(`${named}&timeoutSeconds=1`, headers as Record<string, string>);
			const head = await client.head();
			assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
			assert.match(head, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
			assert.equal(/Sec-WebSocket-Protocol: (.*)\r/.exec(head)?.[1], protocol);
			const { opcode, payload } = await client.message();
			assert.equal(opcode, 0x81);
			assert.equal(payload.at(-1), 0x0a);
			const event = JSON.parse(payload.toString()) as { type: string; object: { data: object } };
			assert.equal(event.type, "ADDED");
			assert.deepEqual(event.object.data, data);
			assert.deepEqual(await client.message(), closing(1000));
			assert.equal(await client.rest(), "");
		}
	});

	it("answers pings, forgets messages, and returns the goodbye of a client", async () => {
		const ping = frame(0x89, Buffer.from("hi"));
		// The first comes in one piece with the handshake, the second byte by byte.
		const client = await open(`${named}&timeoutSeconds=60`, {}, ping);
		await client.head();
		const seen = [await client.message(), await client.message()];
		assert.deepEqual(seen.map(({ opcode }) => opcode).sort(), [0x81, 0x8a]);
		client.socket.write(frame(0x81, Buffer.alloc(5000, 0x8a)));
		for (const byte of frame(0x89, Buffer.from("again"))) client.socket.write(Buffer.of(byte));
		assert.deepEqual(await client.message(), { opcode: 0x8a, payload: Buffer.from("again") });
		client.socket.write(frame(0x88, Buffer.of(0x03, 0xe9)));
		assert.deepEqual(await client.message(), closing(1001));
		assert.equal(await client.rest(), "");
	});

	it("waits for a client that does not read, and misses nothing", async () => {
		const client = await open(`${named}&timeoutSeconds=60`);
		await client.head();
		await client.message();
		client.socket.pause();
		const path = "/api/v1/namespaces/default/configmaps/a";
		const versions: string[] = [];
		// 12 MB: more than the buffers of both ends hold.
		for (let i = 0; i < 24; i++) {
			const body = {
				apiVersion: "v1",
				kind: "ConfigMap",
				metadata: { name: "a" },
				data: { k: `${i}`.padEnd(500_000) },
			};
			const { body: written } = await harness.call("PUT", path, { body });
			versions.push((written as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
		}
		client.socket.resume();
		for (const version of versions) {
			const { payload } = await client.message();
			const event = JSON.parse(payload.toString()) as { object: { metadata: { resourceVersion: string } } };
			assert.equal(event.object.metadata.resourceVersion, version);
		}
		client.socket.destroy();
	});

	it("ends a client that breaks the protocol, and its watch with it", async () => {
		const broken = {
			"not masked": Buffer.from([0x81, 0x02, 0x68, 0x69]),
			"reserved bits": frame(0xc1, Buffer.from("x")),
			"unknown opcode": frame(0x83, Buffer.from("x")),
			"long ping": frame(0x89, Buffer.alloc(126)),
			"ping in pieces": frame(0x09, Buffer.from("x")),
			"length beyond counting": Buffer.from([0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]),
		};
		for (const [what, bytes] of Object.entries(broken)) {
			const client = await open(`${named}&timeoutSeconds=60`);
			await client.head();
			await client.message();
			client.socket.write(bytes);
			assert.deepEqual(await client.message(), closing(1002), what);
			assert.equal(await client.rest(), "", what);
		}
		const metrics = await harness.call("GET", "/metrics");
		assert.doesNotMatch(metrics.text, /^apiserver_longrunning_requests\{.*configmaps.*\} [1-9]/m);
	});

	it("takes a browser's token from among the protocols, and answers in HTTP what is refused or no watch", async () => {
		const hidden = (token: string) =>
			`base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`;
		const known = await open(`${named}&timeoutSeconds=1`, {
			"sec-websocket-protocol": `${hidden("tok")}, base64.binary.k8s.io`,
		});
		assert.match(await known.head(), /101 [\s\S]*Sec-WebSocket-Protocol: base64\.binary\.k8s\.io\r\n/);
		const unknown = await open(named, { "sec-websocket-protocol": `${hidden("no")}, base64.binary.k8s.io` });
		assert.match(await unknown.head(), /^HTTP\/1\.1 401 /);
		assert.match(await unknown.rest(), /"reason":"Unauthorized"/);
		// Longer than the buffers hold: such an answer was cut short at the first wait for room.
		const data = { k: "x".repeat(900_000) };
		for (const name of ["b", "c", "d"]) {
			const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data };
			await harness.call("POST", "/api/v1/namespaces/default/configmaps", { body });
		}
		const list = await open("/api/v1/namespaces/default/configmaps");
		assert.match(await list.head(), /^HTTP\/1\.1 200 /);
		assert.ok((await list.rest()).length > 3 * 900_000);
		const version = await open(named, { "sec-websocket-version": "8" });
		assert.match(await version.head(), /^HTTP\/1\.1 400 [\s\S]*sec-websocket-version: 13\r\n/i);
		const key = await open(named, { "sec-websocket-key": "short" });
		assert.match(await key.head(), /^HTTP\/1\.1 400 /);
		// Another protocol is no concern of ours: the request is served as if it had not been asked for.
		const other = await open("/version", { upgrade: "SPDY/3.1", connection: "Upgrade, close" });
		assert.match(await other.head(), /^HTTP\/1\.1 200 /);
	});

	it("reads frames in steps that grow with their bytes, keeping none", () => {
		const seen: string[] = [];
		const reader = new FrameReader({
			ping: (payload) => seen.push(payload.toString()),
			close: (code) => seen.push(String(code)),
			broken: (why) => seen.push(why),
		});
		const frames = Array.from({ length: 2000 }, (_, i) => frame(0x89, Buffer.from(`${i}`)));
		const large = frame(0x82, Buffer.alloc(60_000, 1));
		const all = Buffer.concat(frames.flatMap((ping) => [large.subarray(0, large.length), ping]).slice(0, 200));
		for (let at = 0; at < all.length; at += 4093) reader.push(all.subarray(at, at + 4093));
		assert.deepEqual(
			seen,
			Array.from({ length: 100 }, (_, i) => `${i}`),
		);
	});
});
