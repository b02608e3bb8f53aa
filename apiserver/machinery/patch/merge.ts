/** JSON merge patch (RFC 7386). */
import { badRequest } from "../errors.ts";
import { deepClone, setOwn } from "../meta.ts";
import { cannotUnmarshal, isObject, type JsonObject, requireShallow } from "./common.ts";

function merge(target: unknown, patch: unknown): unknown {
	if (!isObject(patch)) return deepClone(patch);
	const result: JsonObject = {};
	if (isObject(target)) for (const [key, value] of Object.entries(target)) setOwn(result, key, value);
	for (const [key, value] of Object.entries(patch)) {
		if (value === null) delete result[key];
		else setOwn(result, key, merge(Object.hasOwn(result, key) ? result[key] : undefined, value));
	}
	return result;
}

/** `document` with `patch` merged in; neither is changed, parts the patch does not touch are shared. Throws ApiError 400. */
export function mergePatch(document: JsonObject, patch: unknown): JsonObject {
	if (!isObject(patch)) {
		throw badRequest(`error decoding patch: ${cannotUnmarshal(patch, "map[string]interface {}")}`);
	}
	requireShallow(patch);
	return merge(document, patch) as JsonObject;
}
