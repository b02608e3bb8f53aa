/** A member as a child process: on this machine itself, or wherever `wrap` puts it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type Command, type Host, MissingToolError, type Site } from "./place.ts";
import { Tasks } from "./tasks.ts";
import { isInstalled } from "./tools.ts";

/** Its `dataDir` is made, with what is above it, before the member starts. */
export interface ProcessHostOptions extends Site {
	/** The command that runs the member where it belongs. It must become the member under the same process id. */
	readonly wrap?: ((command: Command) => Command) | undefined;
	/** The member's whole environment, asked for at each start; by default that of this process. */
	readonly env?: (() => NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>) | undefined;
}

const outputBytes = 64 * 1024;
/** A member that still runs this long after SIGTERM is killed, and that is an error. */
const graceMs = 30_000;
/** A process that is gone may have left its pipes to a child of its own. */
const lastWordsMs = 1000;

/** Children that run: for where they do not end with us by themselves. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
	for (const child of running) child.kill("SIGKILL");
});

/** The signal comes only where the parent ends after it was asked for. */
const unlessOrphan = '[ "$PPID" = "$0" ] && exec "$@"';

/** The command that does not outlive this process, however this one ends, where the machine can do that. */
export async function untilOurEnd({ program, args }: Command, env?: NodeJS.ProcessEnv): Promise<Command> {
	if (process.platform !== "linux" || !(await isInstalled("setpriv", env))) return { program, args };
	const inner = ["sh", "-c", unlessOrphan, String(process.pid), program, ...args];
	return { program: "setpriv", args: ["--pdeathsig", "KILL", "--", ...inner] };
}

export class ProcessHost implements Host {
	readonly name: string;
	readonly peerAddress: string;
	readonly clientAddress: string;
	readonly peerPort: number;
	readonly clientPort: number;
	readonly dataDir: string;
	readonly #wrap: (command: Command) => Command;
	readonly #env: () => NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>;
	#process: { readonly child: ChildProcess; readonly gone: Promise<void> } | undefined;
	readonly #starts = new Tasks();
	#output = Buffer.alloc(0);

	constructor(options: ProcessHostOptions) {
		this.name = options.name;
		this.peerAddress = options.peerAddress;
		this.clientAddress = options.clientAddress;
		this.peerPort = options.peerPort;
		this.clientPort = options.clientPort;
		this.dataDir = options.dataDir;
		this.#wrap = options.wrap ?? ((command) => command);
		this.#env = options.env ?? (() => process.env);
	}

	get isRunning(): boolean {
		return this.#process !== undefined;
	}

	get output(): string {
		return this.#output.toString("utf8");
	}

	/** Of the member that runs. */
	get pid(): number | undefined {
		return this.#process?.child.pid;
	}

	run(command: Command): Promise<void> {
		return this.#starts.do(() => this.#start(command));
	}

	async #start(command: Command): Promise<void> {
		const env = await this.#env();
		// What wraps it starts in any case; whether the member can is asked here, while it is still an error of this call.
		if (!(await isInstalled(command.program, env))) {
			throw new MissingToolError(`cannot start ${command.program}: there is no such program`);
		}
		const bound = await untilOurEnd(command, env);
		await mkdir(this.dataDir, { recursive: true, mode: 0o700 });
		if (this.#process !== undefined) throw new Error(`${this.name} runs already, as process ${this.pid}`);
		const { program, args } = this.#wrap(bound);
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
		this.#output = Buffer.alloc(0);
		const keep = (chunk: Buffer) => {
			if (this.#process?.child !== child) return;
			const all = Buffer.concat([this.#output, chunk]);
			this.#output = all.subarray(Math.max(0, all.length - outputBytes));
		};
		child.stdout.on("data", keep);
		child.stderr.on("data", keep);
		const gone = this.#untilGone(child);
		this.#process = { child, gone };
		running.add(child);
		try {
			await once(child, "spawn");
		} catch (error) {
			running.delete(child);
			this.#process = undefined;
			throw new Error(`cannot start ${program}`, { cause: error });
		}
	}

	async #untilGone(child: ChildProcess): Promise<void> {
		// Its pipes end with its last words, at once or a moment after it.
		const timer = new AbortController();
		const closed = new Promise((resolve) => child.once("close", resolve)).then(() => timer.abort());
		await new Promise((resolve) => child.once("exit", resolve));
		running.delete(child);
		await Promise.race([closed, delay(lastWordsMs, undefined, timer).catch(() => {})]);
		if (this.#process?.child === child) this.#process = undefined;
	}

	async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
		if (this.#process === undefined) return;
		const { child, gone } = this.#process;
		child.kill(signal);
		if (signal === "SIGKILL") return gone;
		// A paused one gets to see it only when it goes on.
		child.kill("SIGCONT");
		const timer = new AbortController();
		const late = delay(graceMs, true, timer).catch(() => false);
		const isLate = await Promise.race([gone.then(() => false), late]);
		timer.abort();
		if (!isLate) return;
		child.kill("SIGKILL");
		await gone;
		throw new Error(`${this.name} was still running ${graceMs / 1000} s after SIGTERM, and was killed`);
	}

	/** Ends what runs or is being started, by SIGKILL; nothing can be started any more. */
	async close(): Promise<void> {
		await this.#starts.close();
		await this.end("SIGKILL");
	}

	async pause(): Promise<void> {
		this.#process?.child.kill("SIGSTOP");
	}

	async resume(): Promise<void> {
		this.#process?.child.kill("SIGCONT");
	}
}
