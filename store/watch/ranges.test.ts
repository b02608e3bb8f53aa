import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { RangeIndex } from "./ranges.ts";

describe("range index", () => {
	for (const seed of [1, 2, 3]) {
		it(`agrees with a list of intervals, seed ${seed}`, () => {
			const random = seededRandom(seed);
			const index = new RangeIndex<string>();
			const model = new Map<string, [string, string]>();
			const point = () => String.fromCharCode(97 + random.int(20), 97 + random.int(5));
			for (let i = 0; i < 4000; i++) {
				const [start, end] = [point(), random.int(10) === 0 ? "\uffff" : point()];
				const name = `${start}-${end}`;
				if (model.has(name)) {
					if (random.int(2) === 0) {
						index.delete(start, end);
						model.delete(name);
					}
				} else {
					model.set(name, [start, end]);
					index.insert(start, end, name);
				}
				if (random.int(3) === 0 && model.size > 0) {
					const [other, range] = [...model][random.int(model.size)]!;
					index.delete(...range);
					model.delete(other);
				}
				const key = point();
				const found: string[] = [];
				index.stab(key, (value) => found.push(value));
				const expected = [...model].filter(([, [from, to]]) => from <= key && key < to).map(([one]) => one);
				assert.deepEqual(found.sort(), expected.sort());
				assert.equal(index.size, model.size);
				assert.equal(index.get(start, end), model.has(name) ? name : undefined);
			}
			const all: string[] = [];
			index.each((value) => all.push(value));
			assert.deepEqual(all.sort(), [...model.keys()].sort());
		});
	}
});
