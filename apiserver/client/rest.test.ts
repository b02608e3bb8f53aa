import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { ApiError, modifiedConflict } from "../machinery/errors.ts";
import type { KubeObject } from "../scheme/object.ts";
import { KubeconfigError, parseKubeconfig } from "./kubeconfig.ts";
import { createTokenBucket } from "./limiter.ts";
import { createLineSplitter, LineTooLongError } from "./lines.ts";
import { deployments, nodes, pods } from "./resources.ts";
import { ConnectionError, createApiClient, resourcePath } from "./rest.ts";
import type { ApiClient } from "./types.ts";

interface Seen {
	readonly line: string;
	readonly headers: http.IncomingHttpHeaders;
	readonly body: string;
}

describe("REST client", () => {
	let server: http.Server;
	let client: ApiClient;
	let seen: Seen[] = [];
	let answer: (response: http.ServerResponse) => void;

	before(async () => {
		server = http.createServer(async (request, response) => {
			const chunks: Buffer[] = [];
			for await (const chunk of request) chunks.push(chunk as Buffer);
			const body = Buffer.concat(chunks).toString();
			seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
			answer(response);
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as AddressInfo;
		client = createApiClient({ server: `http://127.0.0.1:${port}`, token: "secret", userAgent: "test" });
	});
	after(async () => {
		await client.close();
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	beforeEach(() => {
		seen = [];
	});

	const json =
		(status: number, body: unknown, headers: http.OutgoingHttpHeaders = {}) =>
		(r: http.ServerResponse) =>
			void r.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));

	it("writes nothing where it may not, and reads on", async () => {
		let may = true;
		const { port } = server.address() as AddressInfo;
		const guarded = createApiClient({ server: `http://127.0.0.1:${port}`, mayWrite: () => may });
		answer = json(200, { kind: "Pod", apiVersion: "v1", metadata: {} });
		try {
			await guarded.resource(pods).delete("ns", "a");
			may = false;
			await assert.rejects(guarded.resource(pods).create("ns", {}), { name: "ConnectionError", code: "ECANCELED" });
			await guarded.resource(pods).get("ns", "a");
			assert.deepEqual(
				seen.map(({ line }) => line),
				["DELETE /api/v1/namespaces/ns/pods/a", "GET /api/v1/namespaces/ns/pods/a"],
			);
		} finally {
			await guarded.close();
		}
	});

	it("names the lease by which it writes, and reads without", async () => {
		const { port } = server.address() as AddressInfo;
		const fenced = createApiClient({ server: `http://127.0.0.1:${port}`, fence: () => "kube-system/l host_1" });
		answer = json(200, { kind: "Pod", apiVersion: "v1", metadata: {} });
		try {
			await fenced.resource(pods).delete("ns", "a");
			await fenced.resource(pods).get("ns", "a");
			assert.deepEqual(
				seen.map(({ headers }) => headers["barque-fence"]),
				["kube-system/l host_1", undefined],
			);
		} finally {
			await fenced.close();
		}
	});

	it("does not write what waited for a connection until it might no longer be written", async () => {
		let may = true;
		const { port } = server.address() as AddressInfo;
		const guarded = createApiClient({ server: `http://127.0.0.1:${port}`, mayWrite: () => may, maxConnections: 1 });
		const came = Promise.withResolvers<http.ServerResponse>();
		answer = (r) => came.resolve(r);
		try {
			const first = guarded.resource(pods).delete("ns", "a");
			const second = guarded.resource(pods).delete("ns", "b");
			const third = guarded.resource(pods).get("ns", "c");
			const refused = assert.rejects(second, { name: "ConnectionError", code: "ECANCELED" });
			const response = await came.promise;
			may = false;
			answer = json(200, { kind: "Pod", apiVersion: "v1", metadata: {} });
			answer(response);
			await first;
			await refused;
			await third;
			assert.deepEqual(
				seen.map(({ line }) => line),
				["DELETE /api/v1/namespaces/ns/pods/a", "GET /api/v1/namespaces/ns/pods/c"],
			);
		} finally {
			await guarded.close();
		}
	});

	it("asks as kube-apiserver expects to be asked", async () => {
		answer = json(200, { kind: "PodList", apiVersion: "v1", metadata: {}, items: [{ metadata: { name: "a" } }] });
		const list = await client.resource(pods).list("ns", { labelSelector: "a in (b,c)", limit: 5 });
		assert.equal(seen[0]?.line, "GET /api/v1/namespaces/ns/pods?labelSelector=a+in+%28b%2Cc%29&limit=5");
		assert.equal(seen[0]?.headers.authorization, "Bearer secret");
		assert.equal(seen[0]?.headers["user-agent"], "test");
		assert.deepEqual([list.items[0]?.kind, list.items[0]?.apiVersion], ["Pod", "v1"]);
		await client.resource(deployments).patch("ns", "d", "strategic", { spec: {} }, "scale");
		assert.equal(seen[1]?.line, "PATCH /apis/apps/v1/namespaces/ns/deployments/d/scale");
		assert.equal(seen[1]?.headers["content-type"], "application/strategic-merge-patch+json");
		await client.resource(pods).delete("ns", "p", { gracePeriodSeconds: 0, preconditions: { uid: "u" } });
		assert.deepEqual(JSON.parse(seen[2]?.body ?? ""), {
			kind: "DeleteOptions",
			apiVersion: "v1",
			gracePeriodSeconds: 0,
			preconditions: { uid: "u" },
		});
		assert.equal(resourcePath(nodes, "", "n/x", "status"), "/api/v1/nodes/n%2Fx/status");
	});

	it("never turns a request for one object into one for all", async () => {
		await assert.rejects(client.resource(pods).delete("ns", ""), /the object has no name/);
		assert.equal(seen.length, 0);
	});

	it("makes ApiErrors of Status answers and of anything else", async () => {
		const given = modifiedConflict({ group: "", resource: "pods" }, "p");
		answer = json(409, given.toStatus());
		await assert.rejects(client.resource(pods).get("ns", "p"), (error: unknown) => {
			assert(error instanceof ApiError);
			assert.deepEqual([error.code, error.reason, error.message], [409, "Conflict", given.message]);
			return error.details?.name === "p";
		});
		answer = (r) => void r.writeHead(502).end("<html>bad gateway");
		await assert.rejects(client.resource(pods).get("ns", "p"), (error: unknown) => {
			return error instanceof ApiError && error.code === 502 && /bad gateway/.test(error.message);
		});
	});

	it("repeats what the server asks to repeat", async () => {
		const answers = [
			json(429, {}, { "retry-after": "0" }),
			json(503, {}, { "retry-after": "0" }),
			json(200, { kind: "Pod" }),
		];
		answer = (r) => answers.shift()?.(r);
		assert.equal((await client.resource(pods).get("ns", "p")).kind, "Pod");
		assert.equal(seen.length, 3);
	});

	it("tells a broken connection from an answer, and repeats reads only", async () => {
		answer = (r) => void r.destroy();
		await assert.rejects(client.resource(pods).get("ns", "p"), ConnectionError);
		const reads = seen.length;
		await assert.rejects(client.resource(pods).create("ns", { metadata: { name: "p" } }), ConnectionError);
		assert.deepEqual([reads, seen.length - reads], [2, 1]);
	});

	it("reads watch events as they come, however they are cut", async () => {
		const text = ["ADDED", "MODIFIED", "BOOKMARK"]
			.map((type) => `${JSON.stringify({ type, object: { kind: "Pod", metadata: { name: "ü" } } })}\n`)
			.join("");
		answer = (r) => {
			r.writeHead(200);
			for (const byte of Buffer.from(text)) r.write(Buffer.from([byte]));
			r.end();
		};
		const types: string[] = [];
		const watch = client
			.resource(pods)
			.watch("", { resourceVersion: "5", allowWatchBookmarks: true }, new AbortController().signal);
		for await (const event of watch) types.push(`${event.type} ${event.object.metadata.name}`);
		assert.deepEqual(types, ["ADDED ü", "MODIFIED ü", "BOOKMARK ü"]);
		assert.equal(seen[0]?.line, "GET /api/v1/pods?watch=true&resourceVersion=5&allowWatchBookmarks=true");
	});

	it("gives a list's items while the rest of it is still to come", async () => {
		let finish = () => {};
		answer = (r) => {
			r.writeHead(200).write(
				'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[{"metadata":',
			);
			r.write('{"name":"a"}},{"meta');
			finish = () => r.end('data":{"name":"b"}}]}');
		};
		const names: string[] = [];
		const keep = (item: KubeObject<object>) => {
			if (names.push(item.metadata.name ?? "") === 1) finish();
			return item;
		};
		const list = await client.resource(pods).list("", { keep });
		assert.deepEqual(names, ["a", "b"]);
		assert.equal(list.metadata.resourceVersion, "9");
		assert.deepEqual(
			list.items.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata.name]),
			[
				["v1", "Pod", "a"],
				["v1", "Pod", "b"],
			],
		);
	});

	it("fails a list that is cut, however well it ends otherwise", async () => {
		answer = (r) => void r.writeHead(200).end('{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{}}');
		await assert.rejects(client.resource(pods).list(""), ConnectionError);
	});

	it("leaves out a watch event that is not JSON, and tells of it", async () => {
		answer = (r) => void r.writeHead(200).end('{"type":"ADDED","object":nonsense}\n{"type":"BOOKMARK","object":{}}\n');
		const told: string[] = [];
		const onUndecodable = (text: string) => void told.push(text);
		const types: string[] = [];
		const events = client.resource(pods).watch("", { onUndecodable }, new AbortController().signal);
		for await (const { type } of events) types.push(type);
		assert.deepEqual([types, told], [["BOOKMARK"], ['{"type":"ADDED","object":nonsense}']]);
	});

	it("ends a watch when its signal says so, and fails one that is cut within an event", async () => {
		const controller = new AbortController();
		answer = (r) => void r.writeHead(200).write('{"type":"ADDED","object":{"metadata":{}}}\n');
		const events = client.resource(pods).watch("", {}, controller.signal)[Symbol.asyncIterator]();
		await events.next();
		controller.abort(new Error("enough"));
		await assert.rejects(Promise.resolve(events.next()), /enough/);
		answer = (r) => void r.writeHead(200).end('{"type":"ADD');
		const cut = client.resource(pods).watch("", {}, new AbortController().signal)[Symbol.asyncIterator]();
		await assert.rejects(Promise.resolve(cut.next()), /ended within an event/);
	});
});

