/**
 * Runs each Job's pods to completion. Every pod carries a finalizer until its end has been counted: first its uid is
 * written to `uncountedTerminatedPods`, then the finalizer is removed, then it moves to the counter, so that no end is
 * lost or counted twice whatever fails between.
 */
import type { EventRecorder } from "../../../apiserver/client/events.ts";
import { jobs, keyOf, pods } from "../../../apiserver/client/resources.ts";
import { wouldChange } from "../../../apiserver/client/written.ts";
import { controllerOf, deepEqual, formatTime } from "../../../apiserver/machinery/meta.ts";
import { isFinished } from "../../../apiserver/machinery/pods.ts";
import { fromLabelSelector, usableSelector } from "../../../apiserver/machinery/selectors.ts";
import type { JobStatus, OwnerReference, Pod as PodType } from "../../../apiserver/scheme/types.gen.ts";
import { claim } from "../claim.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	forEachLimited,
	isInvalid,
	isNamespaceTerminating,
	isNotFound,
	type Job,
	type Pod,
	queueController,
	timeOf,
} from "../controller.ts";
import { Expectations } from "../expectations.ts";
import { compareForDeletion, isActive, isReady, PodControl, podFromTemplate, slowStart } from "../pods.ts";
import { afterFinished, type BackoffRecord, backoffLeft, noFailures } from "./backoff.ts";
import {
	deadlineLeft,
	decidedBefore,
	failureOf,
	hasFailed,
	hasSucceeded,
	hasTracking,
	isFinishedJob,
	isIndexed,
	isSuspended,
	jobCondition,
	replacesOnlyFailed,
	successOf,
	trackingFinalizer,
	type Verdict,
	wantedActive,
	withJobCondition,
} from "./decide.ts";
import { failJobMessage, matchFailurePolicy } from "./failure-policy.ts";
import { formatIndexes, indexKey, indexOf, parseIndexes, pendingIndexes, surplusPods } from "./indexes.ts";
import {
	failedIndexesOf,
	failureAnnotations,
	hasBackoffPerIndex,
	indexesToStart,
	indexFailureOf,
	lastFailures,
} from "./per-index.ts";
import { matchSuccessPolicy } from "./success-policy.ts";

const maxPodsPerSync = 500;
const maxUncounted = 500;
const finalizerRemovals = 10;

/** One job while it is synced. */
interface Run {
	job: Job;
	readonly key: string;
	/** All its pods. */
	readonly pods: readonly Pod[];
	/** Pods whose end is not counted yet. */
	readonly tracked: readonly Pod[];
	active: Pod[];
	/** Newly ended, not yet in the status. */
	readonly newSucceeded: readonly Pod[];
	readonly newFailed: readonly Pod[];
	/** In all, counted or not. */
	readonly succeeded: number;
	readonly failed: number;
	readonly succeededIndexes: ReadonlySet<number>;
	/** With backoffLimitPerIndex: indexes that have failed for good. */
	readonly failedIndexes: ReadonlySet<number>;
	/** With backoffLimitPerIndex: failed pods that stay until the next pod of their index knows how often it failed. */
	readonly kept: ReadonlyMap<number, Pod>;
	/** Being deleted and still running. */
	readonly terminating: number;
	/** To be kept once the ends it counts are on record; should that fail, they are seen and counted anew. */
	backoff: BackoffRecord | undefined;
}

const isOfJob = (reference: OwnerReference | undefined): boolean =>
	reference?.kind === "Job" && reference.apiVersion === "batch/v1";
/** Its controller is none of ours, whose finalizers are its own matter. */
const isOfAnother = (pod: Pod): boolean => controllerOf(pod) !== undefined && !isOfJob(controllerOf(pod));
const isManagedElsewhere = (job: Job): boolean =>
	job.spec?.managedBy !== undefined && job.spec.managedBy !== "kubernetes.io/job-controller";

