/** How long a job waits before it replaces failed pods: 10 s doubling to 10 minutes, counted since the last success; pure. */
import { greatest } from "../../../kit/lists.ts";
import { type Pod, timeOf } from "../controller.ts";

const baseMs = 10_000;
const maxMs = 600_000;

export interface BackoffRecord {
	/** Failures since the last success. */
	readonly failures: number;
	/** Ms since the epoch. */
	readonly lastFailure: number;
}

export const noFailures: BackoffRecord = { failures: 0, lastFailure: 0 };

/** When the pod's last container ended, or the best guess at it. */
export function finishedAt(pod: Pod, now: number): number {
	const ends = (pod.status?.containerStatuses ?? []).map((s) => timeOf(s.state?.terminated?.finishedAt));
	const known = ends.filter((end) => !Number.isNaN(end));
	if (known.length > 0) return greatest(known);
	const ready = pod.status?.conditions?.find((c) => c.type === "Ready" && c.status === "False");
	const guess = timeOf(ready?.lastTransitionTime ?? pod.metadata.deletionTimestamp);
	return Number.isNaN(guess) ? now : Math.min(guess, now);
}

/** The record after these pods have newly ended. */
export function afterFinished(
	record: BackoffRecord,
	succeeded: readonly Pod[],
	failed: readonly Pod[],
	now: number,
): BackoffRecord {
	const ends = [
		...succeeded.map((pod) => ({ at: finishedAt(pod, now), ok: true })),
		...failed.map((pod) => ({ at: finishedAt(pod, now), ok: false })),
	].sort((a, b) => a.at - b.at);
	let { failures, lastFailure } = record;
	for (const end of ends) {
		failures = end.ok ? 0 : failures + 1;
		if (!end.ok) lastFailure = end.at;
	}
	return { failures, lastFailure };
}

/** Ms to wait still before pods may be created. */
export function backoffLeft(record: BackoffRecord, now: number): number {
	if (record.failures === 0) return 0;
	const whole = Math.min(maxMs, baseMs * 2 ** Math.min(record.failures - 1, 30));
	return Math.max(0, record.lastFailure + whole - now);
}
