/** What clients did over the time of the run: each of them in a lane, how long it took, and how much of it there was. */
import { type Completion, describeOperation, type Operation } from "../history.ts";
import { type Chart, type Label, pixelUnits, rule, type TimeScale } from "./chart.ts";
import { clipped, duration, escapeHtml, grouped, moment, niceStep, round } from "./markup.ts";

/** Drawn in this order: what is rare lies on top. */
export const outcomes: readonly Completion[] = ["ok", "fail", "info"];

/** Elements of their own, which tell what they are when pointed at; all others are drawn as one shape. */
const maxTold = 2500;
const maxText = 240;

export function describeMark(op: Operation): string {
	const took = op.completedMs === undefined ? "never answered" : `in ${duration(op.completedMs - op.invokedMs)}`;
	return clipped(`${moment(op.invokedMs)} ${describeOperation(op)}, ${took}`, maxText);
}

/** What is worth pointing at first: in witnesses, without an answer, then the slowest. */
function chooseTold(operations: readonly Operation[], witnesses: ReadonlySet<number>): ReadonlySet<Operation> {
	if (operations.length <= maxTold) return new Set(operations);
	const took = (op: Operation) => (op.completedMs ?? Number.POSITIVE_INFINITY) - op.invokedMs;
	const weight = (op: Operation) => (witnesses.has(op.id) ? 2 : op.type === "info" ? 1 : 0);
	const order = operations.toSorted((a, b) => weight(b) - weight(a) || took(b) - took(a));
	return new Set(order.slice(0, maxTold));
}

/** What is rare must be seen. */
const leastPixels: Readonly<Record<Completion, number>> = { ok: 1, fail: 1.5, info: 3 };
const wideLane = 14;
const thinLane = 8;
const manyLanes = 40;

/** `witnesses`: ids of operations to ring. */
export function timelineChart(
	operations: readonly Operation[],
	scale: TimeScale,
	witnesses: ReadonlySet<number>,
): Chart {
	const collator = new Intl.Collator("en", { numeric: true });
	const processes = [...new Set(operations.map((op) => op.process))].sort(collator.compare);
	const laneHeight = processes.length > manyLanes ? thinLane : wideLane;
	const middle = new Map(processes.map((process, i) => [process, (i + 0.5) * laneHeight]));
	const told = chooseTold(operations, witnesses);
	const shape = (op: Operation) => {
		const x = scale.x(op.invokedMs);
		const end = scale.x(op.completedMs ?? scale.endMs);
		return { x, end: Math.max(end, x + pixelUnits * leastPixels[op.type]) };
	};
	const shapes: string[] = [];
	for (const type of outcomes) {
		const untold = operations.filter((op) => op.type === type && !told.has(op));
		const merged = processes.map((process) => {
			const own = untold.filter((op) => op.process === process).map(shape);
			return mergeSpans(own)
				.map(({ x, end }) => `M${x} ${middle.get(process)}h${end - x}`)
				.join("");
		});
		if (untold.length > 0) shapes.push(`<path class="op ${type}" d="${merged.join("")}"/>`);
		for (const op of told) {
			if (op.type !== type) continue;
			const { x, end } = shape(op);
			const path = `M${x} ${middle.get(op.process)}h${end - x}`;
			shapes.push(`<path class="op ${type}" d="${path}"><title>${escapeHtml(describeMark(op))}</title></path>`);
		}
	}
	for (const op of operations) {
		if (!witnesses.has(op.id)) continue;
		const { x, end } = shape(op);
		const top = middle.get(op.process)! - laneHeight / 2 + 0.5;
		shapes.push(`<path class="witness" d="M${x - 6} ${top}H${end + 6}v${laneHeight - 1}H${x - 6}z"/>`);
	}
	return {
		title: "Operations of each client",
		note: "from invocation to answer",
		height: processes.length * laneHeight,
		labels: processes.map((text) => ({ y: middle.get(text)!, text })),
		shapes: `<g style="--lane:${laneHeight - 4}px">${shapes.join("")}</g>`,
		overlay: "",
	};
}

/** Spans that touch on the screen become one; they come in the order of their beginnings. */
function mergeSpans(spans: ReadonlyArray<{ readonly x: number; readonly end: number }>) {
	const merged: Array<{ x: number; end: number }> = [];
	for (const { x, end } of spans) {
		const last = merged.at(-1);
		if (last !== undefined && x <= last.end + 2) last.end = Math.max(last.end, end);
		else merged.push({ x, end });
	}
	return merged;
}

// ---- latency ----

const plotHeight = 170;

