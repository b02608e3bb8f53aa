/** What a kubelet may and may not, and tokens of service accounts. Played by escalation.test.ts. */
import type { Json, Step } from "../../testing/conversation.ts";

const node1 = "system:node:node1";
const node2 = "system:node:node2";
const ns = "/api/v1/namespaces/default";
const mirror = "kubernetes.io/config.mirror";

const post = (title: string, as: string, path: string, body: unknown, more: Partial<Step> = {}): Step => ({
	title,
	as: as === node1 ? "node1" : as === node2 ? "node2" : as,
	method: "POST",
	path,
	body,
	...more,
});
const patch = (title: string, as: string, path: string, body: unknown): Step => ({
	...post(title, as, path, body),
	method: "PATCH",
	type: "application/merge-patch+json",
});
const get = (title: string, as: string, path: string): Step => ({
	title,
	as: as === node1 ? "node1" : as === node2 ? "node2" : as,
	method: "GET",
	path,
});

const node = (name: string, metadata: object = {}, spec: object = {}) => ({
	apiVersion: "v1",
	kind: "Node",
	metadata: { name, ...metadata },
	spec,
});
const pod = (name: string, spec: object = {}, metadata: object = {}) => ({
	apiVersion: "v1",
	kind: "Pod",
	metadata: { name, ...metadata },
	spec: { containers: [{ name: "c", image: "i" }], ...spec },
});
const named = (kind: string, name: string, more: object = {}) => ({
	apiVersion: "v1",
	kind,
	metadata: { name },
	...more,
});

const setUp: Step[] = [
	post("the default account", "admin", `${ns}/serviceaccounts`, named("ServiceAccount", "default"), {
		remember: "default",
	}),
	post("another account", "admin", `${ns}/serviceaccounts`, named("ServiceAccount", "other")),
	post("a config map", "admin", `${ns}/configmaps`, named("ConfigMap", "used")),
	post("another config map", "admin", `${ns}/configmaps`, named("ConfigMap", "unused")),
	post("its node", node1, "/api/v1/nodes", node("node1"), { remember: "node1" }),
	post(
		"a pod on it",
		"admin",
		`${ns}/pods`,
		pod("p", {
			nodeName: "node1",
			volumes: [
				{ name: "v", projected: { sources: [{ serviceAccountToken: { path: "t", audience: "vault" } }] } },
				{ name: "c", configMap: { name: "used" } },
			],
		}),
		{ remember: "p" },
	),
	post("a pod elsewhere", "admin", `${ns}/pods`, pod("q", { nodeName: "node2" }), { remember: "q" }),
];

const nodes: Step[] = [
	post("another's node", node1, "/api/v1/nodes", node("node2")),
	post("a node of no name", node1, "/api/v1/nodes", { ...node(""), metadata: { generateName: "node1" } }),
	post(
		"its node with a forbidden label",
		node2,
		"/api/v1/nodes",
		node("node2", { labels: { "node-role.kubernetes.io/control-plane": "" } }),
	),
	post(
		"its node with a restricted label",
		node2,
		"/api/v1/nodes",
		node("node2", { labels: { "x.node-restriction.kubernetes.io/a": "" } }),
	),
	post(
		"its node with a taint",
		node2,
		"/api/v1/nodes",
		node("node2", {}, { taints: [{ key: "a", effect: "NoSchedule" }] }),
	),
	patch("a label of its own", node1, "/api/v1/nodes/node1", { metadata: { labels: { "example.com/a": "b" } } }),
	patch("a label of Kubernetes", node1, "/api/v1/nodes/node1", { metadata: { labels: { "a.k8s.io/b": "c" } } }),
	patch("a label through its status", node1, "/api/v1/nodes/node1/status", {
		metadata: { labels: { "a.k8s.io/b": "c" } },
	}),
	patch("its taints", node1, "/api/v1/nodes/node1", { spec: { taints: [] } }),
	patch("its owner", node1, "/api/v1/nodes/node1", {
		metadata: { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "c", uid: "u" }] },
	}),
	patch("another's status", node2, "/api/v1/nodes/node1/status", { status: { phase: "x" } }),
	{ ...get("deletes itself", node1, "/api/v1/nodes/node1"), method: "DELETE" },
	{ ...get("deletes all nodes", node1, "/api/v1/nodes"), method: "DELETE" },
	get("reads another", node1, "/api/v1/nodes/node2"),
	get("reads all", node1, "/api/v1/nodes"),
	get("reads itself", node1, "/api/v1/nodes/node1"),
	get("watches itself", node1, "/api/v1/nodes?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dnode1"),
	get(
		"watches itself and hides it",
		node1,
		"/api/v1/nodes?fieldSelector=spec.unschedulable!%3Dx%5C,metadata.name%3Dnode1",
	),
];

