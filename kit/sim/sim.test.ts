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

	it("runs clocks at speeds of their own, also when the speed changes under a timer", async () => {
		const clock = new VirtualClock({ epoch: 1000 });
		const fast = clock.view(0, 2);
		const slow = clock.view(50, 0.5);
		const seen: string[] = [];
		fast.every(10, () => seen.push(`${clock.time} fast`));
		slow.after(10, () => seen.push(`${clock.time} slow`));
		await clock.runUntil(20);
		assert.deepEqual(seen, ["5 fast", "10 fast", "15 fast", "20 slow", "20 fast"]);
		assert.deepEqual([fast.monotonic(), slow.monotonic(), fast.now(), slow.now()], [40, 10, 1040, 1060]);
		seen.length = 0;
		slow.after(10, () => seen.push(`${clock.time} late`));
		fast.after(5, () => seen.push(`${clock.time} early`));
		const never = fast.after(6, () => seen.push("never"));
		// Speed up: the timer stays where it was. Slow down: it waits until its clock is there.
		slow.rate = 1;
		fast.rate = 0.5;
		assert.deepEqual([fast.monotonic(), slow.monotonic()], [40, 10]);
		await clock.runUntil(26);
		never.cancel();
		await clock.runUntil(60);
		assert.deepEqual(
			seen.filter((line) => !line.endsWith("fast")),
			["30 early", "40 late"],
		);
		assert.deepEqual([fast.monotonic(), slow.monotonic()], [60, 50]);
		assert.throws(() => clock.view(0, 0), RangeError);
	});

	it("holds back what comes due in a pause, and runs it afterwards in its order", async () => {
		const clock = new VirtualClock();
		const view = clock.view();
		const seen: string[] = [];
		const note = (what: string) => seen.push(`${clock.time} ${what}`);
		view.after(1, () => note("a"));
		view.after(2, () => note("b"));
		const cancelled = view.after(3, () => note("never"));
		view.pause();
		await clock.runUntil(10);
		assert.deepEqual(seen, []);
		cancelled.cancel();
		view.run(() => note("c"));
		view.resume();
		await clock.runUntil(20);
		assert.deepEqual(seen, ["10 a", "10 b", "10 c"]);
		view.pause();
		view.after(1, () => note("of a dead process"));
		await clock.runUntil(30);
		view.resume();
		view.stop();
		await clock.runUntil(40);
		assert.equal(seen.length, 3);
	});

	it("fails where an event fails, and gives turns of the loop to who needs them", async () => {
		const clock = new VirtualClock();
		clock.after(1, () => {
			throw new Error("out of an event");
		});
		await assert.rejects(clock.runUntil(5), /out of an event/);
		const patient = new VirtualClock({ turns: 3 });
		const seen: string[] = [];
		patient.after(1, () => void setImmediate(() => seen.push("immediate")));
		patient.after(2, () => void seen.push("next event"));
		await patient.runUntil(5);
		assert.deepEqual(seen, ["immediate", "next event"]);
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

	it("writes and reads elsewhere when told, and repairs to what was meant", async () => {
		const disk = await written(1);
		const file = await disk.open("/d/f");
		disk.misdirect = (operation, _path, position) => (operation === "write" ? position + 512 : position);
		await file.write(Buffer.alloc(512, "c"), 0);
		disk.misdirect = undefined;
		await file.write(Buffer.alloc(512, "d"), 1536);
		const sectors = () =>
			disk
				.contents("/d/f")
				.toString()
				.replace(/(.)\1{511}/g, "$1");
		assert.equal(sectors(), "acbd");
		disk.repair();
		assert.equal(sectors(), "cbbd");
		disk.flipBit("/d/f", 0, 0);
		disk.crash();
		disk.repair();
		assert.equal(sectors(), "cbbd");
		disk.misdirect = (_operation, _path, position) => position + 512;
		const again = await disk.open("/d/f");
		const target = Buffer.alloc(512);
		await again.read(target, 0);
		assert.equal(target.toString(), "b".repeat(512));
	});

	it("is empty when it is wiped", async () => {
		const disk = await written(1);
		assert.equal(disk.used(), 1536);
		disk.wipe();
		assert.deepEqual([disk.paths(), disk.used()], [[], 0]);
		await assert.rejects(disk.list("/d"), { code: "ENOENT" });
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
