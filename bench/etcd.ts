/** Three members of a real etcd on loopback, to be measured beside ours. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { claimFreePorts, releasePorts } from "../cluster/ports.ts";

const readyMs = 15_000;
const size = 3;
const url = (port: number | undefined) => `http://127.0.0.1:${port}`;

async function end(child: ChildProcess): Promise<void> {
	if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
	const gone = new Promise((resolve) => child.once("exit", resolve));
	child.kill("SIGKILL");
	await gone;
}

/** Rejects when one of them ends, or cannot be started. */
function ending(children: readonly ChildProcess[]): Promise<never> {
	return new Promise((_, reject) => {
		for (const [i, child] of children.entries()) {
			child.once("error", reject);
			child.once("exit", (code, signal) =>
				reject(new Error(`etcd member e${i} ended: ${signal ?? `exit code ${code}`}`)),
			);
		}
	});
}

async function untilHealthy(endpoints: readonly string[], signal: AbortSignal): Promise<void> {
	const healthy = async (endpoint: string) => {
		const response = await fetch(`${endpoint}/health`, { signal }).catch(() => undefined);
		return response?.ok === true;
	};
	const deadline = performance.now() + readyMs;
	while (!(await Promise.all(endpoints.map(healthy))).every(Boolean)) {
		if (performance.now() > deadline) throw new Error("etcd did not become healthy");
		await delay(100, undefined, { signal });
	}
}

export interface EtcdMembers {
	/** Client URLs. */
	readonly endpoints: readonly string[];
	/** Process ids, in the same order. */
	readonly pids: readonly number[];
	close(): Promise<void>;
}

/** `program`: etcd, by path or looked up. Rejects, leaving nothing behind, when the members do not come up. */
export async function startEtcd(folder: string, program = "etcd"): Promise<EtcdMembers> {
	const ports = await claimFreePorts(folder, 2 * size, false);
	const members = Array.from({ length: size }, (_, i) => ({ client: url(ports[2 * i]), peer: url(ports[2 * i + 1]) }));
	const cluster = members.map(({ peer }, i) => `e${i}=${peer}`).join(",");
	const children = members.map(({ client, peer }, i): ChildProcess => {
		const args = ["--name", `e${i}`, "--data-dir", path.join(folder, `e${i}`), "--initial-cluster", cluster];
		const listen = ["--listen-client-urls", client, "--advertise-client-urls", client];
		const peers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
		return spawn(program, [...args, ...listen, ...peers, "--log-level", "error"], { stdio: "ignore" });
	});
	const endpoints = members.map(({ client }) => client);
	const close = async () => {
		await Promise.all(children.map(end));
		releasePorts(folder);
	};
	const settled = new AbortController();
	try {
		await Promise.race([untilHealthy(endpoints, settled.signal), ending(children)]);
	} catch (error) {
		settled.abort();
		await close();
		throw error;
	}
	return { endpoints, pids: children.map((child) => child.pid ?? 0), close };
}
