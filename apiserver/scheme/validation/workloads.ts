/** Deployments, replica sets, jobs. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
} from "../../machinery/errors.ts";
import { deepClone, deepEqual } from "../../machinery/meta.ts";
import { dns1123LabelProblems } from "../../machinery/names.ts";
import { fromLabelSelector } from "../../machinery/selectors.ts";
import type {
	Deployment,
	DeploymentStatus,
	DeploymentStrategy,
	Job,
	JobSpec,
	LabelSelector,
	PodTemplateSpec,
	ReplicaSet,
	ReplicaSetStatus,
	Scale,
} from "../types.gen.ts";
import { immutable, isEmptySelector, labelSelector, nonNegative, oneOf } from "./common.ts";
import { failurePolicy, limitsPerIndex, successPolicy } from "./job-policies.ts";
import { podTemplate } from "./pod.ts";

const mismatch = "`selector` does not match template `labels`";

function selectorMatches(selector: LabelSelector, template: PodTemplateSpec | undefined): boolean {
	return fromLabelSelector(selector).matches(template?.metadata?.labels ?? {});
}

/** A selector that must select its own template. */
function selector(path: string, given: LabelSelector | undefined, template: PodTemplateSpec | undefined): FieldError[] {
	if (given === undefined) return [fieldRequired(`${path}.selector`)];
	const errors = labelSelector(`${path}.selector`, given);
	if (errors.length > 0) return errors;
	if (isEmptySelector(given)) {
		return [fieldInvalid(`${path}.selector`, given, "empty selector is invalid for deployment")];
	}
	if (!selectorMatches(given, template)) {
		return [fieldInvalid(`${path}.template.metadata.labels`, template?.metadata?.labels ?? {}, mismatch)];
	}
	return [];
}

/** Pods that are kept running restart always and have no deadline. */
function runningTemplate(path: string, template: PodTemplateSpec | undefined): FieldError[] {
	const errors = podTemplate(path, template);
	const policy = template?.spec?.restartPolicy;
	if (policy !== undefined && policy !== "Always" && ["OnFailure", "Never"].includes(policy)) {
		errors.push(fieldNotSupported(`${path}.spec.restartPolicy`, policy, ["Always"]));
	}
	if (template?.spec?.activeDeadlineSeconds !== undefined) {
		errors.push(
			fieldForbidden(`${path}.spec.activeDeadlineSeconds`, "activeDeadlineSeconds in ReplicaSet is not Supported"),
		);
	}
	return errors;
}

function intOrPercent(path: string, value: number | string | undefined): FieldError[] {
	if (value === undefined) return [];
	if (typeof value === "number") return nonNegative(path, value);
	return /^[0-9]+%$/.test(value)
		? []
		: [
				fieldInvalid(
					path,
					value,
					"a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
				),
			];
}

const isZero = (value: number | string | undefined) =>
	value === undefined || value === 0 || /^0+%$/.test(String(value));

function rollingUpdate(path: string, strategy: DeploymentStrategy): FieldError[] {
	const rolling = strategy.rollingUpdate;
	if (rolling === undefined) return [fieldRequired(path, "this should be defaulted and never be nil")];
	const errors = [
		...intOrPercent(`${path}.maxUnavailable`, rolling.maxUnavailable),
		...intOrPercent(`${path}.maxSurge`, rolling.maxSurge),
	];
	if (isZero(rolling.maxUnavailable) && isZero(rolling.maxSurge)) {
		errors.push(
			fieldInvalid(`${path}.maxUnavailable`, rolling.maxUnavailable ?? 0, "may not be 0 when `maxSurge` is 0"),
		);
	}
	const percent = /^([0-9]+)%$/.exec(String(rolling.maxUnavailable));
	if (percent !== null && Number(percent[1]) > 100) {
		errors.push(fieldInvalid(`${path}.maxUnavailable`, rolling.maxUnavailable, "must not be greater than 100%"));
	}
	return errors;
}

