/**
 * The resources this API serves, as one table: adding a kind is adding its row here, its columns in printers/, and what
 * it has of defaults and validation of its own.
 */
import type { GroupVersionResource } from "./object.ts";

export interface SubresourceInfo {
	/** `status`, `scale`, `log`. */
	readonly name: string;
	/** Group, version and kind of its body, which are the parent's for most. */
	readonly group: string;
	readonly version: string;
	readonly kind: string;
	readonly verbs: readonly string[];
	/** Schema message of its body: `autoscaling_v1.Scale`. */
	readonly message: string;
}

export interface ResourceInfo extends GroupVersionResource {
	readonly kind: string;
	/** "" for kinds that are only created, never stored. */
	readonly listKind: string;
	readonly singular: string;
	readonly shortNames: readonly string[];
	readonly categories: readonly string[];
	readonly namespaced: boolean;
	readonly verbs: readonly string[];
	/** Upstream's path in the store under `/registry/`, without slashes at the ends; "" where nothing is stored. */
	readonly storagePrefix: string;
	/** Schema message: `core_v1.Pod`. */
	readonly message: string;
	/** The message in which it is stored; differs for views of another group's objects (events). */
	readonly storageMessage: string;
	/** Field selector keys beside metadata.name and metadata.namespace. */
	readonly selectableFields: readonly string[];
	readonly subresources: readonly SubresourceInfo[];
}

export interface GroupVersion {
	readonly group: string;
	readonly version: string;
}

/** The schema text of each group version. */
const schemaTextOf: Readonly<Record<string, string>> = {
	v1: "core_v1",
	"apps/v1": "apps_v1",
	"batch/v1": "batch_v1",
	"autoscaling/v1": "autoscaling_v1",
	"policy/v1": "policy_v1",
	"coordination.k8s.io/v1": "coordination_v1",
	"discovery.k8s.io/v1": "discovery_v1",
	"events.k8s.io/v1": "events_v1",
	"rbac.authorization.k8s.io/v1": "rbac_v1",
	"authentication.k8s.io/v1": "authentication_v1",
	"authorization.k8s.io/v1": "authorization_v1",
	"meta.k8s.io/v1": "meta_v1",
};

/** `apps/v1`, or `v1` for core. */
export const apiVersionOf = (gv: GroupVersion): string => (gv.group === "" ? gv.version : `${gv.group}/${gv.version}`);

/** The parts of an apiVersion; undefined where it has more than one slash (an unexpected GroupVersion string). */
export function parseApiVersion(apiVersion: string): GroupVersion | undefined {
	const parts = apiVersion.split("/");
	if (parts.length === 1) return { group: "", version: parts[0] ?? "" };
	if (parts.length === 2) return { group: parts[0] ?? "", version: parts[1] ?? "" };
	return undefined;
}

/** The schema text of a group version (`core_v1`), or undefined where it has none. */
export const schemaText = (gv: GroupVersion): string | undefined => schemaTextOf[apiVersionOf(gv)];

const readWrite = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const noDeleteCollection = ["create", "delete", "get", "list", "patch", "update", "watch"];
const onPart = ["get", "patch", "update"];
const createOnly = ["create"];

interface Row {
	readonly kind: string;
	readonly resource: string;
	readonly singular?: string;
	readonly short?: readonly string[];
	readonly all?: boolean;
	readonly clusterScoped?: boolean;
	readonly verbs?: readonly string[];
	readonly stored?: string;
	readonly storedAs?: string;
	readonly fields?: readonly string[];
	readonly sub?: readonly Sub[];
}

interface Sub {
	readonly name: string;
	readonly verbs: readonly string[];
	readonly of?: GroupVersion & { readonly kind: string };
}

const status: Sub = { name: "status", verbs: onPart };
const scale: Sub = { name: "scale", verbs: onPart, of: { group: "autoscaling", version: "v1", kind: "Scale" } };

const eventFields = [
	"involvedObject.kind",
	"involvedObject.namespace",
	"involvedObject.name",
	"involvedObject.uid",
	"involvedObject.apiVersion",
	"involvedObject.resourceVersion",
	"involvedObject.fieldPath",
	"reason",
	"reportingComponent",
	"source",
	"type",
];
const newEventFields = [
	...eventFields.map((f) => f.replace("involvedObject", "regarding")).filter((f) => f !== "source"),
	"reportingController",
];

