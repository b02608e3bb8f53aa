/**
 * A Docker engine of our own, for machines where none runs: in a network namespace of its own, so that it leaves the
 * machine's addresses and packet filters alone. Who talks to its containers must be in that namespace, too.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { launcher } from "../../cluster/launcher.ts";
import { cleanUpOnInterrupt, unlessInterrupted } from "./cleanup.ts";
import { connectDocker, loadTestcontainers, wantedEngine } from "./docker-client.ts";
import { isGone, ownerMark } from "./owner.ts";
import { MissingToolError } from "./place.ts";
import { Tasks } from "./tasks.ts";
import { requireRootAndTools, runTool, type Tools, toolEnvironment } from "./tools.ts";

const prefix = "barque-engine-";
const readyMs = 30_000;
const graceMs = 10_000;
const pollMs = 50;
/** What `startPrivateEngine` runs. */
export const engineTools: Tools = {
	dockerd: "docker.io",
	containerd: "containerd",
	iptables: "iptables",
	ip: "iproute2",
	nsenter: "util-linux",
	setpriv: "util-linux",
};

export interface PrivateEngine {
	/** For DOCKER_HOST. */
	readonly dockerHost: string;
	/** Name of the network namespace, as `ip netns` knows it. */
	readonly namespace: string;
	/** Everything the engine keeps. */
	readonly directory: string;
	/** The command that runs this one where the engine's networks are. */
	inside(program: string, args: readonly string[]): readonly [program: string, args: readonly string[]];
	/**
	 * Runs one there, with our terminal and DOCKER_HOST; resolves to its exit code, 3 where a signal ended it. An interruption
	 * of this process ends it before the engine and before us.
	 */
	run(program: string, args: readonly string[]): Promise<number>;
	/** Ends the engine and all its containers, and leaves nothing behind. */
	stop(): Promise<void>;
}

/**
 * Makes sure that a Docker engine can be used. Resolves to undefined where one answers here. Where none does, DOCKER_HOST
 * is not set, and this machine can run one: starts it, runs `barque chaos` with the same arguments where its networks are,
 * stops it, and resolves to the exit code. Throws MissingToolError where there is no way.
 */
export async function withEngine(argv: readonly string[]): Promise<number | undefined> {
	const testcontainers = await loadTestcontainers();
	try {
		await connectDocker(testcontainers);
		return undefined;
	} catch (error) {
		if (!(error instanceof MissingToolError) || wantedEngine() !== undefined) throw error;
		await requireEngineTools(error.message);
	}
	process.stderr.write("barque chaos: no Docker engine answers here: starting one for this run\n");
	const engine = await startPrivateEngine();
	try {
		return await engine.run(process.execPath, [launcher, "chaos", ...argv]);
	} finally {
		await engine.stop();
	}
}

async function requireEngineTools(found: string): Promise<void> {
	try {
		await requireRootAndTools("engines of our own", engineTools);
	} catch (error) {
		throw new MissingToolError(`${found}; ${(error as Error).message}`);
	}
}

/** Takes about half a second. Throws MissingToolError where this machine cannot run one. */
export async function startPrivateEngine(): Promise<PrivateEngine> {
	await requireRootAndTools("engines of our own", engineTools);
	await removeAbandoned();
	const directory = await mkdtemp(path.join(tmpdir(), prefix));
	await writeFile(path.join(directory, "owner"), ownerMark());
	const namespace = path.basename(directory);
	const dockerHost = `unix://${socketOf(directory)}`;
	const users = new Users();
	const starting = new Tasks();
	let stopping: Promise<void> | undefined;
	const stop = () => {
		stopping ??= removeEngine(directory).finally(takeBack);
		return stopping;
	};
	const takeBack = cleanUpOnInterrupt(async () => {
		await Promise.all([starting.close(), users.end()]);
		await stop();
	});
	try {
		await starting.do(() => startDaemon(directory, namespace, starting));
	} catch (error) {
		await stop();
		throw error;
	}
	const inside = (program: string, args: readonly string[]) =>
		["nsenter", [`--net=/var/run/netns/${namespace}`, program, ...args]] as const;
	const env = { ...process.env, DOCKER_HOST: dockerHost };
	const run = (program: string, args: readonly string[]) => {
		// If we are killed, it still cleans up; the engine is left to the next run.
		return users.run(inside("setpriv", ["--pdeathsig", "TERM", "--", program, ...args]), env);
	};
	return { dockerHost, namespace, directory, inside, run, stop };
}

/** Programs that use an engine, and clean up after themselves while it is there. */
class Users {
	readonly #children = new Map<ChildProcess, Promise<unknown>>();

	async run(command: readonly [program: string, args: readonly string[]], env: NodeJS.ProcessEnv): Promise<number> {
		await unlessInterrupted();
		// bounded: a pair.
		const child = spawn(...command, { stdio: "inherit", env });
		const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
		this.#children.set(child, ended);
		const [code, signal] = await ended;
		this.#children.delete(child);
		await unlessInterrupted();
		if (signal !== null) process.stderr.write(`barque chaos: the run ended by ${signal}\n`);
		return code ?? 3;
	}

