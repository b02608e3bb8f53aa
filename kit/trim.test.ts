import assert from "node:assert/strict";
import { trimEndOf, trimOf } from "./trim.ts";

it("trimming takes one character off the ends, and only there", () => {
	for (const text of ["", "/", "////", "a", "/a", "a//", "//a/b//", "a//b"]) {
		assert.equal(trimEndOf(text, "/"), text.replace(/\/+$/, ""), text);
		assert.equal(trimOf(text, "/"), text.replace(/^\/+|\/+$/g, ""), text);
	}
});
