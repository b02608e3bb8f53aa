/** What `up` does when a part cannot start. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { linuxOnly } from "../test/platform.ts";
import { prepare, startParts } from "./cluster.ts";
import { claimPort, releasePorts } from "./ports.ts";
import { knownParts, type Launch, stopPart } from "./processes.ts";
import { startCluster } from "./start-cluster.ts";

describe("cluster: ports", function () {
	this.timeout(60_000);

	it("stay the cluster's while a part is dead, until it is stopped", async function () {
		linuxOnly(this, "has the address that claims ports");
		const cluster = await startCluster({ masters: 1, nodes: 0, runtime: "hollow" });
		const port = Number(new URL(cluster.endpoints.masters[0]!.store.clientUrl).port);
		try {
			await cluster.killMaster("master-1");
			assert.equal(await claimPort("another", port), false);
		} finally {
			await cluster.stop();
		}
		assert.equal(await claimPort("another", port), true);
		releasePorts("another");
	});
});

describe("cluster: a master whose store lost its data", function () {
	this.timeout(60_000);

	it("is not revived with an empty directory as if it were new", async () => {
		const cluster = await startCluster({ masters: 3, nodes: 0, runtime: "hollow" });
		try {
			await cluster.killMaster("master-2");
			await rm(path.join(cluster.dir, "master-2", "store"), { recursive: true });
			await assert.rejects(
				cluster.reviveMaster("master-2"),
				/master-2-store ended .*--initial-cluster-state is existing, but .* holds no member/s,
			);
		} finally {
			await cluster.stop();
		}
	});
});

describe("cluster: a part that cannot start", function () {
	this.timeout(60_000);

	it("is waited for with all others, so that whoever cleans up finds them", async () => {
		const dir = await mkdtemp(path.join(tmpdir(), "barque-part-"));
		const part = (name: string) => ({ name, command: "store", args: [`--data-dir=${path.join(dir, name)}`] });
		const launch: Launch = async ({ name }, command) => {
			if (name === "bad") throw new RangeError("no such host");
			await delay(200);
			return command;
		};
		try {
			await assert.rejects(startParts(dir, [part("bad"), part("good")], launch), /no such host/);
			assert.deepEqual(await knownParts(dir), ["good"]);
		} finally {
			await stopPart(dir, "good", 0);
			await rm(dir, { recursive: true, force: true });
		}
	});

	it("fails the start, is named, and nothing is left running", async () => {
		const dir = await mkdtemp(path.join(tmpdir(), "barque-part-"));
		const layout = await prepare({ dir, masters: 1, nodes: 0, port: 0, runtime: "hollow" }, () => {});
		const { port } = new URL(layout.masters[0]!.scheduler.url);
		const server = net.createServer();
		await new Promise<void>((resolve, reject) =>
			server.once("error", reject).listen(Number(port), "127.0.0.1", resolve),
		);
		try {
			const start = startCluster({ dir, masters: 1, nodes: 0, runtime: "hollow" });
			await assert.rejects(
				start,
				/master-1-scheduler ended while waiting for master-1-scheduler; its log ends:.*barque scheduler: listen EADDRINUSE/s,
			);
		} finally {
			server.close();
			await rm(dir, { recursive: true, force: true });
		}
	});
});
