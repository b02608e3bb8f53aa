/** Bounds-checked reading and plain writing of the binary forms kept on disk and in the log. Integers are big-endian. */

const high = 2 ** 32;

/** What is read does not have the form it should: too short, too long, a number out of range. */
export class FormatError extends Error {
	override name = "FormatError";
}

/** Reads one buffer front to back; every `bytes` is a view, not a copy. Throws `FormatError` past the end. */
export class Reader {
	readonly data: Buffer;
	offset: number;

	constructor(data: Buffer, offset = 0) {
		this.data = data;
		this.offset = offset;
	}

	get left(): number {
		return this.data.length - this.offset;
	}

	#take(length: number): number {
		const at = this.offset;
		if (length > this.data.length - at) {
			throw new FormatError(`${length} bytes wanted at offset ${at}, ${this.data.length - at} left`);
		}
		this.offset = at + length;
		return at;
	}

	u8(): number {
		return this.data[this.#take(1)]!;
	}

	u16(): number {
		return this.data.readUInt16BE(this.#take(2));
	}

	u32(): number {
		return this.data.readUInt32BE(this.#take(4));
	}

	/** An unsigned 64-bit integer that must be below 2^53. */
	u53(): number {
		const at = this.#take(8);
		const top = this.data.readUInt32BE(at);
		if (top > 0x1fffff) throw new FormatError(`integer at offset ${at} is not below 2^53`);
		return top * high + this.data.readUInt32BE(at + 4);
	}

	/** A signed 64-bit integer that must lie within ±2^53. */
	i53(): number {
		const at = this.#take(8);
		const value = this.data.readInt32BE(at) * high + this.data.readUInt32BE(at + 4);
		if (!Number.isSafeInteger(value)) throw new FormatError(`integer at offset ${at} is not within 2^53`);
		return value;
	}

	u64(): bigint {
		return this.data.readBigUInt64BE(this.#take(8));
	}

	/** A view of the next `length` bytes. */
	raw(length: number): Buffer {
		const at = this.#take(length);
		return this.data.subarray(at, at + length);
	}

	/** A view of bytes behind a 32-bit length. */
	bytes(): Buffer {
		return this.raw(this.u32());
	}

	/** Throws unless everything was read. */
	end(): void {
		if (this.left !== 0) throw new FormatError(`${this.left} bytes too many at offset ${this.offset}`);
	}
}

/** Writes into a buffer whose size was computed before. */
export class Writer {
	readonly data: Buffer;
	offset = 0;

	constructor(size: number) {
		this.data = Buffer.allocUnsafe(size);
	}

	u8(value: number): void {
		this.data[this.offset++] = value;
	}

	u16(value: number): void {
		this.offset = this.data.writeUInt16BE(value, this.offset);
	}

	u32(value: number): void {
		this.offset = this.data.writeUInt32BE(value, this.offset);
	}

	/** A non-negative integer below 2^53 in eight bytes. */
	u53(value: number): void {
		if (value < 0 || !Number.isSafeInteger(value)) throw new FormatError(`${value} is not an integer in [0, 2^53)`);
		this.data.writeUInt32BE(Math.floor(value / high), this.offset);
		this.offset = this.data.writeUInt32BE(value % high, this.offset + 4);
	}

	i53(value: number): void {
		if (!Number.isSafeInteger(value)) throw new FormatError(`${value} is not an integer within 2^53`);
		this.data.writeInt32BE(Math.floor(value / high), this.offset);
		this.offset = this.data.writeUInt32BE(value - Math.floor(value / high) * high, this.offset + 4);
	}

	u64(value: bigint): void {
		this.offset = this.data.writeBigUInt64BE(value, this.offset);
	}

	raw(value: Buffer): void {
		this.data.set(value, this.offset);
		this.offset += value.length;
	}

	bytes(value: Buffer): void {
		this.u32(value.length);
		this.raw(value);
	}

	/** The whole buffer; throws when its size was computed wrongly. */
	done(): Buffer {
		if (this.offset !== this.data.length) {
			throw new FormatError(`wrote ${this.offset} bytes of ${this.data.length}`);
		}
		return this.data;
	}
}
