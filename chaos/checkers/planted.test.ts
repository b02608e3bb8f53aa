/** The checkers checked: random histories that are right pass; with one planted anomaly of each class each is caught. */
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import { randomRegister, randomSlots, randomStore, randomTransactions, randomWatches } from "../testing/generate.ts";
import { checkBank } from "./bank.ts";
import { checkCounter } from "./counter.ts";
import { checkListAppend, checkReadWrite, type MicroOp, type Transaction } from "./cycles.ts";
import { checkElection } from "./election.ts";
import { checkLinearizable, linearizabilityViolations, registerModel } from "./linearizability.ts";
import { checkGuarded, checkLast, checkMutualExclusion } from "./lock.ts";
import {
	checkSequential,
	checkStore,
	type ModelAnswer,
	type ModelKv,
	type ModelOperation,
	type ModelRequest,
	rangeOf,
} from "./model.ts";
import { checkQueue, type Dequeue, type Enqueue } from "./queue.ts";
import { checkSet, type SetAdd, type SetRead } from "./set.ts";
import { describeViolation, type Violation } from "./violation.ts";
import { checkReplay, checkWatches, type WatchedEvent, type WatchRecording } from "./watch.ts";

const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1_000_000);
const rounds = 100;

function repeat(check: (random: Random, round: number) => void): void {
	for (let round = 0; round < rounds; round++) check(seededRandom(seed + round), round);
}

function assertNone(violations: readonly Violation[]): void {
	assert.deepEqual(violations.map(describeViolation), []);
}

function assertKind(violations: readonly Violation[], ...kinds: readonly string[]): Violation {
	const found = violations.find((each) => kinds.includes(each.kind));
	assert.ok(found, `expected ${kinds.join(" or ")}, got ${violations.map(describeViolation).join("\n") || "nothing"}`);
	return found;
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random.int(list.length)]!;

