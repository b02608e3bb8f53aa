/** Who led when, and in which term. */
import type { LeaderSample } from "../leaders.ts";
import { type Bar, type Chart, type Label, type Lane, lanesChart, plotUnits, rule, type TimeScale } from "./chart.ts";
import { describeFault, type Fault } from "./faults.ts";
import { duration, moment, niceStep, round } from "./markup.ts";

/** From one change to the next. */
interface Span extends LeaderSample {
	readonly to: number;
	/** Told by a member that had not heard of a newer term. */
	readonly isStale: boolean;
}

function spansOf(samples: readonly LeaderSample[], endMs: number): Span[] {
	let newest = 0;
	return samples.map((sample, i) => {
		const { term = newest } = sample;
		const isStale = term < newest;
		newest = Math.max(newest, term);
		return { ...sample, to: samples[i + 1]?.time ?? endMs, isStale };
	});
}

export interface LeaderNumbers {
	/** Times that a new term was seen to have a leader, without the first. */
	readonly elections: number;
	readonly leaderlessMs: number;
	readonly longestLeaderlessMs: number;
}

/** undefined: nobody was asked. */
export function leaderNumbers(samples: readonly LeaderSample[], endMs: number): LeaderNumbers | undefined {
	if (samples.length === 0) return undefined;
	const terms = new Set(samples.flatMap(({ term }) => term ?? []));
	const gaps = spansOf(samples, endMs).filter(({ name }) => name === undefined);
	const lengths = gaps.map(({ time, to }) => to - time);
	return {
		elections: Math.max(0, terms.size - 1),
		leaderlessMs: lengths.reduce((sum, each) => sum + each, 0),
		longestLeaderlessMs: lengths.reduce((most, each) => Math.max(most, each), 0),
	};
}

const termHeight = 56;
const termMargin = 8;
const memberColours = 7;

/** A lane for each member, coloured while it leads; one for when nobody does; and the term as a line of steps. */
export function leadersChart(
	samples: readonly LeaderSample[],
	members: readonly string[],
	faults: readonly Fault[],
	scale: TimeScale,
): Chart | undefined {
	if (samples.length === 0) return undefined;
	const spans = spansOf(samples, scale.endMs);
	const names = [...new Set([...members, ...samples.flatMap(({ name }) => name ?? []).toSorted()])];
	const lanes = names.map((name, i): Lane => {
		const colour = `leads member${i % memberColours}`;
		const reigns = spans.filter((span) => span.name === name).map((span) => reignBar(span, colour));
		return { name, bars: [...hitBars(name, faults), ...reigns] };
	});
	const gaps = spans.filter((span) => span.name === undefined).map(gapBar);
	const title = "Leader and term";
	const note = "who leads as members tell, asked every 250 ms; hatched: the member is hit by a fault";
	const chart = lanesChart({ title, note, lanes: [...lanes, { name: "nobody", bars: gaps }] }, scale);
	const terms = termLine(spans, scale, chart.height);
	return {
		...chart,
		height: chart.height + termHeight,
		labels: [...chart.labels, ...terms.labels],
		shapes: chart.shapes + terms.shapes,
	};
}

function reignBar({ name, term, time, to, isStale }: Span, colour: string): Bar {
	const title = `${name} leads in term ${term}, from ${moment(time)} to ${moment(to)} (${duration(to - time)})`;
	const stale = isStale ? ", as a member tells that has not heard of a newer term" : "";
	return { from: time, to, class: isStale ? `${colour} stale` : colour, text: `term ${term}`, title: title + stale };
}

function gapBar({ time, to }: Span): Bar {
	const title = `nobody leads, or nobody tells, from ${moment(time)} to ${moment(to)} (${duration(to - time)})`;
	return { from: time, to, class: "nobody", text: duration(to - time), title };
}

function hitBars(name: string, faults: readonly Fault[]): Bar[] {
	return faults
		.filter((fault) => fault.texts.has(name))
		.map((fault) => ({
			from: fault.from,
			to: fault.to,
			class: `hit ${fault.class}`,
			text: "",
			title: describeFault(fault),
		}));
}

/** Below the lanes: only what nobody contradicts, so that the line never falls. */
function termLine(spans: readonly Span[], scale: TimeScale, top: number): { shapes: string; labels: Label[] } {
	const known = spans.filter(({ term, isStale }) => term !== undefined && !isStale);
	const first = known[0]?.term ?? 0;
	const last = known.at(-1)?.term ?? first;
	const y = (term: number) =>
		round(top + termHeight - termMargin - ((termHeight - 2 * termMargin) * (term - first)) / Math.max(1, last - first));
	const steps = known.map(
		({ time, term = first }, i) => `${i === 0 ? "M" : "H"}${scale.x(time)}${i === 0 ? " " : "V"}${y(term)}`,
	);
	const line = known.length === 0 ? "" : `<path class="term" d="${steps.join("")}H${plotUnits}"/>`;
	const step = Math.max(1, niceStep((last - first) / 2));
	const marks = new Set([first, last]);
	for (let term = Math.ceil(first / step) * step; term < last; term += step) {
		if (Math.min(y(first) - y(term), y(term) - y(last)) > 11) marks.add(term);
	}
	const labels = [...marks].map((term) => ({ y: y(term), text: `term ${term}` }));
	return { shapes: rule(top) + line, labels };
}
