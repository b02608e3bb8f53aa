// Real kubectl against nothing but the discovery and OpenAPI documents, served by a bare HTTP server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { skip } from "../../test/skip.ts";
import { openapiResponse } from "../openapi/openapi.ts";
import { findKubectls } from "../testing/kubectl.ts";
import { discoveryResponse } from "./discovery.ts";

const all = findKubectls();
/** The oldest, one in between and the newest: the others differ from them in nothing asserted here. */
const kubectls = [...new Set([all[0], all[Math.floor(all.length / 2)], all.at(-1)])].filter((k) => k !== undefined);

interface Result {
	readonly code: number;
	readonly out: string;
	readonly err: string;
}

describe("discovery and openapi: real kubectl", function () {
	this.timeout(60_000);
	let server: Server;
	let folder: string;
	let url: string;
	const seen: string[] = [];

	function answer(request: IncomingMessage, response: ServerResponse): void {
		const parsed = new URL(request.url ?? "/", url);
		seen.push(`${request.method} ${parsed.pathname}`);
		const found =
			request.method === "GET"
				? (discoveryResponse(parsed.pathname, request.headers.accept) ??
					openapiResponse(parsed.pathname, parsed.search.slice(1), request.headers.accept))
				: undefined;
		if (found === undefined) {
			response.writeHead(404, { "content-type": "application/json" });
			response.end('{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}');
			return;
		}
		response.writeHead(found.status, { "content-type": found.contentType, etag: found.etag, vary: "Accept" });
		response.end(found.body);
	}

	if (kubectls.length === 0) {
		it("needs a kubectl on the PATH", function () {
			skip(this, "no kubectl on the PATH");
		});
	}

	before((done) => {
		folder = mkdtempSync(path.join(os.tmpdir(), "barque-kubectl-"));
		server = createServer(answer);
		server.listen(0, "127.0.0.1", () => {
			url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
			done();
		});
	});

	after((done) => {
		rmSync(folder, { recursive: true, force: true });
		server.closeAllConnections();
		server.close(() => done());
	});

	function kubectl(binary: string, ...args: string[]): Promise<Result> {
		const home = path.join(folder, path.basename(binary));
		return new Promise((resolve) => {
			execFile(
				binary,
				["--server", url, "--cache-dir", home, ...args],
				{ env: { ...process.env, HOME: home, KUBECONFIG: "" } },
				(error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
			);
		});
	}

	async function ok(binary: string, ...args: string[]): Promise<string> {
		const { code, out, err } = await kubectl(binary, ...args);
		assert.equal(code, 0, `${args.join(" ")}: ${err}`);
		return out;
	}

	for (const binary of kubectls) {
		describe(path.basename(binary), () => {
			it("lists resources", async () => {
				const lines = (await ok(binary, "api-resources", "--no-headers"))
					.split("\n")
					.map((l) => l.trim().split(/\s+/).join(" "));
				assert.ok(lines.includes("pods po v1 true Pod"), lines.join("\n"));
				assert.ok(lines.includes("deployments deploy apps/v1 true Deployment"));
				assert.ok(lines.includes("namespaces ns v1 false Namespace"));
				assert.ok(lines.includes("clusterroles rbac.authorization.k8s.io/v1 false ClusterRole"));
				const inAll = await ok(binary, "api-resources", "--categories=all", "-o", "name");
				assert.deepEqual(inAll.trim().split("\n").sort(), [
					"deployments.apps",
					"jobs.batch",
					"pods",
					"replicasets.apps",
					"services",
				]);
				assert.match(await ok(binary, "api-versions"), /^apps\/v1$/m);
			});

			it("explains", async () => {
				const strategy = await ok(binary, "explain", "deploy.spec.strategy", "--recursive");
				assert.match(strategy, /rollingUpdate\s+<RollingUpdateDeployment>/);
				assert.match(strategy, /maxSurge\s+<IntOrString>/);
				const pod = await ok(binary, "explain", "pods.spec.containers");
				assert.match(pod, /name\s+<string> -required-/);
				assert.match(pod, /env\s+<\[\]EnvVar>/);
				assert.match(await ok(binary, "explain", "ns"), /VERSION:\s+v1/);
				const missing = await kubectl(binary, "explain", "deploy.spec.nothing");
				assert.notEqual(missing.code, 0);
				assert.match(missing.err, /field "nothing" does not exist/);
			});

			it("makes objects without a server's help", async () => {
				const yaml = await ok(binary, "create", "deployment", "web", "--image=nginx", "--dry-run=client", "-o", "yaml");
				assert.match(yaml, /kind: Deployment/);
			});

			it("finds that the server validates fields", async () => {
				seen.length = 0;
				const file = path.join(folder, `${path.basename(binary)}.json`);
				writeFileSync(file, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}');
				const { err } = await kubectl(binary, "create", "-f", file, "-n", "default");
				// The server has no objects: that the request was sent at all shows that validation was left to it.
				assert.match(err, /NotFound|could not find the requested resource/);
				assert.ok(seen.includes("POST /api/v1/namespaces/default/configmaps"), seen.join("\n"));
			});
		});
	}
});
