import assert from "node:assert/strict";
import { Turns } from "./turns.ts";

describe("store/serve/turns", () => {
	it("are given one for each round of the event loop, in the order in which they are asked for", async () => {
		const scheduled: (() => void)[] = [];
		const turns = new Turns((work) => void scheduled.push(work));
		const given: number[] = [];
		const ask = (n: number) => turns.take().then(() => void given.push(n));
		for (let n = 0; n < 3000; n++) void ask(n);
		for (let n = 0; n < 4000; n++) {
			assert.equal(scheduled.length, 1, "whoever waits is not scheduled beside others");
			scheduled.shift()!();
			await Promise.resolve();
			assert.equal(given.length, n + 1);
			if (n < 1000) void ask(3000 + n);
		}
		assert.equal(scheduled.length, 0);
		assert.deepEqual(
			given,
			Array.from({ length: 4000 }, (_, n) => n),
		);
		void ask(4000);
		assert.equal(scheduled.length, 1);
	});
});
