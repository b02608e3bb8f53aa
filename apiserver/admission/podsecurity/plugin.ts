/** PodSecurity: pods keep to the policy of their namespace, and who writes what makes such pods is told before. */
import { forbidden, internalError, invalid } from "../../machinery/errors.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { Container, Namespace, Pod, PodTemplateSpec } from "../../scheme/types.gen.ts";
import type { AdmissionAttributes, AdmissionLookups, AdmissionPlugin } from "../types.ts";
import { nameOf } from "../types.ts";
import type { Subject } from "./check.ts";
import type { PodSecurityConfiguration } from "./configuration.ts";
import { evaluate, tellDetails } from "./evaluate.ts";
import { existingPodWarnings } from "./existing.ts";
import {
	isPrivileged,
	levelLabel,
	type Mode,
	mayForbidMore,
	modes,
	type Policy,
	policyOf,
	samePolicy,
	showPolicy,
	versionLabel,
} from "./policy.ts";

type Extract = (object: KubeObject) => PodTemplateSpec | undefined;

const template: Extract = (object) => (object["spec"] as { template?: PodTemplateSpec } | undefined)?.template;

/** Where the pods that these kinds make are described. */
const templates: Readonly<Record<string, Extract>> = {
	replicationcontrollers: template,
	podtemplates: (object) => object["template"] as PodTemplateSpec | undefined,
	"apps/replicasets": template,
	"apps/deployments": template,
	"apps/statefulsets": template,
	"apps/daemonsets": template,
	"batch/jobs": template,
	"batch/cronjobs": (object) =>
		(object["spec"] as { jobTemplate?: { spec?: { template?: PodTemplateSpec } } } | undefined)?.jobTemplate?.spec
			?.template,
};

/** Subresources of pods that leave the pod as it is. Others, also those to come, are looked at. */
const harmless: ReadonlySet<string> = new Set([
	"exec",
	"attach",
	"binding",
	"eviction",
	"log",
	"portforward",
	"proxy",
	"status",
]);

const subjectOf = ({ metadata = {}, spec = {} }: Pod | PodTemplateSpec): Subject => ({ metadata, spec });

/** Of what a pod's update may change, its images and its ephemeral containers are worth another look. */
function changesContainers(pod: Pod, old: Pod): boolean {
	const differ = (now: readonly Container[] = [], before: readonly Container[] = []) =>
		now.length !== before.length || now.some((c, i) => c.image !== before[i]?.image);
	if (differ(pod.spec?.containers, old.spec?.containers)) return true;
	if (differ(pod.spec?.initContainers, old.spec?.initContainers)) return true;
	const before = new Map((old.spec?.ephemeralContainers ?? []).map((c) => [c.name, c.image]));
	return (pod.spec?.ephemeralContainers ?? []).some((c) => !before.has(c.name) || before.get(c.name) !== c.image);
}

/** Told to who labels a namespace that is exempt; "" where the labels want no more than the defaults. */
function exemptWarning(namespace: Namespace, policy: Policy, defaults: Policy): string {
	const isSame = (mode: Mode) =>
		samePolicy(policy[mode], defaults[mode]) ||
		(policy[mode].level === "privileged" && defaults[mode].level === "privileged");
	if (isPrivileged(policy) || modes.every(isSame)) return "";
	const labels = namespace.metadata?.labels ?? {};
	const isSaid = (mode: Mode) => Object.hasOwn(labels, levelLabel(mode)) || Object.hasOwn(labels, versionLabel(mode));
	const shown = modes
		.filter((mode) => policy[mode].level !== "privileged" && isSaid(mode))
		.map((mode) => `${mode}=${showPolicy(policy[mode])}`);
	return `namespace ${JSON.stringify(namespace.metadata?.name)} is exempt from Pod Security, and the policy (${shown.join(", ")}) will be ignored`;
}

