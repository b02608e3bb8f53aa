import assert from "node:assert/strict";
import { append, greatest, smallest } from "./lists.ts";

describe("lists of any length", () => {
	const long = Array.from({ length: 1_000_000 }, (_, i) => i);

	it("append takes a million elements, where a spread throws", () => {
		const list = [-1];
		assert.throws(() => [].push(...(long as never[])), RangeError);
		append(list, long);
		assert.equal(list.length, 1_000_001);
		assert.deepEqual([list[0], list[1], list.at(-1)], [-1, 0, 999_999]);
	});

	it("greatest and smallest answer as Math.max and Math.min", () => {
		assert.deepEqual([greatest(long), smallest(long)], [999_999, 0]);
		assert.deepEqual([greatest([], 0), smallest([], 7)], [0, 7]);
		assert.deepEqual([greatest([]), smallest([])], [Math.max(), Math.min()]);
		assert.deepEqual([greatest([1, Number.NaN]), smallest([1, Number.NaN])], [Number.NaN, Number.NaN]);
	});
});
