/** `--allow-privileged=false`: no container of a pod, or of a template of pods, may run privileged. */
import { type FieldError, fieldForbidden } from "../../machinery/errors.ts";
import type { KubeObject } from "../object.ts";
import type { PodSpec } from "../types.gen.ts";

/** Where each kind keeps the pod's spec. Kinds without a row make no pods. */
const specPaths: Readonly<Record<string, readonly string[]>> = {
	Pod: ["spec"],
	PodTemplate: ["template", "spec"],
	ReplicationController: ["spec", "template", "spec"],
	ReplicaSet: ["spec", "template", "spec"],
	Deployment: ["spec", "template", "spec"],
	DaemonSet: ["spec", "template", "spec"],
	StatefulSet: ["spec", "template", "spec"],
	Job: ["spec", "template", "spec"],
	CronJob: ["spec", "jobTemplate", "spec", "template", "spec"],
};

export function privilegedContainers(object: KubeObject): FieldError[] {
	const path = specPaths[object.kind ?? ""];
	if (path === undefined) return [];
	let at: unknown = object;
	for (const step of path) at = (at as Record<string, unknown> | undefined)?.[step];
	const spec = at as PodSpec | undefined;
	const errors: FieldError[] = [];
	for (const list of ["initContainers", "containers", "ephemeralContainers"] as const) {
		for (const [i, container] of (spec?.[list] ?? []).entries()) {
			if (container.securityContext?.privileged !== true) continue;
			const field = `${path.join(".")}.${list}[${i}].securityContext.privileged`;
			errors.push(fieldForbidden(field, "disallowed by cluster policy"));
		}
	}
	return errors;
}
