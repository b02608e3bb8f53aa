/** What is compressed, as kube-apiserver 1.36.1 does it. */
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { gunzipSync } from "node:zlib";
import { type Dispatcher, request } from "undici";
import { type Harness, startHarness } from "../testing/harness.ts";
import { CompressedResponse } from "./compressed.ts";
import type { ApiResponse } from "./types.ts";

describe("http: compression", function () {
	this.timeout(30_000);
	let h: Harness;
	const configMaps = "/api/v1/namespaces/default/configmaps";

	before(async () => {
		h = await startHarness();
		for (const [name, size] of [
			["mid", 100_000],
			["big", 200_000],
		] as const) {
			const body = { metadata: { name }, data: { a: "x".repeat(size) } };
			assert.equal((await h.call("POST", configMaps, { body })).status, 201);
		}
	});
	after(() => h.close());

	async function get(path: string, headers: Record<string, string> = {}, dispatcher?: Dispatcher) {
		const admin = dispatcher ?? (await h.client("admin", ["system:masters"]));
		const answer = await request(h.server.url + path, { dispatcher: admin, headers });
		return { headers: answer.headers, bytes: Buffer.from(await answer.body.arrayBuffer()) };
	}

	it("of objects and lists above 128 KiB, in every format, where gzip is named", async () => {
		const formats = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
		const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
		for (const path of [configMaps, `${configMaps}?pretty=true`, `${configMaps}/big`]) {
			for (const accept of [...formats, ...(path === configMaps ? [`${table}`] : [])]) {
				const query = accept.includes("Table") ? "?includeObject=Object" : "";
				const plain = await get(path + query, { accept });
				const coded = await get(path + query, { accept, "accept-encoding": "deflate, gzip" });
				assert.equal(plain.headers["content-encoding"], undefined);
				assert.equal(coded.headers["content-encoding"], "gzip", `${path} ${accept}`);
				assert.equal(coded.headers["vary"], "Accept-Encoding");
				assert.equal(coded.headers["content-type"], plain.headers["content-type"]);
				assert(coded.bytes.length < plain.bytes.length / 10);
				assert(gunzipSync(coded.bytes).equals(plain.bytes));
			}
		}
	});

	it("of nothing shorter, and for no other word", async () => {
		const plain = async (path: string, coding: string) => {
			const { headers } = await get(path, { "accept-encoding": coding });
			assert.equal(headers["content-encoding"], undefined, `${path} ${coding}`);
			assert(!String(headers["vary"]).includes("Accept-Encoding"));
		};
		await plain(`${configMaps}/mid`, "gzip");
		await plain("/apis", "gzip");
		for (const coding of ["*", "deflate", "gzip;q=0.5", "x-gzip", ""]) await plain(configMaps, coding);
	});

	it("of what a write answers, of /openapi/v2 and /metrics", async () => {
		const body = { metadata: { name: "made" }, data: { a: "x".repeat(200_000) } };
		const made = await h
			.call("POST", configMaps, { body, headers: { "accept-encoding": "gzip" } })
			.catch(() => undefined);
		// The harness reads text: what matters is that it no longer is any.
		assert.equal(made?.headers["content-encoding"] ?? "gzip", "gzip");
		for (const path of ["/openapi/v2", "/metrics"]) {
			const coded = await get(path, { "accept-encoding": "gzip" });
			assert.equal(coded.headers["content-encoding"], "gzip", path);
			assert(gunzipSync(coded.bytes).length > coded.bytes.length);
		}
		assert.equal(
			(await get("/openapi/v3/api/v1", { "accept-encoding": "gzip" })).headers["content-encoding"],
			undefined,
		);
	});

	it("over HTTP/2 too, and never of a watch", async () => {
		const { cert, key } = h.admin;
		const session = connect(h.server.url, { ca: h.authority.cert, cert, key });
		try {
			const stream = session.request({ ":path": configMaps, "accept-encoding": "gzip" });
			const chunks: Buffer[] = [];
			const headers = new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
			for await (const chunk of stream) chunks.push(chunk as Buffer);
			assert.equal((await headers)["content-encoding"], "gzip");
			assert.equal(JSON.parse(gunzipSync(Buffer.concat(chunks)).toString()).kind, "ConfigMapList");
			const watch = session.request({ ":path": `${configMaps}?watch=1`, "accept-encoding": "gzip" });
			const first = await new Promise<Record<string, unknown>>((resolve) => watch.once("response", resolve));
			assert.equal(first["content-encoding"], undefined);
			watch.close();
		} finally {
			session.destroy();
		}
	});

	it("waits for a slow client, and holds no more than that", async () => {
		const written: Buffer[] = [];
		let drain: (() => void) | undefined;
		const done = Promise.withResolvers<void>();
		const slow: ApiResponse = {
			headSent: false,
			bytesWritten: 0,
			head: () => {},
			write(chunk) {
				written.push(chunk);
				return false;
			},
			onDrain(callback) {
				drain = callback;
			},
			end: () => done.resolve(),
			destroy: () => done.reject(new Error("destroyed")),
		};
		const response = new CompressedResponse(slow, 10);
		response.head(200, {});
		let seed = 7;
		const noise = () =>
			Buffer.from(Array.from({ length: 64 << 10 }, () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8));
		const sent: Buffer[] = [];
		let full = false;
		for (let i = 0; i < 64 && !full; i++) {
			sent.push(noise());
			full = !response.write(sent.at(-1) as Buffer);
		}
		assert(full, "a client that takes nothing stops the writer");
		for (let i = 0; i < 64; i++) {
			sent.push(noise());
			if (!response.write(sent.at(-1) as Buffer))
				await new Promise<void>((resolve) => {
					response.onDrain(resolve);
					const pump = setInterval(() => drain?.(), 1);
					response.onDrain(() => clearInterval(pump));
				});
		}
		response.end();
		const pump = setInterval(() => drain?.(), 1);
		await done.promise;
		clearInterval(pump);
		assert(gunzipSync(Buffer.concat(written)).equals(Buffer.concat(sent)));
	});
});
