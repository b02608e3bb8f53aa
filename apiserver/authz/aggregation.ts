/** ClusterRoles that are the sum of others, chosen by labels. */
import { deepEqual } from "../machinery/meta.ts";
import { fromLabelSelector } from "../machinery/selectors.ts";
import type { ClusterRole, PolicyRule } from "../scheme/types.gen.ts";

/**
 * The rules `role` should have by its aggregationRule: those of every other role one of the selectors matches, by order of
 * name, each rule once. Undefined where it does not aggregate. Throws SelectorError for a selector that cannot be read.
 */
export function aggregatedRules(role: ClusterRole, others: Iterable<ClusterRole>): PolicyRule[] | undefined {
	if (role.aggregationRule === undefined) return undefined;
	const name = role.metadata?.name ?? "";
	const selectors = (role.aggregationRule.clusterRoleSelectors ?? []).map((s) => fromLabelSelector(s));
	const byName = new Map([...others].map((o) => [o.metadata?.name ?? "", o]));
	const rules: PolicyRule[] = [];
	const seen = new Set<string>();
	for (const selector of selectors) {
		const chosen = [...byName].filter(([n, other]) => n !== name && selector.matches(other.metadata?.labels));
		chosen.sort(([a], [b]) => (a < b ? -1 : 1));
		for (const rule of chosen.flatMap(([, other]) => other.rules ?? [])) {
			const text = JSON.stringify([
				rule.verbs,
				rule.apiGroups,
				rule.resources,
				rule.resourceNames,
				rule.nonResourceURLs,
			]);
			if (!seen.has(text)) rules.push(rule);
			seen.add(text);
		}
	}
	return rules;
}

/** Whether `role` must be written again because what it aggregates changed. */
export function needsAggregation(role: ClusterRole, others: Iterable<ClusterRole>): boolean {
	const rules = aggregatedRules(role, others);
	return rules !== undefined && !deepEqual(rules, role.rules ?? []);
}
