/**
 * Majority and joint-majority arithmetic (paper sections 5.3 and 6). Works on numbers already gathered by the caller, so
 * that the path of every acknowledgement allocates nothing.
 */
export type VoteResult = "won" | "pending" | "lost";

/** Voters needed out of `voters`; 0 for an empty configuration, which agrees to everything (half of a joint one). */
export function majority(voters: number): number {
	return voters === 0 ? 0 : (voters >>> 1) + 1;
}

/** Insertion sort: configurations have few members, and the input is nearly sorted. */
function sortAscending(values: number[]): void {
	for (let i = 1; i < values.length; i++) {
		const value = values[i]!;
		let j = i - 1;
		for (; j >= 0 && values[j]! > value; j--) values[j + 1] = values[j]!;
		values[j + 1] = value;
	}
}

/** The highest index that a majority has reached. Sorts `acked` in place (0: nothing known); Infinity when it is empty. */
export function majorityCommitted(acked: number[]): number {
	if (acked.length === 0) return Number.POSITIVE_INFINITY;
	sortAscending(acked);
	return acked[acked.length - majority(acked.length)]!;
}

/** The highest index that majorities of both halves have reached. */
export function jointCommitted(incoming: number[], outgoing: number[]): number {
	return Math.min(majorityCommitted(incoming), majorityCommitted(outgoing));
}

export function majorityVote(voters: number, granted: number, rejected: number): VoteResult {
	const needed = majority(voters);
	if (granted >= needed) return "won";
	return voters - rejected >= needed ? "pending" : "lost";
}

export function jointVote(incoming: VoteResult, outgoing: VoteResult): VoteResult {
	if (incoming === "lost" || outgoing === "lost") return "lost";
	return incoming === "won" && outgoing === "won" ? "won" : "pending";
}