/** The job controller. */
export function createJobController(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const recorder: EventRecorder = ctx.recorder("job-controller");
	const podControl = new PodControl(client, recorder);
	const expectations = new Expectations(clock);
	const jobApi = client.resource(jobs);
	const podApi = client.resource(pods);
	const cache = ctx.informers.informer(jobs);
	const podCache = ctx.informers.informer(pods);
	const backoffs = new Map<string, BackoffRecord>();
	/** The last resource version written of each job: an older one in the cache would count ends that are counted. */
	const written = new Map<string, number>();
	/** Uids of pods whose finalizer we removed, until the cache shows it. */
	const untracked = new Set<string>();
	const queue = controllerQueue(ctx, "job", sync, 5, cache);
	const orphans = controllerQueue(ctx, "job-orphan-pods", syncOrphan);

	const ownerOf = (pod: Pod): Job | undefined => {
		const reference = controllerOf(pod);
		if (reference === undefined || !isOfJob(reference)) return undefined;
		const job = cache.get(`${pod.metadata.namespace}/${reference.name}`);
		return job?.metadata.uid === reference.uid ? job : undefined;
	};
	const onPodGone = (pod: Pod) => {
		const job = ownerOf(pod);
		if (job === undefined) return;
		expectations.deletionObserved(keyOf(job), podKey(pod));
		queue.add(keyOf(job));
	};
	/** The job of this pod is gone or done, or let go of it, and the pod is still tracked. */
	const checkOrphan = (pod: Pod) => {
		if (hasTracking(pod) && !isOfAnother(pod)) orphans.add(keyOf(pod));
	};
	/** A pod without a controller: a job may adopt it, and until then none counts its end. */
	const onFree = (pod: Pod) => {
		checkOrphan(pod);
		for (const job of cache.list(pod.metadata.namespace)) {
			if (usableSelector(job.spec?.selector)?.matches(pod.metadata.labels) === true) queue.add(keyOf(job));
		}
	};

	cache.addHandlers({
		onAdd: (job) => queue.add(keyOf(job)),
		onUpdate: (_, job) => queue.add(keyOf(job)),
		onDelete(job) {
			queue.add(keyOf(job));
			for (const pod of podCache.list(job.metadata.namespace)) {
				if (controllerOf(pod)?.uid === job.metadata.uid) checkOrphan(pod);
			}
		},
	});
	podCache.addHandlers({
		onAdd(pod) {
			if (pod.metadata.deletionTimestamp !== undefined) return onPodGone(pod);
			if (controllerOf(pod) === undefined) return onFree(pod);
			const job = ownerOf(pod);
			if (job === undefined) return checkOrphan(pod);
			expectations.creationObserved(keyOf(job));
			queue.add(keyOf(job));
		},
		onUpdate(previous, pod) {
			if (!hasTracking(pod)) untracked.delete(pod.metadata.uid ?? "");
			if (pod.metadata.deletionTimestamp !== undefined) onPodGone(pod);
			if (controllerOf(previous)?.uid !== controllerOf(pod)?.uid) onPodGone(previous);
			const job = ownerOf(pod);
			if (job !== undefined) queue.add(keyOf(job));
			else if (controllerOf(pod) === undefined) onFree(pod);
			else checkOrphan(pod);
		},
		onDelete(pod) {
			untracked.delete(pod.metadata.uid ?? "");
			onPodGone(pod);
		},
	});

	async function syncOrphan(key: string): Promise<void> {
		const pod = podCache.get(key);
		if (pod === undefined || !hasTracking(pod) || isOfAnother(pod)) return;
		const job = ownerOf(pod);
		if (job !== undefined && isManagedElsewhere(job)) return;
		if (job === undefined || isFinishedJob(job)) await removeFinalizer(pod);
	}

	async function removeFinalizer(pod: Pod): Promise<void> {
		const { namespace = "", name = "", uid } = pod.metadata;
		const patch = { metadata: { uid, "$deleteFromPrimitiveList/finalizers": [trackingFinalizer] } };
		untracked.add(uid ?? "");
		try {
			await podApi.patch(namespace, name, "strategic", patch);
		} catch (error) {
			if (isNotFound(error) || isInvalid(error)) return;
			untracked.delete(uid ?? "");
			throw error;
		}
	}

	async function sync(key: string): Promise<void> {
		const job = cache.get(key);
		if (job === undefined || isFinishedJob(job)) {
			expectations.forget(key);
			backoffs.delete(key);
			written.delete(key);
			if (job !== undefined) for (const pod of ownedPods(job)) checkOrphan(pod);
			return;
		}
		if (isManagedElsewhere(job)) return;
		if (Number(job.metadata.resourceVersion) < (written.get(key) ?? 0)) return; // its update is on the way, and brings us back
		const run = await observe(job, key);
		const before = job.status ?? {};
		startClock(run);
		const verdict = await manage(run);
		await track(run, verdict, before);
	}

	const ownedPods = (job: Job): Pod[] =>
		podCache.list(job.metadata.namespace).filter((pod) => controllerOf(pod)?.uid === job.metadata.uid);

	/** Claims the pods and sorts them by what they mean. */
	async function observe(job: Job, key: string): Promise<Run> {
		const selector = fromLabelSelector(job.spec?.selector);
		const owned = await claim(
			{ client, owner: job, ownerResource: jobs, selector, resource: pods, finalizers: [trackingFinalizer] },
			podCache.list(job.metadata.namespace),
			(pod) => isActive(pod),
		);
		const tracked = owned.filter((pod) => hasTracking(pod) && !untracked.has(pod.metadata.uid ?? ""));
		const uncounted = job.status?.uncountedTerminatedPods ?? {};
		const known = new Set([...(uncounted.succeeded ?? []), ...(uncounted.failed ?? [])]);
		const fresh = tracked.filter((pod) => !known.has(pod.metadata.uid ?? ""));
		const before = parseIndexes(job.status?.completedIndexes, job.spec?.completions ?? 0);
		const inRange = (pod: Pod) => indexOf(pod) >= 0 && indexOf(pod) < (job.spec?.completions ?? 0);
		const newSucceeded = fresh.filter((pod) => hasSucceeded(pod) && (!isIndexed(job) || inRange(pod)));
		const newFailed = fresh.filter((pod) => hasFailed(job, pod) && (!isIndexed(job) || inRange(pod)));
		const succeededIndexes = new Set([...before, ...(isIndexed(job) ? newSucceeded.map(indexOf) : [])]);
		const failedIndexes = hasBackoffPerIndex(job) ? failedIndexesOf(job, tracked) : new Set<number>();
		const active = owned.filter(isActive);
		const status = job.status ?? {};
		const counted = (status.succeeded ?? 0) + (uncounted.succeeded?.length ?? 0) + newSucceeded.length;
		return {
			job,
			key,
			pods: owned,
			tracked,
			active,
			newSucceeded,
			newFailed,
			succeeded: isIndexed(job) ? succeededIndexes.size : counted,
			failed: (status.failed ?? 0) + (uncounted.failed?.length ?? 0) + countedFailures(job, newFailed).length,
			succeededIndexes,
			failedIndexes,
			kept: lastFailures(job, tracked, { succeeded: succeededIndexes, failed: failedIndexes }, active),
			backoff: undefined,
			terminating: owned.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !isFinished(pod)).length,
		};
	}

	/** The start time is set when the job begins to run, and anew when it resumes. */
	function startClock(run: Run): void {
		const { job } = run;
		if (job.status?.startTime !== undefined || isSuspended(job)) return;
		run.job = { ...job, status: { ...job.status, startTime: formatTime(clock.now()) } };
	}

	/** Creates and deletes pods as the job's state asks; gives how it ends, once it does. */
	async function manage(run: Run): Promise<Verdict | undefined> {
		const { key } = run;
		const now = clock.now();
		const record = afterFinished(backoffs.get(key) ?? noFailures, run.newSucceeded, run.newFailed, now);
		const decided = decidedBefore(run.job) ?? verdictOf(run, now);
		if (decided !== undefined) {
			if (expectations.satisfied(key)) await deletePods(run, run.active);
			return decided;
		}
		const left = deadlineLeft(run.job, now);
		if (left !== undefined) queue.addAfter(key, left);
		run.backoff = record;
		if (expectations.satisfied(key) && run.job.metadata.deletionTimestamp === undefined) await scale(run, record);
		const success = successOf(run.job, run.succeeded, run.active.length);
		if (success === undefined) noteSuspension(run);
		return success;
	}

	/** How the job ends though pods may still run, if it does: they are stopped. */
	function verdictOf(run: Run, now: number): Verdict | undefined {
		const { job } = run;
		const message = failJobMessage(job, run.pods);
		if (message !== undefined) return { type: "Failed", reason: "PodFailurePolicy", message };
		return (
			failureOf(job, run.failed, run.pods, now) ??
			indexFailureOf(job, run.failedIndexes.size, run.succeededIndexes.size) ??
			matchSuccessPolicy(job, run.succeededIndexes)
		);
	}

	async function scale(run: Run, record: BackoffRecord): Promise<void> {
		const { job, active } = run;
		const want = wantedActive(job, run.succeeded, active.length);
		const surplus = isIndexed(job) ? surplusPods(active, job.spec?.completions ?? 0, run.succeededIndexes) : [];
		const excess = Math.max(surplus.length, active.length - want);
		if (excess > 0) {
			const now = clock.now();
			const others = active.filter((pod) => !surplus.includes(pod));
			others.sort((a, b) => compareForDeletion(a, b, new Map(), now));
			// What the job itself takes back is no failure of its: without the finalizer nothing is counted.
			const chosen = [...surplus, ...others].slice(0, Math.min(excess, maxPodsPerSync));
			await forEachLimited(chosen.filter(hasTracking), finalizerRemovals, removeFinalizer);
			return deletePods(run, chosen);
		}
		const missing = want - active.length - (replacesOnlyFailed(job) ? run.terminating : 0);
		if (missing <= 0) return;
		const wait = hasBackoffPerIndex(job) ? 0 : backoffLeft(record, clock.now());
		if (wait > 0) queue.addAfter(run.key, wait);
		else await createPods(run, Math.min(missing, maxPodsPerSync));
	}

	async function createPods(run: Run, most: number): Promise<void> {
		const { job, key } = run;
		const indexes = isIndexed(job) ? nextIndexes(run, most) : undefined;
		const count = indexes?.length ?? most;
		if (count === 0) return;
		expectations.expectCreations(key, count);
		const create = async (i: number) => {
			run.active.push(await podControl.create(job, buildPod(run, indexes?.[i])));
		};
		const { succeeded, failure } = await slowStart(count, create);
		if (succeeded < count) expectations.creationObserved(key, count - succeeded);
		if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
	}

	/** The indexes that get a pod now; those that back off bring the job back when their time has come. */
	function nextIndexes(run: Run, most: number): readonly number[] {
		const { job, key } = run;
		const settled = new Set([...run.succeededIndexes, ...run.failedIndexes]);
		// A pod that is going holds its index until it has ended, where pods are replaced only then.
		const going = run.pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !isFinished(pod));
		const holders = replacesOnlyFailed(job) ? [...run.active, ...going] : run.active;
		const indexes = pendingIndexes(job.spec?.completions ?? 0, most, settled, holders);
		const { start, waitMs } = indexesToStart(indexes, run.kept, clock.now());
		if (waitMs > 0) queue.addAfter(key, waitMs);
		return start;
	}

	async function deletePods(run: Run, chosen: readonly Pod[]): Promise<void> {
		if (chosen.length === 0) return;
		expectations.expectDeletions(run.key, chosen.map(podKey));
		let failure: unknown;
		const deleteOne = async (pod: Pod) => {
			try {
				await podControl.delete(run.job, pod);
			} catch (error) {
				expectations.deletionObserved(run.key, podKey(pod));
				if (!isNotFound(error)) {
					failure ??= error;
					return;
				}
			}
			run.active = run.active.filter((other) => other !== pod);
		};
		await forEachLimited(chosen, 50, deleteOne);
		if (failure !== undefined) throw failure;
	}

	function noteSuspension(run: Run): void {
		const { job } = run;
		const current = job.status?.conditions?.find((c) => c.type === "Suspended");
		const now = clock.now();
		if (isSuspended(job) && current?.status !== "True") {
			const next = jobCondition("Suspended", "True", "JobSuspended", "Job suspended", now);
			const { startTime: _, ...status } = job.status ?? {};
			run.job = { ...job, status: { ...status, conditions: withJobCondition(status.conditions, next) } };
			recorder.event(job, "Normal", "Suspended", "Job suspended");
		} else if (!isSuspended(job) && current?.status === "True") {
			const next = jobCondition("Suspended", "False", "JobResumed", "Job resumed", now);
			const status = { ...job.status, startTime: formatTime(now) };
			run.job = { ...job, status: { ...status, conditions: withJobCondition(status.conditions, next) } };
			recorder.event(job, "Normal", "Resumed", "Job resumed");
			const seconds = job.spec?.activeDeadlineSeconds;
			if (seconds !== undefined) queue.addAfter(run.key, seconds * 1000);
		}
	}

	async function write(run: Run, status: JobStatus, before: JobStatus): Promise<JobStatus> {
		if (!wouldChange({ ...run.job, status: before }, { ...run.job, status })) return status;
		run.job = await jobApi.update({ ...run.job, status }, "status");
		written.set(run.key, Number(run.job.metadata.resourceVersion));
		return run.job.status ?? status;
	}

	/** Counts ends, removes finalizers, and at last gives the job its final condition. */
	async function track(run: Run, verdict: Verdict | undefined, before: JobStatus): Promise<void> {
		const held = new Map(run.tracked.map((pod) => [pod.metadata.uid ?? "", pod]));
		let status = noteEnds(run, verdict, held);
		// What is to be counted is on record before its last trace may go.
		const indexes = (of: JobStatus) => [of.completedIndexes, of.failedIndexes];
		if (!deepEqual(pending(status), pending(before)) || !deepEqual(indexes(status), indexes(before))) {
			status = await write(run, status, before);
			before = status;
		}
		if (run.backoff !== undefined) backoffs.set(run.key, run.backoff);
		const removable = run.tracked.filter(
			(pod) =>
				verdict !== undefined ||
				isGoing(run.job) ||
				hasSucceeded(pod) ||
				(hasFailed(run.job, pod) && run.kept.get(indexOf(pod)) !== pod),
		);
		const finalStatus = () => finish(run, countWithoutFinalizer(status, held), verdict);
		try {
			await forEachLimited(removable, finalizerRemovals, async (pod) => {
				await removeFinalizer(pod);
				held.delete(pod.metadata.uid ?? "");
			});
		} catch (error) {
			await write(run, countWithoutFinalizer(status, held), before);
			throw error;
		}
		const final = finalStatus();
		const wasFinished = isFinishedJob(run.job);
		await write(run, final, before);
		if (!wasFinished && verdict !== undefined && isFinishedJob({ ...run.job, status: final })) announce(run, verdict);
	}

	function announce(run: Run, verdict: Verdict): void {
		expectations.forget(run.key);
		backoffs.delete(run.key);
		if (verdict.type === "Complete") recorder.event(run.job, "Normal", "Completed", "Job completed");
		else recorder.event(run.job, "Warning", verdict.reason, verdict.message);
	}

	const isGoing = (job: Job) => job.metadata.deletionTimestamp !== undefined;
	const pending = (status: JobStatus) => [
		status.uncountedTerminatedPods?.succeeded ?? [],
		status.uncountedTerminatedPods?.failed ?? [],
	];

	/** The status with the newly ended pods on record, those counted whose finalizer is gone, and the numbers of now. */
	function noteEnds(run: Run, verdict: Verdict | undefined, held: ReadonlyMap<string, Pod>): JobStatus {
		const { job } = run;
		const status = countWithoutFinalizer({ ...job.status }, held);
		const succeeded = [...(status.uncountedTerminatedPods?.succeeded ?? [])];
		const failed = [...(status.uncountedTerminatedPods?.failed ?? [])];
		const room = () => succeeded.length + failed.length < maxUncounted;
		const uid = (pod: Pod) => pod.metadata.uid ?? "";
		if (isIndexed(job)) {
			status.completedIndexes = formatIndexes(run.succeededIndexes);
			status.succeeded = run.succeededIndexes.size;
		} else {
			for (const pod of run.newSucceeded) if (room()) succeeded.push(uid(pod));
		}
		if (hasBackoffPerIndex(job)) status.failedIndexes = formatIndexes(run.failedIndexes);
		for (const pod of countedFailures(job, run.newFailed)) {
			const stays = verdict === undefined && !isGoing(job) && run.kept.get(indexOf(pod)) === pod;
			if (room() && !stays && !failed.includes(uid(pod))) failed.push(uid(pod));
		}
		// When the job has failed, pods stopped by it count as failed too.
		if (verdict?.type === "Failed") {
			const known = new Set([...succeeded, ...failed]);
			for (const pod of countedFailures(job, run.tracked)) {
				if (room() && !known.has(uid(pod)) && !hasSucceeded(pod)) failed.push(uid(pod));
			}
		}
		status.uncountedTerminatedPods = {
			...(succeeded.length > 0 ? { succeeded } : {}),
			...(failed.length > 0 ? { failed } : {}),
		};
		status.active = run.active.length;
		status.ready = run.active.filter(isReady).length;
		status.terminating = run.terminating;
		if (verdict !== undefined) {
			const type = verdict.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
			const next = jobCondition(type, "True", verdict.reason, verdict.message, clock.now());
			status.conditions = withJobCondition(status.conditions, next);
		}
		return status;
	}

	/** Moves uids on record whose finalizer is gone to the counters. */
	function countWithoutFinalizer(status: JobStatus, held: ReadonlyMap<string, Pod>): JobStatus {
		const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
		const stay = { succeeded: succeeded.filter((uid) => held.has(uid)), failed: failed.filter((uid) => held.has(uid)) };
		return {
			...status,
			succeeded: (status.succeeded ?? 0) + succeeded.length - stay.succeeded.length,
			failed: (status.failed ?? 0) + failed.length - stay.failed.length,
			uncountedTerminatedPods: {
				...(stay.succeeded.length > 0 ? { succeeded: stay.succeeded } : {}),
				...(stay.failed.length > 0 ? { failed: stay.failed } : {}),
			},
		};
	}

	/** The final condition, once all ends are counted and no pod is left that runs. */
	function finish(run: Run, status: JobStatus, verdict: Verdict | undefined): JobStatus {
		if (verdict === undefined || pending(status).some((uids) => uids.length > 0)) return status;
		// Pods deleted in this very sync are looked at again when the cache shows what became of them.
		if (run.pods.some((pod) => !isFinished(pod)) || run.active.length > 0) return status;
		const now = clock.now();
		const next = jobCondition(verdict.type, "True", verdict.reason, verdict.message, now);
		const done = { ...status, active: 0, ready: 0, conditions: withJobCondition(status.conditions, next) };
		if (verdict.type === "Complete") done.completionTime = formatTime(now);
		return done;
	}

	function buildPod({ job, kept }: Run, index: number | undefined): PodType {
		const name = job.metadata.name ?? "";
		const prefix = index === undefined ? `${name}-` : `${name}-${index}-`;
		const pod = podFromTemplate(job, job.spec?.template ?? {}, { prefix });
		const metadata = pod.metadata ?? {};
		metadata.finalizers = [...(metadata.finalizers ?? []), trackingFinalizer];
		if (index !== undefined) giveIndex(pod, name, index, failureAnnotations(job, kept.get(index)));
		return pod;
	}

	return queueController("job", queue, orphans);
}

