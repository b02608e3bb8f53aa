/** Leader election: one leader a term, terms in the order of real time, and what each proclaims only while it leads. */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

/** A candidate was told that it leads. */
export interface Reign extends Timed {
	readonly leader: string;
	/** Grows from leader to leader: the create revision of its key. */
	readonly term: number;
	readonly completed: number;
}

/** Somebody asked who leads. */
export interface Observation extends Timed {
	readonly leader: string;
	readonly term: number;
	readonly completed: number;
}

export function checkElection(reigns: readonly Reign[], observations: readonly Observation[]): Violation[] {
	const found: Violation[] = [];
	const leaders = new Map<number, Reign | Observation>();
	for (const each of [...reigns, ...observations]) {
		const known = leaders.get(each.term);
		if (known === undefined) leaders.set(each.term, each);
		else if (known.leader !== each.leader) {
			const message = `term ${each.term} has the leaders ${known.leader} and ${each.leader}`;
			found.push({ kind: "two-leaders", message, witness: describeTimed([known, each]) });
		}
	}
	return [...found, ...backwards([...reigns, ...observations])];
}

/** Once a term has been seen, an older one is never current again. */
function backwards(all: ReadonlyArray<Reign | Observation>): Violation[] {
	const byStart = all.toSorted((a, b) => a.invoked - b.invoked);
	const byEnd = all.toSorted((a, b) => a.completed - b.completed);
	const found: Violation[] = [];
	let newest: Reign | Observation | undefined;
	let ended = 0;
	for (const each of byStart) {
		while (ended < byEnd.length && byEnd[ended]!.completed < each.invoked) {
			const earlier = byEnd[ended++]!;
			if (newest === undefined || earlier.term > newest.term) newest = earlier;
		}
		if (newest === undefined || each.term >= newest.term) continue;
		const message = `${each.leader} led in term ${each.term} after term ${newest.term} had been seen`;
		found.push({ kind: "old-leader", message, witness: describeTimed([newest, each]) });
	}
	return found;
}
