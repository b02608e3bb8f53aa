import assert from "node:assert/strict";
import { describeAnswer, describeRequest } from "./model-text.ts";

describe("chaos/checkers: requests to the whole store, in words", () => {
	it("say all that matters of a request", () => {
		assert.equal(describeRequest({ op: "put", key: "a", value: "x", lease: "7" }), "put a x lease 7");
		assert.equal(
			describeRequest({ op: "range", key: "a", end: "c", limit: 2, revision: 5 }),
			"range a..c limit 2 at revision 5",
		);
		assert.equal(describeRequest({ op: "range", key: "a", limit: 0 }), "range a");
		assert.equal(describeRequest({ op: "lease_grant", lease: "7" }), "lease_grant 7");
		const compare = [{ key: "a", target: "value", result: "not_equal", operand: "x" }] as const;
		const success = [{ op: "delete", key: "a", end: "b" }] as const;
		assert.equal(
			describeRequest({ op: "txn", compare, success, failure: [] }),
			"if value(a) ≠ x then delete a..b else nothing",
		);
	});

	it("and of an answer", () => {
		const kv = { key: "a", value: "x", createRevision: 3, modRevision: 5, version: 2, lease: "" };
		const range = { op: "range", kvs: [kv], count: 3 } as const;
		assert.equal(describeAnswer({ revision: 7, answers: [range] }), "revision 7: [a=x@5 v2] of 3");
		assert.equal(describeAnswer({ revision: 7, succeeded: true, answers: [{ op: "put" }] }), "revision 7");
		assert.equal(
			describeAnswer({
				revision: 7,
				succeeded: false,
				answers: [
					{ op: "delete", deleted: 1 },
					{ ...range, count: 1 },
				],
			}),
			"revision 7, else: 1 deleted, [a=x@5 v2]",
		);
		assert.equal(describeAnswer({ revision: 7, refused: "compacted" }), "revision 7, refused: compacted");
	});
});