function strategy(path: string, given: DeploymentStrategy | undefined): FieldError[] {
	switch (given?.type) {
		case "Recreate":
			return given.rollingUpdate === undefined
				? []
				: [fieldForbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")];
		case "RollingUpdate":
			return rollingUpdate(`${path}.rollingUpdate`, given);
		case undefined:
			return [];
		default:
			return [fieldNotSupported(`${path}.type`, given?.type, ["Recreate", "RollingUpdate"])];
	}
}

export function validateDeployment(deployment: Deployment): FieldError[] {
	const spec = deployment.spec ?? {};
	const errors = [
		...nonNegative("spec.replicas", spec.replicas),
		...selector("spec", spec.selector, spec.template),
		...runningTemplate("spec.template", spec.template),
		...strategy("spec.strategy", spec.strategy),
		...nonNegative("spec.minReadySeconds", spec.minReadySeconds),
		...nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
		...nonNegative("spec.progressDeadlineSeconds", spec.progressDeadlineSeconds),
	];
	const deadline = spec.progressDeadlineSeconds;
	if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)) {
		errors.push(fieldInvalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
	}
	return errors;
}

export const validateDeploymentUpdate = (deployment: Deployment, old: Deployment): FieldError[] => [
	...validateDeployment(deployment),
	...immutable("spec.selector", deployment.spec?.selector, old.spec?.selector),
];

type Counts = Pick<
	DeploymentStatus & ReplicaSetStatus,
	| "replicas"
	| "updatedReplicas"
	| "readyReplicas"
	| "availableReplicas"
	| "unavailableReplicas"
	| "fullyLabeledReplicas"
>;

/** Counts of replicas, which cannot exceed each other in their order. */
function replicaCounts(status: Counts): FieldError[] {
	const errors: FieldError[] = [];
	for (const name of [
		"replicas",
		"updatedReplicas",
		"fullyLabeledReplicas",
		"readyReplicas",
		"availableReplicas",
		"unavailableReplicas",
	] as const) {
		append(errors, nonNegative(`status.${name}`, status[name]));
	}
	const total = status.replicas ?? 0;
	for (const name of ["updatedReplicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"] as const) {
		const value = status[name] ?? 0;
		if (value > total) errors.push(fieldInvalid(`status.${name}`, value, "cannot be greater than status.replicas"));
	}
	if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0)) {
		errors.push(
			fieldInvalid("status.availableReplicas", status.availableReplicas, "cannot be greater than readyReplicas"),
		);
	}
	return errors;
}

export function validateDeploymentStatusUpdate(deployment: Deployment, old: Deployment): FieldError[] {
	const errors = replicaCounts(deployment.status ?? {});
	const count = deployment.status?.collisionCount;
	const before = old.status?.collisionCount;
	if (before !== undefined && (count === undefined || count < before)) {
		errors.push(
			fieldInvalid(
				"status.collisionCount",
				count ?? null,
				count === undefined ? "cannot be set to nil from a non-nil value" : "cannot be decremented",
			),
		);
	}
	return errors;
}

export function validateReplicaSet(replicaSet: ReplicaSet): FieldError[] {
	const spec = replicaSet.spec ?? {};
	return [
		...nonNegative("spec.replicas", spec.replicas),
		...nonNegative("spec.minReadySeconds", spec.minReadySeconds),
		...selector("spec", spec.selector, spec.template),
		...runningTemplate("spec.template", spec.template),
	];
}

export const validateReplicaSetUpdate = (replicaSet: ReplicaSet, old: ReplicaSet): FieldError[] => [
	...validateReplicaSet(replicaSet),
	...immutable("spec.selector", replicaSet.spec?.selector, old.spec?.selector),
];

export const validateReplicaSetStatusUpdate = (replicaSet: ReplicaSet): FieldError[] =>
	replicaCounts(replicaSet.status ?? {});

export const validateScale = (scale: Scale): FieldError[] => nonNegative("spec.replicas", scale.spec?.replicas);

const maxIndexedCompletions = 100_000;

function jobNumbers(spec: JobSpec): FieldError[] {
	const names = [
		"parallelism",
		"completions",
		"activeDeadlineSeconds",
		"backoffLimit",
		"ttlSecondsAfterFinished",
		"backoffLimitPerIndex",
		"maxFailedIndexes",
	] as const;
	return names.flatMap((name) => nonNegative(`spec.${name}`, spec[name]));
}

function indexed(spec: JobSpec): FieldError[] {
	const errors = oneOf("spec.completionMode", spec.completionMode, ["NonIndexed", "Indexed"]);
	if (spec.completionMode === "Indexed") {
		if (spec.completions === undefined) {
			errors.push(fieldRequired("spec.completions", "when completion mode is Indexed"));
		} else if ((spec.parallelism ?? 0) > maxIndexedCompletions) {
			errors.push(
				fieldInvalid(
					"spec.parallelism",
					spec.parallelism,
					`must be less than or equal to ${maxIndexedCompletions} when completion mode is Indexed`,
				),
			);
		}
	}
	return errors;
}

