/** Faults of a run: when, what and whom. */
import { describeHit, type HistoryEvent, nemesisProcess } from "../history.ts";
import { type Bar, type Chart, type Lane, lanesChart, type TimeScale } from "./chart.ts";
import { duration, escapeHtml, moment, plural, table } from "./markup.ts";

/** What colours tell apart. */
export const faultClasses = ["kill", "pause", "network", "disk", "clock", "upkeep"] as const;
export type FaultClass = (typeof faultClasses)[number];

export const faultClassNames: Readonly<Record<FaultClass, string>> = {
	kill: "killed",
	pause: "paused",
	network: "network",
	disk: "disk",
	clock: "clock",
	upkeep: "upkeep",
};

export interface Fault {
	/** As the nemesis calls it. */
	readonly kind: string;
	readonly class: FaultClass;
	/** Readable: whom, and how. */
	readonly hit: string;
	/** Every text in what was noted: names of members among them. */
	readonly texts: ReadonlySet<string>;
	/** Ms since the run began. */
	readonly from: number;
	/** When it was healed; where nobody noted that, the end of the run. */
	readonly to: number;
	readonly isHealed: boolean;
}

const patterns: ReadonlyArray<readonly [RegExp, FaultClass]> = [
	[/^(kill|restart|crash)/, "kill"],
	[/^pause/, "pause"],
	[/^(disk|power|fsync)/, "disk"],
	[/^clock/, "clock"],
	[/^(isolate|halves|partition|majority|bridge|one-way|loss|delay|net)/, "network"],
];

function classOf(kind: string): FaultClass {
	return patterns.find(([pattern]) => pattern.test(kind))?.[1] ?? "upkeep";
}

function textsIn(value: unknown): string[] {
	if (typeof value === "string") return [value];
	return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

const healPrefix = "heal ";

/** Pairs each fault with the healing of the same name that comes next, of the same victims where there is one. */
export function faultsOf(events: readonly HistoryEvent[], endMs: number): Fault[] {
	const open: Array<{ note: HistoryEvent; healedAt?: number }> = [];
	const all: typeof open = [];
	for (const note of events) {
		if (note.process !== nemesisProcess) continue;
		if (!note.f.startsWith(healPrefix)) {
			const fault = { note };
			open.push(fault);
			all.push(fault);
			continue;
		}
		const named = open.filter((each) => each.note.f === note.f.slice(healPrefix.length));
		const value = JSON.stringify(note.value);
		const healed = named.find((each) => JSON.stringify(each.note.value) === value) ?? named[0];
		if (healed === undefined) continue;
		healed.healedAt = note.time;
		open.splice(open.indexOf(healed), 1);
	}
	return all.map(({ note, healedAt }) => ({
		kind: note.f,
		class: classOf(note.f),
		hit: describeHit(note.value),
		texts: new Set(textsIn(note.value)),
		from: note.time,
		to: healedAt ?? endMs,
		isHealed: healedAt !== undefined,
	}));
}

export function describeFault({ kind, hit, from, to, isHealed }: Fault): string {
	const end = isHealed ? `to ${moment(to)} (${duration(to - from)})` : "to the end";
	return `${kind}${hit === "" ? "" : `: ${hit}`}, from ${moment(from)} ${end}`;
}

/** A lane for each kind. */
export function faultsChart(faults: readonly Fault[], scale: TimeScale): Chart | undefined {
	if (faults.length === 0) return undefined;
	const kinds = [...new Set(faults.map((fault) => fault.kind))];
	const lanes = kinds.map((kind): Lane => {
		const bars = faults
			.filter((fault) => fault.kind === kind)
			.map((fault): Bar => {
				const { from, to, hit } = fault;
				return { from, to, class: `fault ${fault.class}`, text: hit, title: describeFault(fault) };
			});
		return { name: kind, bars };
	});
	return lanesChart({ title: "Faults", note: "from the deed until healed", lanes }, scale);
}

const maxRows = 1000;

export function faultsTable(faults: readonly Fault[]): string {
	if (faults.length === 0) return "";
	const rows = faults
		.slice(0, maxRows)
		.map(({ kind, hit, from, to, isHealed, class: name }, i) => [
			String(i + 1),
			moment(from),
			isHealed ? moment(to) : "not healed",
			duration(to - from),
			`<i class="dot ${name}"></i>${escapeHtml(kind)}`,
			escapeHtml(hit),
		]);
	const more =
		faults.length > maxRows ? `<p class="note">The first ${maxRows} of ${plural(faults.length, "fault")}.</p>` : "";
	const head = ["#", "from", "to", "lasted", "fault", "hit"];
	return `<section><h2>Faults, one by one</h2>${table(head, rows, [0, 1, 2, 3])}${more}</section>`;
}
