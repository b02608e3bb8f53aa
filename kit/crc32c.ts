/** CRC32C (Castagnoli polynomial, RFC 3720 appendix B.4), slicing by eight. `zlib.crc32` is another polynomial. */
const polynomial = 0x82f63b78;

/** Eight tables of 256 in one array: `tables[k * 256 + b]` is the effect of byte `b` with `k` bytes after it. */
const tables = makeTables();

function makeTables(): Uint32Array {
	const table = new Uint32Array(8 * 256);
	for (let byte = 0; byte < 256; byte++) {
		let crc = byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
		table[byte] = crc;
	}
	for (let k = 1; k < 8; k++) {
		for (let byte = 0; byte < 256; byte++) {
			const before = table[(k - 1) * 256 + byte]!;
			table[k * 256 + byte] = (before >>> 8) ^ table[before & 0xff]!;
		}
	}
	return table;
}

/**
 * The checksum of everything `previous` covered followed by `data`: `crc32c(b, crc32c(a))` equals
 * `crc32c(Buffer.concat([a, b]))`. Unsigned 32-bit; 0 for nothing.
 */
export function crc32c(data: Uint8Array, previous = 0): number {
	const t = tables;
	const length = data.length;
	const bulk = length - (length & 7);
	let crc = ~previous;
	let i = 0;
	for (; i < bulk; i += 8) {
		crc ^= data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
		crc =
			t[1792 + (crc & 0xff)]! ^
			t[1536 + ((crc >>> 8) & 0xff)]! ^
			t[1280 + ((crc >>> 16) & 0xff)]! ^
			t[1024 + (crc >>> 24)]! ^
			t[768 + data[i + 4]!]! ^
			t[512 + data[i + 5]!]! ^
			t[256 + data[i + 6]!]! ^
			t[data[i + 7]!]!;
	}
	for (; i < length; i++) crc = (crc >>> 8) ^ t[(crc ^ data[i]!) & 0xff]!;
	return ~crc >>> 0;
}
