/** PATCH: JSON patch, merge patch and strategic merge patch. */

import { append } from "../../kit/lists.ts";
import { header } from "../http/types.ts";
import { badRequest, fieldInvalid, invalid, unsupportedMediaType } from "../machinery/errors.ts";
import { deepClone } from "../machinery/meta.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "../machinery/patch/index.ts";
import { DecodingError, maxBodyBytes, mediaTypeOf, normalize } from "../scheme/codec/codec.ts";
import { applyDefaults } from "../scheme/defaults/defaults.ts";
import type { KubeObject } from "../scheme/object.ts";
import { findMessage } from "../scheme/schema.ts";
import type { Scope } from "./context.ts";
import { type PatchSource, patchSource } from "./patch-errors.ts";
import { sendShown, sendStored } from "./respond.ts";
import type { Shape } from "./shape.ts";
import { shapeOf } from "./shapes.ts";
import { checkName, update } from "./update.ts";
import { decodeView } from "./views.ts";
import { readWriteOptions, type WriteOptions } from "./write-options.ts";

type Json = Record<string, unknown>;
type Apply = (document: Json) => Json;

const patchTypes = [
	"application/json-patch+json",
	"application/merge-patch+json",
	"application/strategic-merge-patch+json",
] as const;

/** Upstream shows the whole patch, or object; as much of it as a terminal has use for is enough. */
const maxShownPatch = 4096;

function parsePatch(body: Buffer): unknown {
	try {
		return JSON.parse(body.toString("utf8"));
	} catch (error) {
		throw badRequest(`error decoding patch: ${(error as Error).message}`);
	}
}

function applier(type: string, patch: unknown, shape: Shape): Apply {
	switch (type) {
		case patchTypes[0]:
			return (document) => jsonPatch(document, patch);
		case patchTypes[1]:
			return (document) => mergePatch(document, patch);
		case patchTypes[2]:
			return (document) => strategicMergePatch(document, patch, shape.message, findMessage);
		default:
			throw unsupportedMediaType(patchTypes);
	}
}

export async function patchObject(scope: Scope): Promise<void> {
	const { services, resource, subresource, request, namespace, name } = scope;
	const type = mediaTypeOf(header(request, "content-type"));
	if (!(patchTypes as readonly string[]).includes(type)) throw unsupportedMediaType(patchTypes);
	const options = readWriteOptions(request.query, "PatchOptions");
	const body = await request.body(maxBodyBytes);
	const shape = shapeOf(resource, subresource);
	const patch = parsePatch(body);
	const apply = applier(type, patch, shape);
	const source = patchSource(type, patch);
	const updated = await update(services, {
		...scope,
		subresource: subresource?.name ?? "",
		dryRun: options.dryRun,
		wanted(current) {
			const shown = patched(scope, shape, apply, deepClone(shape.show(current)), options, source);
			checkName(resource, shown, namespace, name);
			return shape.absorb(shown, current);
		},
		conditional: false,
		shows: shape.whole ? undefined : shape.show,
	});
	if (shape.whole) sendStored(scope, 200, updated.bytes, updated.revision);
	else sendShown(scope, 200, shape.show(decodeView(resource, updated.bytes, updated.revision)));
}

function patched(
	scope: Scope,
	shape: Shape,
	apply: Apply,
	shown: KubeObject,
	options: WriteOptions,
	source: PatchSource,
): KubeObject {
	const { apiVersion, kind } = shown;
	const result = apply(shown as Json);
	if (result["kind"] !== kind || result["apiVersion"] !== apiVersion) {
		// Upstream decodes what the patch made into the kind of the path and refuses any other.
		if (result["kind"] !== undefined && result["kind"] !== kind) {
			throw badRequest(`the kind of the object (${String(result["kind"])}) does not match the expected kind (${kind})`);
		}
		if (result["apiVersion"] !== undefined && result["apiVersion"] !== apiVersion) {
			throw badRequest(
				`the API version in the data (${String(result["apiVersion"])}) does not match the expected API version (${apiVersion})`,
			);
		}
	}
	const { object, strictErrors } = normalized(result, shape, source);
	settleStrictErrors(scope, options, strictErrors, () => source.shown(result));
	object.metadata ??= {};
	applyDefaults(object);
	return object;
}

/** Upstream refuses what a patch made of an object with an error about the patch, of no kind and no name. */
const unfit = (shown: string, why: string) =>
	invalid("", "", "", [fieldInvalid("patch", shown.slice(0, maxShownPatch), why)]);

function normalized(result: Json, shape: Shape, source: PatchSource) {
	try {
		return normalize(result, shape.kind);
	} catch (error) {
		if (!(error instanceof DecodingError)) throw error;
		throw unfit(source.shown(result), source.typeError(error.message));
	}
}

function settleStrictErrors(scope: Scope, options: WriteOptions, errors: readonly string[], shown: () => string): void {
	if (errors.length === 0 || options.fieldValidation === "Ignore") return;
	if (options.fieldValidation === "Warn") {
		append(scope.warnings, errors);
		return;
	}
	throw unfit(shown(), `strict decoding error: ${errors.join(", ")}`);
}
