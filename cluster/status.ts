/** `barque status`: what runs, where, and how it is. */

import type { Lease, Node } from "../apiserver/scheme/types.gen.ts";
import { greatest } from "../kit/lists.ts";
import { adminClient } from "./cluster.ts";
import { allParts } from "./compose.ts";
import type { Layout } from "./layout.ts";
import { runningPid } from "./processes.ts";

export interface PartStatus {
	readonly name: string;
	readonly url: string;
	/** Absent: not running. */
	readonly pid?: number;
	/** The answer of its health endpoint, where it has one we can ask. */
	readonly health?: string;
}

export interface ClusterStatus {
	readonly dir: string;
	readonly healthy: boolean;
	readonly storeLeader?: string;
	readonly controllerManagerLeader?: string;
	readonly schedulerLeader?: string;
	readonly parts: readonly PartStatus[];
	readonly nodes: ReadonlyArray<{ readonly name: string; readonly ready: boolean }>;
}

const askMs = 2_000;

function urlsOf(layout: Layout): Map<string, string> {
	const urls = new Map([["balancer", layout.balancer.url]]);
	for (const master of layout.masters) {
		urls.set(`${master.name}-store`, master.store.clientUrl);
		urls.set(`${master.name}-apiserver`, master.apiserver.url);
		urls.set(`${master.name}-controller-manager`, master.controllerManager.url);
		urls.set(`${master.name}-scheduler`, master.scheduler.url);
	}
	for (const node of layout.nodes) urls.set(`${node.name}-kubelet`, node.kubelet.url);
	return urls;
}

async function storeMetrics(url: string): Promise<{ health: string; leads: boolean }> {
	const get = async (path: string) => fetch(`${url}${path}`, { signal: AbortSignal.timeout(askMs) });
	try {
		const [health, metrics] = await Promise.all([get("/health"), get("/metrics")]);
		const text = await metrics.text();
		return { health: health.ok ? "ok" : await health.text(), leads: /^etcd_server_is_leader(\{.*\})? 1$/m.test(text) };
	} catch (error) {
		return { health: error instanceof Error ? error.message : String(error), leads: false };
	}
}

async function apiserverHealth(layout: Layout, url: string): Promise<string> {
	const client = adminClient(layout, url);
	try {
		const { status, body } = await client.raw("GET", "/readyz", undefined, AbortSignal.timeout(askMs));
		return status === 200 ? "ok" : body.toString("utf8").trim();
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	} finally {
		await client.close();
	}
}

async function viaApi(
	layout: Layout,
): Promise<Pick<ClusterStatus, "nodes" | "controllerManagerLeader" | "schedulerLeader">> {
	const client = adminClient(layout);
	try {
		const nodes = await client.resource<Node>({ group: "", version: "v1", resource: "nodes" }).list("");
		const leases = client.resource<Lease>({ group: "coordination.k8s.io", version: "v1", resource: "leases" });
		const held = new Map(
			(await leases.list("kube-system")).items.map((lease) => [lease.metadata.name, lease.spec?.holderIdentity]),
		);
		const controllerManagerLeader = held.get("kube-controller-manager");
		const schedulerLeader = held.get("kube-scheduler");
		return {
			nodes: nodes.items.map((node) => ({
				name: node.metadata.name ?? "",
				ready: (node.status?.conditions ?? []).some((c) => c.type === "Ready" && c.status === "True"),
			})),
			...(controllerManagerLeader ? { controllerManagerLeader } : {}),
			...(schedulerLeader ? { schedulerLeader } : {}),
		};
	} catch {
		// No apiserver answers: the parts' own lines say so.
		return { nodes: [] };
	} finally {
		await client.close();
	}
}

export async function clusterStatus(dir: string, layout: Layout): Promise<ClusterStatus> {
	const urls = urlsOf(layout);
	let storeLeader: string | undefined;
	const parts = await Promise.all(
		allParts(dir, layout).map(async (part): Promise<PartStatus> => {
			const url = urls.get(part.name) ?? "";
			const pid = await runningPid(dir, part.name);
			if (pid === undefined) return { name: part.name, url };
			const master = layout.masters.find((candidate) => part.name.startsWith(`${candidate.name}-`));
			if (part.command === "store" && master !== undefined) {
				const { health, leads } = await storeMetrics(master.store.metricsUrl);
				if (leads) storeLeader = master.name;
				return { name: part.name, url, pid, health };
			}
			if (part.command === "apiserver")
				return { name: part.name, url, pid, health: await apiserverHealth(layout, url) };
			return { name: part.name, url, pid };
		}),
	);
	const api = await viaApi(layout);
	return {
		dir,
		healthy:
			parts.every((part) => part.pid !== undefined && (part.health ?? "ok") === "ok") &&
			layout.nodes.every((node) => api.nodes.some((seen) => seen.name === node.name && seen.ready)),
		...(storeLeader === undefined ? {} : { storeLeader }),
		...api,
		parts,
	};
}

/** Columns for people. */
export function renderStatus(status: ClusterStatus): string {
	const rows = [["PART", "PID", "HEALTH", "ADDRESS"]];
	for (const part of status.parts) {
		rows.push([
			part.name,
			part.pid?.toString() ?? "-",
			part.pid === undefined ? "not running" : (part.health ?? "running"),
			part.url,
		]);
	}
	const widths = [0, 1, 2].map((column) => greatest(rows.map((row) => (row[column] ?? "").length)));
	const lines = rows.map((row) =>
		row
			.map((cell, i) => cell.padEnd(widths[i] ?? 0))
			.join("   ")
			.trimEnd(),
	);
	const leaders = [
		`store leader:              ${status.storeLeader ?? "none"}`,
		`controller-manager leader: ${status.controllerManagerLeader ?? "none"}`,
		`scheduler leader:          ${status.schedulerLeader ?? "none"}`,
		`nodes ready:               ${status.nodes.filter((node) => node.ready).length} of ${status.nodes.length}`,
	];
	return `${lines.join("\n")}\n\n${leaders.join("\n")}\n`;
}
