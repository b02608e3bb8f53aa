/** OpenAPI v3 schemas from the schema facts: types, required fields, list and patch extensions. */

import type { GroupVersion } from "../scheme/resources.ts";
import { type Field, type FieldType, findMessage, type Message, type Primitive } from "../scheme/schema.ts";

export type JsonSchema = Record<string, unknown>;

const prefixes: Readonly<Record<string, string>> = {
	core_v1: "io.k8s.api.core.v1",
	apps_v1: "io.k8s.api.apps.v1",
	batch_v1: "io.k8s.api.batch.v1",
	autoscaling_v1: "io.k8s.api.autoscaling.v1",
	policy_v1: "io.k8s.api.policy.v1",
	coordination_v1: "io.k8s.api.coordination.v1",
	discovery_v1: "io.k8s.api.discovery.v1",
	events_v1: "io.k8s.api.events.v1",
	rbac_v1: "io.k8s.api.rbac.v1",
	authentication_v1: "io.k8s.api.authentication.v1",
	authorization_v1: "io.k8s.api.authorization.v1",
	meta_v1: "io.k8s.apimachinery.pkg.apis.meta.v1",
};

/** `core_v1.Pod` as documents name it: `io.k8s.api.core.v1.Pod`. */
export function definitionName(message: string): string {
	const dot = message.indexOf(".");
	return `${prefixes[message.slice(0, dot)]}${message.slice(dot)}`;
}

const meta = prefixes["meta_v1"];

interface Scalar {
	readonly inline?: JsonSchema;
	/** Types that documents define once. */
	readonly named?: readonly [name: string, schema: JsonSchema];
}

const scalars: Readonly<Record<Primitive, Scalar>> = {
	string: { inline: { type: "string" } },
	int32: { inline: { type: "integer", format: "int32" } },
	int64: { inline: { type: "integer", format: "int64" } },
	double: { inline: { type: "number", format: "double" } },
	bool: { inline: { type: "boolean" } },
	bytes: { inline: { type: "string", format: "byte" } },
	time: {
		named: [
			`${meta}.Time`,
			{ type: "string", format: "date-time", description: "An RFC 3339 time, in whole seconds." },
		],
	},
	microtime: {
		named: [
			`${meta}.MicroTime`,
			{ type: "string", format: "date-time", description: "An RFC 3339 time, in microseconds." },
		],
	},
	quantity: {
		named: [
			"io.k8s.apimachinery.pkg.api.resource.Quantity",
			{
				description: "A fixed-point number with a suffix: 100m, 1.5Gi, 2e3.",
				oneOf: [{ type: "string" }, { type: "number" }],
			},
		],
	},
	intorstring: {
		named: [
			"io.k8s.apimachinery.pkg.util.intstr.IntOrString",
			{
				description: "A whole number, or a string such as a percentage or a port's name.",
				format: "int-or-string",
				oneOf: [{ type: "integer" }, { type: "string" }],
			},
		],
	},
	raw: {
		named: ["io.k8s.apimachinery.pkg.runtime.RawExtension", { type: "object", description: "An object of any kind." }],
	},
	fieldsv1: {
		named: [`${meta}.FieldsV1`, { type: "object", description: "A set of fields as a trie of their names." }],
	},
};

const reference = (name: string) => `#/components/schemas/${name}`;

/** Gathers the definitions that one document needs. */
export class Definitions {
	readonly schemas: Record<string, JsonSchema> = {};

	/** A reference to a message's schema, which is added with all it refers to. */
	ref(message: string): JsonSchema {
		this.#add(message);
		return { $ref: reference(definitionName(message)) };
	}

	/** Marks a message's schema as that of a kind. */
	kind(message: string, gv: GroupVersion, kind: string): void {
		this.#add(message);
		const schema = this.schemas[definitionName(message)] as JsonSchema;
		const kinds = (schema["x-kubernetes-group-version-kind"] ??= []) as object[];
		const entry = { group: gv.group, kind, version: gv.version };
		if (!kinds.some((k) => JSON.stringify(k) === JSON.stringify(entry))) kinds.push(entry);
	}

	#add(name: string): void {
		const definition = definitionName(name);
		if (this.schemas[definition] !== undefined) return;
		const message = findMessage(name);
		if (message === undefined) throw new Error(`schema has no message ${name}`);
		// Registered before it is filled, for messages that refer to each other.
		const schema: JsonSchema = { type: "object" };
		this.schemas[definition] = schema;
		this.#fill(schema, message);
	}

	#fill(schema: JsonSchema, message: Message): void {
		const properties: Record<string, JsonSchema> = {};
		if (message.isKind) {
			properties["apiVersion"] = {
				type: "string",
				description: "The group and version of the schema this object follows, such as apps/v1.",
			};
			properties["kind"] = { type: "string", description: "The kind of this object, in camel case." };
		}
		const required: string[] = [];
		for (const field of message.fields.values()) {
			properties[field.name] = this.#property(field);
			if (field.required) required.push(field.name);
		}
		if (message.description !== "") schema["description"] = message.description;
		if (Object.keys(properties).length > 0) schema["properties"] = properties;
		if (required.length > 0) schema["required"] = required;
		if (message.atomic) schema["x-kubernetes-map-type"] = "atomic";
	}

	#property(field: Field): JsonSchema {
		const schema = this.#type(field.type);
		const property: JsonSchema = "$ref" in schema ? { allOf: [schema] } : schema;
		if (field.value) property["default"] = {};
		else if (field.required && field.type.form === "primitive") {
			const type = property["type"];
			if (type === "string" && property["format"] === undefined) property["default"] = "";
			else if (type === "integer") property["default"] = 0;
			else if (type === "boolean") property["default"] = false;
		}
		if (field.description !== "") property["description"] = field.description;
		return { ...property, ...extensions(field) };
	}

	#type(type: FieldType): JsonSchema {
		switch (type.form) {
			case "primitive": {
				const scalar = scalars[type.name];
				if (scalar.named === undefined) return { ...scalar.inline };
				this.schemas[scalar.named[0]] ??= scalar.named[1];
				return { $ref: reference(scalar.named[0]) };
			}
			case "message":
				return this.ref(type.name);
			case "list":
				return { type: "array", items: this.#element(type.element) };
			case "map":
				return { type: "object", additionalProperties: this.#element(type.value) };
		}
	}

	/** Elements carry their zero as default, as upstream's do. */
	#element(type: FieldType): JsonSchema {
		const schema = this.#type(type);
		if ("$ref" in schema) return type.form === "message" ? { allOf: [schema], default: {} } : schema;
		if (schema["type"] === "string" && schema["format"] === undefined) return { ...schema, default: "" };
		return schema["type"] === "integer" ? { ...schema, default: 0 } : schema;
	}
}

function extensions(field: Field): JsonSchema {
	const result: JsonSchema = {};
	const strategies = [...(field.patchMerge ? ["merge"] : []), ...(field.retainKeys ? ["retainKeys"] : [])];
	if (strategies.length > 0) result["x-kubernetes-patch-strategy"] = strategies.join(",");
	if (field.patchMergeKey !== undefined) result["x-kubernetes-patch-merge-key"] = field.patchMergeKey;
	if (field.listType !== undefined) result["x-kubernetes-list-type"] = field.listType;
	if (field.listMapKeys.length > 0) result["x-kubernetes-list-map-keys"] = field.listMapKeys;
	if (field.atomic) result["x-kubernetes-map-type"] = "atomic";
	return result;
}
