/**
 * Lists of any length. `list.push(...more)` and `Math.max(...list)` put every element on the stack and throw above some
 * 120,000 of them; these do not. The house rules allow no other way for a list that is not short by its making.
 */

/** Adds all of `more` to the end of `list`. */
export function append<T>(list: T[], more: Iterable<T>): void {
	for (const item of more) list.push(item);
}

/** The greatest of `numbers`, or `least` where none is greater; like Math.max, NaN where there is one. */
export function greatest(numbers: Iterable<number>, least = Number.NEGATIVE_INFINITY): number {
	let found = least;
	for (const number of numbers) found = Math.max(found, number);
	return found;
}

/** The smallest of `numbers`, or `most` where none is smaller; like Math.min, NaN where there is one. */
export function smallest(numbers: Iterable<number>, most = Number.POSITIVE_INFINITY): number {
	let found = most;
	for (const number of numbers) found = Math.min(found, number);
	return found;
}
