/** Upstream's keys: `/registry/<storagePrefix>/[namespace/]name`. */
import type { ResourceInfo } from "../scheme/resources.ts";

/** Path of an object below its resource's prefix. */
export const objectPath = (resource: Pick<ResourceInfo, "namespaced">, namespace: string, name: string): string =>
	resource.namespaced ? `${namespace}/${name}` : name;

export const objectKey = (
	root: string,
	resource: Pick<ResourceInfo, "namespaced" | "storagePrefix">,
	namespace: string,
	name: string,
): string => `${root}${resource.storagePrefix}/${objectPath(resource, namespace, name)}`;
