/**
 * `/openapi/v2`: one Swagger document of all group versions, for clients from before v3 (kubectl until 1.28 explains and
 * validates with it). They ask for it in protobuf, by the message numbers of gnostic's OpenAPIv2.proto.
 */
import type { PathItem } from "./paths.ts";
import type { JsonSchema } from "./schemas.ts";

type Json = Record<string, unknown>;

export interface DocumentV3 {
	readonly info: { readonly title: string; readonly version: string };
	readonly paths: Readonly<Record<string, PathItem>>;
	readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

const v3Reference = "#/components/schemas/";
const v2Reference = "#/definitions/";
const methods = ["get", "put", "post", "delete", "options", "head", "patch"] as const;

/** A v3 schema in v2: references stand by themselves, and what may be one of two types is a string. */
function schemaV2(schema: JsonSchema): JsonSchema {
	const { allOf, oneOf, items, properties, additionalProperties, default: _, $ref, ...rest } = schema;
	const reference = ($ref ?? (allOf as JsonSchema[] | undefined)?.[0]?.["$ref"]) as string | undefined;
	const result: JsonSchema = { ...rest };
	if (reference !== undefined) result["$ref"] = reference.replace(v3Reference, v2Reference);
	if (oneOf !== undefined) result["type"] = "string";
	if (items !== undefined) result["items"] = schemaV2(items as JsonSchema);
	if (additionalProperties !== undefined) result["additionalProperties"] = schemaV2(additionalProperties as JsonSchema);
	if (properties !== undefined) {
		result["properties"] = Object.fromEntries(
			Object.entries(properties as Record<string, JsonSchema>).map(([name, property]) => [name, schemaV2(property)]),
		);
	}
	return result;
}

function parameterV2(parameter: Json): Json {
	const { schema, ...rest } = parameter;
	return { ...rest, ...(schema as Json) };
}

interface Content {
	readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>;
	readonly required?: boolean;
	readonly description?: string;
}

const schemaOf = (content: Content | undefined): JsonSchema | undefined => {
	const first = Object.values(content?.content ?? {})[0];
	return first === undefined ? undefined : schemaV2(first.schema);
};

function operationV2(operation: Json): Json {
	const { requestBody, responses, parameters, ...rest } = operation;
	const body = requestBody as Content | undefined;
	const codes = Object.entries(responses as Record<string, Content>);
	return {
		...rest,
		consumes: body === undefined ? ["*/*"] : Object.keys(body.content ?? {}),
		produces: [...new Set(codes.flatMap(([, response]) => Object.keys(response.content ?? {})))],
		parameters: [
			...(body === undefined
				? []
				: [{ name: "body", in: "body", ...(body.required ? { required: true } : {}), schema: schemaOf(body) }]),
			...((parameters as Json[] | undefined) ?? []).map(parameterV2),
		],
		responses: Object.fromEntries(
			codes.map(([code, response]) => {
				const schema = schemaOf(response);
				return [code, { description: response.description, ...(schema === undefined ? {} : { schema }) }];
			}),
		),
	};
}

function pathV2(item: PathItem): Json {
	const result: Json = {};
	for (const method of methods) {
		if (item[method] !== undefined) result[method] = operationV2(item[method] as Json);
	}
	result["parameters"] = ((item["parameters"] as Json[] | undefined) ?? []).map(parameterV2);
	return result;
}

const kindsKey = "x-kubernetes-group-version-kind";

/** Definitions of several documents as one; a kind that many group versions have lists them all. */
function mergeDefinitions(documents: readonly DocumentV3[]): Record<string, JsonSchema> {
	const merged: Record<string, JsonSchema> = {};
	for (const { components } of documents) {
		for (const [name, schema] of Object.entries(components.schemas)) {
			const known = merged[name];
			if (known === undefined) {
				merged[name] = schemaV2(schema);
				continue;
			}
			const kinds = [
				...((known[kindsKey] as Json[] | undefined) ?? []),
				...((schema[kindsKey] as Json[] | undefined) ?? []),
			];
			const distinct = [...new Map(kinds.map((kind) => [JSON.stringify(kind), kind])).values()];
			if (distinct.length > 0) known[kindsKey] = distinct;
		}
	}
	return merged;
}

/** The Swagger document of all of `documents`. */
export function documentV2(documents: readonly DocumentV3[]): Json {
	return {
		swagger: "2.0",
		info: documents[0]?.info ?? { title: "Kubernetes", version: "" },
		paths: Object.fromEntries(documents.flatMap((d) => Object.entries(d.paths).map(([p, item]) => [p, pathV2(item)]))),
		definitions: mergeDefinitions(documents),
	};
}

function varint(value: number): Buffer {
	const bytes: number[] = [];
	let rest = value;
	while (rest >= 0x80) {
		bytes.push((rest & 0x7f) | 0x80);
		rest >>>= 7;
	}
	bytes.push(rest);
	return Buffer.from(bytes);
}

const delimited = (field: number, bytes: Buffer): Buffer =>
	Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
const message = (field: number, parts: readonly Buffer[]): Buffer => delimited(field, Buffer.concat(parts));
const text = (field: number, value: unknown): Buffer =>
	typeof value === "string" && value !== "" ? delimited(field, Buffer.from(value)) : Buffer.alloc(0);
const texts = (field: number, values: unknown): Buffer =>
	Buffer.concat(((values as string[] | undefined) ?? []).map((value) => text(field, value)));
const flag = (field: number, value: unknown): Buffer =>
	value === true ? Buffer.concat([varint(field << 3), varint(1)]) : Buffer.alloc(0);

/** NamedAny for each `x-` key; Any holds YAML, of which JSON is a part. */
const extensions = (field: number, object: Json): Buffer =>
	Buffer.concat(
		Object.entries(object)
			.filter(([name]) => name.startsWith("x-"))
			.map(([name, value]) => message(field, [text(1, name), message(2, [text(2, JSON.stringify(value))])])),
	);

const named = (field: number, name: string, value: readonly Buffer[]): Buffer =>
	message(field, [text(1, name), message(2, value)]);

/** Schema. */
function schemaParts(schema: JsonSchema): Buffer[] {
	const { items, properties, additionalProperties, type } = schema;
	return [
		text(1, schema["$ref"]),
		text(2, schema["format"]),
		text(4, schema["description"]),
		texts(19, schema["required"]),
		...(additionalProperties === undefined
			? []
			: [message(21, [message(1, schemaParts(additionalProperties as JsonSchema))])]),
		...(type === undefined ? [] : [message(22, [text(1, type)])]),
		...(items === undefined ? [] : [message(23, [message(1, schemaParts(items as JsonSchema))])]),
		...(properties === undefined
			? []
			: [
					message(
						25,
						Object.entries(properties as Record<string, JsonSchema>).map(([name, property]) =>
							named(1, name, schemaParts(property)),
						),
					),
				]),
		extensions(31, schema),
	];
}

/** ParametersItem: a body, query or path parameter. */
function parameterPart(field: number, parameter: Json): Buffer {
	if (parameter["in"] === "body") {
		const body = message(1, [
			text(2, "body"),
			text(3, "body"),
			flag(4, parameter["required"]),
			message(5, schemaParts(parameter["schema"] as JsonSchema)),
		]);
		return message(field, [message(1, [body])]);
	}
	const head = [
		flag(1, parameter["required"]),
		text(2, parameter["in"]),
		text(3, parameter["description"]),
		text(4, parameter["name"]),
	];
	const isPath = parameter["in"] === "path";
	const sub = isPath
		? message(4, [...head, text(5, parameter["type"]), flag(19, parameter["uniqueItems"])])
		: message(3, [...head, text(6, parameter["type"]), flag(20, parameter["uniqueItems"])]);
	return message(field, [message(1, [message(2, [sub])])]);
}

function responsePart(code: string, response: Json): Buffer {
	const schema = response["schema"] as JsonSchema | undefined;
	return named(1, code, [
		message(1, [
			text(1, response["description"]),
			...(schema === undefined ? [] : [message(2, [message(1, schemaParts(schema))])]),
		]),
	]);
}

/** Operation. */
const operationParts = (operation: Json): Buffer[] => [
	texts(1, operation["tags"]),
	text(5, operation["operationId"]),
	texts(6, operation["produces"]),
	texts(7, operation["consumes"]),
	...((operation["parameters"] as Json[] | undefined) ?? []).map((parameter) => parameterPart(8, parameter)),
	message(
		9,
		Object.entries(operation["responses"] as Record<string, Json>).map(([code, response]) =>
			responsePart(code, response),
		),
	),
	extensions(13, operation),
];

/** PathItem. */
const pathParts = (item: Json): Buffer[] => [
	...methods.flatMap((method, i) =>
		item[method] === undefined ? [] : [message(i + 2, operationParts(item[method] as Json))],
	),
	...((item["parameters"] as Json[] | undefined) ?? []).map((parameter) => parameterPart(9, parameter)),
];

/** A document of `documentV2` as the message openapi.v2.Document. */
export function encodeDocumentV2(document: Json): Buffer {
	const info = document["info"] as { title: string; version: string };
	return Buffer.concat([
		text(1, document["swagger"]),
		message(2, [text(1, info.title), text(2, info.version)]),
		message(
			8,
			Object.entries(document["paths"] as Record<string, Json>).map(([path, item]) => named(2, path, pathParts(item))),
		),
		message(
			9,
			Object.entries(document["definitions"] as Record<string, JsonSchema>).map(([name, schema]) =>
				named(1, name, schemaParts(schema)),
			),
		),
	]);
}
