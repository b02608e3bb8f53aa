/** Real kubectl binaries, where the machine has some. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Harness } from "./harness.ts";

/** `kubectl` on the PATH and, beside it, `kubectl.1.27` and the like, old ones first. */
export function findKubectls(): string[] {
	for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
		try {
			const beside = path.dirname(realpathSync(path.join(folder, "kubectl")));
			const versions = readdirSync(beside)
				.filter((name) => /^kubectl\.1\.\d+$/.test(name))
				.sort((a, b) => Number(a.split(".")[2]) - Number(b.split(".")[2]));
			return [...versions, "kubectl"].map((name) => path.join(beside, name));
		} catch {
			// No kubectl in this folder.
		}
	}
	return [];
}

export interface Ran {
	readonly code: number;
	readonly out: string;
	readonly err: string;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** kubectl with a home and a kubeconfig of its own. */
export class Kubectl {
	readonly folder: string;
	readonly #binary: string;
	readonly #env: NodeJS.ProcessEnv;

	constructor(binary: string, h: Harness) {
		this.#binary = binary;
		this.folder = mkdtempSync(path.join(os.tmpdir(), "barque-kubectl-"));
		const kubeconfig = path.join(this.folder, "config");
		writeFileSync(
			kubeconfig,
			JSON.stringify({
				apiVersion: "v1",
				kind: "Config",
				"current-context": "test",
				contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
				clusters: [
					{ name: "test", cluster: { server: h.server.url, "certificate-authority-data": base64(h.authority.cert) } },
				],
				users: [
					{
						name: "admin",
						user: { "client-certificate-data": base64(h.admin.cert), "client-key-data": base64(h.admin.key) },
					},
				],
			}),
		);
		this.#env = { PATH: process.env["PATH"], HOME: this.folder, KUBECONFIG: kubeconfig };
	}

	run(...args: string[]): Promise<Ran> {
		return new Promise((resolve) => {
			execFile(this.#binary, args, { env: this.#env, timeout: 20_000 }, (error, out, err) => {
				const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
				resolve({ code, out, err });
			});
		});
	}

	start(...args: string[]): ChildProcess {
		return spawn(this.#binary, args, { env: this.#env });
	}

	file(name: string, text: string): string {
		const file = path.join(this.folder, name);
		writeFileSync(file, text);
		return file;
	}

	remove(): void {
		rmSync(this.folder, { recursive: true, force: true });
	}
}
