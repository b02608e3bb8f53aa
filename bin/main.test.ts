/** What a part says when it cannot start. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { launcher } from "../cluster/launcher.ts";

describe("barque: a part that cannot start", () => {
	for (const part of ["scheduler", "controller-manager"]) {
		it(`says why in one line: ${part}`, () => {
			const args = [launcher, part, "--kubeconfig=/nowhere/at/all"];
			const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 });
			assert.equal(status, 1, stderr);
			assert.match(stderr, new RegExp(`^barque ${part}: cannot read kubeconfig /nowhere/at/all: ENOENT.*\\n$`));
		});
	}
});
