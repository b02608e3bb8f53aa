/**
 * The roles and bindings every cluster starts with: upstream's names, labels and rules, for what this control plane has.
 *
 * Controllers: each has its role `system:controller:NAME`, bound to the service account kube-system/NAME, as upstream. A
 * controller-manager that runs without `--use-service-account-credentials` does everything as the user
 * system:kube-controller-manager; upstream leaves granting it those roles to the administrator. Here the roles of the
 * controllers it runs (`controllersOfManager`) are bound to that user as well, by bindings of their own
 * (`system:kube-controller-manager:NAME`). It is then no cluster-admin, yet to be guarded like one: it reads and deletes
 * widely, as the namespace controller and the garbage collector must, and may `escalate` cluster roles, as aggregation
 * must. (Upstream's controller-manager can get as far, since it may make tokens for every service account.) It can neither
 * bind nor impersonate.
 */
import { allAuthenticated, allServiceAccounts, allUnauthenticated, systemMasters } from "../authn/types.ts";
import { deepEqual } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from "../scheme/types.gen.ts";
import { aggregatedRules } from "./aggregation.ts";
import { uncovered } from "./escalation.ts";

const rbacGroup = "rbac.authorization.k8s.io";
const apiVersion = `${rbacGroup}/v1`;
const autoUpdate = "rbac.authorization.kubernetes.io/autoupdate";
const controllerManager = "system:kube-controller-manager";
const scheduler = "system:kube-scheduler";
const systemNamespace = "kube-system";

const read = ["get", "list", "watch"];
const write = ["create", "delete", "deletecollection", "patch", "update"];
const readWrite = [...write, ...read].sort();

/** Words separated by blanks; `core` is the group without a name. */
const words = (text: string) => text.split(" ");
const groupsOf = (text: string) => words(text).map((g) => (g === "core" ? "" : g));

const rule = (verbs: readonly string[] | string, groups: string, resources: string, names?: string): PolicyRule => ({
	verbs: typeof verbs === "string" ? words(verbs) : [...verbs],
	apiGroups: groupsOf(groups),
	resources: words(resources),
	...(names === undefined ? {} : { resourceNames: words(names) }),
});
const urls = (verbs: string, paths: string): PolicyRule => ({ verbs: words(verbs), nonResourceURLs: words(paths) });
const events = (): PolicyRule => rule("create patch update", "core events.k8s.io", "events");

const metadata = (name: string, extra: { namespace?: string; labels?: Record<string, string> } = {}) => ({
	name,
	...(extra.namespace === undefined ? {} : { namespace: extra.namespace }),
	annotations: { [autoUpdate]: "true" },
	labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...extra.labels },
});

const clusterRole = (
	name: string,
	rules: PolicyRule[],
	labels: Record<string, string> = {},
): KubeObject<ClusterRole> => ({
	apiVersion,
	kind: "ClusterRole",
	metadata: metadata(name, { labels }),
	rules,
});

const user = (name: string): Subject => ({ kind: "User", apiGroup: rbacGroup, name });
const group = (name: string): Subject => ({ kind: "Group", apiGroup: rbacGroup, name });
const serviceAccount = (name: string): Subject => ({ kind: "ServiceAccount", name, namespace: systemNamespace });

const clusterBinding = (name: string, role: string, subjects: Subject[]): KubeObject<ClusterRoleBinding> => ({
	apiVersion,
	kind: "ClusterRoleBinding",
	metadata: metadata(name),
	...(subjects.length === 0 ? {} : { subjects }),
	roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name: role },
});

const role = (namespace: string, name: string, rules: PolicyRule[]): KubeObject<Role> => ({
	apiVersion,
	kind: "Role",
	metadata: metadata(name, { namespace }),
	rules,
});

const roleBinding = (namespace: string, name: string, of: string, subjects: Subject[]): KubeObject<RoleBinding> => ({
	apiVersion,
	kind: "RoleBinding",
	metadata: metadata(name, { namespace }),
	subjects,
	roleRef: { apiGroup: rbacGroup, kind: "Role", name: of },
});

