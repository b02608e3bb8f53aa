import assert from "node:assert/strict";
import { mayBegin } from "./bootstrap.ts";
import type { Standing } from "./incarnations.ts";

const standing = (begun: boolean, term: number): Standing => ({ data: 1n, starts: 1, nonce: 1n, begun, term });
const fresh = standing(false, 0);
const waiting = standing(true, 0);
const led = standing(true, 3);

/** All ways to choose `count` of `from`. */
function choices<T>(from: readonly T[], count: number): T[][] {
	if (count === 0) return [[]];
	return from.flatMap((one, at) => choices(from.slice(at + 1), count - 1).map((rest) => [one, ...rest]));
}

describe("store/member/bootstrap", () => {
	it("lets a new cluster begin with a quorum, and one member alone", () => {
		assert.equal(mayBegin(1, []), true);
		assert.equal(mayBegin(2, []), false);
		assert.equal(mayBegin(2, [fresh]), true);
		assert.equal(mayBegin(3, [fresh]), true);
		assert.equal(mayBegin(3, [waiting]), true);
		assert.equal(mayBegin(5, [fresh]), false);
		assert.equal(mayBegin(5, [fresh, waiting]), true);
	});

	it("lets one that is late join when as many answer as must know it if it is not new", () => {
		assert.equal(mayBegin(3, [led]), false);
		assert.equal(mayBegin(3, [led, fresh]), false);
		assert.equal(mayBegin(3, [led, led]), true);
		assert.equal(mayBegin(5, [led, led]), false);
		assert.equal(mayBegin(5, [led, led, fresh, fresh]), false);
		assert.equal(mayBegin(5, [led, led, waiting]), true);
	});

	it("never lets one begin twice where elections took place, whoever it asked the first time and the second", () => {
		for (let size = 2; size <= 7; size++) {
			const others = Array.from({ length: size - 1 }, (_, i) => i);
			const quorum = Math.floor(size / 2) + 1;
			for (const first of choices(others, quorum - 1)) {
				for (let count = 0; count < size; count++) {
					for (const second of choices(others, count)) {
						// Those asked the first time would refuse: they may begin again only without any of them.
						if (second.some((one) => first.includes(one))) continue;
						const answers = second.map(() => led);
						assert.equal(mayBegin(size, answers), false, `size ${size}: first ${first}, then ${second}`);
					}
				}
			}
		}
	});
});
