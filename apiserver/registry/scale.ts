/** The scale subresource (autoscaling/v1) of what has replicas. */
import { fieldInvalid, invalid } from "../machinery/errors.ts";
import { fromLabelSelector } from "../machinery/selectors.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import type { Message } from "../scheme/schema.ts";
import type { LabelSelector } from "../scheme/types.gen.ts";
import type { Shape } from "./shape.ts";

interface Scaled {
	replicas?: number;
	selector?: LabelSelector;
}

function show(object: KubeObject): KubeObject {
	const spec = (object["spec"] ?? {}) as Scaled;
	const status = (object["status"] ?? {}) as Scaled;
	const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
	const replicas = spec.replicas ?? 0;
	return {
		kind: "Scale",
		apiVersion: "autoscaling/v1",
		metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
		spec: replicas === 0 ? {} : { replicas },
		status: { replicas: status.replicas ?? 0, selector: fromLabelSelector(spec.selector).toString() },
	};
}

function absorb(shown: KubeObject, old: KubeObject): KubeObject {
	const replicas = (shown["spec"] as Scaled | undefined)?.replicas ?? 0;
	if (replicas < 0) {
		throw invalid("autoscaling", "Scale", shown.metadata.name ?? "", [
			fieldInvalid("spec.replicas", replicas, "must be greater than or equal to 0"),
		]);
	}
	return {
		...old,
		metadata: {
			...old.metadata,
			resourceVersion: shown.metadata.resourceVersion,
			uid: shown.metadata.uid ?? old.metadata.uid,
		},
		spec: { ...(old["spec"] as object), replicas },
	};
}

export const scaleShape = (_resource: ResourceInfo, message: Message): Shape => ({
	kind: { group: "autoscaling", version: "v1", kind: "Scale" },
	message,
	show,
	absorb,
	whole: false,
});
