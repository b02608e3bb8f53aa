/** Query parameters as upstream converts them to option fields: the first value counts, and what cannot be read is refused. */
import { badRequest } from "../machinery/errors.ts";
import { parseTime, timeLayout } from "../scheme/codec/primitives.ts";

/** Anything but "0" and "false" is true, a parameter without a value too; undefined: not given. */
export function boolParameter(query: URLSearchParams, name: string): boolean | undefined {
	const text = query.get(name);
	return text === null ? undefined : text !== "0" && text.toLowerCase() !== "false";
}

const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };

/** Decimal digits with a sign or none, within int64 (strconv.ParseInt); cut to what is a safe integer. Throws ApiError 400. */
export function intParameter(query: URLSearchParams, name: string): number | undefined {
	const text = query.get(name);
	if (text === null) return undefined;
	const refuse = (why: string) => badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`);
	if (!/^[+-]?\d+$/.test(text)) throw refuse("invalid syntax");
	// Longer texts are out of range but for leading zeros, which nobody sends so many of.
	const value = text.length > 40 ? int64.most + 1n : BigInt(text.replace(/^\+/, ""));
	if (value < int64.least || value > int64.most) throw refuse("value out of range");
	// Nobody means more than a JavaScript number can tell apart.
	return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value)));
}

/** RFC 3339; undefined also for an empty text. Throws ApiError 400. */
export function timeParameter(query: URLSearchParams, name: string): string | undefined {
	const text = query.get(name) ?? "";
	if (text === "") return undefined;
	try {
		parseTime(text, timeLayout);
	} catch (error) {
		throw badRequest((error as Error).message);
	}
	return text;
}
