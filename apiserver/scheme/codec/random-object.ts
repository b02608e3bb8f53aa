/** Random objects that fit the schema, for round-trip tests: in normalized form, so that comparison is exact. */
import type { Random } from "../../../kit/random.ts";
import { type Field, type FieldType, findMessage, type Message } from "../schema.ts";

const words = ["a", "web-1", "example.com/x", "ümlaut", "日本", "line\nbreak", '"quoted"', "__proto__", "0"];

const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)] as T;

function scalar(random: Random, name: string): unknown {
	switch (name) {
		case "string":
			return pick(random, words);
		case "int32":
			return pick(random, [1, -1, 8080, 2 ** 31 - 1, -(2 ** 31)]);
		case "int64":
			return pick(random, [1, -1, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
		case "double":
			return pick(random, [0.5, -1e300]);
		case "bool":
			return true;
		case "bytes":
			return random.bytes(1 + random.int(9)).toString("base64");
		case "time":
			return pick(random, ["2024-02-29T23:59:59Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z"]);
		case "microtime":
			return pick(random, ["2024-02-29T23:59:59.000001Z", "1970-01-01T00:00:00.500000Z"]);
		case "quantity":
			return pick(random, ["100m", "1Gi", "3", "0", "1k"]);
		case "intorstring":
			return pick<unknown>(random, [8080, "25%", "http", 0]);
		default:
			return { "f:a": { ".": {} }, n: 1 };
	}
}

function value(random: Random, type: FieldType, depth: number): unknown {
	switch (type.form) {
		case "primitive":
			return scalar(random, type.name);
		case "message": {
			const message = findMessage(type.name);
			if (message === undefined) throw new Error(`no message ${type.name}`);
			return randomMessage(random, message, depth + 1);
		}
		case "list":
			return Array.from({ length: 1 + random.int(2) }, () => value(random, type.element, depth));
		case "map": {
			const map: Record<string, unknown> = {};
			for (let i = random.int(3); i >= 0; i--) {
				Object.defineProperty(map, pick(random, words), {
					value: value(random, type.value, depth),
					writable: true,
					enumerable: true,
					configurable: true,
				});
			}
			return map;
		}
	}
}

function includes(random: Random, field: Field, depth: number): boolean {
	if (field.value || field.required) return true;
	return random.float() < (depth < 2 ? 0.7 : depth < 5 ? 0.3 : 0.05);
}

/** A message with some of its fields set; those that normalization would add are always set. */
export function randomMessage(random: Random, message: Message, depth = 0): Record<string, unknown> {
	const object: Record<string, unknown> = {};
	for (const field of message.fields.values()) {
		if (!includes(random, field, depth)) continue;
		const made = value(random, field.type, depth);
		// A zero would be dropped from a field that is not held by pointer.
		if (field.type.form === "primitive" && made === 0 && !field.pointer && !field.required) continue;
		object[field.name] = made;
	}
	return object;
}
