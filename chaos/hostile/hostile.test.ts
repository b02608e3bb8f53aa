import assert from "node:assert/strict";
import { chaos } from "../testing/command.ts";

describe("barque chaos hostile", function () {
	this.timeout(200_000);

	it("a whole cluster under attack: nothing ends, probes are answered, nothing acknowledged is gone", async () => {
		const { code, stdout, stderr } = await chaos("hostile", "--time", "20s", "--quiet", "3s");
		assert.equal(code, 0, `${stdout}\n${stderr}`);
		assert.match(stdout, /^seed \d+; again: /);
		assert.match(stdout, /before p50 .*p99 .*; during p50 .*p99 /);
		for (const attack of ["slow", "huge", "malformed", "many"]) assert.match(stdout, new RegExp(`\\d+ ${attack}`));
	});
});
