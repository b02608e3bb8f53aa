/** Pods that are valid and yet not what their authors mean. Played by conversations.test.ts. */
import type { Step } from "../../testing/conversation.ts";

const image = "i";
const plain = (container: object = {}, spec: object = {}) => ({
	containers: [{ name: "c", image, ...container }],
	...spec,
});
const volume = (source: object) => plain({}, { volumes: [{ name: "v", ...source }] });
const requests = (amounts: object) => plain({ resources: { requests: amounts, limits: amounts } });
const labels = (key: string) => ({ matchExpressions: [{ key, operator: "In", values: ["a", "b c"] }] });
const term = { topologyKey: "zone" };
const keys = (...paths: string[]) => paths.map((path, i) => ({ key: `k${i}`, path }));
const field = { fieldPath: "metadata.name" };

const specs: readonly (readonly [string, object, Readonly<Record<string, string>>?])[] = [
	["nothing to say", plain()],
	["deprecated node selectors", plain({}, { nodeSelector: { "beta.kubernetes.io/os": "linux" } })],
	["a master selector", plain({}, { nodeSelector: { "node-role.kubernetes.io/master": "" } })],
	[
		"node affinity by deprecated labels",
		plain(
			{},
			{
				affinity: {
					nodeAffinity: {
						requiredDuringSchedulingIgnoredDuringExecution: {
							nodeSelectorTerms: [{ matchExpressions: [{ key: "beta.kubernetes.io/arch", operator: "Exists" }] }],
						},
						preferredDuringSchedulingIgnoredDuringExecution: [
							{ weight: 1, preference: labels("failure-domain.beta.kubernetes.io/zone") },
						],
					},
				},
			},
		),
	],
	[
		"spread by a deprecated label",
		plain(
			{},
			{
				topologySpreadConstraints: [
					{ maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway", topologyKey: "failure-domain.beta.kubernetes.io/region" },
				],
			},
		),
	],
	[
		"deprecated annotations",
		plain(),
		{ "scheduler.alpha.kubernetes.io/critical-pod": "", "security.alpha.kubernetes.io/sysctls": "x=1" },
	],
	[
		"seccomp annotations",
		plain(),
		{
			"seccomp.security.alpha.kubernetes.io/pod": "runtime/default",
			"container.seccomp.security.alpha.kubernetes.io/c": "runtime/default",
		},
	],
	["an AppArmor annotation", plain(), { "container.apparmor.security.beta.kubernetes.io/c": "runtime/default" }],
	[
		"an AppArmor annotation as the pod says",
		plain({}, { securityContext: { appArmorProfile: { type: "RuntimeDefault" } } }),
		{ "container.apparmor.security.beta.kubernetes.io/c": "runtime/default" },
	],
	["photon", volume({ photonPersistentDisk: { pdID: "x" } })],
	["git", volume({ gitRepo: { repository: "x" } })],
	["scaleio", volume({ scaleIO: { gateway: "x", system: "x", secretRef: { name: "x" }, volumeName: "x" } })],
	["flocker", volume({ flocker: { datasetName: "x" } })],
	["storageos", volume({ storageos: { volumeName: "x" } })],
	["quobyte", volume({ quobyte: { registry: "x:1", volume: "x" } })],
	["glusterfs", volume({ glusterfs: { endpoints: "x", path: "x" } })],
	["cephfs", volume({ cephfs: { monitors: ["x"] } })],
	["rbd", volume({ rbd: { monitors: ["x"], image: "x" } })],
	["iscsi", volume({ iscsi: { targetPortal: "1.2.3.4", iqn: "iqn.2001-04.com.example:x", lun: 0 } })],
	["a host path of any type", volume({ hostPath: { path: "/x", type: "" } })],
	[
		"a fractional claim",
		volume({
			ephemeral: {
				volumeClaimTemplate: {
					spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1500m" } } },
				},
			},
		}),
	],
	["fractional memory", requests({ memory: "1500m" })],
	["fractional storage", requests({ "ephemeral-storage": "0.5" })],
	["memory in milli that is whole", requests({ memory: "2000m", cpu: "1m" })],
	["config map paths twice", volume({ configMap: { name: "m", items: keys("a", "a", "b/c", "b") } })],
	["secret paths within others", volume({ secret: { secretName: "s", items: keys("x/y", "x/y/z", "xy") } })],
	[
		"downward paths twice",
		volume({
			downwardAPI: {
				items: [
					{ path: "a", fieldRef: field },
					{ path: "a", fieldRef: field },
				],
			},
		}),
	],
	[
		"projected paths twice",
		volume({
			projected: {
				sources: [
					{ configMap: { name: "m", items: keys("token") } },
					{ secret: { name: "s", items: keys("token/x") } },
					{ serviceAccountToken: { path: "token" } },
					{ downwardAPI: { items: [{ path: "d", fieldRef: field }] } },
				],
			},
		}),
	],
	[
		"host aliases twice",
		plain(
			{},
			{
				hostAliases: [
					{ ip: "1.2.3.4", hostnames: ["a"] },
					{ ip: "1.2.3.4", hostnames: ["b"] },
				],
			},
		),
	],
	["pull secrets twice", plain({}, { imagePullSecrets: [{ name: "a" }, { name: "a" }] })],
	["a pull secret of no name", plain({}, { imagePullSecrets: [{}] })],
	[
		"variables twice",
		plain({
			env: [
				{ name: "A", value: "1" },
				{ name: "A", value: "2" },
				{ name: "A", value: "$(A)" },
				{ name: "A", value: "$(A)3" },
			],
		}),
	],
	[
		"a variable replaced by a field",
		plain({
			env: [
				{ name: "A", value: "1" },
				{ name: "A", valueFrom: { fieldRef: field } },
			],
		}),
	],
	[
		"variables twice in an init container",
		plain(
			{},
			{
				initContainers: [
					{
						name: "i",
						image,
						env: [
							{ name: "B", value: "1" },
							{ name: "B", value: "1" },
						],
					},
				],
			},
		),
	],
	[
		"ports twice",
		plain(
			{ ports: [{ containerPort: 80 }, { containerPort: 80, hostPort: 1 }] },
			{
				containers: [
					{ name: "c", image, ports: [{ containerPort: 80 }] },
					{ name: "d", image, ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "UDP" }] },
				],
			},
		),
	],
	[
		"host ports that overlap",
		plain(
			{},
			{
				containers: [
					{ name: "c", image, ports: [{ containerPort: 80, hostPort: 8080 }] },
					{
						name: "d",
						image,
						ports: [{ containerPort: 80, hostPort: 8080, hostIP: "10.0.0.1" }, { containerPort: 80 }],
					},
				],
			},
		),
	],
	["a host address without a port", plain({ ports: [{ containerPort: 80, hostIP: "127.0.0.1" }] })],
	[
		"port names twice",
		plain(
			{},
			{
				containers: [
					{ name: "c", image, ports: [{ containerPort: 80, name: "web" }] },
					{ name: "d", image, ports: [{ containerPort: 81, name: "web" }] },
				],
			},
		),
	],
	["a negative grace period", plain({}, { terminationGracePeriodSeconds: -1 })],
	[
		"affinity without selectors",
		plain(
			{},
			{
				affinity: {
					podAffinity: {
						requiredDuringSchedulingIgnoredDuringExecution: [term],
						preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
					},
					podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ ...term, labelSelector: {} }, term] },
				},
			},
		),
	],
	[
		"addresses in odd forms",
		plain(
			{},
			{
				dnsConfig: { nameservers: ["::1:0:0:1", "2001:DB8::1", "1.2.3.4"] },
				hostAliases: [{ ip: "fe80:0:0:0:0:0:0:1", hostnames: ["a"] }],
			},
		),
	],
	[
		"several at once",
		plain(
			{ env: [{ name: "A" }, { name: "A" }] },
			{ terminationGracePeriodSeconds: -5, nodeSelector: { "beta.kubernetes.io/arch": "x" } },
		),
	],
];

