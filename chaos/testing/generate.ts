/** Random histories that are right by construction: each operation takes effect at one instant inside its interval. */
import type { Random } from "../../kit/random.ts";
import type { MicroOp, Transaction } from "../checkers/cycles.ts";
import type { RegisterInput, RegisterOperation } from "../checkers/linearizability.ts";
import {
	applyRequest,
	emptyModel,
	type ModelOp,
	type ModelOperation,
	type ModelRequest,
	type ModelState,
} from "../checkers/model.ts";
import type { WatchedBatch, WatchedEvent, WatchRecording } from "../checkers/watch.ts";

interface Slot {
	readonly process: number;
	readonly invoked: number;
	readonly at: number;
	readonly completed: number;
}

/** Intervals of a few sequential processes, in the order in which they take effect. */
export function randomSlots(random: Random, count: number, processes: number): Slot[] {
	const clocks = Array.from({ length: processes }, () => random.float() * 10);
	const slots: Slot[] = [];
	for (let i = 0; i < count; i++) {
		const process = random.int(processes);
		const invoked = clocks[process]! + random.float() * 3;
		const at = invoked + random.float() * 5;
		const completed = at + random.float() * 5;
		clocks[process] = completed + 0.001;
		slots.push({ process, invoked, at, completed });
	}
	return slots.sort((a, b) => a.at - b.at);
}

/** Few values and many unanswered operations, as in Jepsen's histories. */
export function randomRegister(random: Random, count: number): RegisterOperation[] {
	let state: string | null = null;
	return randomSlots(random, count, 4).flatMap((slot, i): RegisterOperation[] => {
		const { invoked } = slot;
		const unknown = random.int(12) === 0;
		const completed = unknown ? undefined : slot.completed;
		const make = (input: RegisterInput) => [{ name: `p${slot.process} ${describe(input)}`, input, invoked, completed }];
		const value = random.int(3) === 0 ? String(random.int(3)) : `v${i}`;
		const dice = random.int(3);
		// Unanswered and without effect.
		const vain = unknown && random.int(2) === 0;
		if (dice === 0) return unknown ? [] : make({ kind: "read", value: state });
		if (dice === 1) {
			if (!vain) state = value;
			return make({ kind: "write", value });
		}
		const expected = random.int(2) === 0 ? state : String(random.int(3));
		const done = expected === state;
		if (done && !vain) state = value;
		return make({ kind: "cas", expected, value, done: done || unknown });
	});
}

function describe(input: RegisterInput): string {
	return input.kind === "cas" ? `cas ${input.expected}->${input.value} ${input.done}` : `${input.kind} ${input.value}`;
}

/** Transactions of one to four steps over a few keys, atomic at their instant. */
export function randomTransactions(random: Random, count: number, lists: boolean): Transaction[] {
	const keys = ["x", "y", "z"];
	const lists_ = new Map<string, readonly string[]>();
	const registers = new Map<string, string>();
	let values = 0;
	return randomSlots(random, count, 4).map((slot, id): Transaction => {
		const status = random.int(12) === 0 ? "info" : random.int(12) === 0 ? "fail" : "ok";
		const applied = status === "ok" || (status === "info" && random.int(2) === 0);
		const [before, registersBefore] = [new Map(lists_), new Map(registers)];
		const ops = Array.from({ length: 1 + random.int(4) }, (): MicroOp => {
			const key = keys[random.int(keys.length)]!;
			const writes = random.int(2) === 0;
			const value = String(++values);
			if (lists) {
				const list = lists_.get(key) ?? [];
				if (!writes) return { f: "read", key, list };
				lists_.set(key, [...list, value]);
				return { f: "append", key, value };
			}
			if (!writes) return { f: "read", key, value: registers.get(key) ?? null };
			registers.set(key, value);
			return { f: "write", key, value };
		});
		if (!applied) restore(lists_, before, registers, registersBefore);
		const completed = status === "info" ? undefined : slot.completed;
		return { name: `T${id}`, status, ops, invoked: slot.invoked, completed };
	});
}

function restore<A, B>(a: Map<string, A>, oldA: Map<string, A>, b: Map<string, B>, oldB: Map<string, B>): void {
	a.clear();
	b.clear();
	for (const [key, value] of oldA) a.set(key, value);
	for (const [key, value] of oldB) b.set(key, value);
}

