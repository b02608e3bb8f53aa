/** What a cycle is told as. */
import assert from "node:assert/strict";
import { checkListAppend, type MicroOp, type Transaction } from "./cycles.ts";

const append = (key: string, value: string): MicroOp => ({ f: "append", key, value });
const read = (key: string, ...list: string[]): MicroOp => ({ f: "read", key, list });

function transactions(...all: MicroOp[][]): Transaction[] {
	return all.map((ops, i) => ({ name: `p${i} txn`, status: "ok", ops, invoked: i, completed: 100 + i }));
}

describe("chaos/checkers: cycles as witnesses", () => {
	it("name their transactions, and say of each edge what was done", () => {
		const skew = [
			[read("a"), append("b", "1")],
			[read("b"), append("a", "1")],
		];
		const [found, ...rest] = checkListAppend(transactions(...skew, [read("a", "1")], [read("b", "1")]), {
			realtime: false,
		});
		assert.deepEqual(rest, []);
		assert.deepEqual(found, {
			kind: "G2",
			message: "2 transactions depend on each other in a circle (rw rw)",
			witness: [
				"T1 [0 .. 100] p0 txn",
				"T2 [1 .. 101] p1 txn",
				"T1 --rw--> T2: T2 appended 1 to a, and T1 had read what was there before",
				"T2 --rw--> T1: T1 appended 1 to b, and T2 had read what was there before",
			],
			cycle: [
				{ from: "T1", to: "T2", kind: "rw", why: "T2 appended 1 to a, and T1 had read what was there before" },
				{ from: "T2", to: "T1", kind: "rw", why: "T1 appended 1 to b, and T2 had read what was there before" },
			],
		});
	});

	it("show only where they turn: steps along one list become one", () => {
		const [first, last] = [
			[append("a", "1"), append("b", "2")],
			[append("a", "9"), append("b", "1")],
		];
		const between = ["2", "3", "4", "5", "6", "7", "8"].map((value) => [append("a", value)]);
		const reads = [[read("a", "1", "2", "3", "4", "5", "6", "7", "8", "9")], [read("b", "1", "2")]];
		const found = checkListAppend(transactions(first, ...between, last, ...reads), { realtime: false });
		const cycle = found.find(({ kind }) => kind === "G0")?.cycle;
		assert.deepEqual(
			cycle?.map(({ why }) => why),
			["T2 appended 9 to a after 1", "T1 appended 2 to b after 1"],
		);
	});

	it("stay circles when all of one is along one list", () => {
		const twice = transactions([append("a", "1"), append("a", "3")], [append("a", "2")], [read("a", "1", "2", "3")]);
		const found = checkListAppend(twice, { realtime: false });
		const cycle = found.find(({ kind }) => kind === "G0")?.cycle;
		assert.deepEqual(
			cycle?.map(({ from, to }) => `${from}${to}`),
			["T1T2", "T2T1"],
		);
	});
});
