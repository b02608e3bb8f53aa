/** `barque chaos --matrix`: every workload under every fault, resumable. */
import { appendFile, readFile } from "node:fs/promises";
import { seededRandom } from "../kit/random.ts";
import { execute, nothingTested, nothingTestedText, say } from "./execute.ts";
import { choiceOf, type Flags, systemOf } from "./flags.ts";
import { type Pair, type PairResult, pairName, parseResults, pendingPairs, renderTables } from "./matrix.ts";
import { faults } from "./nemeses/all.ts";
import { shuffled } from "./nemeses/fault.ts";
import { unlessInterrupted } from "./places/cleanup.ts";
import { allPairs, type PlannedPair, type TargetName } from "./plan.ts";

/** Wrong by design: a matrix in which none of its pairs is caught has failed. */
const wrongWorkloads: ReadonlySet<string> = new Set(["lock-unfenced"]);

/** All that the flags ask for, whatever of it is done already. */
export function matrixPairs(flags: Flags): PlannedPair[] {
	const names = flags.nemesis.length === 0 ? [...faults.keys()] : flags.nemesis;
	const network = flags.target === "netns" ? "netns" : (flags["network-target"] as TargetName);
	return allPairs(choiceOf(flags), network, names);
}

/** Resolves to the exit code. */
export async function runMatrix(flags: Flags, file: string): Promise<number> {
	const before = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return "";
		throw error;
	});
	const results = parseResults(before, { system: systemOf(flags), time: flags.time });
	const every = matrixPairs(flags);
	const pairs = flags.sample === undefined ? every : sample(every, flags.sample, flags.seed ?? 1);
	const pending = pendingPairs(pairs, results);
	say(`${pairs.length} pairs, ${pairs.length - pending.length} of them in ${file} already`);
	const failed: string[] = [];
	let next = 0;
	const worker = async () => {
		for (let i = next++; i < pending.length; i = next++) {
			const pair = pending[i]!;
			const name = `${pair.target} ${pair.workload} ${pair.nemesis}`;
			try {
				// What an interruption breaks is no result.
				const seed = (flags.seed ?? 1) + pairs.indexOf(pair);
				const result = await runPair(flags, pair, seed).finally(unlessInterrupted);
				results.push(result);
				await appendFile(file, `${JSON.stringify(result)}\n`);
				const verdict = result.violations.length === 0 ? "nothing wrong" : result.violations.join(", ");
				say(`${i + 1} of ${pending.length}: ${name}: ${result.ok} ok, ${verdict}`);
			} catch (error) {
				// Kept out of the file, so that the next start of the command runs it again.
				failed.push(`${name}: ${(error as Error).message}`);
				say(`${i + 1} of ${pending.length}: ${failed.at(-1)}`);
			}
		}
	};
	await Promise.all(Array.from({ length: flags.jobs }, worker));
	process.stdout.write(renderTables(inOrder(results, every)));
	if (failed.length > 0) {
		say(`${failed.length} runs failed themselves; run the command again for them:\n${failed.join("\n")}`);
		return 3;
	}
	return isAsExpected(results) ? 0 : 1;
}

/** Of the pairs: runs at the same time end in any order. */
function inOrder(results: readonly PairResult[], pairs: readonly Pair[]): PairResult[] {
	const places = new Map(pairs.map((pair, i) => [pairName(pair), i]));
	const place = (pair: Pair) => places.get(pairName(pair)) ?? pairs.length;
	return results.toSorted((a, b) => place(a) - place(b));
}

function sample(pairs: readonly PlannedPair[], count: number, seed: number): PlannedPair[] {
	const fair = pairs.filter(({ workload }) => !wrongWorkloads.has(workload));
	return shuffled(fair, seededRandom(seed)).slice(0, count);
}

function isAsExpected(results: readonly PairResult[]): boolean {
	const caught = (pair: PairResult) => pair.violations.length > 0;
	const of = (name: string) => results.filter(({ workload }) => workload === name);
	const missed = [...wrongWorkloads].filter((name) => of(name).length > 0 && !of(name).some(caught));
	for (const name of missed) say(`${name} is wrong by design, and none of its runs caught it`);
	return missed.length === 0 && !results.some((pair) => !wrongWorkloads.has(pair.workload) && caught(pair));
}

async function runPair(flags: Flags, pair: PlannedPair, seed: number): Promise<PairResult> {
	const { target, workload, nemesis } = pair;
	const system = systemOf(flags);
	const { outcome } = await execute({ ...flags, target, system, workload, nemesis: [nemesis] }, seed, () => {});
	if (nothingTested(outcome)) throw new Error(nothingTestedText);
	const violations = [...new Set(outcome.violations.map(({ kind }) => kind))];
	return { ...pair, system, time: flags.time, seed, ...outcome.counts, faults: outcome.faults, violations };
}
