import assert from "node:assert/strict";
import { backtrackingPatterns, canAnalyse } from "./backtracking.ts";
import { checkFile } from "./rules.ts";

const verdicts = (source: string) => backtrackingPatterns(source).map(({ pattern, why }) => `${pattern} ${why}`);

describe("house rule: no regular expression backtracks beyond linear time", () => {
	it("has what it needs to tell", () => assert.ok(canAnalyse, "scslre is not installed: npm install"));

	it("finds planted ones in every room, by line", () => {
		for (const room of ["kit", "store", "apiserver", "agents", "chaos", "bench", "bin"]) {
			const [found, ...more] = checkFile(`${room}/a.ts`, "\n\nconst trimmed = path.replace(/\\/+$/, '');\n");
			assert.equal(found?.line, 3, room);
			assert.match(found?.message ?? "", /polynomial/);
			assert.deepEqual(more, []);
		}
	});

	it("tells exponential from polynomial, and does not trust a pattern made of strings", () => {
		assert.deepEqual(verdicts("const a = /^(a+)+b/;"), ["/^(a+)+b/ exponential"]);
		assert.match(verdicts("const a = /(?:a|a)*b/u;")[0] ?? "", /polynomial|exponential/);
		assert.deepEqual(verdicts("const a = /^\\s*(.*?)\\s*;/;"), ["/^\\s*(.*?)\\s*;/ polynomial"]);
		assert.deepEqual(verdicts("const a = /^a*a*$/;"), ["/^a*a*$/ polynomial"]);
		assert.deepEqual(verdicts("const a = new RegExp(text);"), ["new RegExp unknown"]);
	});

	it("allows linear ones, those that say why, and what only looks like one", () => {
		for (const source of [
			"const a = /^[a-z]+(-[a-z]+)*$/;",
			"const a = new RegExp(/^a/, 'g');",
			"// linear: of a line of ours.\nconst a = /\\s+$/;",
			"const a = /\\s+$/; // linear: of a line of ours.",
			'const a = "/\\\\/+$/"; // /\\/+$/',
			"const a = b / c +d$ / e;",
		]) {
			assert.deepEqual(verdicts(source), [], source);
		}
	});
});