const ns = "/api/v1/namespaces/default";
const apps = "/apis/apps/v1/namespaces/default";
const post = (title: string, path: string, body: unknown): Step => ({ title, as: "admin", method: "POST", path, body });
const patch = (title: string, path: string, body: unknown): Step => ({
	...post(title, path, body),
	method: "PATCH",
	type: "application/merge-patch+json",
});
const deployment = (name: string, spec: object, annotations: object = {}) => ({
	apiVersion: "apps/v1",
	kind: "Deployment",
	metadata: { name },
	spec: { selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" }, annotations }, spec } },
});

export const warningSteps: readonly Step[] = [
	post("the default account", `${ns}/serviceaccounts`, {
		apiVersion: "v1",
		kind: "ServiceAccount",
		metadata: { name: "default" },
	}),
	...specs.map(([title, spec, annotations]) =>
		post(title, `${ns}/pods?dryRun=All`, { apiVersion: "v1", kind: "Pod", metadata: { name: "p", annotations }, spec }),
	),
	...specs.map(([title, spec, annotations]) =>
		post(`a deployment: ${title}`, `${apps}/deployments?dryRun=All`, deployment("d", spec, annotations)),
	),
	post("a pod's name that is no host name", `${ns}/pods?dryRun=All`, {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name: "a.b" },
		spec: plain(),
	}),
	post("a deployment's name that is no host name", `${apps}/deployments?dryRun=All`, deployment("a.b", plain())),
	post("a replica set's name that is no host name", `${apps}/replicasets?dryRun=All`, {
		...deployment("a.b", plain()),
		kind: "ReplicaSet",
	}),
	post("a job's warnings", "/apis/batch/v1/namespaces/default/jobs?dryRun=All", {
		apiVersion: "batch/v1",
		kind: "Job",
		metadata: { name: "j.k" },
		spec: { template: { spec: { ...plain({}, { terminationGracePeriodSeconds: -1 }), restartPolicy: "Never" } } },
	}),
	post(
		"a deployment to change",
		`${apps}/deployments`,
		deployment("changed", plain({}, { terminationGracePeriodSeconds: -1 })),
	),
	patch("a change of its spec", `${apps}/deployments/changed`, { spec: { replicas: 2 } }),
	patch("a change of its labels", `${apps}/deployments/changed`, { metadata: { labels: { a: "b" } } }),
	patch("a change of its status", `${apps}/deployments/changed/status`, { status: { replicas: 1 } }),
	post("a pod to change", `${ns}/pods`, {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name: "changed" },
		spec: plain({}, { terminationGracePeriodSeconds: -1 }),
	}),
	patch("a change of the pod", `${ns}/pods/changed`, { metadata: { labels: { a: "b" } } }),
	post("an invalid pod with warnings", `${ns}/pods?dryRun=All`, {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name: "p" },
		spec: plain({ env: [{ name: "A" }, { name: "A" }] }, { restartPolicy: "Maybe" }),
	}),
	post("an unknown field and a warning", `${ns}/pods?dryRun=All`, {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name: "p" },
		spec: plain({}, { terminationGracePeriodSeconds: -1, frob: 1 }),
	}),
];
