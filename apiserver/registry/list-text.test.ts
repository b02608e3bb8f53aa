// A list's body in every form: the same as the whole would be, and never more in hand than a chunk and an item.
import assert from "node:assert/strict";
import { Entry } from "../cache/entry.ts";
import type { Representation } from "../http/negotiate.ts";
import { decodeObject, encodeObject } from "../scheme/codec/codec.ts";
import type { KubeObject } from "../scheme/object.ts";
import { findResource, type ResourceInfo } from "../scheme/resources.ts";
import { listBody, partial } from "./list-text.ts";
import type { Page } from "./page.ts";
import type { TableOptions } from "./tables.ts";
import { decodeView, encodeView } from "./views.ts";

const maps = findResource("", "v1", "configmaps") as ResourceInfo;
const tricky = { text: 'items: []\n"rows": []\n- x', list: "[]", quote: '"\\', wide: "é€😀\u2028", empty: "" };

function pageOf(count: number, size = 10): Page {
	const entries = Array.from({ length: count }, (_, i) => {
		const object = {
			apiVersion: "v1",
			kind: "ConfigMap",
			metadata: { name: `m${i}`, namespace: "d", uid: `u${i}`, annotations: tricky },
			data: { ...tricky, filler: "x".repeat(size) },
		} as unknown as KubeObject;
		return new Entry(`/registry/configmaps/d/m${i}`, encodeView(maps, object), i + 1, 0n);
	});
	return { revision: 99, entries, continueToken: "token", remainingItemCount: 7 };
}

const forms: ReadonlyArray<Pick<Representation, "format" | "pretty">> = [
	{ format: "json", pretty: false },
	{ format: "json", pretty: true },
	{ format: "yaml", pretty: false },
	{ format: "protobuf", pretty: false },
];
const transforms = ["none", "PartialObjectMetadataList", "Table"] as const;
const table: TableOptions = { includeObject: "Metadata", now: () => 1_000_000 };

function body(page: Page, form: (typeof forms)[number], as: (typeof transforms)[number]) {
	const transform = as === "none" ? { as } : { as, version: "v1" as const };
	return listBody(maps, page, { ...form, transform }, as === "Table" ? table : undefined);
}

describe("registry/list-text", () => {
	for (const form of forms) {
		for (const as of transforms) {
			if (form.format === "protobuf" && as !== "none") continue;
			const name = `${form.format}${form.pretty ? ", pretty" : ""}, ${as}`;
			it(`writes piece by piece what the whole would be: ${name}`, () => {
				for (const count of [0, 1, 3]) {
					const page = pageOf(count);
					const { type, chunks } = body(page, form, as);
					const written = Buffer.concat([...chunks]);
					const plain = JSON.parse(Buffer.concat([...body(pageOf(count), forms[0] as never, as).chunks]).toString());
					assert.equal((plain.items ?? plain.rows).length, count);
					assert.equal(plain.metadata.continue, "token");
					const objects = [...page.entries].map((entry) => decodeView(maps, entry.bytes, entry.revision));
					const items = as === "none" ? objects : objects.map(partial);
					if (as !== "Table") assert.deepEqual(plain.items, items);
					// Plain JSON has the stored bytes, with their keys as they stand.
					const isPlain = form.format === "json" && !form.pretty;
					const value = isPlain || as === "Table" ? plain : { ...plain, items };
					const whole = encodeObject(value, type, { pretty: form.pretty });
					if (form.format === "protobuf") assert.deepEqual(written, whole);
					else assert.equal(written.toString(), whole.toString());
				}
			});
		}
		it(`holds no more of twice the items: ${form.format}${form.pretty ? ", pretty" : ""}`, () => {
			const largest = (count: number) => {
				let most = 0;
				for (const chunk of body(pageOf(count, 1000), form, "none").chunks) most = Math.max(most, chunk.length);
				return most;
			};
			const [one, two] = [largest(300), largest(600)];
			assert.ok(two <= one + 4096, `${one} bytes of 300 items, ${two} of 600`);
			assert.ok(one < 128 << 10);
		});
	}

	it("lets other work in while the items of a protobuf list are measured", () => {
		const chunks = [...body(pageOf(500), { format: "protobuf", pretty: false }, "none").chunks];
		const before = chunks.findIndex((chunk) => chunk.length > 0);
		assert.ok(before >= 9, `${before} pauses before the first byte`);
		const { object } = decodeObject(Buffer.concat(chunks), "application/vnd.kubernetes.protobuf", {
			fieldValidation: "Ignore",
		});
		assert.equal((object["items"] as unknown[]).length, 500);
	});
});
