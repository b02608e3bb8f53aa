import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { launcher } from "../../cluster/launcher.ts";
import { skip } from "../../test/skip.ts";
import { engineTools, type PrivateEngine, startPrivateEngine } from "./docker-engine.ts";
import { linkTools, packetDelay } from "./links.ts";
import { buildNative } from "./native/build.ts";
import { MissingToolError } from "./place.ts";
import { requireRootAndTools } from "./tools.ts";

const scenario = path.resolve(import.meta.dirname, "..", "testing", "docker-scenario.ts");

/** Runs Node where the engine's networks are. */
async function runInside(engine: PrivateEngine, ...args: readonly string[]) {
	const [program, wrapped] = engine.inside(process.execPath, args);
	const env = { ...process.env, DOCKER_HOST: engine.dockerHost };
	const child = spawn(program, wrapped, { env, stdio: ["ignore", "pipe", "pipe"] });
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.on("data", (chunk: Buffer) => {
			output += chunk.toString();
		});
	}
	const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
	return { code, signal, output };
}

/** Lines of process table and mounts that name it. */
async function traces(directory: string): Promise<string[]> {
	const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
	const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
	const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
	return [...mounts, ...lines].filter((line) => line.includes(directory));
}

describe("members in containers of a Docker engine", function () {
	this.timeout(180_000);
	let engine: PrivateEngine;

	before(async function () {
		try {
			await requireRootAndTools("containers", { ...engineTools, ...linkTools });
			await buildNative(packetDelay);
			engine = await startPrivateEngine();
		} catch (error) {
			if (!(error instanceof MissingToolError)) throw error;
			skip(this, error.message);
		}
	});

	after(async () => {
		await engine?.stop();
	});

	it("are removed by the next run where a run was killed", async () => {
		const { signal, output } = await runInside(engine, scenario, "--abandon");
		assert.equal(signal, "SIGKILL", output);
		const { code, output: later } = await runInside(engine, scenario, "--only-clean-up");
		assert.equal(code, 0, later);
	});

	it("are cut off, killed, paused and started as if each had a machine of its own", async () => {
		const { code, output } = await runInside(engine, scenario);
		assert.equal(code, 0, output);
		assert.equal(output.match(/^ok /gm)?.length, 11, output);
	});

	it("need an engine that answers", async () => {
		const deaf = { ...engine, dockerHost: `unix://${path.join(engine.directory, "none.sock")}` };
		const { code, output } = await runInside(deaf, launcher, "chaos", "--target", "docker", "--time", "1s");
		assert.notEqual(code, 0);
		assert.match(output, /no Docker engine answers at DOCKER_HOST=unix:/);
	});

	it("have an engine of our own that leaves nothing behind", async () => {
		await engine.stop();
		assert.equal(existsSync(engine.directory), false);
		assert.equal(existsSync(`/var/run/netns/${engine.namespace}`), false);
		assert.deepEqual(await traces(engine.directory), []);
	});
});
