/**
 * Strategic merge patch: maps merge, lists merge by the keys the schema names, and directives in the patch
 * say what merging cannot:
 *
 * - `$patch: replace | delete` in a map, or in an element of a merged list;
 * - `$deleteFromPrimitiveList/FIELD: [values]`;
 * - `$setElementOrder/FIELD: [values or {key: value}]`, the order the merged list shall have;
 * - `$retainKeys: [keys]`, which clears every other key of the map.
 */
import { ApiError, badRequest } from "../errors.ts";
import { deepClone, setOwn } from "../meta.ts";
import { cannotUnmarshal, isObject, type JsonObject, requireShallow, unprocessable } from "./common.ts";

const patchDirective = "$patch";
const retainKeysDirective = "$retainKeys";
const deleteListPrefix = "$deleteFromPrimitiveList";
const orderPrefix = "$setElementOrder";

/** The type of a field, as far as a patch asks. */
export type PatchType =
	| { readonly form: "primitive" }
	| { readonly form: "message"; readonly name: string }
	| { readonly form: "list"; readonly element: PatchType }
	| { readonly form: "map"; readonly value: PatchType };

/** What a patch asks of a message of the schema (scheme/schema.ts has them; this folder stands below it). */
export interface PatchMessage {
	/** `core_v1.Pod` */
	readonly name: string;
	readonly fields: ReadonlyMap<
		string,
		{ readonly type: PatchType; readonly patchMerge: boolean; readonly patchMergeKey: string | undefined }
	>;
}

/** A message of the schema by its name; undefined where there is none. */
export type FindMessage = (name: string) => PatchMessage | undefined;

/** What is known of a map's fields: a message's, one type for all keys, or nothing (raw JSON). */
type Shape =
	| { readonly message: PatchMessage; readonly find: FindMessage }
	| { readonly value: PatchType; readonly find: FindMessage }
	| "free";

interface FieldFacts {
	/** Of the value, or of a list's elements. */
	readonly shape: Shape;
	readonly merges: boolean;
	readonly mergeKey: string | undefined;
}

/** Failures upstream has no status for become a bare 500 with the text. */
const failure = (message: string) => new ApiError(500, "", message);

function shapeOf(type: PatchType, find: FindMessage): Shape {
	if (type.form === "map") return { value: type.value, find };
	if (type.form === "list") return shapeOf(type.element, find);
	const message = type.form === "message" ? find(type.name) : undefined;
	return message === undefined ? "free" : { message, find };
}

function factsOf(shape: Shape, key: string): FieldFacts {
	if (shape === "free") return { shape: "free", merges: false, mergeKey: undefined };
	if ("value" in shape) return { shape: shapeOf(shape.value, shape.find), merges: false, mergeKey: undefined };
	const field = shape.message.fields.get(key);
	if (field === undefined) {
		const name = shape.message.name.slice(shape.message.name.indexOf(".") + 1);
		throw failure(`unable to find api field in struct ${name} for the json field ${JSON.stringify(key)}`);
	}
	return { shape: shapeOf(field.type, shape.find), merges: field.patchMerge, mergeKey: field.patchMergeKey };
}

/** Go's `%v`. */
function goText(value: unknown): string {
	if (value === null || value === undefined) return "<nil>";
	if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
	if (!isObject(value)) return String(value);
	const entries = Object.keys(value).sort();
	return `map[${entries.map((k) => `${k}:${goText(value[k])}`).join(" ")}]`;
}

const noMergeKey = (item: unknown, key: string) =>
	failure(`map: ${goText(item)} does not contain declared merge key: ${key}`);
const badPatchType = (directive: unknown, map: JsonObject) =>
	failure(`unknown patch type: ${goText(directive)} in map: ${goText(map)}`);
