import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import { type Authority, createAuthority, type KeyPair } from "../../kit/pki.ts";
import { type Listening, listen } from "./node-server.ts";
import type { ApiResponse, Handler } from "./types.ts";

describe("http/node-server", () => {
	let authority: Authority;
	let pair: KeyPair;
	let server: Listening;
	let agent: https.Agent;

	const start = async (handler: Handler) => {
		const { cert, key } = pair;
		const onError = (error: unknown) => {
			throw error;
		};
		server = await listen({ host: "127.0.0.1", port: 0, cert, key, handler, onError });
		agent = new https.Agent({ keepAlive: true, ca: authority.cert });
	};
	const get = async () => {
		const request = https.get({ host: "127.0.0.1", port: server.port, path: "/", agent });
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
		server.destroy();
	});

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
});
