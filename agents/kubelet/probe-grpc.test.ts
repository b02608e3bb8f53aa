import assert from "node:assert/strict";
import http2 from "node:http2";
import net from "node:net";
import { probeOnce } from "./probes.ts";

type Answer = (service: string, stream: http2.ServerHttp2Stream) => void;

/** A health server that answers as told; resolves to its port. */
async function serve(answer: Answer): Promise<{ port: number; close(): void }> {
	const server = http2.createServer();
	const sessions = new Set<http2.ServerHttp2Session>();
	server.on("session", (session) => sessions.add(session));
	server.on("stream", (stream, headers) => {
		assert.equal(headers[":path"], "/grpc.health.v1.Health/Check");
		assert.equal(headers["content-type"], "application/grpc");
		stream.on("error", () => {});
		const chunks: Buffer[] = [];
		stream.on("data", (chunk: Buffer) => chunks.push(chunk));
		stream.on("end", () => answer(Buffer.concat(chunks).subarray(7).toString(), stream));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		port: (server.address() as net.AddressInfo).port,
		close() {
			for (const session of sessions) session.destroy();
			server.close();
		},
	};
}

function reply(stream: http2.ServerHttp2Stream, message: Buffer, trailers: http2.OutgoingHttpHeaders): void {
	stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
	stream.on("wantTrailers", () => stream.sendTrailers(trailers));
	const head = Buffer.alloc(5);
	head.writeUInt32BE(message.length, 1);
	stream.end(Buffer.concat([head, message]));
}

describe("kubelet: grpc probes", () => {
	async function probe(answer: Answer, service?: string) {
		const server = await serve(answer);
		try {
			return await ask(server.port, service);
		} finally {
			server.close();
		}
	}
	const ask = (port: number, service?: string) =>
		probeOnce(
			{
				container: { name: "c" },
				podIp: "127.0.0.1",
				exec: async () => ({ exitCode: 0, output: "" }),
			},
			{ timeoutSeconds: 1, grpc: { port, ...(service === undefined ? {} : { service }) } },
		);

	it("asks the health service, by name where one is given", async () => {
		const asked: string[] = [];
		const serving: Answer = (service, stream) => {
			asked.push(service);
			reply(stream, Buffer.from([8, 1]), { "grpc-status": "0" });
		};
		assert.deepEqual(await probe(serving), { ok: true, message: "service healthy" });
		assert.equal((await probe(serving, "liveness")).ok, true);
		assert.deepEqual(asked, ["", "liveness"]);
	});

	it("says why a server is not well", async () => {
		const message = async (answer: Answer) => {
			const outcome = await probe(answer);
			assert.equal(outcome.ok, false);
			return outcome.message;
		};
		assert.equal(
			await message((_, stream) => reply(stream, Buffer.from([8, 2]), { "grpc-status": "0" })),
			'service unhealthy (responded with "NOT_SERVING")',
		);
		assert.equal(
			await message((_, stream) => {
				stream.respond({ ":status": 200, "grpc-status": "12", "grpc-message": "unknown%20service" });
				stream.end();
			}),
			"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
		);
		assert.equal(await message(() => {}), "timeout: health rpc did not complete within 1s");
	});

	it("fails where nobody speaks gRPC", async () => {
		const silent = net.createServer((socket) => socket.on("error", () => {}).resume());
		await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
		const { port } = silent.address() as net.AddressInfo;
		assert.match((await ask(port)).message, /^timeout: failed to connect service "127\.0\.0\.1:\d+" within 1s/);
		await new Promise((resolve) => silent.close(resolve));
		assert.match((await ask(port)).message, /^error: failed to connect service at "127\.0\.0\.1:\d+": .*ECONNREFUSED/);
	});
});
