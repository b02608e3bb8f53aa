import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { ApiError } from "./errors.ts";
import { parseFieldSelector, requireSupportedFields } from "./fieldselectors.ts";
import { labelValueProblems, qualifiedNameProblems } from "./names.ts";
import {
	fromLabelSelector,
	type Labels,
	nothing,
	parseLabelSelector,
	type Requirement,
	readSelector,
	requirement,
	selectorFromLabels,
	selectorOf,
} from "./selectors.ts";

const refusal = (code: number, message: string | RegExp) => (error: unknown) => {
	assert.ok(error instanceof ApiError, String(error));
	assert.equal(error.code, code);
	if (typeof message === "string") assert.equal(error.message, message);
	else assert.match(error.message, message);
	return true;
};

describe("label selectors", () => {
	const matches: [string, Record<string, string>, boolean][] = [
		["", {}, true],
		["a=b", { a: "b" }, true],
		["a==b", { a: "b" }, true],
		["a=b", { a: "c" }, false],
		["a=b", {}, false],
		["a!=b", {}, true],
		["a!=b", { a: "b" }, false],
		["a in (x,y)", { a: "y" }, true],
		["a in (x,y)", {}, false],
		["a notin (x,y)", {}, true],
		["a notin (x,y)", { a: "x" }, false],
		["a", { a: "" }, true],
		["a", {}, false],
		["!a", {}, true],
		["!a", { a: "" }, false],
		["g>3", { g: "4" }, true],
		["g>3", { g: "3" }, false],
		["g<3", { g: "-1" }, true],
		["g>3", { g: "x" }, false],
		["a=b,c!=d,e in (x,y),!f,g>3", { a: "b", e: "x", g: "10" }, true],
		["a=", { a: "" }, true],
		["in=notin", { in: "notin" }, true],
		["constructor", {}, false],
		["x in (,a)", { x: "" }, true],
		["x in ()", { x: "" }, true],
		[" a = b , c ", { a: "b", c: "1" }, true],
		["example.com/a=b", { "example.com/a": "b" }, true],
	];
	for (const [text, labels, expected] of matches) {
		it(`${JSON.stringify(text)} on ${JSON.stringify(labels)} is ${expected}`, () =>
			assert.equal(parseLabelSelector(text).matches(labels), expected));
	}

	const written: [string, string][] = [
		["b=1,a=2", "a=2,b=1"],
		["a in (z,y,y)", "a in (y,z)"],
		["a notin (z)", "a notin (z)"],
		["!a,b", "!a,b"],
		["x>1,y<2", "x>1,y<2"],
		["a==b", "a==b"],
		["x in (,)", "x in ()"],
	];
	for (const [text, expected] of written) {
		it(`writes ${text} as ${expected}`, () => assert.equal(parseLabelSelector(text).toString(), expected));
	}

	const refused: [string, string | RegExp][] = [
		["a=b,", "found '', expected: identifier after ','"],
		[",a", "found ',', expected: !, identifier, or 'end of string'"],
		["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
		["a in x", "unable to parse requirement: found 'x' expected: '('"],
		["a in (x", "unable to parse requirement: found '', expected: ',' or ')'"],
		["a=b c", "found 'c', expected: ',' or 'end of string'"],
		["!", "unable to parse requirement: found '', expected: identifier"],
		["a=(b)", "unable to parse requirement: found '(', expected: identifier"],
		[
			"a>x",
			/^unable to parse requirement: values\[0\]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer$/,
		],
		[
			"a$=b",
			/^unable to parse requirement: <nil>: Invalid value: "a\$": name part must consist of alphanumeric characters, '-', '_' or '.'/,
		],
		[
			"a=b$",
			/^unable to parse requirement: values\[0\]\[a\]: Invalid value: "b\$": a valid label must be an empty string or consist/,
		],
		["a=-", /Invalid value: "-"/],
	];
	for (const [text, message] of refused) {
		it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseLabelSelector(text), refusal(400, message)));
	}

	it("reads the object form", () => {
		assert.equal(fromLabelSelector(undefined), nothing);
		assert.equal(fromLabelSelector({}).matches({}), true);
		const selector = fromLabelSelector({
			matchLabels: { app: "web" },
			matchExpressions: [
				{ key: "tier", operator: "In", values: ["a", "b"] },
				{ key: "old", operator: "DoesNotExist" },
			],
		});
		assert.equal(selector.toString(), "app=web,!old,tier in (a,b)");
		assert.equal(selector.matches({ app: "web", tier: "a" }), true);
		assert.equal(selector.matches({ app: "web", tier: "c" }), false);
		assert.throws(() => fromLabelSelector({ matchExpressions: [{ key: "a", operator: "Near" }] }), {
			message: '"Near" is not a valid label selector operator',
		});
		assert.throws(() => fromLabelSelector({ matchExpressions: [{ key: "a", operator: "In" }] }), /can't be empty/);
	});

	it("tells the value a label must have", () => {
		assert.equal(parseLabelSelector("a=b,c in (d)").exactValue("c"), "d");
		assert.equal(parseLabelSelector("a in (b,c)").exactValue("a"), undefined);
		assert.equal(selectorFromLabels({ b: "1", a: "2" }).toString(), "a=2,b=1");
		assert.equal(readSelector("").empty, true);
	});
});

