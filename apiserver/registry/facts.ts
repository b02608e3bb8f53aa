/** What the watch cache is told of each stored resource. */
import type { CachedResource } from "../cache/cacher.ts";
import { decodeStored, normalizeStored, selectableFieldsOf } from "../scheme/codec/stored.ts";
import { allResources, type ResourceInfo } from "../scheme/resources.ts";

/** Fields by which watches are indexed, by storage prefix: a kubelet watches its own node's pods only. */
const triggers: Readonly<Record<string, string>> = { pods: "spec.nodeName" };

/** One row for each storage prefix; two views of the same objects (events) share one. */
export function cachedResources(): CachedResource[] {
	const byPrefix = new Map<string, ResourceInfo[]>();
	for (const resource of allResources) {
		if (resource.storagePrefix === "") continue;
		const views = byPrefix.get(resource.storagePrefix);
		if (views === undefined) byPrefix.set(resource.storagePrefix, [resource]);
		else views.push(resource);
	}
	return [...byPrefix].map(([storagePrefix, views]) => ({
		storagePrefix,
		trigger: triggers[storagePrefix],
		readFacts(bytes) {
			const object = decodeStored(normalizeStored(bytes), 0);
			// bounded: the versions of one resource.
			const fields = Object.assign({}, ...views.map((view) => selectableFieldsOf(view, object)));
			return { labels: object.metadata.labels ?? {}, fields };
		},
	}));
}

export const triggerOf = (resource: ResourceInfo): string | undefined => triggers[resource.storagePrefix];
