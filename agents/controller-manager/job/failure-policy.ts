/** podFailurePolicy (KEP-3329): what the end of a pod means for its job; pure. */
import type {
	ContainerStatus,
	PodCondition,
	PodFailurePolicyOnExitCodesRequirement,
	PodFailurePolicyRule,
} from "../../../apiserver/scheme/types.gen.ts";
import type { Job, Pod } from "../controller.ts";
import { hasFailed } from "./decide.ts";

export interface FailureMatch {
	/** What the first matching rule asks for; undefined where none matches, and the failure simply counts. */
	readonly action: string | undefined;
	/** Counts towards the back-off limits. */
	readonly counts: boolean;
	/** Of FailJob: why the job fails. */
	readonly message: string | undefined;
}

const plain: FailureMatch = { action: undefined, counts: true, message: undefined };

function matchExitCode(
	pod: Pod,
	wanted: PodFailurePolicyOnExitCodesRequirement,
): { readonly name: string; readonly exitCode: number } | undefined {
	const all: ContainerStatus[] = [
		...(pod.status?.containerStatuses ?? []),
		...(pod.status?.initContainerStatuses ?? []),
	];
	for (const { name = "", state } of all) {
		if (wanted.containerName !== undefined && wanted.containerName !== name) continue;
		const exitCode = state?.terminated?.exitCode;
		// A container that still runs, or has succeeded, says nothing.
		if (exitCode === undefined || exitCode === 0) continue;
		const listed = (wanted.values ?? []).includes(exitCode);
		if (wanted.operator === "In" ? listed : wanted.operator === "NotIn" && !listed) return { name, exitCode };
	}
	return undefined;
}

function matchCondition(pod: Pod, rule: PodFailurePolicyRule): PodCondition | undefined {
	const patterns = rule.onPodConditions ?? [];
	return pod.status?.conditions?.find((condition) =>
		patterns.some((pattern) => pattern.type === condition.type && (pattern.status ?? "True") === condition.status),
	);
}

/** How the pod matches the rule at `index`, in upstream's words; undefined: it does not. */
function describeMatch(pod: Pod, rule: PodFailurePolicyRule, index: number): string | undefined {
	const who = `${pod.metadata.namespace}/${pod.metadata.name}`;
	const by = `matching ${rule.action} rule at index ${index}`;
	if (rule.onExitCodes !== undefined) {
		const found = matchExitCode(pod, rule.onExitCodes);
		return found && `Container ${found.name} for pod ${who} failed with exit code ${found.exitCode} ${by}`;
	}
	const condition = matchCondition(pod, rule);
	return condition && `Pod ${who} has condition ${condition.type} ${by}`;
}

/** The first rule that matches a failed pod decides. */
export function matchFailurePolicy(job: Job, pod: Pod): FailureMatch {
	for (const [index, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
		const text = describeMatch(pod, rule, index);
		if (text === undefined) continue;
		const { action } = rule;
		return { action, counts: action !== "Ignore", message: action === "FailJob" ? text : undefined };
	}
	return plain;
}

/** Why a rule ends the whole job, if one does. */
export function failJobMessage(job: Job, pods: readonly Pod[]): string | undefined {
	if (job.spec?.podFailurePolicy === undefined) return undefined;
	for (const pod of pods) {
		const message = hasFailed(job, pod) ? matchFailurePolicy(job, pod).message : undefined;
		if (message !== undefined) return message;
	}
	return undefined;
}
