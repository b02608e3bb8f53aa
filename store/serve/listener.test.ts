import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Registry } from "prom-client";
import { systemClock } from "../../kit/clock.ts";
import { silentLogger } from "../../kit/log.ts";
import { createAuthority } from "../../kit/pki.ts";
import { systemRandom } from "../../kit/random.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { openMachine } from "../machine/machine.ts";
import { type Replica, Requests } from "../member/requests.ts";
import { openGate } from "../testing.ts";
import { TcpTransport } from "../transport/transport.ts";
import { httpHandler } from "./http.ts";
import { Listener, type ListenerOptions } from "./listener.ts";

const loopback = { host: "127.0.0.1", port: 0 };

async function selfSigned() {
	const authority = await createAuthority("test");
	const pair = await authority.issue({ commonName: "member", hosts: ["127.0.0.1"] });
	return { ...pair, ca: authority.cert, clientCertAuth: true };
}

describe("store/serve/listener", function () {
	this.timeout(30_000);
	let listener: Listener;
	const listen = async (options: Partial<ListenerOptions> = {}) => {
		const machine = await openMachine(new MemoryEngine());
		const replica = { machine, linearizableRead: async () => {} } as unknown as Replica;
		const http = httpHandler({
			requests: new Requests(replica),
			leader: () => 1n,
			stopping: () => undefined,
			version: "test",
			registry: new Registry(),
		});
		listener = await Listener.open({
			clock: systemClock,
			logger: silentLogger,
			addresses: [{ ...loopback, tls: options.tls !== undefined }],
			http,
			maxFrameBytes: 1000,
			...options,
		});
		return listener.ports[0]!;
	};
	const ask = async (port: number, target: string) => {
		const socket = connect(port, "127.0.0.1");
		socket.end(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
		let answer = "";
		for await (const chunk of socket) answer += chunk;
		return answer.split("\r\n")[0];
	};
	afterEach(() => listener.close());

	it("answers targets that are no URL, and lives on", async () => {
		const port = await listen();
		for (const target of ["//", "http://[", "//a:99999999/"]) {
			assert.equal(await ask(port, target), "HTTP/1.1 400 Bad Request", target);
		}
		assert.equal(await ask(port, "/livez"), "HTTP/1.1 200 OK");
	});

	it("ends a connection whose HTTP request never becomes whole", async () => {
		const socket = connect(await listen({ firstBytesMs: 50 }), "127.0.0.1");
		socket.write("GET /livez HT");
		socket.resume();
		await once(socket, "close");
	});

	it("closes although a TLS handshake never ends", async () => {
		const socket = connect(await listen({ tls: await selfSigned() }), "127.0.0.1");
		socket.on("error", () => undefined);
		await once(socket, "connect");
		const closed = once(socket, "close");
		await listener.close();
		socket.resume();
		await closed;
	});

	it("so do the links between members", async () => {
		await listen();
		const transport = await TcpTransport.listen({
			gate: openGate,
			clock: systemClock,
			random: systemRandom,
			logger: silentLogger,
			clusterId: 1n,
			id: 1n,
			peers: [],
			listen: [{ ...loopback, tls: true }],
			tls: await selfSigned(),
			silenceMs: 1000,
		});
		const socket = connect(transport.ports[0]!, "127.0.0.1");
		socket.on("error", () => undefined);
		await once(socket, "connect");
		const closed = once(socket, "close");
		await transport.close();
		socket.resume();
		await closed;
	});
});
