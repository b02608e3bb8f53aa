/**
 * The whole store as a sequential object, revisions included, and its non-deterministic twin: a set of states, which an
 * errored request forks and an answer filters (as etcd's robustness tests do). Keys and values are texts.
 */
import {
	checkLinearizable,
	type LinearModel,
	type LinearOperation,
	linearizabilityViolations,
} from "./linearizability.ts";
import type { Violation } from "./violation.ts";

export interface ModelKv {
	readonly key: string;
	readonly value: string;
	readonly createRevision: number;
	readonly modRevision: number;
	readonly version: number;
	/** "" without a lease. */
	readonly lease: string;
}

export type ModelCompare = {
	readonly key: string;
	readonly result: "equal" | "greater" | "less" | "not_equal";
} & (
	| { readonly target: "version" | "create" | "mod"; readonly operand: number }
	| { readonly target: "value"; readonly operand: string }
);

/** `end`: the half-open range [key, end); absent: the one key. */
export type ModelOp =
	| {
			readonly op: "range";
			readonly key: string;
			readonly end?: string | undefined;
			/** Absent or 0: the newest. Older ones are judged against the order found. */
			readonly revision?: number | undefined;
			readonly limit?: number | undefined;
	  }
	| { readonly op: "put"; readonly key: string; readonly value: string; readonly lease?: string | undefined }
	| { readonly op: "delete"; readonly key: string; readonly end?: string | undefined };

export type ModelRequest =
	| ModelOp
	| {
			readonly op: "txn";
			readonly compare: readonly ModelCompare[];
			readonly success: readonly ModelOp[];
			readonly failure: readonly ModelOp[];
	  }
	| { readonly op: "lease_grant"; readonly lease: string }
	| { readonly op: "lease_revoke"; readonly lease: string };

export type ModelOpAnswer =
	| { readonly op: "range"; readonly kvs: readonly ModelKv[]; readonly count: number }
	| { readonly op: "put" }
	| { readonly op: "delete"; readonly deleted: number };

/** `refused`: the store said no and changed nothing. */
export type ModelAnswer =
	| {
			readonly revision: number;
			readonly refused: "lease_not_found" | "lease_exists" | "compacted" | "future_revision";
	  }
	| { readonly revision: number; readonly succeeded?: boolean | undefined; readonly answers: readonly ModelOpAnswer[] };

export interface ModelState {
	readonly revision: number;
	readonly kvs: ReadonlyMap<string, ModelKv>;
	readonly leases: ReadonlySet<string>;
}

export const emptyModel: ModelState = { revision: 1, kvs: new Map(), leases: new Set() };

interface Draft {
	readonly revision: number;
	readonly kvs: Map<string, ModelKv>;
	readonly leases: ReadonlySet<string>;
	changed: boolean;
}

function inRange(key: string, op: { readonly key: string; readonly end?: string | undefined }): boolean {
	return op.end === undefined ? key === op.key : key >= op.key && key < op.end;
}

export function rangeOf(state: ModelState, op: Extract<ModelOp, { op: "range" }>): ModelOpAnswer {
	const found = [...state.kvs.values()].filter((kv) => inRange(kv.key, op));
	found.sort((a, b) => (a.key < b.key ? -1 : 1));
	const kvs = op.limit === undefined || op.limit === 0 ? found : found.slice(0, op.limit);
	return { op: "range", kvs, count: found.length };
}

function applyOp(draft: Draft, op: ModelOp): ModelOpAnswer {
	switch (op.op) {
		case "range":
			return rangeOf(draft, op);
		case "put": {
			const before = draft.kvs.get(op.key);
			const modRevision = draft.revision + 1;
			draft.kvs.set(op.key, {
				key: op.key,
				value: op.value,
				createRevision: before?.createRevision ?? modRevision,
				modRevision,
				version: (before?.version ?? 0) + 1,
				lease: op.lease ?? "",
			});
			draft.changed = true;
			return { op: "put" };
		}
		case "delete": {
			const keys = [...draft.kvs.keys()].filter((key) => inRange(key, op));
			for (const key of keys) draft.kvs.delete(key);
			if (keys.length > 0) draft.changed = true;
			return { op: "delete", deleted: keys.length };
		}
	}
}

