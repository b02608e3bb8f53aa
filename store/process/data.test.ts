import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../kit/log.ts";
import { initialCluster } from "../member/cluster.ts";
import { createStoreMetrics } from "../serve/metrics.ts";
import { type OpenedData, openData } from "./data.ts";

describe("store/process/data", () => {
	let dataDir: string;
	beforeEach(async () => {
		dataDir = await mkdtemp(join(tmpdir(), "barque-lock-"));
	});
	afterEach(() => rm(dataDir, { recursive: true }));

	function opened(): Promise<OpenedData> {
		const cluster = initialCluster({
			name: "m1",
			initialCluster: "m1=http://127.0.0.1:2380",
			token: "t",
			advertisePeerUrls: ["http://127.0.0.1:2380"],
		});
		const options = { dataDir, cluster, clusterState: "new" as const, logger: silentLogger };
		return openData(options, createStoreMetrics(), (error) => assert.fail(String(error)));
	}

	it("is in use by another process only where its lock is held, not where something named so fails", async () => {
		const first = await opened();
		await assert.rejects(opened(), /in use by another process/);
		await first.close();
		const lock = join(dataDir, "member", "data", "LOCK");
		await rm(lock);
		await mkdir(lock);
		await assert.rejects(opened(), (error: Error) => /LOCK: Is a directory/.test(error.message));
		await rm(lock, { recursive: true });
		await (await opened()).close();
	});
});
