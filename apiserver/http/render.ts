/** Whole answers: Status objects, objects, texts. */
import { ApiError } from "../machinery/errors.ts";
import { encodeObject, hasProtobuf, mediaJson, mediaProtobuf, mediaYaml } from "../scheme/codec/codec.ts";
import type { Representation } from "./negotiate.ts";
import type { ApiResponse } from "./types.ts";

export const jsonType = mediaJson;
export const textType = "text/plain; charset=utf-8";

/** Headers of every answer of the API. */
const common = { "cache-control": "no-cache, private" };

/** Warnings to the client, as RFC 9111 headers; long ones are cut, and only so many are sent. */
const maxWarnings = 32;
const maxWarningLength = 4096;

export function warningHeaders(warnings: readonly string[]): Record<string, readonly string[]> {
	if (warnings.length === 0) return {};
	const quoted = [...new Set(warnings)].slice(0, maxWarnings).map((text) => {
		const clean = [...text.slice(0, maxWarningLength)]
			.map((c) => ((c.codePointAt(0) ?? 0) < 0x20 || (c.codePointAt(0) ?? 0) > 0x7e ? " " : c))
			.join("");
		return `299 - "${clean.replace(/["\\]/g, "\\$&")}"`;
	});
	return { warning: quoted };
}

/** The media type a value is sent in: JSON where protobuf was asked for and the value has no message. */
export function mediaTypeFor(value: object, as: Pick<Representation, "format">): string {
	if (as.format === "yaml") return mediaYaml;
	return as.format === "protobuf" && hasProtobuf(value) ? mediaProtobuf : mediaJson;
}

export function sendBytes(
	response: ApiResponse,
	status: number,
	type: string,
	body: Buffer | string,
	headers: Readonly<Record<string, string | readonly string[]>> = {},
): void {
	const bytes = typeof body === "string" ? Buffer.from(body) : body;
	response.head(status, { ...common, ...headers, "content-type": type, "content-length": String(bytes.length) });
	response.end(bytes);
}

export function sendValue(
	response: ApiResponse,
	status: number,
	value: object,
	as: Pick<Representation, "format" | "pretty">,
	headers: Readonly<Record<string, string | readonly string[]>> = {},
): void {
	const type = mediaTypeFor(value, as);
	sendBytes(response, status, type, encodeObject(value, type, { pretty: as.pretty }), headers);
}

/** The generic answers of paths and methods nothing serves (NewGenericServerResponse). */
export const noSuchResource = () =>
	new ApiError(404, "NotFound", "the server could not find the requested resource", {});
export const noSuchMethod = () =>
	new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});

export function sendError(
	response: ApiResponse,
	error: ApiError,
	as: Pick<Representation, "format" | "pretty"> = { format: "json", pretty: false },
	headers: Readonly<Record<string, string | readonly string[]>> = {},
): void {
	const retry = error.details?.retryAfterSeconds;
	sendValue(response, error.code, error.toStatus(), as, {
		...headers,
		...(retry === undefined ? {} : { "retry-after": String(retry) }),
	});
}
