/** Anomalies with their witnesses: operations against real time, cycles drawn with their edges, and the text of both. */
import { greatest, smallest } from "../../kit/lists.ts";
import type { CycleEdge, Violation } from "../checkers/violation.ts";
import type { Operation } from "../history.ts";
import { clipped, duration, escapeHtml, grouped, moment, plural, round } from "./markup.ts";

/** A page must stay readable: so many are shown in full, and so many lines of each. */
const maxShown = 40;
const maxOfKind = 8;
const maxLines = 60;
const maxLine = 600;

interface Found {
	/** As the cycle's edges call it; "" outside of cycles. */
	readonly label: string;
	readonly operation: Operation;
	/** The line's own words about it. */
	readonly text: string;
}

/** Finds the operations that lines of witnesses (`[invoked .. completed] process …`) are about. */
export class WitnessIndex {
	readonly #byId: ReadonlyMap<number, Operation>;

	constructor(operations: readonly Operation[]) {
		this.#byId = new Map(operations.map((op) => [op.id, op]));
	}

	find(line: string): Found | undefined {
		const match = /^(?:(T\d+) )?\[(\d+) \.\. (\d+|\?)\] (.*)$/s.exec(line);
		if (match === null) return undefined;
		const [, label = "", invoked, completed, text = ""] = match;
		const process = text.split(/\s/, 1)[0];
		const operation = this.#byId.get(Number(invoked));
		// Checkers that count in other units than events must not be taken for ours.
		if (operation === undefined || operation.process !== process) return undefined;
		if (String(operation.completed ?? "?") !== completed) return undefined;
		return { label, operation, text };
	}

	/** Ids of all operations in witnesses that are shown. */
	idsOf(violations: readonly Violation[]): ReadonlySet<number> {
		const lines = shownOf(violations).flatMap(({ witness }) => witness.slice(0, maxLines));
		return new Set(lines.flatMap((line) => this.find(line)?.operation.id ?? []));
	}
}

/** The first of each kind: one bug may break the same promise hundreds of times. */
function shownOf(violations: readonly Violation[]): readonly Violation[] {
	const counts = new Map<string, number>();
	const few = violations.filter(({ kind }) => {
		counts.set(kind, (counts.get(kind) ?? 0) + 1);
		return counts.get(kind)! <= maxOfKind;
	});
	return few.slice(0, maxShown);
}

export function violationsSection(violations: readonly Violation[], index: WitnessIndex): string {
	if (violations.length === 0) return "";
	const kinds = new Map<string, number>();
	for (const { kind } of violations) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
	const summary = [...kinds].map(([kind, count]) => `${grouped(count)} × ${escapeHtml(kind)}`).join(", ");
	const shown = shownOf(violations).map((each, i) => violationBlock(each, i, index));
	const left = violations.length - shown.length;
	const more = left === 0 ? "" : `<p class="note">${plural(left, "more violation")} not shown here.</p>`;
	return `<section class="violations"><h2>What went wrong <small>${summary}</small></h2>${shown.join("")}${more}</section>`;
}

function violationBlock({ kind, message, witness, cycle }: Violation, i: number, index: WitnessIndex): string {
	const lines = witness.slice(0, maxLines);
	const found = lines.map((line) => index.find(line));
	const operations = found.filter((each) => each !== undefined);
	// Told by the drawings, or by nothing else.
	const rest = lines.filter((line, at) => found[at] === undefined && !isEdgeLine(line, cycle));
	const parts = [
		operationRows(operations),
		cycle === undefined ? "" : cycleFigure(cycle),
		rest.length === 0 ? "" : `<pre>${rest.map((line) => escapeHtml(clipped(line, maxLine))).join("\n")}</pre>`,
	];
	const text = [`${kind}: ${message}`, ...witness.slice(0, maxLines).map((line) => `    ${line}`)];
	if (witness.length > maxLines) text.push(`    and ${witness.length - maxLines} more lines`);
	const details =
		operations.length === 0 && cycle === undefined
			? ""
			: `<details><summary>as text</summary><pre>${text.map(escapeHtml).join("\n")}</pre></details>`;
	return `<article class="violation" id="violation-${i + 1}"><h3>${escapeHtml(kind)}</h3><p>${escapeHtml(message)}</p>${parts.join("")}${details}</article>`;
}

function isEdgeLine(line: string, cycle: readonly CycleEdge[] | undefined): boolean {
	return cycle?.some(({ from, to, kind }) => line.startsWith(`${from} --${kind}--> ${to}: `)) ?? false;
}

// ---- operations against real time ----

function operationRows(found: readonly Found[]): string {
	if (found.length === 0) return "";
	const starts = found.map(({ operation }) => operation.invokedMs);
	const ends = found.map(({ operation }) => operation.completedMs ?? operation.invokedMs);
	const [from, to] = [smallest(starts), greatest(ends)];
	const isOpen = found.some(({ operation }) => operation.completed === undefined);
	const rows = found.map((each) => operationRow(each, from, to, isOpen));
	const caption = `<p class="note">From ${moment(from)} to ${moment(to)} of the run, ${duration(to - from)}; bars from invocation to answer${isOpen ? ", open ones have no answer to count on" : ""}.</p>`;
	return `${caption}<div class="strips">${rows.join("")}</div>`;
}

