/** A message packed in slices, so that a large one neither keeps the event loop nor stands in memory twice. */
import { pack } from "./protocol.ts";

/** Bytes of a slice; a little more where an element ends behind it. */
export const sliceBytes = 256 << 10;

/** msgpack's head of an array of `length`. */
export function arrayHead(length: number): Buffer {
	if (length < 16) return Buffer.from([0x90 | length]);
	if (length < 1 << 16) return Buffer.from([0xdc, length >> 8, length & 0xff]);
	const head = Buffer.alloc(5);
	head[0] = 0xdd;
	head.writeUInt32BE(length, 1);
	return head;
}

/** The elements of an array, packed without its head. */
export function packElements(elements: readonly unknown[]): Buffer {
	return pack(elements).subarray(arrayHead(elements.length).length);
}

function bytesHead(length: number): Buffer {
	if (length < 1 << 8) return Buffer.from([0xc4, length]);
	if (length < 1 << 16) return Buffer.from([0xc5, length >> 8, length & 0xff]);
	const head = Buffer.alloc(5);
	head[0] = 0xc6;
	head.writeUInt32BE(length, 1);
	return head;
}

/** About how many bytes `value` takes packed; counts no further than `limit`. */
export function packedSize(value: unknown, limit: number): number {
	if (Buffer.isBuffer(value)) return value.length + 5;
	if (typeof value === "string") return 3 * value.length + 5;
	if (!Array.isArray(value)) return 9;
	let size = 5;
	for (const element of value) {
		size += packedSize(element, limit - size);
		if (size > limit) break;
	}
	return size;
}

/** Together they are what `pack(value)` is. Each is packed when it is asked for; large byte strings are not copied. */
export function* packSlices(value: unknown, limit = sliceBytes): Generator<Buffer> {
	if (packedSize(value, limit) <= limit) {
		yield pack(value);
	} else if (Buffer.isBuffer(value)) {
		yield bytesHead(value.length);
		for (let at = 0; at < value.length; at += limit) yield value.subarray(at, at + limit);
	} else if (Array.isArray(value)) {
		yield arrayHead(value.length);
		yield* elementSlices(value, limit);
	} else yield pack(value);
}

function* elementSlices(elements: readonly unknown[], limit: number): Generator<Buffer> {
	let run: unknown[] = [];
	let bytes = 0;
	for (const element of elements) {
		const size = packedSize(element, limit);
		if (run.length > 0 && bytes + size > limit) {
			yield packElements(run);
			run = [];
			bytes = 0;
		}
		if (size > limit) yield* packSlices(element, limit);
		else {
			run.push(element);
			bytes += size;
		}
	}
	if (run.length > 0) yield packElements(run);
}
