import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { pack, unpack } from "./protocol.ts";
import { packElements, packSlices } from "./slices.ts";

const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 2 ** 31);

describe("store/native/slices", () => {
	it("are together what one piece is, and none is much longer than its limit", () => {
		console.log(`      BARQUE_SEED=${seed}`);
		const random = seededRandom(seed);
		const make = (depth: number): unknown => {
			const what = random.int(depth > 0 ? 7 : 5);
			if (what === 0) return random.int(2 ** 31);
			if (what === 1) return "é".repeat(random.int(40));
			if (what === 2) return random.bytes(random.int(3) === 0 ? 70_000 : random.int(600));
			if (what === 3) return random.bytes(8).readBigUInt64BE();
			if (what === 4) return [null, true, false][random.int(3)];
			const length = [3, 15, 16, 40, 70_000][random.int(depth === 3 ? 5 : 4)]!;
			if (length === 70_000) return Array.from({ length }, () => 7);
			return Array.from({ length }, () => make(depth - 1));
		};
		for (let round = 0; round < 60; round++) {
			const value = make(3);
			const limit = 64 << random.int(12);
			const slices = [...packSlices(value, limit)];
			assert.deepEqual(unpack(Buffer.concat(slices)), unpack(pack(value)));
			for (const slice of slices) assert.ok(slice.length <= limit + 16, `${slice.length} with ${limit}`);
		}
	});

	it("leave the head of an array out for its elements", () => {
		for (const length of [0, 1, 15, 16, 65_535, 65_536]) {
			const elements = Array.from({ length }, () => 1);
			assert.deepEqual(packElements(elements), Buffer.alloc(length, 1));
		}
	});
});
