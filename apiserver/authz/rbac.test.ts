import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { userInfo } from "../authn/types.ts";
import { ApiError } from "../machinery/errors.ts";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from "../scheme/types.gen.ts";
import { aggregatedRules, needsAggregation } from "./aggregation.ts";
import { bootstrapPolicy, reconciledBinding, reconciledRole } from "./bootstrap.ts";
import { checkEscalation, escalationProblem, uncovered } from "./escalation.ts";
import { RbacEvaluator, type RbacSource } from "./rbac.ts";
import { type Attributes, denied, pathAttributes, requireAllowed, resourceAttributes } from "./types.ts";
import { authorizerForModes, privilegedGroupAuthorizer, unionAuthorizer } from "./union.ts";

class Objects implements RbacSource {
	generation = 0;
	readonly #clusterRoles = new Map<string, ClusterRole>();
	readonly #roles = new Map<string, Role>();
	readonly #clusterBindings: ClusterRoleBinding[] = [];
	readonly #bindings: RoleBinding[] = [];

	clusterRoleBindings = () => this.#clusterBindings;
	roleBindings = (namespace: string) => this.#bindings.filter((b) => b.metadata?.namespace === namespace);
	clusterRole = (name: string) => this.#clusterRoles.get(name);
	role = (namespace: string, name: string) => this.#roles.get(`${namespace}/${name}`);

	addClusterRole(name: string, ...rules: PolicyRule[]) {
		this.generation++;
		this.#clusterRoles.set(name, { metadata: { name }, rules });
	}
	addRole(namespace: string, name: string, ...rules: PolicyRule[]) {
		this.generation++;
		this.#roles.set(`${namespace}/${name}`, { metadata: { namespace, name }, rules });
	}
	bindCluster(name: string, role: string, ...subjects: Subject[]) {
		this.generation++;
		this.#clusterBindings.push({ metadata: { name }, subjects, roleRef: { kind: "ClusterRole", name: role } });
	}
	bind(namespace: string, name: string, kind: string, role: string, ...subjects: Subject[]) {
		this.generation++;
		this.#bindings.push({ metadata: { namespace, name }, subjects, roleRef: { kind, name: role } });
	}
	static withBootstrap(): Objects {
		const objects = new Objects();
		const policy = bootstrapPolicy();
		for (const r of policy.clusterRoles) objects.#clusterRoles.set(r.metadata.name ?? "", r);
		for (const r of policy.roles) objects.#roles.set(`${r.metadata.namespace}/${r.metadata.name}`, r);
		objects.#clusterBindings.push(...policy.clusterRoleBindings);
		objects.#bindings.push(...policy.roleBindings);
		return objects;
	}
}

const userSubject = (name: string): Subject => ({ kind: "User", name });
const rule = (verbs: string, groups: string, resources: string, names?: string): PolicyRule => ({
	verbs: verbs.split(" "),
	apiGroups: groups.split(" ").map((g) => (g === "core" ? "" : g)),
	resources: resources.split(" "),
	...(names === undefined ? {} : { resourceNames: names.split(" ") }),
});

