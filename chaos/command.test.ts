/** The command against real processes: ours is right, a real etcd is right, and what is wrong on purpose is caught. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { StoreProcesses } from "../cluster/store-processes.ts";
import { skip } from "../test/skip.ts";
import { parseHistory } from "./history.ts";
import { parseResults } from "./matrix.ts";
import { faults } from "./nemeses/all.ts";
import { chaos } from "./testing/command.ts";
import { kvWorkloads } from "./workloads/all.ts";

const canRunContainers =
	process.getuid?.() === 0 &&
	["dockerd", "ip", "iptables", "xfs_io", "mkfs.ext4"].every((tool) => spawnSync("which", [tool]).status === 0);
const hasEtcd = spawnSync("etcd", ["--version"]).status === 0;

describe("barque chaos", function () {
	this.timeout(120_000);

	// Another workload each day: all of them take longer than a test run may.
	const seed = Number(process.env["BARQUE_SEED"] ?? Math.floor(Date.now() / 86_400_000));
	const rightWorkloads = [...kvWorkloads.keys()].filter((name) => name !== "lock-unfenced");
	const workload = rightWorkloads[seed % rightWorkloads.length]!;

	it(`finds nothing wrong with our store while members die and stand still (${workload}, BARQUE_SEED=${seed})`, async () => {
		const directory = await mkdtemp(path.join(tmpdir(), "barque-chaos-"));
		const [report, history] = [path.join(directory, "run.html"), path.join(directory, "run.jsonl")];
		try {
			const files = ["--report", report, "--history", history, "--output", "json"];
			const faults = ["--nemesis", "kill-leader,kill-all,pause"];
			const plan = ["--workload", workload, "--time", "6s", "--seed", String(seed)];
			const { code, stdout, stderr } = await chaos(...plan, ...faults, ...files);
			assert.equal(code, 0, stdout + stderr);
			const result = JSON.parse(stdout) as Record<"ok" | "fail" | "faults" | "seed", number> & {
				violations: unknown[];
			};
			assert.deepEqual([result.seed, result.violations], [seed, []]);
			assert.ok(result.ok + result.fail > 10 && result.faults > 0, stdout);
			const events = parseHistory(await readFile(history, "utf8"));
			assert.ok(events.length >= 2 * result.ok);
			assert.match(await readFile(report, "utf8"), /Nothing wrong was found/);
			assert.match(stderr, /^seed (\d+); again: barque chaos .*--seed \1$/m);
		} finally {
			await rm(directory, { recursive: true });
		}
	});

	it(`a sample of all pairs of workload and fault finds nothing wrong (BARQUE_SEED=${seed})`, async function () {
		if (!canRunContainers) {
			skip(this, "containers, namespaces and loop devices take root, dockerd, ip, iptables and xfs_io");
		}
		this.timeout(300_000);
		const directory = await mkdtemp(path.join(tmpdir(), "barque-chaos-"));
		const file = path.join(directory, "results.jsonl");
		const plan = ["--matrix", file, "--time", "4s", "--jobs", "2", "--seed", String(seed)];
		const crossing = [...faults.values()].filter((fault) => fault.needs.includes("network")).map(({ name }) => name);
		try {
			const local = [...faults.keys()].filter((name) => !crossing.includes(name));
			for (const [names, sample] of [
				[local, 8],
				[crossing, 3],
			] as const) {
				const { code, stdout, stderr } = await chaos(...plan, "--nemesis", names.join(","), "--sample", String(sample));
				assert.equal(code, 0, stdout + stderr);
			}
			const results = parseResults(await readFile(file, "utf8"));
			assert.equal(results.length, 11);
			assert.equal(results.filter(({ target }) => target === "docker").length, 3);
			for (const each of results) assert.ok(each.ok > 0 && each.violations.length === 0, JSON.stringify(each));
		} finally {
			await rm(directory, { recursive: true });
		}
	});

	it("catches etcd whose reads are made serializable, and not an etcd as it is", async function () {
		if (!hasEtcd) {
			skip(this, "no etcd on this machine");
		}
		const common = ["--target", "etcd", "--nemesis", "pause", "--time", "7s", "--request-timeout", "300ms"];
		const good = await chaos(...common, "--workload", "register", "--seed", "7");
		assert.equal(good.code, 0, good.stdout + good.stderr);
		for (let seed = 7; ; seed++) {
			const bad = await chaos(...common, "--serializable-reads", "--rate", "400", "--seed", String(seed));
			if (bad.code === 0 && seed < 10) continue;
			assert.equal(bad.code, 1, bad.stdout + bad.stderr);
			assert.match(bad.stdout, /nonlinearizable: register r\/\d: no order of these \d+ operations/);
			break;
		}
	});

	it("catches etcd that acknowledges before it syncs, when all lose power; and not an etcd as it is", async function () {
		if (!hasEtcd || !canRunContainers) {
			skip(this, "takes etcd, root, loop devices, xfs_io and mkfs.ext4");
		}
		const common = [
			"--target",
			"etcd",
			"--nemesis",
			"power-loss-all",
			"--workload",
			"set",
			"--time",
			"8s",
			"--seed",
			"3",
		];
		const good = await chaos(...common);
		assert.equal(good.code, 0, good.stdout + good.stderr);
		const bad = await chaos(...common, "--unsafe-no-fsync");
		assert.equal(bad.code, 1, bad.stdout + bad.stderr);
		assert.match(bad.stdout, /^lost: /m);
	});

	it("works on endpoints of others under a prefix, and harms them through hooks", async () => {
		const store = await StoreProcesses.create(3);
		const directory = await mkdtemp(path.join(tmpdir(), "barque-chaos-"));
		const hooks = path.join(directory, "hooks");
		try {
			await store.startAll();
			const endpoints = ["--target", "endpoints", "--endpoints", store.clientUrls.join(",")];
			const note = (what: string) => `echo ${what} $BARQUE_CHAOS_ENDPOINT >> ${hooks}`;
			const faults = ["--nemesis", "kill", "--kill-hook", note("kill"), "--start-hook", note("start")];
			const { code, stdout, stderr } = await chaos(...endpoints, ...faults, "--workload", "bank", "--time", "4s");
			assert.equal(code, 0, stdout + stderr);
			assert.match(await readFile(hooks, "utf8"), /^kill http:\/\/127\.0\.0\.1:\d+\nstart http/);
			const client = store.connect();
			const { kvs } = await client.range({ key: Buffer.from([0]), rangeEnd: Buffer.from([0]) });
			await client.close();
			assert.ok(kvs.length === 5 && kvs.every((kv) => kv.key.toString().startsWith("barque-chaos/")));
		} finally {
			await store.close();
			await rm(directory, { recursive: true });
		}
	});

	it("calls a run in which nobody answered failed, and tells the verdict before a file that cannot be written", async () => {
		const dead = ["--target", "endpoints", "--endpoints", "http://127.0.0.1:1", "--time", "1s", "--clients", "2"];
		const report = path.join(tmpdir(), "barque-no-such-directory", "x.html");
		const [silent, unwritten] = await Promise.all([chaos(...dead), chaos(...dead, "--report", report)]);
		assert.equal(silent.code, 3, silent.stdout + silent.stderr);
		assert.match(silent.stderr, /the run failed: no operation was answered, so nothing was tested/);
		assert.equal(unwritten.code, 3, unwritten.stdout + unwritten.stderr);
		assert.match(unwritten.stdout, /^liveness: .*^1 violation: 0 ok/ms);
		assert.match(unwritten.stderr, /the run failed: ENOENT/);
	});

	it("explains its flags and workloads, and refuses what it cannot do", async () => {
		const { code, stdout } = await chaos("--list");
		assert.equal(code, 0);
		for (const name of kvWorkloads.keys()) assert.ok(stdout.includes(name), name);
		for (const [args, complaint] of [
			[["--workload", "nonsense"], /nonsense/],
			[["--target", "endpoints"], /needs --endpoints/],
			[["--target", "endpoints", "--endpoints", "http://127.0.0.1:1", "--nemesis", "kill"], /needs --kill-hook/],
			[["--nemesis", "halves"], /--nemesis halves: networks can be harmed with --target netns or docker/],
			[
				["--target", "docker", "--workload", "k8s-update", "--nemesis", "disk-full"],
				/disks can be harmed with --target processes or netns/,
			],
			[["--target", "etcd", "--nemesis", "clock-jump"], /clocks cannot be harmed below etcd/],
			[["--nemesis", "defragment"], /only etcd is defragmented/],
			[["--target", "docker", "--matrix", "x"], /only with those that --nemesis names/],
		] as const) {
			const refused = await chaos(...args);
			assert.equal(refused.code, 2);
			assert.match(refused.stderr, complaint);
		}
	});
});