describe("chaos/checkers with planted anomalies", function () {
	this.timeout(60_000);
	before(() => console.log(`      seed ${seed}; replay with BARQUE_SEED=${seed}`));

	it("register: a stale read, a lost write, a swap done twice", () => {
		repeat((random) => {
			const model = registerModel();
			const history = randomRegister(random, 60);
			assert.equal(checkLinearizable(model, history).verdict, "linearizable");
			const end = 1 + Math.max(...history.map((op) => op.completed ?? op.invoked));
			const at = (i: number) => ({ invoked: end + i, completed: end + i + 0.5 });
			const write = (value: string, i: number) => ({
				name: `w${value}`,
				input: { kind: "write", value } as const,
				...at(i),
			});
			const read = (value: string, i: number) => ({
				name: `r${value}`,
				input: { kind: "read", value } as const,
				...at(i),
			});
			const cas = (i: number, value: string) => ({
				name: "cas",
				input: { kind: "cas", expected: "A", value, done: true } as const,
				...at(i),
			});
			const plants = [
				[write("A", 1), write("B", 3), read("A", 5)],
				[write("A", 1), cas(2, "C"), cas(4, "D")],
			];
			for (const plant of plants) {
				const [found] = linearizabilityViolations("register", model, [...history, ...plant]);
				assert.equal(found?.kind, "nonlinearizable");
				assert.ok(found.witness.length <= 7, found.witness.join("\n"));
			}
			assert.equal(checkLinearizable(model, [...history, write("A", 1), read("A", 2)]).verdict, "linearizable");
		});
	});

	it("whole store: wrong revision, lost write, wrong version, refusal that applied, old read that never was", () => {
		repeat((random) => {
			const { operations, states } = randomStore(random, 40);
			const last = states.at(-1)!;
			const request = { op: "range", key: "k0", end: "k9" } as const;
			const old = pick(random, states);
			const answer = rangeOf(old, request);
			assert.equal(answer.op, "range");
			const kvs = answer.op === "range" ? answer.kvs : [];
			assertNone(checkStore(operations, [{ name: "old", request, revision: old.revision, kvs }]));
			const wrong: ModelKv[] = [...kvs, { ...emptyKv, key: "k8", value: "never", modRevision: 2 }];
			// Certain only where no unanswered request leaves a choice.
			if (operations.every((op) => op.input.answer !== undefined)) {
				assertKind(checkStore(operations, [{ name: "old", request, revision: old.revision, kvs: wrong }]), "old-read");
			}
			const end = 1 + Math.max(...operations.map((op) => op.completed ?? op.invoked));
			const later = (change: ModelOperation["input"], i: number): ModelOperation => ({
				name: JSON.stringify(change),
				input: change,
				invoked: end + i,
				completed: end + i + 0.5,
			});
			const put = later({ request: { op: "put", key: "k0", value: "new" }, answer: ok(last.revision + 1) }, 0);
			assertNone(checkStore([...operations, put]));
			const repeated = later({ request: { op: "put", key: "k1", value: "x" }, answer: ok(last.revision + 1) }, 1);
			assertKind(checkStore([...operations, put, repeated]), "nonlinearizable");
			const lost = later(
				{
					request: { op: "range", key: "k0" },
					answer: { revision: last.revision + 1, succeeded: true, answers: [{ op: "range", kvs: [], count: 0 }] },
				},
				1,
			);
			assertKind(checkStore([...operations, put, lost]), "nonlinearizable");
		});
	});

	it("one client of the whole store, whose errors fork what is possible", () => {
		const operation = (request: ModelRequest, answer?: ModelAnswer): ModelOperation => {
			return {
				name: JSON.stringify(request),
				input: answer === undefined ? { request } : { request, answer },
				invoked: 0,
				completed: 0,
			};
		};
		const put = (value: string): ModelRequest => ({ op: "put", key: "k", value });
		const swap = (expected: string): ModelRequest => {
			const compare = [{ key: "k", target: "value", result: "equal", operand: expected }] as const;
			return { op: "txn", compare, success: [{ op: "put", key: "k", value: "swapped" }], failure: [] };
		};
		const swapped = (revision: number, done: boolean) => ({
			revision,
			succeeded: done,
			answers: ok(1).answers.slice(done ? 0 : 1),
		});
		const history = [operation(put("a"), ok(2)), operation(put("b")), operation(put("c"))];
		for (const [value, revision] of [
			["a", 3],
			["b", 4],
			["c", 4],
			["c", 5],
		] as const) {
			assertNone(checkSequential([...history, operation(swap(value), swapped(revision, true))]));
		}
		assertKind(checkSequential([...history, operation(swap("b"), swapped(5, true))]), "impossible-answer");
		assertKind(checkSequential([...history, operation(swap("a"), swapped(2, false))]), "impossible-answer");
	});

	it("list-append and rw-register: right ones pass as strict serializable", () => {
		repeat((random, round) => {
			assertNone(checkListAppend(randomTransactions(random, 60, true)));
			assertNone(checkReadWrite(randomTransactions(seededRandom(seed * 7 + round), 60, false)));
		});
	});

	const append = (key: string, value: string): MicroOp => ({ f: "append", key, value });
	const readList = (key: string, ...list: string[]): MicroOp => ({ f: "read", key, list });
	const write = (key: string, value: string): MicroOp => ({ f: "write", key, value });
	const read = (key: string, value: string | null): MicroOp => ({ f: "read", key, value });
	/** All at once, on keys of their own, amid a history that is right. */
	const amid = (random: Random, lists: boolean, ...planted: MicroOp[][]): Transaction[] => [
		...randomTransactions(random, 30, lists),
		...planted.map((ops, i) => ({
			name: `P${i}`,
			status: "ok" as const,
			ops,
			invoked: 1000 + i / 10,
			completed: 1100,
		})),
	];
	const sequential = (...planted: MicroOp[][]): Transaction[] =>
		planted.map((ops, i) => ({ name: `P${i}`, status: "ok" as const, ops, invoked: 1000 + i, completed: 1000.5 + i }));

	const listAnomalies: ReadonlyArray<readonly [string, MicroOp[][]]> = [
		[
			"G0",
			[
				[append("a", "1"), append("b", "1")],
				[append("a", "2"), append("b", "2")],
				[readList("a", "1", "2")],
				[readList("b", "2", "1")],
			],
		],
		[
			"G1c",
			[
				[append("a", "1"), readList("b", "1")],
				[append("b", "1"), readList("a", "1")],
			],
		],
		["G-single", [[append("a", "1"), append("b", "1")], [readList("a", "1"), readList("b")], [readList("b", "1")]]],
		[
			"G2",
			[
				[readList("a"), append("b", "1")],
				[readList("b"), append("a", "1")],
				[readList("a", "1")],
				[readList("b", "1")],
			],
		],
		[
			"lost-update",
			[
				[readList("a"), append("a", "1")],
				[readList("a"), append("a", "2")],
			],
		],
		["G1b", [[append("a", "1"), append("a", "2")], [readList("a", "1")]]],
		["internal", [[append("a", "1"), readList("a")]]],
		["duplicate-elements", [[append("a", "1")], [readList("a", "1", "1")]]],
		["incompatible-order", [[append("a", "1")], [append("a", "2")], [readList("a", "1", "2")], [readList("a", "2")]]],
		["unwritten", [[readList("a", "9")]]],
	];
	for (const [kind, planted] of listAnomalies) {
		it(`list-append: ${kind}, without regard to real time`, () => {
			repeat((random) => {
				const found = assertKind(checkListAppend(amid(random, true, ...planted), { realtime: false }), kind);
				assert.ok(
					found.witness.every((line) => !line.includes("] T")),
					found.witness.join("\n"),
				);
			});
		});
	}

	const registerAnomalies: ReadonlyArray<readonly [string, MicroOp[][]]> = [
		[
			"G0",
			[
				[read("b", "2"), write("a", "1"), write("b", "1")],
				[read("a", "1"), write("a", "2"), write("b", "2")],
			],
		],
		[
			"G1c",
			[
				[write("a", "1"), read("b", "1")],
				[write("b", "1"), read("a", "1")],
			],
		],
		[
			"G-single",
			[
				[write("a", "1"), write("b", "1")],
				[read("a", "1"), read("b", null)],
			],
		],
		[
			"G2",
			[
				[read("a", null), write("b", "1")],
				[read("b", null), write("a", "1")],
			],
		],
		[
			"lost-update",
			[
				[read("a", null), write("a", "1")],
				[read("a", null), write("a", "2")],
			],
		],
		["G1b", [[write("a", "1"), write("a", "2")], [read("a", "1")]]],
		["internal", [[write("a", "1"), read("a", null)]]],
		["unwritten", [[read("a", "9")]]],
	];
	for (const [kind, planted] of registerAnomalies) {
		it(`rw-register: ${kind}, without regard to real time`, () => {
			// G0 among registers shows only through reads that also make it a G1c.
			const kinds = kind === "G0" ? ["G0", "G1c"] : [kind];
			repeat((random) => {
				assertKind(checkReadWrite(amid(random, false, ...planted), { realtime: false }), ...kinds);
			});
		});
	}

	it("aborted reads, and what only real time shows: stale reads and writes in the wrong order", () => {
		const aborted = (ops: MicroOp[]): Transaction => ({ name: "A", status: "fail", ops, invoked: 1, completed: 2 });
		assertKind(checkListAppend([aborted([append("a", "1")]), ...sequential([readList("a", "1")])]), "G1a");
		assertKind(checkReadWrite([aborted([write("a", "1")]), ...sequential([read("a", "1")])]), "G1a");
		const stale = sequential([append("a", "1")], [append("a", "2")], [readList("a", "1")], [readList("a", "1", "2")]);
		assertKind(checkListAppend(stale), "stale-read");
		assertNone(checkListAppend(stale, { realtime: false }));
		const swapped = sequential([append("a", "1")], [append("a", "2")], [readList("a", "2", "1")]);
		assertKind(checkListAppend(swapped), "G0-realtime");
		assertNone(checkListAppend(swapped, { realtime: false }));
		const staleRegister = sequential([write("a", "1")], [write("a", "2")], [read("a", "1")]);
		assertKind(checkReadWrite(staleRegister), "stale-read");
		assertNone(checkReadWrite(staleRegister, { realtime: false }));
		// An aborted append that nobody saw, and an unanswered one that somebody did, are both fine.
		const unanswered: Transaction = {
			name: "U",
			status: "info",
			ops: [append("a", "7")],
			invoked: 1,
			completed: undefined,
		};
		assertNone(checkListAppend([aborted([append("a", "1")]), unanswered, ...sequential([readList("a", "7")])]));
	});

	it("watches: each broken promise, and a replay that differs", () => {
		const kinds = new Map<string, number>();
		repeat((random) => {
			const watches = randomWatches(random, 40);
			assertNone(checkWatches(watches));
			const all = watches[0]!;
			const state = new Map<string, { readonly value: string; readonly modRevision: number }>();
			for (const event of all.batches.flatMap((batch) => batch.events)) {
				if (event.type === "put") state.set(event.key, event);
				else state.delete(event.key);
			}
			const revision = all.batches.at(-1)!.revision;
			assertNone(checkReplay(all, state, revision));
			assertKind(
				checkReplay(all, new Map([...state, ["k0", { value: "other", modRevision: 3 }]]), revision),
				"watch-replay",
			);
			for (const [kind, broken] of breakWatch(random, watches[1]!)) {
				assertKind(checkWatches([all, broken]), kind);
				kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
			}
		});
		assert.equal(kinds.size, 9, [...kinds.keys()].join());
	});

	it("set, counter, bank", () => {
		repeat((random) => {
			const present: string[] = [];
			let value = 0;
			const adds: SetAdd[] = [];
			const reads: SetRead[] = [];
			for (const [i, slot] of randomSlots(random, 60, 4).entries()) {
				const time = { invoked: slot.invoked, completed: slot.completed };
				if (random.int(3) === 0) reads.push({ name: `r${i}`, elements: [...present], ...time });
				else {
					const status = random.int(10) === 0 ? "info" : "ok";
					if (status === "ok" || random.int(2) === 0) {
						present.push(String(i));
						value++;
					}
					adds.push({
						name: `a${i}`,
						element: String(i),
						status,
						...time,
						completed: status === "ok" ? slot.completed : undefined,
					});
				}
			}
			const final = { name: "final", elements: present, invoked: 1000, completed: 1001 };
			const all = [...reads, final];
			assertNone(checkSet(adds, all));
			const acked = pick(
				random,
				adds.filter((add) => add.status === "ok"),
			);
			const without = present.filter((element) => element !== acked.element);
			assertKind(checkSet(adds, [...reads, { ...final, elements: without }]), "lost");
			assertKind(
				checkSet(adds, [...all, { ...final, elements: without, invoked: 999, completed: 999.5 }]),
				"stale-read",
			);
			assertKind(checkSet(adds, [...reads, { ...final, elements: [...present, "x"] }]), "unexpected");
			assertKind(checkSet(adds, [...reads, { ...final, elements: [...present, acked.element] }]), "duplicated");

			const deltas = adds.map((add) => ({ ...add, delta: 1 }));
			const counts = reads.map((read) => ({ ...read, value: read.elements.length }));
			const end = { name: "final", invoked: 1000, completed: 1001 };
			assertNone(checkCounter(deltas, [...counts, { ...end, value }]));
			assertKind(checkCounter(deltas, [...counts, { ...end, value: deltas.length + 1 }]), "unexpected");
			assertKind(checkCounter(deltas, [...counts, { ...end, value: Number.NaN }]), "unexpected");
			const certain = deltas.filter((add) => add.status === "ok").length;
			assertKind(checkCounter(deltas, [...counts, { ...end, value: certain - 1 }]), "lost");
			if (deltas.length > certain && value > certain) {
				const later = { name: "later", invoked: 1002, completed: 1003, value: value - 1 };
				assertKind(checkCounter(deltas, [{ ...end, value }, later]), "stale-read");
			}
		});
		const at = { name: "r", invoked: 1, completed: 2 };
		assertNone(checkBank(["a", "b"], 10, [{ ...at, balances: { a: 3, b: 7 } }]));
		assertKind(checkBank(["a", "b"], 10, [{ ...at, balances: { a: 3, b: 8 } }]), "wrong-total");
		assertKind(checkBank(["a", "b"], 10, [{ ...at, balances: { a: -1, b: 11 } }]), "negative-balance");
		assertKind(checkBank(["a", "b"], 10, [{ ...at, balances: { a: 10 } }]), "wrong-accounts");
	});

	it("queue: lost, twice, from nowhere, out of order, overlooked", () => {
		repeat((random) => {
			const inside: string[] = [];
			const enqueues: Enqueue[] = [];
			const dequeues: Dequeue[] = [];
			for (const [i, slot] of randomSlots(random, 60, 4).entries()) {
				const time = { invoked: slot.invoked, completed: slot.completed };
				if (random.int(2) === 0) {
					inside.push(`e${i}`);
					enqueues.push({ name: `enqueue e${i}`, element: `e${i}`, status: "ok", ...time });
				} else dequeues.push({ name: `dequeue ${inside[0]}`, element: inside.shift(), status: "ok", ...time });
			}
			const drain = (element: string, i: number): Dequeue => {
				return { name: `drain ${element}`, element, status: "ok", invoked: 1000 + i, completed: 1000.5 + i };
			};
			const tail = ["y", "z"].map((element, i) => {
				return { name: element, element, status: "ok" as const, invoked: 900 + i, completed: 900.5 + i };
			});
			const all = [...enqueues, ...tail];
			const rest = [...dequeues, ...[...inside, "y", "z"].map(drain)];
			assertNone(checkQueue(all, rest, true));
			assertKind(checkQueue(all, rest.slice(0, -1), true), "lost");
			const empty: Dequeue = { name: "dequeue", element: undefined, status: "ok", invoked: 950, completed: 951 };
			assertKind(checkQueue(all, [...rest, empty], true), "stale-read");
			assertNone(checkQueue(all, [...rest, { ...empty, invoked: 2000, completed: 2001 }], true));
			assertKind(checkQueue(all, [...rest, drain("z", 100)], true), "duplicated");
			assertKind(checkQueue(all, [...rest, drain("x", 100)], true), "unexpected");
			assertKind(checkQueue(all, [...dequeues, ...[...inside, "z", "y"].map(drain)], true), "out-of-order");
		});
	});

	it("locks and elections: two holders, a passed fence, a lost update, two leaders, an old leader", () => {
		const hold = (name: string, from: number, to: number) => ({ name, lock: "l", from, to });
		assertNone(checkMutualExclusion([hold("a", 0, 2), hold("b", 2, 3), hold("c", 5, 6)]));
		assertKind(checkMutualExclusion([hold("a", 0, 9), hold("b", 2, 3), hold("c", 5, 6)]), "two-holders");
		const guarded = (token: number, order: number, before: string, wrote: string) => {
			return { name: wrote, token, order, read: before, wrote, invoked: order, completed: order + 0.5 };
		};
		assertNone(checkGuarded([guarded(1, 1, "0", "1"), guarded(2, 2, "1", "2")], true));
		assertKind(checkGuarded([guarded(2, 1, "0", "1"), guarded(1, 2, "1", "2")], true), "fence-passed");
		assertKind(checkGuarded([guarded(1, 1, "0", "1"), guarded(2, 2, "0", "2")], true), "lost-update");
		const look = (value: string) => ({ name: "look", value, invoked: 9, completed: 10 });
		const writes = [guarded(1, 1, "", "1"), guarded(2, 2, "1", "2")];
		for (const value of ["2", "of a write without an answer"]) assertNone(checkLast("l", writes, [look(value)]));
		for (const value of ["", "1"]) assertKind(checkLast("l", writes, [look(value)]), "lost");
		const reign = (leader: string, term: number, at: number) => {
			return { name: `${leader}@${term}`, leader, term, invoked: at, completed: at + 1 };
		};
		assertNone(checkElection([reign("a", 1, 0), reign("b", 2, 2)], [reign("a", 1, 1), reign("b", 2, 4)]));
		assertKind(checkElection([reign("a", 1, 0), reign("b", 1, 2)], []), "two-leaders");
		assertKind(checkElection([reign("b", 2, 0)], [reign("a", 1, 4)]), "old-leader");
	});
});

