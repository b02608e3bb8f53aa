import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import { silentLogger } from "../../kit/log.ts";
import { type Authority, createAuthority, type KeyPair } from "../../kit/pki.ts";
import { SendBudget } from "../../kit/send-budget.ts";
import type { IdleLimits } from "./idle.ts";
import { type Listening, listen } from "./node-server.ts";
import type { ApiResponse, Handler } from "./types.ts";

describe("http/node-server", () => {
	let authority: Authority;
	let pair: KeyPair;
	let server: Listening;
	let agent: https.Agent;

	const start = async (handler: Handler, idle?: IdleLimits, sendBudget?: SendBudget) => {
		const { cert, key } = pair;
		const onError = (error: unknown) => {
			throw error;
		};
		server = await listen({ host: "127.0.0.1", port: 0, cert, key, handler, onError, idle, sendBudget });
		agent = new https.Agent({ keepAlive: true, ca: authority.cert });
	};
	const get = async (path = "/") => {
		const request = https.get({ host: "127.0.0.1", port: server.port, path, agent });
		const [response] = (await once(request, "response")) as [import("node:http").IncomingMessage];
		response.resume();
		await once(response, "end");
		return response.statusCode;
	};
	const answer = (response: ApiResponse) => {
		response.head(200, {});
		response.end("done");
	};

	before(async () => {
		authority = await createAuthority("test");
		pair = await authority.issue({ commonName: "server", hosts: ["127.0.0.1"], usages: ["server"] });
	});
	afterEach(() => {
		agent.destroy();
		void server.close();
		server.destroy();
	});

	for (const version of [1, 2]) {
		it(`many slow clients of HTTP/${version} do not take more than the budget: some are ended, a fast one goes on`, async () => {
			const budget = new SendBudget({ most: 2 << 20, name: "responses", logger: silentLogger });
			const chunk = Buffer.alloc(32 << 10, 1);
			const [many, eachWrites] = [40, 16 << 20];
			let mostWaited = 0;
			let over = 0;
			const onTurn = () => new Promise((resolve) => setImmediate(resolve));
			await start(
				async ({ signal, path }, response) => {
					response.head(200, {});
					const size = path === "/fast" ? eachWrites : 1 << 30;
					while (response.bytesWritten < size && !signal.aborted) {
						if (response.write(chunk)) await onTurn();
						else {
							const room = new Promise<void>((resolve) => response.onDrain(resolve));
							await Promise.race([room, once(signal, "abort")]);
						}
						mostWaited = Math.max(mostWaited, budget.bytes);
					}
					response.end();
					if (path !== "/fast") over++;
				},
				undefined,
				budget,
			);
			let ended = 0;
			const stop: (() => void)[] = [];
			for (let i = 0; i < many; i++) {
				if (version === 2) {
					const session = http2.connect(`https://127.0.0.1:${server.port}`, { ca: authority.cert });
					session.on("error", () => undefined);
					const stream = session.request({ ":path": "/slow" });
					stream.on("error", () => undefined).once("close", () => ended++);
					stream.pause();
					stop.push(() => session.destroy());
				} else {
					const request = https.get({
						host: "127.0.0.1",
						port: server.port,
						path: "/slow",
						agent: false,
						ca: authority.cert,
					});
					request.on("error", () => undefined).once("close", () => ended++);
					request.once("response", (response) => response.on("error", () => undefined).pause());
					stop.push(() => request.destroy());
				}
			}
			while (budget.ended < 10) await onTurn();
			assert.equal(await get("/fast"), 200);
			assert.ok(mostWaited <= budget.most, `${mostWaited} bytes waited`);
			while (over < budget.ended) await onTurn();
			for (const end of stop) end();
			if (version === 2) assert.ok(ended > 0, "no client saw it");
		});
	}

	it("drains: a kept-alive connection of HTTP/1 that is idle does not hold it up", async () => {
		await start(async (_, response) => answer(response));
		assert.equal(await get(), 200);
		const closed = server.close();
		server.drain();
		await closed;
	});

	it("drains: a request of HTTP/1 that came before is answered, and its connection ends then", async () => {
		const begun = Promise.withResolvers<void>();
		const goOn = Promise.withResolvers<void>();
		await start(async (_, response) => {
			begun.resolve();
			await goOn.promise;
			answer(response);
		});
		const answered = get();
		await begun.promise;
		const closed = server.close();
		server.drain();
		goOn.resolve();
		assert.equal(await answered, 200);
		await closed;
	});

	it("refuses a path of more than 16 KiB before anything is made of it, in both versions of HTTP", async () => {
		const seen: number[] = [];
		await start(async (request, response) => {
			seen.push(request.path.length);
			answer(response);
		});
		const session = http2.connect(`https://127.0.0.1:${server.port}`, { ca: authority.cert });
		const get2 = async (path: string) => {
			const stream = session.request({ ":path": path });
			const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & { ":status": number }];
			stream.resume();
			await once(stream, "end");
			return head[":status"];
		};
		const [fits, long] = ["/".repeat(16 << 10), "/".repeat((16 << 10) + 1)];
		assert.deepEqual(
			[await get(fits), await get(`${fits}?${"a".repeat(16 << 10)}`), await get2(fits)],
			[200, 200, 200],
		);
		assert.deepEqual([await get(long), await get2(long)], [431, 431]);
		assert.deepEqual(seen, [16 << 10, 16 << 10, 16 << 10]);
		session.destroy();
	});

	it("ends a connection of HTTP/2 that asks nothing, before its first request and between two, but no quiet answer", async () => {
		const idle = { firstRequestMs: 100, betweenRequestsMs: 100 };
		await start(async (request, response) => {
			response.head(200, {});
			if (request.path === "/watch") response.write(Buffer.from("quiet"));
			else response.end("done");
		}, idle);
		const connect = () => http2.connect(`https://127.0.0.1:${server.port}`, { ca: authority.cert });
		const [silent, asked, watching] = [connect(), connect(), connect()];
		const stream = watching.request({ ":path": "/watch" });
		await once(stream, "response");
		const once1 = asked.request({ ":path": "/" });
		once1.resume();
		await Promise.all([once(silent, "close"), once(asked, "close")]);
		assert.equal(watching.closed || watching.destroyed || stream.destroyed, false);
		watching.destroy();
	});
});
