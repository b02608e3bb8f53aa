/** What a checker found wrong: one line that says it, and the smallest part of the history that shows it. */
export interface Violation {
	/** Stable name of the anomaly: "nonlinearizable", "G-single", "lost", "watch-gap" … */
	readonly kind: string;
	readonly message: string;
	/** Readable lines: the operations that cannot be ordered, or the cycle with its edges. */
	readonly witness: readonly string[];
	/** Of a cycle: its edges in their order, between the names that begin lines of the witness. */
	readonly cycle?: readonly CycleEdge[] | undefined;
}

export interface CycleEdge {
	readonly from: string;
	readonly to: string;
	/** "ww", "wr", "rw" or "rt". */
	readonly kind: string;
	/** A sentence about both. */
	readonly why: string;
}

/** When something happened, on whatever scale the history counts (positions or time); smaller is earlier. */
export interface Timed {
	/** For witnesses: who did what and what was answered. */
	readonly name: string;
	readonly invoked: number;
	/** Absent: no answer; it may have taken effect at any time after `invoked`, or never. */
	readonly completed: number | undefined;
}

/** `[invoked .. completed] name`, in the order of invocation. */
export function describeTimed(operations: readonly Timed[]): string[] {
	const ordered = operations.toSorted((a, b) => a.invoked - b.invoked);
	const at = (time: number | undefined) => (time === undefined ? "?" : String(Math.round(time * 1000) / 1000));
	return ordered.map(({ name, invoked, completed }) => `[${at(invoked)} .. ${at(completed)}] ${name}`);
}

export function describeViolation(violation: Violation): string {
	return [`${violation.kind}: ${violation.message}`, ...violation.witness.map((line) => `    ${line}`)].join("\n");
}
