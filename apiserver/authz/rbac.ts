/**
 * Role-based access control evaluated from the Role, ClusterRole, RoleBinding and ClusterRoleBinding objects.
 *
 * The bindings are indexed by subject, and each asker's rules are compiled once per state of the objects: the source's
 * change counter says when to start over. A request then looks only at the rules that have its verb.
 */

import { append } from "../../kit/lists.ts";
import { trimEndOf } from "../../kit/trim.ts";
import { serviceAccountPrefix, type UserInfo } from "../authn/types.ts";
import type {
	ClusterRole,
	ClusterRoleBinding,
	PolicyRule,
	Role,
	RoleBinding,
	RoleRef,
	Subject,
} from "../scheme/types.gen.ts";
import { type Attributes, type Authorizer, allow, type Decision, noOpinion, type RulesResult } from "./types.ts";

/** The RBAC objects, as a cache holds them. They are not changed by the evaluator. */
export interface RbacSource {
	/** Differs whenever any of the objects differs. */
	readonly generation: number;
	clusterRoleBindings(): readonly ClusterRoleBinding[];
	roleBindings(namespace: string): readonly RoleBinding[];
	clusterRole(name: string): ClusterRole | undefined;
	role(namespace: string, name: string): Role | undefined;
}

/** A rule with the binding that grants it. */
export interface GrantedRule {
	readonly rule: PolicyRule;
	/** `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`. */
	readonly origin: string;
}

interface Grants {
	readonly rules: readonly GrantedRule[];
	/** Roles that bindings name and nobody made. */
	readonly problems: readonly string[];
	readonly byVerb: ReadonlyMap<string, readonly GrantedRule[]>;
}

const quote = (text: string | undefined) => JSON.stringify(text ?? "");
/** Askers and namespaces whose compiled rules are kept. */
const maxCompiled = 4096;
const all = "*";

