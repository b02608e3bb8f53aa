/** Pod Security over the API: labels, modes, kinds, exemptions. Played by conversations.test.ts. */
import type { Step } from "../../testing/conversation.ts";

const label = "pod-security.kubernetes.io/";
type Labels = Readonly<Record<string, string>>;
const labels = (given: Labels): Labels =>
	Object.fromEntries(Object.entries(given).map(([key, value]) => [label + key, value]));

const post = (title: string, path: string, body: unknown, as = "admin"): Step => ({
	title,
	as,
	method: "POST",
	path,
	body,
});
const patch = (title: string, path: string, body: unknown): Step => ({
	title,
	as: "admin",
	method: "PATCH",
	path,
	body,
	type: "application/merge-patch+json",
});

/** Of a pod's image, which is the container's of that name. */
const setImage = (title: string, path: string): Step => ({
	...patch(title, path, { spec: { containers: [{ name: "c", image: "j" }] } }),
	type: "application/strategic-merge-patch+json",
});

const namespace = (name: string, given: Labels) => ({
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name, labels: labels(given) },
});
const account = (name: string): Step =>
	post(`the account of ${name}`, `/api/v1/namespaces/${name}/serviceaccounts`, {
		apiVersion: "v1",
		kind: "ServiceAccount",
		metadata: { name: "default" },
	});
/** A namespace with its account. */
const space = (name: string, given: Labels): Step[] => [
	post(`namespace ${name}`, "/api/v1/namespaces", namespace(name, given)),
	account(name),
];
const relabel = (title: string, name: string, given: Readonly<Record<string, string | null>>): Step =>
	patch(title, `/api/v1/namespaces/${name}`, { metadata: { labels: labels(given as Labels) } });

const plain = { containers: [{ name: "c", image: "i" }] };
const privileged = { containers: [{ name: "c", image: "i", securityContext: { privileged: true } }] };
const hostPath = { ...plain, volumes: [{ name: "v", hostPath: { path: "/" } }] };
const hardened = {
	securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
	containers: [
		{ name: "c", image: "i", securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } },
	],
};

const podOf = (spec: object, metadata: object) => ({ apiVersion: "v1", kind: "Pod", metadata, spec });
const pod = (title: string, ns: string, name: string, spec: object, as?: string): Step =>
	post(title, `/api/v1/namespaces/${ns}/pods`, podOf(spec, { name }), as);

const template = (spec: object) => ({ metadata: { labels: { a: "b" } }, spec });
const selector = { matchLabels: { a: "b" } };
const apps = (kind: string, name: string, spec: object) => ({
	apiVersion: "apps/v1",
	kind,
	metadata: { name },
	spec: { selector, template: template(spec) },
});
const job = (name: string, spec: object) => ({
	apiVersion: "batch/v1",
	kind: "Job",
	metadata: { name },
	spec: { template: { spec: { ...spec, restartPolicy: "Never" } } },
});

const modes: Step[] = [
	...space("open", {}),
	pod("privileged where nothing is said", "open", "p", privileged),
	...space("baseline", { enforce: "baseline" }),
	pod("privileged in baseline", "baseline", "p", privileged),
	pod("plain in baseline", "baseline", "q", plain),
	...space("restricted", { enforce: "restricted", "enforce-version": "v1.24" }),
	pod("privileged in restricted", "restricted", "p", privileged),
	pod("plain in restricted", "restricted", "p", plain),
	pod("hardened in restricted", "restricted", "p", hardened),
	...space("warned", { warn: "restricted", audit: "restricted" }),
	pod("plain where it is warned of", "warned", "p", plain),
	pod("hardened where plain is warned of", "warned", "q", hardened),
	...space("audited", { audit: "baseline", "audit-version": "v1.30" }),
	pod("privileged where it is audited", "audited", "p", privileged),
	...space("both", { enforce: "baseline", warn: "restricted" }),
	pod("plain in baseline with warnings", "both", "p", plain),
	pod("privileged in baseline with warnings", "both", "q", privileged),
	...space("older", { enforce: "restricted", "warn-version": "v1.18" }),
	pod("plain where the warnings are older", "older", "p", plain),
	setImage("an image in restricted", "/api/v1/namespaces/restricted/pods/p"),
	relabel("restricts what was open", "open", { enforce: "restricted" }),
	patch("a label of a pod that was there", "/api/v1/namespaces/open/pods/p", { metadata: { labels: { a: "b" } } }),
	setImage("the image of a pod that was there", "/api/v1/namespaces/open/pods/p"),
	patch("the status of a pod that was there", "/api/v1/namespaces/open/pods/p/status", { status: { message: "x" } }),
];

