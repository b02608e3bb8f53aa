import assert from "node:assert/strict";
import type { Clock } from "../../kit/clock.ts";
import { seededRandom } from "../../kit/random.ts";
import { userInfo } from "../authn/types.ts";
import { RbacEvaluator } from "../authz/rbac.ts";
import { alwaysAllowAuthorizer } from "../authz/union.ts";
import { ApiError } from "../machinery/errors.ts";
import { deepClone } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { Namespace, Node, Pod, ServiceAccount } from "../scheme/types.gen.ts";
import { admissionChain, defaultPlugins } from "./chain.ts";
import { defaultTolerationSeconds, priority, taintNodesByCondition } from "./defaults.ts";
import { rbacEscalation } from "./escalation.ts";
import { namespaceLifecycle } from "./lifecycle.ts";
import { nodeRestriction } from "./noderestriction.ts";
import { serviceAccountAdmission } from "./serviceaccount.ts";
import { type AdmissionAttributes, type AdmissionLookups, type AdmissionPlugin, admit } from "./types.ts";

/** Timers fire at once, so that waiting takes no time. */
const hurriedClock: Clock = {
	now: () => 0,
	monotonic: () => 0,
	after: (_ms, callback) => {
		queueMicrotask(callback);
		return { cancel: () => undefined };
	},
	every: () => ({ cancel: () => undefined }),
};

interface Objects {
	namespaces?: Namespace[];
	accounts?: ServiceAccount[];
	pods?: Pod[];
	nodes?: Node[];
}
const named = <T extends { metadata?: { name?: string | undefined } | undefined }>(
	list: T[] | undefined,
	name: string,
) => list?.find((o) => o.metadata?.name === name);
const lookupsOf = (objects: Objects): AdmissionLookups => ({
	namespace: (name) => named(objects.namespaces, name),
	serviceAccount: (_, name) => named(objects.accounts, name),
	pod: (_, name) => named(objects.pods, name),
	node: (name) => named(objects.nodes, name),
	podsIn: (namespace) => (objects.pods ?? []).filter((p) => p.metadata?.namespace === namespace),
});

const attributes = (resource: string, given: Partial<AdmissionAttributes>): AdmissionAttributes => ({
	operation: "CREATE",
	kind: { group: "", version: "v1", kind: resource },
	resource: { group: "", resource },
	subresource: "",
	namespace: "ns",
	name: "",
	user: userInfo("jane"),
	dryRun: false,
	warn: () => {},
	...given,
});
const podObject = (spec: NonNullable<Pod["spec"]>, metadata: NonNullable<Pod["metadata"]> = { name: "p" }) =>
	({ apiVersion: "v1", kind: "Pod", metadata, spec: deepClone(spec) }) as unknown as KubeObject;

async function refused(
	plugin: AdmissionPlugin,
	a: AdmissionAttributes,
	objects: Objects,
	code: number,
	message: string | RegExp,
) {
	await assert.rejects(admit([plugin], a, lookupsOf(objects)), (error: unknown) => {
		assert.ok(error instanceof ApiError, String(error));
		assert.equal(error.code, code);
		if (typeof message === "string") assert.equal(error.message, message);
		else assert.match(error.message, message);
		return true;
	});
}

