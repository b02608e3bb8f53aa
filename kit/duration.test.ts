// Spans of time as Go writes them.
import assert from "node:assert/strict";
import { readDuration } from "./duration.ts";

describe("duration", () => {
	it("reads what time.ParseDuration reads", () => {
		const table: ReadonlyArray<readonly [text: string, ms: number]> = [
			["0", 0],
			["-0", 0],
			["1m30s", 90_000],
			["-1.5h", -5_400_000],
			["+.5m", 30_000],
			["1.s", 1000],
			["10ms1us", 10.001],
			["1µs", 0.001],
		];
		for (const [text, ms] of table) assert.equal(readDuration(text) + 0, ms, text);
	});

	it("refuses the rest in its words", () => {
		const table: ReadonlyArray<readonly [text: string, why: string]> = [
			["", 'time: invalid duration ""'],
			["s", 'time: invalid duration "s"'],
			["-", 'time: invalid duration "-"'],
			["10", 'time: missing unit in duration "10"'],
			["1e3", 'time: unknown unit "e" in duration "1e3"'],
			["10d", 'time: unknown unit "d" in duration "10d"'],
			["1s ", 'time: unknown unit "s " in duration "1s "'],
			["3000000h", 'time: invalid duration "3000000h"'],
		];
		for (const [text, why] of table) assert.throws(() => readDuration(text), { message: why });
		assert.throws(() => readDuration("1h".repeat(100_000)), /^Error: time: invalid duration/);
	});
});