const kinds: Step[] = [
	post("a deployment in restricted", "/apis/apps/v1/namespaces/restricted/deployments", apps("Deployment", "d", plain)),
	post(
		"a hardened deployment in restricted",
		"/apis/apps/v1/namespaces/restricted/deployments",
		apps("Deployment", "h", hardened),
	),
	post(
		"a deployment in baseline",
		"/apis/apps/v1/namespaces/baseline/deployments",
		apps("Deployment", "d", privileged),
	),
	post(
		"a deployment where nothing is said",
		"/apis/apps/v1/namespaces/audited/deployments",
		apps("Deployment", "d", privileged),
	),
	post(
		"a replica set in restricted",
		"/apis/apps/v1/namespaces/restricted/replicasets",
		apps("ReplicaSet", "r", plain),
	),
	post("a job in restricted", "/apis/batch/v1/namespaces/restricted/jobs", job("j", plain)),
	patch("an update of the deployment", "/apis/apps/v1/namespaces/restricted/deployments/d", { spec: { paused: true } }),
	patch("a status of the deployment", "/apis/apps/v1/namespaces/restricted/deployments/d/status", {
		status: { replicas: 1 },
	}),
	patch("a scale of the deployment", "/apis/apps/v1/namespaces/restricted/deployments/d/scale", {
		spec: { replicas: 2 },
	}),
];

const labelling: Step[] = [
	post("an unknown level", "/api/v1/namespaces", namespace("x", { enforce: "strict" })),
	post("an unknown version", "/api/v1/namespaces", namespace("x", { enforce: "baseline", "enforce-version": "1.24" })),
	post(
		"all unknown",
		"/api/v1/namespaces",
		namespace("x", {
			enforce: "a",
			"enforce-version": "b",
			audit: "c",
			"audit-version": "d",
			warn: "e",
			"warn-version": "v1.01",
		}),
	),
	relabel("an unknown level by patch", "baseline", { warn: "no" }),
	...space("tightened", {}),
	pod("a pod to be found", "tightened", "b", privileged),
	pod("a second one", "tightened", "a", privileged),
	pod("a third one", "tightened", "c", hostPath),
	pod("a hardened one", "tightened", "d", hardened),
	relabel("to baseline", "tightened", { enforce: "baseline" }),
	relabel("to restricted", "tightened", { enforce: "restricted" }),
	relabel("to the same", "tightened", { enforce: "restricted", warn: "baseline" }),
	relabel("to another version", "tightened", { "enforce-version": "v1.20" }),
	relabel("to a laxer level", "tightened", { enforce: "baseline" }),
	relabel("to privileged", "tightened", { enforce: "privileged" }),
	relabel("in vain", "tightened", { enforce: "restricted", "enforce-version": null as unknown as string }),
	patch("a namespace's finalizers", "/api/v1/namespaces/tightened/status", { metadata: { labels: { x: "y" } } }),
];

const runtimeClasses: Step[] = [
	pod("an unknown runtime class", "baseline", "r", { ...plain, runtimeClassName: "fast" }),
	pod("an unknown runtime class of a forbidden pod", "baseline", "r", { ...privileged, runtimeClassName: "fast" }),
	post(
		"an unknown runtime class in a deployment",
		"/apis/apps/v1/namespaces/warned/deployments?dryRun=All",
		apps("Deployment", "r", { ...plain, runtimeClassName: "fast" }),
	),
];

export const podSecuritySteps: readonly Step[] = [...modes, ...kinds, ...labelling, ...runtimeClasses];

/** With defaults and exemptions, as `exemptionConfiguration` has them. */
export const exemptionSteps: readonly Step[] = [
	...space("free", {}),
	...space("guarded", {}),
	...space("unguarded", { enforce: "privileged", warn: "privileged", audit: "privileged" }),
	pod("privileged in an exempt namespace", "free", "p", privileged),
	pod("privileged by default", "guarded", "p", privileged),
	pod("plain by default", "guarded", "q", plain),
	pod("privileged where it is allowed", "unguarded", "p", privileged),
	post("rights for an exempt user", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
		apiVersion: "rbac.authorization.k8s.io/v1",
		kind: "ClusterRoleBinding",
		metadata: { name: "alice" },
		roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
		subjects: [
			{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "alice" },
			{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "bob" },
		],
	}),
	pod("privileged by an exempt user", "guarded", "e", privileged, "alice"),
	pod("privileged by another", "guarded", "f", privileged, "bob"),
	post(
		"a deployment by an exempt user",
		"/apis/apps/v1/namespaces/guarded/deployments",
		apps("Deployment", "e", privileged),
		"alice",
	),
	post(
		"a deployment by another",
		"/apis/apps/v1/namespaces/guarded/deployments",
		apps("Deployment", "f", privileged),
		"bob",
	),
	relabel("labels an exempt namespace", "free", { enforce: "restricted", warn: "baseline" }),
	relabel("labels it with the defaults", "free", { enforce: "baseline", warn: "restricted" }),
	post(
		"an exempt namespace with labels",
		"/api/v1/namespaces",
		namespace("freed", { enforce: "restricted", "enforce-version": "v1.20" }),
	),
	relabel("tightens one that is not", "unguarded", { enforce: "baseline" }),
];

export const exemptionConfiguration = {
	apiVersion: "pod-security.admission.config.k8s.io/v1",
	kind: "PodSecurityConfiguration",
	defaults: { enforce: "baseline", warn: "restricted", "warn-version": "v1.30" },
	exemptions: { usernames: ["alice"], namespaces: ["free", "freed"], runtimeClasses: ["fast"] },
};
