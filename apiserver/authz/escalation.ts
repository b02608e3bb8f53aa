/**
 * Nobody grants more than they have: whoever writes a role in any way must hold every permission in it, and whoever writes
 * a binding every permission it gives, unless they may `escalate` or `bind` it.
 */
import { trimEndOf } from "../../kit/trim.ts";
import { systemMasters, type UserInfo } from "../authn/types.ts";
import { ApiError, badRequest, forbidden, notFound } from "../machinery/errors.ts";
import { semanticEqual } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { AggregationRule, PolicyRule, RoleRef } from "../scheme/types.gen.ts";
import type { RbacEvaluator } from "./rbac.ts";
import { type Authorizer, resourceAttributes } from "./types.ts";

const group = "rbac.authorization.k8s.io";
/** Verb, group, resource and name combinations of one role that are checked; a role with more is refused. */
const maxCombinations = 100_000;

/** Missing permissions that are told, of verbs together. */
const maxTold = 1000;

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

interface HeldRule {
	readonly verbs: ReadonlySet<string>;
	readonly apiGroups: ReadonlySet<string>;
	readonly resources: ReadonlySet<string>;
	/** Empty: all. */
	readonly names: ReadonlySet<string>;
	readonly paths: readonly string[];
}

const has = (set: ReadonlySet<string>, value: string) => set.has(value) || set.has("*");

/**
 * The rules someone holds, found by group or by resource: what a client asks to grant may be many permissions, and each is
 * looked up, not held against every rule.
 */
class HeldRules {
	readonly #byGroup = new Map<string, HeldRule[]>();
	readonly #byResource = new Map<string, HeldRule[]>();
	readonly #withPaths: HeldRule[] = [];

