import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { claimFreePorts, releasePorts } from "./ports.ts";
import { startPart, stopPart } from "./processes.ts";

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
