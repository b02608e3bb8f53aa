/** Many seeds on many threads: what was done, what was reached, and what broke. */

import { Worker } from "node:worker_threads";
import { append } from "../../kit/lists.ts";
import { faultKinds, triggerKinds } from "./swarm.ts";

/** What a thread tells after each slice of its seeds. */
export interface HuntReport {
	runs: number;
	virtualMs: number;
	operations: number;
	faults: Record<string, number>;
	/** Slices of about two seconds in which functions were counted. */
	slices: number;
	/** Named code paths, with how often they were taken; wanted functions, with in how many slices they ran. */
	paths: Record<string, number>;
	bad: { readonly seed: number; readonly violations: readonly string[] }[];
}

export interface HuntOptions {
	readonly first: number;
	/** How many seeds at most. */
	readonly seeds: number;
	/** How long at most, ms of real time. */
	readonly maxMs: number;
	readonly threads: number;
	readonly keepGoing: boolean;
	/** Whether functions reached are counted; costs some time. */
	readonly coverage: boolean;
	/** Called now and then with what is known so far. */
	readonly progress?: ((soFar: HuntReport) => void) | undefined;
}

/** What a thread is given. */
export interface HuntJob {
	readonly first: number;
	readonly step: number;
	readonly end: number;
	readonly maxMs: number;
	readonly keepGoing: boolean;
	readonly coverage: boolean;
}

/** Facts of a run that every longer hunt must meet. */
export const wantedEvents: readonly string[] = [
	"leadership changes",
	"a log's end is replaced",
	"a torn end of the log is cut",
	"a damaged log is refused",
	"damage that cannot be told from a torn write",
	"a member that lost its data is refused",
	"a member ends itself",
	"a member stops in order",
	"a snapshot is delivered",
	"a snapshot is not delivered",
	"a snapshot is installed",
	"a retried write is in the log twice",
	"a lease is renewed",
	"a lease expires",
	"a watch is told its progress",
	"a watch ends by compaction",
	"an operation ends with outcome_unknown",
	"an operation ends with unavailable",
	"an operation ends with no_space",
	"an operation ends with compacted",
];

export function emptyReport(): HuntReport {
	return { runs: 0, virtualMs: 0, operations: 0, slices: 0, faults: {}, paths: {}, bad: [] };
}

function add(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
	for (const [name, count] of Object.entries(from)) to[name] = (to[name] ?? 0) + count;
}

export async function hunt(options: HuntOptions): Promise<HuntReport> {
	const { first, seeds, threads, maxMs, keepGoing, coverage } = options;
	const total = emptyReport();
	const workers: Worker[] = [];
	const end = first + seeds;
	const take = (report: HuntReport) => {
		total.runs += report.runs;
		total.virtualMs += report.virtualMs;
		total.operations += report.operations;
		total.slices += report.slices;
		add(total.faults, report.faults);
		add(total.paths, report.paths);
		append(total.bad, report.bad);
		options.progress?.(total);
		if (report.bad.length > 0 && !keepGoing) for (const worker of workers) worker.postMessage("stop");
	};
	const ends = Array.from({ length: Math.min(threads, seeds) }, (_, i) => {
		const job: HuntJob = { first: first + i, step: threads, end, maxMs, keepGoing, coverage };
		const file = import.meta.url.endsWith(".ts") ? "./hunt-thread.ts" : "./hunt-thread.js";
		const worker = new Worker(new URL(file, import.meta.url), { workerData: job, execArgv: [] });
		workers.push(worker);
		return new Promise<void>((resolve, reject) => {
			worker.on("message", take);
			worker.once("error", reject);
			worker.once("exit", () => resolve());
		});
	});
	await Promise.all(ends);
	total.bad.sort((a, b) => a.seed - b.seed);
	return total;
}

/** Fault kinds and paths that were never reached. */
export function missing(report: HuntReport, functions: readonly string[]): string[] {
	const kinds = [...faultKinds, ...triggerKinds].filter((kind) => report.faults[kind] === undefined);
	const paths = [...wantedEvents, ...functions].filter((path) => report.paths[path] === undefined);
	return [...kinds.map((kind) => `fault ${kind}`), ...paths];
}
