import assert from "node:assert/strict";
import {
	describeOperation,
	formatHistory,
	HistoryError,
	HistoryRecorder,
	nemesisProcess,
	pairOperations,
	parseHistory,
} from "./history.ts";
import { parseResults, pendingPairs, renderTables } from "./matrix.ts";

function recorded(): HistoryRecorder {
	let now = 0;
	const recorder = new HistoryRecorder(() => now++);
	recorder.record({ process: "p0", type: "invoke", f: "write", key: "k", value: "<a>" });
	recorder.record({ process: "p1", type: "invoke", f: "read", key: "k" });
	recorder.record({ process: nemesisProcess, type: "info", f: "kill", value: ["m1"] });
	recorder.record({ process: "p1", type: "ok", f: "read", key: "k", value: "<a>" });
	recorder.record({ process: "p0", type: "info", f: "write", key: "k", error: "timed out" });
	recorder.record({ process: "p0", type: "invoke", f: "read", key: "k" });
	return recorder;
}

describe("chaos/matrix", () => {
	it("resumes after the last whole result, and makes a table", () => {
		const base = { target: "t", system: "store", time: 1, seed: 1, ok: 5, fail: 0, info: 0, faults: 1 };
		const done = [
			{ ...base, workload: "a", nemesis: "kill", violations: [] },
			{ ...base, workload: "b", nemesis: "kill", violations: ["lost"] },
		];
		const text = `${done.map((each) => JSON.stringify(each)).join("\n")}\n{"target":"t","workl`;
		assert.deepEqual(parseResults(text), done);
		const others = [
			{ ...done[0]!, system: "etcd" },
			{ ...done[0]!, time: 2 },
		].map((each) => `${JSON.stringify(each)}\n`);
		assert.deepEqual(parseResults(others.join("") + text, { system: "store", time: 1 }), done);
		const pairs = ["kill", "pause"].flatMap((nemesis) =>
			["a", "b"].map((workload) => ({ target: "t", workload, nemesis })),
		);
		const elsewhere = pairs.map((pair) => ({ ...pair, target: "u" }));
		assert.deepEqual(pendingPairs([...pairs, ...elsewhere], done), [...pairs.slice(2), ...elsewhere]);
		const table = "| workload | kill |\n| --- | --- |\n| a | 5 |\n| b | **lost** |\n";
		assert.equal(renderTables(done), table);
		const both = renderTables([...done, { ...done[0]!, target: "u" }]);
		assert.equal(both, `Target \`t\`:\n\n${table}\nTarget \`u\`:\n\n| workload | kill |\n| --- | --- |\n| a | 5 |\n`);
	});
});

describe("chaos/history", () => {
	it("pairs invocations with completions; what nobody answered is of unknown outcome", () => {
		const operations = recorded().operations;
		assert.deepEqual(
			operations.map(({ process, f, type, invoked, completed, completedMs }) => [
				process,
				f,
				type,
				invoked,
				completed,
				completedMs,
			]),
			[
				["p0", "write", "info", 0, undefined, 4],
				["p1", "read", "ok", 1, 3, 3],
				["p0", "read", "info", 5, undefined, undefined],
			],
		);
	});

	it("is told in short lines, also where an answer is a list of thousands", () => {
		const recorder = new HistoryRecorder(() => 0);
		const elements = (length: number) => Array.from({ length }, (_, i) => `e${i}`);
		for (const count of [2, 5000]) {
			recorder.record({ process: "p0", type: "invoke", f: "read" });
			recorder.record({ process: "p0", type: "ok", f: "read", value: elements(count) });
		}
		assert.deepEqual(recorder.operations.map(describeOperation), [
			'p0 read -> ok ["e0","e1"]',
			"p0 read -> ok [(4992 more) e4992 e4993 e4994 e4995 e4996 e4997 e4998 e4999]",
		]);
	});

	it("survives the way through JSON lines, and refuses what is no history", () => {
		const { events } = recorded();
		assert.deepEqual(parseHistory(formatHistory(events)), JSON.parse(JSON.stringify(events)));
		assert.throws(() => parseHistory("{}\n"), /line 1: index and time/);
		assert.throws(() => parseHistory('{"index":0,"time":0,"process":"p","f":"f","type":"maybe"}'), /type "maybe"/);
		assert.throws(() => parseHistory("nonsense"), HistoryError);
		const twice = [...events, { ...events.at(-1)!, index: 6 }];
		assert.throws(() => pairOperations(twice), /event 6: p0 has not ended read/);
	});
});
