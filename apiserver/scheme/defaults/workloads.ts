/** Defaults of what makes pods. */
import type { Deployment, Job, JobSpec, ReplicaSet } from "../types.gen.ts";
import { defaultPodTemplate } from "./pod.ts";

const maxInt32 = 2 ** 31 - 1;

export function defaultDeployment(deployment: Deployment): void {
	const spec = deployment.spec;
	if (spec === undefined) return;
	spec.replicas ??= 1;
	spec.revisionHistoryLimit ??= 10;
	spec.progressDeadlineSeconds ??= 600;
	const strategy = (spec.strategy ??= {});
	strategy.type ??= "RollingUpdate";
	if (strategy.type === "RollingUpdate") {
		const rolling = (strategy.rollingUpdate ??= {});
		rolling.maxUnavailable ??= "25%";
		rolling.maxSurge ??= "25%";
	}
	defaultPodTemplate(spec.template);
}

export function defaultReplicaSet(replicaSet: ReplicaSet): void {
	const spec = replicaSet.spec;
	if (spec === undefined) return;
	spec.replicas ??= 1;
	defaultPodTemplate(spec.template);
}

function defaultFailurePolicy(spec: JobSpec): void {
	for (const rule of spec.podFailurePolicy?.rules ?? []) {
		for (const pattern of rule.onPodConditions ?? []) pattern.status ??= "True";
	}
}

export function defaultJob(job: Job): void {
	const spec = job.spec;
	if (spec === undefined) return;
	// A work queue has parallelism without completions; a job with neither runs once.
	if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
	spec.parallelism ??= 1;
	spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32;
	spec.completionMode ??= "NonIndexed";
	spec.suspend ??= false;
	spec.manualSelector ??= false;
	spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed";
	defaultFailurePolicy(spec);
	defaultPodTemplate(spec.template);
	const labels = spec.template?.metadata?.labels;
	if (labels !== undefined && job.metadata !== undefined && Object.keys(job.metadata.labels ?? {}).length === 0) {
		job.metadata.labels = { ...labels };
	}
}
