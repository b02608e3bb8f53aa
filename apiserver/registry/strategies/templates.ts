/** Warnings about the pods that a kind will make. */
import type { KubeObject } from "../../scheme/object.ts";
import type { PodTemplateSpec } from "../../scheme/types.gen.ts";
import { hostnameWarnings, podWarnings } from "../../scheme/validation/pod-warnings.ts";

/** On creation, and when the spec was changed. */
export function templateWarnings(object: KubeObject, old: KubeObject | undefined): string[] {
	if (old !== undefined && old.metadata.generation === object.metadata.generation) return [];
	const { template } = (object["spec"] ?? {}) as { template?: PodTemplateSpec };
	return [
		...(old === undefined ? hostnameWarnings("Pod names and hostnames", object.metadata.name ?? "") : []),
		...podWarnings("spec.template.", template ?? {}),
	];
}
