// What clients get for requests that are wrong: upstream's status code, reason and words; and nothing half-written.
import assert from "node:assert/strict";
import http2 from "node:http2";
import tls from "node:tls";
import { createAuthority } from "../../kit/pki.ts";
import { memoryStore } from "../../store/client/memory.ts";
import { type Answer, type CallOptions, type Harness, startHarness } from "../testing/harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const deployments = "/apis/apps/v1/namespaces/default/deployments";

describe("registry/bad input", () => {
	let h: Harness;
	before(async () => {
		h = await startHarness({
			tokenFile: { text: 'letmein,carol,u1,"devs,ops"\n', name: "tokens.csv" },
			maxRequestsInflight: 400,
		});
	});
	after(() => h.close());

	/** Calls, and checks that the store's revision stays. */
	async function refused(
		method: string,
		path: string,
		options: CallOptions,
		expected: { status: number; reason?: string; message: RegExp | string },
	): Promise<Answer> {
		const before = await h.store.currentRevision();
		const answer = await h.call(method, path, options);
		assert.equal(answer.status, expected.status, answer.text.slice(0, 500));
		assert.equal(answer.body.kind, "Status");
		assert.equal(answer.body.code, expected.status);
		assert.equal(answer.body.reason, expected.reason);
		if (typeof expected.message === "string") assert.equal(answer.body.message, expected.message);
		else assert.match(answer.body.message, expected.message);
		assert.equal(await h.store.currentRevision(), before);
		return answer;
	}

	it("malformed bodies", async () => {
		await refused(
			"POST",
			maps,
			{ body: '{"apiVersion": "v1", "kind": ' },
			{ status: 400, reason: "BadRequest", message: /unexpected end of JSON input/ },
		);
		await refused(
			"POST",
			maps,
			{ body: "" },
			{ status: 400, reason: "BadRequest", message: /must be of type ConfigMap/ },
		);
		await refused(
			"POST",
			maps,
			{ body: "a: [b", type: "application/yaml" },
			{ status: 400, reason: "BadRequest", message: /yaml/ },
		);
		await refused(
			"POST",
			maps,
			{ body: Buffer.from("k8s\0\xff\xff\xff", "latin1"), type: "application/vnd.kubernetes.protobuf" },
			{ status: 400, reason: "BadRequest", message: /./ },
		);
		await refused(
			"POST",
			maps,
			{ body: "x", type: "text/plain" },
			{
				status: 415,
				reason: "UnsupportedMediaType",
				message:
					"the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
			},
		);
		await refused(
			"PATCH",
			`${maps}/kube-root-ca.crt`,
			{ body: "{", type: "application/merge-patch+json" },
			{ status: 400, reason: "BadRequest", message: /./ },
		);
	});

	it("unknown and repeated fields, wrong types", async () => {
		const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "strict" }, dta: {} };
		await refused(
			"POST",
			`${maps}?fieldValidation=Strict`,
			{ body },
			{ status: 400, reason: "BadRequest", message: /strict decoding error: unknown field "dta"/ },
		);
		const warned = await h.call("POST", `${maps}?fieldValidation=Warn&dryRun=All`, { body });
		assert.equal(warned.status, 201);
		assert.match(String(warned.headers["warning"]), /299 - "unknown field \\"dta\\""/);
		const ignored = await h.call("POST", `${maps}?fieldValidation=Ignore&dryRun=All`, { body });
		assert.equal(ignored.headers["warning"], undefined);
		const repeated = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","name":"b"}}';
		await refused(
			"POST",
			`${maps}?fieldValidation=Strict`,
			{ body: repeated },
			{ status: 400, reason: "BadRequest", message: /duplicate field "metadata.name"/ },
		);
		await refused(
			"POST",
			deployments,
			{ body: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec: { replicas: "three" } } },
			{
				status: 400,
				reason: "BadRequest",
				message: /cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32/,
			},
		);
		await refused(
			"POST",
			maps,
			{ body: { apiVersion: "v1", kind: "Secret", metadata: { name: "s" } } },
			{ status: 400, reason: "BadRequest", message: /Secret in version "v1" cannot be handled as a ConfigMap/ },
		);
		await refused(
			"POST",
			maps,
			{ body: { apiVersion: "v9", kind: "ConfigMap", metadata: { name: "s" } } },
			{ status: 400, reason: "BadRequest", message: /./ },
		);
	});

	it("patches that make an object of the wrong form", async () => {
		const map = "/api/v1/namespaces/default/configmaps/patched";
		await h.call("POST", maps, { body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "patched" } } });
		const patch = (type: string, body: unknown, query = "") => [
			"PATCH",
			`${map}${query}`,
			{ body: JSON.stringify(body), headers: { "content-type": `application/${type}+json` } },
		];
		const refusedPatch = (request: ReturnType<typeof patch>, message: RegExp) =>
			refused(request[0] as string, request[1] as string, request[2] as object, {
				status: 422,
				reason: "Invalid",
				message,
			});
		await refusedPatch(
			patch("merge-patch", { data: [] }),
			/^ "" is invalid: patch: Invalid value: "\{.*\}": json: cannot unmarshal array into Go struct field ConfigMap\.data of type map\[string\]string$/,
		);
		await refusedPatch(
			patch("strategic-merge-patch", { data: { a: 1 }, immutable: null }),
			/^ "" is invalid: patch: Invalid value: "map\[data:map\[a:1\] immutable:<nil>\]": unrecognized type: string$/,
		);
		await refusedPatch(
			patch("merge-patch", { dta: {} }, "?fieldValidation=Strict"),
			/^ "" is invalid: patch: Invalid value: .*: strict decoding error: unknown field "dta"$/,
		);
		assert.equal((await h.call("GET", map)).body.data, undefined);
	});

	it("bodies that are too large", async () => {
		const big = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "big" }, data: { a: "x".repeat(3 << 20) } };
		await refused(
			"POST",
			maps,
			{ body: big },
			{
				status: 413,
				reason: "RequestEntityTooLarge",
				message: "Request entity too large: limit is 3145728",
			},
		);
		const large = {
			apiVersion: "v1",
			kind: "ConfigMap",
			metadata: { name: "big" },
			data: { a: "x".repeat((1 << 20) + 1) },
		};
		await refused(
			"POST",
			maps,
			{ body: large },
			{ status: 422, reason: "Invalid", message: /Too long: may not be more than 1048576 bytes/ },
		);
	});

	it("names, namespaces and labels that cannot be", async () => {
		await refused(
			"POST",
			maps,
			{ body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "Not_OK" } } },
			{
				status: 422,
				reason: "Invalid",
				message:
					/^ConfigMap "Not_OK" is invalid: metadata\.name: Invalid value: "Not_OK": a lowercase RFC 1123 subdomain must consist of/,
			},
		);
		const answer = await refused(
			"POST",
			maps,
			{ body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "l", labels: { "a b": "c" } } } },
			{
				status: 422,
				reason: "Invalid",
				message: /metadata\.labels: Invalid value: "a b"/,
			},
		);
		assert.equal(answer.body.details.causes[0].field, "metadata.labels");
		await refused(
			"POST",
			maps,
			{ body: { apiVersion: "v1", kind: "ConfigMap", metadata: {} } },
			{ status: 422, reason: "Invalid", message: /metadata\.name: Required value: name or generateName is required/ },
		);
		await refused(
			"POST",
			maps,
			{ body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "n", namespace: "other" } } },
			{
				status: 400,
				reason: "BadRequest",
				message: "the namespace of the provided object does not match the namespace sent on the request",
			},
		);
		await refused(
			"POST",
			"/api/v1/namespaces/nowhere/configmaps",
			{ body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "n" } } },
			{ status: 404, reason: "NotFound", message: 'namespaces "nowhere" not found' },
		);
		await refused(
			"PUT",
			`${maps}/a`,
			{ body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" } } },
			{
				status: 400,
				reason: "BadRequest",
				message: "the name of the object (b) does not match the name on the URL (a)",
			},
		);
	});

	it("what is not served", async () => {
		const words = "the server could not find the requested resource";
		await refused("GET", "/api/v1/gadgets", {}, { status: 404, reason: "NotFound", message: words });
		await refused(
			"GET",
			"/api/v1/namespaces/default/pods/p/nothing",
			{},
			{ status: 404, reason: "NotFound", message: words },
		);
		await refused(
			"DELETE",
			"/api/v1/namespaces",
			{},
			{
				status: 405,
				reason: "MethodNotAllowed",
				message: "the server does not allow this method on the requested resource",
			},
		);
		for (const method of ["PUT", "PATCH"]) {
			await refused(method, maps, { body: {} }, { status: 405, reason: "MethodNotAllowed", message: /method/ });
		}
		for (const [segment, why] of [
			["..%2Fkube-system%2Fx", "may not contain '/'"],
			["a%25b", "may not contain '%'"],
		]) {
			const shown = JSON.stringify(decodeURIComponent(segment as string));
			await refused(
				"GET",
				`${maps}/${segment}`,
				{},
				{ status: 400, reason: "BadRequest", message: `Name parameter invalid: ${shown}: ${why}` },
			);
		}
		await refused("POST", "/api/v1/pods", { body: {} }, { status: 405, reason: "MethodNotAllowed", message: /method/ });
		for (const path of ["/apis/apps/v2/deployments", "/apis/apps/v9", "/api/v9", "/api/v9/pods"]) {
			const message = "the server could not find the requested resource";
			await refused("GET", path, {}, { status: 404, reason: "NotFound", message });
		}
		for (const path of ["/apis/nope/v1/things", "/apis/nope", "/apis/nope/v1", "/nope"]) {
			const page = await h.call("GET", path);
			assert.equal(page.status, 404);
			assert.equal(page.text, "404 page not found\n");
		}
	});

	it("credentials that are wrong, missing or not enough", async () => {
		await refused(
			"GET",
			maps,
			{ as: h.anonymous() },
			{
				status: 403,
				reason: "Forbidden",
				message:
					'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
			},
		);
		await refused(
			"GET",
			maps,
			{ as: h.anonymous(), headers: { authorization: "Bearer wrong" } },
			{ status: 401, reason: "Unauthorized", message: "Unauthorized" },
		);
		const carol = { as: h.anonymous(), headers: { authorization: "Bearer letmein" } };
		await refused("GET", `${maps}/x`, carol, {
			status: 403,
			reason: "Forbidden",
			message:
				'configmaps "x" is forbidden: User "carol" cannot get resource "configmaps" in API group "" in the namespace "default"',
		});
		await refused("GET", "/metrics", carol, {
			status: 403,
			reason: "Forbidden",
			message: 'forbidden: User "carol" cannot get path "/metrics"',
		});
		const bob = await h.client("bob", ["devs"]);
		const who = await h.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
			as: bob,
			body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
		});
		assert.equal(who.body.status.userInfo.username, "bob");
		assert.deepEqual(who.body.status.userInfo.groups, ["devs", "system:authenticated"]);
		await refused(
			"GET",
			maps,
			{ as: bob, headers: { "impersonate-user": "admin" } },
			{
				status: 403,
				reason: "Forbidden",
				message:
					'configmaps is forbidden: User "bob" cannot impersonate-on:user-info:list resource "configmaps" in API group "" in the namespace "default"',
			},
		);
		await refused(
			"GET",
			maps,
			{ headers: { "impersonate-user": "dave" } },
			{ status: 403, reason: "Forbidden", message: /User "dave" cannot list/ },
		);
		assert.equal((await h.call("GET", "/readyz", { as: h.anonymous() })).text, "ok");
	});

	it("options that make no sense", async () => {
		await refused(
			"GET",
			`${maps}?limit=many`,
			{},
			{ status: 400, reason: "BadRequest", message: /strconv\.ParseInt: parsing "many": invalid syntax/ },
		);
		await refused(
			"POST",
			`${maps}?fieldValidation=Perhaps`,
			{ body: {} },
			{ status: 422, reason: "Invalid", message: /fieldValidation: Unsupported value: "Perhaps"/ },
		);
	});

	it("serves HTTP/2 as well", async () => {
		const session = http2.connect(h.server.url, { ca: h.authority.cert, cert: h.admin.cert, key: h.admin.key });
		const get = (path: string) =>
			new Promise<{ status: number; text: string }>((resolve, reject) => {
				const stream = session.request({ ":path": path });
				let status = 0;
				let text = "";
				stream.on("response", (headers) => {
					status = Number(headers[":status"]);
				});
				stream.on("data", (chunk) => {
					text += chunk;
				});
				stream.on("end", () => resolve({ status, text }));
				stream.on("error", reject);
			});
		const answers = await Promise.all(
			Array.from({ length: 20 }, () => get("/apis/rbac.authorization.k8s.io/v1/clusterroles")),
		);
		for (const { status, text } of answers) {
			assert.equal(status, 200);
			assert.ok(JSON.parse(text).items.length > 20);
		}
		session.close();
	});
});

