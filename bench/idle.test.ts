import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { runBarque as barque } from "../test/barque.ts";
import { skip } from "../test/skip.ts";
import { median, processorMs } from "./idle.ts";

function hasEtcd(): boolean {
	try {
		execFileSync("etcd", ["--version"], { stdio: "ignore" });
		return true;
	} catch {
		return false;
	}
}

describe("bench/idle", function () {
	this.timeout(60_000);

	it("reads the time of a process whose name holds what it likes", () => {
		const stat = "7 (a) R (b) S 1 7 7 0 -1 4194304 5 0 0 0 12 30 1 1 20 0 11 0 100 1 1";
		assert.equal(processorMs(stat), 420);
		assert.equal(median([3, 1, 2]), 2);
	});

	it("says what is wrong with an etcd that is not there", async () => {
		const { code, stderr } = await barque(["bench", "idle", "--etcd=/nowhere/etcd"]);
		assert.equal(code, 2);
		assert.match(stderr, /--etcd: \/nowhere\/etcd: |only Linux has/);
	});

	it("measures both, and tells them and their ratio", async function () {
		if (process.platform !== "linux" || !hasEtcd()) skip(this, "needs Linux and an etcd on PATH");
		const flags = ["--rounds=1", "--interval=300ms", "--settle=100ms", "--output=json"];
		const { code, stdout, stderr } = await barque(["bench", "idle", ...flags]);
		assert.equal(code, 0, stderr);
		const result = JSON.parse(stdout) as Record<"barque" | "etcd" | "ratio", number> & { rounds: object[] };
		assert.equal(result.rounds.length, 1);
		assert.ok(result.barque >= 0 && result.etcd >= 0);
	});
});