const badArgument = (expected: "list" | "map", actual: unknown) => {
	const types = { list: "[]interface {}", map: "map[string]interface {}" };
	const name = Array.isArray(actual) ? types.list : isObject(actual) ? types.map : goScalarType(actual);
	return failure(`expected a ${types[expected]}, but received a ${name}`);
};
const goScalarType = (value: unknown) =>
	typeof value === "number"
		? "float64"
		: typeof value === "boolean"
			? "bool"
			: value === null
				? "%!s(<nil>)"
				: "string";

/** The value as an addition: without nulls and without directives; undefined where it only says "delete". */
function asAddition(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(asAddition).filter((v) => v !== undefined);
	if (!isObject(value)) return value;
	if (Object.hasOwn(value, patchDirective) && value[patchDirective] !== "replace") return undefined;
	const result: JsonObject = {};
	for (const [key, item] of Object.entries(value)) {
		const isDirective =
			key === patchDirective ||
			key === retainKeysDirective ||
			key.startsWith(deleteListPrefix) ||
			key.startsWith(orderPrefix);
		const addition = isDirective || item === null ? undefined : asAddition(item);
		if (addition !== undefined) setOwn(result, key, addition);
	}
	return result;
}

function put(target: JsonObject, key: string, value: unknown): void {
	if (value === undefined) delete target[key];
	else setOwn(target, key, value);
}

const own = (map: JsonObject, key: string): unknown => (Object.hasOwn(map, key) ? map[key] : undefined);

/** The field behind `PREFIX/FIELD`. */
function fieldOf(key: string, prefix: string, problem: string): string {
	if (!key.startsWith(`${prefix}/`)) throw badRequest(problem);
	return key.slice(prefix.length + 1);
}

/** Merges `patch` into `original`, which is changed and returned. */
function mergeMap(original: JsonObject, patch: JsonObject, shape: Shape): JsonObject {
	if (Object.hasOwn(patch, patchDirective)) return directedMap(patch);
	retainKeys(original, patch);
	const handled = mergeOrderedLists(original, patch, shape);
	for (const [key, value] of Object.entries(patch)) {
		if (key === retainKeysDirective || handled.has(key)) continue;
		if (key.startsWith(deleteListPrefix)) deleteFromList(original, key, value);
		else mergeField(original, key, value, shape);
	}
	return original;
}

function directedMap(patch: JsonObject): JsonObject {
	switch (patch[patchDirective]) {
		case "replace":
			return asAddition(patch) as JsonObject;
		case "delete":
			return {};
		default:
			throw badPatchType(patch[patchDirective], patch);
	}
}

function mergeField(original: JsonObject, key: string, value: unknown, shape: Shape): void {
	if (value === null) {
		delete original[key];
		return;
	}
	const existing = own(original, key);
	if (isObject(existing) && isObject(value)) {
		setOwn(original, key, mergeMap(existing, value, factsOf(shape, key).shape));
	} else if (Array.isArray(existing) && Array.isArray(value)) {
		setOwn(original, key, mergeList(existing, value, factsOf(shape, key)));
	} else {
		put(original, key, asAddition(value));
	}
}

function retainKeys(original: JsonObject, patch: JsonObject): void {
	if (!Object.hasOwn(patch, retainKeysDirective)) return;
	const kept = patch[retainKeysDirective];
	const problem = "invalid patch format of retainKeys";
	if (!Array.isArray(kept)) throw badRequest(problem);
	for (const [key, value] of Object.entries(patch)) {
		const exempt =
			key === retainKeysDirective || value === null || key.startsWith(deleteListPrefix) || key.startsWith(orderPrefix);
		if (!exempt && !kept.includes(key)) throw badRequest(problem);
	}
	for (const key of Object.keys(original)) if (!kept.includes(key)) delete original[key];
}

function deleteFromList(original: JsonObject, key: string, values: unknown): void {
	const problem = "invalid patch format of primitive list";
	const field = fieldOf(key, deleteListPrefix, problem);
	if (values === null) {
		delete original[field];
		return;
	}
	if (!Array.isArray(values)) throw badRequest(problem);
	const existing = own(original, field);
	if (!Array.isArray(existing)) return;
	const deleted = new Set(values);
	original[field] = existing.filter((item) => !deleted.has(item));
}