/** Where something stays open, the last tenth is left to show it. */
function operationRow({ label, operation, text }: Found, from: number, to: number, isOpen: boolean): string {
	const room = isOpen ? 88 : 100;
	const at = (ms: number) => (room * (ms - from)) / Math.max(to - from, 1e-6);
	const left = at(operation.invokedMs);
	const end = operation.completed === undefined ? 100 : at(operation.completedMs ?? to);
	const width = Math.max(0.8, end - left);
	const open = operation.completed === undefined ? " open" : "";
	const place = `left:${round(Math.min(left, 99.2))}%;width:${round(width)}%`;
	const answered = operation.completedMs === undefined ? "never answered" : `answered ${moment(operation.completedMs)}`;
	const title = `invoked ${moment(operation.invokedMs)}, ${answered}`;
	return `<div class="strip"><div class="track" title="${title}"><span class="span ${operation.type}${open}" style="${place}"></span></div><code>${label === "" ? "" : `<b>${label}</b> `}${escapeHtml(clipped(text, maxLine))}</code></div>`;
}

// ---- cycles ----

const figureWidth = 360;
const radius = 17;
/** More nodes than this cannot be told apart on a ring. */
const maxNodes = 14;

export function cycleFigure(cycle: readonly CycleEdge[]): string {
	const list = cycle.map(
		({ from, to, kind, why }) =>
			`<li><b>${escapeHtml(from)}</b> <i class="edge ${escapeHtml(kind)}">${escapeHtml(kind)}</i> <b>${escapeHtml(to)}</b> ${escapeHtml(why)}</li>`,
	);
	const names = [...new Set(cycle.map((edge) => edge.from))];
	const figure = names.length > maxNodes ? "" : ring(names, cycle);
	const meaning =
		"ww: overwrites what the other wrote; wr: read what it wrote; rw: overwrites what it read; rt: began after its answer. Together they would have to be one before the other, all round.";
	return `<div class="cycle">${figure}<div><ol>${list.join("")}</ol><p class="note">${meaning}</p></div></div>`;
}

interface Point {
	readonly x: number;
	readonly y: number;
}

function ring(names: readonly string[], cycle: readonly CycleEdge[]): string {
	const reach = names.length <= 2 ? 70 : 60 + 7 * names.length;
	const height = names.length <= 2 ? 140 : 2 * (reach + radius + 22);
	const centre = { x: figureWidth / 2, y: height / 2 };
	const places = new Map(
		names.map((name, i): [string, Point] => {
			const angle = (2 * Math.PI * i) / names.length + (names.length === 2 ? Math.PI : -Math.PI / 2);
			return [name, { x: centre.x + reach * Math.cos(angle), y: centre.y + reach * Math.sin(angle) }];
		}),
	);
	const edges = cycle.map((edge) => arrow(edge, places.get(edge.from)!, places.get(edge.to)!));
	const nodes = [...places].map(
		([name, { x, y }]) =>
			`<circle cx="${round(x)}" cy="${round(y)}" r="${radius}"/><text x="${round(x)}" y="${round(y)}">${escapeHtml(name)}</text>`,
	);
	return `<svg class="figure" viewBox="0 0 ${figureWidth} ${height}" style="max-width:${figureWidth}px" role="img" aria-label="cycle of ${names.length} transactions">${edges.join("")}${nodes.join("")}</svg>`;
}

/** Bent to its left, so that two between the same nodes lie apart, and a ring bulges outwards. */
function arrow({ kind }: CycleEdge, from: Point, to: Point): string {
	const [dx, dy] = [to.x - from.x, to.y - from.y];
	const length = Math.hypot(dx, dy) || 1;
	const bend = Math.min(40, length * 0.28);
	const control = {
		x: (from.x + to.x) / 2 + (bend * 1.4 * dy) / length,
		y: (from.y + to.y) / 2 - (bend * 1.4 * dx) / length,
	};
	const start = towards(from, control, radius + 2);
	const end = towards(to, control, radius + 3);
	const label = { x: (start.x + 2 * control.x + end.x) / 4, y: (start.y + 2 * control.y + end.y) / 4 };
	const line = `M${round(start.x)} ${round(start.y)}Q${round(control.x)} ${round(control.y)} ${round(end.x)} ${round(end.y)}`;
	const name = escapeHtml(kind);
	return `<g class="edge ${name}"><path d="${line}"/>${arrowHead(end, control)}<rect x="${round(label.x - 13)}" y="${round(label.y - 9)}" width="26" height="18" rx="4"/><text x="${round(label.x)}" y="${round(label.y)}">${name}</text></g>`;
}

function towards(from: Point, to: Point, by: number): Point {
	const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
	return { x: from.x + ((to.x - from.x) * by) / length, y: from.y + ((to.y - from.y) * by) / length };
}

function arrowHead(tip: Point, from: Point): string {
	const back = towards(tip, from, 10);
	const [dx, dy] = [(tip.x - back.x) / 2.2, (tip.y - back.y) / 2.2];
	const points = [tip, { x: back.x - dy, y: back.y + dx }, { x: back.x + dy, y: back.y - dx }];
	return `<polygon points="${points.map(({ x, y }) => `${round(x)},${round(y)}`).join(" ")}"/>`;
}