function randomOp(random: Random, i: number, writes: boolean): ModelOp {
	const key = `k${random.int(3)}`;
	const dice = random.int(writes ? 5 : 2);
	if (dice === 0) return { op: "range", key };
	if (dice === 1) return { op: "range", key: "k0", end: `k${1 + random.int(3)}`, limit: random.int(3) };
	if (dice === 2) return { op: "delete", key, ...(random.int(3) === 0 ? { end: "k9" } : {}) };
	return { op: "put", key, value: `v${i}` };
}

/** Requests of every kind against the model of the whole store. */
export function randomStore(random: Random, count: number): { operations: ModelOperation[]; states: ModelState[] } {
	let state = emptyModel;
	const states = [state];
	const operations = randomSlots(random, count, 4).map((slot, i): ModelOperation => {
		const request = randomRequest(random, i);
		const result = applyRequest(state, request);
		const unknown = random.int(15) === 0;
		if (!unknown || random.int(2) === 0) state = result.state;
		states.push(state);
		return {
			name: `p${slot.process} #${i} ${JSON.stringify(request)}`,
			input: unknown ? { request } : { request, answer: result.answer },
			invoked: slot.invoked,
			completed: unknown ? undefined : slot.completed,
		};
	});
	return { operations, states };
}

function randomRequest(random: Random, i: number): ModelRequest {
	const dice = random.int(10);
	if (dice === 0) return { op: "lease_grant", lease: `l${random.int(3)}` };
	if (dice === 1) return { op: "lease_revoke", lease: `l${random.int(3)}` };
	if (dice === 2) return { op: "put", key: `k${random.int(3)}`, value: `v${i}`, lease: `l${random.int(3)}` };
	if (dice > 5) return randomOp(random, i, true);
	return {
		op: "txn",
		compare: [{ key: `k${random.int(3)}`, target: "version", result: "greater", operand: random.int(3) }],
		success: [randomOp(random, i, true)],
		failure: [randomOp(random, i, false)],
	};
}

/** Watches of a random history of keys, cut into batches at revision boundaries, with bookmarks between them. */
export function randomWatches(random: Random, revisions: number): WatchRecording[] {
	const live = new Map<string, WatchedEvent>();
	const history: WatchedEvent[] = [];
	for (let revision = 2; revision < revisions + 2; revision++) {
		const keys = new Set(Array.from({ length: 1 + random.int(3) }, () => `k${random.int(4)}`));
		for (const key of keys) {
			const event = randomEvent(random, key, revision, live.get(key));
			history.push(event);
			if (event.type === "delete") live.delete(key);
			else live.set(key, event);
		}
	}
	return Array.from({ length: 4 }, (_, i): WatchRecording => {
		const [key, end] = i < 2 ? (["k", "l"] as const) : ([`k${random.int(4)}`, undefined] as const);
		const startRevision = i === 0 ? 1 : 2 + random.int(revisions >> 1);
		const wanted = history.filter(
			(event) => event.modRevision >= startRevision && (end === undefined ? event.key === key : event.key < end),
		);
		const batches = cutBatches(random, wanted);
		return { name: `w${i}`, key, end, startRevision, prevKv: random.int(2) === 0 || i === 0, batches };
	}).map((watch) => (watch.prevKv ? watch : { ...watch, batches: watch.batches.map(withoutPrevious) }));
}

function randomEvent(random: Random, key: string, modRevision: number, before: WatchedEvent | undefined): WatchedEvent {
	const previous = before === undefined ? {} : { previous: { value: before.value, modRevision: before.modRevision } };
	if (before !== undefined && random.int(4) === 0) {
		return { type: "delete", key, value: "", modRevision, createRevision: 0, version: 0, ...previous };
	}
	const createRevision = before?.createRevision ?? modRevision;
	const version = (before?.version ?? 0) + 1;
	return { type: "put", key, value: `v${modRevision}${key}`, modRevision, createRevision, version, ...previous };
}

function withoutPrevious(batch: WatchedBatch): WatchedBatch {
	return { ...batch, events: batch.events.map(({ previous: _, ...event }) => event) };
}

function cutBatches(random: Random, events: readonly WatchedEvent[]): WatchedBatch[] {
	const batches: WatchedBatch[] = [];
	let open: WatchedEvent[] = [];
	for (const [i, event] of events.entries()) {
		open.push(event);
		const next = events[i + 1];
		if (next !== undefined && (next.modRevision === event.modRevision || random.int(2) === 0)) continue;
		batches.push({ events: open, revision: event.modRevision });
		open = [];
		if (random.int(3) === 0) batches.push({ events: [], revision: event.modRevision });
	}
	return batches;
}