function holds(state: ModelState, compare: ModelCompare): boolean {
	const kv = state.kvs.get(compare.key);
	// A value comparison on an absent key is false, whatever it asks.
	if (compare.target === "value" && kv === undefined) return false;
	const actual = {
		value: kv?.value ?? "",
		version: kv?.version ?? 0,
		create: kv?.createRevision ?? 0,
		mod: kv?.modRevision ?? 0,
	}[compare.target];
	const order = actual === compare.operand ? 0 : actual < compare.operand ? -1 : 1;
	return { equal: order === 0, greater: order > 0, less: order < 0, not_equal: order !== 0 }[compare.result];
}

/** One request on one state. */
export function applyRequest(
	state: ModelState,
	request: ModelRequest,
): { readonly state: ModelState; readonly answer: ModelAnswer } {
	const refuse = (refused: Extract<ModelAnswer, { refused: string }>["refused"]) => ({
		state,
		answer: { revision: state.revision, refused },
	});
	if (request.op === "lease_grant") {
		if (state.leases.has(request.lease)) return refuse("lease_exists");
		const leases = new Set(state.leases).add(request.lease);
		return { state: { ...state, leases }, answer: { revision: state.revision, answers: [] } };
	}
	if (request.op === "lease_revoke") return revoke(state, request.lease);
	const succeeded = request.op !== "txn" || request.compare.every((compare) => holds(state, compare));
	const ops = request.op === "txn" ? (succeeded ? request.success : request.failure) : [request];
	const missing = ops.some((op) => op.op === "put" && op.lease !== undefined && !state.leases.has(op.lease));
	if (missing) return refuse("lease_not_found");
	const draft: Draft = { revision: state.revision, kvs: new Map(state.kvs), leases: state.leases, changed: false };
	const answers = ops.map((op) => applyOp(draft, op));
	const after = draft.changed ? { revision: state.revision + 1, kvs: draft.kvs, leases: state.leases } : state;
	return { state: after, answer: { revision: after.revision, succeeded, answers } };
}

function revoke(state: ModelState, lease: string): { readonly state: ModelState; readonly answer: ModelAnswer } {
	if (!state.leases.has(lease)) {
		return { state, answer: { revision: state.revision, refused: "lease_not_found" } };
	}
	const leases = new Set(state.leases);
	leases.delete(lease);
	const kvs = new Map([...state.kvs].filter(([, kv]) => kv.lease !== lease));
	const revision = kvs.size === state.kvs.size ? state.revision : state.revision + 1;
	return { state: { revision, kvs, leases }, answer: { revision, answers: [] } };
}

function sameKvs(a: readonly ModelKv[], b: readonly ModelKv[]): boolean {
	return a.length === b.length && a.every((kv, i) => kvText(kv) === kvText(b[i]!));
}

function kvText(kv: ModelKv): string {
	return JSON.stringify([kv.key, kv.value, kv.createRevision, kv.modRevision, kv.version, kv.lease]);
}

/** Whether the store's answer is the model's. A range at an older revision is judged by `checkOldReads` instead. */
export function answersAgree(request: ModelRequest, expected: ModelAnswer, actual: ModelAnswer): boolean {
	const old = request.op === "range" && request.revision !== undefined && request.revision > 0;
	if (expected.revision !== actual.revision) return false;
	if (old) return true;
	if ("refused" in expected || "refused" in actual) {
		return "refused" in expected && "refused" in actual && expected.refused === actual.refused;
	}
	if (request.op === "txn" && expected.succeeded !== actual.succeeded) return false;
	if (expected.answers.length !== actual.answers.length) return false;
	return expected.answers.every((want, i) => {
		const got = actual.answers[i]!;
		if (want.op === "range") return got.op === "range" && got.count === want.count && sameKvs(got.kvs, want.kvs);
		if (want.op === "delete") return got.op === "delete" && got.deleted === want.deleted;
		return got.op === want.op;
	});
}

const stateKeys = new WeakMap<ModelState, string>();

function stateKey(state: ModelState): string {
	const known = stateKeys.get(state);
	if (known !== undefined) return known;
	const kvs = [...state.kvs.values()].map(kvText).sort();
	const key = `${state.revision} ${kvs.join()} ${[...state.leases].sort().join()}`;
	stateKeys.set(state, key);
	return key;
}

