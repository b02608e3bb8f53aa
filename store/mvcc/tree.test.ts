import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { KeyHistory } from "./history.ts";
import { endOfKeys, KeyTree } from "./tree.ts";

describe("key tree", () => {
	for (const seed of [1, 2, 3]) {
		it(`agrees with a sorted list under inserts, deletes and tombstones, seed ${seed}`, () => {
			const random = seededRandom(seed);
			const tree = new KeyTree();
			const model = new Map<string, KeyHistory>();
			let revision = 0;
			const key = () => String.fromCharCode(random.int(256), random.int(seed * 4), random.int(8));
			for (let i = 0; i < 12_000; i++) {
				const one = key();
				const history = model.get(one);
				revision++;
				// Grows first, shrinks later.
				const shrink = random.int(12_000) < i;
				if (history === undefined) {
					const fresh = new KeyHistory(revision, 0, revision, 1, 1);
					model.set(one, fresh);
					tree.insert(one, fresh);
				} else if (shrink && random.int(2) === 0) {
					model.delete(one);
					assert.equal(tree.delete(one), true);
				} else {
					const alive = history.alive;
					history.push(revision, 0, 0, alive ? 0 : 1, 1);
					tree.adjustLive(one, alive ? -1 : 1);
				}
				assert.equal(tree.delete("absent"), false);
				if (i % 200 !== 0) continue;
				const sorted = [...model.keys()].sort();
				const [start, end] = random.int(4) === 0 ? ["", endOfKeys] : [key(), key()];
				const expected = sorted.filter((k) => k >= start && k < end);
				const found: string[] = [];
				tree.each(start, end, (k, value) => {
					assert.equal(value, model.get(k));
					found.push(k);
					return true;
				});
				assert.deepEqual(found, expected);
				assert.equal(tree.countLive(start, end), expected.filter((k) => model.get(k)!.alive).length);
				assert.equal(tree.size, model.size);
				assert.equal(tree.live, [...model.values()].filter((h) => h.alive).length);
			}
			for (const one of [...model.keys()]) tree.delete(one);
			assert.equal(tree.size, 0);
			assert.equal(tree.live, 0);
		});
	}

	it("stops a walk when told to", () => {
		const tree = new KeyTree();
		for (let i = 0; i < 500; i++) tree.insert(String(i).padStart(4, "0"), new KeyHistory(i + 1, 0, i + 1, 1, 1));
		const found: string[] = [];
		tree.each("0100", endOfKeys, (key) => found.push(key) < 3);
		assert.deepEqual(found, ["0100", "0101", "0102"]);
		assert.equal(tree.get("0499")?.main, 500);
		assert.equal(tree.get("0500"), undefined);
	});
});

describe("key history", () => {
	const history = () => {
		const one = new KeyHistory(2, 0, 2, 1, 1);
		one.push(4, 1, 2, 2, 1);
		one.push(6, 0, 2, 0, 1);
		one.push(8, 0, 8, 1, 1);
		return one;
	};
	const compact = (one: KeyHistory, revision: number) => {
		const dropped: string[] = [];
		const empty = one.compact(revision, (main, sub, tombstone) =>
			dropped.push(`${main}.${sub}${tombstone ? "t" : ""}`),
		);
		return `${dropped.join(" ")}${empty ? " empty" : ""}`;
	};

	it("finds the last record at or before a revision", () => {
		const one = history();
		const at = (revision: number) => {
			const position = one.locate(revision);
			return position < 0 ? undefined : [one.mainAt(position), one.subAt(position), one.versionAt(position)];
		};
		assert.deepEqual(at(1), undefined);
		assert.deepEqual(at(3), [2, 0, 1]);
		assert.deepEqual(at(5), [4, 1, 2]);
		assert.deepEqual(at(7), [6, 0, 0]);
		assert.deepEqual(at(99), [8, 0, 1]);
	});

	it("keeps what a reader or watcher from the compacted revision on can see", () => {
		assert.equal(compact(history(), 1), "");
		assert.equal(compact(history(), 3), "");
		assert.equal(compact(history(), 5), "2.0");
		assert.equal(compact(history(), 6), "2.0 4.1", "a tombstone of the very revision stays");
		assert.equal(compact(history(), 7), "2.0 4.1 6.0t");
		assert.equal(compact(history(), 8), "2.0 4.1 6.0t");
		const deleted = new KeyHistory(2, 0, 2, 1, 1);
		deleted.push(3, 0, 2, 0, 1);
		assert.equal(compact(deleted, 3), "2.0");
		assert.equal(compact(deleted, 4), "3.0t empty");
	});

	it("refuses revisions out of order", () => {
		assert.throws(() => history().push(8, 0, 8, 2, 1), /does not follow/);
	});
});
