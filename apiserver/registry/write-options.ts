/** Options of the verbs that write, from query parameters or a body, with upstream's checks and texts. */

import { append } from "../../kit/lists.ts";
import { boolParameter, intParameter } from "../http/parameters.ts";
import { header } from "../http/types.ts";
import {
	type FieldError,
	fieldForbidden,
	fieldInvalid,
	fieldNotSupported,
	fieldTooLong,
	invalid,
} from "../machinery/errors.ts";
import { isPrintable } from "../machinery/goquote.ts";
import { decodeOptions, type FieldValidation, maxBodyBytes } from "../scheme/codec/codec.ts";
import type { DeleteOptions } from "../scheme/types.gen.ts";
import type { Scope } from "./context.ts";

export interface WriteOptions {
	readonly dryRun: boolean;
	readonly fieldValidation: FieldValidation;
	readonly fieldManager: string;
}

const optionsGroup = "meta.k8s.io";
const validations = ["", "Ignore", "Strict", "Warn"];
/** Bytes. */
const maxFieldManager = 128;

/** The whole list is named once, however many of its values are unknown. */
const dryRunErrors = (values: readonly string[]): FieldError[] =>
	values.every((value) => value === "All") ? [] : [fieldNotSupported("dryRun", values, ["All"])];

function fieldManagerErrors(value: string): FieldError[] {
	const errors: FieldError[] = [];
	if (Buffer.byteLength(value) > maxFieldManager) errors.push(fieldTooLong("fieldManager", maxFieldManager));
	let position = 0;
	for (const char of value) {
		if (!isPrintable(char)) {
			const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
			errors.push(fieldInvalid("fieldManager", value, `invalid character U+${code} (at position ${position})`));
		}
		position += Buffer.byteLength(char);
	}
	return errors;
}

/** dryRun, fieldValidation and fieldManager of a write. Throws ApiError 422. */
export function readWriteOptions(
	query: URLSearchParams,
	kind: "CreateOptions" | "UpdateOptions" | "PatchOptions",
): WriteOptions {
	const dryRun = query.getAll("dryRun");
	const fieldValidation = query.get("fieldValidation") ?? "";
	const fieldManager = query.get("fieldManager") ?? "";
	const errors: FieldError[] = [];
	if (kind === "PatchOptions" && boolParameter(query, "force") !== undefined) {
		errors.push(fieldForbidden("force", "may not be specified for non-apply patch"));
	}
	append(errors, fieldManagerErrors(fieldManager));
	append(errors, dryRunErrors(dryRun));
	if (!validations.includes(fieldValidation)) {
		errors.push(fieldNotSupported("fieldValidation", fieldValidation, validations));
	}
	if (errors.length > 0) throw invalid(optionsGroup, kind, "", errors);
	return {
		dryRun: dryRun.length > 0,
		fieldValidation: fieldValidation === "" ? "Warn" : (fieldValidation as FieldValidation),
		fieldManager,
	};
}

const policies = ["Foreground", "Background", "Orphan"];

/** Throws ApiError 422. */
export function checkDeleteOptions(options: DeleteOptions): void {
	const { propagationPolicy, orphanDependents, dryRun } = options;
	const errors: FieldError[] = [];
	if (propagationPolicy !== undefined && orphanDependents !== undefined) {
		const why = "orphanDependents and deletionPropagation cannot be both set";
		errors.push(fieldInvalid("propagationPolicy", propagationPolicy, why));
	}
	if (propagationPolicy !== undefined && !policies.includes(propagationPolicy)) {
		errors.push(fieldNotSupported("propagationPolicy", propagationPolicy, [...policies, "nil"]));
	}
	append(errors, dryRunErrors(dryRun ?? []));
	if (errors.length > 0) throw invalid(optionsGroup, "DeleteOptions", "", errors);
}

function optionsFromQuery(query: URLSearchParams): DeleteOptions {
	const options: DeleteOptions = {};
	const grace = intParameter(query, "gracePeriodSeconds");
	if (grace !== undefined) options.gracePeriodSeconds = grace;
	const orphan = boolParameter(query, "orphanDependents");
	if (orphan !== undefined) options.orphanDependents = orphan;
	const policy = query.get("propagationPolicy");
	if (policy !== null) options.propagationPolicy = policy;
	if (query.has("dryRun")) options.dryRun = query.getAll("dryRun");
	// Preconditions may stand in the query too; an empty one there is none.
	const uid = query.get("uid") ?? "";
	const resourceVersion = query.get("resourceVersion") ?? "";
	if (uid !== "" || resourceVersion !== "") {
		options.preconditions = {
			...(uid === "" ? {} : { uid }),
			...(resourceVersion === "" ? {} : { resourceVersion }),
		};
	}
	return options;
}

/** DeleteOptions of the body, or of the query where there is none. Throws ApiError. */
export async function readDeleteOptions(scope: Scope): Promise<DeleteOptions> {
	const { request } = scope;
	const body = await request.body(maxBodyBytes);
	const options =
		body.length > 0
			? (decodeOptions(body, header(request, "content-type"), "DeleteOptions") as unknown as DeleteOptions)
			: optionsFromQuery(request.query);
	checkDeleteOptions(options);
	return options;
}
