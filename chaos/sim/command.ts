/** `barque sim`: hunts through seeds, or replays one and prints its transcript. */
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { parseCommand } from "../../kit/flags.ts";
import { formatHistory } from "../history.ts";
import { renderReport } from "../report/html.ts";
import { wantedPaths } from "./coverage.ts";
import { type HuntReport, hunt, missing } from "./hunt.ts";
import { type RunResult, runSeed } from "./run.ts";
import { type Shrunk, shrink } from "./shrink.ts";
import type { Reduction } from "./swarm.ts";

const spec = {
	name: "barque sim",
	summary:
		"Runs members and clients of the store in one process, on simulated time, disks and network, with every fault there is.",
	flags: {
		seed: { type: "integer", min: 1, help: "replay this seed and print its transcript" },
		until: { type: "duration", help: "with --seed: how long work and faults last, in simulated time" },
		faults: { type: "list", help: "with --seed: only the faults with these numbers" },
		clients: { type: "integer", min: 1, max: 10, help: "with --seed: this many clients" },
		history: { type: "string", help: "with --seed: write the history there, a JSON line for each event" },
		report: { type: "string", help: "with --seed: write an HTML page about the run there" },
		shrink: { type: "boolean", help: "with --seed: look for a smaller form that fails, and print that" },
		minutes: { type: "number", help: "hunt this long, and fail if a fault or path was never reached" },
		seeds: { type: "integer", min: 1, default: 100, help: "how many seeds to run, without --minutes" },
		first: { type: "integer", min: 1, help: "the first seed; by default 1, or with --minutes any" },
		threads: { type: "integer", min: 1, max: 64, help: "how many at once; by default one for each processor" },
		"keep-going": { type: "boolean", help: "go on after a seed that fails" },
		planted: { type: "boolean", help: "plant known bugs in copies of the source, and find each" },
		output: { type: "string", default: "text", choices: ["text", "json"], help: "of a hunt's report" },
	},
	examples: [
		"barque sim --minutes 10",
		"barque sim --seed 42",
		"barque sim --seed 42 --until 1h",
		"barque sim --seed 42 --history run.jsonl --report run.html",
		"barque sim --planted",
	],
} as const;

/** Seeds of a hunt that begins anywhere stay below this. */
const anySeed = 1_000_000_000;

/** Resolves to the exit code: 0 when every seed was good, 1 when one was not or a path was not reached, 2 for wrong flags. */
export async function runSim(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(spec, argv);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	if (values.planted === true) return (await import("./planted.ts")).findPlanted();
	if (values.seed !== undefined) {
		const numbers = values.faults.map(Number);
		const reduction: Reduction = {
			faults: parsed.given.has("faults") ? numbers : undefined,
			clients: values.clients,
			untilMs: values.until,
		};
		return replay(values.seed, reduction, values.shrink === true, values);
	}
	const minutes = values.minutes;
	const first = values.first ?? (minutes === undefined ? 1 : 1 + Math.floor(Math.random() * anySeed));
	const started = performance.now();
	const report = await hunt({
		first,
		seeds: minutes === undefined ? values.seeds : anySeed,
		maxMs: minutes === undefined ? Number.POSITIVE_INFINITY : minutes * 60_000,
		threads: values.threads ?? availableParallelism(),
		keepGoing: values["keep-going"] === true,
		coverage: minutes !== undefined,
		progress: minutes === undefined || values.output === "json" ? undefined : showProgress(started),
	});
	const never = minutes === undefined ? [] : missing(report, wantedPaths());
	const realMinutes = (performance.now() - started) / 60_000;
	if (values.output === "json") process.stdout.write(`${JSON.stringify({ first, realMinutes, ...report, never })}\n`);
	else process.stdout.write(describe(report, first, realMinutes, never));
	const [worst] = report.bad;
	if (worst !== undefined && values.output === "text") await showShrunk(worst.seed);
	return report.bad.length === 0 && never.length === 0 ? 0 : 1;
}

function showProgress(started: number): (report: HuntReport) => void {
	let shown = started;
	return (report) => {
		const now = performance.now();
		if (now - shown < 30_000) return;
		shown = now;
		process.stderr.write(
			`${Math.round((now - started) / 1000)} s: ${report.runs} runs, ${report.operations} operations, ${sum(report.faults)} faults, ${report.bad.length} bad\n`,
		);
	};
}

