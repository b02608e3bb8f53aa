/** The package as people get it: packed, installed elsewhere, and a cluster started from it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { packageRoot } from "../cluster/package-root.ts";

function run(command: string, args: readonly string[], cwd: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
		let stdout = "";
		let all = "";
		child.stdout.on("data", (chunk: Buffer) => {
			stdout += chunk.toString("utf8");
			all += chunk.toString("utf8");
		});
		child.stderr.on("data", (chunk: Buffer) => {
			all += chunk.toString("utf8");
		});
		child.once("error", reject);
		child.once("close", (code) => {
			if (code === 0) resolve(stdout);
			else reject(new Error(`${command} ${args.join(" ")}: exit code ${code}\n${all}`));
		});
	});
}

const script = `
import { startCluster } from "barque";
const cluster = await startCluster({ masters: 1, nodes: 1, runtime: "hollow" });
const nodes = await cluster.client.resource({ group: "", version: "v1", resource: "nodes" }).list("");
console.log(JSON.stringify({ nodes: nodes.items.map((node) => node.metadata.name) }));
await cluster.stop();
`;

const typed = `
import { type Cluster, type KubeObject, type Pod, startCluster } from "barque";
export const cluster: Promise<Cluster> = startCluster({ masters: 3 });
export const phase = (pod: KubeObject<Pod>): string | undefined => pod.status?.phase;
`;

describe("the package", function () {
	this.timeout(240_000);
	let folder: string;

	before(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-package-"));
		await run("npm", ["pack", "--pack-destination", folder, "--loglevel=error"], packageRoot);
		const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
		assert.ok(tarball);
		await writeFile(path.join(folder, "package.json"), '{ "private": true, "type": "module" }');
		await run(
			"npm",
			["install", `./${tarball}`, "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"],
			folder,
		);
	});
	after(async () => {
		await rm(folder, { recursive: true, force: true });
	});

	it("starts a cluster from the installed tarball", async () => {
		await writeFile(path.join(folder, "start.mjs"), script);
		const printed = await run(process.execPath, ["start.mjs"], folder);
		assert.deepEqual(JSON.parse(printed), { nodes: ["node-1"] });
	});

	it("brings types, and a command that answers", async () => {
		await writeFile(path.join(folder, "typed.ts"), typed);
		const compiler = path.join(packageRoot, "node_modules", "typescript", "lib", "tsc.js");
		const options = ["--noEmit", "--strict", "--module", "nodenext", "--skipLibCheck", "typed.ts"];
		await run(process.execPath, [compiler, ...options], folder);
		assert.match(await run("npx", ["barque", "version"], folder), /^barque \d+\.\d+\.\d+\n$/);
		assert.match(await run("npx", ["barque", "store", "--help"], folder), /--initial-cluster/);
	});
});