	async end(): Promise<void> {
		for (const child of this.#children.keys()) child.kill("SIGTERM");
		await Promise.all(this.#children.values());
	}
}

async function ip(...args: readonly string[]): Promise<void> {
	await runTool({ program: "ip", args });
}

function socketOf(directory: string): string {
	return path.join(directory, "docker.sock");
}

/** Its session is its own: an interruption from the terminal reaches us first, and we end it. */
async function startDaemon(directory: string, namespace: string, tasks: Tasks): Promise<void> {
	await ip("netns", "add", namespace);
	await ip("-n", namespace, "link", "set", "lo", "up");
	const log = await open(path.join(directory, "log"), "w");
	const args = [
		`--data-root=${path.join(directory, "data")}`,
		`--exec-root=${path.join(directory, "exec")}`,
		`--pidfile=${path.join(directory, "pid")}`,
		`--host=unix://${socketOf(directory)}`,
		"--shutdown-timeout=1",
	];
	const daemon = spawn("nsenter", [`--net=/var/run/netns/${namespace}`, "dockerd", ...args], {
		stdio: ["ignore", log.fd, log.fd],
		detached: true,
		env: toolEnvironment(),
	});
	await log.close();
	daemon.unref();
	const deadline = performance.now() + readyMs;
	while (!(await answers(socketOf(directory)))) {
		if (tasks.isClosed) throw new Error("interrupted");
		if (daemon.exitCode !== null || daemon.signalCode !== null || performance.now() > deadline) {
			const words = (await readFile(path.join(directory, "log"), "utf8")).trimEnd().split("\n").slice(-5).join("\n");
			throw new MissingToolError(`this machine does not let us run a Docker engine:\n${words}`);
		}
		await delay(pollMs);
	}
}

function answers(socketPath: string): Promise<boolean> {
	return new Promise((resolve) => {
		const request = http.get({ socketPath, path: "/_ping", timeout: 1000, agent: false }, (response) => {
			response.resume();
			response.once("end", () => resolve(response.statusCode === 200));
			response.once("error", () => resolve(false));
		});
		request.once("timeout", () => request.destroy(new Error("no answer")));
		request.once("error", () => resolve(false));
	});
}

/** Engines whose makers died without a chance to stop them. */
async function removeAbandoned(): Promise<void> {
	for (const name of await readdir(tmpdir())) {
		if (!name.startsWith(prefix)) continue;
		const directory = path.join(tmpdir(), name);
		const mark = await readFile(path.join(directory, "owner"), "utf8").catch(() => undefined);
		if (mark !== undefined && isGone(mark)) await removeEngine(directory);
	}
}

/** Also of one that is half there. */
async function removeEngine(directory: string): Promise<void> {
	for (const { pid } of await processesOf(directory)) {
		if ((await commandLine(pid))[0]?.endsWith("dockerd") === true) await endGently(pid);
	}
	await killRest(directory);
	await unmountBelow(directory);
	await rm(directory, { recursive: true, force: true, maxRetries: 5 });
	const namespace = path.basename(directory);
	if ((await readdir("/var/run/netns").catch((): string[] => [])).includes(namespace)) {
		await ip("netns", "delete", namespace);
	}
}

async function endGently(pid: number): Promise<void> {
	signal(pid, "SIGTERM");
	const deadline = performance.now() + graceMs;
	while (signal(pid, 0) && performance.now() < deadline) await delay(pollMs);
}

/** False: there is no such process any more. */
function signal(pid: number, what: NodeJS.Signals | 0): boolean {
	try {
		return process.kill(pid, what);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
		throw error;
	}
}

async function killRest(directory: string): Promise<void> {
	const deadline = performance.now() + graceMs;
	for (;;) {
		const rest = await processesOf(directory);
		if (rest.length === 0) return;
		if (performance.now() > deadline) {
			throw new Error(`processes of ${directory} do not end: ${rest.map(({ pid }) => pid).join(", ")}`);
		}
		for (const { pid } of rest) signal(pid, "SIGKILL");
		await delay(pollMs);
	}
}

interface Process {
	readonly pid: number;
	readonly parent: number;
}

/** The engine's programs, which name its directory, and all below them: what containers run does not name it. */
async function processesOf(directory: string): Promise<Process[]> {
	const all = await allProcesses();
	const own = new Set<number>();
	for (const { pid } of all) {
		const [program = "", ...args] = await commandLine(pid);
		const isEngine = /^(dockerd|containerd)/.test(path.basename(program));
		if (isEngine && args.some((each) => each.includes(`${directory}/`))) own.add(pid);
	}
	for (let size = -1; size < own.size; ) {
		size = own.size;
		for (const { pid, parent } of all) if (own.has(parent)) own.add(pid);
	}
	return all.filter(({ pid }) => own.has(pid));
}

async function allProcesses(): Promise<Process[]> {
	const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
	const found = await Promise.all(
		pids.map(async (pid) => {
			// It may have ended since the folder was read.
			const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
			if (stat === undefined) return [];
			const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
			return state === "Z" ? [] : [{ pid, parent: Number(parent) }];
		}),
	);
	return found.flat();
}

async function commandLine(pid: number): Promise<string[]> {
	const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
	return text.split("\0").filter((part) => part !== "");
}

/** The deepest first. */
async function unmountBelow(directory: string): Promise<void> {
	const table = await readFile("/proc/self/mountinfo", "utf8");
	const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
	for (const point of points.filter((each) => each.startsWith(`${directory}/`)).reverse()) {
		await runTool({ program: "umount", args: ["--lazy", point] });
	}
}
