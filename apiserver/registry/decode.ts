/** Request bodies to objects, with defaults set. */

import { append } from "../../kit/lists.ts";
import { header } from "../http/types.ts";
import { type DecodeOptions, decodeBodyObject, type KindName, maxBodyBytes } from "../scheme/codec/codec.ts";
import { applyDefaults } from "../scheme/defaults/defaults.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { Scope } from "./context.ts";

/** The body as an object of `kind`; warnings of field validation go to the client. Throws ApiError. */
export async function decodeBody(
	scope: Scope,
	kind: KindName,
	fieldValidation: DecodeOptions["fieldValidation"],
): Promise<KubeObject> {
	const body = await scope.request.body(maxBodyBytes);
	const { object, warnings } = await decodeBodyObject(body, header(scope.request, "content-type"), {
		fieldValidation,
		defaultKind: kind,
	});
	append(scope.warnings, warnings);
	object.metadata ??= {};
	applyDefaults(object);
	return object;
}
