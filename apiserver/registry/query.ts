/** Options of the verbs, from query parameters, with upstream's checks and texts. */
import {
	ApiError,
	badRequest,
	type FieldError,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	invalid,
} from "../machinery/errors.ts";
import { type FieldSelector, parseFieldSelector, requireSupportedFields } from "../machinery/fieldselectors.ts";
import { parseLabelSelector, type Selector } from "../machinery/selectors.ts";
import type { FieldValidation } from "../scheme/codec/codec.ts";
import type { ResourceInfo } from "../scheme/resources.ts";

export type ResourceVersionMatch = "Exact" | "NotOlderThan" | "";

export interface ListOptions {
	readonly labels: Selector;
	readonly fields: FieldSelector;
	readonly watch: boolean;
	readonly allowWatchBookmarks: boolean;
	/** "" when unset. */
	readonly resourceVersion: string;
	readonly resourceVersionMatch: ResourceVersionMatch;
	readonly timeoutSeconds: number | undefined;
	/** 0: none. */
	readonly limit: number;
	readonly continueToken: string;
	readonly sendInitialEvents: boolean | undefined;
}

const boolTexts: Readonly<Record<string, boolean>> = { "0": false, false: false, "": true };

/** Query booleans: anything but "0" and "false" counts as true (runtime.Convert_Slice_string_To_bool). */
function readBool(query: URLSearchParams, name: string): boolean {
	const value = query.get(name);
	return value === null ? false : (boolTexts[value.toLowerCase()] ?? true);
}

function readInt(query: URLSearchParams, name: string): number | undefined {
	const text = query.get(name);
	if (text === null || text === "") return undefined;
	if (!/^[+-]?\d{1,18}$/.test(text)) {
		throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
	}
	return Number(text);
}

const listInvalid = (errors: readonly FieldError[]) => invalid("meta.k8s.io", "ListOptions", "", errors);

function checkMatch(options: ListOptions): void {
	const { resourceVersionMatch: match, resourceVersion, watch, sendInitialEvents, continueToken } = options;
	if (match !== "" && match !== "Exact" && match !== "NotOlderThan") {
		throw listInvalid([fieldNotSupported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""])]);
	}
	if (watch) {
		if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
			throw listInvalid([
				fieldForbidden(
					"resourceVersionMatch",
					"sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
				),
			]);
		}
		if (sendInitialEvents === undefined && match !== "") {
			throw listInvalid([
				fieldForbidden(
					"resourceVersionMatch",
					"resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
				),
			]);
		}
		return;
	}
	if (sendInitialEvents !== undefined) {
		throw listInvalid([fieldForbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")]);
	}
	if (match === "") return;
	if (resourceVersion === "") {
		throw listInvalid([
			fieldForbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
		]);
	}
	if (continueToken !== "") {
		throw listInvalid([
			fieldForbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"),
		]);
	}
	if (match === "Exact" && resourceVersion === "0") {
		throw listInvalid([
			fieldForbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
		]);
	}
}

/** Throws ApiError 400 or 422. */
export function readListOptions(query: URLSearchParams, resource: ResourceInfo, watch: boolean): ListOptions {
	const fields = parseFieldSelector(query.get("fieldSelector") ?? undefined);
	const supported = new Set([
		"metadata.name",
		...(resource.namespaced ? ["metadata.namespace"] : []),
		...resource.selectableFields,
	]);
	requireSupportedFields(fields, resource.kind, supported);
	const limit = readInt(query, "limit") ?? 0;
	const options: ListOptions = {
		labels: parseLabelSelector(query.get("labelSelector") ?? undefined),
		fields,
		watch,
		allowWatchBookmarks: readBool(query, "allowWatchBookmarks"),
		resourceVersion: query.get("resourceVersion") ?? "",
		resourceVersionMatch: (query.get("resourceVersionMatch") ?? "") as ResourceVersionMatch,
		timeoutSeconds: readInt(query, "timeoutSeconds"),
		limit: Math.max(0, limit),
		continueToken: query.get("continue") ?? "",
		sendInitialEvents: query.has("sendInitialEvents") ? readBool(query, "sendInitialEvents") : undefined,
	};
	checkMatch(options);
	return options;
}

/** A request's resourceVersion as a number; "" and "0" are 0. Throws ApiError. */
export function parseResourceVersion(text: string, resource: ResourceInfo, name = ""): number {
	if (text === "" || text === "0") return 0;
	const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
	if (value === undefined || value > 0xffff_ffff_ffff_ffffn) {
		const why = value === undefined ? "invalid syntax" : "value out of range";
		throw invalid(resource.group, resource.resource, name, [
			fieldInvalid("resourceVersion", text, `strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`),
		]);
	}
	return Number(value);
}

export interface WriteOptions {
	readonly dryRun: boolean;
	readonly fieldValidation: FieldValidation;
	readonly fieldManager: string;
}

const validations = ["Ignore", "Warn", "Strict"];
const maxFieldManager = 128;

/** dryRun, fieldValidation and fieldManager of a write. Throws ApiError 422. */
export function readWriteOptions(
	query: URLSearchParams,
	kind: "CreateOptions" | "UpdateOptions" | "PatchOptions",
): WriteOptions {
	const errors: FieldError[] = [];
	const dryRun = query.getAll("dryRun");
	for (const value of dryRun) if (value !== "All") errors.push(fieldNotSupported("dryRun", value, ["All"]));
	const validation = query.get("fieldValidation") ?? "";
	if (validation !== "" && !validations.includes(validation)) {
		errors.push(fieldNotSupported("fieldValidation", validation, validations));
	}
	const fieldManager = query.get("fieldManager") ?? "";
	if (fieldManager.length > maxFieldManager) {
		errors.push({
			type: "FieldValueTooLong",
			field: "fieldManager",
			message: `Too long: may not be more than ${maxFieldManager} bytes`,
		});
	}
	if (kind === "PatchOptions" && query.get("force") !== null) {
		errors.push(fieldForbidden("force", "may not be specified for non-apply patch"));
	}
	if (errors.length > 0) throw invalid("meta.k8s.io", kind, "", errors);
	return {
		dryRun: dryRun.length > 0,
		fieldValidation: validation === "" ? "Warn" : (validation as FieldValidation),
		fieldManager,
	};
}

/** A revision newer than what this replica can reach in time. */
export const tooLargeResourceVersion = (wanted: number, current: number) =>
	new ApiError(504, "Timeout", `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
		retryAfterSeconds: 1,
		causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
	});
