/** Real processes whose wall clocks are wrong. */
import assert from "node:assert/strict";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { claimFreePorts, releasePorts } from "../../cluster/ports.ts";
import { skip } from "../../test/skip.ts";
import { orSkip } from "../testing/machine.ts";
import { Program, runStore } from "../testing/program.ts";
import { FakeClocks } from "./fake-clocks.ts";
import { MissingToolError } from "./place.ts";
import { mergeEnv, removeFolder, temporaryFolder } from "./preload.ts";

/** Prints wall and monotonic time again and again, by a timer of 20 ms. */
const sampler = "setInterval(() => console.log(JSON.stringify([Date.now(), performance.now()])), 20)";

interface Sample {
	readonly wall: number;
	readonly monotonic: number;
}

class Watch {
	readonly program: Program;

	constructor(clocks: FakeClocks, name: string) {
		this.program = new Program(process.execPath, ["-e", sampler], clocks.env(name));
	}

	get #lines(): string[] {
		return this.program.output.split("\n").slice(0, -1);
	}

	/** One that is made from now on, with something between for a change to be seen. */
	async next(): Promise<Sample> {
		const before = this.#lines.length;
		while (this.#lines.length < before + 2) await delay(5);
		const [wall, monotonic] = JSON.parse(this.#lines.at(-1)!) as [number, number];
		return { wall, monotonic };
	}
}

/** How many ms the wall clock of `b` is ahead of what `a` and the monotonic clock say. */
function jump(a: Sample, b: Sample): number {
	return b.wall - a.wall - (b.monotonic - a.monotonic);
}

/** A process may stand still between looking at its two clocks. */
const tolerance = 500;

function near(actual: number, expected: number, within = tolerance): void {
	assert.ok(Math.abs(actual - expected) <= within, `${actual} is not within ${within} of ${expected}`);
}

const portsOwner = "test";
after(() => releasePorts(portsOwner));

describe("wrong clocks", () => {
	let clocks: FakeClocks;
	before(async function () {
		this.timeout(60_000);
		try {
			clocks = await FakeClocks.create();
		} catch (error) {
			if (!(error instanceof MissingToolError)) throw error;
			skip(this, error.message);
		}
	});
	after(() => clocks?.close());

	it("jumps ahead, back and home while timers go on, one process only", async () => {
		const watch = new Watch(clocks, "m1");
		const other = new Watch(clocks, "m2");
		try {
			const [start, otherStart] = await Promise.all([watch.next(), other.next()]);
			await clocks.skew("m1", 3_600_000, 1);
			near(jump(start, await watch.next()), 3_600_000);
			await clocks.skew("m1", -86_400_000, 1);
			near(jump(start, await watch.next()), -86_400_000);
			await clocks.heal();
			near(jump(start, await watch.next()), 0);
			near(jump(otherStart, await other.next()), 0);
		} finally {
			await Promise.all([watch.program.kill(), other.program.kill()]);
		}
	});

	for (const rate of [0.5, 3]) {
		it(`goes ${rate} times as fast from the skew on, and not from the start`, async () => {
			const watch = new Watch(clocks, "m3");
			try {
				const start = await watch.next();
				await delay(1000);
				await clocks.skew("m3", 0, rate);
				const from = await watch.next();
				near(jump(start, from), 0);
				await delay(2000);
				const to = await watch.next();
				const elapsed = to.monotonic - from.monotonic;
				near((to.wall - from.wall) / elapsed, rate, 0.2);
				await clocks.heal();
				near(jump(start, await watch.next()), 0);
			} finally {
				await watch.program.kill();
			}
		});
	}

	it("refuses a clock that runs backwards", async () => {
		await assert.rejects(clocks.skew("m1", 0, -1), RangeError);
		await assert.rejects(clocks.skew("m1", Number.NaN, 1), RangeError);
	});

	it("goes with our store, which tells the skewed time in its log", async function () {
		this.timeout(60_000);
		const folder = await temporaryFolder("skewed");
		const [client, peer] = await claimFreePorts(portsOwner, 2, false);
		await clocks.skew("s1", 10 * 365 * 86_400_000, 1);
		try {
			const store = await runStore(folder, client!, peer!, clocks.env("s1"));
			await store.kill();
			const { ts } = JSON.parse(store.output.split("\n")[0]!) as { ts: string };
			assert.equal(Math.round((Date.parse(ts) - Date.now()) / (365 * 86_400_000)), 10, ts);
		} finally {
			await clocks.heal();
			await removeFolder(folder);
		}
	});
});

describe("environments of intercepted members", () => {
	it("adds libraries up and lets the later win otherwise", () => {
		const merged = mergeEnv({ LD_PRELOAD: "/a.so", A: "1", B: "1" }, { LD_PRELOAD: "/b.so", A: "2" }, { C: "3" });
		assert.deepEqual(merged, { LD_PRELOAD: "/a.so:/b.so", A: "2", B: "1", C: "3" });
		assert.deepEqual(mergeEnv({ A: "1" }, {}), { A: "1" });
	});

	describe("where the cache is elsewhere", () => {
		const before = { home: process.env["HOME"], cache: process.env["XDG_CACHE_HOME"] };
		let folder: string;
		beforeEach(async () => {
			folder = await temporaryFolder("cache");
		});
		afterEach(async () => {
			for (const [name, value] of [
				["HOME", before.home],
				["XDG_CACHE_HOME", before.cache],
			] as const) {
				if (value === undefined) delete process.env[name];
				else process.env[name] = value;
			}
			await removeFolder(folder);
		});

		async function library(cache: string, context: Mocha.Context): Promise<string> {
			process.env["HOME"] = folder;
			process.env["XDG_CACHE_HOME"] = cache;
			const clocks = await orSkip(context, () => FakeClocks.create());
			await clocks.close();
			return clocks.library;
		}

		it("are refused paths that the loader would take apart, and so ignore", async () => {
			for (const name of ["with space", "with:colon"]) {
				process.env["XDG_CACHE_HOME"] = path.join(folder, name);
				await assert.rejects(FakeClocks.create(), (error: Error) => {
					assert.ok(error instanceof MissingToolError);
					assert.match(error.message, /(with space|with:colon).*XDG_CACHE_HOME|cannot compile/);
					return true;
				});
			}
		});

		it("name libraries by whole paths", async function () {
			this.timeout(60_000);
			for (const cache of ["", "relative"]) {
				assert.ok((await library(cache, this)).startsWith(`${folder}/.cache/`));
			}
		});
	});
});
