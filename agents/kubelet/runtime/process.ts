/**
 * Containers as child processes of this machine: each in a process group of its own, output straight into its log file,
 * so that a container survives its kubelet and is adopted by the next one. Where the kubelet is root on Linux each has a mount
 * namespace of its own over this machine's files, with its volumes at their paths; elsewhere volumes are reachable under
 * `$BARQUE_ROOT` (a mount at /etc/config is `$BARQUE_ROOT/etc/config`). Ports are the host's, on the pod's address.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { constants } from "node:os";
import path from "node:path";
import type { Writable } from "node:stream";
import type { Clock, Timer } from "../../../kit/clock.ts";
import type { Logger } from "../../../kit/log.ts";
import { signalGroup, startTimeOf, stillRuns } from "../../../kit/process-table.ts";
import { checkImage } from "./images.ts";
import { giveVariables, type Launched, launchIsolated, launchPlainly } from "./launch.ts";
import { LogTimes } from "./log-times.ts";
import { canGiveUpPrivileges, canIsolate, enteringCommandLine, setupEnvironment } from "./namespace.ts";
import {
	type ContainerRecord,
	containerDirectory,
	loadRecords,
	podDirectory,
	removeRecord,
	saveRecord,
} from "./records.ts";
import { rootIn } from "./root-directory.ts";
import { prepareTerminationFile, readLogTail, readTerminationMessage } from "./termination.ts";
import type { Abilities, ContainerLog, ContainerSpec, ExecResult, Exited, Runtime, RuntimeContainer } from "./types.ts";

const adoptedPollMs = 250;
const execOutputBytes = 10 * 1024;
const execTimedOut = 124;
const killedExit = 137;

interface Live {
	record: ContainerRecord;
	readonly ended: PromiseWithResolvers<void>;
	/** The container has ended; its termination message is being read. */
	finishing: boolean;
	/** Adopted from an earlier kubelet: not our child, its exit is seen by polling. */
	poll: Timer | undefined;
	times: LogTimes | undefined;
}

const idOf = (podUid: string, name: string, attempt: number) => `process://${podUid}/${name}/${attempt}`;
const signalNumber = (signal: NodeJS.Signals | null) => (signal === null ? 0 : constants.signals[signal]);

