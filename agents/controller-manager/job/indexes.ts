/** Completion indexes of Indexed jobs: their text form (`0,2-4`), and which of them need a pod; pure. */
import type { Pod } from "../controller.ts";

export const indexKey = "batch.kubernetes.io/job-completion-index";

/** Reads `1,3-5`; indexes at or above `completions` are left out, and text that is not of this form ends the reading. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
	const indexes = new Set<number>();
	for (const part of (text ?? "").split(",")) {
		const match = /^(\d+)(?:-(\d+))?$/.exec(part);
		if (match === null) break;
		const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
		for (let i = Number(match[1]); i <= last; i++) indexes.add(i);
	}
	return indexes;
}

/** The shortest text of the set; three and more in a row become a range. */
export function formatIndexes(indexes: Iterable<number>): string {
	const sorted = [...indexes].sort((a, b) => a - b);
	const parts: string[] = [];
	for (let i = 0; i < sorted.length; ) {
		const first = sorted[i] as number;
		let end = i;
		while (sorted[end + 1] === (sorted[end] as number) + 1) end++;
		const last = sorted[end] as number;
		if (last === first) parts.push(`${first}`);
		else if (last === first + 1) parts.push(`${first}`, `${last}`);
		else parts.push(`${first}-${last}`);
		i = end + 1;
	}
	return parts.join(",");
}

/** The pod's index, or -1. */
export function indexOf(pod: Pod): number {
	const text = pod.metadata.annotations?.[indexKey] ?? "";
	return /^\d+$/.test(text) ? Number(text) : -1;
}

/** The lowest `count` indexes that are not settled (succeeded, or failed for good) and have none of these pods. */
export function pendingIndexes(
	completions: number,
	count: number,
	settled: ReadonlySet<number>,
	holders: readonly Pod[],
): number[] {
	const taken = new Set(holders.map(indexOf));
	const pending: number[] = [];
	for (let i = 0; i < completions && pending.length < count; i++) {
		if (!settled.has(i) && !taken.has(i)) pending.push(i);
	}
	return pending;
}

/** Active pods whose index is out of range, has succeeded, or has an older pod: none of them is of use. */
export function surplusPods(active: readonly Pod[], completions: number, succeeded: ReadonlySet<number>): Pod[] {
	const seen = new Set<number>();
	const surplus: Pod[] = [];
	const age = (pod: Pod) => Date.parse(pod.metadata.creationTimestamp ?? "");
	for (const pod of active.toSorted((a, b) => age(a) - age(b))) {
		const index = indexOf(pod);
		if (index < 0 || index >= completions || succeeded.has(index) || seen.has(index)) surplus.push(pod);
		seen.add(index);
	}
	return surplus;
}
