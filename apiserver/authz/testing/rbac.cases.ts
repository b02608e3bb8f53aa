/** Requests that try to gain rights: through roles, bindings, names, selectors, tokens, nodes. Played by escalation.test.ts. */
import type { Step } from "../../testing/conversation.ts";

const rbac = "/apis/rbac.authorization.k8s.io/v1";
const group = "rbac.authorization.k8s.io";
const api = "rbac.authorization.k8s.io/v1";
const ns = `${rbac}/namespaces/default`;
const merge = "application/merge-patch+json";
const aggregateToView = "rbac.authorization.k8s.io/aggregate-to-view";

interface Rule {
	verbs: string[];
	apiGroups?: string[];
	resources?: string[];
	resourceNames?: string[];
	nonResourceURLs?: string[];
}

const words = (text: string) => text.split(" ").map((w) => (w === "core" ? "" : w));
const rule = (verbs: string, groups: string, resources: string, names?: string): Rule => ({
	verbs: words(verbs),
	apiGroups: words(groups),
	resources: words(resources),
	...(names === undefined ? {} : { resourceNames: words(names) }),
});
const paths = (verbs: string, urls: string): Rule => ({ verbs: words(verbs), nonResourceURLs: words(urls) });

const clusterRole = (name: string, rules: Rule[], more: object = {}) => ({
	apiVersion: api,
	kind: "ClusterRole",
	metadata: { name },
	rules,
	...more,
});
const role = (name: string, rules: Rule[], metadata: object = {}) => ({
	apiVersion: api,
	kind: "Role",
	metadata: { name, ...metadata },
	rules,
});
const binding = (
	kind: "RoleBinding" | "ClusterRoleBinding",
	name: string,
	roleKind: string,
	roleName: string,
	user: string,
) => ({
	apiVersion: api,
	kind,
	metadata: { name },
	roleRef: { apiGroup: group, kind: roleKind, name: roleName },
	subjects: [{ apiGroup: group, kind: "User", name: user }],
});

const post = (title: string, as: string, path: string, body: unknown): Step => ({
	title,
	as,
	method: "POST",
	path,
	body,
});
const put = (title: string, as: string, path: string, body: unknown): Step => ({
	title,
	as,
	method: "PUT",
	path,
	body,
});
const patch = (title: string, as: string, path: string, body: unknown, type = merge): Step => ({
	title,
	as,
	method: "PATCH",
	path,
	body,
	type,
});
const get = (title: string, as: string, path: string): Step => ({ title, as, method: "GET", path });

/** A user who holds `rules` in the whole cluster through a role of its own name. */
const holds = (user: string, rules: Rule[]): Step[] => [
	post(`${user}'s role`, "admin", `${rbac}/clusterroles`, clusterRole(`of-${user}`, rules)),
	post(
		`${user}'s binding`,
		"admin",
		`${rbac}/clusterrolebindings`,
		binding("ClusterRoleBinding", `of-${user}`, "ClusterRole", `of-${user}`, user),
	),
];

const writeRbac = [
	rule(
		"get list watch update patch delete deletecollection",
		group,
		"roles clusterroles rolebindings clusterrolebindings",
	),
];

const setUp: Step[] = [
	...holds("alice", [
		...writeRbac,
		rule("create", group, "roles clusterroles rolebindings clusterrolebindings"),
		rule("get list", "core", "pods"),
		rule("get", "core", "configmaps", "one"),
		rule("get", "apps", "*/scale"),
		paths("get", "/healthz/*"),
	]),
	// Like alice, but creates nothing.
	...holds("bob", [...writeRbac, rule("update", "coordination.k8s.io", "leases")]),
	...holds("carol", [rule("list watch", "core", "secrets", "allowed"), rule("list watch", "core", "pods", "allowed")]),
	post("a sum", "admin", `${rbac}/clusterroles`, {
		...clusterRole("sum", []),
		aggregationRule: { clusterRoleSelectors: [{ matchLabels: { sum: "yes" } }] },
	}),
	post("an empty sum", "admin", `${rbac}/clusterroles`, {
		...clusterRole("empty-sum", []),
		aggregationRule: { clusterRoleSelectors: [] },
	}),
	post("a strong role", "admin", `${ns}/roles`, role("strong", [rule("*", "*", "*")])),
	post("a weak role", "admin", `${ns}/roles`, role("weak", [rule("get", "core", "pods")])),
	post("a strong binding", "admin", `${ns}/rolebindings`, binding("RoleBinding", "strong", "Role", "strong", "nobody")),
	post(
		"a strong binding of the cluster",
		"admin",
		`${rbac}/clusterrolebindings`,
		binding("ClusterRoleBinding", "strong", "ClusterRole", "cluster-admin", "nobody"),
	),
];

