import assert from "node:assert/strict";
import type { RangeRequest, StoreError } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { bytes, Driver } from "../machine/testing/driver.ts";
import { type Replica, type RequestLimits, Requests } from "./requests.ts";

describe("store/member/requests: long ranges", () => {
	let d: Driver;
	let turns: number;
	const all = { key: bytes("\0"), rangeEnd: bytes("\0") };
	const make = (limits: Partial<RequestLimits> = {}, inTurn: () => void = () => {}) => {
		turns = 0;
		const replica = { machine: d.machine, linearizableRead: async () => {} } as unknown as Replica;
		const turn = async () => {
			turns++;
			inTurn();
		};
		return new Requests(replica, { rangePageKeys: 10, turn, ...limits });
	};

	beforeEach(async () => {
		d = await Driver.open(new MemoryEngine());
		for (let i = 0; i < 95; i++) d.put(`k${String(i).padStart(3, "0")}`, `v${i}`);
	});
	afterEach(() => d.machine.close());

	it("are the answer of one moment, though others write meanwhile", async () => {
		const cases: Partial<RangeRequest>[] = [
			{},
			{ limit: 10 },
			{ limit: 11 },
			{ limit: 40 },
			{ limit: 94 },
			{ limit: 95 },
			{ limit: 96 },
			{ revision: 50 },
			{ revision: 50, limit: 30 },
			{ key: bytes("k05"), rangeEnd: bytes("k08") },
			{ keysOnly: true },
			{ countOnly: true },
			{ sortTarget: "mod", sortOrder: "descend", limit: 50 },
			{ minModRevision: 40 },
		];
		for (const one of cases) {
			const request = { ...all, ...one };
			const { revision } = d.machine;
			const expected = d.machine.range(request);
			let n = 0;
			const requests = make({}, () => {
				d.put(`k${String(n).padStart(3, "0")}`, "changed");
				d.del(`k${String(94 - n++).padStart(3, "0")}`);
				d.put(`k0${n}x`, "new");
			});
			const { header, ...answer } = await requests.range(request);
			assert.deepEqual(answer, expected, JSON.stringify(one));
			assert.equal(header.revision, revision);
		}
	});

	it("let others run between pieces, of which short ones have one", async () => {
		await make().range({ ...all, limit: 10 });
		assert.equal(turns, 0);
		await make().range(all);
		assert.equal(turns, 9);
	});

	it("end a piece early when its values are large", async () => {
		for (let i = 0; i < 5; i++) d.put(`k00${i}`, "x".repeat(100));
		const answer = await make({ rangePageBytes: 150 }).range({ ...all, limit: 20 });
		assert.equal(answer.kvs.length, 20);
		assert.ok(turns >= 3, `${turns} turns`);
		assert.equal(answer.more, true);
	});

	it("begin anew when their revision is compacted under them, unless it was asked for", async () => {
		const compacting = () =>
			make({}, () => {
				if (turns !== 2) return;
				d.put("k000", "changed");
				d.run({ kind: "compact", revision: d.machine.revision });
			});
		const answer = await compacting().range(all);
		assert.equal(answer.kvs[0]?.value.toString(), "changed");
		assert.equal(answer.kvs.length, 95);
		assert.equal(answer.header.revision, d.machine.revision);
		const old = compacting().range({ ...all, revision: d.machine.revision });
		await assert.rejects(old, (error: StoreError) => error.code === "compacted");
	});

	it("take their turns when there are many", async () => {
		const requests = make();
		const answers = await Promise.all(Array.from({ length: 20 }, () => requests.range(all)));
		assert.ok(answers.every(({ kvs }) => kvs.length === 95));
		const failing = Array.from({ length: 20 }, () => requests.range({ ...all, revision: 1000 }));
		assert.equal((await Promise.allSettled(failing)).filter(({ status }) => status === "rejected").length, 20);
		assert.equal((await requests.range(all)).kvs.length, 95);
	});

	it("are refused above the limit on an answer", async () => {
		const refused = (error: StoreError) => error.code === "invalid_argument" && /above 300 bytes/.test(error.message);
		await assert.rejects(make({ maxAnswerBytes: 300 }).range(all), refused);
		assert.ok(turns < 9, "before all of it is read");
		await assert.rejects(make({ maxAnswerBytes: 300 }).range({ ...all, sortTarget: "mod" }), refused);
		assert.equal((await make({ maxAnswerBytes: 300 }).range({ ...all, limit: 20 })).kvs.length, 20);
	});
});
