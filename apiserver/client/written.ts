/** What the server makes of an object before it stores it, so that a writer can tell a change from none. */
import { deepEqual } from "../machinery/meta.ts";
import { DecodingError, normalize } from "../scheme/codec/codec.ts";
import { messageOfKind } from "../scheme/kinds.ts";
import type { KubeObject } from "../scheme/object.ts";
import { parseApiVersion } from "./resources.ts";

/**
 * A copy of `object` as the server would store it, defaults and its own fields aside: zeros and empty values of fields
 * that leave them out are gone, and so is what the kind does not have. Of a kind without a schema (a custom resource), or
 * with a value that does not fit its field, an exact copy.
 */
export function asStored<T extends KubeObject<object>>(object: T): T {
	const copy = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
	const kind = { ...parseApiVersion(object.apiVersion), kind: object.kind };
	if (messageOfKind(kind, kind.kind) === undefined) return copy as unknown as T;
	try {
		return normalize(copy, kind).object as unknown as T;
	} catch (error) {
		if (error instanceof DecodingError) return structuredClone(object); // the server will say what is wrong with it
		throw error;
	}
}

/**
 * Whether writing `next` in place of `current`, which the server gave, changes anything. A write that changes nothing
 * brings no event: who waits for one after it waits for ever, so this is asked before every write that may be none.
 */
export const wouldChange = <T extends KubeObject<object>>(current: T, next: T): boolean =>
	!deepEqual(asStored(current), asStored(next));
