/**
 * The API's types as data: field names, types, protobuf numbers, list and patch facts, one text per group version.
 *
 * Line format of the texts in `schema/`:
 *
 *     TypeName [kind] [atomic] # text          a message; `kind` marks a top-level kind of this group version
 *       field NUMBER TYPE [facts...] # text    a field of it
 *
 * Each text says in a sentence or two, in words of ours, what it is for: `kubectl explain`, OpenAPI documents and hovers show it.
 * NUMBER is the protobuf field number; `2.6` means field 6 of a message embedded as field 2 (inlined in JSON).
 * TYPE is string, int32, int64, double, bool, bytes, time, microtime, quantity, intorstring, raw, fieldsv1,
 * a message name (`group_version.Name` for another text's), `[]TYPE` or `map<TYPE>` (keys are strings).
 * Facts: `required`; `merge` or `merge=KEY` (strategic merge patch); `retainKeys`; `list=atomic|set|map:K1,K2`
 * (server-side apply); `atomic` (struct or map replaced as a whole); `ptr`: an optional scalar whose zero is a value of
 * its own (Go holds a pointer), so that `replicas: 0` is not an absent `replicas`; `value`: a message that is there even
 * where nothing is set in it (Go holds the struct itself), shown as `{}`.
 */
import { appsV1 } from "./schema/apps.v1.ts";
import { authenticationV1 } from "./schema/authentication.v1.ts";
import { authorizationV1 } from "./schema/authorization.v1.ts";
import { autoscalingV1 } from "./schema/autoscaling.v1.ts";
import { batchV1 } from "./schema/batch.v1.ts";
import { coordinationV1 } from "./schema/coordination.v1.ts";
import { coreV1 } from "./schema/core.v1.ts";
import { discoveryV1 } from "./schema/discovery.v1.ts";
import { eventsV1 } from "./schema/events.v1.ts";
import { metaV1 } from "./schema/meta.v1.ts";
import { policyV1 } from "./schema/policy.v1.ts";
import { rbacV1 } from "./schema/rbac.v1.ts";

export type Primitive =
	| "string"
	| "int32"
	| "int64"
	| "double"
	| "bool"
	| "bytes"
	| "time"
	| "microtime"
	| "quantity"
	| "intorstring"
	| "raw"
	| "fieldsv1";

const primitives: ReadonlySet<string> = new Set<Primitive>([
	"string",
	"int32",
	"int64",
	"double",
	"bool",
	"bytes",
	"time",
	"microtime",
	"quantity",
	"intorstring",
	"raw",
	"fieldsv1",
]);

export type FieldType =
	| { readonly form: "primitive"; readonly name: Primitive }
	| { readonly form: "message"; readonly name: string }
	| { readonly form: "list"; readonly element: FieldType }
	| { readonly form: "map"; readonly value: FieldType };

export interface Field {
	readonly name: string;
	/** What it is for, for people. */
	readonly description: string;
	/** Protobuf field numbers from the message down to the value: one, or two through an embedded message. */
	readonly path: readonly number[];
	readonly type: FieldType;
	readonly required: boolean;
	/** Strategic merge patch merges this list or map instead of replacing it. */
	readonly patchMerge: boolean;
	readonly patchMergeKey: string | undefined;
	readonly retainKeys: boolean;
	readonly listType: "atomic" | "set" | "map" | undefined;
	readonly listMapKeys: readonly string[];
	readonly atomic: boolean;
	/** An optional scalar whose zero differs from absence. */
	readonly pointer: boolean;
	/** A message present even when empty. */
	readonly value: boolean;
}

export interface Message {
	/** `core_v1.Pod`: the text's name and the type's. */
	readonly name: string;
	readonly description: string;
	readonly isKind: boolean;
	readonly atomic: boolean;
	readonly fields: ReadonlyMap<string, Field>;
}

const texts: Readonly<Record<string, string>> = {
	core_v1: coreV1,
	apps_v1: appsV1,
	batch_v1: batchV1,
	autoscaling_v1: autoscalingV1,
	policy_v1: policyV1,
	coordination_v1: coordinationV1,
	discovery_v1: discoveryV1,
	events_v1: eventsV1,
	rbac_v1: rbacV1,
	authentication_v1: authenticationV1,
	authorization_v1: authorizationV1,
	meta_v1: metaV1,
};

function parseType(text: string, owner: string): FieldType {
	if (text.startsWith("[]")) return { form: "list", element: parseType(text.slice(2), owner) };
	if (text.startsWith("map<")) return { form: "map", value: parseType(text.slice(4, -1), owner) };
	if (primitives.has(text)) return { form: "primitive", name: text as Primitive };
	return { form: "message", name: text.includes(".") ? text : `${owner}.${text}` };
}

/** The facts of a line, and its text. */
function parseLine(line: string): readonly [facts: readonly string[], description: string] {
	const mark = line.indexOf(" # ");
	return mark < 0 ? [line.trim().split(" "), ""] : [line.slice(0, mark).trim().split(" "), line.slice(mark + 3)];
}

function parseField(line: string, owner: string): Field {
	const [[name = "", path = "", type = "", ...facts], description] = parseLine(line);
	const fact = (key: string) => facts.find((f) => f.startsWith(`${key}=`))?.slice(key.length + 1);
	const [listType, listMapKeys] = fact("list")?.split(":") ?? [];
	return {
		name,
		description,
		path: path.split(".").map(Number),
		type: parseType(type, owner),
		required: facts.includes("required"),
		patchMerge: facts.some((f) => f === "merge" || f.startsWith("merge=")),
		patchMergeKey: fact("merge"),
		retainKeys: facts.includes("retainKeys"),
		listType: listType as Field["listType"],
		listMapKeys: listMapKeys?.split(",") ?? [],
		atomic: facts.includes("atomic"),
		pointer: facts.includes("ptr"),
		value: facts.includes("value"),
	};
}

function parseText(owner: string, text: string): Map<string, Message> {
	const messages = new Map<string, Message>();
	let fields = new Map<string, Field>();
	for (const line of text.split("\n")) {
		if (line === "") continue;
		if (line.startsWith("  ")) {
			const field = parseField(line, owner);
			fields.set(field.name, field);
			continue;
		}
		const [[name = "", ...flags], description] = parseLine(line);
		fields = new Map();
		messages.set(`${owner}.${name}`, {
			name: `${owner}.${name}`,
			description,
			isKind: flags.includes("kind"),
			atomic: flags.includes("atomic"),
			fields,
		});
	}
	return messages;
}

const parsed = new Map<string, Map<string, Message>>();

/** All messages of one text, e.g. `messagesOf("core_v1")`; parsed on first use. */
export function messagesOf(owner: string): ReadonlyMap<string, Message> {
	let messages = parsed.get(owner);
	if (messages === undefined) {
		messages = parseText(owner, texts[owner] ?? "");
		parsed.set(owner, messages);
	}
	return messages;
}

/** The message `core_v1.Pod`, or undefined where no text has it. */
export function findMessage(name: string): Message | undefined {
	return messagesOf(name.slice(0, name.indexOf("."))).get(name);
}

/** Every text's name, in a fixed order. */
export const schemaTexts: readonly string[] = Object.keys(texts);
