/** What every write does to an object's metadata before its kind's own rules (upstream's rest.BeforeCreate and BeforeUpdate). */
import { randomUUID } from "node:crypto";
import { badRequest } from "../machinery/errors.ts";
import { formatTime, generateName } from "../machinery/meta.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import type { ObjectMeta } from "../scheme/types.gen.ts";
import type { Services } from "./context.ts";
import { bumpGeneration, hasStatus, keepSpec, keepStatus, type Strategy } from "./strategy.ts";

/** The namespace of the URL is the object's, where it does not say another. Throws ApiError 400. */
export function settleNamespace(resource: ResourceInfo, object: KubeObject, namespace: string): void {
	const { metadata } = object;
	if (!resource.namespaced) {
		delete metadata.namespace;
		return;
	}
	if ((metadata.namespace ?? "") === "") metadata.namespace = namespace;
	else if (metadata.namespace !== namespace) {
		throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
	}
}

/** Keys of metadata in the order they are stored. */
const metaOrder: readonly (keyof ObjectMeta)[] = [
	"name",
	"generateName",
	"namespace",
	"uid",
	"generation",
	"creationTimestamp",
	"deletionTimestamp",
	"deletionGracePeriodSeconds",
	"labels",
	"annotations",
	"ownerReferences",
	"finalizers",
];

/** Metadata with its keys in one order and without what the server does not keep. */
export function canonicalMeta(meta: ObjectMeta): ObjectMeta {
	const ordered: Record<string, unknown> = {};
	for (const key of metaOrder) {
		const value = meta[key];
		if (value === undefined || value === null || value === "") continue;
		if (typeof value === "object" && Object.keys(value).length === 0) continue;
		ordered[key] = value;
	}
	return ordered as ObjectMeta;
}

export function prepareCreate(
	services: Services,
	resource: ResourceInfo,
	strategy: Strategy,
	object: KubeObject,
): void {
	const { metadata } = object;
	delete metadata.deletionTimestamp;
	delete metadata.deletionGracePeriodSeconds;
	delete metadata.generation;
	if (strategy.countsGenerations) metadata.generation = 1;
	if (hasStatus(resource) && resource.resource !== "nodes") delete object["status"];
	metadata.uid = randomUUID();
	metadata.creationTimestamp = formatTime(services.clock.now());
	if ((metadata.name ?? "") === "" && (metadata.generateName ?? "") !== "") {
		metadata.name = generateName(metadata.generateName ?? "", services.random);
	}
	strategy.prepareForCreate?.(object);
	object.metadata = canonicalMeta(object.metadata);
}

/** Gives an object with generateName its next name. */
export function renew(services: Services, strategy: Strategy, object: KubeObject): void {
	object.metadata.name = generateName(object.metadata.generateName ?? "", services.random);
	strategy.prepareForCreate?.(object);
	object.metadata = canonicalMeta(object.metadata);
}

/** Metadata that only the server sets is taken over from the object as it is. */
export function prepareUpdate(
	resource: ResourceInfo,
	strategy: Strategy,
	object: KubeObject,
	old: KubeObject,
	subresource: string,
): void {
	const { metadata } = object;
	const before = old.metadata;
	if ((metadata.uid ?? "") === "") metadata.uid = before.uid;
	metadata.creationTimestamp = before.creationTimestamp;
	metadata.deletionTimestamp = before.deletionTimestamp;
	metadata.deletionGracePeriodSeconds = before.deletionGracePeriodSeconds;
	metadata.generateName ??= before.generateName;
	metadata.generation = before.generation;
	if (subresource === "status") {
		keepSpec(object, old);
		strategy.prepareForStatusUpdate?.(object, old);
	} else if (subresource !== "binding") {
		// A binding sets the node and a condition in one write, and is neither an edit of spec nor of status.
		if (hasStatus(resource)) keepStatus(object, old);
		strategy.prepareForUpdate?.(object, old, subresource);
		if (strategy.countsGenerations) bumpGeneration(object, old);
	}
	object.metadata = canonicalMeta(object.metadata);
}