const labels: Step[] = [
	patch("labels cluster-admin so that view becomes it", "alice", `${rbac}/clusterroles/cluster-admin`, {
		metadata: { labels: { [aggregateToView]: "true" } },
	}),
	patch("labels another's role", "alice", `${rbac}/clusterroles/sum`, { metadata: { labels: { x: "y" } } }),
	patch("labels a sum of nothing", "alice", `${rbac}/clusterroles/empty-sum`, { metadata: { labels: { x: "y" } } }),
	patch("annotates a role that is more than it has", "alice", `${ns}/roles/strong`, {
		metadata: { annotations: { x: "y" } },
	}),
	patch("labels a role it has", "alice", `${ns}/roles/weak`, { metadata: { labels: { x: "y" } } }),
	patch("labels a binding to what it has not", "alice", `${ns}/rolebindings/strong`, {
		metadata: { labels: { x: "y" } },
	}),
	patch("labels a cluster's binding", "alice", `${rbac}/clusterrolebindings/strong`, {
		metadata: { labels: { x: "y" } },
	}),
	patch("changes nothing of a strong role", "alice", `${ns}/roles/strong`, {}),
	patch("gives a strong role a finalizer", "alice", `${ns}/roles/strong`, {
		metadata: { finalizers: ["example.com/x"] },
	}),
	patch("gives a strong role an owner", "alice", `${ns}/roles/strong`, {
		metadata: { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "c", uid: "u" }], finalizers: [] },
	}),
	patch("gives a strong binding an owner", "alice", `${ns}/rolebindings/strong`, {
		metadata: { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "c", uid: "u" }] },
	}),
	patch("gives cluster-admin a finalizer and a label", "alice", `${rbac}/clusterroles/cluster-admin`, {
		metadata: { finalizers: ["example.com/x"], labels: { a: "b" } },
	}),
	put(
		"writes a strong role as it is, without its version",
		"alice",
		`${ns}/roles/strong`,
		role("strong", [rule("*", "*", "*")]),
	),
	put(
		"tries a strong role in vain",
		"alice",
		`${ns}/roles/strong?dryRun=All`,
		role("strong", [rule("*", "*", "pods")]),
	),
	put(
		"makes a strong role weak",
		"alice",
		`${ns}/roles/strong?dryRun=All`,
		role("strong", [rule("get", "core", "pods")]),
	),
	patch(
		"adds a rule by JSON patch",
		"alice",
		`${ns}/roles/weak`,
		[{ op: "add", path: "/rules/-", value: rule("get", "core", "secrets") }],
		"application/json-patch+json",
	),
	patch(
		"adds a rule by strategic merge patch",
		"alice",
		`${ns}/roles/weak`,
		{ rules: [rule("get", "core", "secrets")] },
		"application/strategic-merge-patch+json",
	),
];

const aggregation: Step[] = [
	post("creates a sum", "alice", `${rbac}/clusterroles`, {
		...clusterRole("mine", []),
		aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] },
	}),
	post("creates a sum with rules it has not", "alice", `${rbac}/clusterroles`, {
		...clusterRole("mine", [rule("get", "core", "secrets")]),
		aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] },
	}),
	post("creates a sum of nothing", "alice", `${rbac}/clusterroles`, {
		...clusterRole("mine", []),
		aggregationRule: { clusterRoleSelectors: [] },
	}),
	patch("makes its role a sum", "alice", `${rbac}/clusterroles/mine`, {
		aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] },
	}),
	patch("takes the sum from a role", "alice", `${rbac}/clusterroles/sum`, { aggregationRule: null }),
	post("creates a role that a sum takes up", "alice", `${rbac}/clusterroles`, {
		...clusterRole("part", [rule("get", "core", "secrets")]),
		metadata: { name: "part", labels: { [aggregateToView]: "true" } },
	}),
];

const coverage: Step[] = (
	[
		["any verb", [rule("*", "core", "pods")]],
		["any group", [rule("get", "*", "pods")]],
		["any resource", [rule("get", "core", "*")]],
		["a subresource", [rule("get", "core", "pods/log")]],
		["any subresource of it", [rule("get", "core", "pods/*")]],
		["one resource's scale where it has all", [rule("get", "apps", "deployments/scale")]],
		["all resources' scale in another group", [rule("get", "*", "*/scale")]],
		["a name where it has all", [rule("get list", "core", "pods", "a b")]],
		["all names where it has one", [rule("get", "core", "configmaps")]],
		["the name it has and another", [rule("get", "core", "configmaps", "one two")]],
		["an empty name", [rule("get", "core", "configmaps", "core")]],
		["a verb beside those it has", [rule("get list watch", "core", "pods")]],
		["two resources and two groups", [rule("get list", "core apps", "secrets nodes")]],
		["rules that repeat", [rule("get", "core", "secrets"), rule("get list", "core", "secrets")]],
		["other case", [rule("GET", "core", "Pods")]],
		["no rules", []],
	] as [string, Rule[]][]
).map(([what, rules]) => post(`grants ${what}`, "alice", `${ns}/roles?dryRun=All`, role("try", rules)));

