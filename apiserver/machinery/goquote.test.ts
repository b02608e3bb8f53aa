// Texts as Go quotes them.
import assert from "node:assert/strict";
import { goQuote } from "./goquote.ts";

describe("machinery/goquote", () => {
	it("escapes what Go's %q escapes, and nothing else", () => {
		const table: ReadonlyArray<readonly [text: string, quoted: string]> = [
			["", '""'],
			['a"\\b', '"a\\"\\\\b"'],
			["\u0000\u0007\b\t\n\v\f\r\u001b\u007f", '"\\x00\\a\\b\\t\\n\\v\\f\\r\\x1b\\x7f"'],
			["é€😀", '"é€😀"'],
			["\u200b\u00a0\u2028\u{e0001}", '"\\u200b\\u00a0\\u2028\\U000e0001"'],
		];
		for (const [text, quoted] of table) assert.equal(goQuote(text), quoted);
	});
});
