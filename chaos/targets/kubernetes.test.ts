import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { configMaps } from "../../apiserver/client/resources.ts";
import { systemClock } from "../../kit/clock.ts";
import { describeViolation } from "../checkers/violation.ts";
import { runWorkload } from "../run.ts";
import { namedBy, stateOf } from "../testing/machine.ts";
import { kubernetesWorkloads } from "../workloads/kubernetes.ts";
import { startClusterMembers } from "./kubernetes.ts";

describe("chaos/targets: a whole cluster", function () {
	this.timeout(120_000);
	let members: Awaited<ReturnType<typeof startClusterMembers>>;

	before(async () => {
		members = await startClusterMembers({ masters: 3 });
	});
	after(() => members?.close());

	it("tells who leads, and another once the leader has stopped", async () => {
		const first = await untilLed();
		await members.stop?.(first.name);
		const second = await untilLed();
		assert.notEqual(second.name, first.name);
		assert.ok(second.term > first.term);
		await members.start(first.name);
		await members.start(first.name);
	});

	it("pauses all that runs on a master, and compacts history", async () => {
		const [name = ""] = members.names;
		await members.pause?.(name);
		const client = members.connect(0);
		try {
			await assert.rejects(client.apis[0]!.resource(configMaps).list("default"), { name: "ConnectionError" });
			await client.apis[1]!.resource(configMaps).list("default");
			await members.resume?.(name);
			await client.apis[0]!.resource(configMaps).list("default");
			await members.compact?.();
		} finally {
			await client.close();
		}
	});

	it("pauses the agents of a master, and nothing else there", async () => {
		const [name = ""] = members.names;
		const stopped = () => namedBy(`/${name}/`).filter(({ pid }) => stateOf(pid) === "T");
		assert.deepEqual(stopped(), []);
		await members.agents?.pause(name);
		const commands = stopped().map(({ command }) => /barque\.js (\S+) /.exec(command)?.[1]);
		assert.deepEqual(commands.sort(), ["controller-manager", "scheduler"]);
		await members.agents?.resume(name);
		assert.deepEqual(stopped(), []);
	});

	it("keeps what controllers promise while nothing is harmed", async () => {
		const outcome = await runWorkload({
			workload: kubernetesWorkloads.get("k8s-controllers")!,
			connect: (index) => members.connect(index),
			clock: systemClock,
			seed: 1,
			clients: 4,
			workMs: 4000,
		});
		assert.deepEqual(outcome.violations.map(describeViolation), []);
		assert.ok(outcome.finished && outcome.counts.ok > 4);
	});

	async function untilLed() {
		for (;;) {
			const leadership = await members.leader();
			if (leadership !== undefined) return leadership;
		}
	}
});

describe("chaos/targets: a whole cluster whose run is interrupted", function () {
	this.timeout(120_000);
	let folder: string;
	beforeEach(async () => {
		folder = await mkdtemp(path.join(tmpdir(), "barque-interrupted-"));
	});
	afterEach(async () => {
		for (const { pid } of namedBy(`${folder}/`)) process.kill(pid, "SIGKILL");
		await rm(folder, { recursive: true, force: true, maxRetries: 5 });
	});

	/** A process that starts a cluster with all its files in `folder`, and then does this to its members. */
	function otherRun(then: string) {
		const module = path.join(import.meta.dirname, "kubernetes.ts");
		const source = `import { startClusterMembers } from ${JSON.stringify(module)};
			const members = await startClusterMembers({ masters: 1, nodes: 0 });
			${then}`;
		const env = { ...process.env, TMPDIR: folder };
		const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", 2], env });
		return child;
	}

	async function leavesNothing(child: ReturnType<typeof otherRun>): Promise<void> {
		child.kill("SIGINT");
		assert.deepEqual(await once(child, "exit"), [null, "SIGINT"]);
		assert.deepEqual(namedBy(`${folder}/`), []);
		assert.deepEqual(await readdir(folder), []);
	}

	it("leaves nothing behind of one that is being started", async () => {
		const child = otherRun("");
		while (namedBy(`${folder}/`).length === 0) await delay(5);
		await leavesNothing(child);
	});

	it("leaves nothing behind of one that runs, also where a master is just started again", async () => {
		const child = otherRun(`await members.pause("master-1");
			await members.kill("master-1");
			console.log("killed");
			await members.start("master-1").catch(() => {});`);
		await once(child.stdout!, "data");
		while (namedBy(`${folder}/`).length < 2) await delay(5);
		await leavesNothing(child);
	});
});
