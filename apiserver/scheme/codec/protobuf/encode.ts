/** An object in its JSON form to protobuf. The object must fit the schema (it has been normalized). */
import type { Field, FieldType, Message, Primitive } from "../../schema.ts";
import { microTimeLayout, parseTime, timeLayout } from "../primitives.ts";
import { magic } from "./decode.ts";
import { type NumberedMessage, numbersOf, numbersOfName } from "./plan.ts";
import { BackwardWriter, wireBytes, wireFixed64, wireVarint } from "./wire.ts";

type Json = Record<string, unknown>;

function writeTime(w: BackwardWriter, field: number, value: string, layout: string): void {
	const { seconds, micros } = parseTime(value, layout);
	const before = w.length;
	w.int64(micros * 1000);
	w.tag(2, wireVarint);
	w.int64(seconds);
	w.tag(1, wireVarint);
	w.delimit(field, before);
}

function writeText(w: BackwardWriter, field: number, value: string): void {
	const before = w.length;
	w.text(value);
	w.delimit(field, before);
}

/** A message whose only field, numbered 1, is `value`. */
function writeWrapped(w: BackwardWriter, field: number, value: string): void {
	const before = w.length;
	writeText(w, 1, value);
	w.delimit(field, before);
}

function writeIntOrString(w: BackwardWriter, field: number, value: number | string): void {
	const before = w.length;
	writeText(w, 3, typeof value === "string" ? value : "");
	w.int64(typeof value === "number" ? value : 0);
	w.tag(2, wireVarint);
	w.int64(typeof value === "string" ? 1 : 0);
	w.tag(1, wireVarint);
	w.delimit(field, before);
}

type Write = (w: BackwardWriter, field: number, value: never) => void;

const writeInteger = (w: BackwardWriter, field: number, value: number) => {
	w.int64(value);
	w.tag(field, wireVarint);
};

const writePrimitive: Readonly<Record<Primitive, Write>> = {
	string: writeText,
	int32: writeInteger,
	int64: writeInteger,
	double: (w, field, value: number) => {
		w.double(value);
		w.tag(field, wireFixed64);
	},
	bool: (w, field, value: boolean) => writeInteger(w, field, value ? 1 : 0),
	bytes: (w, field, value: string) => {
		const before = w.length;
		w.raw(Buffer.from(value, "base64"));
		w.delimit(field, before);
	},
	time: (w, field, value: string) => writeTime(w, field, value, timeLayout),
	microtime: (w, field, value: string) => writeTime(w, field, value, microTimeLayout),
	quantity: writeWrapped,
	intorstring: writeIntOrString,
	raw: (w, field, value: unknown) => writeWrapped(w, field, JSON.stringify(value)),
	fieldsv1: (w, field, value: unknown) => writeWrapped(w, field, JSON.stringify(value)),
};

function writeMessage(w: BackwardWriter, plan: NumberedMessage, object: Json): void {
	for (const { number, field, inline } of plan.descending) {
		if (inline !== undefined) {
			const before = w.length;
			writeMessage(w, inline, object);
			// Go's embedded structs are always there; readers take an absent one the same.
			if (w.length > before) w.delimit(number, before);
			continue;
		}
		if (field === undefined) continue;
		const value = object[field.name];
		if (value !== undefined && value !== null) writeField(w, field, number, value);
	}
}

function writeField(w: BackwardWriter, field: Field, number: number, value: unknown): void {
	const type = field.type;
	if (type.form === "list") {
		const list = value as unknown[];
		for (let i = list.length - 1; i >= 0; i--) writeValue(w, type.element, number, list[i]);
	} else if (type.form === "map") writeMap(w, type.value, number, value as Json);
	else writeValue(w, type, number, value);
}

function writeMap(w: BackwardWriter, type: FieldType, number: number, map: Json): void {
	for (const key of Object.keys(map).sort().reverse()) {
		const before = w.length;
		writeValue(w, type, 2, map[key]);
		writeText(w, 1, key);
		w.delimit(number, before);
	}
}

function writeValue(w: BackwardWriter, type: FieldType, number: number, value: unknown): void {
	switch (type.form) {
		case "primitive":
			writePrimitive[type.name](w, number, value as never);
			return;
		case "message": {
			const before = w.length;
			writeMessage(w, numbersOfName(type.name), value as Json);
			w.delimit(number, before);
			return;
		}
		case "list": {
			// Only as a map's value: a message of its items.
			const before = w.length;
			const list = value as unknown[];
			for (let i = list.length - 1; i >= 0; i--) writeValue(w, type.element, 1, list[i]);
			w.delimit(number, before);
			return;
		}
		case "map":
			throw new Error("schema: maps are values of fields only");
	}
}

/** A message's bytes, without envelope. */
export function encodeMessage(message: Message, object: Json): Buffer {
	const writer = new BackwardWriter();
	writeMessage(writer, numbersOf(message), object);
	return writer.finish();
}

/** What stands before a field's bytes: its tag and their length. */
export function fieldHead(number: number, length: number): Buffer {
	const w = new BackwardWriter(16);
	w.int64(length);
	w.tag(number, wireBytes);
	return w.finish();
}

/** What stands around a message of `size` bytes that is written piece by piece: magic and runtime.Unknown. */
export function envelopeAround(
	apiVersion: string,
	kind: string,
	size: number,
): { readonly before: Buffer; readonly after: Buffer } {
	const w = new BackwardWriter();
	const typeBefore = w.length;
	writeText(w, 2, kind);
	writeText(w, 1, apiVersion);
	w.delimit(1, typeBefore);
	w.raw(magic);
	const tail = new BackwardWriter(16);
	writeText(tail, 4, "");
	writeText(tail, 3, "");
	return { before: Buffer.concat([w.finish(), fieldHead(2, size)]), after: tail.finish() };
}

/** An object with magic and runtime.Unknown around it. */
export function encodeEnvelope(message: Message, apiVersion: string, kind: string, object: Json): Buffer {
	const raw = encodeMessage(message, object);
	const { before, after } = envelopeAround(apiVersion, kind, raw.length);
	return Buffer.concat([before, raw, after]);
}