describe("RBAC rules", () => {
	const cases: [string, PolicyRule, [string, string, string, string, string], boolean][] = [
		["a plain match", rule("get", "core", "pods"), ["get", "", "pods", "", "x"], true],
		["another verb", rule("get", "core", "pods"), ["list", "", "pods", "", ""], false],
		["another group", rule("get", "apps", "pods"), ["get", "", "pods", "", ""], false],
		["any verb", rule("*", "core", "pods"), ["frob", "", "pods", "", ""], true],
		["any group", rule("get", "*", "pods"), ["get", "apps", "pods", "", ""], true],
		["any resource", rule("get", "core", "*"), ["get", "", "pods", "log", ""], true],
		["a resource is not its subresources", rule("get", "core", "pods"), ["get", "", "pods", "log", ""], false],
		["a subresource", rule("get", "core", "pods/log"), ["get", "", "pods", "log", ""], true],
		["a subresource is not its resource", rule("get", "core", "pods/log"), ["get", "", "pods", "", ""], false],
		["every resource's subresource", rule("get", "*", "*/scale"), ["get", "apps", "deployments", "scale", ""], true],
		["every resource's other subresource", rule("get", "*", "*/scale"), ["get", "", "pods", "log", ""], false],
		["pods/* is no wildcard", rule("get", "core", "pods/*"), ["get", "", "pods", "log", ""], false],
		["a name", rule("get", "core", "pods", "a b"), ["get", "", "pods", "", "b"], true],
		["another name", rule("get", "core", "pods", "a b"), ["get", "", "pods", "", "c"], false],
		["no name where one is wanted", rule("list", "core", "pods", "a"), ["list", "", "pods", "", ""], false],
	];
	for (const [title, granted, [verb, apiGroup, resource, subresource, name], expected] of cases) {
		it(title, () => {
			const objects = new Objects();
			objects.addClusterRole("r", granted);
			objects.bindCluster("b", "r", userSubject("u"));
			const attributes = resourceAttributes(userInfo("u"), verb, { apiGroup, resource, subresource, name });
			const { decision } = new RbacEvaluator(objects).authorize(attributes);
			assert.equal(decision, expected ? "allow" : "no opinion");
		});
	}

	const paths: [string, string, boolean][] = [
		["/healthz", "/healthz", true],
		["/healthz", "/healthz/etcd", false],
		["/healthz/*", "/healthz/etcd", true],
		["/healthz/*", "/healthz", false],
		["/api*", "/apis/x", true],
		["*", "/anything", true],
	];
	for (const [url, path, expected] of paths) {
		it(`the path ${url} ${expected ? "covers" : "does not cover"} ${path}`, () => {
			const objects = new Objects();
			objects.addClusterRole("r", { verbs: ["get"], nonResourceURLs: [url] });
			objects.bindCluster("b", "r", { kind: "Group", name: "g" });
			const asked = pathAttributes(userInfo("u", ["g"]), "get", path);
			assert.equal(new RbacEvaluator(objects).authorize(asked).decision === "allow", expected);
		});
	}

	it("means service accounts by their user name, and reads bindings by namespace", () => {
		const objects = new Objects();
		objects.addRole("ns", "r", rule("get", "core", "pods"));
		objects.bind("ns", "b", "Role", "r", { kind: "ServiceAccount", name: "sa", namespace: "other" });
		const rbac = new RbacEvaluator(objects);
		const asked = (namespace: string) =>
			resourceAttributes(userInfo("system:serviceaccount:other:sa"), "get", { namespace, resource: "pods" });
		const allowed = rbac.authorize(asked("ns"));
		assert.equal(allowed.decision, "allow");
		assert.equal(allowed.reason, 'RBAC: allowed by RoleBinding "b/ns" of Role "r" to ServiceAccount "sa/other"');
		assert.equal(rbac.authorize(asked("other")).decision, "no opinion");
		assert.equal(rbac.authorize(asked("")).decision, "no opinion");
	});

	it("sees changes at once, and names roles that are missing", () => {
		const objects = new Objects();
		const rbac = new RbacEvaluator(objects);
		const asked = resourceAttributes(userInfo("u"), "get", { resource: "nodes" });
		assert.deepEqual(rbac.authorize(asked), { decision: "no opinion", reason: "" });
		objects.bindCluster("b", "late", userSubject("u"));
		assert.deepEqual(rbac.authorize(asked), {
			decision: "no opinion",
			reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "late" not found',
		});
		objects.addClusterRole("late", rule("get", "core", "nodes"));
		assert.equal(rbac.authorize(asked).decision, "allow");
	});

	it("lists rules", () => {
		const objects = new Objects();
		objects.addClusterRole("a", rule("get", "core", "pods"), { verbs: ["get"], nonResourceURLs: ["/x"] });
		objects.bindCluster("a", "a", userSubject("u"));
		objects.addRole("ns", "b", rule("list", "core", "secrets", "s"));
		objects.bind("ns", "b", "Role", "b", userSubject("u"));
		objects.bind("ns", "c", "Role", "gone", userSubject("u"));
		assert.deepEqual(new RbacEvaluator(objects).rulesFor(userInfo("u"), "ns"), {
			resourceRules: [
				{ verbs: ["get"], apiGroups: [""], resources: ["pods"] },
				{ verbs: ["list"], apiGroups: [""], resources: ["secrets"], resourceNames: ["s"] },
			],
			nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/x"] }],
			incomplete: true,
			evaluationError: 'role.rbac.authorization.k8s.io "gone" not found',
		});
	});
});

