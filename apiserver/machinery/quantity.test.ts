import assert from "node:assert/strict";
import { parsePercent, scaledIntOrPercent } from "./intorstring.ts";
import {
	addQuantities,
	canonicalQuantity,
	compareQuantities,
	formatQuantity,
	parseQuantity,
	quantityFormatError,
	quantityMilliValue,
	quantityOf,
	quantityOfMilli,
	quantityProblem,
	quantityToNumber,
	quantityValue,
	subtractQuantities,
} from "./quantity.ts";

describe("quantity", () => {
	const canonical: [string, string][] = [
		["0", "0"],
		["0n", "0"],
		["0Ki", "0"],
		["000", "0"],
		["0.0", "0"],
		[".", "0"],
		["-", "0"],
		["1", "1"],
		["+1", "+1"],
		["-1", "-1"],
		["100m", "100m"],
		["1000m", "1"],
		["1500m", "1500m"],
		["0.1", "100m"],
		["1.5", "1500m"],
		["1.500", "1.500"],
		["0.5", "500m"],
		["2.0", "2"],
		["1.G", "1.G"],
		["1000", "1k"],
		["1000000", "1M"],
		["12345", "12345"],
		["1k", "1k"],
		["1000k", "1M"],
		["1e3", "1e3"],
		["1E3", "1E3"],
		["1000e3", "1e6"],
		["12e-1", "1200e-3"],
		["1Ki", "1Ki"],
		["1024Ki", "1Mi"],
		["1024Mi", "1Gi"],
		["1.5Gi", "1536Mi"],
		["0.5Ki", "512"],
		["1000Ki", "1000Ki"],
		["1Ei", "1Ei"],
		["8Ei", "9223372036854775807"],
		["0.1n", "1n"],
		["0.0000000001", "1n"],
		["-0.0000000001", "-1n"],
		["1000E", "1000E"],
		["100000000000000000000", "100E"],
		["0.001Ki", "1024m"],
		["64Mi", "64Mi"],
		["3.3", "3300m"],
	];
	for (const [text, expected] of canonical) {
		it(`writes ${text} as ${expected}`, () => assert.equal(formatQuantity(parseQuantity(text)), expected));
	}

	const refused: [string, string][] = [
		["", quantityFormatError],
		["abc", quantityFormatError],
		["1 Gi", quantityFormatError],
		["1..2", quantityFormatError],
		["--1", "unable to parse quantity's suffix"],
		["1K", "unable to parse quantity's suffix"],
		["1mi", "unable to parse quantity's suffix"],
		["1e", "unable to parse quantity's suffix"],
		["1e99999999", "unable to parse quantity's suffix"],
		["1".repeat(600), quantityFormatError],
	];
	for (const [text, message] of refused) {
		it(`refuses ${JSON.stringify(text.slice(0, 12))}`, () => assert.equal(quantityProblem(text), message));
	}

	it("reads what JSON may hold", () => {
		assert.equal(canonicalQuantity(" 1Gi "), "1Gi");
		assert.equal(canonicalQuantity(0.25), "250m");
		assert.equal(canonicalQuantity(2000), "2k");
		assert.equal(quantityProblem({}), quantityFormatError);
		assert.notEqual(quantityProblem(true), undefined);
	});

	it("counts exactly", () => {
		const sum = addQuantities(parseQuantity("0.1"), parseQuantity("0.2"));
		assert.equal(formatQuantity(sum), "300m");
		assert.equal(compareQuantities(sum, parseQuantity("300m")), 0);
		assert.equal(formatQuantity(addQuantities(quantityOf(0), parseQuantity("1Gi"))), "1Gi");
		assert.equal(formatQuantity(subtractQuantities(parseQuantity("1Gi"), parseQuantity("512Mi"))), "512Mi");
		assert.equal(formatQuantity(subtractQuantities(quantityOf(1), quantityOf(3))), "-2");
		assert.equal(compareQuantities(parseQuantity("1Ki"), parseQuantity("1k")), 1);
		assert.equal(compareQuantities(parseQuantity("1m"), parseQuantity("1")), -1);
	});

	it("rounds away from zero on its way to integers", () => {
		assert.equal(quantityValue(parseQuantity("1001m")), 2n);
		assert.equal(quantityValue(parseQuantity("-1001m")), -2n);
		assert.equal(quantityMilliValue(parseQuantity("1.0001")), 1001n);
		assert.equal(quantityMilliValue(parseQuantity("2")), 2000n);
		assert.equal(quantityValue(parseQuantity("1Ei")), 2n ** 60n);
		assert.equal(quantityToNumber(parseQuantity("1500m")), 1.5);
		assert.equal(formatQuantity(quantityOfMilli(2500)), "2500m");
	});
});

describe("int or percent", () => {
	it("scales percentages either way and takes numbers as they are", () => {
		assert.equal(scaledIntOrPercent("25%", 10, true), 3);
		assert.equal(scaledIntOrPercent("25%", 10, false), 2);
		assert.equal(scaledIntOrPercent("100%", 7, true), 7);
		assert.equal(scaledIntOrPercent(4, 100, true), 4);
	});
	it("refuses what is neither", () => {
		assert.throws(() => parsePercent("5"), /string is not a percentage/);
		assert.throws(() => parsePercent("x%"), /invalid value "x%"/);
		assert.throws(() => scaledIntOrPercent(undefined, 1, true), /nil value for IntOrString/);
	});
});
