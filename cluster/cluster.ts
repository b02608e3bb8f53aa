/** What one can do with a cluster on this machine: start it, wait until it is ready, kill and revive masters, stop it. */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { killLeftovers } from "../agents/kubelet/leftovers.ts";
import { serviceAccounts } from "../apiserver/client/resources.ts";
import { createApiClient } from "../apiserver/client/rest.ts";
import type { ApiClient } from "../apiserver/client/types.ts";
import type { KubeObject } from "../apiserver/scheme/object.ts";
import type { Node } from "../apiserver/scheme/types.gen.ts";
import { makeCertificates, renewCertificates } from "./certificates.ts";
import { allParts, kubeletPart, masterPartsOf } from "./compose.ts";
import {
	begunFile,
	findLayout,
	type Layout,
	type LayoutOptions,
	type MasterEndpoints,
	planLayout,
	saveLayout,
} from "./layout.ts";
import { releasePorts } from "./ports.ts";
import { knownParts, type Launch, logTail, type Part, runningPid, startPart, stopPart } from "./processes.ts";

const pollMs = 25;
/** Between looks whether parts have died. */
const lookMs = 250;
const readyTimeoutMs = 60_000;
const stopGraceMs = 5_000;

/** Called at each milestone with a text for people. */
export type Progress = (message: string) => void;

/** The layout of `dir`, made with keys and certificates when the directory is new; its ports are kept while this process lives, or until `bringDown`. */
export async function prepare(options: LayoutOptions, progress: Progress): Promise<Layout> {
	await mkdir(options.dir, { recursive: true, mode: 0o700 });
	const existing = await findLayout(options.dir);
	if (existing !== undefined) {
		if (existing.masters.length !== options.masters || existing.nodes.length !== options.nodes) {
			throw new Error(
				`${options.dir} holds a cluster of ${existing.masters.length} masters and ${existing.nodes.length} nodes: give the same --masters and --nodes, another --dir, or remove it with "barque down --purge --dir ${options.dir}"`,
			);
		}
		await renew(options.dir, existing, progress);
		return existing;
	}
	try {
		const layout = await planLayout(options);
		await makeCertificates(options.dir, layout);
		await saveLayout(options.dir, layout);
		progress("keys and certificates made");
		return layout;
	} catch (error) {
		releasePorts(options.dir);
		throw error;
	}
}

/** A store member that has begun must not take an empty directory for a new member's. */
function withState(dir: string, part: Part): Part {
	if (part.command !== "store" || !existsSync(begunFile(dir, part.name))) return part;
	return { ...part, args: [...part.args, "--initial-cluster-state=existing"] };
}

/** These masters' store members follow a leader, so they have begun. */
async function markBegun(dir: string, masters: readonly MasterEndpoints[]): Promise<void> {
	for (const { name } of masters) {
		const file = begunFile(dir, `${name}-store`);
		await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
		await writeFile(file, "");
	}
}

/** So that a cluster may stand still for longer than its certificates last. */
async function renew(dir: string, layout: Layout, progress: Progress): Promise<void> {
	const { renewed, endingAuthorities } = await renewCertificates(dir, layout, Date.now());
	if (renewed > 0) progress(`${renewed} certificates renewed`);
	for (const { file, ends } of endingAuthorities) progress(`${file} ends on ${ends.toISOString().slice(0, 10)}`);
}

/** Starts the parts that do not run already. */
export async function startParts(dir: string, parts: readonly Part[], launch?: Launch): Promise<void> {
	const starts = parts.map(async (part) => {
		if ((await runningPid(dir, part.name)) === undefined) await startPart(dir, withState(dir, part), launch);
	});
	// The clean-up after a failure must find every process that was started.
	for (const start of await Promise.allSettled(starts)) if (start.status === "rejected") throw start.reason;
}

/** The admin's client, which takes up renewed credentials. */
export function adminClient(layout: Layout, server = layout.balancer.url): ApiClient {
	return createApiClient({ kubeconfig: layout.adminKubeconfig, server, userAgent: "barque" });
}

