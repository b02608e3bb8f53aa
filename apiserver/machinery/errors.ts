/**
 * API failures as `Status` objects (meta/v1): built here with upstream's codes, reasons and texts, thrown anywhere,
 * rendered once at the edge by http/.
 */
import { goQuote } from "./goquote.ts";
import type { Status, StatusCause } from "./meta-types.gen.ts";

export interface StatusDetailsInput {
	readonly group?: string | undefined;
	/** For errors about a resource upstream puts the plural resource name here; for invalid objects, the kind. */
	readonly kind?: string | undefined;
	readonly name?: string | undefined;
	readonly uid?: string | undefined;
	readonly causes?: readonly StatusCause[] | undefined;
	readonly retryAfterSeconds?: number | undefined;
}

export class ApiError extends Error {
	readonly code: number;
	readonly reason: string;
	readonly details: StatusDetailsInput | undefined;

	constructor(code: number, reason: string, message: string, details?: StatusDetailsInput) {
		super(message);
		this.name = "ApiError";
		this.code = code;
		this.reason = reason;
		this.details = details;
	}

	toStatus(): Status & { apiVersion: string; kind: string } {
		const details = this.details;
		return {
			kind: "Status",
			apiVersion: "v1",
			metadata: {},
			status: "Failure",
			message: this.message,
			...(this.reason === "" ? {} : { reason: this.reason }),
			...(details === undefined
				? {}
				: {
						details: {
							...(details.name ? { name: details.name } : {}),
							...(details.group ? { group: details.group } : {}),
							...(details.kind ? { kind: details.kind } : {}),
							...(details.uid ? { uid: details.uid } : {}),
							...(details.causes && details.causes.length > 0 ? { causes: [...details.causes] } : {}),
							...(details.retryAfterSeconds ? { retryAfterSeconds: details.retryAfterSeconds } : {}),
						},
					}),
			code: this.code,
		};
	}
}

/** A resource as error texts name it: `deployments.apps`, `pods`. */
export interface ResourceName {
	readonly group: string;
	readonly resource: string;
}

const qualified = (r: ResourceName) => (r.group === "" ? r.resource : `${r.resource}.${r.group}`);
const about = (r: ResourceName, name?: string): StatusDetailsInput => ({ group: r.group, kind: r.resource, name });

export const notFound = (r: ResourceName, name: string) =>
	new ApiError(404, "NotFound", `${qualified(r)} "${name}" not found`, about(r, name));

export const alreadyExists = (r: ResourceName, name: string) =>
	new ApiError(409, "AlreadyExists", `${qualified(r)} "${name}" already exists`, about(r, name));

/** `name` was chosen for an object with generateName, by whomever. */
export const generateNameConflict = (r: ResourceName, name: string) =>
	new ApiError(
		409,
		"AlreadyExists",
		`${qualified(r)} "${name}" already exists, the server was not able to generate a unique name for the object`,
		{ ...about(r, name), retryAfterSeconds: 1 },
	);

export const conflict = (r: ResourceName, name: string, why: string) =>
	new ApiError(409, "Conflict", `Operation cannot be fulfilled on ${qualified(r)} "${name}": ${why}`, about(r, name));

export const modifiedConflict = (r: ResourceName, name: string) =>
	conflict(r, name, "the object has been modified; please apply your changes to the latest version and try again");

export const forbidden = (r: ResourceName, name: string, why: string) =>
	new ApiError(
		403,
		"Forbidden",
		name === "" ? `${qualified(r)} is forbidden: ${why}` : `${qualified(r)} "${name}" is forbidden: ${why}`,
		about(r, name),
	);

export const unauthorized = () => new ApiError(401, "Unauthorized", "Unauthorized");
export const badRequest = (message: string) => new ApiError(400, "BadRequest", message);
export const expired = (message: string) => new ApiError(410, "Expired", message);
export const methodNotAllowed = (message = "the server does not allow this method on the requested resource") =>
	new ApiError(405, "MethodNotAllowed", message);
/** None of the media types asked for is known. */
export const unknownRepresentation = (available: readonly string[]) =>
	new ApiError(406, "NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${available.join(", ")}`, {});
/** A media type is known, but not with these parameters. */
export const notAcceptable = (accepted: readonly string[]) =>
	new ApiError(406, "NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`);
export const unsupportedMediaType = (supported: readonly string[]) =>
	new ApiError(
		415,
		"UnsupportedMediaType",
		`the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}`,
	);
export const tooLarge = (message: string) => new ApiError(413, "RequestEntityTooLarge", message);
export const tooManyRequests = (message: string, retryAfterSeconds: number) =>
	new ApiError(429, "TooManyRequests", message, { retryAfterSeconds });
export const internalError = (message: string) =>
	new ApiError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });
export const serviceUnavailable = (message: string) => new ApiError(503, "ServiceUnavailable", message);
export const serverTimeout = (r: ResourceName, verb: string, retryAfterSeconds: number) =>
	new ApiError(
		500,
		"ServerTimeout",
		`The ${verb} operation against ${qualified(r)} could not be completed at this time, please try again.`,
		{ ...about(r, verb), retryAfterSeconds },
	);

/** One field's failure (apimachinery field.Error): rendered as `path: Invalid value: "x": why`. */
export interface FieldError {
	readonly type:
		| "FieldValueRequired"
		| "FieldValueInvalid"
		| "FieldValueNotSupported"
		| "FieldValueDuplicate"
		| "FieldValueForbidden"
		| "FieldValueNotFound"
		| "FieldValueTooLong"
		| "FieldValueTooMany"
		| "FieldValueTypeInvalid"
		| "InternalError";
	/** `spec.containers[0].name`. */
	readonly field: string;
	/** The whole text after `field: `, e.g. `Required value: must be set`. */
	readonly message: string;
}

const shown = (value: unknown) => (typeof value === "string" ? goQuote(value) : (JSON.stringify(value) ?? "null"));

export const fieldRequired = (field: string, why = ""): FieldError => ({
	type: "FieldValueRequired",
	field,
	message: why === "" ? "Required value" : `Required value: ${why}`,
});
export const fieldInvalid = (field: string, value: unknown, why: string): FieldError => ({
	type: "FieldValueInvalid",
	field,
	message: why === "" ? `Invalid value: ${shown(value)}` : `Invalid value: ${shown(value)}: ${why}`,
});
export const fieldNotSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
	type: "FieldValueNotSupported",
	field,
	message: `Unsupported value: ${shown(value)}: supported values: ${supported.map((s) => JSON.stringify(s)).join(", ")}`,
});
export const fieldDuplicate = (field: string, value: unknown): FieldError => ({
	type: "FieldValueDuplicate",
	field,
	message: `Duplicate value: ${shown(value)}`,
});
export const fieldForbidden = (field: string, why: string): FieldError => ({
	type: "FieldValueForbidden",
	field,
	message: `Forbidden: ${why}`,
});
export const fieldTooLong = (field: string, maxLength: number): FieldError => ({
	type: "FieldValueTooLong",
	field,
	message: `Too long: may not be more than ${maxLength} bytes`,
});

/** 422: the object's fields do not hold; `kind` with its group. */
export function invalid(group: string, kind: string, name: string, errors: readonly FieldError[]): ApiError {
	const texts = errors.map((e) => `${e.field}: ${e.message}`);
	const list = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
	const subject = group === "" ? kind : `${kind}.${group}`;
	return new ApiError(422, "Invalid", `${subject} "${name}" is invalid: ${list}`, {
		group,
		kind,
		name,
		causes: errors.map((e) => ({ reason: e.type, message: e.message, field: e.field })),
	});
}
