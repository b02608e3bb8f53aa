/** Objects as a resource shows them, to and from the bytes the store has. */
import { decodeStored, encodeStored, normalizeStored, withResourceVersion } from "../scheme/codec/stored.ts";
import { fromStorage, isView, toStorage } from "../scheme/conversion.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ResourceInfo } from "../scheme/resources.ts";

/** The object as the resource shows it, with its resourceVersion. */
export const decodeView = (resource: ResourceInfo, bytes: Buffer, revision: number): KubeObject =>
	fromStorage(resource, decodeStored(bytes, revision));

/** The bytes to store of an object as shown. */
export const encodeView = (resource: ResourceInfo, object: KubeObject): Buffer =>
	encodeStored(toStorage(resource, object));

/** JSON of the object as shown, from stored bytes: spliced where both forms are the same. Revision 0: not stored yet. */
export function jsonView(resource: ResourceInfo, bytes: Buffer, revision: number): Buffer {
	if (isView(resource)) {
		const object = decodeView(resource, bytes, revision);
		if (revision === 0) delete object.metadata.resourceVersion;
		return Buffer.from(JSON.stringify(object));
	}
	const stored = normalizeStored(bytes);
	return revision === 0 ? stored : withResourceVersion(stored, revision);
}