describe("denials", () => {
	const u = userInfo("x");
	const cases: [Attributes, string, string][] = [
		[
			resourceAttributes(u, "list", { resource: "pods", namespace: "default" }),
			"",
			'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"',
		],
		[
			resourceAttributes(u, "get", { resource: "nodes", name: "n" }),
			"",
			'nodes "n" is forbidden: User "x" cannot get resource "nodes" in API group "" at the cluster scope',
		],
		[
			resourceAttributes(u, "get", {
				apiGroup: "apps",
				resource: "deployments",
				subresource: "scale",
				namespace: "d",
				name: "w",
			}),
			"why",
			'deployments.apps "w" is forbidden: User "x" cannot get resource "deployments/scale" in API group "apps" in the namespace "d": why',
		],
		[pathAttributes(u, "get", "/metrics"), "", 'forbidden: User "x" cannot get path "/metrics"'],
	];
	for (const [attributes, reason, text] of cases) {
		it(text, () => {
			const error = denied(attributes, reason);
			assert.equal(error.message, text);
			assert.equal(error.code, 403);
			assert.equal(error.reason, "Forbidden");
		});
	}
});

describe("authorizers together", () => {
	const objects = Objects.withBootstrap();
	const rbac = new RbacEvaluator(objects);

	it("let system:masters through whatever the objects say", () => {
		const union = unionAuthorizer([privilegedGroupAuthorizer, new RbacEvaluator(new Objects())]);
		requireAllowed(union, resourceAttributes(userInfo("root", ["system:masters"]), "delete", { resource: "nodes" }));
		assert.throws(
			() => requireAllowed(union, resourceAttributes(userInfo("u"), "get", { resource: "nodes" })),
			ApiError,
		);
	});

	it("follow the flag", () => {
		const parts = { node: new RbacEvaluator(new Objects()), rbac };
		const asked = resourceAttributes(userInfo("u"), "get", { resource: "nodes" });
		assert.equal(authorizerForModes(["AlwaysAllow"], parts).authorize(asked).decision, "allow");
		assert.equal(authorizerForModes(["Node", "RBAC"], parts).authorize(asked).decision, "no opinion");
		assert.throws(() => authorizerForModes(["Magic"], parts), /"Magic" is not a valid mode/);
		assert.throws(() => authorizerForModes([], parts), /at least one/);
		assert.throws(() => authorizerForModes(["RBAC", "RBAC"], parts), /more than once/);
	});

	const may: [string, string[], string, Partial<Attributes>, boolean][] = [
		["system:kube-scheduler", [], "create", { resource: "pods", subresource: "binding", namespace: "d" }, true],
		[
			"system:kube-scheduler",
			[],
			"update",
			{ apiGroup: "coordination.k8s.io", resource: "leases", name: "kube-scheduler", namespace: "kube-system" },
			true,
		],
		["system:kube-scheduler", [], "create", { resource: "secrets", namespace: "d" }, false],
		["system:kube-controller-manager", [], "create", { resource: "pods", namespace: "d" }, true],
		[
			"system:kube-controller-manager",
			[],
			"update",
			{ apiGroup: "apps", resource: "deployments", subresource: "status", namespace: "d" },
			true,
		],
		["system:kube-controller-manager", [], "list", { apiGroup: "anything", resource: "whatever" }, true],
		[
			"system:kube-controller-manager",
			[],
			"bind",
			{ apiGroup: "rbac.authorization.k8s.io", resource: "clusterroles" },
			false,
		],
		["system:kube-controller-manager", [], "impersonate", { resource: "users" }, false],
		[
			"system:kube-controller-manager",
			[],
			"create",
			{ apiGroup: "rbac.authorization.k8s.io", resource: "clusterrolebindings" },
			false,
		],
		[
			"someone",
			["system:authenticated"],
			"create",
			{ apiGroup: "authorization.k8s.io", resource: "selfsubjectaccessreviews" },
			true,
		],
		["someone", ["system:authenticated"], "list", { resource: "pods", namespace: "d" }, false],
		[
			"system:anonymous",
			["system:unauthenticated"],
			"create",
			{ apiGroup: "authorization.k8s.io", resource: "selfsubjectaccessreviews" },
			false,
		],
		["admin", ["system:masters"], "delete", { resource: "namespaces" }, true],
		[
			"system:serviceaccount:kube-system:job-controller",
			[],
			"update",
			{ apiGroup: "batch", resource: "jobs", subresource: "status", namespace: "d" },
			true,
		],
	];
	for (const [name, groups, verb, what, expected] of may) {
		it(`${name} ${expected ? "may" : "may not"} ${verb} ${what.resource}/${what.subresource ?? ""} at first`, () => {
			const { decision } = rbac.authorize(resourceAttributes(userInfo(name, groups), verb, what));
			assert.equal(decision === "allow", expected);
		});
	}

	it("show the anonymous user the version and nothing else", () => {
		const asked = (path: string) =>
			pathAttributes(userInfo("system:anonymous", ["system:unauthenticated"]), "get", path);
		assert.equal(rbac.authorize(asked("/version")).decision, "allow");
		assert.equal(rbac.authorize(asked("/api")).decision, "no opinion");
		assert.equal(rbac.authorize(asked("/metrics")).decision, "no opinion");
	});
});

