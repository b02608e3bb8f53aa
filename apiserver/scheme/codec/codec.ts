/** Bodies to objects and objects to bodies, in the three media types the API speaks. */
import { ApiError, badRequest, tooLarge, unsupportedMediaType } from "../../machinery/errors.ts";
import { messageOfKind, messageOfObject } from "../kinds.ts";
import type { KubeObject } from "../object.ts";
import { apiVersionOf, parseApiVersion } from "../resources.ts";
import type { Message } from "../schema.ts";
import { describePosition, JsonSyntaxError, maxJsonDepth, parseJsonText, visitKeys } from "./json-text.ts";
import { maxStrictErrors, normalizeObject } from "./normalize.ts";
import { jsonTypeName } from "./primitives.ts";
import { decodeEnvelope, decodeMessage } from "./protobuf/decode.ts";
import { encodeEnvelope } from "./protobuf/encode.ts";
import { ProtobufError } from "./protobuf/wire.ts";
import { parseYamlAside } from "./yaml-aside.ts";
import { type ParsedYaml, parseYamlText, writeYaml, YamlError } from "./yaml-text.ts";

export const mediaJson = "application/json";
export const mediaYaml = "application/yaml";
export const mediaProtobuf = "application/vnd.kubernetes.protobuf";

/** What request bodies may be, and what 415 lists. */
export const acceptedMediaTypes: readonly string[] = [mediaJson, mediaYaml, mediaProtobuf];

/** Upstream's limit on a request body. */
export const maxBodyBytes = 3 * 1024 * 1024;

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface KindName {
	readonly group: string;
	readonly version: string;
	readonly kind: string;
}

export interface DecodeOptions {
	readonly fieldValidation: FieldValidation;
	/** The kind a body without one is taken as; a body of another kind is refused. */
	readonly defaultKind?: KindName | undefined;
	/** Bytes; by default maxBodyBytes. */
	readonly limit?: number | undefined;
	/** The body is a verb's options: its kind may be of any group, and failures are told in the decoder's own words. */
	readonly bare?: boolean | undefined;
}

export interface Decoded {
	readonly object: KubeObject;
	/** Unknown and repeated fields under Warn, one text each. */
	readonly warnings: string[];
}

type Json = Record<string, unknown>;

/** A field that breaks strict decoding, with its place where there is one. */
interface StrictError {
	readonly text: string;
	readonly offset: number;
}

/** A value that does not fit its field, in upstream's words (`json: cannot unmarshal …`). */
export class DecodingError extends Error {
	override readonly name = "DecodingError";
}

interface Parsed {
	readonly value: Json;
	/** What strict decoding objects to, given the paths of unknown fields. */
	strictErrors(unknown: readonly string[]): string[];
}

function summarize(body: Buffer): string {
	if (body.length === 0) return "<empty>";
	const limit = 30;
	const form = body[0] === 0x7b ? "utf8" : "hex";
	return body.length > limit ? `${body.toString(form, 0, limit)} ...` : body.toString(form);
}

/** Upstream's words for a body whose kind cannot be told. */
const unrecognized = (options: DecodeOptions, body: Buffer, why: string) =>
	badRequest(
		options.bare
			? why
			: `the object provided is unrecognized (must be of type ${options.defaultKind?.kind ?? "Object"}): ${why} (${summarize(body)})`,
	);

const cannotHandle = (given: KindName, options: DecodeOptions, why: string) =>
	badRequest(
		options.bare
			? why
			: `${given.kind} in version ${JSON.stringify(given.version)} cannot be handled as a ${options.defaultKind?.kind ?? given.kind}: ${why}`,
	);

const typeMetaStruct =
	'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

function requireObject(value: unknown): Json {
	if (value === null) return {};
	if (typeof value === "object" && !Array.isArray(value)) return value as Json;
	throw new Error(
		`couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonTypeName(value)} into Go value of type ${typeMetaStruct}`,
	);
}

