/** A deployment's status and conditions, with the reasons and texts `kubectl rollout status` reads; pure. */
import { findCondition, formatTime } from "../../../apiserver/machinery/meta.ts";
import type { DeploymentCondition, DeploymentStatus } from "../../../apiserver/scheme/types.gen.ts";
import { type Deployment, type ReplicaSet, timeOf } from "../controller.ts";
import { hasProgressDeadline, maxUnavailable, sumActual, sumAvailable, sumReady, sumWanted, wanted } from "./util.ts";

export function condition(
	type: string,
	status: string,
	reason: string,
	message: string,
	now: number,
): DeploymentCondition {
	const time = formatTime(now);
	return { type, status, lastUpdateTime: time, lastTransitionTime: time, reason, message };
}

/** Unchanged where status and reason are; the transition time stays where the status does. */
export function withDeploymentCondition(
	conditions: readonly DeploymentCondition[] | undefined,
	next: DeploymentCondition,
): DeploymentCondition[] {
	const all = [...(conditions ?? [])];
	const current = findCondition(all, next.type ?? "");
	if (current?.status === next.status && current?.reason === next.reason) return all;
	const kept = current?.status === next.status ? current?.lastTransitionTime : next.lastTransitionTime;
	return [...all.filter((c) => c.type !== next.type), { ...next, lastTransitionTime: kept }];
}

const without = (conditions: readonly DeploymentCondition[] | undefined, type: string) =>
	(conditions ?? []).filter((c) => c.type !== type);

export const progressing = (status: DeploymentStatus | undefined): DeploymentCondition | undefined =>
	findCondition(status?.conditions, "Progressing");

/** Counts and the Available condition. */
export function calculateStatus(
	d: Deployment,
	all: readonly ReplicaSet[],
	newSet: ReplicaSet | undefined,
	now: number,
): DeploymentStatus {
	const available = sumAvailable(all);
	const enough = available >= wanted(d) - maxUnavailable(d);
	const next = enough
		? condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
		: condition(
				"Available",
				"False",
				"MinimumReplicasUnavailable",
				"Deployment does not have minimum availability.",
				now,
			);
	return {
		...(d.metadata.generation === undefined ? {} : { observedGeneration: d.metadata.generation }),
		replicas: sumActual(all),
		updatedReplicas: newSet === undefined ? 0 : sumActual([newSet]),
		readyReplicas: sumReady(all),
		availableReplicas: available,
		unavailableReplicas: Math.max(0, sumWanted(all) - available),
		...(d.status?.collisionCount === undefined ? {} : { collisionCount: d.status.collisionCount }),
		conditions: withDeploymentCondition(d.status?.conditions, next),
	};
}

/** All pods are of the new template and available, and none is left over. */
export function isComplete(d: Deployment, status: DeploymentStatus | undefined): boolean {
	const all = wanted(d);
	return (
		(status?.updatedReplicas ?? 0) === all &&
		(status?.replicas ?? 0) === all &&
		(status?.availableReplicas ?? 0) === all &&
		(status?.observedGeneration ?? 0) >= (d.metadata.generation ?? 0)
	);
}

function isProgressing(before: DeploymentStatus | undefined, next: DeploymentStatus): boolean {
	const of = (s: DeploymentStatus | undefined) => ({
		updated: s?.updatedReplicas ?? 0,
		old: (s?.replicas ?? 0) - (s?.updatedReplicas ?? 0),
		ready: s?.readyReplicas ?? 0,
		available: s?.availableReplicas ?? 0,
	});
	const [a, b] = [of(before), of(next)];
	return b.updated > a.updated || b.old < a.old || b.ready > a.ready || b.available > a.available;
}

function hasTimedOut(d: Deployment, status: DeploymentStatus, now: number): boolean {
	const current = progressing(status);
	if (!hasProgressDeadline(d) || current === undefined || current.reason === "NewReplicaSetAvailable") return false;
	if (current.reason === "ProgressDeadlineExceeded") return true;
	return timeOf(current.lastUpdateTime) + (d.spec?.progressDeadlineSeconds ?? 0) * 1000 < now;
}

/** Why pods cannot be had, as the ReplicaSets tell it: the new one's failure first. */
function replicaFailures(all: readonly ReplicaSet[], newSet: ReplicaSet | undefined): DeploymentCondition[] {
	const of = (rs: ReplicaSet | undefined) => rs?.status?.conditions?.find((c) => c.type === "ReplicaFailure");
	const told = of(newSet) === undefined ? all.map(of) : [of(newSet)];
	return told.filter((c) => c !== undefined).map((c) => ({ ...c, lastUpdateTime: c.lastTransitionTime }));
}

/** The status of a rollout under way or ended: counts, and the conditions Progressing and ReplicaFailure. */
export function rolloutStatus(
	d: Deployment,
	all: readonly ReplicaSet[],
	newSet: ReplicaSet | undefined,
	now: number,
): DeploymentStatus {
	const status = calculateStatus(d, all, newSet, now);
	if (!hasProgressDeadline(d)) status.conditions = without(status.conditions, "Progressing");
	const current = progressing(d.status);
	const ended = status.replicas === status.updatedReplicas && current?.reason === "NewReplicaSetAvailable";
	if (hasProgressDeadline(d) && !ended) status.conditions = progressConditions(d, status, current, newSet, now);
	const [failure] = replicaFailures(all, newSet);
	status.conditions =
		failure === undefined
			? without(status.conditions, "ReplicaFailure")
			: withDeploymentCondition(status.conditions, failure);
	return status;
}

function progressConditions(
	d: Deployment,
	status: DeploymentStatus,
	current: DeploymentCondition | undefined,
	newSet: ReplicaSet | undefined,
	now: number,
): DeploymentCondition[] {
	const subject = newSet === undefined ? `Deployment "${d.metadata.name}"` : `ReplicaSet "${newSet.metadata.name}"`;
	const conditions = status.conditions ?? [];
	if (isComplete(d, status)) {
		const text = `${subject} has successfully progressed.`;
		return withDeploymentCondition(conditions, condition("Progressing", "True", "NewReplicaSetAvailable", text, now));
	}
	if (isProgressing(d.status, status)) {
		const next = condition("Progressing", "True", "ReplicaSetUpdated", `${subject} is progressing.`, now);
		// Every step of progress renews the update time, from which the deadline counts.
		if (current?.status === "True") next.lastTransitionTime = current.lastTransitionTime;
		return [...without(conditions, "Progressing"), next];
	}
	if (!hasTimedOut(d, status, now)) return [...conditions];
	const text = `${subject} has timed out progressing.`;
	return withDeploymentCondition(conditions, condition("Progressing", "False", "ProgressDeadlineExceeded", text, now));
}

/** When to look again at a rollout that may be stuck: ms, or undefined. */
export function stuckAfter(d: Deployment, status: DeploymentStatus, now: number): number | undefined {
	const current = progressing(d.status);
	if (!hasProgressDeadline(d) || current === undefined) return undefined;
	if (isComplete(d, status) || current.reason === "ProgressDeadlineExceeded") return undefined;
	const after = timeOf(current.lastUpdateTime) + (d.spec?.progressDeadlineSeconds ?? 0) * 1000 - now;
	return Math.max(0, after) + 1000;
}
