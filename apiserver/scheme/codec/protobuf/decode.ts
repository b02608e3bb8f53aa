/** Protobuf to the object its JSON would give. Fields the schema does not know are skipped, as upstream does. */

import { formatMicroTime, formatTime } from "../../../machinery/meta.ts";
import type { Field, FieldType, Message, Primitive } from "../../schema.ts";
import { type NumberedMessage, numbersOf, numbersOfName } from "./plan.ts";
import { ProtobufError, Reader, wireBytes, wireFixed64, wireVarint } from "./wire.ts";

type Json = Record<string, unknown>;

const wireTypes: Readonly<Record<Primitive, number>> = {
	string: wireBytes,
	int32: wireVarint,
	int64: wireVarint,
	double: wireFixed64,
	bool: wireVarint,
	bytes: wireBytes,
	time: wireBytes,
	microtime: wireBytes,
	quantity: wireBytes,
	intorstring: wireBytes,
	raw: wireBytes,
	fieldsv1: wireBytes,
};

/** Reads a nested message, giving each of its fields to `visit`, which reads it or returns false to have it skipped. */
function eachField(reader: Reader, visit: (number: number, wireType: number) => boolean): void {
	while (!reader.done) {
		const tag = reader.uint32();
		if (tag >>> 3 === 0) throw new ProtobufError(`proto: illegal tag ${tag >>> 3} (wire type ${tag})`);
		if (!visit(tag >>> 3, tag & 7)) reader.skip(tag & 7);
	}
}

function readTime(reader: Reader, micro: boolean): string | undefined {
	const nested = reader.nested();
	// An unset time is an empty message.
	if (nested.done) return undefined;
	let seconds = 0;
	let nanos = 0;
	eachField(nested, (number, wireType) => {
		if (wireType !== wireVarint) return false;
		if (number === 1) seconds = nested.int64();
		else if (number === 2) nanos = nested.int32();
		else return false;
		return true;
	});
	if (nanos < 0 || nanos > 999_999_999) throw new ProtobufError(`time has ${nanos} nanoseconds`);
	if (seconds < -62_135_596_800 || seconds > 253_402_300_799)
		throw new ProtobufError(`time ${seconds} s is out of range`);
	return micro ? formatMicroTime(seconds * 1000, Math.floor(nanos / 1000)) : formatTime(seconds * 1000);
}

/** The one string or bytes field numbered 1 of a wrapper message. */
function readWrapped(reader: Reader): Buffer {
	const nested = reader.nested();
	let bytes: Buffer = Buffer.alloc(0);
	eachField(nested, (number, wireType) => {
		if (number !== 1 || wireType !== wireBytes) return false;
		bytes = nested.bytes();
		return true;
	});
	return bytes;
}

function readIntOrString(reader: Reader): number | string {
	const nested = reader.nested();
	let isText = false;
	let number = 0;
	let text = "";
	eachField(nested, (field, wireType) => {
		if (field === 1 && wireType === wireVarint) isText = nested.int64() !== 0;
		else if (field === 2 && wireType === wireVarint) number = nested.int32();
		else if (field === 3 && wireType === wireBytes) text = nested.string();
		else return false;
		return true;
	});
	return isText ? text : number;
}

function parseEmbedded(bytes: Buffer, what: string): unknown {
	if (bytes.length === 0) return undefined;
	try {
		return JSON.parse(bytes.toString("utf8"));
	} catch (error) {
		throw new ProtobufError(`${what} is not JSON: ${(error as Error).message}`, { cause: error });
	}
}

const readPrimitive: Readonly<Record<Primitive, (reader: Reader) => unknown>> = {
	string: (r) => r.string(),
	int32: (r) => r.int32(),
	int64: (r) => r.int64(),
	double: (r) => r.double(),
	bool: (r) => r.bool(),
	bytes: (r) => r.bytes().toString("base64"),
	time: (r) => readTime(r, false),
	microtime: (r) => readTime(r, true),
	quantity: (r) => readWrapped(r).toString("utf8") || "0",
	intorstring: readIntOrString,
	raw: (r) => parseEmbedded(readWrapped(r), "embedded object"),
	fieldsv1: (r) => parseEmbedded(readWrapped(r), "fieldsV1"),
};

function expectWire(field: Field, wireType: number, expected: number): void {
	if (wireType === expected) return;
	const goName = field.name.charAt(0).toUpperCase() + field.name.slice(1);
	throw new ProtobufError(`proto: wrong wireType = ${wireType} for field ${goName}`);
}

function readMessage(reader: Reader, plan: NumberedMessage, target: Json): Json {
	eachField(reader, (number, wireType) => {
		const numbered = plan.byNumber.get(number);
		if (numbered === undefined) return false;
		if (numbered.inline !== undefined) {
			if (wireType !== wireBytes) throw new ProtobufError(`proto: wrong wireType = ${wireType} for field ${number}`);
			readMessage(reader.nested(), numbered.inline, target);
		} else if (numbered.field !== undefined) readField(reader, numbered.field, wireType, target);
		return true;
	});
	return target;
}

