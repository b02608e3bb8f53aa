/** One thread of a hunt. */
import { parentPort, workerData } from "node:worker_threads";
import { startCoverage, wantedPaths } from "./coverage.ts";
import { emptyReport, type HuntJob, type HuntReport } from "./hunt.ts";
import { type RunResult, runSeed } from "./run.ts";

const reportEveryMs = 2000;
const job = workerData as HuntJob;
const port = parentPort!;
let stopped = false;
port.on("message", () => {
	stopped = true;
});
// Simulated failures are many, and nobody reads where they came from.
Error.stackTraceLimit = 0;

const coverage = job.coverage ? await startCoverage() : undefined;
const started = performance.now();
let report = emptyReport();
let reported = started;

function note(result: RunResult): void {
	report.runs++;
	report.virtualMs += result.took;
	const { ok, fail, info } = result.outcome.counts;
	report.operations += ok + fail + info;
	for (const [kind, count] of result.faultCounts) report.faults[kind] = (report.faults[kind] ?? 0) + count;
	for (const [path, count] of result.reached) report.paths[path] = (report.paths[path] ?? 0) + count;
	if (result.violations.length > 0) report.bad.push({ seed: result.seed, violations: result.violations });
}

async function send(): Promise<void> {
	if (coverage !== undefined) {
		const wanted = new Set(wantedPaths());
		for (const path of await coverage.reached()) if (wanted.has(path)) report.paths[path] = 1;
		report.slices = 1;
	}
	port.postMessage(report satisfies HuntReport);
	report = emptyReport();
	reported = performance.now();
}

for (let seed = job.first; seed < job.end && !stopped; seed += job.step) {
	if (performance.now() - started > job.maxMs) break;
	note(await runSeed(seed));
	if (report.bad.length > 0 || performance.now() - reported > reportEveryMs) await send();
	if (report.bad.length > 0 && !job.keepGoing) break;
}
await send();
coverage?.stop();
port.close();
