/**
 * Durable puts on three members each of Barque's store and of etcd, in turns on the same machine: prints both and their
 * ratio. `node bench/compare-put.ts [--rounds 3]`. Needs `etcd` and `go` on the path (the load on etcd is its own Go client).
 */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launcher } from "../cluster/launcher.ts";
import { StoreProcesses } from "../cluster/store-processes.ts";
import { parseCommand } from "../kit/flags.ts";
import { type EtcdMembers, startEtcd } from "./etcd.ts";

interface Load {
	readonly name: string;
	readonly connections: number;
	readonly clients: number;
	readonly total: number;
}

interface Measured {
	readonly putsPerSecond: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
}

const loads: readonly Load[] = [
	{ name: "1 client", connections: 1, clients: 1, total: 2_000 },
	{ name: "100 connections, 1,000 clients", connections: 100, clients: 1_000, total: 60_000 },
];
const sizes = ["--key-size=8", "--val-size=256", "--key-space-size=100000"];

function output(command: string, args: readonly string[], cwd?: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"], ...(cwd === undefined ? {} : { cwd }) });
		let text = "";
		child.stdout.on("data", (chunk: Buffer) => {
			text += chunk.toString("utf8");
		});
		child.once("error", reject);
		child.once("close", (code) => (code === 0 ? resolve(text) : reject(new Error(`${command}: exit code ${code}`))));
	});
}

async function buildEtcdLoad(folder: string): Promise<string> {
	await mkdir(folder, { recursive: true });
	await cp(path.join(import.meta.dirname, "peers", "etcd"), folder, { recursive: true });
	await output("go", ["mod", "tidy"], folder);
	await output("go", ["build", "-o", "etcd-put", "."], folder);
	return path.join(folder, "etcd-put");
}

const flagsOf = (load: Load, endpoints: readonly string[]) => [
	`--endpoints=${endpoints.join(",")}`,
	`--connections=${load.connections}`,
	`--clients=${load.clients}`,
	`--total=${load.total}`,
	...sizes,
];

async function measureBarque(load: Load, endpoints: readonly string[]): Promise<Measured> {
	const args = [launcher, "bench", "put", ...flagsOf(load, endpoints), "--output=json"];
	const result = JSON.parse(await output(process.execPath, args)) as {
		perSecond: number;
		latency: { p50Ms: number; p99Ms: number };
	};
	return { putsPerSecond: result.perSecond, p50Ms: result.latency.p50Ms, p99Ms: result.latency.p99Ms };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const medianOf = (runs: readonly Measured[]): Measured => ({
	putsPerSecond: median(runs.map((run) => run.putsPerSecond)),
	p50Ms: median(runs.map((run) => run.p50Ms)),
	p99Ms: median(runs.map((run) => run.p99Ms)),
});
const shown = (m: Measured) =>
	`${Math.round(m.putsPerSecond)}/s, p50 ${m.p50Ms.toFixed(2)} ms, p99 ${m.p99Ms.toFixed(1)} ms`;

export async function comparePut(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(
		{
			name: "bench/compare-put.ts",
			summary: "Durable puts on Barque's store and on etcd, three members each, in turns.",
			flags: { rounds: { type: "integer", default: 3, min: 1, max: 100, help: "Turns; medians are shown." } } as const,
			examples: ["node bench/compare-put.ts --rounds 5"],
		},
		argv,
	);
	if ("exit" in parsed) return parsed.exit;
	const folder = await mkdtemp(path.join(tmpdir(), "barque-compare-"));
	const store = await StoreProcesses.create(3);
	let etcd: EtcdMembers | undefined;
	try {
		process.stderr.write("building the load for etcd ...\n");
		const etcdPut = await buildEtcdLoad(path.join(folder, "load"));
		await store.startAll();
		etcd = await startEtcd(folder);
		for (const load of loads) {
			const runs = { barque: [] as Measured[], etcd: [] as Measured[] };
			for (let round = 1; round <= parsed.values.rounds; round++) {
				process.stderr.write(`${load.name}: round ${round} of ${parsed.values.rounds}\n`);
				runs.barque.push(await measureBarque(load, store.endpoints));
				runs.etcd.push(JSON.parse(await output(etcdPut, flagsOf(load, etcd.endpoints))) as Measured);
			}
			const [barque, peer] = [medianOf(runs.barque), medianOf(runs.etcd)];
			process.stdout.write(
				`${load.name}\n  barque  ${shown(barque)}\n  etcd    ${shown(peer)}\n  ratio   ${(barque.putsPerSecond / peer.putsPerSecond).toFixed(2)} × puts/s, ${(barque.p50Ms / peer.p50Ms).toFixed(2)} × p50\n`,
			);
		}
		return 0;
	} finally {
		await etcd?.close();
		await store.close();
		await rm(folder, { recursive: true, force: true });
	}
}

if (import.meta.main) process.exitCode = await comparePut(process.argv.slice(2));
