/** The check against granting more than one has, in the place where admission plugins run. Not among the flags: always on. */
import { checkEscalation } from "../authz/escalation.ts";
import type { RbacEvaluator } from "../authz/rbac.ts";
import type { Authorizer } from "../authz/types.ts";
import type { AdmissionPlugin } from "./types.ts";

const guarded: ReadonlySet<string> = new Set(["roles", "clusterroles", "rolebindings", "clusterrolebindings"]);

/** Last in the chain, so that it sees what will be written. Where the authorizer allows everything, so does this. */
export const rbacEscalation = (evaluator: RbacEvaluator, authorizer: Authorizer): AdmissionPlugin => ({
	name: "RBACEscalation",
	validate(a) {
		const { operation, resource, object, oldObject, namespace, user } = a;
		if (resource.group !== "rbac.authorization.k8s.io" || !guarded.has(resource.resource)) return;
		if ((operation !== "CREATE" && operation !== "UPDATE") || object === undefined) return;
		checkEscalation(
			{ operation, resource: resource.resource, namespace, object, oldObject, user },
			evaluator,
			authorizer,
		);
	},
});
