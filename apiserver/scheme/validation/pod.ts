/** Pods and pod templates. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
} from "../../machinery/errors.ts";
import { deepClone, deepEqual } from "../../machinery/meta.ts";
import {
	dns1123LabelProblems,
	dns1123SubdomainProblems,
	labelValueProblems,
	qualifiedNameProblems,
} from "../../machinery/names.ts";
import type {
	Affinity,
	ContainerStatus,
	KeyToPath,
	NodeSelectorTerm,
	Pod,
	PodAffinityTerm,
	PodSpec,
	PodTemplateSpec,
	Toleration,
	Volume,
	VolumeProjection,
} from "../types.gen.ts";
import {
	each,
	immutable,
	isIPv4,
	isIPv6,
	labelSelector,
	labels,
	nonNegative,
	oneOf,
	problems,
	qualifiedName,
	required,
	requiredOneOf,
} from "./common.ts";
import { containers, localPath, type PodFacts, resources } from "./container.ts";
import { templateMeta } from "./meta.ts";

const maxInt32 = 2 ** 31 - 1;
const maxFileMode = 0o777;

export const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function fileMode(path: string, mode: number | undefined): FieldError[] {
	if (mode === undefined || (mode >= 0 && mode <= maxFileMode)) return [];
	return [fieldInvalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")];
}

const items = (path: string, given: readonly KeyToPath[] | undefined): FieldError[] =>
	each(path, given, (at, item) => [
		...required(`${at}.key`, item.key),
		...required(`${at}.path`, item.path),
		...(item.path ? localPath(`${at}.path`, item.path) : []),
		...fileMode(`${at}.mode`, item.mode),
	]);

function projection(path: string, given: VolumeProjection): FieldError[] {
	const names = Object.keys(given);
	if (names.length === 0) return [fieldRequired(path, "may not be empty")];
	if (names.length > 1) return [fieldForbidden(path, "may not specify more than 1 volume type per source")];
	const errors: FieldError[] = [];
	if (given.secret !== undefined) {
		append(errors, [
			...required(`${path}.secret.name`, given.secret.name),
			...items(`${path}.secret.items`, given.secret.items),
		]);
	}
	if (given.configMap !== undefined) {
		append(errors, [
			...required(`${path}.configMap.name`, given.configMap.name),
			...items(`${path}.configMap.items`, given.configMap.items),
		]);
	}
	const token = given.serviceAccountToken;
	if (token !== undefined) {
		if ((token.expirationSeconds ?? 3600) < 600) {
			errors.push(
				fieldInvalid(
					`${path}.serviceAccountToken.expirationSeconds`,
					token.expirationSeconds,
					"may not specify a duration less than 10 minutes",
				),
			);
		}
		append(errors, required(`${path}.serviceAccountToken.path`, token.path));
	}
	return errors;
}

function volumeSource(path: string, volume: Volume): FieldError[] {
	const types = Object.keys(volume).filter((key) => key !== "name");
	const [first, ...others] = types;
	if (first === undefined) return [fieldRequired(path, "must specify a volume type")];
	const errors = others.map((type) => fieldForbidden(`${path}.${type}`, "may not specify more than 1 volume type"));
	if (volume.secret !== undefined) {
		append(errors, [
			...required(`${path}.secret.secretName`, volume.secret.secretName),
			...fileMode(`${path}.secret.defaultMode`, volume.secret.defaultMode),
			...items(`${path}.secret.items`, volume.secret.items),
		]);
	}
	if (volume.configMap !== undefined) {
		append(errors, [
			...required(`${path}.configMap.name`, volume.configMap.name),
			...fileMode(`${path}.configMap.defaultMode`, volume.configMap.defaultMode),
			...items(`${path}.configMap.items`, volume.configMap.items),
		]);
	}
	if (volume.hostPath !== undefined) {
		if (!volume.hostPath.path) errors.push(fieldRequired(`${path}.hostPath.path`));
		else if (volume.hostPath.path.split("/").includes("..")) {
			errors.push(fieldInvalid(`${path}.hostPath.path`, volume.hostPath.path, "must not contain '..'"));
		}
		append(
			errors,
			oneOf(`${path}.hostPath.type`, volume.hostPath.type, [
				"",
				"DirectoryOrCreate",
				"Directory",
				"FileOrCreate",
				"File",
				"Socket",
				"CharDevice",
				"BlockDevice",
			]),
		);
	}
	if (volume.persistentVolumeClaim !== undefined) {
		append(errors, required(`${path}.persistentVolumeClaim.claimName`, volume.persistentVolumeClaim.claimName));
	}
	if (volume.projected !== undefined) {
		append(errors, [
			...fileMode(`${path}.projected.defaultMode`, volume.projected.defaultMode),
			...each(`${path}.projected.sources`, volume.projected.sources, projection),
		]);
	}
	return errors;
}

function volumes(path: string, given: readonly Volume[] | undefined): FieldError[] {
	const names = new Set<string>();
	return each(path, given, (at, volume) => {
		const errors: FieldError[] = [];
		if (!volume.name) errors.push(fieldRequired(`${at}.name`));
		else {
			append(errors, problems(`${at}.name`, volume.name, dns1123LabelProblems(volume.name)));
			if (names.has(volume.name)) errors.push(fieldDuplicate(`${at}.name`, volume.name));
			names.add(volume.name);
		}
		append(errors, volumeSource(at, volume));
		return errors;
	});
}

function tolerations(path: string, given: readonly Toleration[] | undefined): FieldError[] {
	return each(path, given, (at, toleration) => {
		const errors: FieldError[] = [];
		if (toleration.key) append(errors, qualifiedName(`${at}.key`, toleration.key));
		const operator = toleration.operator ?? "";
		if (!toleration.key && operator !== "Exists") {
			errors.push(
				fieldInvalid(
					`${at}.operator`,
					operator,
					'operator must be Exists when `key` is empty, which means "match all values and all keys"',
				),
			);
		}
		if (toleration.tolerationSeconds !== undefined && toleration.effect !== "NoExecute") {
			errors.push(
				fieldInvalid(
					`${at}.effect`,
					toleration.effect ?? "",
					"effect must be 'NoExecute' when `tolerationSeconds` is set",
				),
			);
		}
		if (operator === "" || operator === "Equal") {
			append(errors, problems(`${at}.operator`, toleration.value ?? "", labelValueProblems(toleration.value ?? "")));
		} else if (operator === "Exists") {
			if (toleration.value) {
				errors.push(fieldInvalid(`${at}.operator`, toleration, "value must be empty when `operator` is 'Exists'"));
			}
		} else errors.push(fieldNotSupported(`${at}.operator`, operator, ["Equal", "Exists"]));
		append(errors, oneOf(`${at}.effect`, toleration.effect, taintEffects));
		return errors;
	});
}

function nodeSelectorTerm(path: string, term: NodeSelectorTerm): FieldError[] {
	return each(`${path}.matchExpressions`, term.matchExpressions, (at, expression) => {
		const errors: FieldError[] = [];
		const count = expression.values?.length ?? 0;
		switch (expression.operator) {
			case "In":
			case "NotIn":
				if (count === 0)
					errors.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
				break;
			case "Exists":
			case "DoesNotExist":
				if (count > 0) {
					errors.push(
						fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
					);
				}
				break;
			case "Gt":
			case "Lt":
				if (count !== 1) {
					errors.push(fieldRequired(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
				}
				break;
			default:
				errors.push(fieldInvalid(`${at}.operator`, expression.operator ?? "", "not a valid selector operator"));
		}
		return [...errors, ...qualifiedName(`${at}.key`, expression.key ?? "")];
	});
}

function affinityTerm(path: string, term: PodAffinityTerm): FieldError[] {
	const errors = [
		...labelSelector(`${path}.labelSelector`, term.labelSelector),
		...labelSelector(`${path}.namespaceSelector`, term.namespaceSelector),
	];
	if (!term.topologyKey) errors.push(fieldRequired(`${path}.topologyKey`, "can not be empty"));
	else append(errors, qualifiedName(`${path}.topologyKey`, term.topologyKey));
	return errors;
}

function weight(path: string, value: number | undefined): FieldError[] {
	const given = value ?? 0;
	return given < 1 || given > 100 ? [fieldInvalid(path, given, "must be in the range 1-100")] : [];
}

function affinity(path: string, given: Affinity | undefined): FieldError[] {
	if (given === undefined) return [];
	const errors: FieldError[] = [];
	const node = given.nodeAffinity;
	const hard = node?.requiredDuringSchedulingIgnoredDuringExecution;
	if (hard !== undefined) {
		const at = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
		if ((hard.nodeSelectorTerms?.length ?? 0) === 0) {
			errors.push(fieldRequired(at, "must have at least one node selector term"));
		}
		append(errors, each(at, hard.nodeSelectorTerms, nodeSelectorTerm));
	}
	append(
		errors,
		each(
			`${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`,
			node?.preferredDuringSchedulingIgnoredDuringExecution,
			(at, term) => [
				...weight(`${at}.weight`, term.weight),
				...nodeSelectorTerm(`${at}.preference`, term.preference ?? {}),
			],
		),
	);
	for (const name of ["podAffinity", "podAntiAffinity"] as const) {
		const pod = given[name];
		append(errors, [
			...each(
				`${path}.${name}.requiredDuringSchedulingIgnoredDuringExecution`,
				pod?.requiredDuringSchedulingIgnoredDuringExecution,
				affinityTerm,
			),
			...each(
				`${path}.${name}.preferredDuringSchedulingIgnoredDuringExecution`,
				pod?.preferredDuringSchedulingIgnoredDuringExecution,
				(at, term) => [
					...weight(`${at}.weight`, term.weight),
					...affinityTerm(`${at}.podAffinityTerm`, term.podAffinityTerm ?? {}),
				],
			),
		]);
	}
	return errors;
}

function spread(path: string, spec: PodSpec): FieldError[] {
	return each(path, spec.topologySpreadConstraints, (at, constraint) => {
		const errors: FieldError[] = [];
		if ((constraint.maxSkew ?? 0) <= 0) {
			errors.push(fieldInvalid(`${at}.maxSkew`, constraint.maxSkew ?? 0, "must be greater than zero"));
		}
		if (!constraint.topologyKey) errors.push(fieldRequired(`${at}.topologyKey`, "can not be empty"));
		else append(errors, qualifiedName(`${at}.topologyKey`, constraint.topologyKey));
		append(
			errors,
			oneOf(`${at}.whenUnsatisfiable`, constraint.whenUnsatisfiable ?? "", ["DoNotSchedule", "ScheduleAnyway"]),
		);
		append(errors, labelSelector(`${at}.labelSelector`, constraint.labelSelector));
		return errors;
	});
}

function names(path: string, spec: PodSpec): FieldError[] {
	const errors: FieldError[] = [];
	if (spec.hostname) append(errors, problems(`${path}.hostname`, spec.hostname, dns1123LabelProblems(spec.hostname)));
	if (spec.subdomain)
		append(errors, problems(`${path}.subdomain`, spec.subdomain, dns1123LabelProblems(spec.subdomain)));
	for (const name of ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"] as const) {
		const value = spec[name];
		if (value) append(errors, problems(`${path}.${name}`, value, dns1123SubdomainProblems(value)));
	}
	if (spec.schedulerName) {
		append(errors, problems(`${path}.schedulerName`, spec.schedulerName, qualifiedNameProblems(spec.schedulerName)));
	}
	return errors;
}

const restartPolicies = ["Always", "OnFailure", "Never"];

function restartPolicy(path: string, policy: string | undefined): FieldError[] {
	if (policy === undefined || policy === "") return [fieldRequired(path)];
	// Upstream shows these in their own order.
	return restartPolicies.includes(policy) ? [] : [fieldNotSupported(path, policy, restartPolicies)];
}

/** A pod's spec at `path` (`spec`, `spec.template.spec`). */
export function podSpec(path: string, spec: PodSpec): FieldError[] {
	const facts: PodFacts = {
		volumes: new Set((spec.volumes ?? []).map((v) => v.name ?? "")),
		gracePeriodSeconds: spec.terminationGracePeriodSeconds,
		restartPolicy: spec.restartPolicy,
	};
	const deadline = spec.activeDeadlineSeconds;
	return [
		...volumes(`${path}.volumes`, spec.volumes),
		...containers(path, spec, facts),
		...restartPolicy(`${path}.restartPolicy`, spec.restartPolicy),
		...requiredOneOf(`${path}.dnsPolicy`, spec.dnsPolicy, [
			"ClusterFirstWithHostNet",
			"ClusterFirst",
			"Default",
			"None",
		]),
		...(spec.dnsPolicy === "None" && (spec.dnsConfig?.nameservers?.length ?? 0) === 0
			? [
					fieldRequired(
						`${path}.dnsConfig.nameservers`,
						"must provide at least one DNS nameserver when `dnsPolicy` is None",
					),
				]
			: []),
		...labels(`${path}.nodeSelector`, spec.nodeSelector),
		...(deadline !== undefined && (deadline < 1 || deadline > maxInt32)
			? [fieldInvalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${maxInt32}, inclusive`)]
			: []),
		...names(path, spec),
		...affinity(`${path}.affinity`, spec.affinity),
		...tolerations(`${path}.tolerations`, spec.tolerations),
		...spread(`${path}.topologySpreadConstraints`, spec),
		...each(`${path}.hostAliases`, spec.hostAliases, (at, alias) =>
			isIPv4(alias.ip ?? "") || isIPv6(alias.ip ?? "")
				? []
				: [fieldInvalid(`${at}.ip`, alias.ip ?? "", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")],
		),
		...nonNegative(`${path}.securityContext.fsGroup`, spec.securityContext?.fsGroup),
		...nonNegative(`${path}.securityContext.runAsUser`, spec.securityContext?.runAsUser),
		...nonNegative(`${path}.securityContext.runAsGroup`, spec.securityContext?.runAsGroup),
		...oneOf(`${path}.preemptionPolicy`, spec.preemptionPolicy, ["Never", "PreemptLowerPriority"]),
		...each(`${path}.schedulingGates`, spec.schedulingGates, (at, gate) =>
			qualifiedName(`${at}.name`, gate.name ?? ""),
		),
		...each(`${path}.readinessGates`, spec.readinessGates, (at, gate) =>
			qualifiedName(`${at}.conditionType`, gate.conditionType ?? ""),
		),
		...resources(`${path}.resources`, spec.resources),
	];
}

/** A template at `path` (`spec.template`). */
export const podTemplate = (path: string, template: PodTemplateSpec | undefined): FieldError[] => [
	...templateMeta(`${path}.metadata`, template?.metadata),
	...podSpec(`${path}.spec`, template?.spec ?? {}),
	...((template?.spec?.ephemeralContainers?.length ?? 0) > 0
		? [fieldForbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template")]
		: []),
];

export function validatePod(pod: Pod): FieldError[] {
	const errors = podSpec("spec", pod.spec ?? {});
	if ((pod.spec?.ephemeralContainers?.length ?? 0) > 0) {
		errors.push(fieldForbidden("spec.ephemeralContainers", "cannot be set on create"));
	}
	return errors;
}

const updatable = [
	"`spec.containers[*].image`",
	"`spec.initContainers[*].image`",
	"`spec.activeDeadlineSeconds`",
	"`spec.tolerations` (only additions to existing tolerations)",
	"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

/** Paths at which two values differ, for the text of an error. */
function differences(path: string, a: unknown, b: unknown, found: string[], limit = 10): string[] {
	if (found.length >= limit || deepEqual(a, b)) return found;
	const both =
		typeof a === "object" && typeof b === "object" && a !== null && b !== null && Array.isArray(a) === Array.isArray(b);
	if (!both) {
		found.push(`- ${path}: ${JSON.stringify(a)}\n+ ${path}: ${JSON.stringify(b)}`);
		return found;
	}
	for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
		const at = Array.isArray(a) ? `${path}[${key}]` : `${path}.${key}`;
		differences(at, (a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], found, limit);
	}
	return found;
}

function tolerationUpdate(path: string, spec: PodSpec, old: PodSpec): FieldError[] {
	const textOf = (t: Toleration, seconds: number | undefined) =>
		JSON.stringify([t.key, t.operator, t.value, t.effect, seconds]);
	const given = new Set((spec.tolerations ?? []).map((t) => textOf(t, t.tolerationSeconds)));
	const givenForever = new Set((spec.tolerations ?? []).map((t) => textOf(t, undefined)));
	for (const before of old.tolerations ?? []) {
		const kept =
			given.has(textOf(before, before.tolerationSeconds)) ||
			(before.effect === "NoExecute" && givenForever.has(textOf(before, undefined)));
		if (!kept) {
			return [fieldForbidden(path, "existing toleration can not be modified except its tolerationSeconds")];
		}
	}
	return [];
}

function gatesUpdate(path: string, spec: PodSpec, old: PodSpec): FieldError[] {
	const before = new Set((old.schedulingGates ?? []).map((g) => g.name));
	const added = (spec.schedulingGates ?? []).filter((g) => !before.has(g.name)).map((g) => g.name);
	if (added.length === 0) return [];
	return [fieldForbidden(path, `only deletion is allowed, but found new scheduling gates '${added.join(",")}'`)];
}

function deadlineUpdate(path: string, spec: PodSpec, old: PodSpec): FieldError[] {
	const value = spec.activeDeadlineSeconds;
	const before = old.activeDeadlineSeconds;
	if (before === undefined || deepEqual(value, before)) return [];
	if (value === undefined) return [fieldInvalid(path, null, "must not update from a positive integer to nil value")];
	return value > before ? [fieldInvalid(path, value, "must be less than or equal to previous value")] : [];
}

/** The spec of a pod is fixed but for a few fields; binding and status have their own ways in. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
	const spec = pod.spec ?? {};
	const before = old.spec ?? {};
	const errors: FieldError[] = [];
	if (spec.containers?.length !== before.containers?.length) {
		return [fieldForbidden("spec.containers", "pod updates may not add or remove containers")];
	}
	if ((spec.initContainers?.length ?? 0) !== (before.initContainers?.length ?? 0)) {
		return [fieldForbidden("spec.initContainers", "pod updates may not add or remove containers")];
	}
	for (const list of ["containers", "initContainers"] as const) {
		for (const [i, container] of (spec[list] ?? []).entries()) {
			if (!container.image?.trim()) errors.push(fieldRequired(`spec.${list}[${i}].image`));
		}
	}
	append(errors, deadlineUpdate("spec.activeDeadlineSeconds", spec, before));
	append(errors, tolerationUpdate("spec.tolerations", spec, before));
	append(errors, tolerations("spec.tolerations", spec.tolerations));
	append(errors, gatesUpdate("spec.schedulingGates", spec, before));
	const munged = mungeUpdatable(spec, before);
	if (!deepEqual(munged, before)) {
		const diff = differences("spec", before, munged, []).join("\n");
		errors.push(fieldForbidden("spec", `pod updates may not change fields other than ${updatable}\n${diff}`));
	}
	return errors;
}

/** The new spec with its updatable fields set back, so that the rest can be compared. */
function mungeUpdatable(spec: PodSpec, before: PodSpec): PodSpec {
	const munged = deepClone(spec);
	for (const list of ["containers", "initContainers"] as const) {
		for (const [i, container] of (munged[list] ?? []).entries()) {
			const image = before[list]?.[i]?.image;
			if (image !== undefined) container.image = image;
		}
	}
	const restore = <K extends keyof PodSpec>(name: K) => {
		if (before[name] === undefined) delete munged[name];
		else munged[name] = before[name];
	};
	restore("activeDeadlineSeconds");
	restore("tolerations");
	restore("schedulingGates");
	if ((before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1) {
		restore("terminationGracePeriodSeconds");
	}
	// While gated, the places a pod may go can be narrowed.
	if ((before.schedulingGates?.length ?? 0) > 0) {
		restore("nodeSelector");
		restore("affinity");
	}
	return munged;
}

function noResurrection(
	path: string,
	statuses: readonly ContainerStatus[] | undefined,
	old: readonly ContainerStatus[] | undefined,
	restartPolicy: string | undefined,
): FieldError[] {
	if (restartPolicy === "Always") return [];
	const errors: FieldError[] = [];
	for (const [i, before] of (old ?? []).entries()) {
		const ended = before.state?.terminated;
		if (ended === undefined || (ended.exitCode !== 0 && restartPolicy === "OnFailure")) continue;
		const now = statuses?.find((s) => s.name === before.name);
		if (now !== undefined && now.state?.terminated === undefined) {
			errors.push(fieldForbidden(`${path}[${i}].state`, "may not be transitioned to non-terminated state"));
		}
	}
	return errors;
}

const systemConditions: ReadonlySet<string> = new Set(["PodScheduled", "Ready", "Initialized"]);

export function validatePodStatusUpdate(pod: Pod, old: Pod): FieldError[] {
	const status = pod.status ?? {};
	const errors: FieldError[] = [];
	for (const [i, condition] of (status.conditions ?? []).entries()) {
		if (!systemConditions.has(condition.type ?? "")) {
			append(errors, qualifiedName(`metadata.conditions[${i}].Type`, condition.type ?? ""));
		}
	}
	if (pod.spec?.nodeName !== old.spec?.nodeName) {
		errors.push(fieldForbidden("status.nodeName", "may not be changed directly"));
	}
	if (old.status?.qosClass !== undefined) {
		append(errors, immutable("status.qosClass", status.qosClass, old.status.qosClass));
	}
	append(
		errors,
		noResurrection(
			"status.containerStatuses",
			status.containerStatuses,
			old.status?.containerStatuses,
			old.spec?.restartPolicy,
		),
	);
	return errors;
}