function readField(reader: Reader, field: Field, wireType: number, target: Json): void {
	const type = field.type;
	switch (type.form) {
		case "primitive": {
			expectWire(field, wireType, wireTypes[type.name]);
			const value = readPrimitive[type.name](reader);
			if (value !== undefined) target[field.name] = value;
			return;
		}
		case "message":
			expectWire(field, wireType, wireBytes);
			target[field.name] = readMessage(reader.nested(), numbersOfName(type.name), {});
			return;
		case "list": {
			const list = (target[field.name] ??= []) as unknown[];
			readElement(reader, field, type.element, wireType, list);
			return;
		}
		case "map":
			expectWire(field, wireType, wireBytes);
			readEntry(reader.nested(), field, type.value, (target[field.name] ??= {}) as Json);
			return;
	}
}

function readElement(reader: Reader, field: Field, type: FieldType, wireType: number, list: unknown[]): void {
	if (type.form === "message") {
		expectWire(field, wireType, wireBytes);
		list.push(readMessage(reader.nested(), numbersOfName(type.name), {}));
		return;
	}
	if (type.form !== "primitive") throw new Error(`schema: list of ${type.form} in ${field.name}`);
	if (wireType === wireBytes && wireTypes[type.name] !== wireBytes) {
		const packed = reader.nested();
		while (!packed.done) list.push(readPrimitive[type.name](packed));
		return;
	}
	expectWire(field, wireType, wireTypes[type.name]);
	const value = readPrimitive[type.name](reader);
	list.push(value ?? "");
}

/** A map's entry is a message of key (1) and value (2); a list as value is wrapped in a message of its items (1). */
function readEntry(entry: Reader, field: Field, type: FieldType, map: Json): void {
	let key = "";
	let value: unknown;
	eachField(entry, (number, wireType) => {
		if (number === 1) {
			expectWire(field, wireType, wireBytes);
			key = entry.string();
		} else if (number === 2) value = readEntryValue(entry, field, type, wireType);
		else return false;
		return true;
	});
	value ??= emptyValue(type);
	// A key may be "__proto__": never through the setter of Object.prototype.
	Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

function readEntryValue(entry: Reader, field: Field, type: FieldType, wireType: number): unknown {
	if (type.form === "primitive") {
		expectWire(field, wireType, wireTypes[type.name]);
		return readPrimitive[type.name](entry);
	}
	expectWire(field, wireType, wireBytes);
	const nested = entry.nested();
	if (type.form === "message") return readMessage(nested, numbersOfName(type.name), {});
	if (type.form !== "list") throw new Error(`schema: map of maps in ${field.name}`);
	const list: unknown[] = [];
	eachField(nested, (number, itemWire) => {
		if (number !== 1) return false;
		readElement(nested, field, type.element, itemWire, list);
		return true;
	});
	return list;
}

function emptyValue(type: FieldType): unknown {
	if (type.form === "list") return [];
	if (type.form !== "primitive") return {};
	switch (type.name) {
		case "quantity":
			return "0";
		case "int32":
		case "int64":
		case "double":
			return 0;
		case "bool":
			return false;
		default:
			return "";
	}
}

/** Decodes a message's bytes. Throws ProtobufError. */
export const decodeMessage = (message: Message, bytes: Buffer): Json =>
	readMessage(new Reader(bytes), numbersOf(message), {});

export interface Envelope {
	readonly apiVersion: string;
	readonly kind: string;
	readonly raw: Buffer;
	/** "" for protobuf. */
	readonly contentType: string;
}

/** The four bytes before upstream's envelope. */
export const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

export const hasMagic = (bytes: Buffer): boolean => bytes.length >= 4 && bytes.compare(magic, 0, 4, 0, 4) === 0;

/** Opens runtime.Unknown: type, content and its type. Throws ProtobufError. */
export function decodeEnvelope(bytes: Buffer): Envelope {
	if (bytes.length === 0) throw new ProtobufError("empty data");
	if (!hasMagic(bytes)) {
		throw new ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
	}
	const reader = new Reader(bytes, 4);
	let apiVersion = "";
	let kind = "";
	let raw: Buffer = Buffer.alloc(0);
	let contentType = "";
	let contentEncoding = "";
	eachField(reader, (number, wireType) => {
		if (wireType !== wireBytes || number > 4) return false;
		if (number === 1) {
			const typeMeta = reader.nested();
			eachField(typeMeta, (field, fieldWire) => {
				if (fieldWire !== wireBytes || field > 2) return false;
				if (field === 1) apiVersion = typeMeta.string();
				else kind = typeMeta.string();
				return true;
			});
		} else if (number === 2) raw = reader.bytes();
		else if (number === 3) contentEncoding = reader.string();
		else contentType = reader.string();
		return true;
	});
	if (contentEncoding !== "")
		throw new ProtobufError(`unsupported content encoding ${JSON.stringify(contentEncoding)}`);
	return { apiVersion, kind, raw, contentType };
}
