/** `barque up`, `status`, `kill`, `revive` and `down` as a person types them. */
import assert from "node:assert/strict";
import { access, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { configMaps } from "../../apiserver/client/resources.ts";
import { createApiClient } from "../../apiserver/client/rest.ts";
import type { ClusterStatus } from "../../cluster/status.ts";
import { startTimeOf } from "../../kit/process-table.ts";
import { runBarque } from "../barque.ts";

describe("barque up, status, kill, revive, down", function () {
	this.timeout(120_000);
	let folder: string;
	let dir: string;

	before(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-command-"));
		dir = path.join(folder, "cluster");
	});
	after(async () => {
		await barque("down", "--dir", dir, "--purge");
		await rm(folder, { recursive: true, force: true });
	});

	const barque = (...args: string[]) => runBarque(args, { cwd: folder });
	const up = () =>
		barque("up", "--dir", dir, "--masters", "1", "--nodes", "1", "--port", "0", "--runtime", "hollow", "--detach");
	const status = async () =>
		JSON.parse((await barque("status", "--dir", dir, "--output", "json")).stdout) as ClusterStatus;

	it("says what to do where there is no cluster", async () => {
		for (const command of ["status", "down"]) {
			const { code, stderr } = await barque(command, "--dir", dir);
			assert.equal(code, 1);
			assert.match(stderr, /no cluster in .*: start one with "barque up --dir /);
		}
	});

	it("refuses what it does not know, naming it", async () => {
		assert.match(
			(await barque("up", "--masters", "2")).stderr,
			/invalid argument "2" for "--masters": must be one of 1, 3, 5/,
		);
		assert.match((await barque("up", "--master", "3")).stderr, /unknown flag: --master \(did you mean --masters\?\)/);
		const unknown = await barque("sail");
		assert.equal(unknown.code, 2);
		assert.match(unknown.stderr, /unknown command "sail"; "barque help" lists them/);
		assert.match((await barque("up", "--help")).stdout, /Examples:\n {2}barque up\n/);
	});

	it("starts, tells the time it took and what to type, and keeps secrets to the owner", async () => {
		const { code, stderr } = await up();
		assert.equal(code, 0, stderr);
		assert.match(stderr, /barque: ready in \d+\.\d s \(from start to every node Ready\)/);
		assert.ok(stderr.includes(`export KUBECONFIG=${dir}/admin.kubeconfig`));
		for (const file of ["admin.kubeconfig", "pki/cluster-ca.key", "pki/service-account.key", "endpoints.json"]) {
			assert.equal((await stat(path.join(dir, file))).mode & 0o077, 0, file);
		}
		for (const part of ["master-1-store", "master-1-apiserver", "node-1-kubelet", "balancer"]) {
			const pid = Number(await readFile(path.join(dir, "run", `${part}.pid`), "utf8"));
			assert.ok(process.kill(pid, 0), part);
		}
		const shown = await status();
		assert.ok(shown.healthy, JSON.stringify(shown, null, 2));
		assert.equal(shown.storeLeader, "master-1");
		assert.match((await up()).stderr, /a cluster runs in .* already/);
	});

	it("serves metrics of controllers and scheduler under upstream's names", async () => {
		const { parts } = await status();
		for (const part of ["controller-manager", "scheduler"]) {
			const server = parts.find(({ name }) => name === `master-1-${part}`)?.url;
			const client = createApiClient({
				server: server ?? "",
				ca: await readFile(path.join(dir, "pki/cluster-ca.crt")),
			});
			const text = (await client.raw("GET", "/metrics")).body.toString("utf8");
			await client.close();
			const expected = [
				"kubernetes_build_info",
				"rest_client_requests_total",
				"rest_client_request_duration_seconds_sum",
			];
			if (part === "controller-manager") {
				for (const name of ["replicaset", "endpoint_slice", "ttl_jobs_to_delete"]) {
					expected.push(`workqueue_depth{name="${name}"}`, `workqueue_adds_total{name="${name}"}`);
				}
			}
			for (const name of expected) assert(text.includes(`\n${name}`), `${part}: ${name}`);
			assert(text.includes("\n# TYPE workqueue_queue_duration_seconds histogram"), part);
		}
	});

	it("kills a master with everything on it, and revives it on the same ports", async () => {
		const before = await status();
		assert.match((await barque("kill", "master-9", "--dir", dir)).stderr, /no master "master-9": there are master-1/);
		const killed = await barque("kill", "master-1", "--dir", dir);
		assert.match(
			killed.stdout,
			/^killed master-1-store, master-1-apiserver, master-1-controller-manager, master-1-scheduler\n$/,
		);
		assert.equal((await barque("status", "--dir", dir)).code, 1);
		const revived = await barque("revive", "master-1", "--dir", dir);
		assert.match(revived.stdout, /^master-1 ready after \d+\.\d s\n$/);
		const urls = (of: ClusterStatus) => of.parts.map((part) => part.url);
		assert.deepEqual(urls(await status()), urls(before));
	});

	it("keeps the state over down and up, until purged", async () => {
		const client = () => createApiClient({ kubeconfig: path.join(dir, "admin.kubeconfig") });
		const first = client();
		await first.resource(configMaps).create("default", { metadata: { name: "kept" }, data: { a: "b" } });
		await first.close();
		const { parts } = await status();
		const stopped = parts.filter((part) => part.pid === undefined).map((part) => part.name);
		assert.deepEqual(stopped, []);
		const pids = parts.map((part) => part.pid ?? 0);
		assert.equal((await barque("down", "--dir", dir)).code, 0);
		for (const pid of pids) assert.equal(startTimeOf(pid), undefined, `process ${pid} has ended`);
		assert.equal((await up()).code, 0);
		const second = client();
		assert.deepEqual((await second.resource(configMaps).get("default", "kept")).data, { a: "b" });
		await second.close();
		assert.equal((await barque("down", "--dir", dir, "--purge")).code, 0);
		await assert.rejects(access(dir), { code: "ENOENT" });
	});
});
