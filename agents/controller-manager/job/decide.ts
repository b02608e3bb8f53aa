/** What a job's pods mean for it: is it done, has it failed, how many pods should run; pure. */
import { formatTime, isConditionTrue } from "../../../apiserver/machinery/meta.ts";
import type { JobCondition } from "../../../apiserver/scheme/types.gen.ts";
import { type Job, type Pod, timeOf } from "../controller.ts";

export const trackingFinalizer = "batch.kubernetes.io/job-tracking";

export const isFinishedJob = (job: Job): boolean =>
	isConditionTrue(job.status?.conditions, "Complete") || isConditionTrue(job.status?.conditions, "Failed");

export const isIndexed = (job: Job): boolean => job.spec?.completionMode === "Indexed";
export const isSuspended = (job: Job): boolean => job.spec?.suspend === true;
export const parallelismOf = (job: Job): number => job.spec?.parallelism ?? 1;
/** Pods are replaced only when they have ended, not as soon as they are being deleted. */
export const replacesOnlyFailed = (job: Job): boolean =>
	job.spec?.podReplacementPolicy === "Failed" ||
	(job.spec?.podReplacementPolicy === undefined && job.spec?.podFailurePolicy !== undefined);

export const hasTracking = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) === true;
export const hasSucceeded = (pod: Pod): boolean => pod.status?.phase === "Succeeded";

/** Ended in failure, or is being deleted before it ended (and counts as failed by the job's replacement policy). */
export function hasFailed(job: Job, pod: Pod): boolean {
	if (pod.status?.phase === "Failed") return true;
	return !hasSucceeded(pod) && pod.metadata.deletionTimestamp !== undefined && !replacesOnlyFailed(job);
}

export function jobCondition(type: string, status: string, reason: string, message: string, now: number): JobCondition {
	const time = formatTime(now);
	return { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message };
}

/** The conditions with this one, unchanged where status, reason and message are. */
export function withJobCondition(all: readonly JobCondition[] | undefined, next: JobCondition): JobCondition[] {
	const at = (all ?? []).findIndex((c) => c.type === next.type);
	const current = all?.[at];
	if (current === undefined) return [...(all ?? []), next];
	const same = current.status === next.status && current.reason === next.reason && current.message === next.message;
	return same ? [...(all ?? [])] : (all ?? []).with(at, next);
}

/** With restartPolicy OnFailure the kubelet restarts containers: their restarts count against the limit. */
function restartsExceeded(job: Job, pods: readonly Pod[]): boolean {
	if (job.spec?.template?.spec?.restartPolicy !== "OnFailure") return false;
	let restarts = 0;
	for (const { status } of pods) {
		if (status?.phase !== "Running" && status?.phase !== "Pending") continue;
		for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
			restarts += container.restartCount ?? 0;
		}
	}
	const limit = job.spec?.backoffLimit ?? 6;
	return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Ms until the active deadline; undefined when the job has none or does not run. */
export function deadlineLeft(job: Job, now: number): number | undefined {
	const seconds = job.spec?.activeDeadlineSeconds;
	if (seconds === undefined || job.status?.startTime === undefined || isSuspended(job)) return undefined;
	return timeOf(job.status.startTime) + seconds * 1000 - now;
}

export interface Verdict {
	readonly type: "Complete" | "Failed";
	readonly reason: string;
	readonly message: string;
}

/** What an earlier sync decided: it stands, whatever its pods do while they end. */
export function decidedBefore(job: Job): Verdict | undefined {
	for (const [condition, type] of [
		["SuccessCriteriaMet", "Complete"],
		["FailureTarget", "Failed"],
	] as const) {
		const found = job.status?.conditions?.find((c) => c.type === condition && c.status === "True");
		if (found !== undefined) return { type, reason: found.reason ?? "", message: found.message ?? "" };
	}
	return undefined;
}

/** Why the job fails, if it does. `failed`: all failures so far that count, `pods`: all its pods. */
export function failureOf(job: Job, failed: number, pods: readonly Pod[], now: number): Verdict | undefined {
	if (failed > (job.spec?.backoffLimit ?? 6) || restartsExceeded(job, pods)) {
		const message = "Job has reached the specified backoff limit";
		return { type: "Failed", reason: "BackoffLimitExceeded", message };
	}
	const left = deadlineLeft(job, now);
	if (left !== undefined && left <= 0) {
		const message = "Job was active longer than specified deadline";
		return { type: "Failed", reason: "DeadlineExceeded", message };
	}
	return undefined;
}

/** Complete: enough successes and nothing running. */
export function successOf(job: Job, succeeded: number, active: number): Verdict | undefined {
	const { completions } = job.spec ?? {};
	const enough = completions === undefined ? succeeded > 0 : succeeded >= completions;
	if (!enough || active > 0 || isSuspended(job)) return undefined;
	return { type: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
}

/** How many pods should be active now. */
export function wantedActive(job: Job, succeeded: number, active: number): number {
	if (isSuspended(job)) return 0;
	const { completions } = job.spec ?? {};
	// Without a number of completions, one success ends the job: those that still run may end, none is added.
	if (completions === undefined) return succeeded > 0 ? Math.min(active, parallelismOf(job)) : parallelismOf(job);
	return Math.min(Math.max(0, completions - succeeded), parallelismOf(job));
}