const aggregateTo = (target: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${target}`]: "true" });

const aggregating = (name: string, labels: Record<string, string> = {}): KubeObject<ClusterRole> => ({
	...clusterRole(name, [], labels),
	aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregateTo(name) }] },
});

const podConnections = "pods/attach pods/exec pods/portforward pods/proxy";
const workloads =
	"daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale";
const legacyWorkloads =
	"daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale";

const userRoles = (): KubeObject<ClusterRole>[] => [
	clusterRole("cluster-admin", [rule("*", "*", "*"), urls("*", "*")]),
	aggregating("admin"),
	// edit and view are parts of the next larger role themselves, by the labels.
	{ ...aggregating("edit"), metadata: metadata("edit", { labels: aggregateTo("admin") }) },
	{ ...aggregating("view"), metadata: metadata("view", { labels: aggregateTo("edit") }) },
	clusterRole(
		"system:aggregate-to-admin",
		[
			rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
			rule(readWrite, rbacGroup, "rolebindings roles"),
		],
		aggregateTo("admin"),
	),
	clusterRole(
		"system:aggregate-to-edit",
		[
			rule(read, "core", `${podConnections} secrets services/proxy`),
			rule("impersonate", "core", "serviceaccounts"),
			rule(write, "core", `pods ${podConnections}`),
			rule("create", "core", "pods/eviction"),
			rule(
				write,
				"core",
				"configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
			),
			rule("create", "core", "serviceaccounts/token"),
			rule(write, "apps", workloads),
			rule(write, "autoscaling", "horizontalpodautoscalers"),
			rule(write, "batch", "cronjobs jobs"),
			rule(write, "extensions", legacyWorkloads),
			rule(write, "policy", "poddisruptionbudgets"),
			rule(write, "networking.k8s.io", "ingresses networkpolicies"),
			rule(readWrite, "coordination.k8s.io", "leases"),
		],
		aggregateTo("edit"),
	),
	clusterRole(
		"system:aggregate-to-view",
		[
			rule(
				read,
				"core",
				"configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
			),
			rule(
				read,
				"core",
				"bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status",
			),
			rule(read, "core", "namespaces"),
			rule(read, "discovery.k8s.io", "endpointslices"),
			rule(
				read,
				"apps",
				"controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
			),
			rule(read, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
			rule(read, "batch", "cronjobs cronjobs/status jobs jobs/status"),
			rule(
				read,
				"extensions",
				"daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale",
			),
			rule(read, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
			rule(read, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
		],
		aggregateTo("view"),
	),
];

/** What every kubelet may do, beside what the node authorizer decides by object. Also the rules of `system:node`. */
export const nodeRules = (): PolicyRule[] => [
	rule("create", "authentication.k8s.io", "tokenreviews"),
	rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
	rule(read, "core", "services"),
	rule("create get list watch", "core", "nodes"),
	rule("patch update", "core", "nodes/status"),
	rule("patch update", "core", "nodes"),
	rule("create patch update", "core events.k8s.io", "events"),
	rule(read, "core", "pods"),
	rule("create delete", "core", "pods"),
	rule("patch update", "core", "pods/status"),
	rule("create", "core", "pods/eviction"),
	rule(read, "core", "configmaps secrets"),
	rule("get", "core", "persistentvolumeclaims persistentvolumes"),
	rule("get", "core", "endpoints"),
	rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
	rule("create delete get patch update", "coordination.k8s.io", "leases"),
	rule("get", "storage.k8s.io", "volumeattachments"),
	rule("create", "core", "serviceaccounts/token"),
	rule("get patch update", "core", "persistentvolumeclaims/status"),
	rule(read, "storage.k8s.io", "csidrivers"),
	rule("create delete get patch update", "storage.k8s.io", "csinodes"),
	rule(read, "node.k8s.io", "runtimeclasses"),
];

const publicInfo = "/healthz /livez /readyz /version /version/";

const systemRoles = (): KubeObject<ClusterRole>[] => [
	clusterRole("system:discovery", [
		urls("get", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
	]),
	clusterRole("system:public-info-viewer", [urls("get", publicInfo)]),
	clusterRole("system:monitoring", [
		urls("get", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
	]),
	clusterRole("system:basic-user", [
		rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
		rule("create", "authentication.k8s.io", "selfsubjectreviews"),
	]),
	clusterRole("system:service-account-issuer-discovery", [
		urls(
			"get",
			"/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
		),
	]),
	clusterRole("system:auth-delegator", [
		rule("create", "authentication.k8s.io", "tokenreviews"),
		rule("create", "authorization.k8s.io", "subjectaccessreviews"),
	]),
	clusterRole("system:node", nodeRules()),
	clusterRole("system:node-proxier", [
		rule("list watch", "core", "endpoints services"),
		rule("get list watch", "core", "nodes"),
		events(),
		rule("list watch", "discovery.k8s.io", "endpointslices"),
	]),
	clusterRole("system:kubelet-api-admin", [
		rule(read, "core", "nodes"),
		rule("proxy", "core", "nodes"),
		rule("*", "core", "nodes/log nodes/metrics nodes/proxy nodes/stats"),
	]),
	clusterRole("system:kube-dns", [
		rule("list watch", "core", "endpoints services"),
		rule("list watch", "discovery.k8s.io", "endpointslices"),
	]),
	clusterRole(controllerManager, [
		events(),
		rule("create", "coordination.k8s.io", "leases"),
		rule("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
		rule("create", "core", "secrets serviceaccounts"),
		rule("delete", "core", "secrets"),
		rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
		rule("update", "core", "secrets serviceaccounts"),
		rule("create", "authentication.k8s.io", "tokenreviews"),
		rule("create", "authorization.k8s.io", "subjectaccessreviews"),
		rule("list watch", "*", "*"),
		rule("create", "core", "serviceaccounts/token"),
	]),
	clusterRole(scheduler, [
		events(),
		rule("create", "coordination.k8s.io", "leases"),
		rule("get list update watch", "coordination.k8s.io", "leases", "kube-scheduler"),
		rule(read, "core", "nodes"),
		rule("delete get list watch", "core", "pods"),
		rule("create", "core", "bindings pods/binding"),
		rule("patch update", "core", "pods/status"),
		rule(read, "core", "replicationcontrollers services"),
		rule(read, "apps extensions", "replicasets"),
		rule(read, "apps", "statefulsets"),
		rule(read, "policy", "poddisruptionbudgets"),
		rule("get list patch update watch", "core", "persistentvolumeclaims persistentvolumes"),
		rule("create", "authentication.k8s.io", "tokenreviews"),
		rule("create", "authorization.k8s.io", "subjectaccessreviews"),
		rule(read, "storage.k8s.io", "csidrivers csinodes csistoragecapacities storageclasses volumeattachments"),
		rule(read, "core", "namespaces"),
	]),
];

/** Each controller's rules by the name of its service account. */
const controllerRules = (): ReadonlyMap<string, PolicyRule[]> =>
	new Map([
		["clusterrole-aggregation-controller", [rule("escalate get list patch update watch", rbacGroup, "clusterroles")]],
		[
			"deployment-controller",
			[
				rule("get list update watch", "apps extensions", "deployments"),
				rule("update", "apps extensions", "deployments/status"),
				rule("update", "apps extensions", "deployments/finalizers"),
				rule("create delete get list patch update watch", "apps extensions", "replicasets"),
				rule("get list update watch", "core", "pods"),
				events(),
			],
		],
		[
			"endpoint-controller",
			[
				rule(read, "core", "pods services"),
				rule("create delete get list update watch", "core", "endpoints"),
				rule("create", "core", "endpoints/restricted"),
				events(),
			],
		],
		[
			"endpointslice-controller",
			[
				rule(read, "core", "nodes pods services"),
				rule("update", "core", "services/finalizers"),
				rule("create delete get list update watch", "discovery.k8s.io", "endpointslices"),
				events(),
			],
		],
		["generic-garbage-collector", [rule("delete get list patch update watch", "*", "*"), events()]],
		[
			"job-controller",
			[
				rule("get list patch update watch", "batch", "jobs"),
				rule("update", "batch", "jobs/status"),
				rule("update", "batch", "jobs/finalizers"),
				rule("create delete list patch watch", "core", "pods"),
				events(),
			],
		],
		[
			"namespace-controller",
			[
				rule("delete get list watch", "core", "namespaces"),
				rule("update", "core", "namespaces/finalize namespaces/status"),
				rule("delete deletecollection get list watch", "*", "*"),
			],
		],
		[
			"node-controller",
			[
				rule("delete get list patch update watch", "core", "nodes"),
				rule("patch update", "core", "nodes/status"),
				rule("patch update", "core", "pods/status"),
				rule("delete get list watch", "core", "pods"),
				events(),
			],
		],
		[
			"pod-garbage-collector",
			[
				rule("delete list watch", "core", "pods"),
				rule("get list watch", "core", "nodes"),
				rule("patch", "core", "pods/status"),
			],
		],
		[
			"replicaset-controller",
			[
				rule("get list update watch", "apps extensions", "replicasets"),
				rule("update", "apps extensions", "replicasets/status"),
				rule("update", "apps extensions", "replicasets/finalizers"),
				rule("create delete list patch watch", "core", "pods"),
				events(),
			],
		],
		["root-ca-cert-publisher", [rule("create update", "core", "configmaps"), events()]],
		["service-account-controller", [rule("create", "core", "serviceaccounts"), events()]],
		["ttl-after-finished-controller", [rule("delete get list watch", "batch", "jobs"), events()]],
	]);

/** The controllers that run under the controller-manager's own name by default; none with service account credentials. */
export const defaultControllersOfManager: readonly string[] = [
	"clusterrole-aggregation-controller",
	"deployment-controller",
	"endpoint-controller",
	"endpointslice-controller",
	"generic-garbage-collector",
	"job-controller",
	"namespace-controller",
	"node-controller",
	"pod-garbage-collector",
	"replicaset-controller",
	"root-ca-cert-publisher",
	"service-account-controller",
	"ttl-after-finished-controller",
];

const systemBindings = (): KubeObject<ClusterRoleBinding>[] => [
	clusterBinding("cluster-admin", "cluster-admin", [group(systemMasters)]),
	clusterBinding("system:monitoring", "system:monitoring", [group("system:monitoring")]),
	clusterBinding("system:discovery", "system:discovery", [group(allAuthenticated)]),
	clusterBinding("system:basic-user", "system:basic-user", [group(allAuthenticated)]),
	clusterBinding("system:public-info-viewer", "system:public-info-viewer", [
		group(allAuthenticated),
		group(allUnauthenticated),
	]),
	clusterBinding("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", [
		group(allServiceAccounts),
	]),
	clusterBinding("system:node-proxier", "system:node-proxier", [user("system:kube-proxy")]),
	clusterBinding(controllerManager, controllerManager, [user(controllerManager)]),
	clusterBinding(scheduler, scheduler, [user(scheduler)]),
	clusterBinding("system:kube-dns", "system:kube-dns", [serviceAccount("kube-dns")]),
	// Upstream leaves this binding to the installer, which makes the apiserver's kubelet client a cluster-admin; ours has
	// no more than kubelets ask for. The name is the one installers give that certificate.
	clusterBinding("system:kubelet-api-admin", "system:kubelet-api-admin", [user("kube-apiserver-kubelet-client")]),
	// Without subjects: the node authorizer decides for kubelets.
	clusterBinding("system:node", "system:node", []),
];

const authenticationReader = "extension-apiserver-authentication-reader";

const namespacedRoles = (): KubeObject<Role>[] => [
	role(systemNamespace, authenticationReader, [rule(read, "core", "configmaps", "extension-apiserver-authentication")]),
	...["kube-controller-manager", "kube-scheduler"].map((component) =>
		role(systemNamespace, `system::leader-locking-${component}`, [
			rule("watch", "core", "configmaps"),
			rule("get update", "core", "configmaps", component),
			rule("create get list update watch", "coordination.k8s.io", "leases"),
		]),
	),
];

const namespacedBindings = (): KubeObject<RoleBinding>[] => [
	roleBinding(systemNamespace, `system::${authenticationReader}`, authenticationReader, [
		user(controllerManager),
		user(scheduler),
	]),
	...["kube-controller-manager", "kube-scheduler"].map((component) =>
		roleBinding(systemNamespace, `system::leader-locking-${component}`, `system::leader-locking-${component}`, [
			user(`system:${component}`),
			serviceAccount(component),
		]),
	),
];

export interface BootstrapPolicy {
	readonly clusterRoles: readonly KubeObject<ClusterRole>[];
	readonly clusterRoleBindings: readonly KubeObject<ClusterRoleBinding>[];
	/** In kube-system, which must exist first. */
	readonly roles: readonly KubeObject<Role>[];
	readonly roleBindings: readonly KubeObject<RoleBinding>[];
}

/** What to create before serving. Aggregating roles have their rules already. */
export function bootstrapPolicy(
	options: { readonly controllersOfManager?: readonly string[] | undefined } = {},
): BootstrapPolicy {
	const controllers = [...controllerRules()];
	const roles = [
		...userRoles(),
		...systemRoles(),
		...controllers.map(([name, rules]) => clusterRole(`system:controller:${name}`, rules)),
	];
	const bindings = [
		...systemBindings(),
		...controllers.map(([name]) =>
			clusterBinding(`system:controller:${name}`, `system:controller:${name}`, [serviceAccount(name)]),
		),
		...(options.controllersOfManager ?? defaultControllersOfManager).map((name) =>
			clusterBinding(`${controllerManager}:${name}`, `system:controller:${name}`, [user(controllerManager)]),
		),
	];
	return {
		clusterRoles: withAggregates(roles),
		clusterRoleBindings: bindings,
		roles: namespacedRoles(),
		roleBindings: namespacedBindings(),
	};
}

/** view feeds edit, and edit feeds admin: aggregation runs until nothing changes. */
function withAggregates(roles: readonly KubeObject<ClusterRole>[]): KubeObject<ClusterRole>[] {
	let current = [...roles];
	for (;;) {
		const next = current.map((r) => {
			const rules = aggregatedRules(r, current);
			return rules === undefined ? r : { ...r, rules };
		});
		if (deepEqual(next, current)) return next;
		current = next;
	}
}

const isProtected = (object: KubeObject) => object.metadata.annotations?.[autoUpdate] === "false";

/** `existing` with the labels and annotations of `desired` that it lacks. */
function withMissingMetadata<T extends KubeObject>(existing: T, desired: KubeObject): T {
	const metadata = { ...existing.metadata };
	for (const part of ["labels", "annotations"] as const) {
		if (desired.metadata[part] !== undefined)
			metadata[part] = { ...desired.metadata[part], ...existing.metadata[part] };
	}
	return { ...existing, metadata };
}

/**
 * The stored role brought up to the default one at start: what is missing is added, what someone added stays. Undefined
 * where nothing is to be written, also for a role annotated `autoupdate: "false"`.
 */
export function reconciledRole<T extends ClusterRole | Role>(
	existing: KubeObject<T>,
	desired: KubeObject<T>,
): KubeObject<T> | undefined {
	if (isProtected(existing as KubeObject)) return undefined;
	const merged = withMissingMetadata(existing as KubeObject, desired as KubeObject);
	const aggregation = (desired as KubeObject)["aggregationRule"];
	if (aggregation !== undefined) merged["aggregationRule"] ??= aggregation;
	const held = (merged["rules"] ?? []) as PolicyRule[];
	const wanted = ((desired as KubeObject)["rules"] ?? []) as PolicyRule[];
	// Aggregated rules are the controller's to keep.
	if (merged["aggregationRule"] === undefined) {
		merged["rules"] = [...held, ...wanted.filter((r) => uncovered(held, [r]).length > 0)];
	}
	return deepEqual(merged, existing) ? undefined : (merged as KubeObject<T>);
}

/** The same for bindings; "replace" where the stored one binds another role, which cannot be changed in place. */
export function reconciledBinding<T extends ClusterRoleBinding | RoleBinding>(
	existing: KubeObject<T>,
	desired: KubeObject<T>,
): KubeObject<T> | "replace" | undefined {
	if (isProtected(existing as KubeObject)) return undefined;
	const [stored, wanted] = [existing as KubeObject, desired as KubeObject];
	if (!deepEqual(stored["roleRef"], wanted["roleRef"])) return "replace";
	const merged = withMissingMetadata(stored, wanted);
	const subjects = (merged["subjects"] ?? []) as Subject[];
	const missing = ((wanted["subjects"] ?? []) as Subject[]).filter((s) => !subjects.some((o) => deepEqual(o, s)));
	if (missing.length > 0) merged["subjects"] = [...subjects, ...missing];
	return deepEqual(merged, stored) ? undefined : (merged as KubeObject<T>);
}
