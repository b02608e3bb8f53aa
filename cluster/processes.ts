/** The parts of a cluster as processes: started detached with a log and a pid file each, found again and ended by id. */
import { spawn } from "node:child_process";
import { mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startTimeOf, stillRuns } from "../kit/process-table.ts";
import { launcher } from "./launcher.ts";
import { logFile, pidFile } from "./layout.ts";
import { restartInPlace } from "./restart.ts";

export interface Part {
	/** `master-1-store`, `node-1-kubelet`, `balancer`: names its pid file and its log. */
	readonly name: string;
	readonly command: string;
	readonly args: readonly string[];
	/** The master it runs on; absent: it belongs to none. */
	readonly master?: string;
}

export interface PartCommand {
	readonly program: string;
	readonly args: readonly string[];
}

/** The command that runs a part where it belongs and as it should. It must become the part under the same process id. */
export type Launch = (part: Part, command: PartCommand) => Promise<PartCommand>;

/** Starts one part in a session of its own, so that a signal to the caller's terminal does not reach it. */
export async function startPart(dir: string, part: Part, launch?: Launch): Promise<number> {
	await mkdir(path.dirname(pidFile(dir, part.name)), { recursive: true });
	await mkdir(path.dirname(logFile(dir, part.name)), { recursive: true });
	const plain = { program: process.execPath, args: [launcher, part.command, ...part.args] };
	const { program, args } = (await launch?.(part, plain)) ?? plain;
	const log = await open(logFile(dir, part.name), "a", 0o600);
	try {
		const child = spawn(program, args, {
			detached: true,
			stdio: ["ignore", log.fd, log.fd],
			cwd: dir,
			env: { ...process.env, [restartInPlace]: "1" },
		});
		const pid = await new Promise<number>((resolve, reject) => {
			child.once("spawn", () => resolve(child.pid ?? 0));
			child.once("error", reject);
		});
		child.unref();
		await writeFile(pidFile(dir, part.name), `${pid}\n`);
		return pid;
	} finally {
		await log.close();
	}
}

const execMs = 2;

/** What the part's pid file says. */
async function recordedPid(dir: string, part: string): Promise<number | undefined> {
	try {
		const pid = Number((await readFile(pidFile(dir, part), "utf8")).trim());
		return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

/** When this process was started, if it runs and is ours; ids are reused, so the command line is checked where /proc shows it. */
async function startTimeOfPart(pid: number | undefined): Promise<string | undefined> {
	const startTime = pid === undefined ? undefined : startTimeOf(pid);
	if (startTime === undefined || pid === undefined || process.platform !== "linux") return startTime;
	try {
		// It is empty while a process becomes another program (`restart.ts`) and while it dies: neither is an answer.
		for (;;) {
			const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
			if (command !== "") return command.includes(launcher) ? startTime : undefined;
			if (!stillRuns(pid, startTime)) return undefined;
			await delay(execMs);
		}
	} catch (error) {
		if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
		throw error;
	}
}

/** The part's process id while that process runs. */
export async function runningPid(dir: string, part: string): Promise<number | undefined> {
	const pid = await recordedPid(dir, part);
	return (await startTimeOfPart(pid)) === undefined ? undefined : pid;
}

function signal(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(pid, name);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

/** Sends a signal to a part that runs. */
export async function signalPart(dir: string, part: string, name: NodeJS.Signals): Promise<void> {
	const pid = await runningPid(dir, part);
	if (pid !== undefined) signal(pid, name);
}

const pollMs = 20;

/** Its command line vanishes first and its sockets later, so only the process's own end counts. */
async function gone(pid: number, startTime: string, timeoutMs: number): Promise<boolean> {
	for (let waited = 0; waited < timeoutMs; waited += pollMs) {
		if (!stillRuns(pid, startTime)) return true;
		await delay(pollMs);
	}
	return !stillRuns(pid, startTime);
}

/** Ends a part: SIGTERM, then SIGKILL after `graceMs` (0: SIGKILL at once). Resolves to whether it was running. */
export async function stopPart(dir: string, part: string, graceMs: number): Promise<boolean> {
	const pid = await recordedPid(dir, part);
	const startTime = await startTimeOfPart(pid);
	if (pid !== undefined && startTime !== undefined) {
		if (graceMs > 0) signal(pid, "SIGTERM");
		if (graceMs === 0 || !(await gone(pid, startTime, graceMs))) {
			signal(pid, "SIGKILL");
			await gone(pid, startTime, 10_000);
		}
	}
	// By now it may be that of the next one.
	if ((await recordedPid(dir, part)) === pid) await rm(pidFile(dir, part), { force: true });
	return startTime !== undefined;
}

/** Names of all parts with a pid file. */
export async function knownParts(dir: string): Promise<string[]> {
	try {
		const files = await readdir(path.join(dir, "run"));
		return files.filter((file) => file.endsWith(".pid")).map((file) => file.slice(0, -".pid".length));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
}

/** The last lines of a part's log, for a message that says why it did not come up. */
export async function logTail(dir: string, part: string, lines = 5): Promise<string> {
	try {
		const text = await readFile(logFile(dir, part), "utf8");
		return text.trimEnd().split("\n").slice(-lines).join("\n");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
		throw error;
	}
}