describe("bootstrap policy", () => {
	const policy = bootstrapPolicy();
	const named = (name: string) => policy.clusterRoles.find((r) => r.metadata.name === name);

	it("has upstream's labels and annotations on every object, and no name twice", () => {
		for (const list of Object.values(policy)) {
			const names = list.map(
				(o: { metadata: { name?: string | undefined; namespace?: string | undefined } }) =>
					`${o.metadata.namespace}/${o.metadata.name}`,
			);
			assert.equal(new Set(names).size, names.length);
			for (const object of list) {
				assert.equal(object.metadata.labels?.["kubernetes.io/bootstrapping"], "rbac-defaults");
				assert.equal(object.metadata.annotations?.["rbac.authorization.kubernetes.io/autoupdate"], "true");
			}
		}
	});

	it("binds only roles it has", () => {
		for (const binding of policy.clusterRoleBindings)
			assert.ok(named(binding.roleRef?.name ?? ""), binding.metadata.name);
		for (const binding of policy.roleBindings) {
			assert.ok(policy.roles.some((r) => r.metadata.name === binding.roleRef?.name));
		}
	});

	it("aggregates view into edit and edit into admin", () => {
		const text = (name: string) => new Set((named(name)?.rules ?? []).map((r) => JSON.stringify(r)));
		for (const r of text("view")) assert.ok(text("edit").has(r), r);
		for (const r of text("edit")) assert.ok(text("admin").has(r), r);
		assert.ok(text("admin").size > text("edit").size);
		for (const role of policy.clusterRoles) assert.equal(needsAggregation(role, policy.clusterRoles), false);
	});

	it("makes nobody but system:masters cluster-admin", () => {
		const admins = policy.clusterRoleBindings.filter((b) => b.roleRef?.name === "cluster-admin");
		assert.deepEqual(
			admins.flatMap((b) => b.subjects ?? []).map((s) => s.name),
			["system:masters"],
		);
	});

	it("leaves the controllers to their service accounts when asked", () => {
		const strict = bootstrapPolicy({ controllersOfManager: [] });
		const manager = strict.clusterRoleBindings.filter((b) =>
			b.subjects?.some((s) => s.name === "system:kube-controller-manager"),
		);
		assert.deepEqual(
			manager.map((b) => b.metadata.name),
			["system:kube-controller-manager"],
		);
	});

	it("adds what is missing at the next start and keeps what was added", () => {
		const desired = {
			apiVersion: "v1",
			kind: "ClusterRole",
			metadata: { name: "r", labels: { a: "1" } },
			rules: [rule("get", "core", "pods"), rule("get", "core", "nodes")],
		};
		const existing = {
			...desired,
			metadata: { name: "r", uid: "u" },
			rules: [rule("*", "core", "pods"), rule("get", "apps", "x")],
		};
		const merged = reconciledRole(existing, desired);
		assert.deepEqual(merged?.rules, [...existing.rules, rule("get", "core", "nodes")]);
		assert.equal(merged?.metadata.uid, "u");
		assert.equal(merged === undefined ? undefined : reconciledRole(merged, desired), undefined);
		const kept = {
			...existing,
			metadata: { ...existing.metadata, annotations: { "rbac.authorization.kubernetes.io/autoupdate": "false" } },
		};
		assert.equal(reconciledRole(kept, desired), undefined);

		const binding = {
			apiVersion: "v1",
			kind: "ClusterRoleBinding",
			metadata: { name: "b" },
			roleRef: { kind: "ClusterRole", name: "r" },
			subjects: [userSubject("a")],
		};
		const more = reconciledBinding({ ...binding, subjects: [userSubject("b")] }, binding);
		assert.deepEqual(typeof more === "object" ? more.subjects : more, [userSubject("b"), userSubject("a")]);
		assert.equal(reconciledBinding(binding, binding), undefined);
		assert.equal(reconciledBinding({ ...binding, roleRef: { kind: "ClusterRole", name: "q" } }, binding), "replace");
	});

	it("collects by several selectors, each rule once", () => {
		const role = (name: string, labels: Record<string, string>, ...rules: PolicyRule[]): ClusterRole => ({
			metadata: { name, labels },
			rules,
		});
		const sum: ClusterRole = {
			metadata: { name: "sum", labels: { a: "1" } },
			aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "1" } }, { matchLabels: { b: "1" } }] },
		};
		const pods = rule("get", "core", "pods");
		const nodes = rule("get", "core", "nodes");
		const others = [sum, role("y", { a: "1", b: "1" }, nodes), role("x", { b: "1" }, pods, nodes)];
		assert.deepEqual(aggregatedRules(sum, others), [nodes, pods]);
		assert.equal(aggregatedRules(role("z", {}), others), undefined);
	});
});