export function quantile(sorted: readonly number[], share: number): number {
	return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function latencyOf(op: Operation): number {
	return op.completedMs! - op.invokedMs;
}

/** Logarithmic; a dot for each answered operation, one for all that would lie on the same place. */
export function latencyChart(operations: readonly Operation[], scale: TimeScale): Chart {
	const answered = operations.filter((op) => op.completedMs !== undefined);
	let [least, most] = [1, 1];
	for (const op of answered) {
		least = Math.min(least, latencyOf(op));
		most = Math.max(most, latencyOf(op));
	}
	const low = Math.max(-1, Math.floor(Math.log10(Math.max(least, 0.01))));
	const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
	const y = (ms: number) => {
		const decade = Math.log10(Math.max(ms, 10 ** low));
		return Math.round(plotHeight - 4 - ((plotHeight - 12) * (decade - low)) / (high - low));
	};
	const decades = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
	const dots = outcomes.map((type) => {
		const places = new Set<string>();
		for (const op of answered) {
			if (op.type !== type) continue;
			const x = Math.round(scale.x(op.invokedMs) / pixelUnits) * pixelUnits;
			places.add(`M${x} ${y(latencyOf(op))}h1`);
		}
		return places.size === 0 ? "" : `<path class="spot ${type}" d="${[...places].join("")}"/>`;
	});
	return {
		title: "Latency",
		note: "of each answered operation, logarithmic; lines: median and 99th percentile of ok",
		height: plotHeight,
		labels: decades.map((ms) => ({ y: y(ms), text: ms >= 1000 ? `${ms / 1000} s` : `${ms} ms` })),
		shapes: decades.map((ms) => rule(y(ms))).join("") + dots.join("") + quantileLines(answered, scale, y),
		overlay: "",
	};
}

function quantileLines(answered: readonly Operation[], scale: TimeScale, y: (ms: number) => number): string {
	const bucketMs = bucketOf(scale) * 2;
	const buckets = new Map<number, number[]>();
	for (const op of answered) {
		if (op.type !== "ok") continue;
		const bucket = Math.floor(op.invokedMs / bucketMs);
		const list = buckets.get(bucket) ?? [];
		buckets.set(bucket, list);
		list.push(latencyOf(op));
	}
	const sorted = [...buckets]
		.toSorted(([a], [b]) => a - b)
		.map(([at, list]) => ({ at, list: list.sort((a, b) => a - b) }));
	const line = (share: number, name: string) => {
		let previous = Number.NaN;
		const points = sorted.map(({ at, list }) => {
			const start = at === previous + 1 ? "L" : "M";
			previous = at;
			return `${start}${scale.x((at + 0.5) * bucketMs)} ${y(quantile(list, share))}${start === "M" ? "h1" : ""}`;
		});
		return points.length === 0 ? "" : `<path class="quantile ${name}" d="${points.join("")}"/>`;
	};
	return line(0.5, "median") + line(0.99, "tail");
}

// ---- rate ----

function bucketOf(scale: TimeScale): number {
	return Math.max(50, niceStep(scale.endMs / 1000 / 120) * 1000);
}

/** Answers of all clients, stacked by outcome; what was never answered counts when it was asked. */
export function rateChart(operations: readonly Operation[], scale: TimeScale): Chart {
	const bucketMs = bucketOf(scale);
	// The last step takes what is left, so that none is too short to tell a rate.
	const count = Math.max(1, Math.round(scale.endMs / bucketMs));
	const lastMs = scale.endMs - (count - 1) * bucketMs;
	const rates = new Map(outcomes.map((type) => [type, new Array<number>(count).fill(0)]));
	for (const op of operations) {
		const bucket = Math.min(count - 1, Math.floor((op.completedMs ?? op.invokedMs) / bucketMs));
		rates.get(op.type)![bucket]! += 1000 / (bucket === count - 1 ? lastMs : bucketMs);
	}
	let highest = 1;
	for (let i = 0; i < count; i++) {
		highest = Math.max(
			highest,
			outcomes.reduce((sum, type) => sum + rates.get(type)![i]!, 0),
		);
	}
	const step = niceStep(highest / 4);
	const top = Math.ceil(highest / step) * step;
	const y = (rate: number) => round(plotHeight - (plotHeight - 8) * (rate / top));
	const below = new Array<number>(count).fill(0);
	const areas = outcomes.map((type) => {
		const list = rates.get(type)!;
		const boxes = list.flatMap((rate, i) => {
			if (rate === 0) return [];
			const x = scale.x(i * bucketMs);
			const from = y(below[i]!);
			below[i]! += rate;
			return [`M${x} ${from}H${scale.x(i === count - 1 ? scale.endMs : (i + 1) * bucketMs)}V${y(below[i]!)}H${x}z`];
		});
		return boxes.length === 0 ? "" : `<path class="area ${type}" d="${boxes.join("")}"/>`;
	});
	const marks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
	return {
		title: "Rate",
		note: `answers a second, in steps of ${duration(bucketMs)}`,
		height: plotHeight,
		labels: marks.map((rate): Label => ({ y: y(rate), text: `${grouped(rate)}/s` })),
		shapes: areas.join("") + marks.map((rate) => rule(y(rate))).join(""),
		overlay: "",
	};
}
