import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { createWorkQueue, type Requeue } from "./workqueue.ts";

function setup(process: (key: string) => Promise<Requeue | undefined> | Promise<void>, workers = 1) {
	const clock = new VirtualClock({ turns: 5 });
	const queue = createWorkQueue({ name: "test", workers, clock, logger: silentLogger, process });
	return { clock, queue };
}

describe("work queue", () => {
	it("holds a key once", async () => {
		const seen: string[] = [];
		const { clock, queue } = setup(async (key) => void seen.push(key));
		for (const key of ["a", "b", "a", "a"]) queue.add(key);
		assert.equal(queue.length, 2);
		await clock.settle();
		assert.deepEqual(seen, ["a", "b"]);
		assert.equal(queue.metrics.adds, 2);
		queue.stop();
	});

	it("processes a key added meanwhile again, but never twice at a time", async () => {
		let running = 0;
		let most = 0;
		let runs = 0;
		const { clock, queue } = setup(async () => {
			most = Math.max(most, ++running);
			if (++runs < 3) queue.add("a");
			await Promise.resolve();
			running--;
		}, 4);
		queue.add("a");
		await clock.settle();
		assert.equal(runs, 3);
		assert.equal(most, 1);
		queue.stop();
	});

	it("doubles the back-off of a failing key and forgets it on success", async () => {
		const times: number[] = [];
		const { clock, queue } = setup(async () => {
			times.push(clock.monotonic());
			if (times.length < 5) throw new Error("no");
		});
		queue.add("a");
		await clock.runFor(1000);
		assert.deepEqual(times, [0, 5, 15, 35, 75]);
		assert.equal(queue.retries("a"), 0);
		assert.equal(queue.metrics.retries, 4);
		queue.stop();
	});

	it("limits all retries together to 10 a second after a burst of 100", async () => {
		let runs = 0;
		const { clock, queue } = setup(async (key) => {
			runs++;
			if (!key.startsWith("again")) throw new Error("no");
		}, 500);
		for (let i = 0; i < 110; i++) queue.addRateLimited(`again${i}`);
		await clock.runFor(10);
		assert.equal(runs, 100);
		await clock.runFor(1000);
		assert.equal(runs, 110);
		queue.stop();
	});

	it("keeps the earliest of several delays", async () => {
		const times: number[] = [];
		const { clock, queue } = setup(async () => void times.push(clock.monotonic()));
		queue.addAfter("a", 500);
		queue.addAfter("a", 100);
		queue.addAfter("a", 900);
		await clock.runFor(2000);
		assert.deepEqual(times, [100]);
		queue.stop();
	});

	it("runs no more than its workers at a time", async () => {
		const open: (() => void)[] = [];
		const { clock, queue } = setup(() => new Promise<void>((resolve) => open.push(resolve)), 2);
		for (const key of ["a", "b", "c"]) queue.add(key);
		await clock.settle();
		assert.equal(open.length, 2);
		open[0]?.();
		await clock.settle();
		assert.equal(open.length, 3);
		for (const done of open) done();
		await queue.idle();
		queue.stop();
	});
});
