/** A counter that is only added to: a read lies between what was certainly added before it and what may have been. */
import { describeTimed, type Timed, type Violation } from "./violation.ts";

export interface CounterAdd extends Timed {
	readonly delta: number;
	/** fail: certainly not added. */
	readonly status: "ok" | "fail" | "info";
}

export interface CounterRead extends Timed {
	readonly value: number;
	readonly completed: number;
}

/** Bounds of a read: positive additions raise the upper one when they begin, the lower one when they are answered. */
function bounds(adds: readonly CounterAdd[], read: CounterRead): { readonly low: number; readonly high: number } {
	let low = 0;
	let high = 0;
	for (const { delta, status, invoked, completed } of adds) {
		if (status === "fail") continue;
		const certain = status === "ok" && completed !== undefined && completed < read.invoked;
		const possible = invoked <= read.completed;
		if (certain || (possible && delta < 0)) low += delta;
		if (certain || (possible && delta > 0)) high += delta;
	}
	return { low, high };
}

export function checkCounter(adds: readonly CounterAdd[], reads: readonly CounterRead[]): Violation[] {
	const found: Violation[] = [];
	const monotone = adds.every((add) => add.delta >= 0);
	let highest: CounterRead | undefined;
	const byStart = reads.toSorted((a, b) => a.invoked - b.invoked);
	const byEnd = reads.toSorted((a, b) => a.completed - b.completed);
	let ended = 0;
	for (const read of byStart) {
		while (ended < byEnd.length && byEnd[ended]!.completed < read.invoked) {
			const earlier = byEnd[ended++]!;
			if (highest === undefined || earlier.value > highest.value) highest = earlier;
		}
		const { low, high } = bounds(adds, read);
		// Also what is no number is neither.
		if (!(read.value >= low && read.value <= high)) {
			const message = `read ${read.value}, but it was at least ${low} and at most ${high}`;
			found.push({ kind: read.value < low ? "lost" : "unexpected", message, witness: describeTimed([read]) });
		} else if (monotone && highest !== undefined && read.value < highest.value) {
			const message = `read ${read.value} after ${highest.value} had been read`;
			found.push({ kind: "stale-read", message, witness: describeTimed([highest, read]) });
		}
	}
	return found;
}
