/** What the watch cache is told of each stored resource. */
import type { CachedResource } from "../cache/cacher.ts";
import { decodeStored, normalizeStored, selectableFieldsOf } from "../scheme/codec/stored.ts";
import type { KubeObject } from "../scheme/object.ts";
import { allResources, type ResourceInfo } from "../scheme/resources.ts";

/** Fields by which watches are indexed, by storage prefix: a kubelet watches its own node's pods only. */
const triggers: Readonly<Record<string, string>> = { pods: "spec.nodeName" };

/** How everything begins that we store; what begins so was written whole, or not at all. */
const ourOpening = Buffer.from('{"kind":"');
const ourMetadata = Buffer.from('"metadata":{');

/** The stored object, or why it is none. */
function readable(bytes: Buffer): KubeObject | string {
	try {
		const object: unknown = decodeStored(normalizeStored(bytes), 0);
		return typeof (object as KubeObject).metadata.name === "string" ? (object as KubeObject) : "it has no name";
	} catch (error) {
		return (error as Error).message;
	}
}

/** What others stored is read to find out; our own is known by its form. */
function problemOf(bytes: Buffer): string | undefined {
	const ours = bytes.subarray(0, ourOpening.length).equals(ourOpening) && bytes.at(-1) === 0x7d;
	if (ours && bytes.includes(ourMetadata)) return undefined;
	const object = readable(bytes);
	return typeof object === "string" ? object : undefined;
}

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
		problemOf,
		readFacts(bytes) {
			const object = readable(bytes);
			if (typeof object === "string") return { labels: {}, fields: {} }; // selected by nothing but everything
			// bounded: the versions of one resource.
			const fields = Object.assign({}, ...views.map((view) => selectableFieldsOf(view, object)));
			return { labels: object.metadata.labels ?? {}, fields };
		},
	}));
}

export const triggerOf = (resource: ResourceInfo): string | undefined => triggers[resource.storagePrefix];
