import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { createListReader, ListFormatError } from "./list-stream.ts";

/** Reads `text` in pieces that end at `cuts`. */
function read(text: string, cuts: readonly number[]): { items: unknown[]; envelope: Record<string, unknown> } {
	const items: unknown[] = [];
	const reader = createListReader((item) => void items.push(JSON.parse(item)));
	const bytes = Buffer.from(text);
	let from = 0;
	for (const cut of [...cuts, bytes.length]) {
		reader.push(bytes.subarray(from, cut));
		from = cut;
	}
	return { items, envelope: reader.end() };
}

const list = {
	kind: "PodList",
	apiVersion: "v1",
	metadata: { resourceVersion: "7", items: [1, { a: [] }], 'a"b\\': "it\\em}s" },
	items: [
		{ metadata: { name: "ä\u{1f600}" }, items: [[{}], "}"] },
		{ a: '{"items":[{' },
		{},
		{ "items\\": { items: [{ x: "\\" }] } },
	],
	extra: { items: [{ no: true }] },
};

describe("a list read as it comes", () => {
	for (const [name, text] of [
		["compact", JSON.stringify(list)],
		["pretty", JSON.stringify(list, null, 2)],
	] as const) {
		it(`gives items and surroundings wherever the bytes are cut (${name})`, () => {
			const { items, ...envelope } = list;
			const expected = { items, envelope: { ...envelope, items: [] } };
			const { length } = Buffer.from(text);
			for (let cut = 0; cut <= length; cut++) assert.deepEqual(read(text, [cut]), expected, `cut at ${cut}`);
			assert.deepEqual(
				read(
					text,
					Array.from({ length }, (_, i) => i),
				),
				expected,
				"byte by byte",
			);
		});
	}

	it("takes lists without items", () => {
		for (const text of ['{"kind":"L","items":null}', '{"kind":"L"}', '{"kind":"L","items":[]}', '{"items":[ ]}']) {
			assert.deepEqual(read(text, []).items, []);
		}
	});

	it("holds no more than one item, however many there are", () => {
		let most = 0;
		let seen = 0;
		const reader = createListReader(() => void seen++);
		reader.push(Buffer.from('{"kind":"L","items":['));
		const item = Buffer.from(`{"a":"${"x".repeat(1000)}"},`);
		for (let i = 0; i < 5000; i++) {
			const at = seededRandom(i).int(item.length);
			reader.push(item.subarray(0, at));
			most = Math.max(most, reader.held);
			reader.push(item.subarray(at));
		}
		reader.push(Buffer.from("{}]}"));
		reader.end();
		assert.equal(seen, 5001);
		assert(most < 1100, `${most} bytes held`);
	});

	it("refuses what is no list, or breaks off", () => {
		for (const text of [
			"",
			"{",
			'{"items":[{}',
			'{"items":[1]}',
			'{"items":[[]]}',
			"}",
			"nonsense",
			'{"items":["a"]}',
		]) {
			assert.throws(() => read(text, []), ListFormatError, text);
		}
	});
});
