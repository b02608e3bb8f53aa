import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { configMaps } from "../../apiserver/client/resources.ts";
import { systemClock } from "../../kit/clock.ts";
import { eventually } from "../../test/until.ts";
import { describeViolation } from "../checkers/violation.ts";
import { startProcessPlace } from "../places/processes.ts";
import { runWorkload } from "../run.ts";
import { namedBy, orSkip, stateOf } from "../testing/machine.ts";
import { kubernetesWorkloads } from "../workloads/kubernetes.ts";
import { startClusterMembers } from "./kubernetes.ts";

describe("chaos/targets: a whole cluster", function () {
	this.timeout(120_000);
	let members: Awaited<ReturnType<typeof startClusterMembers>>;

	before(async () => {
		members = await startClusterMembers({ place: await startProcessPlace({ size: 3 }) });
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
		// One that waits for a processor is stopped, and shows it once it would go on.
		await eventually("both show it", async () => stopped().length >= 2);
		const commands = stopped().map(({ command }) => /barque\.js (\S+) /.exec(command)?.[1]);
		assert.deepEqual(commands.sort(), ["controller-manager", "scheduler"]);
		await members.agents?.resume(name);
		assert.deepEqual(stopped(), []);
	});

	it("tells of a part that ends by itself, and of none that was killed", async () => {
		const [, name = ""] = members.names;
		const part = `${name}-scheduler`;
		assert.deepEqual(await members.ended?.(), []);
		const [scheduler] = namedBy(` scheduler --kubeconfig=`).filter(({ command }) => command.includes(`/${name}/`));
		process.kill(scheduler!.pid, "SIGKILL");
		await eventually("its end is seen", async () => (await members.ended?.())?.length === 1);
		assert.equal((await members.ended?.())?.[0]?.name, part);
		await members.start(name);
		await members.kill(name);
		await members.start(name);
		await members.stop?.(name);
		await members.start(name);
		assert.equal((await members.ended?.())?.length, 1);
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

describe("chaos/targets: masters' machines", function () {
	this.timeout(120_000);
	let members: Awaited<ReturnType<typeof startClusterMembers>> | undefined;
	afterEach(async () => {
		await members?.close();
		members = undefined;
	});

	/** A configmap made through one master's apiserver. */
	async function create(name: string, index = 0) {
		const target = members!.connect(index);
		try {
			return await target.apis[0]!.resource(configMaps).create("default", { metadata: { name } });
		} finally {
			await target.close();
		}
	}

	it("have clocks and disks that can be harmed, and come back", async function () {
		const options = { size: 3, clocks: true, disks: true };
		const place = await orSkip(this, () => startProcessPlace(options));
		members = await startClusterMembers({ place, nodes: 0 });
		const { names, clocks, disks } = members;
		const [first = "", second = "", third = ""] = names;
		const hour = 3_600_000;

		await clocks!.skew(first, 5 * hour, 1);
		const ahead = await create("ahead");
		assert.ok(Math.abs(Date.parse(ahead.metadata.creationTimestamp!) - Date.now() - 5 * hour) < 60_000);
		assert.ok(Math.abs(Date.parse((await create("right", 1)).metadata.creationTimestamp!) - Date.now()) < 60_000);
		await clocks!.heal();

		for (const [i, fault] of (["torn", "full", "error"] as const).entries()) {
			const victim = [first, second, third][i]!;
			await disks!.harm!(victim, fault);
			await eventually(`the store of ${victim} ends`, async () => {
				await create(`${fault}-${Date.now()}`, i + 1);
				return namedBy(` store --name=${victim} `).every(({ command }) => !command.includes(place.hosts[i]!.dataDir));
			});
			await disks!.heal!(victim);
			await members.start(victim);
		}
		assert.deepEqual(await members.ended?.(), []);
	});

	it("die before their disks do at a power cut: nobody hears of a sync that a dying disk lets pass", async () => {
		const place = await startProcessPlace({ size: 1 });
		const { dataDir } = place.hosts[0]!;
		// As a disk that is slow to go.
		const loseUnsynced = () =>
			eventually("the store is dead", async () => namedBy(` --data-dir=${dataDir} `).length === 0, 5000).then(() => {});
		members = await startClusterMembers({ place: { ...place, disks: () => ({ loseUnsynced }) }, nodes: 0 });
		assert.equal(namedBy(` --data-dir=${dataDir} `).length, 1);
		await members.disks!.loseUnsynced!(members.names);
	});

	it("lose at a power cut what was not synced, and nothing that was acknowledged", async function () {
		const options = { size: 1, powerLoss: true };
		const place = await orSkip(this, () => startProcessPlace(options));
		members = await startClusterMembers({ place, nodes: 0 });
		const [host] = place.hosts;
		assert.notDeepEqual(await readdir(host!.dataDir), [], "the store writes elsewhere");
		await writeFile(path.join(host!.dataDir, "unsynced"), "x");
		await create("acknowledged");
		await members.disks!.loseUnsynced!(members.names);
		// Its name may have become durable beside what the store synced; its content has not.
		const unsynced = await readFile(path.join(host!.dataDir, "unsynced"), "utf8").catch(() => "");
		assert.equal(unsynced, "");
		assert.deepEqual(namedBy(host!.dataDir), []);
		await members.start(members.names[0]!);
		const target = members.connect(0);
		await target.apis[0]!.resource(configMaps).get("default", "acknowledged");
		await target.close();
		assert.deepEqual(await members.ended?.(), []);
	});
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
		const module = (name: string) => JSON.stringify(path.join(import.meta.dirname, name));
		const source = `import { startClusterMembers } from ${module("kubernetes.ts")};
			import { startProcessPlace } from ${module("../places/processes.ts")};
			const place = await startProcessPlace(${JSON.stringify({ size: 1 })});
			const members = await startClusterMembers({ nodes: 0, place });
			${then}`;
		const env = { ...process.env, TMPDIR: folder };
		const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", 2], env });
		return child;
	}

	/** Resolves when it says something; rejects when it ends without a word. */
	async function said(child: ReturnType<typeof otherRun>): Promise<void> {
		const ended = once(child, "exit").then(([code]) => assert.fail(`the other run ended by itself, code ${code}`));
		await Promise.race([once(child.stdout!, "data"), ended]);
		ended.catch(() => {});
	}

	async function leavesNothing(child: ReturnType<typeof otherRun>): Promise<void> {
		child.kill("SIGINT");
		assert.deepEqual(await once(child, "exit"), [null, "SIGINT"]);
		assert.deepEqual(namedBy(`${folder}/`), []);
		assert.deepEqual(await readdir(folder), []);
	}

	it("leaves nothing behind of one that is being started", async () => {
		const child = otherRun("");
		while (namedBy(`${folder}/`).length === 0) {
			assert.equal(child.exitCode, null, "the other run ended by itself");
			await delay(5);
		}
		await leavesNothing(child);
	});

	it("has no process left where it is killed", async () => {
		const child = otherRun(`console.log("runs");`);
		await said(child);
		assert.ok(namedBy(`${folder}/`).length > 4);
		child.kill("SIGKILL");
		await eventually("all gone", async () => namedBy(`${folder}/`).length === 0);
	});

	it("leaves nothing behind of one that runs, also where a master is just started again", async () => {
		const child = otherRun(`await members.pause("master-1");
			await members.kill("master-1");
			console.log("killed");
			await members.start("master-1").catch(() => {});`);
		await said(child);
		while (namedBy(`${folder}/`).length < 2) await delay(5);
		await leavesNothing(child);
	});
});
