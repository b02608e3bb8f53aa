import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { guarded } from "./guarded.ts";
import { createLogger } from "./log.ts";

describe("a guarded request listener", () => {
	const lines: string[] = [];
	const logger = createLogger({ write: (line) => void lines.push(line) });
	const server = http.createServer(
		guarded(logger, (request, response) => {
			if (request.url === "/throws?token=secret") throw new Error("thrown");
			if (request.url === "/rejects") return Promise.reject(new Error("rejected"));
			if (request.url === "/half") {
				response.writeHead(200, { "content-length": "10" }).write("half");
				throw new Error("half way");
			}
			response.end("fine");
			return undefined;
		}),
	);
	const get = (path: string) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);

	before(async () => {
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
	});
	after(() => server.close());

	it("answers 500 where its handler throws or rejects, logs why without the query, and goes on", async () => {
		for (const path of ["/throws?token=secret", "/rejects"]) {
			const response = await get(path);
			assert.deepEqual([response.status, await response.text()], [500, "internal error\n"]);
		}
		assert.match(lines.join(""), /thrown[\s\S]*rejected/);
		assert.doesNotMatch(lines.join(""), /secret/);
		assert.equal(await (await get("/other")).text(), "fine");
	});

	it("ends the connection where the answer had begun, and goes on", async () => {
		await assert.rejects(get("/half").then((response) => response.text()));
		assert.equal(await (await get("/other")).text(), "fine");
	});
});
