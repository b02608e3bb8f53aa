/** The built-in resources as constants: coordinates, kind and scope, with the object's type attached for inference. */
import type { GroupVersionResource } from "../scheme/object.ts";
import type * as api from "../scheme/types.gen.ts";

/** A resource that knows its kind; `T` is carried for `resourceOf` only and does not exist at run time. */
export interface TypedResource<T extends object> extends GroupVersionResource {
	readonly kind: string;
	readonly namespaced: boolean;
	readonly __type?: T;
}

function define<T extends object>(
	group: string,
	version: string,
	resource: string,
	kind: string,
	namespaced: boolean,
): TypedResource<T> {
	return Object.freeze({ group, version, resource, kind, namespaced });
}

export const pods = define<api.Pod>("", "v1", "pods", "Pod", true);
export const nodes = define<api.Node>("", "v1", "nodes", "Node", false);
export const namespaces = define<api.Namespace>("", "v1", "namespaces", "Namespace", false);
export const services = define<api.Service>("", "v1", "services", "Service", true);
export const endpoints = define<api.Endpoints>("", "v1", "endpoints", "Endpoints", true);
export const configMaps = define<api.ConfigMap>("", "v1", "configmaps", "ConfigMap", true);
export const secrets = define<api.Secret>("", "v1", "secrets", "Secret", true);
export const serviceAccounts = define<api.ServiceAccount>("", "v1", "serviceaccounts", "ServiceAccount", true);
export const events = define<api.Event>("", "v1", "events", "Event", true);
export const persistentVolumes = define<api.PersistentVolume>("", "v1", "persistentvolumes", "PersistentVolume", false);
export const persistentVolumeClaims = define<api.PersistentVolumeClaim>(
	"",
	"v1",
	"persistentvolumeclaims",
	"PersistentVolumeClaim",
	true,
);
export const replicationControllers = define<api.ReplicationController>(
	"",
	"v1",
	"replicationcontrollers",
	"ReplicationController",
	true,
);
export const deployments = define<api.Deployment>("apps", "v1", "deployments", "Deployment", true);
export const replicaSets = define<api.ReplicaSet>("apps", "v1", "replicasets", "ReplicaSet", true);
export const daemonSets = define<api.DaemonSet>("apps", "v1", "daemonsets", "DaemonSet", true);
export const statefulSets = define<api.StatefulSet>("apps", "v1", "statefulsets", "StatefulSet", true);
export const jobs = define<api.Job>("batch", "v1", "jobs", "Job", true);
export const cronJobs = define<api.CronJob>("batch", "v1", "cronjobs", "CronJob", true);
export const leases = define<api.Lease>("coordination.k8s.io", "v1", "leases", "Lease", true);
export const endpointSlices = define<api.EndpointSlice>(
	"discovery.k8s.io",
	"v1",
	"endpointslices",
	"EndpointSlice",
	true,
);
export const podDisruptionBudgets = define<api.PodDisruptionBudget>(
	"policy",
	"v1",
	"poddisruptionbudgets",
	"PodDisruptionBudget",
	true,
);
const rbac = "rbac.authorization.k8s.io";
export const roles = define<api.Role>(rbac, "v1", "roles", "Role", true);
export const roleBindings = define<api.RoleBinding>(rbac, "v1", "rolebindings", "RoleBinding", true);
export const clusterRoles = define<api.ClusterRole>(rbac, "v1", "clusterroles", "ClusterRole", false);
export const clusterRoleBindings = define<api.ClusterRoleBinding>(
	rbac,
	"v1",
	"clusterrolebindings",
	"ClusterRoleBinding",
	false,
);

/** Every constant above. */
export const builtinResources: readonly TypedResource<object>[] = [
	pods,
	nodes,
	namespaces,
	services,
	endpoints,
	configMaps,
	secrets,
	serviceAccounts,
	events,
	persistentVolumes,
	persistentVolumeClaims,
	replicationControllers,
	deployments,
	replicaSets,
	daemonSets,
	statefulSets,
	jobs,
	cronJobs,
	leases,
	endpointSlices,
	podDisruptionBudgets,
	roles,
	roleBindings,
	clusterRoles,
	clusterRoleBindings,
];

/** `v1` or `apps/v1`. */
export function apiVersionOf(resource: GroupVersionResource): string {
	return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** Splits `apps/v1`; the group of `v1` is "". */
export function parseApiVersion(apiVersion: string): { group: string; version: string } {
	const slash = apiVersion.indexOf("/");
	return slash < 0
		? { group: "", version: apiVersion }
		: { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** `pods.v1.` / `deployments.v1.apps`: one string per resource, for maps. */
export function resourceKey(resource: GroupVersionResource): string {
	return `${resource.resource}.${resource.version}.${resource.group}`;
}

/** An informer's and queue's key: `namespace/name`, or `name` for cluster-scoped objects. */
export function keyOf(object: {
	readonly metadata: { readonly namespace?: string | undefined; readonly name?: string | undefined };
}): string {
	const { namespace, name = "" } = object.metadata;
	return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

/** The reverse of `keyOf`; namespace "" for cluster-scoped objects. */
export function splitKey(key: string): { namespace: string; name: string } {
	const slash = key.indexOf("/");
	return slash < 0 ? { namespace: "", name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