const reads: Step[] = [
	get("the config map it needs", node1, `${ns}/configmaps/used`),
	get("another", node1, `${ns}/configmaps/unused`),
	get("what another node needs", node2, `${ns}/configmaps/used`),
	get("all config maps", node1, `${ns}/configmaps`),
	get("the account it needs", node1, `${ns}/serviceaccounts/default`),
	get("an account it does not need", node1, `${ns}/serviceaccounts/other`),
	get("all accounts", node1, `${ns}/serviceaccounts`),
	get("all pods", node1, "/api/v1/pods"),
	get("its pods", node1, "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode1"),
	get("another's pods", node1, "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode2"),
	get("all but its pods", node1, "/api/v1/pods?fieldSelector=spec.nodeName!%3Dnode1"),
	get("its pods hidden in a value", node1, "/api/v1/pods?fieldSelector=status.phase!%3Dx%5C,spec.nodeName%3Dnode1"),
	get("its pods by the old path", node1, "/api/v1/watch/pods?fieldSelector=spec.nodeName%3Dnode1&timeoutSeconds=1"),
	get("another's pod", node1, `${ns}/pods/q`),
];

const owned = (more: object = {}) => ({
	annotations: { [mirror]: "x" },
	ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "node1", uid: "{uid:node1}", controller: true, ...more }],
});
const here = { nodeName: "node1", automountServiceAccountToken: false };
const volume = (source: object) => ({ ...here, volumes: [{ name: "v", ...source }] });
const mirrors: Step[] = (
	[
		["no mirror pod", {}, {}],
		["a mirror pod elsewhere", { nodeName: "node2" }, owned()],
		["a mirror pod of nobody", here, { annotations: { [mirror]: "x" } }],
		["a mirror pod of another uid", here, owned({ uid: "x" })],
		["a mirror pod that blocks its node", here, owned({ blockOwnerDeletion: true })],
		["a mirror pod it does not control", here, owned({ controller: false })],
		["a mirror pod with an account", { ...here, serviceAccountName: "default" }, owned()],
		["a mirror pod with a secret volume", volume({ secret: { secretName: "s" } }), owned()],
		["a mirror pod with a config map", volume({ configMap: { name: "s" } }), owned()],
		["a mirror pod with a claim", volume({ persistentVolumeClaim: { claimName: "s" } }), owned()],
		[
			"a mirror pod with an ephemeral claim",
			volume({
				ephemeral: {
					volumeClaimTemplate: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1" } } } },
				},
			}),
			owned(),
		],
		["a mirror pod with a CSI driver", volume({ csi: { driver: "a.b" } }), owned()],
		[
			"a mirror pod with a token",
			volume({ projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }),
			owned(),
		],
		["a mirror pod with a projected secret", volume({ projected: { sources: [{ secret: { name: "s" } }] } }), owned()],
		[
			"a mirror pod with a projected config map",
			volume({ projected: { sources: [{ configMap: { name: "s" } }] } }),
			owned(),
		],
		[
			"a mirror pod with a trust bundle",
			volume({ projected: { sources: [{ clusterTrustBundle: { name: "s", path: "x" } }] } }),
			owned(),
		],
		["a mirror pod with an Azure share", volume({ azureFile: { secretName: "s", shareName: "x" } }), owned()],
		["a mirror pod with GlusterFS", volume({ glusterfs: { endpoints: "e", path: "p" } }), owned()],
		["a mirror pod with a pull secret", { ...here, imagePullSecrets: [{ name: "s" }] }, owned()],
		[
			"a mirror pod with a variable",
			{
				...here,
				containers: [
					{ name: "c", image: "i", env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "s", key: "k" } } }] },
				],
			},
			owned(),
		],
		[
			"a mirror pod with a resource claim",
			{ ...here, resourceClaims: [{ name: "r", resourceClaimName: "x" }] },
			owned(),
		],
		["a mirror pod of its own", volume({ hostPath: { path: "/x" } }), owned()],
	] as [string, object, object][]
).map(([title, spec, metadata], i) => post(title, node1, `${ns}/pods`, pod(`m${i}`, spec, metadata)));