describe("escalation", () => {
	const objects = new Objects();
	objects.addClusterRole(
		"editor",
		rule("get list", "core", "pods"),
		rule("create update", "rbac.authorization.k8s.io", "roles rolebindings"),
	);
	objects.addClusterRole("binder", rule("bind", "rbac.authorization.k8s.io", "clusterroles", "secret-reader"));
	objects.addClusterRole("secret-reader", rule("get", "core", "secrets"));
	objects.addClusterRole("pod-reader", rule("get", "core", "pods"));
	objects.addClusterRole("escalator", rule("escalate", "rbac.authorization.k8s.io", "roles"));
	objects.bindCluster("e", "editor", userSubject("eve"));
	objects.bindCluster("b", "binder", userSubject("bob"));
	objects.bindCluster("s", "escalator", userSubject("esther"));
	const rbac = new RbacEvaluator(objects);
	const write =
		(
			username: string,
			resource: string,
			object: Record<string, unknown>,
			oldObject?: Record<string, unknown>,
			groups: string[] = [],
		) =>
		() =>
			checkEscalation(
				{
					resource,
					name: oldObject === undefined ? "" : "n",
					namespace: resource.startsWith("cluster") ? "" : "ns",
					object: { apiVersion: "v1", kind: "x", metadata: { name: "n" }, ...object },
					oldObject:
						oldObject === undefined
							? undefined
							: { apiVersion: "v1", kind: "x", metadata: { name: "n" }, ...oldObject },
					user: userInfo(username, groups),
				},
				rbac,
				rbac,
			);
	const secrets = { rules: [rule("get list", "core", "secrets", "a")] };
	const pods = { rules: [rule("get", "core", "pods")] };
	const text =
		'roles.rbac.authorization.k8s.io "n" is forbidden: user "eve" (groups=[]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get" "list"]}';

	it("refuses what the writer lacks, in upstream's words", () => {
		assert.throws(write("eve", "roles", secrets), { message: text, code: 403 });
		assert.doesNotThrow(write("eve", "roles", pods));
	});
	it("lets escalators, masters and cleaners write", () => {
		assert.doesNotThrow(write("esther", "roles", secrets));
		assert.doesNotThrow(write("root", "roles", secrets, undefined, ["system:masters"]));
		assert.doesNotThrow(
			write(
				"eve",
				"roles",
				{ ...secrets, metadata: { name: "n", finalizers: [] } },
				{ ...secrets, metadata: { name: "n", finalizers: ["x"] } },
			),
		);
		assert.throws(
			write("eve", "roles", { ...secrets, metadata: { name: "n", labels: { a: "b" } } }, secrets),
			ApiError,
		);
		assert.throws(write("eve", "roles", secrets, pods), ApiError);
	});
	it("guards bindings", () => {
		const binding = (name: string) => ({
			roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
		});
		assert.throws(write("eve", "rolebindings", binding("secret-reader")), /permissions not currently held/);
		assert.doesNotThrow(write("eve", "rolebindings", binding("pod-reader")));
		assert.doesNotThrow(write("bob", "rolebindings", binding("secret-reader")));
		assert.throws(write("eve", "clusterrolebindings", binding("nothing")), {
			code: 404,
			message: 'clusterrolebindings.rbac.authorization.k8s.io "nothing" not found',
		});
	});
	it("guards aggregation", () => {
		const sum = { rules: [], aggregationRule: { clusterRoleSelectors: [{}] } };
		const needed = /must have cluster-admin privileges to use the aggregationRule/;
		assert.throws(write("eve", "clusterroles", sum), needed);
		assert.throws(write("eve", "clusterroles", { ...sum, metadata: { name: "n", labels: { x: "y" } } }, sum), needed);
	});
	it("tells of some of very many missing permissions", () => {
		const many = Array.from({ length: 1500 }, (_, i) => `x${i}`);
		const problem = escalationProblem(rbac, userInfo("eve"), "", [
			{ verbs: ["get"], apiGroups: [""], resources: many },
		]);
		assert.equal(problem?.split("\n").length, 1002);
		assert.match(problem ?? "", /\nand 500 more$/);
	});
	it("agrees with looking at every rule, on random rules", () => {
		const random = seededRandom(7);
		const some = (items: string[], most: number) =>
			Array.from({ length: 1 + random.int(most) }, () => items[random.int(items.length)] ?? "");
		const make = (): PolicyRule =>
			random.int(5) === 0
				? { verbs: some(["get", "list", "*"], 2), nonResourceURLs: some(["/a", "/a/*", "/b*", "*", "/a/b"], 2) }
				: {
						verbs: some(["get", "list", "*"], 2),
						apiGroups: some(["", "apps", "*"], 2),
						resources: some(["pods", "pods/log", "*/log", "*", "nodes"], 2),
						...(random.int(3) === 0 ? { resourceNames: some(["a", "b"], 2) } : {}),
					};
		const holds = (list: string[] | undefined, value: string) => list?.includes(value) || list?.includes("*");
		const covers = (held: PolicyRule, p: ReturnType<typeof uncovered>[number]) => {
			if (!holds(held.verbs, p.verb)) return false;
			const { path, resource = "" } = p;
			if (path !== undefined) {
				return (held.nonResourceURLs ?? []).some(
					(url) => url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1))),
				);
			}
			if (!holds(held.apiGroups, p.apiGroup ?? "")) return false;
			const sub = resource.split("/")[1];
			if (!holds(held.resources, resource) && !(sub !== undefined && held.resources?.includes(`*/${sub}`)))
				return false;
			const names = held.resourceNames ?? [];
			return names.length === 0 || (p.resourceName !== undefined && names.includes(p.resourceName));
		};
		for (let i = 0; i < 2000; i++) {
			const held = Array.from({ length: random.int(5) }, make);
			const wanted = Array.from({ length: 1 + random.int(3) }, make);
			const slowly = uncovered([], wanted).filter((p) => !held.some((rule) => covers(rule, p)));
			assert.deepEqual(uncovered(held, wanted), slowly, JSON.stringify({ held, wanted }));
		}
	});
	it("does not lose itself in huge rules", () => {
		const many = Array.from({ length: 1000 }, (_, i) => `x${i}`);
		const problem = escalationProblem(rbac, userInfo("eve"), "", [{ verbs: many, apiGroups: many, resources: many }]);
		assert.match(problem ?? "", /at most 100000 can be checked/);
	});
});

