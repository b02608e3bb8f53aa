/**
 * Containers as child processes of this machine: each in a process group of its own, output straight into its log file,
 * so that a container survives its kubelet and is adopted by the next one. No isolation: volumes are reachable under
 * `$BARQUE_ROOT` (a mount at /etc/config is `$BARQUE_ROOT/etc/config`), and ports are the host's, on the pod's address.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open, rm, symlink } from "node:fs/promises";
import { constants } from "node:os";
import path from "node:path";
import type { Clock, Timer } from "../../../kit/clock.ts";
import type { Logger } from "../../../kit/log.ts";
import { signalGroup, startTimeOf, stillRuns } from "../../../kit/process-table.ts";
import { builtInCommand, builtInImage, checkImage } from "./images.ts";
import { LogTimes } from "./log-times.ts";
import {
	type ContainerRecord,
	containerDirectory,
	loadRecords,
	podDirectory,
	removeRecord,
	saveRecord,
} from "./records.ts";
import { prepareTerminationFile, readLogTail, readTerminationMessage } from "./termination.ts";
import {
	type ContainerLog,
	type ContainerSpec,
	type ExecResult,
	type Exited,
	type Runtime,
	type RuntimeContainer,
	StartError,
} from "./types.ts";

const adoptedPollMs = 250;
const execOutputBytes = 10 * 1024;
const execTimedOut = 124;
const killedExit = 137;

interface Live {
	record: ContainerRecord;
	readonly ended: PromiseWithResolvers<void>;
	/** Its end was seen; what it left behind is being read. */
	finishing: boolean;
	/** Adopted from an earlier kubelet: not our child, its exit is seen by polling. */
	poll: Timer | undefined;
	times: LogTimes | undefined;
}

interface Exit {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
}

const idOf = (podUid: string, name: string, attempt: number) => `process://${podUid}/${name}/${attempt}`;
const signalNumber = (signal: NodeJS.Signals | null) => (signal === null ? 0 : constants.signals[signal]);

function toContainer({ id, podUid, name, attempt, image, state }: ContainerRecord): RuntimeContainer {
	return { id, podUid, name, attempt, image, state };
}

export class ProcessRuntime implements Runtime {
	readonly name = "process";
	readonly version = `process://${process.versions.node}`;
	readonly probes = true;
	readonly #rootDir: string;
	readonly #clock: Clock;
	readonly #logger: Logger;
	readonly #containers = new Map<string, Live>();
	#listener: (id: string) => void = () => {};

	constructor(options: { readonly rootDir: string; readonly clock: Clock; readonly logger: Logger }) {
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
		const root = await this.#makeRoot(directory, spec);
		await prepareTerminationFile(this.#terminationFile(spec));
		const workingDir = spec.workingDir ?? root;
		const [program = "", ...args] = this.#commandLine(spec);
		const env = { ...baseEnvironment(), ...this.#ownEnvironment(spec, root), ...spec.env };
		const log = this.#logOf(spec);
		const output = await open(log.file, "a", 0o600);
		let child: ChildProcess;
		let exit: Promise<Exit>;
		try {
			child = spawn(program, args, {
				cwd: workingDir,
				env,
				detached: true,
				stdio: ["ignore", output.fd, output.fd],
			});
			// From the first moment: a short command ends before the next await is over.
			exit = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
			await new Promise<void>((resolve, reject) => {
				child.once("spawn", resolve);
				child.once("error", reject);
			});
		} catch (error) {
			throw startError(error as NodeJS.ErrnoException, program, workingDir);
		} finally {
			await output.close();
		}
		return this.#track(spec, child.pid ?? 0, exit, env, workingDir, log);
	}

	async #track(
		spec: ContainerSpec,
		pid: number,
		exit: Promise<Exit>,
		env: Readonly<Record<string, string>>,
		workingDir: string,
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
		// What the container started and left in its group ends with it, as it would with its namespace.
		signalGroup(live.record.pid, "SIGKILL");
		live.poll?.cancel();
		await live.times?.stop();
		// Seen as ended only with its last words: a status written in between would lack them, perhaps for good.
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
		const [program = "", ...args] = command;
		if (live === undefined || live.record.state.phase === "exited") {
			return Promise.resolve({ exitCode: 126, output: "container is not running" });
		}
		return new Promise((resolve) => {
			let output = "";
			const child = spawn(program, args, {
				cwd: live.record.workingDir,
				env: live.record.env,
				detached: true,
				stdio: ["ignore", "pipe", "pipe"],
			});
			const keep = (chunk: Buffer) => {
				if (output.length < execOutputBytes) output += chunk.toString("utf8");
			};
			child.stdout.on("data", keep);
			child.stderr.on("data", keep);
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
		await Promise.all([rm(file, { force: true }), rm(timesFile, { force: true })]);
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

	#commandLine(spec: ContainerSpec): readonly string[] {
		const image = builtInImage(spec.image);
		if (spec.command.length > 0 || image === undefined) return [...spec.command, ...spec.args];
		return builtInCommand(image, spec.args);
	}

	#terminationFile(spec: ContainerSpec): string {
		const root = path.join(containerDirectory(this.#rootDir, spec.podUid, spec.name), "root");
		return path.join(root, path.resolve("/", spec.terminationMessagePath));
	}

	/** A folder in which every mount appears at its mount path, as links. */
	async #makeRoot(directory: string, spec: ContainerSpec): Promise<string> {
		const root = path.join(directory, "root");
		await mkdir(root, { recursive: true, mode: 0o700 });
		for (const mount of spec.mounts) {
			const link = path.join(root, path.resolve("/", mount.mountPath));
			if (link === root) continue;
			await mkdir(path.dirname(link), { recursive: true });
			await rm(link, { recursive: true, force: true });
			await symlink(mount.hostPath, link);
		}
		return root;
	}

	#ownEnvironment(spec: ContainerSpec, root: string): Record<string, string> {
		const port = spec.ports[0];
		return {
			HOSTNAME: spec.podName,
			BARQUE_ROOT: root,
			BARQUE_POD_IP: spec.podIp,
			...(port === undefined ? {} : { BARQUE_PORT: String(port) }),
		};
	}
}

/** What a container inherits of the kubelet's environment: how to find programs, and nothing else. */
function baseEnvironment(): Record<string, string> {
	return { PATH: process.env["PATH"] ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/" };
}

function startError(error: NodeJS.ErrnoException, program: string, workingDir: string): StartError {
	if (error.code === "ENOENT" || error.code === "EACCES") {
		const why =
			error.code === "EACCES"
				? `exec: "${program}": permission denied`
				: `exec: "${program}": executable file not found in $PATH, or working directory "${workingDir}" does not exist`;
		return new StartError("StartError", `failed to start process: ${why}`, 128);
	}
	return new StartError("StartError", `failed to start process "${program}": ${error.message}`, 128);
}
