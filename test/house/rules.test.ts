import assert from "node:assert/strict";
import { checkFile } from "./rules.ts";

const messages = (file: string, text: string) => checkFile(file, text).map((violation) => violation.message);

describe("house rules", () => {
	it("lets arrows point down", () => {
		assert.deepEqual(messages("store/raft/raft.ts", 'import { x } from "../../kit/random.ts";'), []);
		assert.deepEqual(messages("apiserver/storage/objects.ts", 'import type { y } from "../../store/api.ts";'), []);
		assert.deepEqual(messages("agents/kubelet/pod.ts", 'import { z } from "../../apiserver/client/rest.ts";'), []);
	});

	it("stops an arrow that runs back, also as a dynamic or type import", () => {
		assert.match(messages("kit/log.ts", 'import { x } from "../store/api.ts";')[0] ?? "", /kit\/ may not import store/);
		assert.match(
			messages("store/serve/a.ts", 'import type { x } from "../../apiserver/server.ts";')[0] ?? "",
			/store\//,
		);
		assert.match(
			messages("agents/dns/a.ts", 'const x = await import("../../store/client/client.ts");')[0] ?? "",
			/agents/,
		);
		assert.match(
			messages("apiserver/http/a.ts", 'export { x } from "../../store/raft/raft.ts";')[0] ?? "",
			/apiserver/,
		);
	});

	it("stops a test that is skipped without a reason that the run tells", () => {
		for (const call of ["this", "context", "it"].map((name) => `${name}.skip(${name === "it" ? '"x"' : ""});`)) {
			assert.match(messages("kit/a.test.ts", call)[0] ?? "", /test\/skip\.ts/, call);
			assert.deepEqual(messages("test/skip.ts", call), []);
		}
		assert.deepEqual(messages("kit/a.test.ts", 'skip(this, "no etcd");'), []);
	});

	it("stops an HTTP server whose listener may throw", () => {
		const server = 'import http from "node:http";\nhttp.createServer(LISTENER);';
		assert.match(messages("agents/a.ts", server)[0] ?? "", /guarded/);
		assert.deepEqual(messages("agents/a.ts", server.replace("LISTENER", "guarded(logger, listener)")), []);
		assert.deepEqual(messages("agents/a.test.ts", server), []);
	});

	it("keeps time, chance and the outside world out of pure folders, and only there", () => {
		for (const line of ["Date.now()", "setTimeout(f, 1)", "Math.random()", 'import fs from "node:fs";']) {
			assert.equal(messages("store/raft/raft.ts", line).length, 1, line);
			assert.equal(messages("store/raft/raft.test.ts", line).length, 0, line);
			assert.equal(messages("store/transport/link.ts", line).length, 0, line);
		}
		assert.deepEqual(messages("store/raft/raft.ts", "clock.setTimeout(f);"), []);
	});
});
