/** What `up` does when a part cannot start. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { prepare } from "./cluster.ts";
import { startCluster } from "./start-cluster.ts";

describe("cluster: a part that cannot listen", function () {
	this.timeout(60_000);

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