const podWrites: Step[] = [
	patch("another's pod's status", node2, `${ns}/pods/p/status`, { status: { message: "x" } }),
	patch("its pod's status", node1, `${ns}/pods/p/status`, { status: { message: "x" } }),
	patch("its pod's labels by status", node1, `${ns}/pods/p/status`, { metadata: { labels: { a: "b" } } }),
	patch("its pod's spec", node1, `${ns}/pods/p`, { spec: { activeDeadlineSeconds: 1 } }),
	post("evicts another's pod", node2, `${ns}/pods/p/eviction`, {
		apiVersion: "policy/v1",
		kind: "Eviction",
		metadata: { name: "p" },
	}),
	{ ...get("deletes another's pod", node2, `${ns}/pods/p`), method: "DELETE" },
	{ ...get("deletes all pods", node1, `${ns}/pods`), method: "DELETE" },
	post("binds a pod", node1, `${ns}/pods/p/binding`, {
		apiVersion: "v1",
		kind: "Binding",
		metadata: { name: "p" },
		target: { name: "node1" },
	}),
];

const leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const lease = (name: string, metadata: object = { name }) => ({
	apiVersion: "coordination.k8s.io/v1",
	kind: "Lease",
	metadata,
	spec: {},
});
const leaseWrites: Step[] = [
	post("the namespace of leases", "admin", "/api/v1/namespaces", named("Namespace", "kube-node-lease")),
	post("its lease", node1, leases, lease("node1")),
	post("another's lease", node1, leases, lease("node2")),
	post("a lease of a generated name", node1, leases, lease("", { generateName: "node" })),
	post("a lease elsewhere", node1, leases.replace("kube-node-lease", "default"), lease("node1")),
	{ ...post("another's lease by PUT", node1, `${leases}/node2`, lease("node2")), method: "PUT" },
	get("all leases", node1, leases),
	{ ...get("deletes all leases", node1, leases), method: "DELETE" },
];

const bound = (name: string, more: object = {}) => ({
	boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid: `{uid:${name}}`, ...more },
});
const request = (spec: object, metadata: object = {}) => ({
	apiVersion: "authentication.k8s.io/v1",
	kind: "TokenRequest",
	metadata,
	spec,
});
const shows = (body: Json): unknown => ({ name: body.metadata.name, audiences: body.spec.audiences });
const token = (title: string, as: string, account: string, spec: object, metadata?: object): Step =>
	post(title, as, `${ns}/serviceaccounts/${account}/token`, request(spec, metadata), { shows });
const tokens: Step[] = [
	token("a token of the pod's account", node1, "default", bound("p")),
	token("a token of no pod", node1, "default", {}),
	token("a token of another account", node1, "other", bound("p")),
	token("a token of a pod elsewhere", node1, "default", bound("q")),
	token("a token of a pod without its uid", node1, "default", bound("p", { uid: "" })),
	token("a token of a pod of another uid", node1, "default", bound("p", { uid: "x" })),
	token("a token of a node", node1, "default", { boundObjectRef: { apiVersion: "v1", kind: "Node", name: "node1" } }),
	token("a token for the audience of a volume", node1, "default", { ...bound("p"), audiences: ["vault"] }),
	token("a token for another audience", node1, "default", { ...bound("p"), audiences: ["elsewhere"] }),
	token("a token for two audiences", node1, "default", { ...bound("p"), audiences: ["vault", "elsewhere"] }),
	post("may ask for an audience: role", "admin", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
		apiVersion: "rbac.authorization.k8s.io/v1",
		kind: "ClusterRole",
		metadata: { name: "audience" },
		rules: [
			{
				verbs: ["request-serviceaccounts-token-audience"],
				apiGroups: [""],
				resources: ["elsewhere"],
				resourceNames: ["default"],
			},
		],
	}),
	post("may ask for an audience: binding", "admin", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
		apiVersion: "rbac.authorization.k8s.io/v1",
		kind: "ClusterRoleBinding",
		metadata: { name: "audience" },
		roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "audience" },
		subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:nodes" }],
	}),
	token("a token for an audience it may ask for", node1, "default", { ...bound("p"), audiences: ["elsewhere"] }),
	token("a token of its own name", "admin", "default", {}, { name: "default", namespace: "default" }),
	token("a token of another name", "admin", "default", {}, { name: "other" }),
	token("a token of another namespace", "admin", "default", {}, { namespace: "kube-system" }),
	token("a token of an account that is not there", "admin", "none", {}),
	token("a token from one who may not", "alice", "default", {}),
];

export const nodeSteps: readonly Step[] = [
	...setUp,
	...nodes,
	...reads,
	...mirrors,
	...podWrites,
	...leaseWrites,
	...tokens,
];
