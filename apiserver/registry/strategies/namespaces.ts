/** Namespaces: held by spec.finalizers until the controller has emptied them. */
import type { KubeObject } from "../../scheme/object.ts";
import type { NamespaceSpec } from "../../scheme/types.gen.ts";
import { baseStrategy, type Strategy } from "../strategy.ts";

const kubernetesFinalizer = "kubernetes";
const finalizersOf = (object: KubeObject) => (object["spec"] as NamespaceSpec | undefined)?.finalizers ?? [];

export const namespaceStrategy: Strategy = {
	...baseStrategy,
	prepareForCreate(object) {
		const finalizers = finalizersOf(object);
		object["spec"] = {
			finalizers: finalizers.includes(kubernetesFinalizer) ? finalizers : [...finalizers, kubernetesFinalizer],
		};
		object["status"] = { phase: "Active" };
	},
	/** spec.finalizers changes through `finalize` only. */
	prepareForUpdate(object, old, subresource) {
		if (subresource !== "finalize") object["spec"] = old["spec"];
		if (object.metadata.deletionTimestamp !== undefined) {
			object["status"] = { ...(object["status"] as object | undefined), phase: "Terminating" };
		}
	},
	markDeleted(object) {
		delete object.metadata.deletionGracePeriodSeconds;
		object["status"] = { ...(object["status"] as object | undefined), phase: "Terminating" };
	},
	heldBack: (object) => finalizersOf(object).length > 0,
};
