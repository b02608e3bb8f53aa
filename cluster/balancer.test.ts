import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { createLogger } from "../kit/log.ts";
import { startBalancer } from "./balancer.ts";

describe("cluster/balancer", () => {
	let reached = 0;
	const backend = net.createServer((socket) => {
		reached++;
		socket.on("error", () => undefined);
		socket.pipe(socket);
	});
	let balancer: Awaited<ReturnType<typeof startBalancer>>;

	let logged: string[];

	beforeEach(async () => {
		logged = [];
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
			sendBudgetBytes: 512 << 10,
			logger: createLogger({ write: (line) => logged.push(line) }),
		});
	});
	afterEach(async () => {
		await balancer.close();
		backend.close();
	});

	it("many clients that read nothing take no more than the budget: some are closed, another is served", async () => {
		const { port } = balancer;
		let closed = 0;
		const sockets = Array.from({ length: 30 }, () => {
			const socket = net.connect(port, "127.0.0.1");
			const chunk = Buffer.alloc(64 << 10);
			const more = () => {
				while (!socket.destroyed && socket.write(chunk));
			};
			socket.on("error", () => undefined).on("drain", more);
			socket.once("connect", more).once("close", () => closed++);
			return socket;
		});
		const said = () => logged.some((line) => line.includes("too many bytes wait for slow connections"));
		while (closed === 0 || !said()) await new Promise((resolve) => setTimeout(resolve, 5));
		const other = net.connect(port, "127.0.0.1");
		other.write("hello");
		assert.equal(String((await once(other, "data"))[0]), "hello");
		for (const socket of [...sockets, other]) socket.destroy();
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
