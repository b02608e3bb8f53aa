/** The shape of each path: the object itself, its scale, or what finalize takes over. */
import type { ResourceInfo, SubresourceInfo } from "../scheme/resources.ts";
import { findMessage, type Message } from "../scheme/schema.ts";
import { scaleShape } from "./scale.ts";
import type { Shape } from "./shape.ts";

function messageNamed(name: string): Message {
	const message = findMessage(name);
	if (message === undefined) throw new Error(`no schema message ${name}`);
	return message;
}

const wholeShape = (resource: ResourceInfo): Shape => ({
	kind: resource,
	message: messageNamed(resource.message),
	show: (object) => object,
	absorb: (shown) => shown,
	whole: true,
});

/** Namespace finalize: only spec.finalizers is taken over. */
const finalizeShape = (resource: ResourceInfo): Shape => ({
	...wholeShape(resource),
	absorb(shown, old) {
		const finalizers = (shown["spec"] as { finalizers?: string[] } | undefined)?.finalizers ?? [];
		return {
			...old,
			metadata: {
				...old.metadata,
				resourceVersion: shown.metadata.resourceVersion,
				uid: shown.metadata.uid ?? old.metadata.uid,
			},
			spec: finalizers.length === 0 ? {} : { finalizers },
		};
	},
});

export function shapeOf(resource: ResourceInfo, subresource: SubresourceInfo | undefined): Shape {
	if (subresource?.name === "scale") return scaleShape(resource, messageNamed(subresource.message));
	if (subresource?.name === "finalize") return finalizeShape(resource);
	return wholeShape(resource);
}
