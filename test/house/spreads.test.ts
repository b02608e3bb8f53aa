import assert from "node:assert/strict";
import { checkFile } from "./rules.ts";
import { unboundedSpreads } from "./spreads.ts";

const operands = (source: string) => unboundedSpreads(source).map(({ operand }) => operand);

describe("house rule: no list of any length is spread into a call", () => {
	it("finds a planted one in every room, by line", () => {
		const planted = "const late = [];\n\nlate.push(...round.waiters);\n";
		for (const room of ["kit", "store", "apiserver", "agents", "chaos", "bench", "bin"]) {
			const [found, ...more] = checkFile(`${room}/a.ts`, planted);
			assert.equal(found?.line, 3, room);
			assert.match(found?.message ?? "", /round \. waiters: a long list in a call throws/);
			assert.deepEqual(more, []);
		}
	});

	it("finds it in any call, beside other arguments, in templates, behind generics and optional calls", () => {
		for (const [source, operand] of [
			["Math.max(0, ...sizes)", "sizes"],
			["new Set(...lists)", "lists"],
			["f?.(...list)", "list"],
			["f<T>(...list)", "list"],
			["f(g(1, 2), ...[...a, ...b])", "[ ... a , ... b ]"],
			["f(...(x ? [a] : b))", "( x ? [ a ] : b )"],
			["f(...(x ? [...a] : []))", "( x ? [ ... a ] : [ ] )"],
			["const x = `$" + "{f(...list)}`;", "list"],
			["list.splice(0, list.length, ...other)", "other"],
			["String.fromCharCode.apply(undefined, codes)", "apply"],
			["list.push.apply(list, more)", "apply"],
			["Reflect.apply(f, undefined, list)", "apply"],
		] as const) {
			assert.deepEqual(operands(source), [operand], source);
		}
	});

	it("allows what is short by its shape, what passes parameters on, what says why, and what is no call", () => {
		for (const source of [
			"f(...(x ? [a, b] : []))",
			"f(...[a, b])",
			"const g = (...rest: readonly T[]) => f(...rest);",
			"function g(first: T, ...rest: T[]): void {\n\tf(...rest);\n}",
			"const o = { async write(...all) {\n\tf(...all);\n} };",
			"const both = [...a, ...b];",
			"const { a, ...rest } = b;",
			"return (...list: T[]) => list;",
			"f({ ...options })",
			"f([...list])",
			"// bounded: a pair.\nf(...pair)",
			"/** Two lines,\n * bounded: a pair. */\nf(...pair)",
			"f(...pair); // bounded: a pair.",
			'"f(...list)"; /f(...list)/; `f(...list)`; // f(...list)',
			"machine.apply(batch, done)",
		]) {
			assert.deepEqual(operands(source), [], source);
		}
	});
});
