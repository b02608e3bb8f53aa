/** The real kubectl binaries of this machine, newest first; tests run against every one. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { findKubectls as installedKubectls } from "../../apiserver/testing/kubectl.ts";

export interface Kubectl {
	/** Minor version, e.g. 33. */
	readonly minor: number;
	readonly file: string;
}

const versionPattern = /GitVersion:\s*"?v?1\.(\d+)\.|Client Version: v1\.(\d+)\./;

function minorOf(file: string): number | undefined {
	const { stdout } = spawnSync(file, ["version", "--client"], { encoding: "utf8", timeout: 10_000 });
	const match = versionPattern.exec(stdout ?? "");
	return match === null ? undefined : Number(match[1] ?? match[2]);
}

/** The versioned ones where the machine has them, else the `kubectl` on the path. */
export function findKubectls(): Kubectl[] {
	const all = installedKubectls();
	const versioned = all.filter((file) => /^kubectl\.1\.\d+$/.test(path.basename(file)));
	const found = (versioned.length > 0 ? versioned : all).flatMap((file) => {
		const minor = minorOf(file);
		return minor === undefined ? [] : [{ minor, file }];
	});
	return found.sort((x, y) => y.minor - x.minor);
}

export interface Result {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

export interface Runner {
	(args: readonly string[], input?: string): Promise<Result>;
	/** Rejects, showing what was printed, when the exit code is not 0; resolves to stdout. */
	ok(args: readonly string[], input?: string): Promise<string>;
	/** Starts it and hands over the process, for `-w` and `-f`. */
	start(args: readonly string[]): ReturnType<typeof spawn>;
	close(): Promise<void>;
}

const timeoutMs = 60_000;

/** Runs one kubectl against one cluster, with a home folder (discovery cache) of its own. */
export async function runner(kubectl: Kubectl, kubeconfig: string, namespace?: string): Promise<Runner> {
	const home = await mkdtemp(path.join(tmpdir(), "barque-kubectl-"));
	const env = { ...process.env, HOME: home, KUBECONFIG: kubeconfig, KUBECTL_KUBERC: "false" };
	const full = (args: readonly string[]) => [...(namespace === undefined ? [] : ["-n", namespace]), ...args];
	const start = (args: readonly string[]) => spawn(kubectl.file, full(args), { env, stdio: ["pipe", "pipe", "pipe"] });
	const run = (args: readonly string[], input?: string) =>
		new Promise<Result>((resolve, reject) => {
			const child = start(args);
			const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
			let stdout = "";
			let stderr = "";
			child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
			child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
			child.once("error", reject);
			child.once("close", (code) => {
				clearTimeout(timer);
				resolve({ code: code ?? -1, stdout, stderr });
			});
			child.stdin.on("error", () => child.stdin.destroy());
			child.stdin.end(input ?? "");
		});
	return Object.assign(run, {
		start,
		async ok(args: readonly string[], input?: string) {
			const { code, stdout, stderr } = await run(args, input);
			if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
			return stdout;
		},
		close: () => rm(home, { recursive: true, force: true }),
	});
}
