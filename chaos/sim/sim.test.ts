import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { formatHistory, nemesisProcess, pairOperations, parseHistory } from "../history.ts";
import { checkLeaders } from "../leaders.ts";
import { renderReport } from "../report/html.ts";
import { hunt, missing } from "./hunt.ts";
import { bugs, findIn, simOf, withPlanted } from "./planted.ts";
import { runSeed } from "./run.ts";
import { drawSwarm, type Reduction } from "./swarm.ts";

const first = Number(process.env["BARQUE_SEED"] ?? 1);
const seeds = process.env["BARQUE_SEED"] === undefined ? 1000 : 1;

interface Remembered extends Reduction {
	readonly seed: number;
	/** What it found. */
	readonly found: string;
}

describe("chaos/sim", () => {
	it("gives the same transcript, byte for byte, for the same seed", async () => {
		for (const seed of [1, 2, 3]) {
			const [a, b] = [await runSeed(seed), await runSeed(seed)];
			assert.ok(a.transcript.length > 2000);
			assert.equal(a.transcript, b.transcript);
		}
		assert.notEqual((await runSeed(1)).transcript, (await runSeed(2)).transcript);
	});

	it("repeats a run with only some of its faults, and none of the others", async () => {
		const whole = await runSeed(1);
		const some = whole.faults.slice(0, 2);
		const part = await runSeed(1, { faults: some, untilMs: 500, clients: 1 });
		assert.ok(part.faults.every((number) => some.includes(number)));
		assert.ok(part.transcript.length < whole.transcript.length);
		assert.deepEqual(part.violations, []);
	});

	it("tells what happened in the form of all testers", async () => {
		const { outcome, faults } = await runSeed(7);
		const { events, leaders, counts } = outcome;
		assert.deepEqual(parseHistory(formatHistory(events)), JSON.parse(JSON.stringify(events)));
		const operations = pairOperations(events);
		assert.ok(counts.ok > 0 && operations.length >= counts.ok + counts.fail + counts.info);
		const notes = events.filter((event) => event.process === nemesisProcess);
		assert.equal(notes.filter((event) => !event.f.startsWith("heal ")).length, faults.length);
		assert.ok(leaders.some((sample) => sample.name !== undefined));
		assert.deepEqual(checkLeaders(leaders), []);
		const report = { workload: "sim", nemesis: ["kill"], seed: 7, replay: "barque sim --seed 7", target: "members" };
		assert.match(renderReport({ ...report, outcome }), /Operations of each client/);
	});

	it("runs clocks at different speeds, within the bound that the leases are judged by", async () => {
		const drawn = Array.from({ length: 40 }, (_, i) => drawSwarm(i + 1));
		assert.ok(drawn.some((swarm) => swarm.drift === 0) && drawn.some((swarm) => swarm.drift === 0.1));
		for (const { drift, rates, faults } of drawn) {
			assert.ok(rates.every((rate) => Math.abs(rate - 1) <= drift));
			assert.ok(faults["clock-drift"] === undefined || drift === 0.1);
		}
	});

	it(`holds through ${seeds} seeds from ${first}`, async function () {
		this.timeout(600_000);
		console.log(`      replay a seed with BARQUE_SEED=N or: barque sim --seed N; first: ${first}`);
		const threads = Math.min(4, availableParallelism());
		const whole = { maxMs: Number.POSITIVE_INFINITY, threads, keepGoing: false, coverage: false };
		const report = await hunt({ first, seeds, ...whole });
		const [bad] = report.bad;
		if (bad !== undefined) {
			const { transcript } = await runSeed(bad.seed);
			assert.fail(`BARQUE_SEED=${bad.seed}:\n${bad.violations.join("\n")}\n\n${transcript}`);
		}
		if (seeds === 1) return;
		assert.deepEqual(missing(report, []), []);
		assert.ok(report.operations > 50 * seeds, `${report.operations} operations`);
	});

	it("holds on every seed that once failed", async function () {
		this.timeout(120_000);
		const corpus = JSON.parse(await readFile(new URL("./corpus.json", import.meta.url), "utf8")) as Remembered[];
		for (const { seed, found, ...reduction } of corpus) {
			const { violations, transcript } = await runSeed(seed, reduction);
			assert.deepEqual(violations, [], `seed ${seed}, which found: ${found}\n${transcript}`);
		}
	});
});

/** The two most telling ones always; all of them take long, so of the others two take their turn each day. */
const today = Math.floor(Date.now() / 86_400_000);
const [noSync, noVote, ...others] = bugs.filter((bug) => bug.rare !== true);
const chosen = [noSync!, noVote!, ...[0, 1].map((i) => others[(2 * today + i) % others.length]!)];

describe("chaos/sim with a planted bug", () => {
	for (const bug of chosen) {
		it(`finds that ${bug.name}`, async function () {
			this.timeout(300_000);
			await withPlanted(bug, async (tree) => {
				const found = await findIn(tree);
				assert.ok(found !== undefined, "no seed found it");
				const args = ["--seed", String(found.seed)];
				const replays = [await simOf(tree, args), await simOf(tree, args)];
				assert.equal(replays[0]!.code, 1);
				assert.match(replays[0]!.output, /VIOLATION/);
				assert.equal(replays[0]!.output, replays[1]!.output);
				// Without the bug the seed is good.
				assert.deepEqual((await runSeed(found.seed)).violations, []);
			});
		});
	}

	it("makes a failing run smaller", async function () {
		this.timeout(300_000);
		await withPlanted(bugs[0]!, async (tree) => {
			const found = await findIn(tree);
			assert.ok(found !== undefined, "no seed found it");
			const { code, output } = await simOf(tree, ["--seed", String(found.seed), "--shrink"]);
			assert.equal(code, 1);
			assert.match(output, /VIOLATION/);
			const [, fewer, all] = /(\d+) faults instead of (\d+)/.exec(output) ?? [];
			assert.ok(Number(fewer) < Number(all), output);
		});
	});
});
