/** One self-contained page about a run: what happened, to whom, when, and what was wrong with it. No scripts, no network. */
import { type Operation, pairOperations } from "../history.ts";
import type { RunOutcome } from "../run.ts";
import { type Chart, renderChart, TimeScale } from "./chart.ts";
import { type Fault, faultClasses, faultClassNames, faultsChart, faultsOf, faultsTable } from "./faults.ts";
import { leaderNumbers, leadersChart } from "./leaders.ts";
import { duration, escapeHtml, grouped, plural } from "./markup.ts";
import { latencyChart, quantile, rateChart, timelineChart } from "./operations.ts";
import { errorsTable, latencyTable } from "./statistics.ts";
import { style } from "./style.ts";
import { violationsSection, WitnessIndex } from "./violations.ts";

export { escapeHtml } from "./markup.ts";

export interface ReportInput {
	readonly workload: string;
	readonly nemesis: readonly string[];
	readonly seed: number;
	/** The command that runs it again. */
	readonly replay: string;
	/** What was tested. */
	readonly target: string;
	/** Names of all members, in the order of their lanes; by default those that were seen to lead. */
	readonly members?: readonly string[] | undefined;
	readonly outcome: RunOutcome;
}

/** HTML, without anything fetched from elsewhere. */
export function renderReport(input: ReportInput): string {
	const { workload, nemesis, outcome, target } = input;
	const { events, leaders, violations } = outcome;
	const operations = pairOperations(events);
	const scale = new TimeScale(Math.max(events.at(-1)?.time ?? 0, leaders.at(-1)?.time ?? 0));
	const faults = faultsOf(events, scale.endMs);
	const index = new WitnessIndex(operations);
	const witnesses = index.idsOf(violations);
	const charts = [
		leadersChart(leaders, input.members ?? [], faults, scale),
		faultsChart(faults, scale),
		timelineChart(operations, scale, witnesses),
		latencyChart(operations, scale),
		rateChart(operations, scale),
	];
	const title = `${workload} under ${nemesis.length === 0 ? "no faults" : nemesis.join(", ")}`;
	return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><title>barque chaos: ${escapeHtml(title)}</title><style>${style}</style></head>
<body><header><p class="over">barque chaos</p><h1>${escapeHtml(title)}</h1><p class="target">${escapeHtml(target)}</p></header>
${verdict(outcome)}${violationsSection(violations, index)}
${tiles(outcome, operations, scale)}${replayBlock(input)}
<section class="charts">${legend(faults, witnesses.size > 0)}
${charts.map((chart) => drawn(chart, scale, faults)).join("")}</section>
${latencyTable(operations)}${errorsTable(operations)}${faultsTable(faults)}
</body></html>
`;
}

function drawn(chart: Chart | undefined, scale: TimeScale, faults: readonly Fault[]): string {
	if (chart === undefined || chart.height === 0) return "";
	const shades = faults.map(({ from, to, class: name }) => ({ from, to, class: `fault ${name}` }));
	return renderChart(chart, scale, shades);
}

function verdict({ violations, finished }: RunOutcome): string {
	if (violations.length > 0) return `<p class="verdict bad">${plural(violations.length, "violation")} found.</p>`;
	const last = finished ? "" : " The last operations were not answered in time.";
	return `<p class="verdict good">Nothing wrong was found.${last}</p>`;
}

function tiles(
	{ counts, faults, leaders, finished }: RunOutcome,
	operations: readonly Operation[],
	scale: TimeScale,
): string {
	const all = counts.ok + counts.fail + counts.info;
	const latencies = operations
		.flatMap((op) => (op.type === "ok" && op.completedMs !== undefined ? op.completedMs - op.invokedMs : []))
		.sort((a, b) => a - b);
	const numbers = leaderNumbers(leaders, scale.endMs);
	const facts: Array<readonly [name: string, value: string, more: string]> = [
		[
			"operations",
			grouped(all),
			`${grouped(counts.ok)} ok, ${grouped(counts.fail)} failed, ${grouped(counts.info)} unknown`,
		],
		["rate", `${grouped(Math.round((1000 * all) / scale.endMs))}/s`, `over ${duration(scale.endMs)}`],
		[
			"median latency",
			latencies.length === 0 ? "–" : duration(quantile(latencies, 0.5)),
			latencies.length === 0
				? "nothing was ok"
				: `99 %: ${duration(quantile(latencies, 0.99))}; slowest: ${duration(latencies.at(-1)!)}`,
		],
		["faults", grouped(faults), "each shaded in the charts"],
		[
			"last operations",
			finished ? "answered" : "not answered",
			finished ? "once everything was healed" : "in time, though everything was healed",
		],
	];
	if (numbers !== undefined) {
		const { elections, leaderlessMs, longestLeaderlessMs } = numbers;
		const gap =
			leaderlessMs === 0
				? "no gap was seen"
				: `${duration(leaderlessMs)} without one; longest ${duration(longestLeaderlessMs)}`;
		facts.splice(4, 0, ["new leaders", grouped(elections), gap]);
	}
	const tile = ([name, value, more]: (typeof facts)[number]) =>
		`<div class="tile"><dt>${name}</dt><dd><b>${value}</b><span>${more}</span></dd></div>`;
	return `<dl class="tiles">${facts.map(tile).join("")}</dl>`;
}

function replayBlock({ seed, replay }: ReportInput): string {
	return `<section class="replay"><h2>Run it again <small>seed ${seed}; a click selects the command</small></h2><pre class="copy">${escapeHtml(replay)}</pre></section>`;
}

function legend(faults: readonly Fault[], hasWitnesses: boolean): string {
	const item = (name: string, text: string) => `<span><i class="dot ${name}"></i>${text}</span>`;
	const used = faultClasses.filter((name) => faults.some((fault) => fault.class === name));
	const items = [
		item("ok", "ok"),
		item("fail", "failed: certainly not done"),
		item("info", "unknown whether done"),
		...used.map((name) => item(name, `fault: ${faultClassNames[name]}`)),
	];
	if (hasWitnesses) items.push(item("ring", "in a witness"));
	return `<p class="legend">${items.join("")}</p>`;
}