describe("NamespaceLifecycle", () => {
	const ns = (name: string, phase: string): Namespace => ({ metadata: { name }, status: { phase } });
	const objects = { namespaces: [ns("ns", "Active"), ns("ending", "Terminating")] };
	const create = (namespace: string, operation: AdmissionAttributes["operation"] = "CREATE") =>
		attributes("pods", { operation, namespace, object: podObject({}) });

	it("wants the namespace to exist", async () => {
		await admit([namespaceLifecycle], create("ns"), lookupsOf(objects));
		await refused(namespaceLifecycle, create("x"), objects, 404, 'namespaces "x" not found');
		await refused(namespaceLifecycle, create("x", "UPDATE"), objects, 404, 'namespaces "x" not found');
	});
	it("lets nothing be made in one that ends", async () => {
		const text =
			'pods "p" is forbidden: unable to create new content in namespace ending because it is being terminated';
		await refused(namespaceLifecycle, create("ending"), objects, 403, text);
		await admit([namespaceLifecycle], create("ending", "UPDATE"), lookupsOf(objects));
		await admit([namespaceLifecycle], { ...create("x", "DELETE"), object: undefined }, lookupsOf(objects));
		await assert.rejects(admit([namespaceLifecycle], create("ending"), lookupsOf(objects)), (error: ApiError) => {
			assert.deepEqual(error.toStatus().details?.causes, [
				{
					reason: "NamespaceTerminating",
					message: "namespace ending is being terminated",
					field: "metadata.namespace",
				},
			]);
			return true;
		});
	});
	it("keeps the first namespaces", async () => {
		const remove = (name: string) =>
			attributes("namespaces", {
				operation: "DELETE",
				name,
				namespace: "",
				kind: { group: "", version: "v1", kind: "Namespace" },
			});
		for (const name of ["default", "kube-system", "kube-public"]) {
			await refused(
				namespaceLifecycle,
				remove(name),
				{},
				403,
				`namespaces "${name}" is forbidden: this namespace may not be deleted`,
			);
		}
		await admit([namespaceLifecycle], remove("mine"), lookupsOf({}));
	});
});

