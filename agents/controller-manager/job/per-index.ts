/**
 * backoffLimitPerIndex (KEP-3850): every index has failures of its own. A pod carries how often its index has failed
 * before it; the last failed pod of an index is kept, with its finalizer, until the pod that replaces it knows the number.
 */
import { smallest } from "../../../kit/lists.ts";
import type { Job, Pod } from "../controller.ts";
import { backoffLeft, finishedAt } from "./backoff.ts";
import { hasFailed, hasTracking, type Verdict } from "./decide.ts";
import { matchFailurePolicy } from "./failure-policy.ts";
import { indexOf, parseIndexes } from "./indexes.ts";

export const failureCountKey = "batch.kubernetes.io/job-index-failure-count";
export const ignoredCountKey = "batch.kubernetes.io/job-index-ignored-failure-count";

export const hasBackoffPerIndex = (job: Job): boolean => job.spec?.backoffLimitPerIndex !== undefined;

function countOf(pod: Pod, key: string): number {
	const text = pod.metadata.annotations?.[key] ?? "";
	return /^\d+$/.test(text) ? Number(text) : 0;
}

const allFailures = (pod: Pod): number => countOf(pod, failureCountKey) + countOf(pod, ignoredCountKey);

/** This pod's failure makes its index fail for good. */
function failsIndex(job: Job, pod: Pod): boolean {
	if (!hasFailed(job, pod)) return false;
	const { action, counts } = matchFailurePolicy(job, pod);
	return action === "FailIndex" || (counts && countOf(pod, failureCountKey) >= (job.spec?.backoffLimitPerIndex ?? 0));
}

/** Indexes that have failed for good: those on record, and those of pods not counted yet. */
export function failedIndexesOf(job: Job, pods: readonly Pod[]): ReadonlySet<number> {
	const completions = job.spec?.completions ?? 0;
	const failed = parseIndexes(job.status?.failedIndexes, completions);
	for (const pod of pods) {
		const index = indexOf(pod);
		if (index >= 0 && index < completions && hasTracking(pod) && failsIndex(job, pod)) failed.add(index);
	}
	return failed;
}

/** The last failed pod of every index that waits for another one. */
export function lastFailures(
	job: Job,
	tracked: readonly Pod[],
	settled: { readonly succeeded: ReadonlySet<number>; readonly failed: ReadonlySet<number> },
	active: readonly Pod[],
): ReadonlyMap<number, Pod> {
	const last = new Map<number, Pod>();
	if (!hasBackoffPerIndex(job)) return last;
	const running = new Set(active.map(indexOf));
	for (const pod of tracked) {
		const index = indexOf(pod);
		if (!hasFailed(job, pod) || index < 0 || index >= (job.spec?.completions ?? 0)) continue;
		if (settled.succeeded.has(index) || settled.failed.has(index) || running.has(index)) continue;
		const known = last.get(index);
		if (known === undefined || allFailures(known) <= allFailures(pod)) last.set(index, pod);
	}
	return last;
}

/** Which of the indexes may have their pod now, or how long the first of them has to wait (ms). */
export function indexesToStart(
	indexes: readonly number[],
	last: ReadonlyMap<number, Pod>,
	now: number,
): { readonly start: readonly number[]; readonly waitMs: number } {
	const left = (index: number) => {
		const pod = last.get(index);
		if (pod === undefined) return 0;
		return backoffLeft({ failures: allFailures(pod) + 1, lastFailure: finishedAt(pod, now) }, now);
	};
	const waits = indexes.map((index) => ({ index, wait: left(index) }));
	const start = waits.filter(({ wait }) => wait === 0).map(({ index }) => index);
	const later = waits.filter(({ wait }) => wait > 0).map(({ wait }) => wait);
	return { start, waitMs: later.length === 0 ? 0 : smallest(later) };
}

/** Annotations of the pod that comes after `replaced` (or is its index's first). */
export function failureAnnotations(job: Job, replaced: Pod | undefined): Record<string, string> {
	if (!hasBackoffPerIndex(job)) return {};
	if (replaced === undefined) return { [failureCountKey]: "0" };
	const { counts } = matchFailurePolicy(job, replaced);
	const ignored = countOf(replaced, ignoredCountKey) + (counts ? 0 : 1);
	return {
		[failureCountKey]: String(countOf(replaced, failureCountKey) + (counts ? 1 : 0)),
		...(ignored > 0 ? { [ignoredCountKey]: String(ignored) } : {}),
	};
}

/** Why failed indexes end the job, if they do. */
export function indexFailureOf(job: Job, failed: number, succeeded: number): Verdict | undefined {
	if (!hasBackoffPerIndex(job) || failed === 0) return undefined;
	const most = job.spec?.maxFailedIndexes;
	if (most !== undefined && failed > most) {
		const message = "Job has exceeded the specified maximal number of failed indexes";
		return { type: "Failed", reason: "MaxFailedIndexesExceeded", message };
	}
	if (failed + succeeded < (job.spec?.completions ?? 0)) return undefined;
	return { type: "Failed", reason: "FailedIndexes", message: "Job has failed indexes" };
}
