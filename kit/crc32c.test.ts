import assert from "node:assert/strict";
import { crc32c } from "./crc32c.ts";
import { seededRandom } from "./random.ts";

/** The definition, a bit at a time. */
function slow(data: Buffer): number {
	let crc = 0xffffffff;
	for (const byte of data) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
	}
	return ~crc >>> 0;
}

describe("kit/crc32c", () => {
	it("gives RFC 3720's examples", () => {
		assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
		assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
		assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
		assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), 0x46dd794e);
		assert.equal(crc32c(Buffer.alloc(0)), 0);
	});

	it("agrees with the definition at every length and alignment, whole and in parts", () => {
		const random = seededRandom(1);
		for (let length = 0; length < 70; length++) {
			const data = random.bytes(length + 8).subarray(length % 8, (length % 8) + length);
			assert.equal(crc32c(data), slow(data));
			const cut = random.int(length + 1);
			assert.equal(crc32c(data.subarray(cut), crc32c(data.subarray(0, cut))), slow(data));
		}
	});
});
