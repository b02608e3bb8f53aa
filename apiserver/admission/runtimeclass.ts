/** RuntimeClass: a pod's runtime class must exist. The kind is not served yet, so none does. */
import type { Pod } from "../scheme/types.gen.ts";
import { type AdmissionPlugin, isResource, refuse } from "./types.ts";

export const runtimeClass: AdmissionPlugin = {
	name: "RuntimeClass",
	mutate(a) {
		if (a.operation !== "CREATE" || !isResource(a, "", "pods")) return;
		const name = (a.object as Pod | undefined)?.spec?.runtimeClassName;
		if (name !== undefined) throw refuse(a, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
	},
};
