import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readlink, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { children, isRunning, orSkip } from "../testing/machine.ts";
import { startNetnsPlace } from "./netns.ts";
import { type Command, MissingToolError, type Place } from "./place.ts";
import type { ProcessHost } from "./process-host.ts";
import { requireRootAndTools } from "./tools.ts";

const server = `const http = require("node:http");
	const answer = { pid: process.pid, proxies: Object.keys(process.env).filter((name) => /^(https?|all)_proxy$/i.test(name)) };
	http.createServer((_, response) => response.end(JSON.stringify(answer))).listen(2379, () => console.log("ready"));`;
const serve: Command = { program: process.execPath, args: ["-e", server] };

/** The machine's own addresses in the subnet of this one. */
function machineAddresses(address: string): string[] {
	const prefix = address.slice(0, address.lastIndexOf(".") + 1);
	const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
	return all.map((each) => each.address).filter((each) => each.startsWith(prefix));
}

async function until(isTrue: () => boolean): Promise<void> {
	while (!isTrue()) await delay(5);
}

describe("members in network namespaces", function () {
	this.timeout(30_000);
	const places: Place[] = [];

	before(async function () {
		const place = await orSkip(this, () => startNetnsPlace({ size: 1 }));
		await place.close();
	});
	afterEach(async () => {
		for (const place of places.splice(0)) await place.close();
	});

	async function start(size: number): Promise<Place> {
		const place = await startNetnsPlace({ size });
		places.push(place);
		return place;
	}

	it("run each in its own, reached by clients, under the process id that is known here", async () => {
		const place = await start(3);
		const hosts = place.hosts as readonly ProcessHost[];
		assert.deepEqual(
			hosts.map(({ name, peerPort, clientPort }) => [name, peerPort, clientPort]),
			["m1", "m2", "m3"].map((name) => [name, 2380, 2379]),
		);
		await Promise.all(hosts.map((host) => host.run(serve)));
		const seen = new Set([await readlink("/proc/self/ns/net")]);
		for (const host of hosts) {
			await until(() => host.output.includes("ready"));
			const answer = await fetch(`http://${host.clientAddress}:${host.clientPort}`);
			assert.deepEqual(await answer.json(), { pid: host.pid, proxies: [] });
			assert.equal(host.peerAddress, host.clientAddress);
			assert.equal(await readlink(`/proc/${host.pid}/exe`), process.execPath);
			seen.add(await readlink(`/proc/${host.pid}/ns/net`));
		}
		assert.equal(seen.size, 4);
	});

	it("take other programs in, under their own process ids", async () => {
		const place = await start(2);
		const script = 'const { networkInterfaces: all } = require("os"); console.log(process.pid, all().eth0[0].address)';
		const { program, args } = await place.enter("m2", { program: process.execPath, args: ["-e", script] });
		const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
		const [line] = (await once(child.stdout, "data")) as [Buffer];
		assert.equal(line.toString(), `${child.pid} ${place.hosts[1]!.peerAddress}\n`);
		await once(child, "close");
	});

	it("have clocks and disks that can be harmed, when asked for", async function () {
		const options = { size: 1, clocks: true, disks: true, powerLoss: true };
		const place = await orSkip(this, () => startNetnsPlace(options));
		places.push(place);
		const [host] = place.hosts as readonly [ProcessHost];
		const script = `const fs = require("node:fs");
			const [file] = process.argv.slice(1);
			const open = fs.openSync(file, "a");
			fs.writeSync(open, "synced ");
			fs.fsyncSync(open);
			fs.fsyncSync(fs.openSync(require("node:path").dirname(file)));
			fs.writeSync(open, "not synced");
			setInterval(() => console.log(new Date().getFullYear(), fs.readFileSync(file, "utf8")), 10);`;
		const command = { program: process.execPath, args: ["-e", script, path.join(host.dataDir, "file")] };
		await host.run(command);
		await until(() => host.output.includes(" synced not synced"));
		const year = new Date().getFullYear();
		await place.clocks!.skew("m1", 3 * 366 * 86_400_000, 1);
		await until(() => host.output.includes(`${year + 3} synced`));
		await place.clocks!.heal();
		await place.disks!(() => host.end("SIGKILL"))!.loseUnsynced!(["m1"]);
		assert.equal(host.isRunning, false);
		await host.run(command);
		await until(() => host.output.includes(`${year} synced synced not synced`));
	});

	it("are killed, paused and started again", async () => {
		const [host] = (await start(1)).hosts as readonly [ProcessHost];
		await host.run(serve);
		await until(() => host.output.includes("ready"));
		await host.pause();
		const answer = fetch(`http://${host.clientAddress}:${host.clientPort}`);
		assert.equal(await Promise.race([answer.then(() => "answered"), delay(100, "silent")]), "silent");
		await host.resume();
		await (await answer).body?.cancel();
		const { pid } = host;
		await host.end("SIGKILL");
		assert.ok(!isRunning(pid!));
		await host.run(serve);
		await until(() => host.output.includes("ready"));
		await host.end("SIGTERM");
		assert.equal(host.isRunning, false);
	});

	it("leave nothing behind, though a member is paused and links are harmed", async () => {
		const place = await start(2);
		const hosts = place.hosts as readonly ProcessHost[];
		await Promise.all(hosts.map((host) => host.run(serve)));
		await hosts[0]!.pause();
		await place.network!.cut([["m1", "m2"]]);
		const address = hosts[0]!.peerAddress;
		assert.equal(machineAddresses(address).length, 1);
		await Promise.all([place.close(), place.close()]);
		assert.deepEqual(children(), []);
		assert.deepEqual(machineAddresses(address), []);
		for (const host of hosts) assert.ok(!existsSync(host.dataDir));
	});

	it("have subnets of their own in each run", async () => {
		const several = await Promise.all([start(1), start(1), start(1)]);
		assert.equal(new Set(several.map((place) => place.hosts[0]!.peerAddress)).size, 3);
	});

	/** A process with a place and a member in it. */
	async function otherRun() {
		const source = `import { startNetnsPlace } from ${JSON.stringify(path.join(import.meta.dirname, "netns.ts"))};
			const place = await startNetnsPlace(${JSON.stringify({ size: 2 })});
			const [host] = place.hosts;
			await host.run({ program: process.execPath, args: ["-e", "process.on('SIGINT', () => {}); setInterval(() => {}, 1000)"] });
			console.log(JSON.stringify({ pid: host.pid, address: host.peerAddress, dataDir: host.dataDir }));`;
		const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "pipe"] });
		child.stderr.resume();
		const [line] = (await once(child.stdout, "data")) as [Buffer];
		return { child, ...(JSON.parse(line.toString()) as { pid: number; address: string; dataDir: string }) };
	}

	it("leave nothing behind when the run is interrupted", async () => {
		const { child, pid, address, dataDir } = await otherRun();
		child.kill("SIGINT");
		assert.deepEqual(await once(child, "exit"), [null, "SIGINT"]);
		assert.ok(!isRunning(pid));
		assert.deepEqual(machineAddresses(address), []);
		assert.ok(!existsSync(path.dirname(dataDir)));
	});

	it("leave only their files behind when the run is killed", async () => {
		const { child, pid, address, dataDir } = await otherRun();
		child.kill("SIGKILL");
		await once(child, "exit");
		await until(() => !isRunning(pid));
		await until(() => machineAddresses(address).length === 0);
		await rm(path.dirname(dataDir), { recursive: true });
	});

	it("leave nothing behind when they cannot be set up", async () => {
		const folder = await mkdtemp(path.join(tmpdir(), "barque-ip-"));
		try {
			// Links are made, and then it fails.
			const fake =
				'#!/bin/sh\ncase "$*" in *route*) echo no routes today >&2; exit 1;; esac\nPATH=$REAL_PATH exec ip "$@"\n';
			await writeFile(path.join(folder, "ip"), fake);
			await chmod(path.join(folder, "ip"), 0o755);
			const source = `import { networkInterfaces } from "node:os";
				import { startNetnsPlace } from ${JSON.stringify(path.join(import.meta.dirname, "netns.ts"))};
				import { children } from ${JSON.stringify(path.join(import.meta.dirname, "..", "testing", "machine.ts"))};
				import { execFileSync } from "node:child_process";
				const problem = await startNetnsPlace(${JSON.stringify({ size: 2 })}).catch((error) => error.message);
				const links = JSON.parse(execFileSync("ip", ["-json", "link"])).map(({ ifname }) => ifname);
				console.log(JSON.stringify({ problem, links: links.filter((name) => name.startsWith("barque")), left: children() }));`;
			// In a namespace of its own, where nobody else makes links.
			const args = ["--net", process.execPath, "--input-type=module", "-e", source];
			const realPath = `${process.env["PATH"]}:/usr/sbin`;
			const env = { ...process.env, PATH: `${folder}:${realPath}`, REAL_PATH: realPath };
			const child = spawn("unshare", args, { stdio: ["ignore", "pipe", "inherit"], env });
			const [line] = (await once(child.stdout, "data")) as [Buffer];
			const { problem, links, left } = JSON.parse(line.toString());
			assert.match(problem, /no routes today/);
			assert.deepEqual([links, left], [[], []]);
		} finally {
			await rm(folder, { recursive: true });
		}
	});

	it("refuse what they cannot do", async () => {
		await assert.rejects(startNetnsPlace({ size: 8 }), /size: 8 is not between 1 and 7/);
		const { enter } = await start(1);
		await assert.rejects(enter!("m2", serve), /no host m2/);
	});
});

describe("the machine's programs", () => {
	it("are named with their packages when they are missing", async function () {
		await orSkip(this, () => requireRootAndTools("tests", {}));
		const missing = requireRootAndTools("faults", {
			sh: "dash",
			"barque-a": "one",
			"barque-b": "two",
			"barque-c": "one",
		});
		await assert.rejects(missing, (error: Error) => {
			assert.ok(error instanceof MissingToolError);
			assert.equal(error.message, "faults need barque-a, barque-b, barque-c: apt-get install one two");
			return true;
		});
	});
});
