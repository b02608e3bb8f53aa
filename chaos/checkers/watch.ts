/**
 * etcd's promises for watches: ordered, unique, atomic, reliable (no gap), resumable, bookmarkable, with right previous
 * values; all watchers see one order, and replaying a watch from the beginning gives the state.
 */
import { greatest } from "../../kit/lists.ts";
import type { Violation } from "./violation.ts";

export interface WatchedEvent {
	readonly type: "put" | "delete";
	readonly key: string;
	/** "" for a delete. */
	readonly value: string;
	readonly modRevision: number;
	/** 0 for a delete. */
	readonly createRevision: number;
	readonly version: number;
	/** Present when the watch asked for previous values and there was one. */
	readonly previous?: { readonly value: string; readonly modRevision: number } | undefined;
}

/** What came in one piece; without events: a bookmark, all up to `revision` has been delivered. */
export interface WatchedBatch {
	readonly events: readonly WatchedEvent[];
	readonly revision: number;
}

/** A watch over all its connections. */
export interface WatchRecording {
	readonly name: string;
	readonly key: string;
	/** Half-open range [key, end); absent: the one key. */
	readonly end?: string | undefined;
	/** First revision wanted. */
	readonly startRevision: number;
	readonly prevKv: boolean;
	readonly batches: readonly WatchedBatch[];
	/** What a read showed at the revision before `startRevision`: the state on which events build. Absent: an empty store. */
	readonly base?: WatchedState | undefined;
	/** Ended since history up to this revision was compacted. */
	readonly compactedAt?: number | undefined;
	/** By its end history up to this revision had been compacted: previous values from before may be missing. */
	readonly forgottenTo?: number | undefined;
}

/** By key. */
export type WatchedState = Readonly<Record<string, { readonly value: string; readonly modRevision: number }>>;

export function describeEvent(event: WatchedEvent): string {
	const previous = event.previous === undefined ? "" : ` (was ${event.previous.value}@${event.previous.modRevision})`;
	return `${event.type} ${event.key}${event.type === "put" ? `=${event.value}` : ""} @${event.modRevision} v${event.version}${previous}`;
}

/** Everything but the previous value: what all watchers must see alike. */
function identity(event: WatchedEvent): string {
	return JSON.stringify([event.type, event.key, event.value, event.modRevision, event.createRevision, event.version]);
}

function inRange(key: string, watch: WatchRecording): boolean {
	return watch.end === undefined ? key === watch.key : key >= watch.key && key < watch.end;
}

/** Everything up to here has been delivered to the watch. */
export function coveredTo(watch: WatchRecording): number {
	return watch.batches.reduce((max, batch) => Math.max(max, batch.revision), watch.startRevision - 1);
}

/** What one watch shows by itself. */
export function checkWatch(watch: WatchRecording): Violation[] {
	const found: Violation[] = [];
	const report = (kind: string, message: string, ...events: readonly WatchedEvent[]) =>
		found.push({ kind, message: `${watch.name}: ${message}`, witness: events.map(describeEvent) });
	const seen = new Set<string>();
	let bookmark = 0;
	let last: WatchedEvent | undefined;
	for (const batch of watch.batches) {
		const [first] = batch.events;
		if (first !== undefined && last !== undefined && first.modRevision === last.modRevision) {
			report("watch-atomic", `revision ${first.modRevision} came in two pieces`, last, first);
		}
		for (const event of batch.events) {
			const id = `${event.modRevision} ${event.key}`;
			if (!inRange(event.key, watch)) report("watch-filter", "a key outside its range", event);
			if (event.modRevision < watch.startRevision) {
				report("watch-resumable", `began at ${watch.startRevision}, but got an older event`, event);
			}
			if (last !== undefined && event.modRevision < last.modRevision) {
				report("watch-ordered", "an older event after a newer", last, event);
			}
			if (seen.has(id)) report("watch-unique", "an event twice", event);
			if (event.modRevision <= bookmark) {
				report("watch-bookmarkable", `an event after everything up to ${bookmark} was said to be delivered`, event);
			}
			if (event.modRevision > batch.revision) {
				report("watch-bookmarkable", `an event in a batch of the older revision ${batch.revision}`, event);
			}
			if (event.type === "put" && (event.version === 1) !== (event.createRevision === event.modRevision)) {
				report("watch-create", "version 1 and a revision of its creation do not go together", event);
			}
			seen.add(id);
			last = event;
		}
		if (batch.revision < bookmark) {
			const few = batch.events.slice(0, 20);
			// bounded: cut above.
			report("watch-bookmarkable", `said ${batch.revision} after it had said ${bookmark}`, ...few);
		}
		bookmark = Math.max(bookmark, batch.revision);
	}
	const next = Math.max(bookmark + 1, watch.startRevision);
	if (watch.compactedAt !== undefined && watch.compactedAt <= next) {
		report("watch-resumable", `ended as compacted at ${watch.compactedAt}, but wanted only what comes from ${next} on`);
	}
	return found;
}