const urls: Step[] = (
	[
		["a path below", [paths("get", "/healthz/etcd")]],
		["the path itself", [paths("get", "/healthz")]],
		["a wildcard below", [paths("get", "/healthz/x/*")]],
		["every path", [paths("get", "*")]],
		["another verb and another path", [paths("get post", "/healthz/etcd /metrics")]],
		["paths and resources in one", [{ ...paths("get", "/metrics"), ...rule("get", "core", "pods") }]],
	] as [string, Rule[]][]
).map(([what, rules]) => post(`grants ${what}`, "alice", `${rbac}/clusterroles?dryRun=All`, clusterRole("try", rules)));

const escalateAndBind: Step[] = [
	post(
		"may escalate one name",
		"admin",
		`${rbac}/clusterroles`,
		clusterRole("escalate-one", [rule("escalate", group, "roles clusterroles", "one")]),
	),
	post(
		"holds escalate",
		"admin",
		`${rbac}/clusterrolebindings`,
		binding("ClusterRoleBinding", "escalate-one", "ClusterRole", "escalate-one", "alice"),
	),
	post(
		"creates the role whose name it may escalate",
		"alice",
		`${ns}/roles`,
		role("one", [rule("get", "core", "secrets")]),
	),
	post(
		"creates that cluster role",
		"alice",
		`${rbac}/clusterroles`,
		clusterRole("one", [rule("get", "core", "secrets")]),
	),
	put("creates it by PUT", "alice", `${ns}/roles/one`, role("one", [rule("get", "core", "secrets")])),
	put("escalates it", "alice", `${ns}/roles/one`, role("one", [rule("*", "*", "*")])),
	put("escalates another", "alice", `${ns}/roles/weak`, role("weak", [rule("*", "*", "*")])),
	put("creates another by PUT", "alice", `${ns}/roles/other`, role("other", [rule("get", "core", "secrets")])),
	post("creates with a generated name", "alice", `${ns}/roles`, {
		...role("", [rule("get", "core", "secrets")]),
		metadata: { generateName: "gen-" },
	}),
	post(
		"binds what it has not",
		"alice",
		`${ns}/rolebindings`,
		binding("RoleBinding", "b1", "ClusterRole", "cluster-admin", "alice"),
	),
	post(
		"binds a role that is not there",
		"alice",
		`${ns}/rolebindings`,
		binding("RoleBinding", "b1", "Role", "missing", "alice"),
	),
	post(
		"binds a cluster role that is not there",
		"alice",
		`${rbac}/clusterrolebindings`,
		binding("ClusterRoleBinding", "b1", "ClusterRole", "missing", "alice"),
	),
	post("binds an unknown kind", "alice", `${ns}/rolebindings`, binding("RoleBinding", "b1", "Frob", "x", "alice")),
	post(
		"binds a Role in the cluster",
		"alice",
		`${rbac}/clusterrolebindings`,
		binding("ClusterRoleBinding", "b1", "Role", "weak", "alice"),
	),
	post("binds with another group", "alice", `${ns}/rolebindings`, {
		...binding("RoleBinding", "b1", "ClusterRole", "cluster-admin", "alice"),
		roleRef: { apiGroup: "example.com", kind: "ClusterRole", name: "cluster-admin" },
	}),
	post("binds what it has", "alice", `${ns}/rolebindings`, binding("RoleBinding", "b1", "Role", "weak", "alice")),
	post(
		"a reader of secrets",
		"admin",
		`${rbac}/clusterroles`,
		clusterRole("secret-reader", [rule("get", "core", "secrets")]),
	),
	post(
		"may bind the secret reader",
		"admin",
		`${rbac}/clusterroles`,
		clusterRole("bind-one", [rule("bind", group, "clusterroles", "secret-reader")]),
	),
	post(
		"holds bind in the namespace",
		"admin",
		`${ns}/rolebindings`,
		binding("RoleBinding", "bind-one", "ClusterRole", "bind-one", "alice"),
	),
	post(
		"binds the secret reader in the namespace",
		"alice",
		`${ns}/rolebindings`,
		binding("RoleBinding", "b2", "ClusterRole", "secret-reader", "alice"),
	),
	post(
		"binds it elsewhere",
		"alice",
		`${rbac}/namespaces/kube-system/rolebindings`,
		binding("RoleBinding", "b2", "ClusterRole", "secret-reader", "alice"),
	),
	post(
		"binds the secret reader in the cluster",
		"alice",
		`${rbac}/clusterrolebindings`,
		binding("ClusterRoleBinding", "b2", "ClusterRole", "secret-reader", "alice"),
	),
	post(
		"binds a Role of that name",
		"alice",
		`${ns}/rolebindings`,
		binding("RoleBinding", "b3", "Role", "secret-reader", "alice"),
	),
	put(
		"turns a binding to a stronger role",
		"alice",
		`${ns}/rolebindings/b1`,
		binding("RoleBinding", "b1", "ClusterRole", "cluster-admin", "alice"),
	),
	put(
		"turns a binding to one it may bind",
		"alice",
		`${ns}/rolebindings/b1`,
		binding("RoleBinding", "b1", "ClusterRole", "secret-reader", "alice"),
	),
	patch("adds itself to a strong binding", "alice", `${rbac}/clusterrolebindings/strong`, {
		subjects: [{ apiGroup: group, kind: "User", name: "alice" }],
	}),
	patch("adds a service account to a strong binding", "alice", `${ns}/rolebindings/strong`, {
		subjects: [{ kind: "ServiceAccount", name: "default" }],
	}),
	post(
		"grants masters nothing they lack",
		"admin",
		`${ns}/roles?dryRun=All`,
		role("any", [rule("frob", "x.io", "things")]),
	),
	post(
		"an invalid role that is also too strong",
		"alice",
		`${ns}/roles`,
		role("bad/name", [rule("get", "core", "secrets")]),
	),
	post("an invalid role that is not", "alice", `${ns}/roles`, role("bad/name", [rule("get", "core", "pods")])),
	post("no role reference", "alice", `${ns}/rolebindings`, {
		apiVersion: api,
		kind: "RoleBinding",
		metadata: { name: "none" },
	}),
];

