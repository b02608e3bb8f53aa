import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { launcher } from "../../cluster/launcher.ts";
import { skip } from "../../test/skip.ts";
import { isRunning, namedBy } from "../testing/machine.ts";
import { isInstalled } from "./tools.ts";

const module = (name: string) => JSON.stringify(path.join(import.meta.dirname, name));

describe("members as processes on this machine", function () {
	this.timeout(30_000);
	let folder: string;
	let temporary: string;

	beforeEach(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-processes-"));
		temporary = path.join(folder, "tmp");
		await mkdir(temporary);
	});
	afterEach(async () => {
		for (const { pid } of namedBy(`${folder}/`)) process.kill(pid, "SIGKILL");
		await rm(folder, { recursive: true, force: true, maxRetries: 5 });
	});

	/** A process with a place, all of whose files are in `temporary`. */
	function otherRun(options: object, then: string, more: NodeJS.ProcessEnv = {}) {
		const source = `import { startProcessPlace } from ${module("processes.ts")};
			import { cleanUpOnInterrupt } from ${module("cleanup.ts")};
			import { setTimeout as delay } from "node:timers/promises";
			const place = await startProcessPlace(${JSON.stringify({ size: 1, ...options })});
			const [host] = place.hosts;
			const forever = () => host.run({ program: process.execPath, args: ["-e", "setInterval(() => {}, 1000)", host.dataDir] });
			${then}`;
		const env = { ...process.env, TMPDIR: temporary, ...more };
		return spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "ignore"], env });
	}

	it("leave nothing behind when the run is interrupted, though one is to be started again after that", async () => {
		const child = otherRun(
			{},
			`await forever();
			console.log("up");
			cleanUpOnInterrupt(async () => {
				await host.end("SIGKILL");
				await delay(300);
				await forever();
			});`,
		);
		await once(child.stdout!, "data");
		assert.equal(namedBy(`${temporary}/`).length, 1);
		child.kill("SIGINT");
		assert.deepEqual(await once(child, "exit"), [null, "SIGINT"]);
		assert.deepEqual(namedBy(`${temporary}/`), []);
		assert.deepEqual(await readdir(temporary), []);
	});

	it("leave nothing behind when the run is interrupted while they are being set up", async function () {
		if (!(await isInstalled("cc"))) {
			skip(this, "there is no compiler");
		}
		const fake = `#!/bin/sh
			case "$*" in *disk-fault.c*) kill -INT $PPID; sleep 0.3;; esac
			PATH=$REAL_PATH exec cc "$@"\n`;
		await writeFile(path.join(folder, "cc"), fake);
		await chmod(path.join(folder, "cc"), 0o755);
		const realPath = process.env["PATH"];
		const env = { PATH: `${folder}:${realPath}`, REAL_PATH: realPath, XDG_CACHE_HOME: path.join(folder, "cache") };
		const child = otherRun({ clocks: true, disks: true }, "await forever();", env);
		assert.deepEqual(await once(child, "exit"), [null, "SIGINT"]);
		assert.deepEqual(namedBy(`${temporary}/`), []);
		assert.deepEqual(await readdir(temporary), []);
	});

	it("are not started any more by a matrix that is interrupted", async () => {
		const faults = "kill,kill-leader,kill-all,pause,pause-leader,pause-all,rolling-restart,compact";
		const argv = ["--target", "etcd", "--etcd", "barque-no-such-program", "--nemesis", faults];
		const matrix = ["--matrix", path.join(folder, "results.jsonl"), "--network-target", "netns"];
		// Its pairs fail, one after the other, since there is no such program.
		const source = `import { setTimeout as delay } from "node:timers/promises";
			import { runChaos } from ${module("../command.ts")};
			import { cleanUpOnInterrupt } from ${module("cleanup.ts")};
			cleanUpOnInterrupt(() => delay(1000));
			process.exitCode = await runChaos(${JSON.stringify([...argv, ...matrix])});`;
		const env = { ...process.env, TMPDIR: temporary };
		const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", 1, "pipe"], env });
		let output = "";
		child.stderr!.on("data", (chunk: Buffer) => {
			if (!output.includes("1 of") && chunk.includes("1 of")) child.kill("SIGINT");
			output += chunk.toString();
		});
		assert.deepEqual(await once(child, "close"), [null, "SIGINT"]);
		const [before = "", after = "nothing"] = output.split("SIGINT, cleaning up\n");
		assert.match(before, /1 of \d+: .*no such program/);
		assert.equal(after, "");
		assert.deepEqual(await readdir(temporary), []);
	});

	it("are a violation when they end by themselves, though the others go on", async () => {
		const args = [launcher, "chaos", "--workload", "register", "--time", "4s", "--clients", "2"];
		const env = { ...process.env, TMPDIR: temporary };
		const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env });
		let output = "";
		child.stdout.on("data", (chunk: Buffer) => {
			output += chunk.toString();
		});
		child.stderr.on("data", (chunk: Buffer) => {
			if (!chunk.includes("members of")) return;
			const [member] = namedBy("--name=m2").filter(({ command }) => command.includes(`${temporary}/`));
			process.kill(member!.pid, "SIGKILL");
		});
		const [code] = await once(child, "close");
		assert.equal(code, 1, output);
		assert.match(output, /^ended: m2 ended, though nothing was done to it/m);
	});

	it("end with a run that is killed", async function () {
		if (process.platform !== "linux" || !(await isInstalled("setpriv"))) {
			skip(this, "there is no setpriv");
		}
		const child = otherRun({}, "await forever(); console.log(host.pid);");
		const [line] = (await once(child.stdout!, "data")) as [Buffer];
		const pid = Number(line.toString());
		assert.ok(isRunning(pid));
		child.kill("SIGKILL");
		await once(child, "exit");
		while (isRunning(pid)) await delay(5);
	});
});
