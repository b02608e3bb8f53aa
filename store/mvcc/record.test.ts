import assert from "node:assert/strict";
import { decodeRecord, encodeRecord, encodeTombstone, readRevisionKey, recordKey, revisionKey } from "./record.ts";

const key = Buffer.from("key");
const none = Buffer.alloc(0);

describe("records", () => {
	it("are mvccpb.KeyValue as protobuf marshals it", () => {
		const record = encodeRecord(key, 2, 300, 1, Buffer.from("value"), 5n);
		assert.equal(record.toString("hex"), "0a036b6579100218ac0220012a0576616c75653005");
		assert.equal(encodeRecord(key, 2, 3, 1, none, 0n).toString("hex"), "0a036b6579100218032001");
		assert.equal(encodeTombstone(key).toString("hex"), "0a036b6579");
	});

	it("hold the whole range of numbers and lengths", () => {
		for (const number of [
			0x7f,
			0x80,
			0x3fff,
			0x4000,
			2 ** 28,
			2 ** 31 - 1,
			2 ** 31,
			2 ** 32,
			2 ** 35,
			2 ** 42,
			2 ** 53 - 1,
		]) {
			for (const lease of [0n, 1n, 127n, 128n, 2n ** 63n - 1n, 2n ** 64n - 1n]) {
				const value = Buffer.alloc(number % 20_000, 1);
				const kv = decodeRecord(encodeRecord(key, number, number, number, value, lease));
				assert.deepEqual(kv, { key, createRevision: number, modRevision: number, version: number, value, lease });
			}
		}
		assert.deepEqual(recordKey(encodeTombstone(Buffer.alloc(300, 7))), Buffer.alloc(300, 7));
	});

	it("refuse to be read when damaged", () => {
		const record = encodeRecord(key, 2, 3, 1, Buffer.from("value"), 0n);
		assert.throws(() => decodeRecord(record.subarray(0, 12)), /cut short/);
		assert.throws(() => decodeRecord(Buffer.from([0x3a, 1, 1])), /unknown field/);
	});

	it("lie under revision keys that order by revision", () => {
		const prefix = Buffer.from("p");
		const revisions = [
			[1, 0],
			[1, 1],
			[1, 300],
			[2, 0],
			[256, 0],
			[2 ** 32, 0],
			[2 ** 40, 2],
		] as const;
		const keys = revisions.map(([main, sub]) => revisionKey(prefix, main, sub, main === 2));
		assert.deepEqual([...keys].sort(Buffer.compare), keys);
		for (const [i, [main, sub]] of revisions.entries()) {
			assert.deepEqual(readRevisionKey(keys[i]!, 1), { main, sub, tombstone: main === 2 });
		}
		assert.equal(keys[3]!.toString("latin1"), "p\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0t");
		assert.throws(() => readRevisionKey(Buffer.from("short"), 0), /not a revision key/);
	});
});
