/**
 * Nobody grants more than they have: whoever writes a role must hold every permission in it, and whoever binds one every
 * permission it gives, unless they may `escalate` or `bind` it.
 */
import { systemMasters, type UserInfo } from "../authn/types.ts";
import { type ApiError, forbidden, notFound } from "../machinery/errors.ts";
import { semanticEqual } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { AggregationRule, PolicyRule, RoleRef } from "../scheme/types.gen.ts";
import { type RbacEvaluator, resourcesInclude } from "./rbac.ts";
import { type Authorizer, resourceAttributes } from "./types.ts";

const group = "rbac.authorization.k8s.io";
/** Verb, group, resource and name combinations of one role that are checked; a role with more is refused. */
const maxCombinations = 100_000;

const everyAuthority: readonly PolicyRule[] = [
	{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
	{ verbs: ["*"], nonResourceURLs: ["*"] },
];

/** One verb on one resource (of one group, perhaps with one name) or one path. */
interface Permission {
	readonly verb: string;
	readonly apiGroup?: string | undefined;
	readonly resource?: string | undefined;
	readonly resourceName?: string | undefined;
	readonly path?: string | undefined;
}

function countCombinations(rule: PolicyRule): number {
	const size = (list: readonly string[] | undefined) => list?.length ?? 0;
	const named = Math.max(1, size(rule.resourceNames));
	return size(rule.verbs) * (size(rule.apiGroups) * size(rule.resources) * named + size(rule.nonResourceURLs));
}

function breakDown(rule: PolicyRule): Permission[] {
	const permissions: Permission[] = [];
	const names = (rule.resourceNames ?? []).length === 0 ? [undefined] : (rule.resourceNames ?? []);
	for (const apiGroup of rule.apiGroups ?? []) {
		for (const resource of rule.resources ?? []) {
			for (const verb of rule.verbs ?? []) {
				for (const resourceName of names) permissions.push({ verb, apiGroup, resource, resourceName });
			}
		}
	}
	for (const path of rule.nonResourceURLs ?? []) {
		for (const verb of rule.verbs ?? []) permissions.push({ verb, path });
	}
	return permissions;
}

const holds = (list: readonly string[] | undefined, value: string) =>
	list?.includes(value) === true || list?.includes("*") === true;

function coversPermission(rule: PolicyRule, p: Permission): boolean {
	if (!holds(rule.verbs, p.verb)) return false;
	if (p.path !== undefined) {
		const path = p.path;
		return (rule.nonResourceURLs ?? []).some(
			(url) => url === path || (url.endsWith("*") && path.startsWith(url.replace(/\*+$/, ""))),
		);
	}
	if (!holds(rule.apiGroups, p.apiGroup ?? "")) return false;
	const [resource = "", ...subresource] = (p.resource ?? "").split("/");
	if (!resourcesInclude(rule.resources, resource, subresource.join("/"))) return false;
	const names = rule.resourceNames ?? [];
	return names.length === 0 || (p.resourceName !== undefined && names.includes(p.resourceName));
}

/** The permissions of `wanted` that no rule of `held` covers. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): Permission[] {
	return wanted.flatMap(breakDown).filter((p) => !held.some((rule) => coversPermission(rule, p)));
}

/** Permissions that differ only in verb as one rule, in upstream's notation, sorted. */
function describe(missing: readonly Permission[]): string {
	const list = (label: string, values: readonly string[]) =>
		values.length === 0 ? [] : [`${label}:[${values.map((v) => JSON.stringify(v)).join(" ")}]`];
	const byTarget = new Map<string, { target: Permission; verbs: Set<string> }>();
	for (const p of missing) {
		const key = JSON.stringify([p.apiGroup, p.resource, p.resourceName, p.path]);
		const entry = byTarget.get(key) ?? { target: p, verbs: new Set<string>() };
		entry.verbs.add(p.verb);
		byTarget.set(key, entry);
	}
	const one = (value: string | undefined) => (value === undefined ? [] : [value]);
	const lines = [...byTarget.values()].map(({ target, verbs }) => {
		const parts = [
			...list("APIGroups", one(target.apiGroup)),
			...list("Resources", one(target.resource)),
			...list("NonResourceURLs", one(target.path)),
			...list("ResourceNames", one(target.resourceName)),
			...list("Verbs", [...verbs]),
		];
		return `{${parts.join(", ")}}`;
	});
	return lines.sort().join("\n");
}

/** Why `user` may not grant `rules` in `namespace`, or undefined. */
export function escalationProblem(
	evaluator: RbacEvaluator,
	user: UserInfo,
	namespace: string,
	rules: readonly PolicyRule[],
): string | undefined {
	const combinations = rules.reduce((sum, rule) => sum + countCombinations(rule), 0);
	if (combinations > maxCombinations) {
		return `the rules name ${combinations} permissions; at most ${maxCombinations} can be checked`;
	}
	const { rules: held, problems } = evaluator.grantedRules(user, namespace);
	const missing = uncovered(
		held.map((g) => g.rule),
		rules,
	);
	if (missing.length === 0) return undefined;
	const groups = `[${user.groups.map((g) => JSON.stringify(g)).join(" ")}]`;
	const resolution = problems.length === 0 ? "" : `; resolution errors: [${problems.join(" ")}]`;
	return `user ${JSON.stringify(user.username)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${describe(missing)}${resolution}`;
}

export interface RbacWrite {
	readonly operation: "CREATE" | "UPDATE";
	/** roles, clusterroles, rolebindings or clusterrolebindings. */
	readonly resource: string;
	readonly namespace: string;
	readonly object: KubeObject;
	readonly oldObject?: KubeObject | undefined;
	readonly user: UserInfo;
}

/** Owner references and finalizers may be changed by whoever cleans up, without holding the role's permissions. */
function changesOnlyOwners(write: RbacWrite): boolean {
	if (write.oldObject === undefined) return false;
	const rest = (object: KubeObject) => {
		const { finalizers, ownerReferences, managedFields, resourceVersion, ...metadata } = object.metadata;
		return { ...object, metadata };
	};
	return semanticEqual(rest(write.object), rest(write.oldObject));
}

const refusal = (write: RbacWrite, why: string): ApiError =>
	forbidden({ group, resource: write.resource }, write.object.metadata.name ?? "", why);

function checkRole(write: RbacWrite, evaluator: RbacEvaluator, authorizer: Authorizer): void {
	const { object, oldObject, user, namespace } = write;
	const rules = (object["rules"] ?? []) as readonly PolicyRule[];
	const aggregation = (o: KubeObject | undefined) => o?.["aggregationRule"] as AggregationRule | undefined;
	const sameRules = oldObject !== undefined && semanticEqual(rules, oldObject["rules"]);
	if (sameRules && semanticEqual(aggregation(object), aggregation(oldObject))) return;
	const name = object.metadata.name ?? "";
	const mayEscalate = authorizer.authorize(
		resourceAttributes(user, "escalate", {
			namespace,
			apiGroup: group,
			apiVersion: "v1",
			resource: write.resource,
			name,
		}),
	);
	if (mayEscalate.decision === "allow") return;
	if (write.resource === "clusterroles" && (aggregation(object) ?? aggregation(oldObject)) !== undefined) {
		if (escalationProblem(evaluator, user, namespace, everyAuthority) !== undefined) {
			throw refusal(write, "must have cluster-admin privileges to use an aggregationRule");
		}
	}
	const problem = escalationProblem(evaluator, user, namespace, rules);
	if (problem !== undefined) throw refusal(write, problem);
}

function checkBinding(write: RbacWrite, evaluator: RbacEvaluator, authorizer: Authorizer): void {
	const roleRef = (write.object["roleRef"] ?? {}) as RoleRef;
	const resource = roleRef.kind === "Role" ? "roles" : "clusterroles";
	const name = roleRef.name ?? "";
	const { user, namespace } = write;
	const mayBind = authorizer.authorize(
		resourceAttributes(user, "bind", { namespace, apiGroup: group, apiVersion: "v1", resource, name }),
	);
	if (mayBind.decision === "allow") return;
	const rules = evaluator.rulesOf(roleRef, namespace);
	if (rules === undefined) throw notFound({ group, resource }, name);
	const problem = escalationProblem(evaluator, user, namespace, rules);
	if (problem !== undefined) throw refusal(write, problem);
}

/** Throws ApiError (403, or 404 for the role of a binding) where the write would give away more than the writer has. */
export function checkEscalation(write: RbacWrite, evaluator: RbacEvaluator, authorizer: Authorizer): void {
	if (write.user.groups.includes(systemMasters) || changesOnlyOwners(write)) return;
	if (write.resource === "roles" || write.resource === "clusterroles") checkRole(write, evaluator, authorizer);
	else checkBinding(write, evaluator, authorizer);
}