describe("http/limits", () => {
	it("turns away more requests than may be served at once, but not masters", async () => {
		let hold: Promise<void> = Promise.resolve();
		const slow = new Proxy(memoryStore(), {
			get(store, key) {
				if (key === "currentRevision") return () => hold.then(() => store.currentRevision());
				const value = Reflect.get(store, key);
				return typeof value === "function" ? value.bind(store) : value;
			},
		});
		const h = await startHarness(
			{ maxRequestsInflight: 1, authorizationModes: ["AlwaysAllow"] },
			{ store: slow, authority: await createAuthority("limits") },
		);
		try {
			const bob = await h.client("bob");
			let release = () => {};
			hold = new Promise((resolve) => {
				release = resolve;
			});
			const calls = Array.from({ length: 12 }, () => h.call("GET", "/api/v1/pods", { as: bob }));
			await new Promise<void>((resolve) => {
				let done = 0;
				for (const call of calls) void call.then(() => (++done === 11 ? resolve() : undefined));
			});
			release();
			const answers = await Promise.all(calls);
			const turned = answers.filter((a) => a.status === 429);
			assert.equal(turned.length, 11);
			assert.equal(turned[0]?.headers["retry-after"], "1");
			assert.equal(turned[0]?.text, "Too many requests, please try again later.\n");
			const own = await Promise.all(Array.from({ length: 12 }, () => h.call("GET", "/api/v1/pods")));
			assert.ok(own.every((a) => a.status === 200));
			const metrics = (await h.call("GET", "/metrics")).text;
			assert.match(metrics, /apiserver_request_total\{verb="LIST"[^}]*resource="pods"[^}]*code="200"\} \d+/);
			assert.match(metrics, /apiserver_current_inflight_requests\{request_kind="readOnly"\} \d/);
			assert.match(
				metrics,
				/etcd_request_duration_seconds_count\{operation="create",group="",resource="namespaces"\} \d+/,
			);
			assert.match(metrics, /^etcd_requests_total\{operation="create",group="",resource="namespaces"\} \d+$/m);
			assert.match(metrics, /^apiserver_request_sli_duration_seconds_bucket\{le="0.05",verb="LIST",/m);
			assert.match(metrics, /^apiserver_response_sizes_count\{verb="LIST",group="",version="v1",resource="pods",/m);
			assert.match(metrics, /^kubernetes_build_info\{major="1",.*\} 1$/m);
			assert.match(metrics, /^apiserver_resource_objects\{group="apps",resource="deployments"\} \d+$/m);
		} finally {
			await h.close();
			await slow.close();
		}
	});

	it("ends a request whose time is up", async () => {
		const memory = memoryStore();
		let stuck = false;
		const store = new Proxy(memory, {
			get(target, key) {
				if (key === "currentRevision" && stuck) return () => new Promise(() => {});
				const value = Reflect.get(target, key);
				return typeof value === "function" ? value.bind(target) : value;
			},
		});
		const h = await startHarness({ requestTimeoutMs: 200 }, { store, authority: await createAuthority("time") });
		try {
			stuck = true;
			const late = await h.call("GET", "/api/v1/pods");
			assert.equal(late.status, 504);
			assert.equal(late.body.reason, "Timeout");
			assert.equal(late.body.message, "Timeout: request did not complete within the allotted timeout");
			assert.equal((await h.call("GET", "/api/v1/pods?resourceVersion=0")).status, 200);
			stuck = false;
		} finally {
			await h.close();
			await memory.close();
		}
	});

	it("does not wait for a body that does not come, nor keep its place", async () => {
		const h = await startHarness({ requestTimeoutMs: 300, maxMutatingRequestsInflight: 1 });
		let session: http2.ClientHttp2Session | undefined;
		try {
			const bob = await h.authority.issue({ commonName: "bob", organizations: ["dev"], usages: ["client"] });
			const rules = {
				apiVersion: "rbac.authorization.k8s.io/v1",
				roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" },
			};
			await h.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {
				body: {
					...rules,
					kind: "RoleBinding",
					metadata: { name: "dev" },
					subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "dev" }],
				},
			});
			session = http2.connect(h.server.url, { ca: h.authority.cert, cert: bob.cert, key: bob.key });
			const stream = session.request({
				":method": "POST",
				":path": "/api/v1/namespaces/default/configmaps",
				"content-type": "application/json",
			});
			stream.write('{"apiVersion"');
			const status = await new Promise((resolve, reject) => {
				stream.on("response", (headers) => resolve(headers[":status"]));
				stream.on("error", reject);
			});
			assert.equal(status, 504);
			stream.resume();
			await new Promise((resolve) => stream.on("end", resolve));
			const next = await h.call("POST", "/api/v1/namespaces/default/configmaps", {
				as: await h.client("bob", ["dev"]),
				body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "next" } },
			});
			assert.equal(next.status, 201, next.text);
		} finally {
			session?.destroy();
			await h.close();
		}
	});

	it("says so when the head of a request is too large, and takes one that upstream's tokens make", async () => {
		const h = await startHarness();
		try {
			const { hostname, port } = new URL(h.server.url);
			const ask = (length: number) =>
				new Promise<string>((resolve, reject) => {
					const options = { host: hostname, port: Number(port), ca: h.authority.cert };
					const socket = tls.connect(options, () =>
						socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-a: ${"a".repeat(length)}\r\n\r\n`),
					);
					let text = "";
					socket.on("data", (chunk) => {
						text += chunk;
					});
					socket.on("error", reject);
					socket.on("close", () => resolve(text));
				});
			assert.match(await ask(40_000), /^HTTP\/1\.1 200 OK/);
			assert.match(await ask(80_000), /^HTTP\/1\.1 431 /);
		} finally {
			await h.close();
		}
	});

	it("ends watches and stops when closed, without waiting for clients", async () => {
		const h = await startHarness();
		const stream = await h.watch("/api/v1/pods?watch=1&resourceVersion=0");
		await h.close();
		assert.equal(await stream.next().catch(() => undefined), undefined);
	});
});
