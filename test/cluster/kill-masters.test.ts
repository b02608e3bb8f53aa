/** Every master in turn is killed with SIGKILL and revived while clients write through the balancer. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { configMaps, leases } from "../../apiserver/client/resources.ts";
import type { ConfigMap, Lease } from "../../apiserver/scheme/types.gen.ts";
import { type Cluster, startCluster } from "../../cluster/start-cluster.ts";
import { ConfigMapWriter, findLost } from "./config-map-writer.ts";

const namespace = "default";
const clients = 4;
const writesBetween = 60;
const patienceMs = 60_000;
const fastElection = [
	"--leader-elect-lease-duration=4s",
	"--leader-elect-renew-deadline=3s",
	"--leader-elect-retry-period=500ms",
];

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
	const deadline = performance.now() + patienceMs;
	while (!(await holds())) {
		if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
		await delay(50);
	}
}

describe("chaos: kill every master in turn", function () {
	this.timeout(240_000);
	let cluster: Cluster;

	before(async () => {
		cluster = await startCluster({
			masters: 3,
			nodes: 1,
			runtime: "hollow",
			extraArgs: { "controller-manager": fastElection, scheduler: fastElection },
		});
	});
	after(async () => {
		await cluster?.stop();
	});

	async function holders(): Promise<Record<string, string>> {
		const list = await cluster.client.resource<Lease>(leases).list("kube-system");
		const held = list.items.map((lease) => [lease.metadata.name ?? "", lease.spec?.holderIdentity ?? ""] as const);
		return Object.fromEntries(held.filter(([name]) => /^kube-(scheduler|controller-manager)$/.test(name)));
	}

	it("loses no acknowledged write, keeps replicas equal, and moves the leaders", async () => {
		const writers = Array.from(
			{ length: clients },
			(_, i) => new ConfigMapWriter(cluster.client, { namespace, prefix: `w${i}`, names: 20 }),
		);
		const total = () => writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
		await until("leaders elected", async () => Object.keys(await holders()).length === 2);
		const firstHolders = await holders();
		for (const writer of writers) writer.start();
		for (const { name } of cluster.endpoints.masters) {
			const before = total();
			await until("writes before the kill", () => total() > before + writesBetween);
			await cluster.killMaster(name);
			const after = total();
			await until(`writes resume without ${name}`, () => total() > after + writesBetween);
			await until("leaders lead", async () => {
				const now = await holders();
				return Object.values(now).every((holder) => holder !== "");
			});
			await cluster.reviveMaster(name);
		}
		const reports = await Promise.all(writers.map((writer) => writer.stop()));
		const gap = Math.max(...reports.map((report) => report.longestGapMs));
		const failed = reports.reduce((sum, report) => sum + report.failed, 0);
		process.stdout.write(
			`    ${total()} writes acknowledged, ${failed} refused or unknown, longest gap ${(gap / 1000).toFixed(2)} s\n`,
		);

		const lists = await Promise.all(
			cluster.masterClients.map((client) => client.resource<ConfigMap>(configMaps).list(namespace)),
		);
		for (const [i, list] of lists.entries()) {
			for (const report of reports) assert.deepEqual(findLost(report, list.items), [], `replica ${i + 1}`);
		}
		const resourceVersion = lists[0]?.metadata.resourceVersion ?? "";
		const exact = await Promise.all(
			cluster.masterClients.map(async (client) => {
				const path = `/api/v1/namespaces/${namespace}/configmaps?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
				const { status, body } = await client.raw("GET", path);
				assert.equal(status, 200, body.toString("utf8"));
				return body.toString("utf8");
			}),
		);
		assert.equal(exact[1], exact[0]);
		assert.equal(exact[2], exact[0]);

		await until("both leaders have moved", async () => {
			const now = await holders();
			return Object.entries(firstHolders).every(([name, holder]) => now[name] !== holder && now[name] !== "");
		});
	});
});
