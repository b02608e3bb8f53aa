/** The check against granting more than one has, in the place where admission plugins run. Not among the flags: always on. */
import { checkEscalation } from "../authz/escalation.ts";
import type { RbacEvaluator } from "../authz/rbac.ts";
import type { Authorizer } from "../authz/types.ts";
import type { AdmissionPlugin } from "./types.ts";

const guarded: ReadonlySet<string> = new Set(["roles", "clusterroles", "rolebindings", "clusterrolebindings"]);

/**
 * Last of the plugins that change objects, so that it sees what will be written, and before validation, as upstream: who
 * may not write a role learns nothing of what is wrong with it. Where the authorizer allows everything, so does this.
 */
export const rbacEscalation = (evaluator: RbacEvaluator, authorizer: Authorizer): AdmissionPlugin => ({
	name: "RBACEscalation",
	mutate(a) {
		const { operation, resource, object, oldObject, namespace, name, user } = a;
		if (resource.group !== "rbac.authorization.k8s.io" || !guarded.has(resource.resource)) return;
		if ((operation !== "CREATE" && operation !== "UPDATE") || object === undefined) return;
		checkEscalation({ resource: resource.resource, namespace, name, object, oldObject, user }, evaluator, authorizer);
	},
});