const createByPut: Step[] = [
	put("updates a role that is not there", "bob", `${ns}/roles/new`, role("new", [])),
	put(
		"updates a binding that is not there",
		"bob",
		`${ns}/rolebindings/new`,
		binding("RoleBinding", "new", "Role", "weak", "bob"),
	),
	put("updates a lease that is not there", "bob", "/apis/coordination.k8s.io/v1/namespaces/default/leases/new", {
		apiVersion: "coordination.k8s.io/v1",
		kind: "Lease",
		metadata: { name: "new" },
		spec: {},
	}),
	put("creates a role by PUT as admin", "admin", `${ns}/roles/new?dryRun=All`, role("new", [])),
];

const names: Step[] = [
	get("lists the secret it may", "carol", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dallowed"),
	get(
		"lists it with two equal signs",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3D%3Dallowed",
	),
	get(
		"lists it beside another term",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=type%3Dx,metadata.name%3Dallowed",
	),
	get("lists all", "carol", "/api/v1/namespaces/default/secrets"),
	get("lists another", "carol", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dother"),
	get("lists all but it", "carol", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name!%3Dallowed"),
	get(
		"hides the name in another term's value",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=type!%3Dx%5C,metadata.name%3Dallowed",
	),
	get(
		"hides it behind an escaped equals sign",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=type!%3Dmetadata.name%5C%3Dallowed",
	),
	get(
		"names two",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dother,metadata.name%3Dallowed",
	),
	get(
		"gives two selectors",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=type%3Dx&fieldSelector=metadata.name%3Dallowed",
	),
	get(
		"gives a selector that cannot be read",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dallowed,x",
	),
	get(
		"gives a limit that cannot be read",
		"carol",
		"/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dallowed&limit=x",
	),
	get(
		"watches by the old path",
		"carol",
		"/api/v1/watch/namespaces/default/secrets?fieldSelector=metadata.name%3Dallowed&timeoutSeconds=1",
	),
	get("watches another by the old path", "carol", "/api/v1/watch/namespaces/default/secrets/other?timeoutSeconds=1"),
	get("watches it by the old path", "carol", "/api/v1/watch/namespaces/default/secrets/allowed?timeoutSeconds=1"),
	get("watches all", "carol", "/api/v1/namespaces/default/secrets?watch=1&timeoutSeconds=1"),
	get(
		"watches the one",
		"carol",
		"/api/v1/namespaces/default/secrets?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dallowed",
	),
	{
		...get(
			"deletes all by the one's name",
			"carol",
			"/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dallowed",
		),
		method: "DELETE",
	},
];

export const rbacSteps: readonly Step[] = [
	...setUp,
	...labels,
	...aggregation,
	...coverage,
	...urls,
	...escalateAndBind,
	...createByPut,
	...names,
];