/** Does every `$setElementOrder` together with the list it orders; returns the keys of the patch that are done. */
function mergeOrderedLists(original: JsonObject, patch: JsonObject, shape: Shape): Set<string> {
	const handled = new Set<string>();
	for (const [key, order] of Object.entries(patch)) {
		if (!key.startsWith(orderPrefix)) continue;
		handled.add(key);
		if (!Array.isArray(order)) throw badArgument("list", order);
		const field = fieldOf(key, orderPrefix, "invalid patch format of setElementOrder list");
		const existing = own(original, field);
		const added = own(patch, field);
		if (existing !== undefined && !Array.isArray(existing)) throw badArgument("list", existing);
		if (added !== undefined && !Array.isArray(added)) throw badArgument("list", added);
		const facts = factsOf(shape, field);
		checkOrder(added ?? [], order, facts.mergeKey);
		if (existing === undefined && added === undefined) continue;
		const merged = mergedForOrder(existing, added, facts);
		const [ordered, serverOnly] = partition(merged, order, facts.mergeKey);
		original[field] = interleave(ordered, serverOnly, order, existing ?? [], facts.mergeKey);
		handled.add(field);
	}
	return handled;
}

function mergedForOrder(existing: unknown[] | undefined, added: unknown[] | undefined, facts: FieldFacts): unknown[] {
	if (existing === undefined) return asAddition(added ?? []) as unknown[];
	return added === undefined ? existing : mergeList(existing, added, facts);
}

const isDelete = (item: unknown) => isObject(item) && item[patchDirective] === "delete";
const hasDirective = (item: unknown) => isObject(item) && Object.hasOwn(item, patchDirective);

/** The patch's elements must stand in the order's list, in its order. */
function checkOrder(added: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
	if (added.length === 0 || order.length === 0) return;
	const items = added.filter((item) => !isDelete(item) && !hasDirective(item));
	let at = 0;
	for (const entry of order) {
		if (at < items.length && identity(items[at], mergeKey) === identity(entry, mergeKey)) at++;
	}
	if (at < items.length) {
		throw failure(
			`The order in patch list:\n${goText(added)}\n doesn't match ${orderPrefix} list:\n${goText(order)}\n`,
		);
	}
}

function mergeKeyOf(item: unknown, mergeKey: string): unknown {
	if (!isObject(item)) throw badArgument("map", item);
	if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
	return item[mergeKey];
}

/** What tells one element of a merged list from another: its merge key's value, or itself. */
const identity = (item: unknown, mergeKey: string | undefined): unknown =>
	mergeKey === undefined ? item : mergeKeyOf(item, mergeKey);

/** Where each element stands first, by its identity. */
function positions(list: readonly unknown[], mergeKey: string | undefined): Map<unknown, number> {
	const result = new Map<unknown, number>();
	list.forEach((item, i) => {
		const id = identity(item, mergeKey);
		if (!result.has(id)) result.set(id, i);
	});
	return result;
}

/** The items `order` names, and the others. */
function partition(
	items: readonly unknown[],
	order: readonly unknown[],
	mergeKey: string | undefined,
): [unknown[], unknown[]] {
	const places = positions(order, mergeKey);
	const named: unknown[] = [];
	const others: unknown[] = [];
	for (const item of items) (places.has(identity(item, mergeKey)) ? named : others).push(item);
	return [named, others];
}

/** `ordered` in `order`, with the server's own items between them where the live list (`serverOrder`) had them. */
function interleave(
	ordered: readonly unknown[],
	serverOnly: readonly unknown[],
	order: readonly unknown[],
	serverOrder: readonly unknown[],
	mergeKey: string | undefined,
): unknown[] {
	const places = positions(order, mergeKey);
	const livePlaces = positions(serverOrder, mergeKey);
	const place = (item: unknown) => places.get(identity(item, mergeKey)) ?? 0;
	const right = ordered.toSorted((a, b) => place(a) - place(b));
	const result: unknown[] = [];
	let l = 0;
	let r = 0;
	while (l < serverOnly.length && r < right.length) {
		const leftPlace = livePlaces.get(identity(serverOnly[l], mergeKey));
		const rightPlace = livePlaces.get(identity(right[r], mergeKey));
		const leftFirst = leftPlace !== undefined && rightPlace !== undefined && leftPlace < rightPlace;
		result.push(leftFirst ? serverOnly[l++] : right[r++]);
	}
	while (l < serverOnly.length) result.push(serverOnly[l++]);
	while (r < right.length) result.push(right[r++]);
	return result;
}

