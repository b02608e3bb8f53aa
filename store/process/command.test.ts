import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectStore } from "../client/client.ts";
import { freePorts } from "../testing.ts";

const command = JSON.stringify(new URL("./command.ts", import.meta.url).href);
const script = `import(${command}).then(({ runStore }) => runStore(process.argv.slice(1))).then((code) => { process.exitCode = code; })`;

function start(argv: readonly string[]): {
	readonly child: ChildProcess;
	readonly ended: Promise<number | null>;
	readonly text: () => string;
} {
	const child = spawn(process.execPath, ["-e", script, "--", ...argv], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	let text = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream?.on("data", (chunk: Buffer) => {
			text += chunk.toString();
		});
	}
	return { child, ended: new Promise((resolve) => child.once("close", resolve)), text: () => text };
}

describe("store/process/command", function () {
	this.timeout(60_000);

	it("exits 2 on wrong flags, naming them, and 0 on --help", async () => {
		const cases: readonly (readonly [string[], RegExp])[] = [
			[["--data-dri=x"], /unknown flag: --data-dri \(did you mean --data-dir\?\)/],
			[["--election-timeout=100", "--heartbeat-interval=100"], /--election-timeout\[100ms\]/],
			[["--listen-client-urls=https://127.0.0.1:0"], /needs --cert-file and --key-file/],
			[["--initial-cluster=x=http://127.0.0.1:1"], /couldn't find local name "default"/],
			[["--auto-compaction-retention=soon"], /"soon" is not a duration/],
		];
		const runs = cases.map(([argv]) => start(argv));
		for (const [i, run] of runs.entries()) {
			assert.equal(await run.ended, 2, run.text());
			assert.match(run.text(), cases[i]?.[1] ?? /^$/);
		}
		const help = start(["--help"]);
		assert.equal(await help.ended, 0);
		assert.match(help.text(), /Clustering:[\s\S]*--initial-cluster /);
	});

	it("is who its data directory says once it has begun, wherever flags say that members are", async () => {
		const directory = await mkdtemp(join(tmpdir(), "barque-command-"));
		const running: ReturnType<typeof start>[] = [];
		const names = ["a", "b", "c"];
		const begin = async (name: string, i: number, ports: readonly number[], more: readonly string[]) => {
			const peer = `http://127.0.0.1:${ports[i]}`;
			const run = start([
				`--data-dir=${join(directory, name)}`,
				`--listen-peer-urls=${peer}`,
				`--listen-client-urls=http://127.0.0.1:${ports[3 + i]}`,
				"--heartbeat-interval=50",
				"--election-timeout=500",
				...more,
			]);
			running.push(run);
			const ready = new Promise<void>((resolve) =>
				run.child.stdout?.on("data", () => /ready:/.test(run.text()) && resolve()),
			);
			await Promise.race([ready, run.ended.then(() => assert.fail(run.text()))]);
		};
		const beginAll = async (flags: (name: string, ports: readonly number[]) => string[]) => {
			const ports = await freePorts(6);
			await Promise.all(names.map((name, i) => begin(name, i, ports, flags(name, ports))));
			return connectStore({ endpoints: names.map((_, i) => `http://127.0.0.1:${ports[3 + i]}`) });
		};
		const endAll = async () => {
			for (const { child } of running) child.kill("SIGTERM");
			for (const { ended } of running.splice(0)) assert.equal(await ended, 0);
		};
		const cluster = (ports: readonly number[]) =>
			names.map((name, i) => `${name}=http://127.0.0.1:${ports[i]}`).join(",");
		const key = Buffer.from("k");
		try {
			const first = await beginAll((name, ports) => [
				`--name=${name}`,
				`--initial-cluster=${cluster(ports)}`,
				`--initial-advertise-peer-urls=http://127.0.0.1:${ports[names.indexOf(name)]}`,
			]);
			const { clusterId } = (await first.put({ key, value: Buffer.from("1") })).header;
			await first.close();
			await endAll();
			// All members moved. Token, own name and advertised URL say what they want, and so may names that nobody has.
			const second = await beginAll((_name, ports) => [
				"--name=other",
				"--initial-cluster-token=other",
				"--initial-advertise-peer-urls=http://127.0.0.1:1",
				`--initial-cluster=${cluster(ports)},nobody=http://127.0.0.1:2`,
			]);
			const { kvs, header } = await second.range({ key });
			assert.equal(kvs[0]?.value.toString(), "1");
			assert.equal(header.clusterId, clusterId);
			await second.put({ key, value: Buffer.from("2") });
			await second.close();
			assert.match(running[0]!.text(), /who it is comes from its data directory.*"ignored-names":"nobody"/);
			await endAll();
		} finally {
			for (const { child } of running) child.kill("SIGKILL");
			await rm(directory, { recursive: true, force: true });
		}
	});

	it("takes the addresses kept in its data directory where flags name nobody it knows, as etcd does", async () => {
		const directory = await mkdtemp(join(tmpdir(), "barque-command-"));
		const [peer, client] = await freePorts(2);
		const argv = (more: readonly string[]) => [
			`--data-dir=${join(directory, "data")}`,
			`--listen-peer-urls=http://127.0.0.1:${peer}`,
			`--listen-client-urls=http://127.0.0.1:${client}`,
			...more,
		];
		const runOnce = async (more: readonly string[]) => {
			const run = start(argv(more));
			run.child.stdout?.on("data", () => /ready:/.test(run.text()) && run.child.kill("SIGTERM"));
			return { code: await run.ended, text: run.text() };
		};
		try {
			const good = ["--name=x", `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`];
			assert.equal((await runOnce(good)).code, 0);
			// etcd 3.7.3 starts with these flags as member x of its cluster.
			const bad = ["--name=other", "--initial-cluster=nobody=http://127.0.0.1:1", "--initial-cluster-token=tt"];
			const other = await runOnce(bad);
			assert.equal(other.code, 0, other.text);
			// Data of a version that kept no such file: only the flags of the beginning tell who this is.
			await rm(join(directory, "data", "member", "membership"));
			assert.equal((await runOnce(bad)).code, 2);
			assert.notEqual((await runOnce(["--name=x", "--initial-advertise-peer-urls=http://127.0.0.1:1"])).code, 0);
			assert.equal((await runOnce(good)).code, 0);
			assert.equal((await runOnce(bad)).code, 0);
			const file = join(directory, "data", "member", "membership");
			await writeFile(file, (await readFile(file, "utf8")).replace("x", "y"));
			const damaged = await runOnce(good);
			assert.equal(damaged.code, 1);
			assert.match(damaged.text, /membership: damaged: its checksum is wrong/);
		} finally {
			await rm(directory, { recursive: true, force: true });
		}
	});

	it("starts, says so, and ends with 0 on SIGTERM, leaving nothing open", async () => {
		const directory = await mkdtemp(join(tmpdir(), "barque-command-"));
		const peer = "http://127.0.0.1:0";
		const argv = [
			`--data-dir=${join(directory, "data")}`,
			`--initial-advertise-peer-urls=${peer}`,
			`--listen-peer-urls=${peer}`,
			"--listen-client-urls=http://127.0.0.1:0",
		];
		try {
			for (let round = 0; round < 2; round++) {
				const run = start(argv);
				await new Promise<void>((resolve) => {
					run.child.stdout?.on("data", () => {
						if (/barque store default ready/.test(run.text())) resolve();
					});
					run.ended.then(() => resolve());
				});
				run.child.kill("SIGTERM");
				assert.equal(await run.ended, 0, run.text());
				assert.match(run.text(), /store member stopped/);
			}
		} finally {
			await rm(directory, { recursive: true, force: true });
		}
	});
});