/** An indexed pod knows its index by annotation, label, host name and environment. */
function giveIndex(pod: PodType, jobName: string, index: number, failures: Readonly<Record<string, string>>): void {
	const metadata = pod.metadata ?? {};
	const spec = pod.spec ?? {};
	metadata.annotations = { ...metadata.annotations, ...failures, [indexKey]: String(index) };
	metadata.labels = { ...metadata.labels, [indexKey]: String(index) };
	spec.hostname = `${jobName}-${index}`;
	const env = {
		name: "JOB_COMPLETION_INDEX",
		valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: `metadata.labels['${indexKey}']` } },
	};
	for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
		if (container.env?.some((e) => e.name === env.name) !== true) container.env = [...(container.env ?? []), env];
	}
}

/** Failures that no rule of the job tells to ignore. */
const countedFailures = (job: Job, failed: readonly Pod[]): Pod[] =>
	failed.filter((pod) => matchFailurePolicy(job, pod).counts);

const podKey = (pod: Pod): string => `${keyOf(pod)}/${pod.metadata.uid}`;

/** When the job ended, ms since the epoch; undefined while it has not. */
export function jobFinishedAt(job: Job): number | undefined {
	const final = job.status?.conditions?.find(
		(c) => (c.type === "Complete" || c.type === "Failed") && c.status === "True",
	);
	return final === undefined ? undefined : timeOf(final.lastTransitionTime);
}
