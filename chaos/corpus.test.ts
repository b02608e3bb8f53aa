/** Runs on real processes that once showed a violation. A seed repeats what is planned, not how long things take. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { chaos } from "./testing/command.ts";

interface Remembered {
	readonly workload: string;
	readonly nemesis: readonly string[];
	readonly seconds: number;
	readonly rate: number;
	readonly seed: number;
	/** What it found. */
	readonly found: string;
}

describe("barque chaos: the corpus", () => {
	it("holds in every run that once failed", async function () {
		this.timeout(300_000);
		const corpus = JSON.parse(await readFile(new URL("./corpus.json", import.meta.url), "utf8")) as Remembered[];
		// Side by side: they mostly wait.
		await Promise.all(
			corpus.map(async ({ workload, nemesis, seconds, rate, seed, found }) => {
				const what = ["--workload", workload, "--nemesis", nemesis.join(","), "--seed", String(seed)];
				const { code, stdout, stderr } = await chaos(...what, "--time", `${seconds}s`, "--rate", String(rate));
				assert.equal(code, 0, `seed ${seed}, which found: ${found}\n${stdout}${stderr}`);
			}),
		);
	});
});