function mergeList(existing: unknown[], added: unknown[], facts: FieldFacts): unknown[] {
	if (!facts.merges) return asAddition(added) as unknown[];
	if (existing.length === 0 && added.length === 0) return existing;
	const ofMaps = requireOneType([...existing, ...added]);
	if (!ofMaps) return mergeScalars(existing, added);
	const key = facts.mergeKey;
	if (key === undefined) throw failure("cannot merge lists without merge key for type struct");
	const { base, rest } = applyListDirectives(existing, added, key);
	const merged = mergeElements(base, rest, key, facts.shape);
	const [named, others] = partition(merged, rest, key);
	return interleave(named, others, rest, base, key);
}

/** Whether the elements are maps; lists of lists and mixed lists cannot be merged. */
function requireOneType(items: readonly unknown[]): boolean {
	const kind = (item: unknown) => (isObject(item) ? "map" : typeof item);
	if (items.some(Array.isArray)) throw unprocessable();
	if (items.some((item) => kind(item) !== kind(items[0]))) {
		throw failure(`list element types are not identical: ${goText([items])}`);
	}
	return kind(items[0]) === "map";
}

function mergeScalars(existing: readonly unknown[], added: readonly unknown[]): unknown[] {
	const merged = [...new Set([...existing, ...added])];
	const [named, others] = partition(merged, added, undefined);
	return interleave(named, others, added, existing, undefined);
}

/** Takes the elements with `$patch` out of the patch and does what they say. */
function applyListDirectives(
	existing: readonly unknown[],
	added: readonly unknown[],
	key: string,
): { base: unknown[]; rest: JsonObject[] } {
	const deleted = new Set<unknown>();
	let replace = false;
	const rest: JsonObject[] = [];
	for (const item of added as JsonObject[]) {
		if (!Object.hasOwn(item, patchDirective)) {
			rest.push(item);
			continue;
		}
		switch (item[patchDirective]) {
			case "delete":
				deleted.add(mergeKeyOf(item, key));
				break;
			case "replace":
				replace = true;
				break;
			case "merge":
				throw failure("merging lists cannot yet be specified in the patch");
			default:
				throw badPatchType(item[patchDirective], item);
		}
	}
	if (replace) return { base: asAddition(rest) as unknown[], rest: [] };
	return { base: existing.filter((entry) => !isObject(entry) || !deleted.has(own(entry, key))), rest };
}

function mergeElements(base: readonly unknown[], rest: readonly JsonObject[], key: string, shape: Shape): unknown[] {
	const merged = [...base];
	const places = positions(merged, key);
	for (const item of rest) {
		const value = mergeKeyOf(item, key);
		const at = places.get(value);
		if (at === undefined) {
			places.set(value, merged.length);
			merged.push(asAddition(item));
		} else {
			merged[at] = mergeMap(merged[at] as JsonObject, item, shape);
		}
	}
	return merged;
}

/**
 * `document` (of `message`, whose fields' messages `find` knows) with `patch` applied; neither is changed. Throws ApiError
 * with upstream's codes and texts.
 */
export function strategicMergePatch(
	document: JsonObject,
	patch: unknown,
	message: PatchMessage,
	find: FindMessage,
): JsonObject {
	if (!isObject(patch)) throw badRequest(cannotUnmarshal(patch, "map[string]interface {}"));
	requireShallow(patch);
	return mergeMap(deepClone(document), deepClone(patch), { message, find });
}
