import assert from "node:assert/strict";
import type { StoreError, TxnRequest } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { bytes, Driver } from "../machine/testing/driver.ts";
import { type Replica, Requests } from "./requests.ts";

const key = bytes("k1");
const all = { op: "range", key: bytes("k"), rangeEnd: bytes("l") } as const;

describe("store/member/requests: transactions that only read", () => {
	let d: Driver;
	let confirmed: number;
	let proposed: number;
	let inTurn: () => void;
	let requests: Requests;

	beforeEach(async () => {
		d = await Driver.open(new MemoryEngine());
		for (let i = 0; i < 50; i++) d.put(`k${i}`, `v${i}`);
		confirmed = 0;
		proposed = 0;
		inTurn = () => {};
		const replica = {
			machine: d.machine,
			clusterId: 1n,
			memberId: 2n,
			term: 3,
			linearizableRead: async () => void confirmed++,
			propose: async () => {
				proposed++;
				throw new Error("not of a read");
			},
		} as unknown as Replica;
		requests = new Requests(replica, { rangePageKeys: 10, turn: async () => inTurn() });
	});
	afterEach(() => d.machine.close());

	const cases: Readonly<Record<string, TxnRequest>> = {
		"a chosen branch": {
			compare: [{ key, target: "value", result: "equal", operand: bytes("v1") }],
			success: [{ op: "range", key }, { op: "range", key: bytes("none") }, all, { op: "range", key }],
			failure: [],
		},
		"the other branch": {
			compare: [{ key, target: "version", result: "greater", operand: 7 }],
			success: [],
			failure: [
				{ ...all, limit: 3 },
				{ ...all, countOnly: true },
			],
		},
		"nested ones": {
			compare: [],
			success: [
				{
					op: "txn",
					compare: [{ key, target: "create", result: "equal", operand: 0 }],
					success: [{ op: "range", key }],
					failure: [{ ...all, sortTarget: "mod", sortOrder: "descend", limit: 2 }],
				},
				{ ...all, revision: 20 },
			],
			failure: [],
		},
		"compares alone": {
			compare: [{ key, target: "mod", result: "equal", operand: 3 }],
			success: [],
			failure: [],
		},
	};
	for (const [name, request] of Object.entries(cases)) {
		it(`answer as the log would, without it: ${name}`, async () => {
			const { revision } = d.machine;
			const outcome = d.run({ kind: "txn", ...request });
			assert(outcome.kind === "txn");
			let n = 0;
			inTurn = () => {
				d.put("k1", `changed ${n++}`);
				d.del(`k${10 + n}`);
			};
			const { header, ...result } = await requests.txn(request);
			assert.deepEqual(result, outcome.result);
			assert.equal(header.revision, revision);
			assert.equal(proposed, 0);
			assert.equal(confirmed, 1);
		});
	}

	it("ask nobody when each range may be stale", async () => {
		const stale = { op: "range", key, serializable: true } as const;
		await requests.txn({ compare: [], success: [stale], failure: [stale] });
		assert.equal(confirmed, 0);
		await requests.txn({ compare: [], success: [stale], failure: [{ op: "range", key }] });
		assert.equal(confirmed, 1);
		await requests.txn({ compare: [{ key, target: "mod", result: "equal", operand: 3 }], success: [], failure: [] });
		assert.equal(confirmed, 2);
		assert.equal(proposed, 0);
	});

	it("are refused for what the chosen branch cannot read, and begin anew when overtaken by a compaction", async () => {
		const code = (wanted: string) => (error: StoreError) => error.code === wanted;
		const future = requests.txn({ compare: [], success: [{ ...all, revision: 10_000 }], failure: [] });
		await assert.rejects(future, code("future_revision"));
		await requests.txn({ compare: [], success: [all], failure: [{ ...all, revision: 10_000 }] });
		let compacted = false;
		inTurn = () => {
			if (compacted) return;
			compacted = true;
			d.put("k1", "changed");
			d.run({ kind: "compact", revision: d.machine.revision });
		};
		const { responses } = await requests.txn({ compare: [], success: [all], failure: [] });
		const [range] = responses;
		assert(range?.op === "range");
		assert.equal(range.kvs.find((kv) => kv.key.equals(key))?.value.toString(), "changed");
		const old = requests.txn({ compare: [], success: [{ ...all, revision: 5 }], failure: [] });
		await assert.rejects(old, code("compacted"));
	});

	it("are not read on for who is gone", async () => {
		let turns = 0;
		const caller = { abandoned: false };
		inTurn = () => {
			caller.abandoned = ++turns === 2;
		};
		const gone = { code: "closed" };
		await assert.rejects(requests.txn({ compare: [], success: [all], failure: [] }, {}, caller), gone);
		assert.equal(turns, 2);
		caller.abandoned = false;
		turns = 0;
		await assert.rejects(requests.range(all, caller), gone);
		assert.equal(turns, 2);
	});

	it("go through the log where any branch writes", async () => {
		const put = { op: "put", key, value: key } as const;
		const nested = { op: "txn", compare: [], success: [], failure: [put] } as const;
		for (const writing of [put, nested]) {
			await assert.rejects(requests.txn({ compare: [], success: [all], failure: [writing] }), /not of a read/);
		}
		assert.equal(proposed, 2);
	});
});
