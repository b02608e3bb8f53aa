import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import {
	type AnyCondition,
	controllerOf,
	controllerReference,
	deepClone,
	deepEqual,
	formatMicroTime,
	formatTime,
	generateName,
	isControlledBy,
	isDeeperThan,
	semanticEqual,
	withCondition,
	withFinalizer,
	withoutFinalizer,
} from "./meta.ts";

describe("metadata", () => {
	it("generates names of at most 63 characters from a safe alphabet", () => {
		const random = seededRandom(7);
		assert.match(generateName("web-", random), /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
		const long = generateName("x".repeat(100), random);
		assert.equal(long.length, 63);
		assert.equal(long.slice(0, 58), "x".repeat(58));
	});

	it("makes and reads controller references", () => {
		const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "r", uid: "u1" } };
		const pod = { metadata: { ownerReferences: [{ uid: "u0" }, controllerReference(owner)] } };
		assert.equal(controllerOf(pod)?.name, "r");
		assert.equal(isControlledBy(pod, owner), true);
		assert.equal(isControlledBy(pod, { metadata: {} }), false);
		assert.equal(isControlledBy({ metadata: {} }, { metadata: {} }), false);
	});

	it("keeps a condition's transition time unless its status changes", () => {
		const first = withCondition<AnyCondition>([], { type: "Ready", status: "False" }, "t1");
		const same = withCondition(first, { type: "Ready", status: "False", reason: "x" }, "t2");
		assert.deepEqual(same, [{ type: "Ready", status: "False", reason: "x", lastTransitionTime: "t1" }]);
		const changed = withCondition<AnyCondition>(same, { type: "Ready", status: "True" }, "t3");
		assert.equal(changed[0]?.lastTransitionTime, "t3");
		assert.equal(changed.length, 1);
	});

	it("edits finalizers without repetition", () => {
		assert.deepEqual(withFinalizer(["a"], "a"), ["a"]);
		assert.deepEqual(withFinalizer(undefined, "a"), ["a"]);
		assert.deepEqual(withoutFinalizer(["a", "b"], "a"), ["b"]);
	});

	it("compares and copies JSON", () => {
		assert.equal(deepEqual({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }), true);
		assert.equal(deepEqual({ a: 1, b: 2 }, { b: 2, a: 1 }), true);
		assert.equal(deepEqual({ a: undefined }, {}), true);
		assert.equal(deepEqual({ a: null }, {}), false);
		assert.equal(deepEqual([1, 2], [2, 1]), false);
		assert.equal(deepEqual({ 0: 1 }, [1]), false);
		assert.equal(semanticEqual({ a: [], b: {} }, {}), true);
		assert.equal(semanticEqual({ a: [1] }, {}), false);
		const hostile = JSON.parse('{"__proto__":{"x":1},"a":[{}]}') as Record<string, unknown>;
		const copy = deepClone(hostile);
		assert.equal(Object.hasOwn(copy, "__proto__"), true);
		assert.equal(Object.getPrototypeOf(copy), Object.prototype);
		assert.equal(deepEqual(hostile, copy), true);
		assert.notEqual(copy["a"], hostile["a"]);
	});

	it("measures depth without recursion", () => {
		let deep: unknown = 1;
		for (let i = 0; i < 100_000; i++) deep = [deep];
		assert.equal(isDeeperThan(deep, 1000), true);
		assert.equal(isDeeperThan({ a: [1] }, 2), false);
		assert.equal(isDeeperThan({ a: [[1]] }, 1), true);
	});

	it("writes times as the API does", () => {
		assert.equal(formatTime(1_700_000_000_123), "2023-11-14T22:13:20Z");
		assert.equal(formatMicroTime(1_700_000_000_123), "2023-11-14T22:13:20.123000Z");
	});
});
