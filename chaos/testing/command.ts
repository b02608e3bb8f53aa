/** `barque chaos` as a person runs it. */
import { spawn } from "node:child_process";
import { launcher } from "../../bin/cluster/launcher.ts";

export interface Result {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** A run that hangs must end, too. */
const limitMs = 150_000;

export function chaos(...args: readonly string[]): Promise<Result> {
	const child = spawn(process.execPath, [launcher, "chaos", ...args], { timeout: limitMs });
	let stdout = "";
	let stderr = "";
	child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
	child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
	});
}
