/**
 * What an object must fulfil to be stored. All failures are gathered, in upstream's order where users see it; an empty
 * list means the object is valid. Objects are normalized and defaulted before.
 */
import type { FieldError } from "../../machinery/errors.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems, pathSegmentProblems } from "../../machinery/names.ts";
import type { KubeObject } from "../object.ts";
import { findKind, parseApiVersion } from "../resources.ts";
import {
	roleRefUpdate,
	validateBinding,
	validateClusterRole,
	validateClusterRoleBinding,
	validateConfigMap,
	validateConfigMapUpdate,
	validateCoreEvent,
	validateEvent,
	validateEventUpdate,
	validateLease,
	validateNamespace,
	validateNamespaceStatusUpdate,
	validateNode,
	validateNodeUpdate,
	validateRole,
	validateRoleBinding,
	validateSecret,
	validateSecretUpdate,
	validateSelfSubjectAccessReview,
	validateSubjectAccessReview,
	validateTokenRequest,
	validateTokenReview,
} from "./core.ts";
import { validateEndpointSlice, validateEndpointSliceUpdate, validateEndpoints } from "./endpoints.ts";
import { type NameRule, objectMeta, objectMetaUpdate } from "./meta.ts";
import { validatePod, validatePodStatusUpdate, validatePodUpdate } from "./pod.ts";
import { validateService, validateServiceUpdate } from "./service.ts";
import {
	validateDeployment,
	validateDeploymentStatusUpdate,
	validateDeploymentUpdate,
	validateJobCreate,
	validateJobStatusUpdate,
	validateJobUpdate,
	validateReplicaSet,
	validateReplicaSetStatusUpdate,
	validateReplicaSetUpdate,
	validateScale,
} from "./workloads.ts";

interface KindRules {
	/** By default an RFC 1123 subdomain. */
	readonly name?: NameRule;
	create?(object: never): FieldError[];
	/** By default what create checks. */
	update?(object: never, old: never): FieldError[];
	/** By default metadata only. */
	status?(object: never, old: never): FieldError[];
}

const rules: Readonly<Record<string, KindRules>> = {
	"v1 Namespace": {
		name: dns1123LabelProblems,
		create: validateNamespace,
		status: validateNamespaceStatusUpdate,
	},
	"v1 Node": { create: validateNode, update: validateNodeUpdate, status: validateNodeUpdate },
	"v1 Pod": { create: validatePod, update: validatePodUpdate, status: validatePodStatusUpdate },
	// Since 1.36 a name may begin with a digit (RelaxedServiceNameValidation).
	"v1 Service": { name: dns1123LabelProblems, create: validateService, update: validateServiceUpdate },
	"v1 Endpoints": { create: validateEndpoints },
	"v1 ConfigMap": { create: validateConfigMap, update: validateConfigMapUpdate },
	"v1 Secret": { create: validateSecret, update: validateSecretUpdate },
	"v1 ServiceAccount": {},
	// Their names come of those of what they are about, which for roles may hold colons.
	"v1 Event": { name: pathSegmentProblems, create: validateCoreEvent },
	"v1 Binding": { create: validateBinding },
	"apps/v1 Deployment": {
		create: validateDeployment,
		update: validateDeploymentUpdate,
		status: validateDeploymentStatusUpdate,
	},
	"apps/v1 ReplicaSet": {
		create: validateReplicaSet,
		update: validateReplicaSetUpdate,
		status: validateReplicaSetStatusUpdate,
	},
	"autoscaling/v1 Scale": { create: validateScale },
	"batch/v1 Job": { create: validateJobCreate, update: validateJobUpdate, status: validateJobStatusUpdate },
	"coordination.k8s.io/v1 Lease": { create: validateLease },
	"discovery.k8s.io/v1 EndpointSlice": { create: validateEndpointSlice, update: validateEndpointSliceUpdate },
	"events.k8s.io/v1 Event": { create: validateEvent, update: validateEventUpdate },
	"rbac.authorization.k8s.io/v1 Role": { name: pathSegmentProblems, create: validateRole },
	"rbac.authorization.k8s.io/v1 ClusterRole": { name: pathSegmentProblems, create: validateClusterRole },
	"rbac.authorization.k8s.io/v1 RoleBinding": {
		name: pathSegmentProblems,
		create: validateRoleBinding,
		update: (object, old) => [...validateRoleBinding(object), ...roleRefUpdate(object, old)],
	},
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": {
		name: pathSegmentProblems,
		create: validateClusterRoleBinding,
		update: (object, old) => [...validateClusterRoleBinding(object), ...roleRefUpdate(object, old)],
	},
	"authentication.k8s.io/v1 TokenRequest": { create: validateTokenRequest },
	"authentication.k8s.io/v1 TokenReview": { create: validateTokenReview },
	"authorization.k8s.io/v1 SelfSubjectAccessReview": { create: validateSelfSubjectAccessReview },
	"authorization.k8s.io/v1 SubjectAccessReview": { create: validateSubjectAccessReview },
	"authorization.k8s.io/v1 LocalSubjectAccessReview": { create: validateSubjectAccessReview },
};

const rulesOf = (object: KubeObject): KindRules => rules[`${object.apiVersion} ${object.kind}`] ?? {};

/** Metadata's own rules, for kinds that are stored; the others' metadata has no meaning. */
function metadata(object: KubeObject): FieldError[] {
	const gv = parseApiVersion(object.apiVersion);
	const resource = gv === undefined ? undefined : findKind(gv.group, gv.version, object.kind);
	if (resource === undefined || resource.storagePrefix === "") return [];
	const rule = rulesOf(object).name ?? dns1123SubdomainProblems;
	return objectMeta("metadata", object.metadata ?? {}, resource.namespaced, rule);
}

/** The failures of an object about to be created (its name generated, its namespace set). */
export const validateCreate = (object: KubeObject): FieldError[] => [
	...metadata(object),
	...(rulesOf(object).create?.(object as never) ?? []),
];

/** The failures of an update of `old` to `object`. */
export function validateUpdate(object: KubeObject, old: KubeObject): FieldError[] {
	const kind = rulesOf(object);
	return [
		...metadata(object),
		...objectMetaUpdate("metadata", object.metadata, old.metadata),
		...(kind.update?.(object as never, old as never) ?? kind.create?.(object as never) ?? []),
	];
}

/** The failures of an update through `status`, where spec is `old`'s. */
export function validateStatusUpdate(object: KubeObject, old: KubeObject): FieldError[] {
	return [
		...objectMetaUpdate("metadata", object.metadata, old.metadata),
		...(rulesOf(object).status?.(object as never, old as never) ?? []),
	];
}
