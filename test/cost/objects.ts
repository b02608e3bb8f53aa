/** For every list and map of every kind: objects in which it has as many members as one likes. */

import { messageOfKind } from "../../apiserver/scheme/kinds.ts";
import { allResources, apiVersionOf } from "../../apiserver/scheme/resources.ts";
import { type Field, type FieldType, findMessage, type Message } from "../../apiserver/scheme/schema.ts";

type Json = Record<string, unknown>;

export interface Growing {
	/** `v1 Pod spec.containers[].ports[]`. */
	readonly name: string;
	readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
	/** Fresh at every call: what reads it may change it. */
	make(size: number): Json;
}

const maxDepth = 7;

/** A plausible value that differs for each `i`. */
function scalar(name: string, field: string, i: number): unknown {
	switch (name) {
		case "string":
			return `${field.slice(0, 10).toLowerCase()}-${i}`;
		case "int32":
		case "int64":
			return 1 + (i % 60_000);
		case "double":
			return i + 0.5;
		case "bool":
			return i % 2 === 0;
		case "bytes":
			return Buffer.from(String(i)).toString("base64");
		case "time":
			return "2024-02-29T23:59:59Z";
		case "microtime":
			return "2024-02-29T23:59:59.000001Z";
		case "quantity":
			return `${1 + i}m`;
		case "intorstring":
			return i % 2 === 0 ? 1 + (i % 60_000) : `port-${i % 1000}`;
		default:
			return {};
	}
}

/** A message with its scalars and lists of scalars set, and the messages within that, to some depth. */
function filled(message: Message, i: number, depth: number): Json {
	const object: Json = {};
	for (const field of message.fields.values()) {
		const { type } = field;
		if (type.form === "primitive") object[field.name] = scalar(type.name, field.name, i);
		else if (type.form === "message" && depth > 0) object[field.name] = filled(messageOf(type.name), i, depth - 1);
	}
	return object;
}

function messageOf(name: string): Message {
	const message = findMessage(name);
	if (message === undefined) throw new Error(`no message ${name}`);
	return message;
}

function element(type: FieldType, field: Field, i: number): unknown {
	if (type.form === "primitive") return scalar(type.name, field.name, i);
	return type.form === "message" ? filled(messageOf(type.name), i, 1) : [];
}

/** Wraps a value in what surrounds the field it stands in. */
type Wrap = (inner: unknown) => Json;

function* within(message: Message, path: string, wrap: Wrap, depth: number): Generator<[string, Wrap, Field]> {
	if (depth > maxDepth) return;
	for (const field of message.fields.values()) {
		const at = path === "" ? field.name : `${path}.${field.name}`;
		const here: Wrap = (inner) => wrap({ ...filled(message, 0, 0), [field.name]: inner });
		const { type } = field;
		if (type.form === "list" || type.form === "map") {
			yield [at, here, field];
			const of = type.form === "list" ? type.element : type.value;
			if (of.form !== "message") continue;
			const wrapOne: Wrap = (inner) => here(type.form === "list" ? [inner] : { "key-0": inner });
			yield* within(messageOf(of.name), `${at}[]`, wrapOne, depth + 1);
		} else if (type.form === "message") yield* within(messageOf(type.name), at, here, depth + 1);
	}
}

/** One for each list or map field of each kind that can be created. */
export function* growingObjects(): Generator<Growing> {
	for (const resource of allResources) {
		const message = messageOfKind(resource, resource.kind);
		if (message === undefined) continue;
		const { group, version, kind } = resource;
		const apiVersion = apiVersionOf(resource);
		const top: Wrap = (inner) => ({
			metadata: { name: "one", namespace: "default" },
			...(inner as Json),
			apiVersion,
			kind,
		});
		for (const [path, wrap, field] of within(message, "", top, 0)) {
			const make = (size: number) => {
				const { type } = field;
				if (type.form === "list") return wrap(Array.from({ length: size }, (_, i) => element(type.element, field, i)));
				if (type.form !== "map") throw new Error(`${path} is neither list nor map`);
				return wrap(
					Object.fromEntries(Array.from({ length: size }, (_, i) => [`key-${i}`, element(type.value, field, i)])),
				);
			};
			yield { name: `${apiVersion} ${kind} ${path}`, kind: { group, version, kind }, make };
		}
	}
}