/** One history out of all watches: events by revision, and what they contradict each other in. */
export function mergeWatches(watches: readonly WatchRecording[]): {
	readonly events: readonly WatchedEvent[];
	readonly violations: readonly Violation[];
} {
	const byPlace = new Map<string, { readonly event: WatchedEvent; readonly watch: string }>();
	const violations: Violation[] = [];
	for (const watch of watches) {
		for (const event of watch.batches.flatMap((batch) => batch.events)) {
			const place = `${event.modRevision} ${event.key}`;
			const known = byPlace.get(place);
			if (known === undefined) byPlace.set(place, { event, watch: watch.name });
			else if (identity(known.event) !== identity(event)) {
				violations.push({
					kind: "watch-order",
					message: `watches do not agree about ${event.key} at revision ${event.modRevision}`,
					witness: [`${known.watch}: ${describeEvent(known.event)}`, `${watch.name}: ${describeEvent(event)}`],
				});
			}
		}
	}
	const events = [...byPlace.values()].map((each) => each.event);
	events.sort((a, b) => a.modRevision - b.modRevision || (a.key < b.key ? -1 : 1));
	return { events, violations };
}

/** Against the merged history: nothing missing up to what the watch says it covers, and right previous values. */
export function checkWatchAgainst(
	watch: WatchRecording,
	history: readonly WatchedEvent[],
	completeFrom = 1,
): Violation[] {
	const to = coveredTo(watch);
	const events = watch.batches.flatMap((batch) => batch.events);
	const got = new Set(events.map(identity));
	const placed = new Map(events.toReversed().map((event) => [`${event.modRevision} ${event.key}`, event]));
	const found: Violation[] = [];
	const states = new Map<string, WatchedEvent>();
	for (const event of history) {
		const before = states.get(event.key);
		states.set(event.key, event);
		if (!inRange(event.key, watch) || event.modRevision < watch.startRevision || event.modRevision > to) continue;
		if (!got.has(identity(event))) {
			const message = `${watch.name}: got everything from ${watch.startRevision} to ${to}, but not this`;
			found.push({ kind: "watch-gap", message, witness: [describeEvent(event)] });
		}
		if (!watch.prevKv || event.modRevision <= completeFrom) continue;
		const mine = placed.get(`${event.modRevision} ${event.key}`);
		const want = before?.type === "put" ? `${before.value}@${before.modRevision}` : "nothing";
		const has = mine?.previous === undefined ? "nothing" : `${mine.previous.value}@${mine.previous.modRevision}`;
		const isForgotten = mine?.previous === undefined && event.modRevision <= (watch.forgottenTo ?? 0);
		if (mine !== undefined && want !== has && !isForgotten) {
			const message = `${watch.name}: says there was ${has} before, but there was ${want}`;
			found.push({ kind: "watch-previous", message, witness: [describeEvent(mine)] });
		}
	}
	return found;
}

/** Replaying a watch onto the state before it must give what a read at `revision` shows. */
export function checkReplay(
	watch: WatchRecording,
	state: ReadonlyMap<string, { readonly value: string; readonly modRevision: number }>,
	revision: number,
): Violation[] {
	if (coveredTo(watch) < revision) {
		const message = `${watch.name}: covers only up to ${coveredTo(watch)} of ${revision}`;
		return [{ kind: "watch-behind", message, witness: [] }];
	}
	const text = ({ value, modRevision }: WatchedState[string]) => `${value}@${modRevision}`;
	const replayed = new Map(Object.entries(watch.base ?? {}).map(([key, kv]) => [key, text(kv)]));
	for (const event of watch.batches.flatMap((batch) => batch.events)) {
		if (event.modRevision > revision) continue;
		if (event.type === "delete") replayed.delete(event.key);
		else replayed.set(event.key, text(event));
	}
	const found: Violation[] = [];
	for (const key of new Set([...replayed.keys(), ...state.keys()])) {
		const kv = state.get(key);
		const want = kv === undefined ? "nothing" : text(kv);
		const got = replayed.get(key) ?? "nothing";
		if (want === got) continue;
		const message = `${watch.name}: replayed to ${revision}, ${key} is ${got}; a read shows ${want}`;
		found.push({ kind: "watch-replay", message, witness: [] });
	}
	return found;
}

/** Whether together they cover everything from the store's beginning, for then all previous values are known. */
function isComplete(watches: readonly WatchRecording[]): boolean {
	const wide = watches.filter((watch) => watch.end !== undefined).sort((a, b) => a.startRevision - b.startRevision);
	// The first revision of a store that holds something is 2.
	let covered = 1;
	for (const watch of wide) {
		if (watch.startRevision > covered + 1) return false;
		covered = Math.max(covered, coveredTo(watch));
	}
	return covered >= greatest(watches.map(coveredTo));
}

/** All of it, for watches without an authority beside them. */
export function checkWatches(watches: readonly WatchRecording[]): Violation[] {
	const merged = mergeWatches(watches);
	const completeFrom = isComplete(watches) ? 0 : Number.POSITIVE_INFINITY;
	return [
		...watches.flatMap(checkWatch),
		...merged.violations,
		...watches.flatMap((watch) => checkWatchAgainst(watch, merged.events, completeFrom)),
	];
}
