/** `barque` as a person types it. */
import { spawn } from "node:child_process";
import { launcher } from "../cluster/launcher.ts";

export interface Result {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** What hangs is ended after `timeout` ms; by default never. */
export function runBarque(
	args: readonly string[],
	options: { readonly cwd?: string; readonly timeout?: number } = {},
): Promise<Result> {
	const child = spawn(process.execPath, [launcher, ...args], { ...options, stdio: ["ignore", "pipe", "pipe"] });
	let stdout = "";
	let stderr = "";
	child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
	child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
	});
}
