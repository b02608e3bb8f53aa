/**
 * Charts over the time of the run, all to one scale: a gutter of labels, a plot as wide as the page allows, and an axis of
 * seconds. Shapes are SVG stretched to the plot; texts are HTML, so that they keep their size.
 */
import { escapeHtml, niceStep, round } from "./markup.ts";

/** Width of every plot in its own units, whatever it is on the screen. */
export const plotUnits = 10_000;
/** About a pixel of a wide page. */
export const pixelUnits = 8;

export interface Label {
	/** Px from the plot's top to the text's middle. */
	readonly y: number;
	readonly text: string;
}

export interface Chart {
	readonly title: string;
	/** Units, and how to read it. */
	readonly note: string;
	/** Px. */
	readonly height: number;
	/** At the left of the plot. */
	readonly labels: readonly Label[];
	/** SVG in plot units across and px down. */
	readonly shapes: string;
	/** HTML above the shapes, placed in percents across and px down. */
	readonly overlay: string;
}

export class TimeScale {
	readonly endMs: number;

	constructor(endMs: number) {
		this.endMs = Math.max(1, endMs);
	}

	/** In plot units. */
	x(ms: number): number {
		return Math.round((plotUnits * Math.min(Math.max(ms, 0), this.endMs)) / this.endMs);
	}

	percent(ms: number): string {
		return `${this.x(ms) / 100}%`;
	}
}

/** What lies behind every plot. */
export interface Shade {
	readonly from: number;
	readonly to: number;
	readonly class: string;
}

/** One path for all shades of a class: pages stay small however many there are. */
function shadePaths(scale: TimeScale, shades: readonly Shade[], height: number): string {
	const classes = [...new Set(shades.map((shade) => shade.class))];
	return classes
		.map((name) => {
			const boxes = shades
				.filter((shade) => shade.class === name)
				.map(({ from, to }) => {
					const x = scale.x(from);
					return `M${x} 0h${Math.max(pixelUnits, scale.x(to) - x)}v${height}H${x}z`;
				});
			return `<path class="${name}" d="${boxes.join("")}"/>`;
		})
		.join("");
}

interface Tick {
	readonly ms: number;
	readonly text: string;
}

function ticks(scale: TimeScale): Tick[] {
	const step = niceStep(scale.endMs / 1000 / 10);
	const digits = Math.max(0, -Math.floor(Math.log10(step)));
	const count = Math.floor(scale.endMs / 1000 / step + 1e-9);
	return Array.from({ length: count + 1 }, (_, i) => ({
		ms: i * step * 1000,
		text: `${(i * step).toFixed(digits)} s`,
	}));
}

export function renderChart(chart: Chart, scale: TimeScale, shades: readonly Shade[]): string {
	const { title, note, height, labels, shapes, overlay } = chart;
	const gutter = labels.map(
		({ y, text }) => `<span style="top:${round(y)}px" title="${escapeHtml(text)}">${escapeHtml(text)}</span>`,
	);
	const grid = ticks(scale).map(({ ms }) => `M${scale.x(ms)} 0V${height}`);
	const axis = ticks(scale).map(({ ms, text }) => `<span style="left:${scale.percent(ms)}">${text}</span>`);
	return `<section class="chart"><h2>${escapeHtml(title)} <small>${escapeHtml(note)}</small></h2>
<div class="frame"><div class="gutter">${gutter.join("")}</div>
<div class="plot" style="height:${height}px"><svg viewBox="0 0 ${plotUnits} ${height}" preserveAspectRatio="none" role="img" aria-label="${escapeHtml(title)}">${shadePaths(scale, shades, height)}<path class="grid" d="${grid.join("")}"/>${shapes}</svg>${overlay}</div>
<div class="axis">${axis.join("")}</div></div></section>
`;
}

/** A line across the plot, with its label in the gutter. */
export function rule(y: number): string {
	return `<path class="grid" d="M0 ${round(y)}H${plotUnits}"/>`;
}

// ---- lanes ----

export interface Bar {
	readonly from: number;
	readonly to: number;
	readonly class: string;
	/** Inside the bar, where there is room. */
	readonly text: string;
	/** When pointed at. */
	readonly title: string;
}

export interface Lane {
	readonly name: string;
	readonly bars: readonly Bar[];
}

export interface LanesOptions {
	readonly title: string;
	readonly note: string;
	readonly lanes: readonly Lane[];
}

const laneHeight = 22;
/** More elements than this make a page slow: the longest are drawn. */
const maxBars = 1500;

export function lanesChart({ title, note, lanes }: LanesOptions, scale: TimeScale): Chart {
	const all = lanes.flatMap((lane, i) => lane.bars.map((bar) => ({ bar, top: i * laneHeight })));
	const length = ({ bar }: (typeof all)[number]) => bar.to - bar.from;
	const drawn = all.length <= maxBars ? all : all.toSorted((a, b) => length(b) - length(a)).slice(0, maxBars);
	const overlay = drawn.map(({ bar, top }) => {
		const width = (scale.x(bar.to) - scale.x(bar.from)) / 100;
		const place = `left:${scale.percent(bar.from)};width:${width}%;top:${top + 3}px;height:${laneHeight - 6}px`;
		return `<span class="bar ${bar.class}" style="${place}" title="${escapeHtml(bar.title)}"><b>${escapeHtml(bar.text)}</b></span>`;
	});
	const left = all.length - drawn.length;
	return {
		title,
		note: left === 0 ? note : `${note}; the ${left} shortest are left out`,
		height: lanes.length * laneHeight,
		labels: lanes.map(({ name }, i) => ({ y: (i + 0.5) * laneHeight, text: name })),
		shapes: lanes
			.slice(1)
			.map((_, i) => rule((i + 1) * laneHeight))
			.join(""),
		overlay: overlay.join(""),
	};
}
