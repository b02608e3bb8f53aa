/** The page about a run: everything on it, nothing from elsewhere, and small however long the run was. */
import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import type { Violation } from "../checkers/violation.ts";
import { type HistoryEvent, HistoryRecorder, nemesisProcess } from "../history.ts";
import type { LeaderSample } from "../leaders.ts";
import { faultsOf } from "./faults.ts";
import { escapeHtml, type ReportInput, renderReport } from "./html.ts";

interface Parts {
	readonly events: readonly HistoryEvent[];
	readonly violations?: readonly Violation[];
	readonly leaders?: readonly LeaderSample[];
}

function input({ events, violations = [], leaders = [] }: Parts, more: Partial<ReportInput> = {}): ReportInput {
	const count = (type: string) =>
		events.filter((event) => event.type === type && event.process !== nemesisProcess).length;
	const counts = { ok: count("ok"), fail: count("fail"), info: count("info") };
	const outcome = { events, violations, counts, faults: 1, leaders, finished: true };
	const run = { workload: "register", nemesis: ["kill"], seed: 7, replay: "barque chaos --seed 7", target: "three" };
	return { ...run, outcome, ...more };
}

/** An event every 10 ms. */
function recorded(): HistoryRecorder {
	let now = 0;
	const recorder = new HistoryRecorder(() => (now += 10));
	recorder.record({ process: "p0", type: "invoke", f: "write", key: "k", value: "a" });
	recorder.record({ process: "p1", type: "invoke", f: "read", key: "k" });
	recorder.record({ process: nemesisProcess, type: "info", f: "kill", value: ["m1"] });
	recorder.record({ process: "p1", type: "ok", f: "read", key: "k", value: "a" });
	recorder.record({ process: "p0", type: "info", f: "write", key: "k", error: "timed out" });
	recorder.record({ process: nemesisProcess, type: "info", f: "heal kill", value: ["m1"] });
	recorder.record({ process: "p0", type: "invoke", f: "read", key: "k" });
	return recorder;
}

const section = (page: string, title: string) =>
	page.split("<section").find((part) => part.includes(`<h2>${title} `)) ?? "";

