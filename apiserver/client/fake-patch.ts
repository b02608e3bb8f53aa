/** Patches for the fake: merge patch (RFC 7386), and strategic merge patch by the schema's merge keys. */
import { unsupportedMediaType } from "../machinery/errors.ts";
import { type FieldType, findMessage, messagesOf, schemaTexts } from "../scheme/schema.ts";
import type { TypedResource } from "./resources.ts";
import type { PatchType } from "./types.ts";

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
	typeof value === "object" && value !== null && !Array.isArray(value);

function mergePatch(target: unknown, patch: unknown): unknown {
	if (!isFields(patch)) return patch;
	const result: Fields = isFields(target) ? { ...target } : {};
	for (const [key, value] of Object.entries(patch)) {
		if (value === null) delete result[key];
		else result[key] = mergePatch(result[key], value);
	}
	return result;
}

function mergeListByKey(
	target: readonly unknown[],
	patch: readonly unknown[],
	key: string,
	element: FieldType,
): unknown[] {
	const result = [...target];
	for (const item of patch) {
		const at = result.findIndex((other) => isFields(other) && isFields(item) && other[key] === item[key]);
		if (isFields(item) && item["$patch"] === "delete") {
			if (at >= 0) result.splice(at, 1);
		} else if (at >= 0) result[at] = strategic(result[at], item, element);
		else result.push(item);
	}
	return result;
}

function strategic(target: unknown, patch: unknown, type: FieldType | undefined): unknown {
	if (!isFields(patch)) return patch;
	const result: Fields = isFields(target) ? { ...target } : {};
	const message = type?.form === "message" ? findMessage(type.name) : undefined;
	for (const [key, value] of Object.entries(patch)) {
		const deleteFrom = /^\$deleteFromPrimitiveList\/(.+)$/.exec(key)?.[1];
		if (deleteFrom !== undefined) {
			const gone = new Set(value as unknown[]);
			result[deleteFrom] = ((result[deleteFrom] as unknown[] | undefined) ?? []).filter((item) => !gone.has(item));
			continue;
		}
		const field = message?.fields.get(key);
		const list = field?.type.form === "list" ? field.type : undefined;
		if (value === null) delete result[key];
		else if (list !== undefined && field?.patchMerge === true && Array.isArray(value)) {
			const before = (result[key] as unknown[] | undefined) ?? [];
			result[key] =
				field.patchMergeKey === undefined
					? [...new Set([...before, ...value])]
					: mergeListByKey(before, value, field.patchMergeKey, list.element);
		} else result[key] = strategic(result[key], value, field?.type);
	}
	return result;
}

function messageOfKind(resource: TypedResource<object>): FieldType | undefined {
	for (const text of schemaTexts) {
		const group = text.slice(0, text.lastIndexOf("_"));
		const name = `${text}.${resource.kind}`;
		const matches = resource.group === "" ? group === "core" : resource.group.split(".")[0] === group;
		if (matches && messagesOf(text).has(name)) return { form: "message", name };
	}
	return resource.group.startsWith("rbac.") ? { form: "message", name: `rbac_v1.${resource.kind}` } : undefined;
}

/** The object after the patch. JSON patches are not spoken by the fake. */
export function applyFakePatch(
	type: PatchType,
	resource: TypedResource<object>,
	current: unknown,
	patch: unknown,
): unknown {
	if (type === "merge") return mergePatch(current, patch);
	if (type === "strategic") return strategic(current, patch, messageOfKind(resource));
	throw unsupportedMediaType(["application/merge-patch+json", "application/strategic-merge-patch+json"]);
}
