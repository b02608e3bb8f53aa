/** The machine's own programs that faults and places use, and what to install where they are missing. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import { type Command, MissingToolError } from "./place.ts";

/** Where administrators' programs are, though a user's PATH may lack it. */
const adminFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** This process's environment with a PATH on which `ip` and `iptables` are found. */
export function toolEnvironment(): NodeJS.ProcessEnv {
	return { ...process.env, PATH: [process.env["PATH"] ?? "/usr/bin:/bin", ...adminFolders].join(":") };
}

/** Programs by the Debian package they come with. */
export type Tools = Readonly<Record<string, string>>;

/** Throws MissingToolError unless this process is root on Linux and all programs are there. */
export async function requireRootAndTools(purpose: string, tools: Tools): Promise<void> {
	if (process.platform !== "linux") throw new MissingToolError(`${purpose} need Linux, not ${process.platform}`);
	if (process.geteuid?.() !== 0) throw new MissingToolError(`${purpose} need root: run it with sudo`);
	const missing = [];
	for (const program of Object.keys(tools)) if (!(await isInstalled(program))) missing.push(program);
	if (missing.length === 0) return;
	const packages = [...new Set(missing.map((program) => tools[program]))];
	throw new MissingToolError(`${purpose} need ${missing.join(", ")}: apt-get install ${packages.join(" ")}`);
}

/** A path of it, or its name on the PATH of tools. */
export async function isInstalled(program: string, env = toolEnvironment()): Promise<boolean> {
	const folders = program.includes("/") ? [""] : (env["PATH"] ?? "").split(":");
	for (const folder of folders) {
		try {
			await access(path.join(folder, program), constants.X_OK);
			return true;
		} catch {
			// Not in this folder.
		}
	}
	return false;
}

/** Resolves to what it printed; rejects with its complaint unless its exit code is 0. */
export function runTool({ program, args }: Command, input = ""): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, { stdio: "pipe", env: toolEnvironment() });
		const printed: Buffer[] = [];
		const complaint: Buffer[] = [];
		child.stdout.on("data", (chunk: Buffer) => printed.push(chunk));
		child.stderr.on("data", (chunk: Buffer) => complaint.push(chunk));
		// One that ends without reading its input says why by itself.
		child.stdin.on("error", () => {});
		child.stdin.end(input);
		child.once("error", reject);
		child.once("close", (code, signal) => {
			if (code === 0) return resolve(Buffer.concat(printed).toString("utf8"));
			const why = Buffer.concat(complaint).toString("utf8").trim() || `ended with ${code ?? signal}`;
			reject(new Error(`${[program, ...args].join(" ")}: ${why}`));
		});
	});
}
