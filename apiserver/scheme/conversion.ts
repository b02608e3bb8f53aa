/**
 * Views: events.k8s.io/v1 shows the objects that core/v1 stores, under other field names. All other resources are served
 * as stored.
 */
import type { KubeObject } from "./object.ts";
import type { ResourceInfo } from "./resources.ts";

/** Field names of events.k8s.io/v1 and of core/v1 for the same fact. */
const eventNames: ReadonlyArray<readonly [newName: string, coreName: string]> = [
	["regarding", "involvedObject"],
	["note", "message"],
	["reportingController", "reportingComponent"],
	["deprecatedSource", "source"],
	["deprecatedFirstTimestamp", "firstTimestamp"],
	["deprecatedLastTimestamp", "lastTimestamp"],
	["deprecatedCount", "count"],
];
const toCoreName = new Map(eventNames);
const toNewName = new Map(eventNames.map(([a, b]) => [b, a]));

function rename(object: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
	const result: Record<string, unknown> = { kind: object.kind, apiVersion };
	for (const [name, value] of Object.entries(object)) {
		if (name !== "kind" && name !== "apiVersion") result[names.get(name) ?? name] = value;
	}
	return result as KubeObject;
}

const isEventView = (resource: ResourceInfo) => resource.message === "events_v1.Event";

/** Whether the resource shows objects of another group's storage form. */
export const isView = (resource: ResourceInfo): boolean => resource.message !== resource.storageMessage;

/** A request's object in the form that is stored. */
export function toStorage(resource: ResourceInfo, object: KubeObject): KubeObject {
	if (!isEventView(resource) || object.apiVersion === "v1") return object;
	const stored = rename(object, "v1", toCoreName);
	stored["involvedObject"] ??= {};
	return stored;
}

/** A stored object in the form the resource shows. */
export function fromStorage(resource: ResourceInfo, object: KubeObject): KubeObject {
	if (!isEventView(resource) || object.apiVersion !== "v1") return object;
	return rename(object, "events.k8s.io/v1", toNewName);
}
