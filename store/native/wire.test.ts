import assert from "node:assert/strict";
import { StoreError, type TxnRequest } from "../api.ts";
import { pack, unpack } from "./protocol.ts";
import * as wire from "./wire.ts";

const b = (text: string) => Buffer.from(text);
const travel = (value: unknown) => unpack(pack(value));

describe("store/native/wire", () => {
	it("carries requests of every kind", () => {
		const range = {
			key: b("a"),
			rangeEnd: b("b"),
			limit: 7,
			revision: 2 ** 40,
			sortTarget: "mod",
			sortOrder: "descend",
			serializable: true,
			keysOnly: true,
			countOnly: false,
			minModRevision: 1,
			maxModRevision: 2,
			minCreateRevision: 3,
			maxCreateRevision: 4,
		} as const;
		assert.deepEqual(wire.rangeFromWire(travel(wire.rangeToWire(range))), range);
		const txn: TxnRequest = {
			compare: [
				{ key: b("a"), rangeEnd: undefined, target: "lease", result: "equal", operand: 2n ** 63n + 5n },
				{ key: b("a"), rangeEnd: b("c"), target: "value", result: "less", operand: b("x") },
				{ key: b("a"), rangeEnd: undefined, target: "mod", result: "not_equal", operand: 2 ** 52 },
			],
			success: [
				{ op: "put", key: b("k"), value: b("v"), lease: 9n, prevKv: true, ignoreValue: false, ignoreLease: false },
				{ op: "delete", key: b("k"), rangeEnd: b("l"), prevKv: true },
				{ op: "txn", compare: [], success: [], failure: [] },
			],
			failure: [],
		};
		assert.deepEqual(wire.txnFromWire(travel(wire.txnToWire(txn))), txn);
	});

	it("carries answers and events", () => {
		const kv = { key: b("k"), value: b("v"), createRevision: 1, modRevision: 2 ** 45, version: 3, lease: 4n };
		const result = {
			succeeded: true,
			responses: [
				{ op: "range" as const, kvs: [kv], more: true, count: 5 },
				{ op: "put" as const, prevKv: kv },
				{ op: "put" as const },
				{ op: "delete" as const, deleted: 1, prevKvs: [kv] },
				{ op: "txn" as const, succeeded: false, responses: [] },
			],
		};
		assert.deepEqual(wire.txnResultFromWire(travel(wire.txnResultToWire(result))), result);
		const event = { type: "delete" as const, kv, prevKv: kv };
		assert.deepEqual(wire.eventFromWire(travel(wire.eventToWire(event))), event);
	});

	it("names the field that is wrong", () => {
		const fails = (work: () => unknown, pattern: RegExp) =>
			assert.throws(work, (e) => e instanceof StoreError && e.code === "invalid_argument" && pattern.test(e.message));
		fails(() => wire.rangeFromWire("x"), /^range: must be an array/);
		fails(() => wire.rangeFromWire(["text"]), /^range\.key: must be bytes/);
		fails(() => wire.rangeFromWire([b("a"), null, 0, 1.5]), /^range\.limit: must be an integer/);
		fails(() => wire.rangeFromWire([b("a"), null, 0, 0, 0, 9]), /^range\.sort_target: must be 0 to 4/);
		fails(() => wire.putFromWire([b("a"), b("b"), "lease"]), /^put\.lease: must be an integer/);
		let nested: unknown[] = [[], [], []];
		for (let i = 0; i < 100; i++) nested = [[], [[3, nested]], []];
		fails(() => wire.txnFromWire(nested), /^txn: nested deeper/);
	});
});