describe("names", () => {
	it("explains as upstream does", () => {
		assert.deepEqual(qualifiedNameProblems("example.com/Name_1"), []);
		assert.deepEqual(qualifiedNameProblems("a".repeat(64)), ["name part must be no more than 63 bytes"]);
		assert.match(qualifiedNameProblems("/x")[0] ?? "", /^prefix part must be non-empty$/);
		assert.match(qualifiedNameProblems("a/b/c")[0] ?? "", /^a qualified name must consist of/);
		assert.match(qualifiedNameProblems("A_B.com/x")[0] ?? "", /^prefix part a lowercase RFC 1123 subdomain/);
		assert.deepEqual(labelValueProblems(""), []);
		assert.deepEqual(labelValueProblems("a b"), [
			"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
		]);
	});
});

describe("field selectors", () => {
	it("matches terms", () => {
		const selector = parseFieldSelector("metadata.name=x,status.phase!=Running");
		assert.equal(selector.matches({ "metadata.name": "x", "status.phase": "Pending" }), true);
		assert.equal(selector.matches({ "metadata.name": "x", "status.phase": "Running" }), false);
		assert.equal(selector.exactValue("metadata.name"), "x");
		assert.equal(parseFieldSelector("a==b").matches({ a: "b" }), true);
		assert.equal(parseFieldSelector("a=").matches({}), true);
		assert.equal(parseFieldSelector("a=x\\,y\\=z").matches({ a: "x,y=z" }), true);
		assert.equal(parseFieldSelector("a=x\\,y").toString(), "a=x\\,y");
		assert.equal(parseFieldSelector("").empty, true);
	});
	const refused: [string, string][] = [
		["abc", "invalid selector: 'abc'; can't understand 'abc'"],
		["a=b=c", "invalid field selector: unescaped character in value: 61"],
		["a=\\n", "invalid field selector: invalid escape sequence: \\n"],
	];
	for (const [text, message] of refused) {
		it(`refuses ${text}`, () => assert.throws(() => parseFieldSelector(text), refusal(400, message)));
	}
	it("names unsupported fields as the kind's own conversion would", () => {
		const selector = parseFieldSelector("foo=bar");
		const none = new Set<string>();
		assert.throws(() => requireSupportedFields(selector, "Pod", none), refusal(400, "field label not supported: foo"));
		assert.throws(
			() => requireSupportedFields(selector, "Deployment", none),
			refusal(400, '"foo" is not a known field selector: only "metadata.name", "metadata.namespace"'),
		);
		requireSupportedFields(selector, "Pod", new Set(["foo"]));
	});
});

describe("a label selector that was made ready for many objects", () => {
	/** As the words say it, one requirement after the other. */
	const slowly = ({ key, operator, values }: Requirement, labels: Labels): boolean => {
		const value = labels[key];
		if (operator === "exists" || operator === "!") return (value !== undefined) === (operator === "exists");
		if (operator === "notin" || operator === "!=") return value === undefined || !values.includes(value);
		if (operator === "gt" || operator === "lt") {
			if (value === undefined || !/^-?\d+$/.test(value)) return false;
			return operator === "gt" ? BigInt(value) > BigInt(values[0] ?? "") : BigInt(value) < BigInt(values[0] ?? "");
		}
		return value !== undefined && values.includes(value);
	};

	it("answers as its requirements do one by one, whatever they say of one key", () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1_000_000);
		process.stdout.write(`      BARQUE_SEED=${seed}\n`);
		const random = seededRandom(seed);
		const pick = <T>(from: readonly T[]): T => from[random.int(from.length)] as T;
		const values = ["", "a", "b", "1", "2", "30"];
		for (let round = 0; round < 5_000; round++) {
			const requirements = Array.from({ length: random.int(5) }, () => {
				const operator = pick(["=", "!=", "in", "notin", "exists", "!", "gt", "lt"] as const);
				const count = operator === "in" || operator === "notin" ? 1 + random.int(3) : 1;
				const among = operator === "gt" || operator === "lt" ? ["1", "2"] : values;
				const given = operator === "exists" || operator === "!" ? [] : Array.from({ length: count }, () => pick(among));
				return requirement(pick(["k", "l", "m"]), operator, given);
			});
			const labels = Object.fromEntries(
				["k", "l", "m", "n"].filter(() => random.int(2) === 0).map((key) => [key, pick(values)]),
			);
			const expected = requirements.every((r) => slowly(r, labels));
			const selector = selectorOf(requirements);
			assert.equal(selector.matches(labels), expected, `${selector} on ${JSON.stringify(labels)}`);
		}
	});
});
