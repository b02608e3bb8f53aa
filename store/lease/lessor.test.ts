import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { StoreError, type StoreErrorCode } from "../api.ts";
import { DeadlineHeap } from "./heap.ts";
import { Lessor } from "./lessor.ts";

const fails = (code: StoreErrorCode, run: () => unknown) =>
	assert.throws(run, (error) => error instanceof StoreError && error.code === code);

describe("lessor", () => {
	it("grants at least the minimum, at most etcd's maximum, each id once", () => {
		const lessor = new Lessor();
		assert.equal(lessor.grant(1n, 10, 0), 10);
		assert.equal(lessor.grant(2n, -5, 0), 1);
		fails("lease_exists", () => lessor.grant(1n, 10, 0));
		fails("lease_ttl_too_large", () => lessor.grant(3n, 9_000_000_001, 0));
		fails("lease_not_found", () => lessor.revoke(3n));
	});

	it("renews until the deadline and not after it", () => {
		const lessor = new Lessor();
		lessor.grant(1n, 10, 0);
		assert.equal(lessor.renew(1n, 9_999), 10);
		assert.deepEqual(lessor.expired(10_000, 10), []);
		assert.equal(lessor.isExpired(1n, 19_998), false);
		assert.deepEqual(lessor.expired(19_999, 10), [1n]);
		assert.equal(lessor.renew(1n, 19_999), 0);
		assert.deepEqual(lessor.expired(19_999, 10), [1n], "expired stays until it is revoked");
		assert.equal(lessor.renew(2n, 0), 0);
	});

	it("knows which keys it holds; a key has one lease", () => {
		const lessor = new Lessor();
		lessor.grant(1n, 10, 0);
		lessor.grant(2n, 10, 0);
		lessor.attach(1n, "a");
		lessor.attach(1n, "b");
		lessor.detach("b");
		lessor.attach(2n, "b");
		lessor.attach(9n, "c");
		assert.equal(lessor.leaseOf("b"), 2n);
		assert.equal(lessor.leaseOf("c"), 0n);
		assert.deepEqual(lessor.revoke(1n), ["a"]);
		assert.equal(lessor.leaseOf("a"), 0n);
		assert.deepEqual([...lessor.takeDirty()], [1n, 2n]);
		assert.deepEqual([...lessor.takeDirty()], []);
	});

	it("lists by deadline", () => {
		const lessor = new Lessor();
		lessor.grant(1n, 30, 0);
		lessor.grant(2n, 10, 0);
		lessor.grant(3n, 20, 0);
		assert.deepEqual(lessor.list(), [2n, 3n, 1n]);
	});
});

describe("deadline heap", () => {
	it("agrees with sorting, with renewals and removals in between", () => {
		const random = seededRandom(7);
		const heap = new DeadlineHeap();
		const live = new Map<bigint, { id: bigint; deadline: number; heapDeadline: number }>();
		let now = 0;
		for (let i = 1; i < 3000; i++) {
			const item = { id: BigInt(i), deadline: now + random.int(100), heapDeadline: 0 };
			live.set(item.id, item);
			heap.push(item);
			const all = [...live.values()];
			const renewed = all[random.int(all.length)]!;
			if (random.int(2) === 0) renewed.deadline += random.int(50);
			if (random.int(3) === 0) {
				const removed = all[random.int(all.length)]!;
				live.delete(removed.id);
				heap.remove(removed);
			}
			now += random.int(3);
			const limit = 1 + random.int(5);
			const due = heap.due(now, limit);
			const expected = [...live.values()].filter((one) => one.deadline <= now);
			assert.equal(due.length, Math.min(limit, expected.length));
			for (const one of due) {
				assert.ok(expected.includes(one));
				live.delete(one.id);
				heap.remove(one);
			}
		}
	});
});
