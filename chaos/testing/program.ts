/** One program as a process, watched by tests of faults. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { launcher } from "../../cluster/launcher.ts";
import type { Environment } from "../places/preload.ts";

/** An exit code, or a signal's name. */
export type End = number | string;

export class Program {
	output = "";
	readonly ended: Promise<End>;
	readonly #child: ChildProcess;

	constructor(program: string, args: readonly string[], env: Environment = {}) {
		this.#child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
		const keep = (chunk: Buffer) => {
			this.output += chunk.toString("utf8");
		};
		this.#child.stdout?.on("data", keep);
		this.#child.stderr?.on("data", keep);
		this.ended = new Promise((resolve, reject) => {
			this.#child.once("error", reject);
			this.#child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
		});
	}

	get isRunning(): boolean {
		return this.#child.exitCode === null && this.#child.signalCode === null;
	}

	async shows(text: string): Promise<void> {
		while (!this.output.includes(text)) {
			if (!this.isRunning)
				throw new Error(`ended with ${await this.ended} before it showed "${text}":\n${this.output}`);
			await delay(10);
		}
	}

	/** SIGKILL. */
	async kill(): Promise<End> {
		this.#child.kill("SIGKILL");
		return this.ended;
	}
}

export function runNode(file: string, args: readonly string[], env?: Environment): Program {
	return new Program(process.execPath, [file, ...args], env);
}

/** A member of our store on its own, for clients at `http://127.0.0.1:clientPort`; resolves when it is ready. */
export async function runStore(dataDir: string, clientPort: number, peerPort: number, env?: Environment) {
	const client = `http://127.0.0.1:${clientPort}`;
	const peer = `http://127.0.0.1:${peerPort}`;
	const flags = [
		"--name=m1",
		`--data-dir=${path.join(dataDir, "store")}`,
		`--listen-client-urls=${client}`,
		`--advertise-client-urls=${client}`,
		`--listen-peer-urls=${peer}`,
		`--initial-advertise-peer-urls=${peer}`,
		`--initial-cluster=m1=${peer}`,
		"--snapshot-count=200",
	];
	const program = runNode(launcher, ["store", ...flags], env);
	try {
		await program.shows("barque store m1 ready");
	} catch (error) {
		await program.kill();
		throw error;
	}
	return program;
}