/** `audit` is told what mode audit finds. */
export function podSecurity(
	{ defaults, exemptions }: PodSecurityConfiguration,
	audit: (attributes: AdmissionAttributes, violation: string) => void,
): AdmissionPlugin {
	async function admitNamespace(a: AdmissionAttributes, lookups: AdmissionLookups): Promise<void> {
		if (a.subresource !== "") return;
		const namespace = a.object as Namespace;
		const name = nameOf(a);
		const { policy, errors } = policyOf(namespace.metadata?.labels, defaults);
		const old = a.operation === "UPDATE" ? policyOf((a.oldObject as Namespace).metadata?.labels, defaults) : undefined;
		const sameErrors = old !== undefined && JSON.stringify(old.errors) === JSON.stringify(errors);
		if (errors.length > 0 && !sameErrors) throw invalid("", "Namespace", name, errors);
		if (old !== undefined && !mayForbidMore(policy.enforce, old.policy.enforce)) return;
		if (exemptions.namespaces.has(name)) {
			const warning = exemptWarning(namespace, policy, defaults);
			if (warning !== "") a.warn(warning);
			return;
		}
		if (old === undefined) return;
		const pods = lookups.podsIn(name);
		const warnings = await existingPodWarnings(name, policy.enforce, pods, exemptions.runtimeClasses);
		for (const text of warnings) a.warn(text);
	}

	const isExempt = (a: AdmissionAttributes) =>
		exemptions.namespaces.has(a.namespace) || (a.user.username !== "" && exemptions.usernames.has(a.user.username));

	/** The policy of the request's namespace; undefined: there is no such namespace. */
	async function policyFor(a: AdmissionAttributes, lookups: AdmissionLookups): Promise<Policy | undefined> {
		const namespace = await lookups.namespace(a.namespace);
		return namespace === undefined ? undefined : policyOf(namespace.metadata?.labels, defaults).policy;
	}

	async function admitPod(a: AdmissionAttributes, lookups: AdmissionLookups): Promise<void> {
		if (harmless.has(a.subresource) || isExempt(a)) return;
		const policy = await policyFor(a, lookups);
		if (policy === undefined) throw internalError(`failed to lookup namespace ${JSON.stringify(a.namespace)}`);
		const pod = a.object as Pod;
		if (isPrivileged(policy)) return;
		if (a.operation === "UPDATE" && !changesContainers(pod, a.oldObject as Pod)) return;
		judge(a, policy, subjectOf(pod), true);
	}

	async function admitTemplate(a: AdmissionAttributes, lookups: AdmissionLookups, extract: Extract): Promise<void> {
		if (a.subresource !== "" || isExempt(a)) return;
		const policy = await policyFor(a, lookups);
		// What cannot be judged is not refused: the pods will be.
		if (policy === undefined || (policy.warn.level === "privileged" && policy.audit.level === "privileged")) return;
		const found = extract(a.object as KubeObject);
		if (found !== undefined) judge(a, policy, subjectOf(found), false);
	}

	function judge(a: AdmissionAttributes, policy: Policy, subject: Subject, enforced: boolean): void {
		if (exemptions.runtimeClasses.has(subject.spec.runtimeClassName ?? "")) return;
		const told = (mode: Mode) => {
			const findings = evaluate(policy[mode], subject);
			return findings.length === 0 ? "" : `PodSecurity "${showPolicy(policy[mode])}": ${tellDetails(findings)}`;
		};
		const violation = told("audit");
		if (violation !== "") audit(a, `would violate ${violation}`);
		const refusal = enforced ? told("enforce") : "";
		if (refusal !== "") throw forbidden(a.resource, a.name || (subject.metadata.name ?? ""), `violates ${refusal}`);
		const warning = told("warn");
		if (warning !== "") a.warn(`would violate ${warning}`);
	}

	return {
		name: "PodSecurity",
		async validate(a, lookups) {
			if ((a.operation !== "CREATE" && a.operation !== "UPDATE") || a.object === undefined) return;
			const { group, resource } = a.resource;
			const key = group === "" ? resource : `${group}/${resource}`;
			if (key === "namespaces") return admitNamespace(a, lookups);
			if (key === "pods") return admitPod(a, lookups);
			const extract = Object.hasOwn(templates, key) ? templates[key] : undefined;
			if (extract !== undefined) return admitTemplate(a, lookups, extract);
		},
	};
}
