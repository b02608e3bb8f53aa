import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { startBalancer } from "./balancer.ts";

describe("cluster/balancer", () => {
	let reached = 0;
	const backend = net.createServer((socket) => {
		reached++;
		socket.on("error", () => undefined);
		socket.pipe(socket);
	});
	let balancer: Awaited<ReturnType<typeof startBalancer>>;

	beforeEach(async () => {
		reached = 0;
		backend.listen(0, "127.0.0.1");
		await once(backend, "listening");
		const { port } = backend.address() as AddressInfo;
		balancer = await startBalancer({
			host: "127.0.0.1",
			port: 0,
			backends: [`127.0.0.1:${port}`],
			ca: () => ({ ca: "" }),
			firstBytesMs: 100,
		});
	});
	afterEach(async () => {
		await balancer.close();
		backend.close();
	});

	it("a client that says nothing reaches no apiserver, and is closed", async () => {
		const socket = net.connect(balancer.port, "127.0.0.1");
		socket.resume();
		await once(socket, "close");
		assert.equal(reached, 0);
	});

	it("what a client says first, and all that follows, arrives and comes back", async () => {
		const socket = net.connect(balancer.port, "127.0.0.1");
		const sent = Buffer.alloc(3 << 20, "abc");
		socket.write("first");
		let got = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
		socket.end(sent);
		for await (const chunk of socket) got = Buffer.concat([got, chunk as Buffer]);
		assert.deepEqual(got, Buffer.concat([Buffer.from("first"), sent]));
		assert.equal(reached, 1);
	});
});