function parseJson(body: Buffer): Parsed {
	const text = body.toString("utf8");
	let parsed: ReturnType<typeof parseJsonText>;
	try {
		parsed = parseJsonText(text);
	} catch (error) {
		if (!(error instanceof JsonSyntaxError)) throw error;
		const where = text === "" ? "" : ` at ${describePosition(text, error.offset)}`;
		throw new Error(`couldn't get version/kind; json parse error: ${error.message}${where}`, { cause: error });
	}
	return {
		value: requireObject(parsed.value),
		strictErrors: (unknown) => (unknown.length === 0 && !parsed.hasDuplicates ? [] : locateStrictErrors(text, unknown)),
	};
}

/** Unknown and repeated fields in the order of the text. */
function locateStrictErrors(text: string, unknownPaths: readonly string[]): string[] {
	const unknown = new Set(unknownPaths);
	const located = new Map<string, StrictError>();
	visitKeys(text, {
		key(path, offset, repeated) {
			if (unknown.has(path)) {
				const error = `unknown field ${JSON.stringify(path)}`;
				if (!located.has(error)) located.set(error, { text: error, offset });
			} else if (repeated) {
				const error = `duplicate field ${JSON.stringify(path)}`;
				if (!located.has(error) && !insideUnknown(path, unknown)) located.set(error, { text: error, offset });
			}
		},
	});
	return [...located.values()]
		.sort((a, b) => a.offset - b.offset)
		.slice(0, maxStrictErrors)
		.map((e) => e.text);
}

