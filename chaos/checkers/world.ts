/** One world out of what several watchers saw: every change of every resource in the order of revisions. */
import type { Violation } from "./violation.ts";

/** A change of one object; null: it is gone. `revision` is its resource version. */
export interface Change<T> {
	readonly revision: number;
	readonly name: string;
	readonly object: T | null;
}

/** From one list on, over as many watches as it takes, until a relist was needed. */
export interface Stretch<T> {
	/** Of the list. */
	readonly revision: number;
	readonly listed: Readonly<Record<string, T>>;
	readonly changes: readonly Change<T>[];
	/** Everything up to here was seen. */
	readonly coveredTo: number;
}

/** A step of the world: a change, or a list after a time that nobody watched. */
export type Step<T> =
	| { readonly kind: "change"; readonly revision: number; readonly name: string; readonly object: T | null }
	| { readonly kind: "relist"; readonly revision: number; readonly listed: ReadonlyMap<string, T> };

export interface Timeline<T> {
	/** In order of revision. */
	readonly steps: readonly Step<T>[];
	/** Whether everything that happened just before and at this revision is known. */
	covers(revision: number): boolean;
	/** The last revision that somebody watched to. */
	readonly end: number;
}

interface Interval {
	readonly from: number;
	to: number;
}

/** Joins the watchers' stretches of one resource; watchers that saw one change differently are told to `found`. */
export function joinStretches<T>(resource: string, stretches: readonly Stretch<T>[], found: Violation[]): Timeline<T> {
	const steps: Step<T>[] = [];
	const intervals: Interval[] = [];
	for (const stretch of stretches.toSorted((a, b) => a.revision - b.revision)) {
		const last = intervals.at(-1);
		if (last !== undefined && stretch.revision <= last.to) last.to = Math.max(last.to, stretch.coveredTo);
		else {
			intervals.push({ from: stretch.revision, to: stretch.coveredTo });
			const listed = new Map(Object.entries(stretch.listed));
			steps.push({ kind: "relist", revision: stretch.revision, listed });
		}
	}
	const seen = new Map<string, { change: Change<T>; text: string }>();
	for (const change of stretches.flatMap((stretch) => stretch.changes)) {
		const key = `${change.revision} ${change.name}`;
		const text = JSON.stringify(change.object);
		const before = seen.get(key);
		if (before === undefined) seen.set(key, { change, text });
		else if (before.text !== text) {
			const message = `${resource} ${change.name} at ${change.revision} was seen in two ways`;
			found.push({ kind: "watchers-differ", message, witness: [before.text, text] });
		}
	}
	for (const { change } of seen.values()) steps.push({ kind: "change", ...change });
	return {
		steps: steps.sort((a, b) => a.revision - b.revision || (a.kind === "relist" ? -1 : 1)),
		covers: (revision) => intervals.some(({ from, to }) => from <= revision && revision <= to),
		end: intervals.at(-1)?.to ?? 0,
	};
}