/** Every state the store may be in, as far as the answers so far tell. */
export type PossibleStates = readonly ModelState[];

/** An answer keeps the states that give it; without one (an error) each state forks into applied and not applied. */
export function stepPossible(states: PossibleStates, request: ModelRequest, answer?: ModelAnswer): PossibleStates {
	const after = new Map<string, ModelState>();
	for (const state of states) {
		const result = applyRequest(state, request);
		if (answer === undefined) after.set(stateKey(state), state);
		if (answer === undefined || answersAgree(request, result.answer, answer)) {
			after.set(stateKey(result.state), result.state);
		}
	}
	return [...after.values()];
}

/** `answer` absent: it may or may not have been applied. */
export interface ModelInput {
	readonly request: ModelRequest;
	readonly answer?: ModelAnswer | undefined;
}

export type ModelOperation = LinearOperation<ModelInput>;

function isWrite(request: ModelRequest): boolean {
	if (request.op === "txn") return [...request.success, ...request.failure].some((op) => op.op !== "range");
	return request.op !== "range";
}

/** What the answers of a history say about the revisions that no answered write made. */
export interface Evidence {
	/** Made by answered writes, so by no other. */
	readonly answered: ReadonlySet<number>;
	/**
	 * By revision: what reads showed of pairs that lived then, from their creation to the modification shown. In between,
	 * the key was never deleted, and put as often as the version tells.
	 */
	readonly alive: ReadonlyMap<number, readonly ModelKv[]>;
	/** By value, of those that one operation alone writes: the revision at which reads showed it. */
	readonly madeAt: ReadonlyMap<string, number>;
}

/**
 * Of the whole store, for the search of an order. Answers carry revisions, so that hardly any order is left to choice. An
 * operation without an answer may stay out of the order, so here it needs no fork: placed, it was applied and changed
 * something, at a revision and in a way that no answer contradicts.
 */
export function storeModel({ answered, alive, madeAt }: Evidence): LinearModel<ModelState, ModelInput> {
	return {
		initial: emptyModel,
		step: (state, { request, answer }) => {
			const result = applyRequest(state, request);
			if (answer !== undefined) return answersAgree(request, result.answer, answer) ? result.state : undefined;
			const { revision, kvs } = result.state;
			if (result.state === state || (revision > state.revision && answered.has(revision))) return undefined;
			if (alive.get(revision)?.every((later) => leadsTo(kvs.get(later.key), later, revision)) === false)
				return undefined;
			for (const { key, value } of putsOf(request)) {
				const at = madeAt.get(value);
				if (at !== undefined && at !== revision && kvs.get(key)?.modRevision === revision) return undefined;
			}
			return result.state;
		},
		key: stateKey,
		show: showState,
		level: { of: (state) => state.revision, after: ({ answer }) => answer?.revision },
		removable: (input) => !isWrite(input.request) || (input.answer !== undefined && "refused" in input.answer),
		forget: (input) => (isWrite(input.request) ? { request: input.request } : undefined),
	};
}

function putsOf(request: ModelRequest): readonly Extract<ModelOp, { op: "put" }>[] {
	const ops = request.op === "txn" ? [...request.success, ...request.failure] : [request];
	return ops.filter((op) => op.op === "put");
}

/** Whether what a key held at `revision` can have become `later`, which lived then. */
function leadsTo(kv: ModelKv | undefined, later: ModelKv, revision: number): boolean {
	if (kv === undefined || kv.createRevision !== later.createRevision) return false;
	if (revision === later.modRevision) return kvText(kv) === kvText(later);
	const puts = later.version - kv.version;
	return puts > 0 && puts <= later.modRevision - revision;
}

