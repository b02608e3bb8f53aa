// Logs, evictions, tokens and reviews through a real server, with a kubelet of the test's own.
import assert from "node:assert/strict";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { createAuthority } from "../../../kit/pki.ts";
import { memoryStore } from "../../../store/client/memory.ts";
import { type Harness, startHarness } from "../../testing/harness.ts";

describe("registry/subresources", () => {
	let h: Harness;
	let kubelet: https.Server;
	let asked: { url: string; user: string }[] = [];
	const store = memoryStore();
	const pods = "/api/v1/namespaces/default/pods";

	before(async () => {
		const authority = await createAuthority("test");
		const [serving, client] = await Promise.all([
			authority.issue({ commonName: "node-1", hosts: ["127.0.0.1"] }),
			authority.issue({ commonName: "kube-apiserver-kubelet-client" }),
		]);
		kubelet = https.createServer({ ...serving, ca: authority.cert, requestCert: true }, (request, response) => {
			const socket = request.socket as import("node:tls").TLSSocket;
			asked.push({ url: request.url ?? "", user: String(socket.getPeerCertificate().subject?.CN) });
			if (request.url?.includes("missing")) {
				response.writeHead(400);
				response.end('container "missing" in pod "p" is waiting to start: ContainerCreating');
				return;
			}
			response.write("line 1\n");
			if (!request.url?.includes("follow")) response.end("line 2\n");
			else setTimeout(() => response.end("line 2\n"), 50);
		});
		await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", resolve));
		h = await startHarness(
			{ kubeletTls: { ca: authority.cert, cert: client.cert, key: client.key } },
			{ store, authority },
		);
		const { port } = kubelet.address() as AddressInfo;
		await h.call("POST", "/api/v1/nodes", {
			body: {
				apiVersion: "v1",
				kind: "Node",
				metadata: { name: "node-1" },
				status: {
					addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
					daemonEndpoints: { kubeletEndpoint: { Port: port } },
				},
			},
		});
		await h.call("POST", "/api/v1/namespaces/default/serviceaccounts", {
			body: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } },
		});
		for (const [name, containers] of [
			["p", ["c"]],
			["two", ["a", "missing"]],
		] as const) {
			const made = await h.call("POST", pods, {
				body: {
					apiVersion: "v1",
					kind: "Pod",
					metadata: { name },
					spec: { nodeName: "node-1", containers: containers.map((c) => ({ name: c, image: "i" })) },
				},
			});
			assert.equal(made.status, 201, made.text);
		}
	});
	after(async () => {
		await h.close();
		kubelet.closeAllConnections();
		await new Promise((resolve) => kubelet.close(resolve));
		await store.close();
	});

	it("streams logs from the kubelet of the pod's node", async () => {
		asked = [];
		const plain = await h.call("GET", `${pods}/p/log?tailLines=5`);
		assert.equal(plain.status, 200, plain.text);
		assert.equal(plain.text, "line 1\nline 2\n");
		assert.deepEqual(asked, [{ url: "/containerLogs/default/p/c?tailLines=5", user: "kube-apiserver-kubelet-client" }]);
		assert.equal((await h.call("GET", `${pods}/p/log?follow=true`)).text, "line 1\nline 2\n");
	});

	it("says why there are no logs", async () => {
		const which = await h.call("GET", `${pods}/two/log`);
		assert.equal(which.status, 400);
		assert.equal(which.body.message, "a container name must be specified for pod two, choose one of: [a missing]");
		const none = await h.call("GET", `${pods}/p/log?container=x`);
		assert.equal(none.body.message, "container x is not valid for pod p");
		const waiting = await h.call("GET", `${pods}/two/log?container=missing`);
		assert.equal(waiting.status, 400);
		assert.match(waiting.body.message, /is waiting to start: ContainerCreating$/);
		const bad = await h.call("GET", `${pods}/p/log?tailLines=-1`);
		assert.equal(bad.status, 422);
		assert.match(bad.body.message, /tailLines: Invalid value: -1: must be greater than or equal to 0/);
	});

	it("evicts", async () => {
		const evict = (name: string) =>
			h.call("POST", `${pods}/${name}/eviction`, {
				body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: "default" } },
			});
		await h.call("PATCH", `${pods}/two/status`, {
			body: JSON.stringify({ status: { phase: "Running" } }),
			headers: { "content-type": "application/merge-patch+json" },
		});
		const done = await evict("two");
		assert.equal(done.status, 201);
		assert.equal(done.body.status, "Success");
		const going = (await h.call("GET", `${pods}/two`)).body;
		assert.ok(going.metadata.deletionTimestamp);
		const mark = going.status.conditions?.find((c: { type: string }) => c.type === "DisruptionTarget");
		assert.equal(mark?.reason, "EvictionByEvictionAPI");
		assert.equal((await evict("nobody")).status, 404);
	});

	it("makes tokens that its users are known by", async () => {
		const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
		const made = await h.call("POST", path, {
			body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 700 } },
		});
		assert.equal(made.status, 201, made.text);
		const { token } = made.body.status;
		const review = await h.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
			body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } },
		});
		assert.equal(review.body.status.user.username, "system:serviceaccount:default:default");
		const who = await h.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
			as: h.anonymous(),
			headers: { authorization: `Bearer ${token}` },
			body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
		});
		assert.equal(who.body.status.userInfo.username, "system:serviceaccount:default:default");
		const short = await h.call("POST", path, {
			body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 1 } },
		});
		assert.equal(short.status, 422);
		assert.match(short.body.message, /may not specify a duration less than 10 minutes/);
		const keys = await h.call("GET", "/openid/v1/jwks");
		assert.equal(keys.headers["content-type"], "application/jwk-set+json");
		assert.equal(keys.body.keys[0].alg, "ES256");
		const configuration = (await h.call("GET", "/.well-known/openid-configuration")).body;
		assert.match(configuration.jwks_uri, /\/openid\/v1\/jwks$/);
	}).timeout(10_000);

	it("answers what one may do", async () => {
		const group = "/apis/authorization.k8s.io/v1";
		const ask = (path: string, kind: string, spec: object, as?: string) =>
			h.call("POST", path, {
				body: { apiVersion: "authorization.k8s.io/v1", kind, spec },
				headers: as === undefined ? {} : { "impersonate-user": as },
			});
		const resourceAttributes = { verb: "get", resource: "pods", namespace: "default" };
		const self = await ask(`${group}/selfsubjectaccessreviews`, "SelfSubjectAccessReview", { resourceAttributes });
		assert.equal(self.status, 201);
		assert.equal(self.body.status.allowed, true);
		const bob = await ask(
			`${group}/selfsubjectaccessreviews`,
			"SelfSubjectAccessReview",
			{ resourceAttributes },
			"bob",
		);
		assert.equal(bob.body.status.allowed, false);
		const other = await ask(`${group}/subjectaccessreviews`, "SubjectAccessReview", {
			user: "bob",
			resourceAttributes,
		});
		assert.equal(other.body.status.allowed, false);
		const local = await ask(`${group}/namespaces/default/localsubjectaccessreviews`, "LocalSubjectAccessReview", {
			user: "x",
			groups: ["system:masters"],
			resourceAttributes,
		});
		assert.equal(local.body.status.allowed, true);
		const rules = await ask(
			`${group}/selfsubjectrulesreviews`,
			"SelfSubjectRulesReview",
			{ namespace: "default" },
			"bob",
		);
		assert.ok(rules.body.status.resourceRules.length > 0);
		const neither = await ask(`${group}/selfsubjectaccessreviews`, "SelfSubjectAccessReview", {});
		assert.equal(neither.status, 422);
	});
});
