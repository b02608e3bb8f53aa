/** A set that elements are only added to: nothing acknowledged or once seen is missing later, nothing comes from nowhere. */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

export interface SetAdd extends Timed {
	readonly element: string;
	/** fail: certainly not added. */
	readonly status: "ok" | "fail" | "info";
}

export interface SetRead extends Timed {
	readonly elements: readonly string[];
	/** An answered read always is. */
	readonly completed: number;
}

export function checkSet(adds: readonly SetAdd[], reads: readonly SetRead[]): Violation[] {
	const byElement = new Map(adds.map((add) => [add.element, add]));
	const found: Violation[] = [];
	/** From when on each element must be seen, and by what we know. */
	const known = new Map<string, { readonly from: number; readonly by: Timed }>();
	const learn = (element: string, from: number, by: Timed) => {
		const before = known.get(element);
		if (before === undefined || from < before.from) known.set(element, { from, by });
	};
	for (const add of adds) if (add.status === "ok") learn(add.element, add.completed ?? Number.POSITIVE_INFINITY, add);
	for (const read of reads) {
		if (new Set(read.elements).size < read.elements.length) {
			found.push({ kind: "duplicated", message: "a read has an element twice", witness: describeTimed([read]) });
		}
		for (const element of new Set(read.elements)) {
			const add = byElement.get(element);
			if (add === undefined || add.status === "fail" || add.invoked > read.completed) {
				const why = add === undefined ? "nobody added" : add.status === "fail" ? "was refused" : "was added later";
				const witness = describeTimed(add === undefined ? [read] : [add, read]);
				found.push({ kind: "unexpected", message: `a read has ${element}, which ${why}`, witness });
			}
			learn(element, read.completed, read);
		}
	}
	return [...found, ...missing(known, reads)];
}

function missing(
	known: ReadonlyMap<string, { readonly from: number; readonly by: Timed }>,
	reads: readonly SetRead[],
): Violation[] {
	const sets = reads
		.map((read) => ({ read, elements: new Set(read.elements) }))
		.toSorted((a, b) => a.read.invoked - b.read.invoked);
	const found: Violation[] = [];
	for (const [element, { from, by }] of known) {
		const without = sets.filter(({ read, elements }) => read.invoked > from && !elements.has(element));
		const [first] = without;
		if (first === undefined) continue;
		const stillThere = sets.some(({ read, elements }) => read.invoked > first.read.invoked && elements.has(element));
		found.push({
			kind: stillThere ? "stale-read" : "lost",
			message: `${element} was there, and ${without.length} later read${without.length === 1 ? "" : "s"} did not see it`,
			witness: describeTimed([by, first.read]),
		});
	}
	return found;
}
