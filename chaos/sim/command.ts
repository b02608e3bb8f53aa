/** `barque sim`: runs seeds, or replays one and prints its transcript. */
import { parseCommand } from "../../kit/flags.ts";
import { runSeed } from "./run.ts";

const spec = {
	name: "barque sim",
	summary:
		"Runs three members of the store in one process, on simulated time, disk and network, with crashes and losses.",
	flags: {
		seed: { type: "integer", min: 1, help: "replay this seed and print its transcript" },
		seeds: { type: "integer", min: 1, default: 100, help: "how many seeds to run" },
		first: { type: "integer", min: 1, default: 1, help: "the first of them" },
		"keep-going": { type: "boolean", help: "go on after a seed that fails" },
	},
	examples: ["barque sim --seeds 1000", "barque sim --seed 42"],
} as const;

/** Resolves to the exit code: 0 when every seed was good, 1 when one was not, 2 for wrong flags. */
export async function runSim(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(spec, argv);
	if ("exit" in parsed) return parsed.exit;
	const { seed, seeds, first } = parsed.values;
	if (seed !== undefined) return replay(seed);
	const bad: number[] = [];
	const totals = { ok: 0, failed: 0, unknown: 0 };
	for (let at = first; at < first + seeds; at++) {
		const { violations, operations } = await runSeed(at);
		totals.ok += operations.ok;
		totals.failed += operations.failed;
		totals.unknown += operations.unknown;
		if (violations.length === 0) continue;
		bad.push(at);
		process.stdout.write(`seed ${at} fails:\n${violations.map((what) => `  ${what}\n`).join("")}`);
		process.stdout.write(`  replay: barque sim --seed ${at}\n`);
		if (!parsed.values["keep-going"]) break;
	}
	const { ok, failed, unknown } = totals;
	process.stdout.write(
		`${bad.length === 0 ? "all good" : `${bad.length} bad`}: seeds from ${first}; operations: ${ok} ok, ${failed} failed, ${unknown} unknown\n`,
	);
	return bad.length === 0 ? 0 : 1;
}

async function replay(seed: number): Promise<number> {
	const { transcript, violations } = await runSeed(seed);
	process.stdout.write(transcript);
	return violations.length === 0 ? 0 : 1;
}