/** A program with a running container's environment, and in its namespace where it has one. */
function spawnBeside(record: ContainerRecord, root: string, command: readonly string[]): ChildProcess {
	const { pid, env, workingDir, isolated } = record;
	if (isolated === undefined) {
		const [program = "", ...args] = command;
		return spawn(program, args, { cwd: workingDir, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
	}
	const [enter, ...args] = enteringCommandLine(pid, { root, workingDir, privileges: isolated, env, command });
	const stdio = ["ignore", "pipe", "pipe", "ignore", "pipe"] as const;
	const child = spawn(enter, args, { cwd: "/", env: setupEnvironment, detached: true, stdio: [...stdio] });
	giveVariables(child.stdio[4] as Writable, env);
	return child;
}

function toContainer({ id, podUid, name, attempt, image, state }: ContainerRecord): RuntimeContainer {
	return { id, podUid, name, attempt, image, state };
}

export class ProcessRuntime implements Runtime {
	readonly name = "process";
	readonly version = `process://${process.versions.node}`;
	readonly probes = true;
	readonly abilities: Abilities;
	readonly #rootDir: string;
	readonly #clock: Clock;
	readonly #logger: Logger;
	readonly #containers = new Map<string, Live>();
	#listener: (id: string) => void = () => {};

	/** `isolation`: whether containers get a mount namespace of their own; by default where that is possible. */
	constructor(options: {
		readonly rootDir: string;
		readonly clock: Clock;
		readonly logger: Logger;
		readonly isolation?: boolean;
	}) {
		const isolation = options.isolation ?? canIsolate();
		this.abilities = {
			isolation,
			noNewPrivileges: isolation || canGiveUpPrivileges(),
			uid: process.getuid?.() ?? -1,
			gid: process.getgid?.() ?? -1,
		};
		this.#rootDir = options.rootDir;
		this.#clock = options.clock;
		this.#logger = options.logger;
	}

	onExit(listener: (id: string) => void): void {
		this.#listener = listener;
	}

	async recover(): Promise<readonly RuntimeContainer[]> {
		for (const record of await loadRecords(this.#rootDir)) {
			const live: Live = {
				record,
				ended: Promise.withResolvers(),
				finishing: false,
				poll: undefined,
				times: undefined,
			};
			this.#containers.set(record.id, live);
			if (record.state.phase === "exited") live.ended.resolve();
			else if (stillRuns(record.pid, record.startTime)) this.#adopt(live);
			else await this.#finish(live, this.#unknownExit(live));
		}
		return [...this.#containers.values()].map((live) => toContainer(live.record));
	}

	#adopt(live: Live): void {
		this.#logger.info("adopted a running container", { id: live.record.id, pid: live.record.pid });
		live.times = LogTimes.follow(this.#logOf(live.record), this.#clock);
		live.poll = this.#clock.every(adoptedPollMs, () => {
			if (stillRuns(live.record.pid, live.record.startTime)) return;
			live.poll?.cancel();
			void this.#finish(live, this.#unknownExit(live));
		});
	}

	#unknownExit(live: Live): Exited {
		return {
			phase: "exited",
			startedAt: live.record.state.startedAt,
			finishedAt: this.#clock.now(),
			exitCode: killedExit,
			signal: 0,
			reason: "ContainerStatusUnknown",
			message: "The container ended while no kubelet was its parent; its exit code is not known.",
		};
	}

	async ensureImage(image: string, command: readonly string[]): Promise<{ readonly imageId: string }> {
		checkImage(image, command);
		return { imageId: `process://${image}` };
	}

	async start(spec: ContainerSpec): Promise<RuntimeContainer> {
		const directory = containerDirectory(this.#rootDir, spec.podUid, spec.name);
		const terminationFile = this.#terminationFile(spec);
		await prepareTerminationFile(terminationFile);
		const log = this.#logOf(spec);
		const output = await open(log.file, "a", 0o600);
		try {
			const launch = this.abilities.isolation ? launchIsolated : launchPlainly;
			const launched = await launch({ spec, directory, terminationFile, outputFd: output.fd });
			return await this.#track(spec, launched, log);
		} finally {
			await output.close();
		}
	}

	async #track(
		spec: ContainerSpec,
		{ pid, exit, env, workingDir }: Launched,
		log: ContainerLog,
	): Promise<RuntimeContainer> {
		const record: ContainerRecord = {
			formatVersion: 1,
			id: idOf(spec.podUid, spec.name, spec.attempt),
			podUid: spec.podUid,
			name: spec.name,
			attempt: spec.attempt,
			image: spec.image,
			pid,
			startTime: startTimeOf(pid) ?? "",
			env,
			workingDir,
			terminationFile: this.#terminationFile(spec),
			terminationFromLogs: spec.terminationMessageFromLogs,
			...(this.abilities.isolation ? { isolated: spec.privileges } : {}),
			state: { phase: "running", startedAt: this.#clock.now() },
		};
		const times = LogTimes.follow(log, this.#clock);
		const live: Live = { record, ended: Promise.withResolvers(), finishing: false, poll: undefined, times };
		this.#containers.set(record.id, live);
		const saved = saveRecord(this.#rootDir, record);
		void Promise.allSettled([saved, exit]).then(async () => {
			const { code, signal } = await exit;
			await this.#finish(live, this.#exitOf(live, code, signal));
		});
		await saved;
		return toContainer(live.record);
	}

	#exitOf(live: Live, code: number | null, signal: NodeJS.Signals | null): Exited {
		const number = signalNumber(signal);
		const exitCode = code ?? 128 + number;
		return {
			phase: "exited",
			startedAt: live.record.state.startedAt,
			finishedAt: this.#clock.now(),
			exitCode,
			signal: number,
			reason: exitCode === 0 ? "Completed" : "Error",
			message: "",
		};
	}

	async #finish(live: Live, state: Exited): Promise<void> {
		if (live.finishing || live.record.state.phase === "exited") return;
		live.finishing = true;
		// Processes left in the container's group end with it, as they would in a PID namespace.
		// While a group lives, its number is given to no other process: one that has it and began at another time is a stranger.
		const { pid, startTime } = live.record;
		if ([undefined, startTime].includes(startTimeOf(pid))) signalGroup(pid, "SIGKILL");
		live.poll?.cancel();
		await live.times?.stop();
		// The message is read before the state says "ended": a status written in between would lack the message and might
		// never be written again.
		const message = await this.#lastWords(live.record, state);
		live.record = { ...live.record, state: { ...state, message } };
		try {
			await saveRecord(this.#rootDir, live.record);
		} catch (error) {
			this.#logger.warn("container's end not recorded", { id: live.record.id, error });
		}
		live.ended.resolve();
		this.#listener(live.record.id);
	}

	async #lastWords(record: ContainerRecord, state: Exited): Promise<string> {
		if (state.message !== "") return state.message;
		const { terminationFile, terminationFromLogs } = record;
		const said = terminationFile === undefined ? "" : await readTerminationMessage(terminationFile);
		if (said !== "" || state.exitCode === 0 || terminationFromLogs !== true) return said;
		return readLogTail(this.#logOf(record).file);
	}

	async stop(id: string, graceMs: number): Promise<void> {
		const live = this.#containers.get(id);
		if (live === undefined || live.record.state.phase === "exited") return;
		if (graceMs > 0) signalGroup(live.record.pid, "SIGTERM");
		const killer = this.#clock.after(graceMs, () => signalGroup(live.record.pid, "SIGKILL"), { keepAlive: true });
		await live.ended.promise;
		killer.cancel();
	}

	get(id: string): RuntimeContainer | undefined {
		const live = this.#containers.get(id);
		return live === undefined ? undefined : toContainer(live.record);
	}

	exec(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
		const live = this.#containers.get(id);
		if (live === undefined || live.record.state.phase === "exited") {
			return Promise.resolve({ exitCode: 126, output: "container is not running" });
		}
		return new Promise((resolve) => {
			let output = "";
			const directory = containerDirectory(this.#rootDir, live.record.podUid, live.record.name);
			const child = spawnBeside(live.record, rootIn(directory), command);
			const keep = (chunk: Buffer) => {
				if (output.length < execOutputBytes) output += chunk.toString("utf8");
			};
			child.stdout?.on("data", keep);
			child.stderr?.on("data", keep);
			const done = (exitCode: number) => {
				timer.cancel();
				resolve({ exitCode, output: output.slice(0, execOutputBytes) });
			};
			const timer = this.#clock.after(timeoutMs, () => {
				signalGroup(child.pid ?? 0, "SIGKILL");
				output = `command timed out after ${timeoutMs} ms`;
				done(execTimedOut);
			});
			child.once("error", (error) => {
				output = error.message;
				done(127);
			});
			child.once("close", (code) => done(code ?? killedExit));
		});
	}

	log(id: string): ContainerLog | undefined {
		const live = this.#containers.get(id);
		return live === undefined ? undefined : this.#logOf(live.record);
	}

	async remove(id: string): Promise<void> {
		const live = this.#containers.get(id);
		if (live === undefined || live.record.state.phase === "running") return;
		this.#containers.delete(id);
		await removeRecord(this.#rootDir, live.record);
		const { file, timesFile } = this.#logOf(live.record);
		const own = [file, timesFile, this.#terminationFile(live.record)];
		await Promise.all(own.map((one) => rm(one, { force: true })));
	}

	async removePod(podUid: string): Promise<void> {
		for (const [id, live] of this.#containers) {
			if (live.record.podUid === podUid) this.#containers.delete(id);
		}
		await rm(podDirectory(this.#rootDir, podUid), { recursive: true, force: true });
	}

	async close(): Promise<void> {
		await Promise.all([...this.#containers.keys()].map((id) => this.stop(id, 2_000)));
	}

	#logOf(of: Pick<ContainerRecord, "podUid" | "name" | "attempt">): ContainerLog {
		const base = path.join(containerDirectory(this.#rootDir, of.podUid, of.name), String(of.attempt));
		return { file: `${base}.log`, timesFile: `${base}.times` };
	}

	#terminationFile({ podUid, name, attempt }: Pick<ContainerSpec, "podUid" | "name" | "attempt">): string {
		return path.join(containerDirectory(this.#rootDir, podUid, name), `${attempt}.termination`);
	}
}