/** Of the answers alone; it holds for every history that contains them. */
function gatherEvidence(operations: readonly ModelOperation[]): Evidence {
	const answered = operations.flatMap(({ input }) => (changes(input) ? (input.answer?.revision ?? []) : []));
	const shown = new Map<string, ModelKv>();
	const revisions = new Map<string, number>();
	const writers = new Map<string, number>();
	for (const { input } of operations) {
		for (const value of new Set(putsOf(input.request).map((op) => op.value))) {
			writers.set(value, (writers.get(value) ?? 0) + 1);
		}
		if (input.answer === undefined || "refused" in input.answer) continue;
		for (const kv of input.answer.answers.flatMap((each) => (each.op === "range" ? each.kvs : []))) {
			shown.set(kvText(kv), kv);
			revisions.set(kv.value, kv.modRevision);
		}
	}
	const alive = new Map<number, ModelKv[]>();
	// Of one life of a key only the next pair shown: it tells all that those after it tell.
	const reached = new Map<string, number>();
	for (const kv of [...shown.values()].sort((a, b) => a.modRevision - b.modRevision)) {
		const life = `${kv.createRevision} ${kv.key}`;
		for (let revision = reached.get(life) ?? kv.createRevision; revision <= kv.modRevision; revision++) {
			const known = alive.get(revision) ?? [];
			known.push(kv);
			alive.set(revision, known);
		}
		reached.set(life, kv.modRevision + 1);
	}
	const madeAt = new Map([...revisions].filter(([value]) => writers.get(value) === 1));
	return { answered: new Set(answered), alive, madeAt };
}

function changes({ request, answer }: ModelInput): boolean {
	if (answer === undefined || "refused" in answer) return false;
	if (request.op === "range" || request.op === "lease_grant" || request.op === "lease_revoke") return false;
	return answer.answers.some((each) => each.op === "put" || (each.op === "delete" && each.deleted > 0));
}

/**
 * One client's operations, one after the other: every error forks what is possible (applied at once, or never), every
 * answer must fit something.
 */
export function checkSequential(operations: readonly ModelOperation[]): Violation[] {
	let states: PossibleStates = [emptyModel];
	for (const { name, input } of operations) {
		const after = stepPossible(states, input.request, input.answer);
		if (after.length === 0) {
			const message = `${name} fits none of ${states.length} possible states`;
			return [{ kind: "impossible-answer", message, witness: states.slice(0, 5).map(showState) }];
		}
		states = after;
	}
	return [];
}

function showState(state: ModelState): string {
	const kvs = [...state.kvs.values()].map((kv) => `${kv.key}=${kv.value}@${kv.modRevision}`);
	return `revision ${state.revision} {${kvs.join(" ")}}`;
}

/** A read that does not claim to be newest: a serializable one, or one at an older revision. */
export interface OldRead {
	readonly name: string;
	readonly request: Extract<ModelOp, { op: "range" }>;
	/** The revision it claims to show. */
	readonly revision: number;
	readonly kvs: readonly ModelKv[];
}

/** The whole store's history: linearizable with revisions, and every old read shows a state that was. */
export function checkStore(operations: readonly ModelOperation[], oldReads: readonly OldRead[] = []): Violation[] {
	// A witness speaks for itself: what operations outside of it showed must not count.
	const modelOf = (ops: readonly ModelOperation[]) => storeModel(gatherEvidence(ops));
	const model = modelOf(operations);
	const found = checkLinearizable(model, operations);
	if (found.verdict !== "linearizable") return linearizabilityViolations("store", model, operations, { modelOf });
	const byRevision = new Map<number, ModelState>([[emptyModel.revision, emptyModel]]);
	let state = emptyModel;
	for (const { input } of found.order) {
		const after = applyRequest(state, input.request).state;
		// From here on another order of the unanswered could be the true one.
		if (input.answer === undefined && after !== state) break;
		state = after;
		byRevision.set(state.revision, state);
	}
	return oldReads.flatMap((read) => checkOldRead(read, byRevision));
}

function checkOldRead(read: OldRead, byRevision: ReadonlyMap<number, ModelState>): Violation[] {
	const state = byRevision.get(read.revision);
	if (state === undefined) return [];
	const expected = rangeOf(state, read.request);
	if (expected.op !== "range" || sameKvs(expected.kvs, read.kvs)) return [];
	const show = (kvs: readonly ModelKv[]) => kvs.map((kv) => `${kv.key}=${kv.value}@${kv.modRevision}`).join(" ");
	return [
		{
			kind: "old-read",
			message: `${read.name} shows revision ${read.revision} as it never was`,
			witness: [`read: ${show(read.kvs)}`, `was:  ${show(expected.kvs)}`],
		},
	];
}
