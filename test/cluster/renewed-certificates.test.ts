/** A whole cluster that outlives its certificates: it renews them, and every part takes them up without a restart. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import tls from "node:tls";
import { configMaps, nodes } from "../../apiserver/client/resources.ts";
import { createApiClient } from "../../apiserver/client/rest.ts";
import type { ConfigMap, Node, Pod } from "../../apiserver/scheme/types.gen.ts";
import { runningPid } from "../../cluster/processes.ts";
import { type Cluster, startCluster } from "../../cluster/start-cluster.ts";
import { eventually } from "../until.ts";

const lifetimeMs = 45_000;
const dayMs = 86_400_000;
const pods = { group: "", version: "v1", resource: "pods" };

/** When the certificate that is shown there ends, ms since the epoch. */
function shownUntil(url: string, pair: { cert: string; key: string }): Promise<number> {
	const { hostname, port } = new URL(url);
	return new Promise((resolve, reject) => {
		const socket = tls.connect({ host: hostname, port: Number(port), ...pair, rejectUnauthorized: false }, () => {
			resolve(Date.parse(socket.getPeerCertificate().valid_to));
			socket.destroy();
		});
		socket.once("error", reject);
	});
}

describe("a cluster whose certificates end", function () {
	this.timeout(180_000);
	let cluster: Cluster;
	let began: number;

	before(async () => {
		began = performance.now();
		cluster = await startCluster({ masters: 3, nodes: 1, certificateDays: lifetimeMs / dayMs });
	});
	after(async () => {
		await cluster?.stop();
	});

	const pair = (name: string) => {
		const read = (kind: string) => readFileSync(path.join(cluster.dir, "pki", `${name}.${kind}`), "utf8");
		return { cert: read("crt"), key: read("key") };
	};
	const listeners = (): readonly (readonly [string, string, { cert: string; key: string }])[] => [
		...cluster.endpoints.masters.flatMap(({ name, store, apiserver, controllerManager, scheduler }) => [
			[`${name}'s peers`, store.peerUrl, pair(`${name}-store-peer`)] as const,
			[`${name}'s store`, store.clientUrl, pair("apiserver-store-client")] as const,
			[`${name}'s apiserver`, apiserver.url, pair("admin")] as const,
			[`${name}'s controller-manager`, controllerManager.url, pair("admin")] as const,
			[`${name}'s scheduler`, scheduler.url, pair("admin")] as const,
		]),
		["the kubelet", cluster.endpoints.nodes[0]!.kubelet.url, pair("admin")],
	];

	it("lives on past their end, with no part started anew", async () => {
		const { dir, endpoints } = cluster;
		const unchanged = [
			"master-1-store",
			"master-2-store",
			"master-1-apiserver",
			"master-2-apiserver",
			"node-1-kubelet",
		];
		const pids = await Promise.all(unchanged.map((part) => runningPid(dir, part)));
		const spec = { containers: [{ name: "c", image: "any", command: ["/bin/sh", "-c", "echo said; sleep 600"] }] };
		await cluster.client.resource<Pod>(pods).create("default", { metadata: { name: "speaker" }, spec });
		await delay(Math.max(0, began + lifetimeMs + 5_000 - performance.now()));

		for (const [what, url, credentials] of listeners()) {
			assert.ok((await shownUntil(url, credentials)) > Date.now(), `${what} shows a certificate that has ended`);
		}
		// The last master's parts link to those that have run all the time, both ways, and one of these is a majority with it.
		await cluster.killMaster("master-3");
		await cluster.reviveMaster("master-3");
		await cluster.killMaster("master-2");
		const fresh = createApiClient({ kubeconfig: endpoints.adminKubeconfig });
		try {
			for (const [i, client] of [cluster.client, cluster.masterClients[0]!, fresh].entries()) {
				await client.resource<ConfigMap>(configMaps).create("default", { metadata: { name: `c-${i}` }, data: {} });
			}
			const said = await fresh.raw("GET", "/api/v1/namespaces/default/pods/speaker/log");
			assert.equal(`${said.status} ${said.body.toString("utf8")}`, "200 said\n");
		} finally {
			await fresh.close();
		}
		// Agents, too: the node reports itself, which it does with its own certificate.
		const heardAt = async () => {
			const node = await cluster.client.resource<Node>(nodes).get("", "node-1");
			const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
			return ready?.status === "True" ? Date.parse(ready.lastHeartbeatTime ?? "") : 0;
		};
		await eventually("the node is ready", async () => (await heardAt()) > 0);
		assert.ok(pids.every((pid) => pid !== undefined));
		const after = await Promise.all(unchanged.map((part) => runningPid(dir, part)));
		for (const [i, part] of unchanged.entries()) {
			if (!part.startsWith("master-2")) assert.equal(after[i], pids[i], `${part} was started anew`);
		}
	});
});