/** Polls `check` until it holds; fails early, with its log, when a part has died. */
async function waitFor(
	what: string,
	dir: string,
	parts: readonly string[],
	timeoutMs: number,
	check: () => Promise<boolean>,
): Promise<void> {
	const deadline = performance.now() + timeoutMs;
	let lastError: unknown;
	let looked = performance.now();
	while (performance.now() < deadline) {
		try {
			if (await check()) return;
		} catch (error) {
			lastError = error;
		}
		if (performance.now() - looked > lookMs) {
			looked = performance.now();
			for (const part of parts) {
				if ((await runningPid(dir, part)) !== undefined) continue;
				throw new Error(`${part} ended while waiting for ${what}; its log ends:\n${await logTail(dir, part)}`);
			}
		}
		await delay(pollMs);
	}
	const why = lastError instanceof Error ? ` (last error: ${lastError.message})` : "";
	throw new Error(`${what} not ready after ${timeoutMs / 1000} s${why}; see the logs in ${path.join(dir, "logs")}`);
}

async function isReady(client: ApiClient): Promise<boolean> {
	const response = await client.raw("GET", "/readyz", undefined, AbortSignal.timeout(2_000));
	return response.status === 200;
}

/** The member itself follows a leader; an apiserver may be ready through another one. A full one runs as well. */
async function isStoreHealthy(master: MasterEndpoints): Promise<boolean> {
	const response = await fetch(`${master.store.metricsUrl}/health?exclude=NOSPACE`, {
		signal: AbortSignal.timeout(2_000),
	});
	await response.body?.cancel();
	return response.ok;
}

/** Waits until these masters' store members follow a leader and their apiservers answer /readyz. */
export async function waitForMasters(dir: string, layout: Layout, masters: readonly MasterEndpoints[]): Promise<void> {
	await Promise.all(
		masters.map(async (master) => {
			const client = adminClient(layout, master.apiserver.url);
			try {
				const parts = [`${master.name}-store`, `${master.name}-apiserver`];
				await waitFor(
					`${master.name}'s store member and apiserver`,
					dir,
					parts,
					readyTimeoutMs,
					async () => (await isStoreHealthy(master)) && (await isReady(client)),
				);
			} finally {
				await client.close();
			}
		}),
	);
	await markBegun(dir, masters);
}

/** Waits until what a master runs besides store and apiserver is there, leading or not. */
async function waitForAgents(dir: string, layout: Layout, masters: readonly MasterEndpoints[]): Promise<void> {
	const agents = masters.flatMap(({ name, controllerManager, scheduler }) => [
		{ part: `${name}-controller-manager`, url: controllerManager.url },
		{ part: `${name}-scheduler`, url: scheduler.url },
	]);
	await Promise.all(
		agents.map(async ({ part, url }) => {
			const client = adminClient(layout, url);
			try {
				await waitFor(part, dir, [part], readyTimeoutMs, async () => {
					const { status } = await client.raw("GET", "/healthz", undefined, AbortSignal.timeout(2_000));
					return status === 200;
				});
			} finally {
				await client.close();
			}
		}),
	);
}

const isNodeReady = (node: KubeObject<Node>) =>
	(node.status?.conditions ?? []).some((condition) => condition.type === "Ready" && condition.status === "True");

/** Waits until every node of the layout is Ready, through the balancer. */
export async function waitForNodes(dir: string, layout: Layout): Promise<void> {
	const client = adminClient(layout);
	try {
		const nodes = client.resource<Node>({ group: "", version: "v1", resource: "nodes" });
		const parts = ["balancer", ...layout.nodes.map((node) => `${node.name}-kubelet`)];
		await waitFor("nodes", dir, parts, readyTimeoutMs, async () => {
			const ready = new Set((await nodes.list("")).items.filter(isNodeReady).map((node) => node.metadata.name));
			return layout.nodes.every((node) => ready.has(node.name));
		});
	} finally {
		await client.close();
	}
}

/** Waits until pods can be created: without its default service account a namespace refuses them. */
async function waitForServiceAccount(dir: string, layout: Layout): Promise<void> {
	const client = adminClient(layout);
	try {
		const accounts = client.resource(serviceAccounts);
		await waitFor("the default service account", dir, ["balancer"], readyTimeoutMs, async () => {
			await accounts.get("default", "default");
			return true;
		});
	} finally {
		await client.close();
	}
}