describe("ServiceAccount", () => {
	const plugin = serviceAccountAdmission({ clock: hurriedClock, random: seededRandom(3) });
	const account = (more: Partial<ServiceAccount> = {}): ServiceAccount => ({ metadata: { name: "default" }, ...more });
	const admitted = async (
		spec: NonNullable<Pod["spec"]>,
		accounts: ServiceAccount[] = [account()],
	): Promise<NonNullable<Pod["spec"]>> => {
		const object = podObject(spec);
		await admit([plugin], attributes("pods", { object }), lookupsOf({ accounts }));
		return (object as unknown as Pod).spec ?? {};
	};
	const mount = "/var/run/secrets/kubernetes.io/serviceaccount";

	it("gives the default account and mounts its token everywhere", async () => {
		const spec = await admitted({ containers: [{ name: "a" }], initContainers: [{ name: "b" }] });
		assert.equal(spec.serviceAccountName, "default");
		assert.equal(spec.serviceAccount, "default");
		const [volume] = spec.volumes ?? [];
		assert.match(volume?.name ?? "", /^kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
		assert.deepEqual(volume?.projected, {
			defaultMode: 420,
			sources: [
				{ serviceAccountToken: { path: "token", expirationSeconds: 3607 } },
				{ configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
				{
					downwardAPI: {
						items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
					},
				},
			],
		});
		const mounts = [{ name: volume?.name, readOnly: true, mountPath: mount }];
		assert.deepEqual([spec.containers?.[0]?.volumeMounts, spec.initContainers?.[0]?.volumeMounts], [mounts, mounts]);
	});
	it("mounts nothing where pod or account say so, or something is there", async () => {
		assert.equal(
			(await admitted({ containers: [{ name: "a" }], automountServiceAccountToken: false })).volumes,
			undefined,
		);
		assert.equal(
			(await admitted({ containers: [{ name: "a" }] }, [account({ automountServiceAccountToken: false })])).volumes,
			undefined,
		);
		const spec = await admitted({ containers: [{ name: "a" }], automountServiceAccountToken: true }, [
			account({ automountServiceAccountToken: false }),
		]);
		assert.equal(spec.volumes?.length, 1);
		const taken = await admitted({ containers: [{ name: "a", volumeMounts: [{ name: "mine", mountPath: mount }] }] });
		assert.equal(taken.volumes, undefined);
		const again = await admitted({ ...spec });
		assert.equal(again.volumes?.length, 1);
	});
	it("passes the account's pull secrets on", async () => {
		const accounts = [account({ imagePullSecrets: [{ name: "reg" }] })];
		assert.deepEqual((await admitted({ containers: [] }, accounts)).imagePullSecrets, [{ name: "reg" }]);
		assert.deepEqual(
			(await admitted({ containers: [], imagePullSecrets: [{ name: "own" }] }, accounts)).imagePullSecrets,
			[{ name: "own" }],
		);
	});
	it("wants the account to exist, and waits for the default one", async () => {
		const create = (serviceAccountName?: string) =>
			attributes("pods", { object: podObject(serviceAccountName === undefined ? {} : { serviceAccountName }) });
		await refused(
			plugin,
			create("bot"),
			{},
			403,
			'pods "p" is forbidden: error looking up service account ns/bot: serviceaccount "bot" not found',
		);
		await refused(
			plugin,
			create(),
			{},
			403,
			'pods "p" is forbidden: error looking up service account ns/default: serviceaccount "default" not found',
		);
		let looks = 0;
		const lookups = { ...lookupsOf({}), serviceAccount: () => (++looks < 4 ? undefined : account()) };
		await admit([plugin], create(), lookups);
		assert.equal(looks, 5);
	});
	it("limits secrets where the account says so", async () => {
		const strict = account({
			metadata: { name: "default", annotations: { "kubernetes.io/enforce-mountable-secrets": "true" } },
			secrets: [{ name: "ok" }],
		});
		const create = (spec: NonNullable<Pod["spec"]>) => attributes("pods", { object: podObject(spec) });
		const bad = create({ volumes: [{ name: "v", secret: { secretName: "no" } }], containers: [] });
		await refused(
			plugin,
			bad,
			{ accounts: [strict] },
			403,
			/volume with secret\.secretName="no" is not allowed because service account default/,
		);
		const env = create({
			containers: [{ name: "c", env: [{ name: "X", valueFrom: { secretKeyRef: { name: "no", key: "k" } } }] }],
		});
		await refused(
			plugin,
			env,
			{ accounts: [strict] },
			403,
			/container c with envVar X referencing secret\.secretName="no"/,
		);
		await admit(
			[plugin],
			create({ volumes: [{ name: "v", secret: { secretName: "ok" } }], containers: [] }),
			lookupsOf({ accounts: [strict] }),
		);
	});
	it("leaves mirror pods as they are", async () => {
		const metadata = { name: "m", annotations: { "kubernetes.io/config.mirror": "x" } };
		const object = podObject({ containers: [{ name: "c" }] }, metadata);
		const before = deepClone(object);
		await admit([plugin], attributes("pods", { object }), lookupsOf({}));
		assert.deepEqual(object, before);
		const asking = attributes("pods", { object: podObject({ serviceAccountName: "x" }, metadata) });
		await refused(plugin, asking, {}, 403, 'pods "m" is forbidden: a mirror pod may not reference service accounts');
	});
});

describe("defaults", () => {
	it("tolerates unready nodes for a while", async () => {
		const plugin = defaultTolerationSeconds({ notReady: 300, unreachable: 5 });
		const object = podObject({
			tolerations: [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" }],
		});
		await admit([plugin], attributes("pods", { object }), lookupsOf({}));
		assert.deepEqual((object as unknown as Pod).spec?.tolerations?.slice(1), [
			{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 },
		]);
		const all = podObject({ tolerations: [{ operator: "Exists" }] });
		await admit([plugin], attributes("pods", { object: all }), lookupsOf({}));
		assert.equal((all as unknown as Pod).spec?.tolerations?.length, 1);
		const status = podObject({});
		await admit(
			[plugin],
			attributes("pods", { object: status, subresource: "status", operation: "UPDATE" }),
			lookupsOf({}),
		);
		assert.equal((status as unknown as Pod).spec?.tolerations, undefined);
	});
	it("taints new nodes", async () => {
		const object = { apiVersion: "v1", kind: "Node", metadata: { name: "n" } } as KubeObject;
		const create = attributes("nodes", { object, namespace: "" });
		await admit([taintNodesByCondition], create, lookupsOf({}));
		await admit([taintNodesByCondition], create, lookupsOf({}));
		assert.deepEqual((object as Node).spec?.taints, [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }]);
	});
	it("resolves priorities", async () => {
		const resolved = async (spec: NonNullable<Pod["spec"]>) => {
			const object = podObject(spec);
			await admit([priority], attributes("pods", { object }), lookupsOf({}));
			return (object as unknown as Pod).spec;
		};
		assert.equal((await resolved({}))?.priority, 0);
		assert.equal((await resolved({}))?.preemptionPolicy, "PreemptLowerPriority");
		assert.equal((await resolved({ priorityClassName: "system-node-critical" }))?.priority, 2_000_001_000);
		const bad = (spec: NonNullable<Pod["spec"]>) => attributes("pods", { object: podObject(spec) });
		await refused(
			priority,
			bad({ priorityClassName: "vip" }),
			{},
			403,
			'pods "p" is forbidden: no PriorityClass with name vip was found',
		);
		await refused(
			priority,
			bad({ priority: 7 }),
			{},
			403,
			/the integer value of priority \(7\) must not be provided in pod spec/,
		);
		await refused(
			priority,
			bad({ preemptionPolicy: "Never" }),
			{},
			403,
			/the string value of PreemptionPolicy \(Never\)/,
		);
	});
});

describe("NodeRestriction", () => {
	const kubelet = userInfo("system:node:n1", ["system:nodes"]);
	const node = (labels: Record<string, string> = {}, more: Partial<Node> = {}) =>
		({ apiVersion: "v1", kind: "Node", metadata: { name: "n1", labels }, ...more }) as KubeObject;
	const bound = (nodeName: string): Pod => ({ metadata: { name: "p", namespace: "ns", uid: "u" }, spec: { nodeName } });
	const mine = podObject({ nodeName: "n1" });
	const theirs = podObject({ nodeName: "n2" });
	const self = 'node "n1"';
	const by = (resource: string, given: Partial<AdmissionAttributes>) =>
		attributes(resource, { user: kubelet, ...given });
	const nodes = (given: Partial<AdmissionAttributes>) => by("nodes", { namespace: "", name: "n1", ...given });
	const lease = (name: string, namespace: string) =>
		by("leases", {
			resource: { group: "coordination.k8s.io", resource: "leases" },
			namespace,
			object: { apiVersion: "v1", kind: "Lease", metadata: { name } },
		});
	const token = (boundObjectRef: Record<string, unknown> | undefined) =>
		by("serviceaccounts", {
			subresource: "token",
			name: "sa",
			object: { apiVersion: "v1", kind: "TokenRequest", metadata: {}, spec: { boundObjectRef } },
		});
	const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid: "nu", controller: true };
	const mirror = (spec: NonNullable<Pod["spec"]> = {}, more: NonNullable<Pod["metadata"]> = {}) =>
		by("pods", {
			object: podObject(
				{ nodeName: "n1", ...spec },
				{ name: "m", annotations: { "kubernetes.io/config.mirror": "x" }, ownerReferences: [owner], ...more },
			),
		});
	const objects: Objects = { pods: [bound("n1")], nodes: [{ metadata: { name: "n1", uid: "nu" } }] };
	const elsewhere: Objects = { pods: [bound("n2")] };

	const cases: [string, AdmissionAttributes, Objects, true | [number, string]][] = [
		[
			"its node",
			nodes({ object: node({ "kubernetes.io/hostname": "n1", "node.kubernetes.io/pool": "a", mine: "x" }) }),
			{},
			true,
		],
		[
			"another node",
			nodes({ name: "n2", object: node() }),
			{},
			[403, `nodes "n2" is forbidden: ${self} is not allowed to modify node "n2"`],
		],
		[
			"a restricted label",
			nodes({ object: node({ "node-restriction.kubernetes.io/x": "1" }) }),
			{},
			[
				403,
				`nodes "n1" is forbidden: ${self} is not allowed to set the following labels: node-restriction.kubernetes.io/x`,
			],
		],
		[
			"a foreign Kubernetes label",
			nodes({ operation: "UPDATE", object: node({ "k8s.io/x": "1", "a.kubernetes.io/b": "1" }), oldObject: node() }),
			{},
			[403, 'nodes "n1" is forbidden: is not allowed to modify labels: a.kubernetes.io/b, k8s.io/x'],
		],
		[
			"its taints",
			nodes({
				operation: "UPDATE",
				object: node({}, { spec: {} }),
				oldObject: node({}, { spec: { taints: [{ key: "a", effect: "NoSchedule" }] } }),
			}),
			{},
			[403, `nodes "n1" is forbidden: ${self} is not allowed to modify taints`],
		],
		["its status", nodes({ operation: "UPDATE", subresource: "status", object: node(), oldObject: node() }), {}, true],
		[
			"its pod's status",
			by("pods", { operation: "UPDATE", subresource: "status", name: "p", object: mine, oldObject: mine }),
			{},
			true,
		],
		[
			"another's pod's status",
			by("pods", { operation: "UPDATE", subresource: "status", name: "p", object: mine, oldObject: theirs }),
			{},
			[403, `pods "p" is forbidden: ${self} can only update pod status for pods with spec.nodeName set to itself`],
		],
		[
			"labels through status",
			by("pods", {
				operation: "UPDATE",
				subresource: "status",
				name: "p",
				object: podObject({ nodeName: "n1" }, { name: "p", labels: { a: "b" } }),
				oldObject: mine,
			}),
			{},
			[403, `pods "p" is forbidden: ${self} cannot update labels through pod status`],
		],
		["deleting its pod", by("pods", { operation: "DELETE", name: "p" }), objects, true],
		[
			"deleting another's pod",
			by("pods", { operation: "DELETE", name: "p" }),
			elsewhere,
			[403, `pods "p" is forbidden: ${self} can only delete pods with spec.nodeName set to itself`],
		],
		["deleting no pod", by("pods", { operation: "DELETE", name: "q" }), {}, [404, 'pods "q" not found']],
		[
			"changing its pod",
			by("pods", { operation: "UPDATE", name: "p", object: mine, oldObject: mine }),
			{},
			[403, `pods "p" is forbidden: unexpected operation "UPDATE", ${self} can only create and delete mirror pods`],
		],
		[
			"an ordinary pod",
			by("pods", { object: mine }),
			{},
			[
				403,
				`pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, ${self} can only create mirror pods`,
			],
		],
		["a mirror pod", mirror(), objects, true],
		[
			"a mirror pod elsewhere",
			mirror({ nodeName: "n2" }),
			objects,
			[403, `pods "m" is forbidden: ${self} can only create pods with spec.nodeName set to itself`],
		],
		[
			"a mirror pod without owner",
			mirror({}, { ownerReferences: [] }),
			objects,
			[403, `pods "m" is forbidden: ${self} can only create pods with an owner reference set to itself`],
		],
		[
			"a mirror pod of an older node",
			mirror({}, { ownerReferences: [{ ...owner, uid: "old" }] }),
			objects,
			[403, 'pods "m" is forbidden: node n1 UID mismatch: expected old got nu'],
		],
		[
			"a mirror pod with an account",
			mirror({ serviceAccountName: "x" }),
			objects,
			[403, `pods "m" is forbidden: ${self} can not create pods that reference serviceaccounts`],
		],
		[
			"a mirror pod with secrets",
			mirror({ volumes: [{ name: "s", secret: { secretName: "x" } }] }),
			objects,
			[403, `pods "m" is forbidden: ${self} can not create pods that reference secrets`],
		],
		["evicting its pod", by("pods", { subresource: "eviction", name: "p" }), objects, true],
		[
			"evicting another's pod",
			by("pods", { subresource: "eviction", name: "p" }),
			elsewhere,
			[403, 'pods "p" is forbidden: node n1 can only evict pods with spec.nodeName set to itself'],
		],
		[
			"another subresource",
			by("pods", { subresource: "binding", name: "p" }),
			objects,
			[403, `pods "p" is forbidden: unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`],
		],
		["its lease", lease("n1", "kube-node-lease"), {}, true],
		[
			"another's lease",
			lease("n2", "kube-node-lease"),
			{},
			[
				403,
				'leases.coordination.k8s.io "n2" is forbidden: can only access node lease with the same name as the requesting node',
			],
		],
		[
			"a lease elsewhere",
			lease("n1", "ns"),
			{},
			[
				403,
				'leases.coordination.k8s.io "n1" is forbidden: can only access leases in the "kube-node-lease" system namespace',
			],
		],
		["a token for its pod", token({ apiVersion: "v1", kind: "Pod", name: "p", uid: "u" }), objects, true],
		[
			"a token for no pod",
			token(undefined),
			objects,
			[403, 'serviceaccounts "sa" is forbidden: node requested token not bound to a pod'],
		],
		[
			"a token without uid",
			token({ apiVersion: "v1", kind: "Pod", name: "p" }),
			objects,
			[403, 'serviceaccounts "sa" is forbidden: node requested token with a pod binding without a uid'],
		],
		[
			"a token for another's pod",
			token({ apiVersion: "v1", kind: "Pod", name: "p", uid: "u" }),
			elsewhere,
			[403, 'serviceaccounts "sa" is forbidden: node requested token bound to a pod scheduled on a different node'],
		],
		["anything else", by("events", { object: podObject({}) }), {}, true],
		["users that are no nodes", attributes("nodes", { name: "n2", object: node() }), {}, true],
	];
	for (const [title, a, known, expected] of cases) {
		it(`${expected === true ? "admits" : "refuses"} ${title}`, async () => {
			if (expected === true) await admit([nodeRestriction(alwaysAllowAuthorizer)], a, lookupsOf(known));
			else await refused(nodeRestriction(alwaysAllowAuthorizer), a, known, expected[0], expected[1]);
		});
	}
});

describe("the escalation check", () => {
	const nobodys = {
		generation: 0,
		clusterRoleBindings: () => [],
		roleBindings: () => [],
		clusterRole: () => undefined,
		role: () => undefined,
	};
	const evaluator = new RbacEvaluator(nobodys);
	const role = (resource: string, group = "rbac.authorization.k8s.io") =>
		attributes(resource, {
			resource: { group, resource },
			object: {
				apiVersion: "v1",
				kind: "Role",
				metadata: { name: "r" },
				rules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }],
			},
		});
	it("guards the RBAC resources, and those alone", async () => {
		const plugin = rbacEscalation(evaluator, evaluator);
		await refused(plugin, role("roles"), {}, 403, /is attempting to grant RBAC permissions not currently held/);
		await admit([plugin], role("roles", "example.com"), lookupsOf({}));
		await admit([plugin], role("configmaps"), lookupsOf({}));
		await admit([rbacEscalation(evaluator, alwaysAllowAuthorizer)], role("roles"), lookupsOf({}));
	});
});

