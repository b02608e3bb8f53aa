/** What the three kinds of patch share. */
import { ApiError, badRequest } from "../errors.ts";
import { isDeeperThan } from "../meta.ts";

export type JsonObject = Record<string, unknown>;

/** Deeper documents are refused: handling them recursively must not exhaust the stack. */
export const maxDepth = 1000;

export const isObject = (value: unknown): value is JsonObject =>
	typeof value === "object" && value !== null && !Array.isArray(value);

/** 422 without particulars, as upstream answers a patch that does not apply. */
export const unprocessable = () =>
	new ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {});

const goType = (value: unknown): string => {
	if (Array.isArray(value)) return "array";
	if (value === null) return "null";
	return typeof value === "boolean" ? "bool" : typeof value;
};

/** The text of Go's JSON decoder for a value of the wrong shape. */
export const cannotUnmarshal = (value: unknown, type: string): string =>
	`json: cannot unmarshal ${goType(value)} into Go value of type ${type}`;

/** Throws 400 where `value` nests too deep. */
export function requireShallow(value: unknown): void {
	if (isDeeperThan(value, maxDepth)) throw badRequest(`the patch or its result nests deeper than ${maxDepth} levels`);
}
