/** The schema's scalar types in JSON: what each accepts, and its canonical form as upstream would write it back. */
import { formatMicroTime, formatTime } from "../../machinery/meta.ts";
import { canonicalQuantity } from "../../machinery/quantity.ts";
import type { Primitive } from "../schema.ts";

/** A value whose JSON type or range does not fit; the caller words it with the field's name. */
export class TypeMismatch extends Error {
	/** What was there, in Go's words: `string`, `number 1.5`. */
	readonly found: string;

	constructor(found: string) {
		super(found);
		this.name = "TypeMismatch";
		this.found = found;
	}
}

/** What encoding/json calls a value's type. */
export function jsonTypeName(value: unknown): string {
	if (typeof value === "boolean") return "bool";
	if (Array.isArray(value)) return "array";
	return typeof value;
}

const maxInt32 = 2 ** 31 - 1;
const minInt32 = -(2 ** 31);

function integer(value: unknown, min: number, max: number): number {
	if (typeof value !== "number") throw new TypeMismatch(jsonTypeName(value));
	if (!Number.isInteger(value) || value < min || value > max) throw new TypeMismatch(`number ${value}`);
	// -0 would be written as 0 anyway.
	return value === 0 ? 0 : value;
}

/** int64 up to 2^53: beyond it a JavaScript number would silently become another one. */
export const int64Value = (value: unknown): number => integer(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
export const int32Value = (value: unknown): number => integer(value, minInt32, maxInt32);

function text(value: unknown): string {
	if (typeof value !== "string") throw new TypeMismatch(jsonTypeName(value));
	return value;
}

const goValueError = (value: unknown, type: string) =>
	new Error(`json: cannot unmarshal ${jsonTypeName(value)} into Go value of type ${type}`);

const rfc3339 = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:[.,](\d{1,18}))?(Z|[+-]\d{2}:\d{2})$/;

/** The parts of an RFC 3339 text, by Go's names in a layout. */
const layoutParts: ReadonlyArray<readonly [name: string, pattern: RegExp]> = [
	["2006", /^\d{4}/],
	["-", /^-/],
	["01", /^\d{2}/],
	["-", /^-/],
	["02", /^\d{2}/],
	["T", /^T/],
	["15", /^\d{2}/],
	[":", /^:/],
	["04", /^\d{2}/],
	[":", /^:/],
	["05", /^\d{2}(?:[.,]\d{1,18})?/],
	["Z07:00", /^(?:Z|[+-]\d{2}:\d{2})/],
];

/** Which part of the text is not what the layout has there, in Go's words. */
function layoutError(value: string, layout: string): Error {
	let rest = value;
	for (const [name, pattern] of layoutParts) {
		const found = pattern.exec(rest)?.[0];
		if (found === undefined) {
			return new Error(
				`parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(name)}`,
			);
		}
		rest = rest.slice(found.length);
	}
	return new Error(`parsing time ${JSON.stringify(value)}: extra text: ${JSON.stringify(rest)}`);
}

/** Whole seconds since the epoch and microseconds of an RFC 3339 text; throws with Go's words. */
export function parseTime(value: string, layout: string): { seconds: number; micros: number } {
	const match = rfc3339.exec(value);
	if (match === null) throw layoutError(value, layout);
	const [, date = "", clock = "", fraction = "", zone = ""] = match;
	const ms = Date.parse(`${date}T${clock}${zone}`);
	if (Number.isNaN(ms)) throw new Error(`parsing time ${JSON.stringify(value)}: out of range`);
	return { seconds: Math.round(ms / 1000), micros: Number(fraction.padEnd(6, "0").slice(0, 6)) };
}

export const timeLayout = "2006-01-02T15:04:05Z07:00";
export const microTimeLayout = "2006-01-02T15:04:05.000000Z07:00";

function time(value: unknown): string {
	if (typeof value !== "string") throw goValueError(value, "string");
	return formatTime(parseTime(value, timeLayout).seconds * 1000);
}

function microTime(value: unknown): string {
	if (typeof value !== "string") throw goValueError(value, "string");
	const { seconds, micros } = parseTime(value, microTimeLayout);
	return formatMicroTime(seconds * 1000, micros);
}

const base64Alphabet = /[^A-Za-z0-9+/]/;

function bytes(value: unknown): string {
	const given = text(value);
	const compact = given.includes("\n") || given.includes("\r") ? given.replace(/[\r\n]/g, "") : given;
	const body = compact.replace(/={1,2}$/, "");
	const bad = body.search(base64Alphabet);
	if (bad >= 0) throw new Error(`illegal base64 data at input byte ${bad}`);
	if (compact.length % 4 !== 0 || body.length % 4 === 1) {
		throw new Error(`illegal base64 data at input byte ${compact.length - (compact.length % 4 || 4)}`);
	}
	return compact;
}

function intOrString(value: unknown): number | string {
	if (typeof value === "string") return value;
	try {
		return int32Value(value);
	} catch (error) {
		if (error instanceof TypeMismatch) {
			throw new Error(`json: cannot unmarshal ${error.found} into Go value of type int32`, { cause: error });
		}
		throw error;
	}
}

function object(value: unknown): unknown {
	if (typeof value !== "object" || Array.isArray(value)) throw new TypeMismatch(jsonTypeName(value));
	return value;
}

/** Checks a non-null value and gives its canonical form; throws TypeMismatch, or Error with upstream's own text. */
export const canonicalPrimitive: Readonly<Record<Primitive, (value: unknown) => unknown>> = {
	string: text,
	int32: int32Value,
	int64: int64Value,
	double: (value) => {
		if (typeof value !== "number" || !Number.isFinite(value)) throw new TypeMismatch(jsonTypeName(value));
		return value;
	},
	bool: (value) => {
		if (typeof value !== "boolean") throw new TypeMismatch(jsonTypeName(value));
		return value;
	},
	bytes,
	time,
	microtime: microTime,
	quantity: canonicalQuantity,
	intorstring: intOrString,
	raw: (value) => value,
	fieldsv1: object,
};

/** Go's name of a primitive's type. */
export const goPrimitive: Readonly<Record<Primitive, string>> = {
	string: "string",
	int32: "int32",
	int64: "int64",
	double: "float64",
	bool: "bool",
	bytes: "[]uint8",
	time: "v1.Time",
	microtime: "v1.MicroTime",
	quantity: "resource.Quantity",
	intorstring: "intstr.IntOrString",
	raw: "runtime.RawExtension",
	fieldsv1: "v1.FieldsV1",
};

/** The zero that Go writes for an unset field that is never omitted; undefined where it writes null. */
export const zeroOf: Readonly<Partial<Record<Primitive, unknown>>> = {
	string: "",
	int32: 0,
	int64: 0,
	double: 0,
	bool: false,
};