/** They have nothing to do before an apiserver answers; starting them later leaves the processors to what they wait for. */
const followers: readonly string[] = ["controller-manager", "scheduler"];

/** Starts everything and waits until the nodes are Ready. On failure nothing is left running. */
export async function bringUp(dir: string, layout: Layout, progress: Progress, launch?: Launch): Promise<void> {
	try {
		const parts = allParts(dir, layout);
		const isFollower = (part: Part) => followers.includes(part.command);
		const first = parts.filter((part) => !isFollower(part));
		await startParts(dir, first, launch);
		progress(`${first.length} processes started: stores, apiservers, balancer, kubelets`);
		await waitForMasters(dir, layout, layout.masters);
		progress(`${layout.masters.length} apiservers ready, the store has a leader`);
		await startParts(dir, parts.filter(isFollower), launch);
		progress("controller-managers and schedulers started");
		const agents = waitForAgents(dir, layout, layout.masters);
		await Promise.all([agents, waitForNodes(dir, layout), waitForServiceAccount(dir, layout)]);
		progress(`${layout.nodes.length} nodes Ready`);
	} catch (error) {
		await bringDown(dir, layout, { graceMs: 0 });
		throw error;
	}
}

export function masterOf(layout: Layout, name: string): MasterEndpoints {
	const master = layout.masters.find((candidate) => candidate.name === name);
	if (master === undefined) {
		throw new Error(`no master ${JSON.stringify(name)}: there are ${layout.masters.map((m) => m.name).join(", ")}`);
	}
	return master;
}

/** SIGKILL to everything on the master, at once. Resolves to the names of what was running. */
export async function killMaster(dir: string, layout: Layout, name: string): Promise<string[]> {
	const parts = masterPartsOf(dir, layout, masterOf(layout, name));
	const killed = await Promise.all(parts.map(async (part) => ((await stopPart(dir, part.name, 0)) ? [part.name] : [])));
	return killed.flat();
}

/** Starts what does not run on the master and waits until its apiserver is ready and its agents run. */
export async function reviveMaster(dir: string, layout: Layout, name: string, launch?: Launch): Promise<void> {
	const master = masterOf(layout, name);
	await startParts(dir, masterPartsOf(dir, layout, master), launch);
	await waitForMasters(dir, layout, [master]);
	await waitForAgents(dir, layout, [master]);
}

/** SIGKILL to a node's kubelet; its pods' processes go on until it is revived or the cluster is brought down. */
export const killKubelet = (dir: string, name: string): Promise<boolean> => stopPart(dir, `${name}-kubelet`, 0);

export async function reviveKubelet(dir: string, layout: Layout, name: string, launch?: Launch): Promise<void> {
	const node = layout.nodes.find((candidate) => candidate.name === name);
	if (node === undefined) throw new Error(`no node ${JSON.stringify(name)}`);
	await startParts(dir, [kubeletPart(dir, layout, node)], launch);
}

/** Ends every part and every process a pod left behind. Kubelets go first, while they can still report their pods' end. */
export async function bringDown(dir: string, layout: Layout, options?: { readonly graceMs?: number }): Promise<void> {
	const graceMs = options?.graceMs ?? stopGraceMs;
	const parts = await knownParts(dir);
	const stopAll = (names: readonly string[]) => Promise.all(names.map((name) => stopPart(dir, name, graceMs)));
	const kubelets = parts.filter((name) => name.endsWith("-kubelet"));
	await stopAll(kubelets);
	await Promise.all(layout.nodes.map((node) => killLeftovers(path.join(dir, node.name))));
	const stores = parts.filter((name) => name.endsWith("-store"));
	await stopAll(parts.filter((name) => !kubelets.includes(name) && !stores.includes(name)));
	await stopAll(stores);
	releasePorts(dir);
}

/** Removes the cluster's directory: keys, data and logs. */
export const purge = (dir: string): Promise<void> => rm(dir, { recursive: true, force: true });