const emptyKv: ModelKv = { key: "", value: "", createRevision: 2, modRevision: 2, version: 1, lease: "" };
const ok = (revision: number) => ({ revision, succeeded: true, answers: [{ op: "put" }] }) as const;

/** The watch with one promise broken, in each way there is. */
function breakWatch(random: Random, watch: WatchRecording): Array<readonly [kind: string, WatchRecording]> {
	const events = watch.batches.flatMap((batch) => batch.events);
	const full = watch.batches.flatMap((batch, i) => (batch.events.length > 0 ? [i] : []));
	const chosen = pick(random, full.slice(0, -1));
	const batch = watch.batches[chosen]!;
	const [event] = batch.events;
	const replace = (...by: Array<WatchRecording["batches"][number]>) => ({
		...watch,
		batches: watch.batches.toSpliced(chosen, 1, ...by),
	});
	const changed = (change: Partial<WatchedEvent>) =>
		replace({ ...batch, events: [{ ...event!, ...change }, ...batch.events.slice(1)] });
	const broken: Array<readonly [string, WatchRecording]> = [
		["watch-unique", replace(batch, { ...batch, events: batch.events.slice(-1) })],
		["watch-gap", replace()],
		["watch-filter", { ...watch, key: "k2", end: "k2a" }],
		["watch-order", changed({ value: "other" })],
		["watch-bookmarkable", replace({ events: [], revision: batch.revision }, batch)],
		["watch-resumable", { ...watch, startRevision: events[0]!.modRevision + 1 }],
		["watch-ordered", { ...watch, batches: [watch.batches[full.at(-1)!]!, ...watch.batches.slice(0, -1)] }],
	];
	const twin = batch.events.findIndex((each, i) => each.modRevision === batch.events[i + 1]?.modRevision) + 1;
	if (twin > 0) {
		const pieces = [batch.events.slice(0, twin), batch.events.slice(twin)];
		broken.push(["watch-atomic", replace(...pieces.map((piece) => ({ ...batch, events: piece })))]);
	}
	if (watch.prevKv) broken.push(["watch-previous", changed({ previous: { value: "never", modRevision: 1 } })]);
	return broken;
}
