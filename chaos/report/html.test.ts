import assert from "node:assert/strict";
import { HistoryRecorder, nemesisProcess } from "../history.ts";
import { escapeHtml, renderReport } from "./html.ts";

function recorded(): HistoryRecorder {
	let now = 0;
	const recorder = new HistoryRecorder(() => now++);
	recorder.record({ process: "p0", type: "invoke", f: "write", key: "k", value: "<a>" });
	recorder.record({ process: nemesisProcess, type: "info", f: "kill", value: ["m1"] });
	recorder.record({ process: "p0", type: "info", f: "write", key: "k", error: "timed out" });
	return recorder;
}

describe("chaos/report", () => {
	it("becomes a page with faults, marks and witnesses, that loads nothing and runs nothing", () => {
		const violations = [{ kind: "lost", message: "a < b", witness: ["<script>"] }];
		const page = renderReport({
			workload: "register",
			nemesis: ["kill"],
			seed: 7,
			replay: "barque chaos --seed 7",
			target: "three",
			outcome: {
				events: recorded().events,
				violations,
				counts: { ok: 1, fail: 0, info: 2 },
				faults: 1,
				leaders: [],
				finished: true,
			},
		});
		assert.match(page, /class="fault kill"/);
		assert.match(page, /a &#60; b/);
		assert.match(page, /barque chaos --seed 7/);
		assert.doesNotMatch(page, /<script|src=|href=/);
		assert.equal(escapeHtml(`<&"'>`), "&#60;&#38;&#34;&#39;&#62;");
	});
});