describe("RBAC against a slow twin", () => {
	/** Every binding and every rule, looked at one by one. */
	function slowly(objects: RbacSource, a: Attributes): boolean {
		const bindings = [
			...objects.clusterRoleBindings(),
			...(a.resourceRequest && a.namespace !== "" ? objects.roleBindings(a.namespace) : []),
		];
		return bindings.some((binding) => {
			const meant = binding.subjects?.some((s) => {
				if (s.kind === "User") return s.name === a.user.username;
				if (s.kind === "Group") return a.user.groups.includes(s.name ?? "");
				return a.user.username === `system:serviceaccount:${s.namespace}:${s.name}`;
			});
			if (meant !== true) return false;
			const ref = binding.roleRef ?? {};
			const role =
				ref.kind === "Role" ? objects.role(a.namespace, ref.name ?? "") : objects.clusterRole(ref.name ?? "");
			return (role?.rules ?? []).some((r) => {
				if (!r.verbs?.some((v) => v === "*" || v === a.verb)) return false;
				if (!a.resourceRequest) {
					return (
						r.nonResourceURLs?.some(
							(u) => u === "*" || u === a.path || (u.endsWith("*") && a.path.startsWith(u.slice(0, -1))),
						) === true
					);
				}
				if (!r.apiGroups?.some((g) => g === "*" || g === a.apiGroup)) return false;
				const wanted = a.subresource === "" ? a.resource : `${a.resource}/${a.subresource}`;
				const named = r.resources?.some(
					(x) => x === "*" || x === wanted || (a.subresource !== "" && x === `*/${a.subresource}`),
				);
				if (named !== true) return false;
				return (r.resourceNames ?? []).length === 0 || r.resourceNames?.includes(a.name) === true;
			});
		});
	}

	it("agrees on random policies and requests", () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? 20_260_101);
		console.log(`      seed ${seed}`);
		const random = seededRandom(seed);
		const pick = <T>(list: readonly T[]): T => list[random.int(list.length)] as T;
		const some = (list: readonly string[]) => Array.from({ length: 1 + random.int(2) }, () => pick(list));
		const verbs = ["get", "list", "*", "bind"];
		const groups = ["", "apps", "*"];
		const resources = ["pods", "pods/log", "*/log", "*/scale", "deployments", "*", "deployments/scale"];
		const names = ["a", "b"];
		const urls = ["/x", "/x/*", "*", "/y*"];
		const namespaces = ["n1", "n2"];
		const users = ["u1", "u2", "system:serviceaccount:n1:s"];
		const subject = (): Subject => {
			switch (random.int(3)) {
				case 0:
					return { kind: "User", name: pick(users) };
				case 1:
					return { kind: "Group", name: pick(["g1", "g2"]) };
				default:
					return { kind: "ServiceAccount", namespace: pick(namespaces), name: "s" };
			}
		};
		const randomRule = (): PolicyRule =>
			random.int(4) === 0
				? { verbs: some(verbs), nonResourceURLs: some(urls) }
				: {
						verbs: some(verbs),
						apiGroups: some(groups),
						resources: some(resources),
						...(random.int(3) === 0 ? { resourceNames: some(names) } : {}),
					};
		let allowed = 0;
		for (let round = 0; round < 60; round++) {
			const objects = new Objects();
			const rbac = new RbacEvaluator(objects);
			for (let step = 0; step < 6; step++) {
				objects.addClusterRole(pick(["c1", "c2"]), randomRule());
				objects.addRole(pick(namespaces), pick(["r1", "r2"]), randomRule(), randomRule());
				if (random.int(2) === 0) objects.bindCluster(`b${step}`, pick(["c1", "c2", "gone"]), subject());
				else
					objects.bind(
						pick(namespaces),
						`b${step}`,
						pick(["Role", "ClusterRole"]),
						pick(["r1", "c1", "gone"]),
						subject(),
					);
				for (let i = 0; i < 30; i++) {
					const user = userInfo(pick(users), random.int(2) === 0 ? [] : some(["g1", "g2", "g3"]));
					const [resource = "", subresource = ""] = pick([
						"pods",
						"pods/log",
						"deployments",
						"deployments/scale",
					]).split("/");
					const asked =
						random.int(4) === 0
							? pathAttributes(user, pick(["get", "list"]), pick(["/x", "/x/1", "/y1", "/z"]))
							: resourceAttributes(user, pick(["get", "list", "delete"]), {
									namespace: pick(["", ...namespaces]),
									apiGroup: pick(["", "apps"]),
									resource,
									subresource,
									name: pick(["", "a", "c"]),
								});
					const expected = slowly(objects, asked);
					if (expected) allowed++;
					assert.equal(rbac.authorize(asked).decision === "allow", expected, JSON.stringify(asked));
				}
			}
		}
		assert.ok(allowed > 100, `${allowed} allowed`);
	});
});