describe("the chain", () => {
	const base = {
		authorizer: alwaysAllowAuthorizer,
		configurations: new Map<string, unknown>(),
		audit: () => {},
		clock: hurriedClock,
		random: seededRandom(1),
		tolerationSeconds: { notReady: 300, unreachable: 300 },
	};
	it("follows the flags", () => {
		const names = (enable: string[], disable: string[]) =>
			admissionChain({ ...base, enable, disable }).map((p) => p.name);
		assert.deepEqual(new Set(names([], [])), new Set(defaultPlugins));
		assert.deepEqual(names(["NodeRestriction"], ["Priority"]), [
			"NamespaceLifecycle",
			"ServiceAccount",
			"NodeRestriction",
			"TaintNodesByCondition",
			"PodSecurity",
			"DefaultTolerationSeconds",
			"RuntimeClass",
		]);
		assert.throws(() => names(["Magic"], []), /admission plugin "Magic" is unknown/);
		assert.throws(() => names(["Priority"], ["Priority"]), /overlapped/);
		assert.ok(defaultPlugins.includes("PodSecurity") && !names([], ["PodSecurity"]).includes("PodSecurity"));
		const configured = (name: string) =>
			admissionChain({ ...base, enable: [], disable: [], configurations: new Map([[name, { a: 1 }]]) });
		assert.throws(() => configured("Magic"), /admission-control-config-file: admission plugin "Magic" is unknown/);
		assert.throws(() => configured("Priority"), /admission plugin "Priority" takes no configuration/);
		assert.throws(() => configured("PodSecurity"), /PodSecurity's configuration: unknown field "a"/);
	});
	it("mutates in order before it validates", async () => {
		const seen: string[] = [];
		const plugin = (name: string): AdmissionPlugin => ({
			name,
			mutate: () => void seen.push(`mutate ${name}`),
			validate: () => void seen.push(`validate ${name}`),
		});
		await admit([plugin("a"), plugin("b")], attributes("pods", {}), lookupsOf({}));
		assert.deepEqual(seen, ["mutate a", "mutate b", "validate a", "validate b"]);
	});
});