	constructor(rules: readonly PolicyRule[]) {
		for (const rule of rules) {
			const held: HeldRule = {
				verbs: new Set(rule.verbs),
				apiGroups: new Set(rule.apiGroups),
				resources: new Set(rule.resources),
				names: new Set(rule.resourceNames),
				paths: rule.nonResourceURLs ?? [],
			};
			for (const group of held.apiGroups) listOf(this.#byGroup, group).push(held);
			for (const resource of held.resources) listOf(this.#byResource, resource).push(held);
			if (held.paths.length > 0) this.#withPaths.push(held);
		}
	}

	cover(p: Permission): boolean {
		const { path, apiGroup = "", resource = "", resourceName } = p;
		if (path !== undefined) {
			return this.#withPaths.some((rule) => has(rule.verbs, p.verb) && rule.paths.some((url) => coversUrl(url, path)));
		}
		const slash = resource.indexOf("/");
		// As resourcesInclude has it: what may stand for the resource.
		const patterns = slash < 0 ? [resource, "*"] : [resource, "*", `*/${resource.slice(slash + 1)}`];
		return this.#candidates(apiGroup, patterns).some(
			(rule) =>
				has(rule.verbs, p.verb) &&
				has(rule.apiGroups, apiGroup) &&
				patterns.some((pattern) => rule.resources.has(pattern)) &&
				(rule.names.size === 0 || (resourceName !== undefined && rule.names.has(resourceName))),
		);
	}

	/** Rules of this group or with these resources, whichever are fewer. */
	#candidates(group: string, patterns: readonly string[]): readonly HeldRule[] {
		const lists = (index: ReadonlyMap<string, HeldRule[]>, keys: readonly string[]) =>
			keys.flatMap((key) => {
				const list = index.get(key);
				return list === undefined ? [] : [list];
			});
		const [byGroup, byResource] = [lists(this.#byGroup, [group, "*"]), lists(this.#byResource, patterns)];
		const size = (found: readonly HeldRule[][]) => found.reduce((sum, list) => sum + list.length, 0);
		const fewer = size(byGroup) < size(byResource) ? byGroup : byResource;
		return fewer.length === 1 ? (fewer[0] ?? []) : fewer.flat();
	}
}

function listOf<T>(index: Map<string, T[]>, key: string): T[] {
	let list = index.get(key);
	if (list === undefined) index.set(key, (list = []));
	return list;
}

const coversUrl = (url: string, path: string): boolean =>
	url === path || (url.endsWith("*") && path.startsWith(trimEndOf(url, "*")));

/** The permissions of `wanted` that no rule of `held` covers. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): Permission[] {
	const rules = new HeldRules(held);
	return wanted.flatMap(breakDown).filter((p) => !rules.cover(p));
}

/** Permissions that differ only in verb as one rule, in upstream's notation, sorted. */
function describe(missing: readonly Permission[]): string {
	const list = (label: string, values: readonly string[]) =>
		values.length === 0 ? [] : [`${label}:[${values.map((v) => JSON.stringify(v)).join(" ")}]`];
	const byTarget = new Map<string, { target: Permission; verbs: string[] }>();
	for (const p of missing) {
		// Paths stay apart by verb, as upstream leaves them.
		const key = JSON.stringify([p.apiGroup, p.resource, p.resourceName, p.path, p.path === undefined ? "" : p.verb]);
		const entry = byTarget.get(key) ?? { target: p, verbs: [] };
		entry.verbs.push(p.verb);
		byTarget.set(key, entry);
	}
	const one = (value: string | undefined) => (value === undefined ? [] : [value]);
	const lines = [...byTarget.values()].map(({ target, verbs }) => {
		const parts = [
			...list("APIGroups", one(target.apiGroup)),
			...list("Resources", one(target.resource)),
			...list("NonResourceURLs", one(target.path)),
			...list("ResourceNames", one(target.resourceName)),
			...list("Verbs", verbs),
		];
		return `{${parts.join(", ")}}`;
	});
	lines.sort();
	if (lines.length > maxTold) lines.splice(maxTold, lines.length, `and ${lines.length - maxTold} more`);
	return lines.join("\n");
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
	/** roles, clusterroles, rolebindings or clusterrolebindings. */
	readonly resource: string;
	readonly namespace: string;
	/** The path's; "" for a POST. */
	readonly name: string;
	readonly object: KubeObject;
	readonly oldObject?: KubeObject | undefined;
	readonly user: UserInfo;
}

/**
 * Owner references and finalizers may be changed by whoever cleans up, without holding the role's permissions. Everything
 * else is a change, labels too: they decide which other roles take up this one's rules.
 */
function changesOnlyOwners(write: RbacWrite): boolean {
	if (write.oldObject === undefined) return false;
	const rest = (object: KubeObject) => {
		const { finalizers, ownerReferences, managedFields, ...metadata } = object.metadata;
		return { ...object, metadata };
	};
	return semanticEqual(rest(write.object), rest(write.oldObject));
}

const refusal = (write: RbacWrite, why: string): ApiError =>
	forbidden({ group, resource: write.resource }, write.object.metadata.name ?? "", why);

const aggregates = (object: KubeObject | undefined): boolean =>
	((object?.["aggregationRule"] as AggregationRule | undefined)?.clusterRoleSelectors ?? []).length > 0;

function checkRole(write: RbacWrite, evaluator: RbacEvaluator, authorizer: Authorizer): void {
	const { object, oldObject, user, namespace, resource, name } = write;
	// By the path's name, which a create has none of: `escalate` on one name is for a role that is there.
	const attributes = resourceAttributes(user, "escalate", {
		namespace,
		apiGroup: group,
		apiVersion: "*",
		resource,
		name,
	});
	if (authorizer.authorize(attributes).decision === "allow" || changesOnlyOwners(write)) return;
	const problem = escalationProblem(evaluator, user, namespace, (object["rules"] ?? []) as readonly PolicyRule[]);
	if (problem !== undefined) throw refusal(write, problem);
	// A sum may come to hold anything; and taking its rule away keeps what it has gathered.
	if (resource !== "clusterroles" || !(aggregates(object) || aggregates(oldObject))) return;
	if (escalationProblem(evaluator, user, namespace, everyAuthority) !== undefined) {
		throw refusal(write, "must have cluster-admin privileges to use the aggregationRule");
	}
}

/** The rules of the role a binding names. Throws ApiError as upstream, which looks before it validates the reference. */
function boundRules(write: RbacWrite, evaluator: RbacEvaluator): readonly PolicyRule[] {
	const roleRef = (write.object["roleRef"] ?? {}) as RoleRef;
	const kind = roleRef.kind ?? "";
	if (kind !== "Role" && kind !== "ClusterRole") {
		throw new ApiError(500, "", `unsupported role reference kind: ${JSON.stringify(kind)}`);
	}
	if (kind === "Role" && write.namespace === "") throw badRequest("Namespace parameter required.");
	const rules = evaluator.rulesOf(roleRef, write.namespace);
	// Upstream names the resource of the request, not that of the role.
	if (rules === undefined) throw notFound({ group, resource: write.resource }, roleRef.name ?? "");
	return rules;
}

function checkBinding(write: RbacWrite, evaluator: RbacEvaluator, authorizer: Authorizer): void {
	const { user, namespace, object } = write;
	if (changesOnlyOwners(write)) return;
	const { kind, name = "", apiGroup = "" } = (object["roleRef"] ?? {}) as RoleRef;
	const resource = kind === "Role" ? "roles" : kind === "ClusterRole" ? "clusterroles" : undefined;
	if (resource !== undefined) {
		const attributes = resourceAttributes(user, "bind", { namespace, apiGroup, apiVersion: "*", resource, name });
		if (authorizer.authorize(attributes).decision === "allow") return;
	}
	const problem = escalationProblem(evaluator, user, namespace, boundRules(write, evaluator));
	if (problem !== undefined) throw refusal(write, problem);
}

/** Throws ApiError (403, or 404 for the role of a binding) where the write would give away more than the writer has. */
export function checkEscalation(write: RbacWrite, evaluator: RbacEvaluator, authorizer: Authorizer): void {
	if (write.user.groups.includes(systemMasters)) return;
	if (write.resource === "roles" || write.resource === "clusterroles") checkRole(write, evaluator, authorizer);
	else checkBinding(write, evaluator, authorizer);
}