function insideUnknown(path: string, unknown: ReadonlySet<string>): boolean {
	for (const name of unknown) if (path.startsWith(name) && /^[.[]/.test(path.slice(name.length))) return true;
	return false;
}

const parseYaml = (body: Buffer): Parsed => fromYaml(parseYamlText(body.toString("utf8")));

function fromYaml({ value, duplicates }: ParsedYaml): Parsed {
	return {
		value: requireObject(value),
		strictErrors: (unknown) => [
			...(duplicates.length === 0 ? [] : [`yaml: unmarshal errors:\n  ${duplicates.join("\n  ")}`]),
			...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
		],
	};
}

/** The kind a body names, completed from the expected one; throws ApiError where there is none. */
function kindOf(value: Json, options: DecodeOptions, body: Buffer): KindName {
	for (const name of ["apiVersion", "kind"]) {
		const given = value[name];
		if (given !== undefined && given !== null && typeof given !== "string") {
			throw unrecognized(
				options,
				body,
				`couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonTypeName(given)} into Go struct field .${name} of type string`,
			);
		}
	}
	const expected = options.defaultKind;
	const apiVersion = (value["apiVersion"] as string | undefined | null) || undefined;
	const kind = (value["kind"] as string | undefined | null) || expected?.kind;
	if (apiVersion === undefined && expected !== undefined) return { ...expected, kind: kind ?? expected.kind };
	if (kind === undefined) throw unrecognized(options, body, "Object 'Kind' is missing in the body");
	if (apiVersion === undefined) throw unrecognized(options, body, "Object 'apiVersion' is missing in the body");
	const gv = parseApiVersion(apiVersion);
	if (gv === undefined) throw unrecognized(options, body, `unexpected GroupVersion string: ${apiVersion}`);
	return { ...gv, kind };
}

const internalPackage: Readonly<Record<string, string>> = {
	"": "core",
	"rbac.authorization.k8s.io": "rbac",
	"discovery.k8s.io": "discovery",
	"coordination.k8s.io": "coordination",
	"events.k8s.io": "core",
	"authentication.k8s.io": "authentication",
	"authorization.k8s.io": "authorization",
};

function optionsMessage(given: KindName, expected: KindName): Message {
	const message = given.kind === expected.kind ? messageOfKind(expected, expected.kind) : undefined;
	if (message !== undefined) return message;
	throw badRequest(
		`no kind ${JSON.stringify(given.kind)} is registered for version ${JSON.stringify(apiVersionOf(given))} in scheme "pkg/runtime/scheme.go:111"`,
	);
}

function messageFor(given: KindName, options: DecodeOptions): Message {
	if (options.bare && options.defaultKind !== undefined) return optionsMessage(given, options.defaultKind);
	const message = messageOfKind(given, given.kind);
	if (message === undefined) {
		throw cannotHandle(
			given,
			options,
			`no kind ${JSON.stringify(given.kind)} is registered for version ${JSON.stringify(apiVersionOf(given))} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
		);
	}
	const expected = options.defaultKind;
	if (expected === undefined) return message;
	const expectedMessage = messageOfKind(expected, expected.kind);
	if (expectedMessage !== undefined && expectedMessage.name === message.name) {
		// The same message (DeleteOptions) may be named by any group's version; others by their own only.
		return message;
	}
	if (given.kind === expected.kind && given.group === expected.group) {
		throw badRequest(
			`the API version in the data (${apiVersionOf(given)}) does not match the expected API version (${apiVersionOf(expected)})`,
		);
	}
	const target = `${internalPackage[expected.group] ?? expected.group}.${expected.kind}`;
	throw cannotHandle(given, options, `converting (v1.${given.kind}) to (${target}): unknown conversion`);
}

/** Checks and completes what was parsed, and settles the strict errors. */
function finish(message: Message, given: KindName, parsed: Parsed, options: DecodeOptions): Decoded {
	const { value } = parsed;
	const { unknown, typeError } = normalizeObject(message, value);
	if (typeError !== undefined) throw cannotHandle(given, options, typeError);
	const object = { ...value, kind: given.kind, apiVersion: apiVersionOf(given) } as KubeObject;
	if (options.fieldValidation === "Ignore") return { object, warnings: [] };
	const strict = parsed.strictErrors(unknown);
	if (strict.length === 0) return { object, warnings: [] };
	if (options.fieldValidation === "Warn") return { object, warnings: strict };
	throw cannotHandle(given, options, `strict decoding error: ${strict.join(", ")}`);
}

function decodeText(body: Buffer, options: DecodeOptions, parse: (body: Buffer) => Parsed): Decoded {
	let parsed: Parsed;
	try {
		parsed = parse(body);
	} catch (error) {
		if (error instanceof ApiError) throw error;
		if (error instanceof YamlError || (error as Error).message.startsWith("couldn't get")) {
			throw unrecognized(options, body, (error as Error).message);
		}
		throw error;
	}
	const given = kindOf(parsed.value, options, body);
	return finish(messageFor(given, options), given, parsed, options);
}

function decodeProtobuf(body: Buffer, options: DecodeOptions): Decoded {
	let given: KindName | undefined;
	try {
		const envelope = decodeEnvelope(body);
		given = kindOf({ apiVersion: envelope.apiVersion, kind: envelope.kind }, options, body);
		if (envelope.contentType !== "" && envelope.contentType !== mediaProtobuf) {
			return decodeObject(envelope.raw, envelope.contentType, options);
		}
		const message = messageFor(given, options);
		const value = decodeMessage(message, envelope.raw);
		return finish(message, given, { value, strictErrors: () => [] }, options);
	} catch (error) {
		if (!(error instanceof ProtobufError)) throw error;
		throw given === undefined
			? unrecognized(options, body, error.message)
			: cannotHandle(given, options, error.message);
	}
}

/** The media type without its parameters, lower case; JSON where the header is absent. */
export function mediaTypeOf(contentType: string | undefined): string {
	if (contentType === undefined || contentType.trim() === "") return mediaJson;
	return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

/**
 * Decodes one object. The result is normalized (see normalize.ts) and carries kind and apiVersion. Throws ApiError: 400
 * with upstream's words, 413 beyond the limit, 415 for other media types.
 */
export function decodeObject(body: Buffer, contentType: string | undefined, options: DecodeOptions): Decoded {
	const limit = options.limit ?? maxBodyBytes;
	if (body.length > limit) throw tooLarge(`Request entity too large: limit is ${limit}`);
	switch (mediaTypeOf(contentType)) {
		case mediaJson:
			return decodeText(body, options, parseJson);
		case mediaYaml:
			return decodeText(body, options, parseYaml);
		case mediaProtobuf:
			return decodeProtobuf(body, options);
		default:
			throw unsupportedMediaType(acceptedMediaTypes);
	}
}

/** As decodeObject, for bodies of any length: long YAML is read aside. Rejects with 429 where too much of it waits. */
export async function decodeBodyObject(
	body: Buffer,
	contentType: string | undefined,
	options: DecodeOptions,
): Promise<Decoded> {
	if (mediaTypeOf(contentType) !== mediaYaml || body.length > (options.limit ?? maxBodyBytes)) {
		return decodeObject(body, contentType, options);
	}
	try {
		const parsed = await parseYamlAside(body.toString("utf8"));
		return decodeText(body, options, () => fromYaml(parsed));
	} catch (error) {
		if (!(error instanceof YamlError)) throw error;
		throw unrecognized(options, body, error.message);
	}
}

/** Options are short; those in YAML, which is slow to read, must be. */
const maxYamlOptionsBytes = 16 << 10;

/** The options of a verb that came as its body; throws as decodeObject does. */
export const decodeOptions = (body: Buffer, contentType: string | undefined, kind: string): KubeObject =>
	decodeObject(body, mediaTypeOf(contentType), {
		fieldValidation: "Ignore",
		limit: mediaTypeOf(contentType) === mediaYaml ? maxYamlOptionsBytes : maxBodyBytes,
		defaultKind: { group: "meta.k8s.io", version: "v1", kind },
		bare: true,
	}).object;

function depthOf(value: unknown, limit: number): number {
	if (typeof value !== "object" || value === null) return 0;
	if (limit === 0) return 1;
	let deepest = 0;
	for (const item of Object.values(value)) deepest = Math.max(deepest, depthOf(item, limit - 1));
	return deepest + 1;
}

/**
 * Brings an object made in memory (a patch's result) to the normalized form, as decodeObject does for bodies; changes it
 * in place. `strictErrors` are the unknown fields' texts, for the caller to refuse, warn of or ignore. Throws DecodingError
 * for a value of a wrong type.
 */
export function normalize(object: Json, kind: KindName): { object: KubeObject; strictErrors: string[] } {
	const options: DecodeOptions = { fieldValidation: "Ignore", defaultKind: kind };
	if (depthOf(object, maxJsonDepth + 1) > maxJsonDepth) throw badRequest("exceeded max depth");
	const message = messageFor(kind, options);
	const { unknown, typeError } = normalizeObject(message, object);
	if (typeError !== undefined) throw new DecodingError(typeError);
	const result = { ...object, kind: kind.kind, apiVersion: apiVersionOf(kind) } as KubeObject;
	return { object: result, strictErrors: unknown.map((path) => `unknown field ${JSON.stringify(path)}`) };
}

/**
 * An object or list as a response body. JSON ends with a line break, as upstream's does. Throws for protobuf where the
 * kind has no message (tables), which negotiation must have excluded.
 */
export function encodeObject(object: object, mediaType: string, options: { readonly pretty?: boolean } = {}): Buffer {
	switch (mediaType) {
		case mediaJson:
			return Buffer.from(`${options.pretty ? JSON.stringify(object, undefined, 2) : JSON.stringify(object)}\n`);
		case mediaYaml:
			return Buffer.from(writeYaml(object));
		case mediaProtobuf: {
			const { apiVersion, kind } = object as { apiVersion?: string; kind?: string };
			const message = messageOfObject({ apiVersion, kind });
			if (message === undefined) throw new Error(`no protobuf message for ${kind} in ${apiVersion}`);
			return encodeEnvelope(message, apiVersion ?? "", kind ?? "", object as Json);
		}
		default:
			throw new Error(`no encoder for ${mediaType}`);
	}
}

/** Whether encodeObject can write this kind as protobuf. */
export const hasProtobuf = (object: { apiVersion?: unknown; kind?: unknown }): boolean =>
	messageOfObject(object) !== undefined;
