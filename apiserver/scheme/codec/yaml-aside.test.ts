import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { decodeBodyObject } from "./codec.ts";
import { parseYamlAside } from "./yaml-aside.ts";
import { parseYamlText } from "./yaml-text.ts";

const keys = (count: number) => Array.from({ length: count }, (_, i) => `  k${i}: v\n`).join("");
const configMap = (data: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n${data}`;
const decode = (text: string) => decodeBodyObject(Buffer.from(text), "application/yaml", { fieldValidation: "Strict" });

describe("long YAML is read aside", () => {
	it("and comes to what it comes to at once, in the order of asking", async () => {
		const texts = [configMap(keys(2_000)), configMap(`${keys(1_500)}  k1: again\n`), "a: b"];
		assert.deepEqual(await Promise.all(texts.map(parseYamlAside)), texts.map(parseYamlText));
	});

	it("while the event loop goes on: it turns many times before a text is read", async () => {
		let turns = 0;
		let done = false;
		const read = decode(configMap(keys(10_000))).finally(() => {
			done = true;
		});
		while (!done) {
			turns++;
			await delay(1);
		}
		assert.equal(Object.keys((await read).object["data"] as object).length, 10_000);
		assert.ok(turns > 20, `${turns}`);
	});

	it("what is wrong in it is said as of a short one", async () => {
		await assert.rejects(decode(`${configMap(keys(2_000))} - x`), { code: 400, message: /yaml: line \d+/ });
		await assert.rejects(decode(configMap("").replace("data:", `x: ${"[".repeat(20_000)}`)), { code: 400 });
		assert.equal((await decode(configMap(keys(1_000)))).object.metadata.name, "a");
	});

	it("more than 16 Mi characters do not wait for it: 429 at once", async () => {
		const long = `a: ${"b".repeat(3 << 20)}`;
		const answers = await Promise.allSettled(Array.from({ length: 8 }, () => parseYamlAside(long)));
		const refused = answers.filter((answer) => answer.status === "rejected").map(({ reason }) => reason.code);
		assert.deepEqual(refused, [429, 429, 429]);
	});
});