describe("chaos/report", () => {
	it("tells the run: verdict, numbers, command, faults, latencies, errors", () => {
		const page = renderReport(input({ events: recorded().events }));
		assert.match(page, /Nothing wrong was found/);
		assert.match(page, /<pre class="copy">barque chaos --seed 7<\/pre>/);
		assert.match(page, /1 ok, 0 failed, 1 unknown/);
		assert.match(page, /path class="fault kill"/);
		assert.match(page, /kill: m1, from 0\.030 s to 0\.060 s \(30\.0 ms\)/);
		assert.match(page, /0\.020 s p1 read k -&#62; ok &#34;a&#34;, in 20\.0 ms/);
		assert.match(page, /0\.070 s p0 read k -&#62; info, never answered/);
		assert.match(page, /timed out/);
		assert.equal(section(page, "Leader and term"), "", "nobody was asked");
	});

	it("shows witnesses first: operations against real time, ringed in the timeline; anything else as text", () => {
		const witness = ["[0 .. ?] p0 write k", "[1 .. 3] p1 read k", "[1 .. 4] p1 of other units", "stuck: <b>"];
		const violations = [{ kind: "lost", message: "a < b", witness }];
		const page = renderReport(input({ events: recorded().events, violations }));
		assert.match(page, /1 violation found/);
		assert.match(page, /a &#60; b/);
		assert.ok(page.indexOf("What went wrong") < page.indexOf("Run it again"));
		assert.equal(page.match(/class="strip"/g)?.length, 2);
		assert.match(page, /class="span info open"/);
		assert.equal(page.match(/class="witness"/g)?.length, 2);
		assert.match(page, /<pre>\[1 \.\. 4\] p1 of other units\nstuck: &#60;b&#62;<\/pre>/);
	});

	it("shows some violations of each kind, however many there are of one", () => {
		const many = Array.from({ length: 300 }, () => ({ kind: "lost", message: "m", witness: [] }));
		const page = renderReport(
			input({ events: recorded().events, violations: [...many, { kind: "stale", message: "once", witness: [] }] }),
		);
		assert.match(page, /301 violations found/);
		assert.match(page, /300 × lost, 1 × stale/);
		assert.match(page, /<p>once<\/p>/);
		assert.equal(page.match(/<article/g)?.length, 9);
		assert.match(page, /292 more violations not shown here/);
	});

	it("draws a cycle with its edges", () => {
		const cycle = [
			{ from: "T1", to: "T2", kind: "rw", why: "T2 wrote what T1 had not seen" },
			{ from: "T2", to: "T1", kind: "wr", why: "T1 read what T2 wrote" },
		];
		const lines = cycle.map(({ from, to, kind, why }) => `${from} --${kind}--> ${to}: ${why}`);
		const violations = [{ kind: "G-single", message: "round", witness: lines, cycle }];
		const page = renderReport(input({ events: recorded().events, violations }));
		assert.match(page, /aria-label="cycle of 2 transactions"/);
		assert.equal(page.match(/<g class="edge (rw|wr)">/g)?.length, 2);
		assert.match(page, /<b>T2<\/b> <i class="edge wr">wr<\/i> <b>T1<\/b> T1 read what T2 wrote/);
	});

	it("shows who led: a lane for each member, its term, gaps, stale answers, and whom faults hit", () => {
		const leaders = [
			{ time: 0, name: "m1", term: 2 },
			{ time: 30, name: undefined, term: undefined },
			{ time: 40, name: "m2", term: 4 },
			{ time: 50, name: "m1", term: 2 },
			{ time: 55, name: "m2", term: 4 },
		];
		const page = renderReport(input({ events: recorded().events, leaders }, { members: ["m1", "m2", "m3"] }));
		const chart = section(page, "Leader and term");
		const labels = [...chart.matchAll(/<span style="top:[^>]*>([^<]*)</g)].map(([, text]) => text);
		assert.deepEqual(labels, ["m1", "m2", "m3", "nobody", "term 2", "term 4", "term 3"]);
		assert.match(
			chart,
			/class="bar leads member0"[^>]*title="m1 leads in term 2, from 0\.000 s to 0\.030 s[^>]*><b>term 2</,
		);
		assert.match(chart, /class="bar leads member0 stale"[^>]*not heard of a newer term/);
		assert.equal(chart.match(/class="bar leads member1"/g)?.length, 2);
		assert.match(chart, /class="bar nobody"[^>]*from 0\.030 s to 0\.040 s/);
		assert.match(chart, /class="bar hit kill"[^>]*title="kill: m1/);
		assert.match(chart, /class="term" d="M0 /);
		assert.match(page, /new leaders<\/dt><dd><b>1<\/b><span>10\.0 ms without one/);
	});

	it("escapes whatever comes from outside, loads nothing and runs nothing", () => {
		const evil = `"'><img src=x onerror=alert(1)>`;
		const recorder = recorded();
		recorder.record({ process: evil, type: "invoke", f: evil, key: evil, value: evil });
		recorder.record({ process: evil, type: "fail", f: evil, key: evil, error: evil });
		recorder.record({ process: nemesisProcess, type: "info", f: evil, value: { [evil]: [evil] } });
		const cycle = [
			{ from: evil, to: "T2", kind: evil, why: evil },
			{ from: "T2", to: evil, kind: evil, why: evil },
		];
		const violations = [{ kind: evil, message: evil, witness: [evil, `[7 .. 8] ${evil}`], cycle }];
		const leaders = [{ time: 5, name: evil, term: 1 }];
		const texts = { workload: evil, nemesis: [evil], replay: evil, target: evil, members: [evil] };
		const page = renderReport(input({ events: recorder.events, violations, leaders }, texts));
		assert.doesNotMatch(page, /<img|<script|src=["']|href=|url\(|@import/);
		assert.ok(page.includes(escapeHtml(evil)));
		assert.equal(escapeHtml(`<&"'>`), "&#60;&#38;&#34;&#39;&#62;");
	});

	it("stays small: 50,000 operations, 2000 faults, 2000 leaders, 500 violations", function () {
		this.timeout(60_000);
		const random = seededRandom(1);
		let now = 0;
		const recorder = new HistoryRecorder(() => (now += random.float()));
		const leaders: LeaderSample[] = [];
		for (let i = 0; i < 50_000; i++) {
			const call = { process: `p${i % 50}`, f: "write", key: `k${i % 5}` };
			const type = random.int(10) < 8 ? "ok" : random.int(2) === 0 ? "fail" : "info";
			recorder.record({ ...call, type: "invoke", value: "x".repeat(100) });
			recorder.record({ ...call, type, error: type === "ok" ? undefined : "no answer ".repeat(20) });
			if (i % 25 > 0) continue;
			const kind = i % 50 === 0 ? "kill" : "heal kill";
			recorder.record({ process: nemesisProcess, type: "info", f: kind, value: ["m1"] });
			leaders.push({ time: now, name: i % 75 === 0 ? undefined : "m1", term: i % 75 === 0 ? undefined : i });
		}
		const witness = recorder.operations
			.slice(0, 100)
			.map((op) => `[${op.invoked} .. ${op.completed ?? "?"}] ${op.process} w`);
		const violations = Array.from({ length: 500 }, () => ({ kind: "lost", message: "m", witness }));
		const page = renderReport(input({ events: recorder.events, violations, leaders }));
		assert.ok(page.length < 4_000_000, `${page.length} bytes`);
	});
});

describe("chaos/report/faults", () => {
	it("pairs faults with their healing, of the same victims first, and tells links once for both ways", () => {
		let now = 0;
		const recorder = new HistoryRecorder(() => (now += 10));
		const note = (f: string, value: unknown) => recorder.record({ process: nemesisProcess, type: "info", f, value });
		note("pause", ["m1"]);
		note("pause", ["m2"]);
		note("heal pause", ["m2"]);
		note("one-way", ["m1>m2", "m3>m2", "m2>m3"]);
		note("heal one-way", ["m1>m2", "m3>m2", "m2>m3"]);
		note("heal pause", ["m1"]);
		note("clock-jump", { member: "m1", offsetMs: -5 });
		assert.deepEqual(
			faultsOf(recorder.events, 100).map((each) => [
				each.kind,
				each.class,
				each.hit,
				each.from,
				each.to,
				each.isHealed,
			]),
			[
				["pause", "pause", "m1", 10, 60, true],
				["pause", "pause", "m2", 20, 30, true],
				["one-way", "network", "m1 → m2, m2 ↔ m3", 40, 50, true],
				["clock-jump", "clock", "member m1, offsetMs -5", 70, 100, false],
			],
		);
	});
});
