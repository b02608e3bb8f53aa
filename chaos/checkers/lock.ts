/** Locks: two holders at once, and what a fenced resource must never take. */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

/** In ms. From when the lock was certainly ours to when we began to give it back, or to the end. */
export interface Hold {
	readonly name: string;
	readonly lock: string;
	readonly from: number;
	/** Infinity: never given back. */
	readonly to: number;
}

/** No two holds of one lock overlap. A lock on a lease cannot promise this when its holder stalls. */
export function checkMutualExclusion(holds: readonly Hold[]): Violation[] {
	const found: Violation[] = [];
	for (const lock of new Set(holds.map((hold) => hold.lock))) {
		let longest: Hold | undefined;
		for (const hold of holds.filter((each) => each.lock === lock).toSorted((a, b) => a.from - b.from)) {
			if (longest !== undefined && hold.from < longest.to) {
				found.push({
					kind: "two-holders",
					message: `${lock} was held by ${longest.name} and ${hold.name} at once${overlap(longest, hold)}`,
					witness: describeTimed(
						[longest, hold].map(({ name, from, to }) => ({
							name: `ms: ${name} held it`,
							invoked: from,
							completed: Number.isFinite(to) ? to : undefined,
						})),
					),
				});
			}
			if (longest === undefined || hold.to > longest.to) longest = hold;
		}
	}
	return found;
}

function overlap(one: Hold, other: Hold): string {
	const [from, to] = [Math.max(one.from, other.from), Math.min(one.to, other.to)];
	const end = Number.isFinite(to) ? ` to ${to.toFixed(0)}` : "";
	return `, from ${from.toFixed(0)}${end} ms of the testers' clock`;
}

/** A write to the resource that the lock guards. */
export interface GuardedWrite extends Timed {
	/** Grows with each acquisition: the lock's create revision. */
	readonly token: number;
	/** The resource's order of writes: its revision. */
	readonly order: number;
	/** What the writer had read under the lock, and what it wrote. */
	readonly read: string;
	readonly wrote: string;
}

/** In the resource's order tokens never go back, and each write follows from what the one before it left. */
export function checkGuarded(writes: readonly GuardedWrite[], complete: boolean): Violation[] {
	const found: Violation[] = [];
	let last: GuardedWrite | undefined;
	for (const write of writes.toSorted((a, b) => a.order - b.order)) {
		if (last !== undefined && write.token < last.token) {
			const message = `a write with token ${write.token} came after one with ${last.token}`;
			found.push({ kind: "fence-passed", message, witness: describeTimed([last, write]) });
		}
		if (last !== undefined && write.read !== last.wrote && (complete || write.read === last.read)) {
			const message = `${last.wrote} was overwritten by ${write.wrote}, whose writer had read ${write.read} under the lock`;
			found.push({ kind: "lost-update", message, witness: describeTimed([last, write]) });
		}
		last = write;
	}
	return found;
}

/** What somebody saw of the resource once all had written. */
export interface GuardedLook extends Timed {
	readonly value: string;
}

/** The last write that was answered is there, or what was written over it; nothing that was overwritten before comes back. */
export function checkLast(lock: string, writes: readonly GuardedWrite[], looks: readonly GuardedLook[]): Violation[] {
	const last = writes.toSorted((a, b) => a.order - b.order).at(-1);
	if (last === undefined) return [];
	const gone = new Set(writes.flatMap(({ read, wrote }) => [read, wrote]));
	gone.delete(last.wrote);
	return looks
		.filter(({ value, invoked }) => gone.has(value) && writes.every(({ completed }) => completed! < invoked))
		.map((look) => ({
			kind: "lost",
			message: `what ${lock} guards was ${last.wrote}, and in the end is ${look.value === "" ? "nothing" : look.value}`,
			witness: describeTimed([last, look]),
		}));
}
