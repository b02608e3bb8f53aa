import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { generateTypes } from "../../apiserver/scheme/generate-types.ts";

const apiserver = path.resolve(import.meta.dirname, "..", "..", "apiserver");

describe("generated files", () => {
	for (const [file, text] of Object.entries(generateTypes())) {
		it(`apiserver/${file} is what its generator writes today`, () => {
			assert.equal(readFileSync(path.join(apiserver, file), "utf8"), text);
		});
	}
});
