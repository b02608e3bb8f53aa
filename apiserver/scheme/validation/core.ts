/** Config maps, secrets, namespaces, nodes, events, leases, RBAC, and the kinds that are only created. */
import { append } from "../../../kit/lists.ts";
import {
	type FieldError,
	fieldDuplicate,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldRequired,
	fieldTooLong,
} from "../../machinery/errors.ts";
import { deepEqual } from "../../machinery/meta.ts";
import {
	configMapKeyProblems,
	labelValueProblems,
	pathSegmentProblems,
	qualifiedNameProblems,
} from "../../machinery/names.ts";
import type {
	Binding,
	ClusterRole,
	ClusterRoleBinding,
	ConfigMap,
	Event,
	EventsEvent,
	Lease,
	Namespace,
	Node,
	PolicyRule,
	Role,
	RoleBinding,
	Secret,
	SelfSubjectAccessReview,
	Subject,
	SubjectAccessReview,
	SubjectAccessReviewSpec,
	TokenRequest,
	TokenReview,
} from "../types.gen.ts";
import {
	each,
	immutable,
	labelSelector,
	nonNegative,
	oneOf,
	positive,
	problems,
	qualifiedName,
	required,
} from "./common.ts";
import { resourceAmounts } from "./container.ts";
import { finalizerName } from "./meta.ts";
import { taintEffects } from "./pod.ts";

/** All data of a ConfigMap or Secret together. */
const maxDataBytes = 1024 * 1024;
const frozen = "field is immutable when `immutable` is set";

/** Bytes that a base64 text stands for. */
const decodedLength = (text: string) => (text.length / 4) * 3 - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0);

