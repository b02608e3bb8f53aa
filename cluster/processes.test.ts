import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { linuxOnly } from "../test/platform.ts";
import { eventually } from "../test/until.ts";
import { launcher } from "./launcher.ts";
import { pidFile } from "./layout.ts";
import { claimFreePorts, releasePorts } from "./ports.ts";
import { runningPid, startPart, stopPart } from "./processes.ts";

const parts = 10;

async function answers(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = net.connect(port, "127.0.0.1", () => resolve(true));
		socket.once("error", () => resolve(false));
		socket.once("connect", () => socket.destroy());
	});
}

async function canListen(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = net.createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}

describe("cluster: processes", function () {
	this.timeout(60_000);

	it("run while they become another program, as agents do that lost their leadership", async function () {
		linuxOnly(this, "tells command lines");
		const dir = await mkdtemp(path.join(tmpdir(), "barque-parts-"));
		const again = path.join(dir, "again.sh");
		await writeFile(again, '[ "$1" = 0 ] || exec sh "$0" $(($1 - 1)) "$2"\necho done\nexec sleep 60');
		const child = spawn("sh", [again, "2000", launcher], { stdio: ["ignore", "pipe", "inherit"] });
		try {
			await mkdir(path.dirname(pidFile(dir, "part")));
			await writeFile(pidFile(dir, "part"), `${child.pid}\n`);
			let isDone = false;
			child.stdout.once("data", () => {
				isDone = true;
			});
			let looks = 0;
			for (; !isDone; looks++) {
				const pid = await runningPid(dir, "part");
				assert.ok(pid === child.pid || isDone, `look ${looks}: ${pid}`);
			}
			assert.ok(looks > 100);
			assert.equal(await runningPid(dir, "part"), undefined, "sleep is no part");
		} finally {
			child.kill("SIGKILL");
			await rm(dir, { recursive: true, force: true });
		}
	});

	it("keep the pid file of the next one, where the one before has just ended", async () => {
		const dir = await mkdtemp(path.join(tmpdir(), "barque-parts-"));
		const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", launcher], { stdio: "ignore" });
		try {
			await mkdir(path.dirname(pidFile(dir, "part")));
			await writeFile(pidFile(dir, "part"), `${child.pid}\n`);
			await eventually("it runs", async () => (await runningPid(dir, "part")) !== undefined);
			const stopping = stopPart(dir, "part", 0);
			await once(child, "exit");
			await writeFile(pidFile(dir, "part"), `${process.pid}\n`);
			assert.equal(await stopping, true);
			assert.equal(await readFile(pidFile(dir, "part"), "utf8"), `${process.pid}\n`);
		} finally {
			child.kill("SIGKILL");
			await rm(dir, { recursive: true, force: true });
		}
	});

	it("have given back their ports when they are said to be gone", async () => {
		const dir = await mkdtemp(path.join(tmpdir(), "barque-parts-"));
		const ports = await claimFreePorts(dir, 2 * parts, false);
		const url = (port: number | undefined) => `http://127.0.0.1:${port}`;
		// Side by side, so that the processors have other things to do than to bury the dead.
		const once = async (i: number) => {
			const [client = 0, peer] = ports.slice(2 * i);
			const name = `store-${i}`;
			const args = [
				`--data-dir=${path.join(dir, name)}`,
				`--listen-client-urls=${url(client)}`,
				`--advertise-client-urls=${url(client)}`,
				`--listen-peer-urls=${url(peer)}`,
				`--initial-advertise-peer-urls=${url(peer)}`,
				`--initial-cluster=default=${url(peer)}`,
			];
			await startPart(dir, { name, command: "store", args });
			try {
				while (!(await answers(client))) await delay(10);
			} finally {
				await stopPart(dir, name, 0);
			}
			return canListen(client);
		};
		try {
			const free = await Promise.all(Array.from({ length: parts }, (_, i) => once(i)));
			assert.ok(!free.includes(false), free.join());
		} finally {
			releasePorts(dir);
			await rm(dir, { recursive: true, force: true });
		}
	});
});
