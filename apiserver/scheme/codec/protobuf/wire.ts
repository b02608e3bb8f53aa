/** The protobuf wire format: a bounds-checked reader, and a writer that goes backwards so that lengths are known. */

export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireFixed32 = 5;

export class ProtobufError extends Error {
	override readonly name = "ProtobufError";
}

const endOfInput = () => new ProtobufError("unexpected EOF");

/** Reads one message's fields from `buffer[at, end)`. */
export class Reader {
	readonly buffer: Buffer;
	at: number;
	readonly end: number;

	constructor(buffer: Buffer, at = 0, end = buffer.length) {
		this.buffer = buffer;
		this.at = at;
		this.end = end;
	}

	get done(): boolean {
		return this.at >= this.end;
	}

	/** The next byte run of `length`, as a position; moves past it. */
	take(length: number): number {
		const start = this.at;
		if (length > this.end - start) throw endOfInput();
		this.at = start + length;
		return start;
	}

	/** A varint's low 32 bits, unsigned, and its high ones. */
	#varint(): { low: number; high: number } {
		let low = 0;
		let high = 0;
		for (let shift = 0; shift < 70; shift += 7) {
			if (this.at >= this.end) throw endOfInput();
			const byte = this.buffer[this.at++] as number;
			const bits = byte & 0x7f;
			if (shift < 28) low |= bits << shift;
			else if (shift === 28) {
				low |= (bits & 0x0f) << 28;
				high |= bits >> 4;
			} else if (shift < 63) high |= bits << (shift - 32);
			else high |= (bits & 1) << 31;
			if (byte < 0x80) return { low: low >>> 0, high: high >>> 0 };
		}
		throw new ProtobufError("proto: integer overflow");
	}

	/** An unsigned varint that must fit 32 bits (tags, lengths). */
	uint32(): number {
		const { low, high } = this.#varint();
		if (high !== 0) throw new ProtobufError("proto: integer overflow");
		return low;
	}

	int32(): number {
		return this.#varint().low | 0;
	}

	bool(): boolean {
		const { low, high } = this.#varint();
		return low !== 0 || high !== 0;
	}

	/** A signed 64-bit integer; beyond 2^53 it is refused rather than rounded. */
	int64(): number {
		const { low, high } = this.#varint();
		const value = (high | 0) * 2 ** 32 + low;
		if (!Number.isSafeInteger(value)) {
			throw new ProtobufError(`integer ${(BigInt(high | 0) << 32n) + BigInt(low)} is beyond 2^53`);
		}
		return value;
	}

	double(): number {
		return this.buffer.readDoubleLE(this.take(8));
	}

	/** A length-delimited value as a reader of its own. */
	nested(): Reader {
		const length = this.uint32();
		const start = this.take(length);
		return new Reader(this.buffer, start, start + length);
	}

	string(): string {
		const length = this.uint32();
		const start = this.take(length);
		return this.buffer.toString("utf8", start, start + length);
	}

	bytes(): Buffer {
		const length = this.uint32();
		const start = this.take(length);
		return this.buffer.subarray(start, start + length);
	}

	skip(wireType: number): void {
		switch (wireType) {
			case wireVarint:
				this.#varint();
				return;
			case wireFixed64:
				this.take(8);
				return;
			case wireBytes:
				this.take(this.uint32());
				return;
			case wireFixed32:
				this.take(4);
				return;
			default:
				throw new ProtobufError(`proto: illegal wireType ${wireType}`);
		}
	}
}

/** Writes from the end towards the front: a message's fields in descending order, then its length and tag. */
export class BackwardWriter {
	#buffer: Buffer;
	/** Bytes from here to the end are written. */
	#start: number;

	constructor(initial = 1024) {
		this.#buffer = Buffer.allocUnsafe(initial);
		this.#start = initial;
	}

	/** Bytes written so far. */
	get length(): number {
		return this.#buffer.length - this.#start;
	}

	finish(): Buffer {
		return this.#buffer.subarray(this.#start);
	}

	/** Room for `bytes` in front; it may replace the buffer, so it is called before `#buffer` is read. */
	#reserve(bytes: number): number {
		if (this.#start < bytes) {
			const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + bytes));
			const start = grown.length - this.length;
			this.#buffer.copy(grown, start, this.#start);
			this.#buffer = grown;
			this.#start = start;
		}
		this.#start -= bytes;
		return this.#start;
	}

	uint32(value: number): void {
		let size = 1;
		for (let v = value >>> 7; v !== 0; v >>>= 7) size++;
		let at = this.#reserve(size);
		let rest = value >>> 0;
		while (rest >= 0x80) {
			this.#buffer[at++] = (rest & 0x7f) | 0x80;
			rest >>>= 7;
		}
		this.#buffer[at] = rest;
	}

	/** A signed integer up to 2^53 in magnitude; negative ones take ten bytes. */
	int64(value: number): void {
		if (value >= 0 && value < 2 ** 32) {
			this.uint32(value);
			return;
		}
		let rest = BigInt.asUintN(64, BigInt(value));
		const groups: number[] = [];
		do {
			groups.push(Number(rest & 0x7fn));
			rest >>= 7n;
		} while (rest !== 0n);
		let at = this.#reserve(groups.length);
		for (let i = 0; i < groups.length; i++) {
			this.#buffer[at++] = (groups[i] as number) | (i < groups.length - 1 ? 0x80 : 0);
		}
	}

	double(value: number): void {
		const at = this.#reserve(8);
		this.#buffer.writeDoubleLE(value, at);
	}

	raw(bytes: Uint8Array): void {
		const at = this.#reserve(bytes.length);
		this.#buffer.set(bytes, at);
	}

	text(value: string): void {
		const size = Buffer.byteLength(value);
		const at = this.#reserve(size);
		this.#buffer.write(value, at, size, "utf8");
	}

	/** Length and tag in front of what was written since `lengthBefore`. */
	delimit(field: number, lengthBefore: number): void {
		this.uint32(this.length - lengthBefore);
		this.tag(field, wireBytes);
	}

	tag(field: number, wireType: number): void {
		this.uint32((field << 3) | wireType);
	}
}