export function validateConfigMap(map: ConfigMap): FieldError[] {
	const errors: FieldError[] = [];
	let size = 0;
	for (const [key, value] of Object.entries(map.data ?? {})) {
		append(errors, problems(`data[${key}]`, key, configMapKeyProblems(key)));
		if (map.binaryData !== undefined && Object.hasOwn(map.binaryData, key)) {
			errors.push(fieldInvalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
		}
		size += Buffer.byteLength(value);
	}
	for (const [key, value] of Object.entries(map.binaryData ?? {})) {
		append(errors, problems(`binaryData[${key}]`, key, configMapKeyProblems(key)));
		size += decodedLength(value);
	}
	if (size > maxDataBytes) errors.push(fieldTooLong("[]", maxDataBytes));
	return errors;
}

/** What `immutable: true` freezes, and that it stays. */
function frozenUpdate<T extends { immutable?: boolean | undefined }>(
	object: T,
	old: T,
	fields: (keyof T & string)[],
): FieldError[] {
	if (old.immutable !== true) return [];
	const errors: FieldError[] = [];
	if (object.immutable !== true) errors.push(fieldForbidden("immutable", frozen));
	for (const field of fields) {
		if (!deepEqual(object[field] ?? {}, old[field] ?? {})) errors.push(fieldForbidden(field, frozen));
	}
	return errors;
}

export const validateConfigMapUpdate = (map: ConfigMap, old: ConfigMap): FieldError[] => [
	...validateConfigMap(map),
	...frozenUpdate(map, old, ["data", "binaryData"]),
];

const requiredKeys: Readonly<Record<string, readonly string[]>> = {
	"kubernetes.io/dockercfg": [".dockercfg"],
	"kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
	"kubernetes.io/ssh-auth": ["ssh-privatekey"],
	"kubernetes.io/tls": ["tls.crt", "tls.key"],
};
const jsonKeys: ReadonlySet<string> = new Set([".dockercfg", ".dockerconfigjson"]);
const accountAnnotation = "kubernetes.io/service-account.name";

function secretType(secret: Secret): FieldError[] {
	const has = (key: string) => secret.data !== undefined && Object.hasOwn(secret.data, key);
	const errors: FieldError[] = [];
	for (const key of requiredKeys[secret.type ?? ""] ?? []) {
		if (!has(key)) errors.push(fieldRequired(`data[${key}]`));
		else if (jsonKeys.has(key)) {
			try {
				JSON.parse(Buffer.from(secret.data?.[key] ?? "", "base64").toString("utf8"));
			} catch (error) {
				errors.push(fieldInvalid(`data[${key}]`, "<secret contents redacted>", (error as Error).message));
			}
		}
	}
	if (secret.type === "kubernetes.io/basic-auth" && !has("username") && !has("password")) {
		errors.push(fieldRequired("data[username]"), fieldRequired("data[password]"));
	}
	if (secret.type === "kubernetes.io/service-account-token" && !secret.metadata?.annotations?.[accountAnnotation]) {
		errors.push(fieldRequired(`metadata.annotations[${accountAnnotation}]`));
	}
	return errors;
}

export function validateSecret(secret: Secret): FieldError[] {
	const errors: FieldError[] = [];
	let size = 0;
	for (const [key, value] of Object.entries(secret.data ?? {})) {
		append(errors, problems(`data[${key}]`, key, configMapKeyProblems(key)));
		size += decodedLength(value);
	}
	if (size > maxDataBytes) errors.push(fieldTooLong("data", maxDataBytes));
	return [...errors, ...secretType(secret)];
}

export const validateSecretUpdate = (secret: Secret, old: Secret): FieldError[] => [
	...immutable("type", secret.type, old.type),
	...frozenUpdate(secret, old, ["data"]),
	...validateSecret(secret),
];

export const validateNamespace = (namespace: Namespace): FieldError[] =>
	each("spec.finalizers", namespace.spec?.finalizers, finalizerName);

export function validateNamespaceStatusUpdate(namespace: Namespace): FieldError[] {
	const phase = namespace.status?.phase;
	if (namespace.metadata?.deletionTimestamp === undefined) {
		return phase === "Active"
			? []
			: [fieldInvalid("status.Phase", phase ?? "", "may only be 'Active' if `deletionTimestamp` is empty")];
	}
	return phase === "Terminating"
		? []
		: [fieldInvalid("status.Phase", phase ?? "", "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}

function taints(node: Node): FieldError[] {
	const seen = new Set<string>();
	return each("metadata.taints", node.spec?.taints, (at, taint) => {
		const errors = [
			...qualifiedName(`${at}.key`, taint.key ?? ""),
			...problems(`${at}.value`, taint.value ?? "", labelValueProblems(taint.value ?? "")),
			...(taint.effect ? oneOf(`${at}.effect`, taint.effect, taintEffects) : [fieldRequired(`${at}.effect`)]),
		];
		const key = `${taint.key}:${taint.effect}`;
		if (seen.has(key)) errors.push(fieldDuplicate(at, taint));
		seen.add(key);
		return errors;
	});
}

export const validateNode = (node: Node): FieldError[] => [
	...taints(node),
	...resourceAmounts("status.capacity", node.status?.capacity),
	...resourceAmounts("status.allocatable", node.status?.allocatable),
];

export function validateNodeUpdate(node: Node, old: Node): FieldError[] {
	const errors = validateNode(node);
	for (const name of ["podCIDR", "providerID"] as const) {
		const before = old.spec?.[name];
		if (before && before !== node.spec?.[name]) {
			errors.push(fieldForbidden(`spec.${name}`, `node updates may not change ${name} except from "" to valid`));
		}
	}
	return errors;
}

const clusterNamespaces: ReadonlySet<string> = new Set(["", "default"]);

/** The namespace of an event is that of the object it is about. */
function eventNamespace(path: string, about: string | undefined, own: string | undefined): FieldError[] {
	const wanted = about ?? "";
	const given = own ?? "";
	if (wanted === given || (wanted === "" && clusterNamespaces.has(given))) return [];
	return [fieldInvalid(path, wanted, "does not match event.namespace")];
}

const maxEventText = 128;
const maxNoteBytes = 1024;

function shortText(path: string, value: string | undefined): FieldError[] {
	if (!value) return [fieldRequired(path)];
	return Buffer.byteLength(value) > maxEventText
		? [fieldInvalid(path, "", `can have at most ${maxEventText} characters`)]
		: [];
}

/** Who reports an event, and what it did: asked of those that carry an eventTime. */
function reporter(controllerField: string, event: EventsEvent): FieldError[] {
	const { reportingController = "" } = event;
	return [
		...required(controllerField, reportingController),
		...problems(controllerField, reportingController, qualifiedNameProblems(reportingController)),
		...shortText("reportingInstance", event.reportingInstance),
		...shortText("action", event.action),
	];
}

/** Events of the old form tell only the namespace of what they are about; those with an eventTime, more. */
export function validateCoreEvent(event: Event): FieldError[] {
	const { metadata, involvedObject, eventTime, reason, message = "" } = event;
	const [about, own] = [involvedObject?.namespace, metadata?.namespace];
	if (eventTime === undefined) return eventNamespace("involvedObject.namespace", about, own);
	const isOfCluster = (about ?? "") === "" && !["default", "kube-system"].includes(own ?? "");
	const errors = isOfCluster ? eventNamespace("involvedObject.namespace", about, own) : [];
	const { reportingComponent, reportingInstance, action } = event;
	append(
		errors,
		reporter("reportingComponent", { reportingController: reportingComponent, reportingInstance, action }),
	);
	append(errors, shortText("reason", reason));
	if (Buffer.byteLength(message) > maxNoteBytes) {
		errors.push(fieldInvalid("message", "", `can have at most ${maxNoteBytes} characters`));
	}
	return errors;
}

/** events.k8s.io/v1 asks for more than core/v1. */
export function validateEvent(event: EventsEvent): FieldError[] {
	const errors: FieldError[] = [];
	if (!event.reportingController) errors.push(fieldRequired("reportingController"));
	else
		append(
			errors,
			problems("reportingController", event.reportingController, qualifiedNameProblems(event.reportingController)),
		);
	append(errors, [
		...shortText("reportingInstance", event.reportingInstance),
		...shortText("action", event.action),
		...shortText("reason", event.reason),
	]);
	if (Buffer.byteLength(event.note ?? "") > maxNoteBytes) {
		errors.push(fieldInvalid("message", "", `can have at most ${maxNoteBytes} characters`));
	}
	if (event.type !== "Normal" && event.type !== "Warning") {
		errors.push(fieldInvalid("type", "", `has invalid value: ${event.type ?? ""}`));
	}
	if (event.eventTime === undefined) errors.push(fieldRequired("eventTime"));
	if (event.series !== undefined) {
		if ((event.series.count ?? 0) < 2) errors.push(fieldInvalid("series.count", "", "should be at least 2"));
		if (event.series.lastObservedTime === undefined) errors.push(fieldRequired("series.lastObservedTime"));
	}
	append(errors, eventNamespace("regarding.namespace", event.regarding?.namespace, event.metadata?.namespace));
	return errors;
}

export function validateEventUpdate(event: EventsEvent, old: EventsEvent): FieldError[] {
	const errors = validateEvent(event);
	for (const name of [
		"regarding",
		"reason",
		"action",
		"reportingController",
		"reportingInstance",
		"type",
		"note",
		"related",
	] as const) {
		append(errors, immutable(name, event[name], old[name]));
	}
	return errors;
}

export const validateLease = (lease: Lease): FieldError[] => [
	...positive("spec.leaseDurationSeconds", lease.spec?.leaseDurationSeconds),
	...nonNegative("spec.leaseTransitions", lease.spec?.leaseTransitions),
];

const rbacGroup = "rbac.authorization.k8s.io";

function policyRule(path: string, rule: PolicyRule, namespaced: boolean): FieldError[] {
	const errors: FieldError[] = [];
	if ((rule.verbs?.length ?? 0) === 0) {
		errors.push(fieldRequired(`${path}.verbs`, "verbs must contain at least one value"));
	}
	if ((rule.nonResourceURLs?.length ?? 0) > 0) {
		if (namespaced) {
			errors.push(
				fieldInvalid(
					`${path}.nonResourceURLs`,
					rule.nonResourceURLs,
					"namespaced rules cannot apply to non-resource URLs",
				),
			);
		}
		if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length) {
			errors.push(
				fieldInvalid(
					`${path}.nonResourceURLs`,
					rule.nonResourceURLs,
					"rules cannot apply to both regular resources and non-resource URLs",
				),
			);
		}
		return errors;
	}
	if ((rule.apiGroups?.length ?? 0) === 0) {
		errors.push(fieldRequired(`${path}.apiGroups`, "resource rules must supply at least one api group"));
	}
	if ((rule.resources?.length ?? 0) === 0) {
		errors.push(fieldRequired(`${path}.resources`, "resource rules must supply at least one resource"));
	}
	return errors;
}

export const validateRole = (role: Role): FieldError[] =>
	each("rules", role.rules, (at, rule) => policyRule(at, rule, true));

export function validateClusterRole(role: ClusterRole): FieldError[] {
	const errors = each("rules", role.rules, (at, rule) => policyRule(at, rule, false));
	if (role.aggregationRule === undefined) return errors;
	const path = "aggregationRule.clusterRoleSelectors";
	const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
	if (selectors.length === 0) {
		errors.push(fieldRequired(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
	}
	return [...errors, ...each(path, selectors, (at, selector) => labelSelector(at, selector))];
}

function subject(path: string, given: Subject, namespaced: boolean): FieldError[] {
	const errors: FieldError[] = [];
	if (!given.name) errors.push(fieldRequired(`${path}.name`));
	switch (given.kind) {
		case "ServiceAccount":
			if (given.apiGroup) errors.push(fieldNotSupported(`${path}.apiGroup`, given.apiGroup, [""]));
			if (!namespaced && !given.namespace) errors.push(fieldRequired(`${path}.namespace`));
			break;
		case "User":
		case "Group":
			if (given.apiGroup !== rbacGroup) {
				errors.push(fieldNotSupported(`${path}.apiGroup`, given.apiGroup ?? "", [rbacGroup]));
			}
			break;
		default:
			errors.push(fieldNotSupported(`${path}.kind`, given.kind ?? "", ["ServiceAccount", "User", "Group"]));
	}
	return errors;
}

function roleBinding(
	binding: RoleBinding | ClusterRoleBinding,
	kinds: readonly string[],
	namespaced: boolean,
): FieldError[] {
	const ref = binding.roleRef ?? {};
	const errors: FieldError[] = [];
	if (ref.apiGroup !== rbacGroup) errors.push(fieldNotSupported("roleRef.apiGroup", ref.apiGroup ?? "", [rbacGroup]));
	if (!kinds.includes(ref.kind ?? "")) errors.push(fieldNotSupported("roleRef.kind", ref.kind ?? "", kinds));
	if (!ref.name) errors.push(fieldRequired("roleRef.name"));
	else append(errors, problems("roleRef.name", ref.name, pathSegmentProblems(ref.name)));
	append(
		errors,
		each("subjects", binding.subjects, (at, s) => subject(at, s, namespaced)),
	);
	return errors;
}

export const validateRoleBinding = (binding: RoleBinding): FieldError[] =>
	roleBinding(binding, ["Role", "ClusterRole"], true);

export const validateClusterRoleBinding = (binding: ClusterRoleBinding): FieldError[] =>
	roleBinding(binding, ["ClusterRole"], false);

/** A binding's role is part of what was granted: another role needs another binding. */
export const roleRefUpdate = (
	binding: RoleBinding | ClusterRoleBinding,
	old: RoleBinding | ClusterRoleBinding,
): FieldError[] => {
	if (deepEqual(binding.roleRef, old.roleRef)) return [];
	const { apiGroup = "", kind = "", name = "" } = binding.roleRef ?? {};
	// Upstream shows its internal type, whose fields have no names in JSON.
	return [fieldInvalid("roleRef", { APIGroup: apiGroup, Kind: kind, Name: name }, "cannot change roleRef")];
};

export function validateBinding(binding: Binding): FieldError[] {
	const errors: FieldError[] = [];
	const target = binding.target ?? {};
	if (target.kind && target.kind !== "Node") {
		errors.push(fieldNotSupported("target.kind", target.kind, ["Node", "<empty>"]));
	}
	append(errors, required("target.name", target.name));
	return errors;
}

const minTokenSeconds = 600;

export function validateTokenRequest(request: TokenRequest): FieldError[] {
	const seconds = request.spec?.expirationSeconds ?? 0;
	if (seconds < minTokenSeconds) {
		return [fieldInvalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")];
	}
	if (seconds > 2 ** 32) {
		return [fieldInvalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")];
	}
	return [];
}

export const validateTokenReview = (review: TokenReview): FieldError[] => required("spec.token", review.spec?.token);

function accessSpec(spec: Pick<SubjectAccessReviewSpec, "resourceAttributes" | "nonResourceAttributes">): FieldError[] {
	const both = spec.resourceAttributes !== undefined && spec.nonResourceAttributes !== undefined;
	const none = spec.resourceAttributes === undefined && spec.nonResourceAttributes === undefined;
	if (both) {
		return [
			fieldInvalid(
				"spec.nonResourceAttributes",
				spec.nonResourceAttributes,
				"cannot be specified in combination with resourceAttributes",
			),
		];
	}
	return none
		? [
				fieldInvalid(
					"spec.resourceAttributes",
					null,
					"exactly one of nonResourceAttributes or resourceAttributes must be specified",
				),
			]
		: [];
}

export const validateSelfSubjectAccessReview = (review: SelfSubjectAccessReview): FieldError[] =>
	accessSpec(review.spec ?? {});

export function validateSubjectAccessReview(review: SubjectAccessReview): FieldError[] {
	const spec = review.spec ?? {};
	const errors = accessSpec(spec);
	if (!spec.user && (spec.groups?.length ?? 0) === 0) {
		errors.push(fieldInvalid("spec.user", spec.user ?? "", "at least one of user or group must be specified"));
	}
	return errors;
}
