import assert from "node:assert/strict";
import { sleep } from "../clock.ts";
import { seededRandom } from "../random.ts";
import { VirtualClock } from "./clock.ts";
import { SimDisk } from "./disk.ts";

describe("kit/sim/clock", () => {
	it("runs events in order of time, then of scheduling, and promises between them", async () => {
		const clock = new VirtualClock();
		const seen: string[] = [];
		const note = (what: string) => seen.push(`${clock.time} ${what}`);
		clock.after(5, () => {
			note("b");
			Promise.resolve()
				.then(() => Promise.resolve())
				.then(() => note("b's promise"));
		});
		clock.after(5, () => note("c"));
		clock.after(1, () => note("a"));
		const cancelled = clock.after(2, () => note("never"));
		cancelled.cancel();
		const repeated = clock.every(4, () => note("tick"));
		await clock.runUntil(9);
		repeated.cancel();
		sleep(clock, 10).then(() => note("slept"));
		await clock.runUntil(100);
		assert.deepEqual(seen, ["1 a", "4 tick", "5 b", "5 b's promise", "5 c", "8 tick", "19 slept"]);
		assert.equal(clock.time, 100);
		assert.equal(await clock.step(), false);
	});

	it("stops the timers of a process that died, and offsets its wall time", async () => {
		const clock = new VirtualClock({ epoch: 1000 });
		const view = clock.view(50);
		let fired = 0;
		view.every(1, () => fired++);
		await clock.runUntil(3);
		assert.equal(view.now(), 1053);
		assert.equal(clock.now(), 1003);
		view.stop();
		await clock.runUntil(10);
		assert.equal(fired, 3);
	});

	it("runs until a condition holds", async () => {
		const clock = new VirtualClock();
		let done = false;
		clock.after(30, () => (done = true));
		assert.equal(await clock.runUntilTrue(() => done, 10), false);
		assert.equal(await clock.runUntilTrue(() => done, 30), true);
		assert.equal(clock.time, 30);
	});
});

describe("kit/sim/disk", () => {
	async function written(seed: number): Promise<SimDisk> {
		const disk = new SimDisk({ random: seededRandom(seed) });
		await disk.makeDirectory("/d");
		const file = await disk.open("/d/f", { create: true });
		await file.write(Buffer.alloc(1024, "a"), 0);
		await file.sync();
		await disk.syncDirectory("/d");
		await file.write(Buffer.alloc(1024, "b"), 512);
		return disk;
	}

	it("keeps what was synced, and of the rest any sectors", async () => {
		const outcomes = new Set<string>();
		for (let seed = 1; seed < 200; seed++) {
			const disk = await written(seed);
			assert.equal(disk.contents("/d/f").length, 1536);
			disk.crash();
			const bytes = disk.contents("/d/f").toString().replaceAll("\0", "0");
			assert.ok(bytes.startsWith("a".repeat(512)));
			outcomes.add(bytes.replace(/(.)\1{511}/g, "$1"));
		}
		assert.deepEqual([...outcomes].sort(), ["aa", "aa0", "aab", "ab", "ab0", "abb"]);
	});

	it("gives the same crash for the same seed", async () => {
		for (const seed of [3, 4, 5]) {
			const [a, b] = [await written(seed), await written(seed)];
			a.crash();
			b.crash();
			assert.deepEqual(a.contents("/d/f"), b.contents("/d/f"));
		}
	});

	it("loses names that were not synced, the later ones first", async () => {
		const left = new Set<string>();
		for (let seed = 1; seed < 50; seed++) {
			const disk = await written(seed);
			await disk.rename("/d/f", "/d/g");
			await disk.open("/d/h", { create: true });
			disk.crash();
			left.add(disk.paths().join());
		}
		assert.deepEqual([...left].sort(), ["/d/f", "/d/g", "/d/g,/d/h"]);
	});

	it("never finishes an operation across a crash", async () => {
		const clock = new VirtualClock();
		const disk = new SimDisk({ random: seededRandom(1), clock, latency: () => 1 });
		let finished = 0;
		disk.makeDirectory("/d").then(() => finished++);
		await clock.runFor(0.5);
		disk.crash();
		await clock.runFor(10);
		assert.equal(finished, 0);
	});

	it("fails as told, and a failed sync loses its writes for good", async () => {
		const disk = await written(1);
		const file = await disk.open("/d/f");
		disk.fault = (operation) => (operation === "sync" ? "EIO" : undefined);
		await assert.rejects(file.sync(), { code: "EIO" });
		disk.fault = undefined;
		await file.sync();
		assert.ok(disk.contents("/d/f").toString().includes("b"));
		disk.crash();
		assert.deepEqual(disk.contents("/d/f"), Buffer.alloc(1024, "a"));
		await assert.rejects(disk.open("/d/none"), { code: "ENOENT" });
	});

	it("is full at its capacity, and rots where told", async () => {
		const disk = new SimDisk({ random: seededRandom(1), capacity: 100 });
		await disk.makeDirectory("/d");
		const file = await disk.open("/d/f", { create: true });
		await file.write(Buffer.alloc(90), 0);
		await assert.rejects(file.write(Buffer.alloc(11), 90), { code: "ENOSPC" });
		disk.flipBit("/d/f", 3, 7);
		assert.equal(disk.contents("/d/f")[3], 0x80);
	});
});
