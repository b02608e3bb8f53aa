import assert from "node:assert/strict";
import process from "node:process";
import { seededRandom } from "../../kit/random.ts";
import { OrderedMap } from "./ordered.ts";

describe("cache/ordered", () => {
	it("agrees with a sorted array under random writes, and snapshots stay as they were", () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? 20261121);
		console.log(`    seed ${seed}`);
		const random = seededRandom(seed);
		const map = new OrderedMap<{ key: string; value: number }>();
		const twin = new Map<string, number>();
		const kept: { view: ReturnType<typeof map.snapshot>; copy: [string, number][] }[] = [];
		for (let step = 0; step < 6000; step++) {
			const key = `/r/${String.fromCharCode(97 + random.int(3))}/${random.int(700)}`;
			if (random.int(3) === 0) {
				assert.equal(map.delete(key)?.value, twin.get(key));
				twin.delete(key);
			} else {
				assert.equal(map.set({ key, value: step })?.value, twin.get(key));
				twin.set(key, step);
			}
			if (random.int(500) === 0) {
				kept.push({ view: map.snapshot(), copy: [...twin].sort(([a], [b]) => (a < b ? -1 : 1)) });
			}
		}
		assert.equal(map.size, twin.size);
		for (const { view, copy } of kept) {
			assert.deepEqual(
				[...view.range("/r/")].map((item) => [item.key, item.value]),
				copy,
			);
			const from = "/r/b/35";
			const expected = copy.filter(([key]) => key.startsWith("/r/b/") && key >= from);
			assert.equal(view.count("/r/b/", from), expected.length);
			assert.deepEqual(
				[...view.range("/r/b/", from)].map((item) => item.key),
				expected.map(([key]) => key),
			);
			assert.equal(view.get(copy[0]?.[0] ?? "")?.value, copy[0]?.[1]);
		}
	});
});
