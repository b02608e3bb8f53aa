import assert from "node:assert/strict";
import { Session } from "node:inspector/promises";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";

/** More than can be spread into a call. */
const many = 200_000;

describe("reads that wait on a member", () => {
	const gather = (reads: Reads, count: number) => {
		const answers = { ok: 0, failed: new Map<string, number>() };
		for (let i = 0; i < count; i++) {
			reads.wait(10).then(
				() => answers.ok++,
				(error: { code: string }) => answers.failed.set(error.code, (answers.failed.get(error.code) ?? 0) + 1),
			);
		}
		return answers;
	};
	const settled = () => new Promise((resolve) => setImmediate(resolve));

	it("200,000 are moved to the next round and answered", async () => {
		const reads = new Reads(1n);
		const answers = gather(reads, many);
		reads.confirm(reads.startRound(0), -1, 0);
		reads.startRound(1);
		reads.retryAll();
		reads.startRound(2);
		reads.expire(3);
		reads.confirm(reads.startRound(4), 1, 0);
		reads.retryAll();
		reads.confirm(reads.startRound(5), 7, 6);
		reads.applied(7);
		await settled();
		assert.deepEqual(answers, { ok: many, failed: new Map() });
	});

	it("200,000 are late, or lose their member, and hear so", async () => {
		const late = new Reads(1n);
		const afterDeadline = gather(late, many);
		late.startRound(0);
		late.expire(1_000);
		const stopped = new Reads(1n);
		const afterStop = gather(stopped, many);
		stopped.startRound(0);
		stopped.failAll("stopped");
		await settled();
		assert.deepEqual([...afterDeadline.failed], [["timeout", many]]);
		assert.deepEqual([...afterStop.failed], [["unavailable", many]]);
	});

	it("are at most 200,000 in all rounds together; those that left make room", async () => {
		const reads = new Reads(1n);
		gather(reads, many - 1);
		const id = reads.startRound(0);
		const [last, over] = [gather(reads, 1), gather(reads, 1)];
		await settled();
		assert.deepEqual([[...last.failed], [...over.failed]], [[], [["too_many_requests", 1]]]);
		reads.confirm(id, 1, 1);
		const later = gather(reads, many - 1);
		await settled();
		assert.equal(later.failed.size, 0);
	});

	it("cost a tick nothing when nobody waits, or nobody too long: no error is made", async () => {
		const [reads, proposals] = [new Reads(1n), new Proposals()];
		const session = new Session();
		session.connect();
		await session.post("Profiler.enable");
		await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
		for (let tick = 0; tick < 10; tick++) {
			if (tick === 5) gather(reads, 1);
			reads.expire(tick - 100);
			proposals.expire(tick);
		}
		const { result } = await session.post("Profiler.takePreciseCoverage");
		session.disconnect();
		const api = result.filter(({ url }) => /store\/api\.[jt]s$/.test(url)).flatMap(({ functions }) => functions);
		const made = api.filter(({ functionName }) => functionName === "StoreError").map(({ ranges }) => ranges[0]?.count);
		assert.ok(
			made.every((count) => count === 0),
			`${made} errors`,
		);
	});
});