/** Whether one rule allows the request. */
export function ruleAllows(rule: PolicyRule, a: Attributes): boolean {
	if (!has(rule.verbs, a.verb)) return false;
	return a.resourceRequest ? coversResource(rule, a) : coversPath(rule.nonResourceURLs, a.path);
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
	list !== undefined && (list.includes(value) || list.includes(all));

function coversResource(rule: PolicyRule, a: Attributes): boolean {
	if (!has(rule.apiGroups, a.apiGroup)) return false;
	if (!resourcesInclude(rule.resources, a.resource, a.subresource)) return false;
	const names = rule.resourceNames;
	return names === undefined || names.length === 0 || names.includes(a.name);
}

/** `pods/log` is meant by itself, by `*`, and by the pattern for every resource's `log`; not by `pods`. */
export function resourcesInclude(
	resources: readonly string[] | undefined,
	resource: string,
	subresource: string,
): boolean {
	if (resources === undefined) return false;
	const combined = subresource === "" ? resource : `${resource}/${subresource}`;
	if (has(resources, combined)) return true;
	return subresource !== "" && resources.includes(`*/${subresource}`);
}

function coversPath(urls: readonly string[] | undefined, path: string): boolean {
	if (urls === undefined) return false;
	return urls.some((url) => url === path || (url.endsWith(all) && path.startsWith(trimEndOf(url, "*"))));
}

/** What a binding's subject is indexed by: one key for each way a user can be meant. */
function subjectKey(subject: Subject, bindingNamespace: string): string | undefined {
	switch (subject.kind) {
		case "User":
			return `u:${subject.name}`;
		case "Group":
			return `g:${subject.name}`;
		case "ServiceAccount": {
			const namespace = subject.namespace || bindingNamespace;
			return namespace === "" ? undefined : `u:${serviceAccountPrefix}${namespace}:${subject.name}`;
		}
		default:
			return undefined;
	}
}

const describeSubject = (s: Subject): string =>
	s.kind === "ServiceAccount" ? `ServiceAccount ${quote(`${s.name}/${s.namespace}`)}` : `${s.kind} ${quote(s.name)}`;

interface Grant {
	readonly roleRef: RoleRef;
	readonly origin: string;
}

type Index = ReadonlyMap<string, readonly Grant[]>;

function indexBindings(bindings: readonly (ClusterRoleBinding | RoleBinding)[], kind: string): Index {
	const index = new Map<string, Grant[]>();
	for (const binding of bindings) {
		const { name, namespace } = binding.metadata ?? {};
		const roleRef = binding.roleRef ?? {};
		const shownName = kind === "RoleBinding" ? `${name}/${namespace}` : name;
		for (const subject of binding.subjects ?? []) {
			const key = subjectKey(subject, namespace ?? "");
			if (key === undefined) continue;
			const origin = `${kind} ${quote(shownName)} of ${roleRef.kind} ${quote(roleRef.name)} to ${describeSubject(subject)}`;
			const grants = index.get(key);
			if (grants === undefined) index.set(key, [{ roleRef, origin }]);
			else grants.push({ roleRef, origin });
		}
	}
	return index;
}

/** Every RBAC question about one source. */
export class RbacEvaluator implements Authorizer {
	readonly #source: RbacSource;
	#generation: number | undefined;
	#cluster: Index = new Map();
	readonly #namespaces = new Map<string, Index>();
	readonly #compiled = new Map<string, Grants>();

	constructor(source: RbacSource) {
		this.#source = source;
	}

	authorize(attributes: Attributes): Decision {
		const { user, verb } = attributes;
		const problems: string[] = [];
		const scopes = attributes.namespace === "" || !attributes.resourceRequest ? [""] : ["", attributes.namespace];
		for (const scope of scopes) {
			const grants = this.#grants(user, scope);
			for (const bucket of [verb, all]) {
				for (const granted of grants.byVerb.get(bucket) ?? []) {
					if (ruleAllows(granted.rule, attributes)) return allow(`RBAC: allowed by ${granted.origin}`);
				}
			}
			append(problems, grants.problems);
		}
		return noOpinion(problems.length === 0 ? "" : `RBAC: ${joinProblems(problems)}`);
	}

	/** All rules `user` has in `namespace` ("" for the cluster's alone), with the roles that are missing. */
	grantedRules(user: UserInfo, namespace: string): { rules: readonly GrantedRule[]; problems: readonly string[] } {
		const cluster = this.#grants(user, "");
		if (namespace === "") return cluster;
		const own = this.#grants(user, namespace);
		return { rules: [...cluster.rules, ...own.rules], problems: [...cluster.problems, ...own.problems] };
	}

	rulesFor(user: UserInfo, namespace: string): RulesResult {
		const { rules, problems } = this.grantedRules(user, namespace);
		return {
			resourceRules: rules.flatMap(({ rule }) =>
				(rule.resources ?? []).length === 0
					? []
					: [
							{
								verbs: [...(rule.verbs ?? [])],
								apiGroups: [...(rule.apiGroups ?? [])],
								resources: [...(rule.resources ?? [])],
								...((rule.resourceNames ?? []).length === 0 ? {} : { resourceNames: [...(rule.resourceNames ?? [])] }),
							},
						],
			),
			nonResourceRules: rules.flatMap(({ rule }) =>
				(rule.nonResourceURLs ?? []).length === 0
					? []
					: [{ verbs: [...(rule.verbs ?? [])], nonResourceURLs: [...(rule.nonResourceURLs ?? [])] }],
			),
			incomplete: problems.length > 0,
			evaluationError: problems.length === 0 ? "" : joinProblems(problems),
		};
	}

	/** The rules a role reference stands for, or undefined where the role does not exist. */
	rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
		const role =
			roleRef.kind === "Role"
				? this.#source.role(namespace, roleRef.name ?? "")
				: this.#source.clusterRole(roleRef.name ?? "");
		return role === undefined ? undefined : (role.rules ?? []);
	}

	#refresh(): void {
		const generation = this.#source.generation;
		if (generation === this.#generation) return;
		this.#generation = generation;
		this.#namespaces.clear();
		this.#compiled.clear();
		this.#cluster = indexBindings(this.#source.clusterRoleBindings(), "ClusterRoleBinding");
	}

	#index(namespace: string): Index {
		if (namespace === "") return this.#cluster;
		let index = this.#namespaces.get(namespace);
		if (index === undefined) {
			index = indexBindings(this.#source.roleBindings(namespace), "RoleBinding");
			if (this.#namespaces.size >= maxCompiled) this.#namespaces.clear();
			this.#namespaces.set(namespace, index);
		}
		return index;
	}

	#grants(user: UserInfo, namespace: string): Grants {
		this.#refresh();
		const key = JSON.stringify([namespace, user.username, user.groups]);
		let grants = this.#compiled.get(key);
		if (grants === undefined) {
			grants = this.#compile(user, namespace);
			if (this.#compiled.size >= maxCompiled) this.#compiled.clear();
			this.#compiled.set(key, grants);
		}
		return grants;
	}

	#compile(user: UserInfo, namespace: string): Grants {
		const index = this.#index(namespace);
		const keys = [`u:${user.username}`, ...new Set(user.groups.map((g) => `g:${g}`))];
		const rules: GrantedRule[] = [];
		const problems: string[] = [];
		const byVerb = new Map<string, GrantedRule[]>();
		for (const { roleRef, origin } of keys.flatMap((k) => index.get(k) ?? [])) {
			const found = this.rulesOf(roleRef, namespace);
			if (found === undefined) problems.push(missingRole(roleRef));
			for (const rule of found ?? []) {
				const granted = { rule, origin };
				rules.push(granted);
				for (const verb of new Set(rule.verbs ?? [])) {
					const bucket = byVerb.get(verb);
					if (bucket === undefined) byVerb.set(verb, [granted]);
					else bucket.push(granted);
				}
			}
		}
		return { rules, problems, byVerb };
	}
}

const missingRole = (ref: RoleRef): string =>
	`${ref.kind === "Role" ? "role" : "clusterrole"}.rbac.authorization.k8s.io ${quote(ref.name)} not found`;

function joinProblems(problems: readonly string[]): string {
	const distinct = [...new Set(problems)];
	return distinct.length === 1 ? `${distinct[0]}` : `[${distinct.join(", ")}]`;
}
