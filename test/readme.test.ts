/** The README's shell blocks, run literally: the walk with kubectl, and the killed master. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { packageRoot } from "../cluster/package-root.ts";
import { type Cluster, startCluster } from "../cluster/start-cluster.ts";
import { findKubectls } from "./kubectl/binaries.ts";
import { skip } from "./skip.ts";

/** The shell blocks under a heading. */
function blocksUnder(readme: string, heading: string): string[] {
	const section = readme.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
	return [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? "");
}

const kubectls = findKubectls();
const newest = kubectls[0];
const older = kubectls.find((kubectl) => newest !== undefined && kubectl.minor <= newest.minor - 4) ?? kubectls.at(-1);

describe("the README's walk", function () {
	this.timeout(180_000);
	let folder: string | undefined;
	let cluster: Cluster | undefined;
	let readme: string;

	before(async function () {
		if (newest === undefined) {
			skip(this, "no kubectl on this machine's path");
		}
		readme = await readFile(path.join(packageRoot, "README.md"), "utf8");
	});
	// A reader's cluster is a new one: one walk that breaks off must not break the next.
	beforeEach(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-readme-"));
		await symlink(path.join(packageRoot, "bin"), path.join(folder, "bin"));
		cluster = await startCluster({ dir: path.join(folder, ".barque") });
	});
	afterEach(async () => {
		await cluster?.stop();
		cluster = undefined;
		if (folder !== undefined) await rm(folder, { recursive: true, force: true });
	});

	async function runBlock(script: string, kubectl: string): Promise<string> {
		assert.ok(folder);
		const cwd = folder;
		const tools = path.join(cwd, "tools");
		await mkdir(tools, { recursive: true });
		await symlink(kubectl, path.join(tools, "kubectl")).catch(() => undefined);
		await symlink(process.execPath, path.join(tools, "node")).catch(() => undefined);
		const env = { ...process.env, PATH: `${tools}:${process.env["PATH"]}`, HOME: cwd };
		return new Promise((resolve, reject) => {
			const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
				cwd,
				env,
				stdio: ["ignore", "pipe", "pipe"],
			});
			let output = "";
			const keep = (chunk: Buffer) => {
				output += chunk.toString("utf8");
			};
			child.stdout.on("data", keep);
			child.stderr.on("data", keep);
			child.once("error", reject);
			child.once("close", (code) => (code === 0 ? resolve(output) : reject(new Error(`exit code ${code}\n${output}`))));
		});
	}

	for (const kubectl of new Set([newest, older])) {
		if (kubectl === undefined) continue;
		it(`works literally with kubectl 1.${kubectl.minor}`, async () => {
			const [walk = ""] = blocksUnder(readme, "Five minutes with kubectl");
			assert.match(walk, /kubectl create deployment/);
			const output = await runBlock(walk, kubectl.file);
			assert.match(output, /deployment "hello" successfully rolled out/);
			assert.match(output, /deployment\.apps\/hello rolled back/);
		});
	}

	it("kills and revives a master as it says", async () => {
		assert.ok(newest);
		const [kill = ""] = blocksUnder(readme, "Kill a master");
		const output = await runBlock(`export KUBECONFIG=$PWD/.barque/admin.kubeconfig\n${kill}`, newest.file);
		assert.match(output, /killed master-1-store, master-1-apiserver/);
		assert.match(output, /configmap\/proof created/);
		assert.match(output, /master-1 ready after/);
	});
});
