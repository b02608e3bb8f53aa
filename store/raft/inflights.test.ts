import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { Inflights } from "./inflights.ts";

describe("raft: inflights", () => {
	it("agrees with a plain list, through growth and wrap-around", () => {
		const random = seededRandom(7);
		for (let round = 0; round < 50; round++) {
			const maxCount = 1 + random.int(20);
			const maxBytes = 1 + random.int(200);
			const inflights = new Inflights(maxCount, maxBytes);
			let list: { index: number; bytes: number }[] = [];
			for (let n = 0, index = 0; n < 200; n++) {
				if (!inflights.full && random.int(3) > 0) {
					index += 1 + random.int(3);
					const bytes = random.int(40);
					inflights.add(index, bytes);
					list.push({ index, bytes });
				} else if (random.int(40) === 0) {
					inflights.reset();
					list = [];
				} else {
					const to = index - random.int(12);
					inflights.freeTo(to);
					list = list.filter((one) => one.index > to);
				}
				const bytes = list.reduce((sum, one) => sum + one.bytes, 0);
				assert.equal(inflights.count, list.length);
				assert.equal(inflights.full, list.length >= maxCount || bytes >= maxBytes);
			}
		}
	});
});