describe("line splitter", () => {
	it("bounds a line", () => {
		const splitter = createLineSplitter(8);
		assert.deepEqual(splitter.push(Buffer.from("ab\n\ncdef")).map(String), ["ab"]);
		assert.deepEqual(splitter.push(Buffer.from("gh\n")).map(String), ["cdefgh"]);
		assert.throws(() => splitter.push(Buffer.from("123456789")), LineTooLongError);
	});
});

describe("token bucket", () => {
	it("refills at its rate up to its burst", async () => {
		const clock = new VirtualClock();
		const bucket = createTokenBucket(clock, 10, 2);
		assert.deepEqual([bucket.tryTake(), bucket.tryTake(), bucket.tryTake()], [true, true, false]);
		await clock.runFor(100);
		assert.equal(bucket.tryTake(), true);
		assert.equal(bucket.reserve(), 100);
	});
});

describe("kubeconfig", () => {
	const config = (user: string) => `
apiVersion: v1
kind: Config
current-context: main
contexts: [{name: main, context: {cluster: c, user: u, namespace: ns}}]
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: ${Buffer.from("CA").toString("base64")}}}]
users: [{name: u, user: ${user}}]`;

	it("resolves the current context", () => {
		const access = parseKubeconfig(config("{token: t, tokenFile: tok}"), "/etc/k/config");
		assert.equal(access.server, "https://10.0.0.1:6443");
		assert.equal(String(access.ca), "CA");
		assert.deepEqual([access.token, access.tokenFile, access.namespace], ["t", "/etc/k/tok", "ns"]);
	});

	it("names file and field of what is wrong", () => {
		const fails = (text: string, pattern: RegExp) =>
			assert.throws(
				() => parseKubeconfig(text, "file.conf"),
				(e: unknown) => e instanceof KubeconfigError && pattern.test(e.message),
			);
		fails(":\n:", /file.conf: not valid YAML/);
		fails("a: b", /file.conf: current-context: must be set/);
		fails("current-context: x\ncontexts: []", /file.conf: contexts: no entry named "x"/);
		fails(config("{client-key: /nowhere/key}"), /file.conf: users\[u\].user.client-key: cannot read \/nowhere\/key/);
		fails(config("{exec: {command: aws}}"), /credential plugins cannot be used/);
		fails(config("{token: 5}"), /users\[u\].user.token: must be a string/);
	});
});
