/** Options of reads, from query parameters, with upstream's checks and texts. */

import { boolParameter, intParameter } from "../http/parameters.ts";
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

const matchField = "resourceVersionMatch";
const matchForbidden = (why: string) => fieldForbidden(matchField, why);

function watchErrors({ resourceVersionMatch: match, sendInitialEvents, continueToken }: ListOptions): FieldError[] {
	const errors: FieldError[] = [];
	if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
		errors.push(matchForbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
	}
	if (match === "") return errors;
	if (sendInitialEvents === undefined) {
		errors.push(matchForbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
	}
	if (match !== "NotOlderThan") errors.push(fieldNotSupported(matchField, match, ["NotOlderThan"]));
	if (continueToken !== "") {
		errors.push(matchForbidden("resourceVersionMatch is forbidden when continue is provided"));
	}
	return errors;
}

function listErrors(options: ListOptions): FieldError[] {
	const { resourceVersionMatch: match, resourceVersion, sendInitialEvents, continueToken } = options;
	const errors: FieldError[] = [];
	if (match !== "") {
		if (resourceVersion === "") {
			errors.push(matchForbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
		}
		if (continueToken !== "") {
			errors.push(matchForbidden("resourceVersionMatch is forbidden when continue is provided"));
		}
		if (match !== "Exact" && match !== "NotOlderThan") {
			errors.push(fieldNotSupported(matchField, match, ["Exact", "NotOlderThan", ""]));
		}
		if (match === "Exact" && resourceVersion === "0") {
			errors.push(matchForbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
		}
	}
	if (sendInitialEvents !== undefined) {
		errors.push(fieldForbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
	}
	return errors;
}

function checkListOptions(options: ListOptions): void {
	const errors = options.watch ? watchErrors(options) : listErrors(options);
	if (errors.length > 0) throw invalid("meta.k8s.io", "ListOptions", "", errors);
}

/** Throws ApiError 400 or 422. */
export function readListOptions(query: URLSearchParams, resource: ResourceInfo, watch: boolean): ListOptions {
	// What is wrong in several ways is refused for the same one as upstream: numbers, selectors, combinations, fields.
	const timeoutSeconds = intParameter(query, "timeoutSeconds");
	const limit = Math.max(0, intParameter(query, "limit") ?? 0);
	const labels = parseLabelSelector(query.get("labelSelector") ?? undefined);
	const fields = parseFieldSelector(query.get("fieldSelector") ?? undefined);
	const options: ListOptions = {
		labels,
		fields,
		watch,
		allowWatchBookmarks: boolParameter(query, "allowWatchBookmarks") ?? false,
		resourceVersion: query.get("resourceVersion") ?? "",
		resourceVersionMatch: (query.get("resourceVersionMatch") ?? "") as ResourceVersionMatch,
		timeoutSeconds,
		limit,
		continueToken: query.get("continue") ?? "",
		sendInitialEvents: boolParameter(query, "sendInitialEvents"),
	};
	checkListOptions(options);
	const supported = new Set([
		"metadata.name",
		...(resource.namespaced ? ["metadata.namespace"] : []),
		...resource.selectableFields,
	]);
	requireSupportedFields(fields, resource.kind, supported);
	return options;
}

/** A resourceVersion that is none; each verb refuses it in upstream's way for that verb. */
export class ResourceVersionError extends Error {
	override readonly name = "ResourceVersionError";
}

/** A request's resourceVersion as a number; "" and "0" are 0. Throws ResourceVersionError. */
export function parseResourceVersion(text: string): number {
	if (text === "" || text === "0") return 0;
	const value = /^\d{1,40}$/.test(text) ? BigInt(text) : undefined;
	if (value !== undefined && value <= 0xffff_ffff_ffff_ffffn) return Number(value);
	const why = value === undefined ? "invalid syntax" : "value out of range";
	const { field, message } = fieldInvalid(
		"resourceVersion",
		text,
		`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`,
	);
	throw new ResourceVersionError(`${field}: ${message}`);
}

function parsedOr(text: string, refuse: (why: string) => ApiError): number {
	try {
		return parseResourceVersion(text);
	} catch (error) {
		if (error instanceof ResourceVersionError) throw refuse(error.message);
		throw error;
	}
}

/** For a list. Throws ApiError 400. */
export const listRevision = (text: string): number =>
	parsedOr(text, (why) => badRequest(`invalid resource version: ${why}`));

/** For a get or watch. Throws ApiError 500, as upstream, where nobody has given the failure a reason. */
export const readRevision = (text: string): number => parsedOr(text, (why) => new ApiError(500, "", why));

/** A revision newer than what this replica can reach in time. */
export const tooLargeResourceVersion = (wanted: number, current: number) =>
	new ApiError(504, "Timeout", `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
		retryAfterSeconds: 1,
		causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
	});
