/** Fills in the rules of ClusterRoles that are unions of others (`admin`, `edit`, `view`). */
import { clusterRoles, keyOf } from "../../apiserver/client/resources.ts";
import { wouldChange } from "../../apiserver/client/written.ts";
import { deepEqual } from "../../apiserver/machinery/meta.ts";
import { fromLabelSelector } from "../../apiserver/machinery/selectors.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { ClusterRole, PolicyRule } from "../../apiserver/scheme/types.gen.ts";
import { type Controller, type ControllerContext, controllerQueue, queueController } from "./controller.ts";

type Role = KubeObject<ClusterRole>;

/** The rules of all roles the selectors of `role` match, in order of the roles' names, each rule once. */
export function unionOfRules(role: Role, roles: readonly Role[]): PolicyRule[] {
	const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).map((s) => fromLabelSelector(s));
	const rules: PolicyRule[] = [];
	const byName = roles.toSorted((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
	for (const selector of selectors) {
		for (const other of byName) {
			if (other.metadata.name === role.metadata.name || !selector.matches(other.metadata.labels)) continue;
			for (const rule of other.rules ?? []) {
				if (!rules.some((known) => deepEqual(known, rule))) rules.push(rule);
			}
		}
	}
	return rules;
}

/** The clusterrole-aggregation controller. */
export function createClusterRoleAggregationController(ctx: ControllerContext): Controller {
	const cache = ctx.informers.informer(clusterRoles);
	const queue = controllerQueue(ctx, "clusterrole-aggregation", sync, 5, cache);
	// Any role may be part of any union; there are few of them.
	const enqueueUnions = () => {
		for (const role of cache.list()) if (role.aggregationRule !== undefined) queue.add(keyOf(role));
	};
	cache.addHandlers({ onAdd: enqueueUnions, onUpdate: enqueueUnions, onDelete: enqueueUnions });

	async function sync(name: string): Promise<void> {
		const role = cache.get(name);
		if (role?.aggregationRule === undefined) return;
		const rules = unionOfRules(role, cache.list());
		const next = { ...role, rules };
		if (wouldChange(role, next)) await ctx.client.resource(clusterRoles).update(next);
	}

	return queueController("clusterrole-aggregation", queue);
}