const sum = (counts: Readonly<Record<string, number>>) =>
	Object.values(counts).reduce((total, count) => total + count, 0);

function table(counts: Readonly<Record<string, number>>): string {
	const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
	return rows.map(([name, count]) => `  ${String(count).padStart(9)}  ${name}\n`).join("");
}

function describe(report: HuntReport, first: number, minutes: number, never: readonly string[]): string {
	const { runs, operations, virtualMs, faults, paths, slices, bad } = report;
	const perMinute = (count: number) => Math.round(count / minutes);
	const events = Object.fromEntries(Object.entries(paths).filter(([name]) => !name.startsWith("store/")));
	const functions = Object.entries(paths).filter(([name]) => name.startsWith("store/"));
	const rarest = functions.sort(([, a], [, b]) => a - b).slice(0, 5);
	const lines = [
		`runs: ${runs}, seeds from ${first}, in ${minutes.toFixed(2)} minutes; simulated: ${(virtualMs / 3_600_000).toFixed(2)} hours\n`,
		`client operations: ${operations}, ${perMinute(operations)} a minute\n`,
		`faults: ${sum(faults)}, ${perMinute(sum(faults))} a minute\n${table(faults)}`,
		`paths:\n${table(events)}`,
		functions.length === 0 ? "" : `  ${functions.length} of ${wantedPaths().length} wanted functions of the product\n`,
		...rarest.map(([name, count]) => `  ${name}: in ${count} of ${slices} slices of 2 s\n`),
		...never.map((name) => `NEVER REACHED: ${name}\n`),
		...bad.flatMap(({ seed, violations }) => [`seed ${seed} fails:\n`, ...violations.map((what) => `  ${what}\n`)]),
		...bad.map(({ seed }) => `  replay: barque sim --seed ${seed}\n`),
		`violations: ${bad.length === 0 ? "none" : `in ${bad.length} runs`}\n`,
	];
	return lines.join("");
}

interface Files {
	readonly history?: string | undefined;
	readonly report?: string | undefined;
}

async function replay(seed: number, reduction: Reduction, smaller: boolean, files: Files): Promise<number> {
	const failed = await runSeed(seed, reduction);
	const small = smaller && failed.violations.length > 0 ? await shrink(failed, reduction) : undefined;
	const { result } = small ?? { result: failed };
	process.stdout.write(result.transcript);
	if (small !== undefined) process.stdout.write(describeShrunk(small, failed));
	await writeFiles(result, small?.reduction ?? reduction, files);
	return result.violations.length === 0 ? 0 : 1;
}

async function writeFiles(result: RunResult, reduction: Reduction, { history, report }: Files): Promise<void> {
	const { seed, swarm, outcome } = result;
	if (history !== undefined) await writeFile(history, formatHistory(outcome.events));
	if (report === undefined) return;
	const page = renderReport({
		workload: "sim",
		nemesis: [...result.faultCounts.keys()],
		seed,
		replay: replayCommand(seed, reduction),
		target: `${swarm.members} simulated members`,
		outcome,
	});
	await writeFile(report, page);
}

async function showShrunk(seed: number): Promise<void> {
	const failed = await runSeed(seed);
	if (failed.violations.length === 0) return;
	const small = await shrink(failed);
	process.stdout.write(`${small.result.transcript}${describeShrunk(small, failed)}`);
}

function describeShrunk({ reduction, result, runs }: Shrunk, failed: RunResult): string {
	const faults = `${result.faults.length} faults instead of ${failed.faults.length}`;
	return `the smallest form found in ${runs} runs, ${faults}: ${replayCommand(failed.seed, reduction)}\n`;
}

function replayCommand(seed: number, { faults, clients, untilMs }: Reduction): string {
	const flags = [
		`--seed ${seed}`,
		faults === undefined ? "" : ` --faults ${faults.length === 0 ? "0" : faults.join(",")}`,
		clients === undefined ? "" : ` --clients ${clients}`,
		untilMs === undefined ? "" : ` --until ${untilMs}ms`,
	];
	return `barque sim ${flags.join("")}`;
}