function jobTemplate(spec: JobSpec): FieldError[] {
	const path = "spec.template";
	const errors = podTemplate(path, spec.template);
	const policy = spec.template?.spec?.restartPolicy;
	if (policy === undefined || policy === "Always") {
		errors.push(fieldRequired(`${path}.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'));
	} else if (policy !== "OnFailure" && policy !== "Never") {
		errors.push(fieldNotSupported(`${path}.spec.restartPolicy`, policy, ["OnFailure", "Never"]));
	} else if (spec.podFailurePolicy !== undefined && policy !== "Never") {
		errors.push(
			fieldInvalid(
				`${path}.spec.restartPolicy`,
				policy,
				'only "Never" is supported when podFailurePolicy is specified',
			),
		);
	}
	return errors;
}

/** The host name of an indexed job's last pod must be one: no pod could be made otherwise. */
function indexedHostname(job: Job): FieldError[] {
	const { completionMode, completions = 0 } = job.spec ?? {};
	const name = job.metadata?.name ?? "";
	const hostname = `${name}-${completions - 1}`;
	if (completionMode !== "Indexed" || completions <= 0 || dns1123LabelProblems(hostname).length === 0) return [];
	return [fieldInvalid("metadata.name", name, `will not able to create pod with invalid DNS label: ${hostname}`)];
}

/** What only the creation of a job is asked for beside the rest. */
export const validateJobCreate = (job: Job): FieldError[] => [...validateJob(job), ...indexedHostname(job)];

export function validateJob(job: Job): FieldError[] {
	const spec = job.spec ?? {};
	const errors = [
		...jobNumbers(spec),
		...indexed(spec),
		...limitsPerIndex(spec),
		...failurePolicy(spec),
		...successPolicy(spec),
	];
	if (spec.selector === undefined) errors.push(fieldRequired("spec.selector"));
	else {
		const wrong = labelSelector("spec.selector", spec.selector);
		append(errors, wrong);
		if (wrong.length === 0 && !selectorMatches(spec.selector, spec.template)) {
			errors.push(fieldInvalid("spec.template.metadata.labels", spec.template?.metadata?.labels ?? {}, mismatch));
		}
	}
	append(errors, jobTemplate(spec));
	return errors;
}

/** A suspended job that has not started may still say where its pods go. */
function templateForUpdate(job: Job, old: Job): PodTemplateSpec {
	const template = deepClone(job.spec?.template ?? {});
	const open = old.spec?.suspend === true && old.status?.startTime === undefined;
	const before = old.spec?.template;
	if (!open || template.spec === undefined || before?.spec === undefined) return template;
	for (const name of ["nodeSelector", "affinity", "tolerations", "schedulingGates"] as const) {
		if (before.spec[name] === undefined) delete template.spec[name];
		else Object.assign(template.spec, { [name]: before.spec[name] });
	}
	template.metadata = { ...template.metadata };
	for (const name of ["labels", "annotations"] as const) {
		if (before.metadata?.[name] === undefined) delete template.metadata[name];
		else template.metadata[name] = before.metadata[name];
	}
	return template;
}

export function validateJobUpdate(job: Job, old: Job): FieldError[] {
	const spec = job.spec ?? {};
	const before = old.spec ?? {};
	const errors = validateJob(job);
	// An indexed job may grow and shrink as long as its parallelism follows.
	const elastic =
		spec.completionMode === "Indexed" && spec.completions !== undefined && spec.completions === spec.parallelism;
	if (!elastic) append(errors, immutable("spec.completions", spec.completions, before.completions));
	append(errors, immutable("spec.selector", spec.selector, before.selector));
	if (!deepEqual(templateForUpdate(job, old), before.template)) {
		errors.push(fieldInvalid("spec.template", spec.template, "field is immutable"));
	}
	for (const name of [
		"completionMode",
		"podFailurePolicy",
		"backoffLimitPerIndex",
		"managedBy",
		"successPolicy",
	] as const) {
		append(errors, immutable(`spec.${name}`, spec[name], before[name]));
	}
	return errors;
}

export function validateJobStatusUpdate(job: Job): FieldError[] {
	const status = job.status ?? {};
	return (["active", "succeeded", "failed", "ready", "terminating"] as const).flatMap((name) =>
		nonNegative(`status.${name}`, status[name]),
	);
}
