/** One self-contained page about a run: what happened, to whom, when, and what was wrong with it. No scripts, no network. */
import type { Violation } from "../checkers/violation.ts";
import { type HistoryEvent, nemesisProcess, type Operation, pairOperations } from "../history.ts";
import type { RunOutcome } from "../run.ts";

export interface ReportInput {
	readonly workload: string;
	readonly nemesis: readonly string[];
	readonly seed: number;
	/** The command that runs it again. */
	readonly replay: string;
	/** What was tested. */
	readonly target: string;
	readonly outcome: RunOutcome;
}

const width = 1200;
const left = 60;
const laneHeight = 14;
const plotHeight = 160;
/** More marks than this are thinned out, the quick and good ones first: a page must stay readable by a browser. */
const maxMarks = 20_000;

interface Fault {
	readonly kind: string;
	readonly victims: string;
	readonly from: number;
	readonly to: number;
}

export function escapeHtml(text: string): string {
	return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function faultsOf(events: readonly HistoryEvent[], end: number): Fault[] {
	const faults: Fault[] = [];
	const text = (value: unknown) => (Array.isArray(value) ? value.join(" ") : String(value ?? ""));
	const notes = events.filter((event) => event.process === nemesisProcess);
	for (const [i, note] of notes.entries()) {
		if (note.f.startsWith("heal ")) continue;
		const healed = notes.slice(i + 1).find((other) => other.f === `heal ${note.f}`);
		faults.push({ kind: note.f, victims: text(note.value), from: note.time, to: healed?.time ?? end });
	}
	return faults;
}

class Page {
	readonly #input: ReportInput;
	readonly #operations: readonly Operation[];
	readonly #faults: readonly Fault[];
	readonly #endMs: number;

	constructor(input: ReportInput) {
		this.#input = input;
		const { events } = input.outcome;
		this.#operations = pairOperations(events);
		this.#endMs = Math.max(1, events.at(-1)?.time ?? 1);
		this.#faults = faultsOf(events, this.#endMs);
	}

	#x(ms: number): string {
		return (left + ((width - left - 10) * ms) / this.#endMs).toFixed(1);
	}

	#shades(height: number): string {
		return this.#faults
			.map(({ kind, victims, from, to }) => {
				const w = (Number(this.#x(to)) - Number(this.#x(from))).toFixed(1);
				const label = escapeHtml(`${kind} ${victims}, ${seconds(from)} to ${seconds(to)}`);
				return `<rect class="fault ${kind.startsWith("kill") ? "kill" : "pause"}" x="${this.#x(from)}" y="0" width="${w}" height="${height}"><title>${label}</title></rect>`;
			})
			.join("");
	}

	#axis(height: number): string {
		const step = niceStep(this.#endMs / 1000 / 10);
		const ticks: string[] = [];
		for (let s = 0; s * 1000 <= this.#endMs; s += step) {
			const x = this.#x(s * 1000);
			ticks.push(`<line class="grid" x1="${x}" y1="0" x2="${x}" y2="${height}"/>`);
			ticks.push(`<text x="${x}" y="${height + 14}" text-anchor="middle">${s} s</text>`);
		}
		return ticks.join("");
	}

	#svg(title: string, height: number, inner: string): string {
		return `<h2>${escapeHtml(title)}</h2><svg viewBox="0 0 ${width} ${height + 20}" role="img" aria-label="${escapeHtml(title)}">${this.#shades(height)}${this.#axis(height)}${inner}</svg>`;
	}

	timeline(): string {
		const processes = [...new Set(this.#operations.map((op) => op.process))];
		const lanes = new Map(processes.map((process, i) => [process, i * laneHeight]));
		const height = processes.length * laneHeight;
		const labels = processes.map(
			(process, i) => `<text x="4" y="${i * laneHeight + 11}">${escapeHtml(process)}</text>`,
		);
		const marks = thin(this.#operations).map((op) => {
			const end = op.completedMs ?? this.#endMs;
			const w = Math.max(1, Number(this.#x(end)) - Number(this.#x(op.invokedMs))).toFixed(1);
			return `<rect class="${op.type}" x="${this.#x(op.invokedMs)}" y="${lanes.get(op.process)! + 2}" width="${w}" height="${laneHeight - 4}"><title>${escapeHtml(describe(op))}</title></rect>`;
		});
		return this.#svg("Operations of each client", height, labels.join("") + marks.join(""));
	}

	latency(): string {
		const answered = this.#operations.filter((op) => op.completedMs !== undefined);
		const slowest = answered.reduce((max, op) => Math.max(max, op.completedMs! - op.invokedMs), 1);
		const decades = Math.max(1, Math.ceil(Math.log10(slowest)));
		const y = (ms: number) => plotHeight - (plotHeight * Math.log10(Math.max(1, ms))) / decades;
		const lines = Array.from({ length: decades + 1 }, (_, i) => {
			const at = y(10 ** i).toFixed(1);
			return `<line class="grid" x1="${left}" y1="${at}" x2="${width}" y2="${at}"/><text x="4" y="${Math.max(10, Number(at))}">${10 ** i} ms</text>`;
		});
		const dots = thin(answered).map((op) => {
			const at = y(op.completedMs! - op.invokedMs).toFixed(1);
			return `<circle class="${op.type}" cx="${this.#x(op.invokedMs)}" cy="${at}" r="1.6"/>`;
		});
		return this.#svg("Latency (logarithmic)", plotHeight, lines.join("") + dots.join(""));
	}

	rate(): string {
		const bucketMs = niceStep(this.#endMs / 1000 / 60) * 1000;
		const buckets = Math.ceil(this.#endMs / bucketMs) + 1;
		const lines = (["ok", "fail", "info"] as const).map((type) => {
			const counts = new Array<number>(buckets).fill(0);
			for (const op of this.#operations) {
				const bucket = Math.floor((op.completedMs ?? op.invokedMs) / bucketMs);
				if (op.type === type) counts[bucket] = (counts[bucket] ?? 0) + 1;
			}
			return { type, counts: counts.map((count) => (count * 1000) / bucketMs) };
		});
		const highest = Math.max(1, ...lines.flatMap((line) => line.counts));
		const paths = lines.map(({ type, counts }) => {
			const points = counts.map((count, i) => {
				const y = (plotHeight - (plotHeight * count) / highest).toFixed(1);
				return `${this.#x(Math.min(this.#endMs, (i + 0.5) * bucketMs))},${y}`;
			});
			return `<polyline class="${type}" points="${points.join(" ")}"/>`;
		});
		const top = `<text x="4" y="10">${highest.toFixed(0)}/s</text>`;
		return this.#svg("Operations answered a second", plotHeight, top + paths.join(""));
	}

	faults(): string {
		if (this.#faults.length === 0) return "";
		const rows = this.#faults.map(
			({ kind, victims, from, to }) =>
				`<tr><td>${seconds(from)}</td><td>${seconds(to)}</td><td>${escapeHtml(kind)}</td><td>${escapeHtml(victims)}</td></tr>`,
		);
		return `<h2>Faults</h2><table><tr><th>from</th><th>to</th><th>fault</th><th>hit</th></tr>${rows.join("")}</table>`;
	}

	violations(): string {
		const { violations } = this.#input.outcome;
		if (violations.length === 0) return `<p class="verdict good">Nothing wrong was found.</p>`;
		const count = violations.length === 1 ? "1 violation" : `${violations.length} violations`;
		return `<p class="verdict bad">${count}</p>${violations.map(violationBlock).join("")}`;
	}

	render(): string {
		const { workload, nemesis, seed, replay, target, outcome } = this.#input;
		const { ok, fail, info } = outcome.counts;
		const title = `barque chaos: ${workload} under ${nemesis.length === 0 ? "no faults" : nemesis.join(", ")}`;
		const facts = [
			["Target", target],
			["Seed", String(seed)],
			["Run again", replay],
			["Operations", `${ok} ok, ${fail} failed, ${info} of unknown outcome`],
			["Faults", String(outcome.faults)],
			["Last operations", outcome.finished ? "answered" : "not answered in time"],
		];
		const rows = facts.map(([name = "", value = ""]) => `<tr><th>${name}</th><td>${escapeHtml(value)}</td></tr>`);
		return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><h1>${escapeHtml(title)}</h1>${this.violations()}<table>${rows.join("")}</table>
<p class="legend"><span class="ok">ok</span> <span class="fail">failed: certainly not done</span> <span class="info">unknown</span> <span class="kill">killed</span> <span class="pause">paused</span></p>
${this.timeline()}${this.latency()}${this.rate()}${this.faults()}</body></html>
`;
	}
}

function violationBlock({ kind, message, witness }: Violation): string {
	const lines = witness.length === 0 ? "" : `<pre>${witness.map(escapeHtml).join("\n")}</pre>`;
	return `<section class="violation"><h3>${escapeHtml(kind)}</h3><p>${escapeHtml(message)}</p>${lines}</section>`;
}

function seconds(ms: number): string {
	return `${(ms / 1000).toFixed(2)} s`;
}

function niceStep(atLeast: number): number {
	const power = 10 ** Math.floor(Math.log10(Math.max(atLeast, 0.1)));
	return power * ([1, 2, 5, 10].find((factor) => power * factor >= atLeast) ?? 10);
}

const maxText = 300;

function describe(op: Operation): string {
	const text = (value: unknown) => (value === undefined ? "" : JSON.stringify(value).slice(0, maxText));
	const took = op.completedMs === undefined ? "no answer" : `${(op.completedMs - op.invokedMs).toFixed(1)} ms`;
	return `${op.f} ${op.key ?? ""} ${text(op.value)} → ${op.type} ${op.error ?? text(op.result)} (${took}, #${op.id})`;
}

function thin(operations: readonly Operation[]): readonly Operation[] {
	if (operations.length <= maxMarks) return operations;
	const every = Math.ceil(operations.length / maxMarks);
	return operations.filter((op, i) => op.type !== "ok" || i % every === 0);
}

const style = `
body{font:14px/1.45 system-ui,sans-serif;max-width:1240px;margin:24px auto;padding:0 16px;color:#1d2430;background:#fff}
h1{font-size:22px}h2{font-size:16px;margin:24px 0 6px}h3{margin:0;font-size:14px}
svg{width:100%;background:#fafbfc;border:1px solid #e3e7ed}svg text{font-size:10px;fill:#5a6575}
table{border-collapse:collapse}th,td{text-align:left;padding:2px 12px 2px 0;vertical-align:top;font-weight:normal}th{color:#5a6575}
rect.ok,circle.ok{fill:#3a8f5c}rect.fail,circle.fail{fill:#c98a1b}rect.info,circle.info{fill:#b8336a}
polyline{fill:none;stroke-width:1.5}polyline.ok{stroke:#3a8f5c}polyline.fail{stroke:#c98a1b}polyline.info{stroke:#b8336a}
.grid{stroke:#e3e7ed}.fault.kill{fill:#d33;opacity:.16}.fault.pause{fill:#36c;opacity:.16}
.verdict{font-size:17px;padding:8px 12px;border-radius:4px}.good{background:#e4f4ea}.bad{background:#fbe3e3}
.violation{border-left:3px solid #d33;padding:4px 12px;margin:12px 0}pre{overflow-x:auto;background:#f5f6f8;padding:8px}
.legend span{padding:1px 8px;border-radius:3px;color:#fff}.legend .ok{background:#3a8f5c}.legend .fail{background:#c98a1b}.legend .info{background:#b8336a}
.legend .kill{background:#f6d0d0;color:#1d2430}.legend .pause{background:#d3ddf6;color:#1d2430}
`;

/** HTML, without anything fetched from elsewhere. */
export function renderReport(input: ReportInput): string {
	return new Page(input).render();
}