const rows: ReadonlyArray<readonly [GroupVersion, readonly Row[]]> = [
	[
		{ group: "", version: "v1" },
		[
			{ kind: "Binding", resource: "bindings", verbs: createOnly },
			{ kind: "ConfigMap", resource: "configmaps", short: ["cm"], stored: "configmaps" },
			{ kind: "Endpoints", resource: "endpoints", singular: "endpoints", short: ["ep"], stored: "services/endpoints" },
			{ kind: "Event", resource: "events", short: ["ev"], stored: "events", fields: eventFields },
			{
				kind: "Namespace",
				resource: "namespaces",
				short: ["ns"],
				clusterScoped: true,
				verbs: noDeleteCollection,
				stored: "namespaces",
				fields: ["name", "status.phase"],
				sub: [{ name: "finalize", verbs: ["update"] }, status],
			},
			{
				kind: "Node",
				resource: "nodes",
				short: ["no"],
				clusterScoped: true,
				stored: "minions",
				fields: ["spec.unschedulable"],
				sub: [status],
			},
			{
				kind: "Pod",
				resource: "pods",
				short: ["po"],
				all: true,
				stored: "pods",
				fields: [
					"spec.nodeName",
					"spec.restartPolicy",
					"spec.schedulerName",
					"spec.serviceAccountName",
					"spec.hostNetwork",
					"status.phase",
					"status.podIP",
					"status.nominatedNodeName",
				],
				sub: [
					{ name: "binding", verbs: createOnly, of: { group: "", version: "v1", kind: "Binding" } },
					{ name: "eviction", verbs: createOnly, of: { group: "policy", version: "v1", kind: "Eviction" } },
					{ name: "log", verbs: ["get"] },
					status,
				],
			},
			{ kind: "Secret", resource: "secrets", stored: "secrets", fields: ["type"] },
			{
				kind: "ServiceAccount",
				resource: "serviceaccounts",
				short: ["sa"],
				stored: "serviceaccounts",
				sub: [
					{
						name: "token",
						verbs: createOnly,
						of: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
					},
				],
			},
			{
				kind: "Service",
				resource: "services",
				short: ["svc"],
				all: true,
				stored: "services/specs",
				fields: ["spec.clusterIP", "spec.type"],
				sub: [status],
			},
		],
	],
	[
		{ group: "apps", version: "v1" },
		[
			{
				kind: "Deployment",
				resource: "deployments",
				short: ["deploy"],
				all: true,
				stored: "deployments",
				sub: [scale, status],
			},
			{
				kind: "ReplicaSet",
				resource: "replicasets",
				short: ["rs"],
				all: true,
				stored: "replicasets",
				fields: ["status.replicas"],
				sub: [scale, status],
			},
		],
	],
	[
		{ group: "events.k8s.io", version: "v1" },
		[
			{
				kind: "Event",
				resource: "events",
				short: ["ev"],
				stored: "events",
				storedAs: "core_v1.Event",
				fields: newEventFields,
			},
		],
	],
	[
		{ group: "authentication.k8s.io", version: "v1" },
		[
			{ kind: "SelfSubjectReview", resource: "selfsubjectreviews", clusterScoped: true, verbs: createOnly },
			{ kind: "TokenReview", resource: "tokenreviews", clusterScoped: true, verbs: createOnly },
		],
	],
	[
		{ group: "authorization.k8s.io", version: "v1" },
		[
			{ kind: "LocalSubjectAccessReview", resource: "localsubjectaccessreviews", verbs: createOnly },
			{ kind: "SelfSubjectAccessReview", resource: "selfsubjectaccessreviews", clusterScoped: true, verbs: createOnly },
			{ kind: "SelfSubjectRulesReview", resource: "selfsubjectrulesreviews", clusterScoped: true, verbs: createOnly },
			{ kind: "SubjectAccessReview", resource: "subjectaccessreviews", clusterScoped: true, verbs: createOnly },
		],
	],
	[
		{ group: "batch", version: "v1" },
		[
			{
				kind: "Job",
				resource: "jobs",
				all: true,
				stored: "jobs",
				fields: ["status.successful"],
				sub: [status],
			},
		],
	],
	[
		{ group: "rbac.authorization.k8s.io", version: "v1" },
		[
			{
				kind: "ClusterRoleBinding",
				resource: "clusterrolebindings",
				clusterScoped: true,
				stored: "clusterrolebindings",
			},
			{ kind: "ClusterRole", resource: "clusterroles", clusterScoped: true, stored: "clusterroles" },
			{ kind: "RoleBinding", resource: "rolebindings", stored: "rolebindings" },
			{ kind: "Role", resource: "roles", stored: "roles" },
		],
	],
	[{ group: "coordination.k8s.io", version: "v1" }, [{ kind: "Lease", resource: "leases", stored: "leases" }]],
	[
		{ group: "discovery.k8s.io", version: "v1" },
		[{ kind: "EndpointSlice", resource: "endpointslices", stored: "endpointslices" }],
	],
];

function buildSubresource(gv: GroupVersion, row: Row, sub: Sub): SubresourceInfo {
	const of = sub.of ?? { ...gv, kind: row.kind };
	return { name: sub.name, ...of, verbs: sub.verbs, message: `${schemaText(of)}.${of.kind}` };
}

function buildResource(gv: GroupVersion, row: Row): ResourceInfo {
	const message = `${schemaText(gv)}.${row.kind}`;
	return {
		...gv,
		kind: row.kind,
		listKind: row.stored === undefined ? "" : `${row.kind}List`,
		resource: row.resource,
		singular: row.singular ?? row.kind.toLowerCase(),
		shortNames: row.short ?? [],
		categories: row.all ? ["all"] : [],
		namespaced: !row.clusterScoped,
		verbs: row.verbs ?? readWrite,
		storagePrefix: row.stored ?? "",
		message,
		storageMessage: row.storedAs ?? message,
		selectableFields: row.fields ?? [],
		subresources: (row.sub ?? []).map((sub) => buildSubresource(gv, row, sub)),
	};
}

/** Every resource, by group version in the order discovery names them. */
export const allResources: readonly ResourceInfo[] = rows.flatMap(([gv, list]) =>
	list.map((row) => buildResource(gv, row)),
);

const byResource = new Map(allResources.map((r) => [`${apiVersionOf(r)} ${r.resource}`, r]));
const byKind = new Map(allResources.map((r) => [`${apiVersionOf(r)} ${r.kind}`, r]));

/** The resource `pods` of a group version. */
export const findResource = (group: string, version: string, resource: string): ResourceInfo | undefined =>
	byResource.get(`${apiVersionOf({ group, version })} ${resource}`);

/** The resource whose objects are of this kind. */
export const findKind = (group: string, version: string, kind: string): ResourceInfo | undefined =>
	byKind.get(`${apiVersionOf({ group, version })} ${kind}`);

/** The group versions that serve resources, core first. */
export const groupVersions = (): readonly GroupVersion[] => rows.map(([gv]) => gv);
