/**
 * What must hold after a run, judged from the clients' history and from what the healed members say the history of the
 * key space was. Revisions give the order in which writes took effect, so most of it needs no search.
 */
import type { WatchEvent } from "../../store/api.ts";
import { checkRegister, type RegisterOperation } from "../checkers/linearizability.ts";
import { describeRequest, type History, type Seen, type WatchRecord, type WorkOperation } from "./history.ts";
import type { LeaseEnd } from "./ledger.ts";

/** A member's account of the key space. */
export interface Account {
	readonly member: string;
	/** History up to this revision is compacted away; 0: none is. */
	readonly baseRevision: number;
	/** The pairs that existed at `baseRevision`. */
	readonly base: readonly Seen[];
	/** Every event after `baseRevision`. */
	readonly events: readonly WatchEvent[];
	readonly revision: number;
	readonly hash: number;
}

export function sameAccounts(accounts: readonly Account[]): string[] {
	const text = (account: Account) => {
		const events = account.events.map(eventText).join("\n");
		return [account.revision, account.hash, account.baseRevision, JSON.stringify(account.base), events].join("\n");
	};
	const first = accounts[0]!;
	return accounts
		.filter((account) => text(account) !== text(first))
		.map((account) => `${account.member} and ${first.member} hold different states: ${differ(first, account)}`);
}

function differ(a: Account, b: Account): string {
	if (a.revision !== b.revision) return `revisions ${a.revision} and ${b.revision}`;
	const at = a.events.findIndex(
		(event, i) => b.events[i] === undefined || eventText(event) !== eventText(b.events[i]!),
	);
	if (at >= 0)
		return `${eventText(a.events[at]!)} and ${b.events[at] === undefined ? "nothing" : eventText(b.events[at]!)}`;
	return `hashes ${a.hash} and ${b.hash}, bases at ${a.baseRevision} and ${b.baseRevision}`;
}

function eventText(event: WatchEvent): string {
	const { key, value, createRevision, modRevision, version, lease } = event.kv;
	return `${event.type} ${key}=${value} ${createRevision} ${modRevision} ${version} ${lease.toString(16)}`;
}

/** The key space at each revision, from an account. */
class Timeline {
	readonly #account: Account;
	readonly #byRevision = new Map<number, WatchEvent[]>();
	readonly #byKey = new Map<string, Array<{ readonly at: number; readonly seen: Seen | undefined }>>();

	constructor(account: Account) {
		this.#account = account;
		for (const each of account.base) this.#byKey.set(each.key, [{ at: account.baseRevision, seen: each }]);
		for (const event of account.events) {
			const { modRevision, version } = event.kv;
			const key = event.kv.key.toString();
			const now = event.type === "put" ? { key, value: event.kv.value.toString(), modRevision, version } : undefined;
			const states = this.#byKey.get(key) ?? [];
			states.push({ at: modRevision, seen: now });
			this.#byKey.set(key, states);
			this.#byRevision.set(modRevision, [...(this.#byRevision.get(modRevision) ?? []), event]);
		}
	}

	/** Whether the account tells of this revision. */
	covers(revision: number): boolean {
		return revision > this.#account.baseRevision;
	}

	at(revision: number): readonly WatchEvent[] {
		return this.#byRevision.get(revision) ?? [];
	}

	state(key: string, revision: number): Seen | undefined {
		return this.#byKey.get(key)?.findLast((state) => state.at <= revision)?.seen;
	}
}

/** Versions count up from 1 at each creation; a delete meets something that is there. */
export function wellFormed(account: Account): string[] {
	const faults: string[] = [];
	const states = new Map<string, { version: number; createRevision: number } | undefined>();
	for (const each of account.base) states.set(each.key, { version: each.version, createRevision: -1 });
	// An empty store is at revision 1.
	let last = Math.max(1, account.baseRevision);
	for (const event of account.events) {
		const key = event.kv.key.toString();
		const before = states.get(key);
		const fault = (what: string) => faults.push(`${account.member}: ${eventText(event)}: ${what}`);
		if (event.kv.modRevision < last) fault(`after revision ${last}`);
		if (event.kv.modRevision > last + 1) fault(`revisions ${last + 1} to ${event.kv.modRevision - 1} have no event`);
		last = event.kv.modRevision;
		if (event.type === "delete") {
			if (before === undefined) fault("deletes what is not there");
			states.set(key, undefined);
			continue;
		}
		const { version, createRevision, modRevision } = event.kv;
		if (version !== (before?.version ?? 0) + 1) fault(`follows version ${before?.version ?? 0}`);
		if (before === undefined && createRevision !== modRevision) fault("is created at another revision");
		if (before !== undefined && before.createRevision >= 0 && before.createRevision !== createRevision) {
			fault(`was created at ${before.createRevision}`);
		}
		states.set(key, { version, createRevision });
	}
	if (account.revision !== last)
		faults.push(`${account.member}: at revision ${account.revision}, but events end at ${last}`);
	return faults;
}

/** The events a write must have left at its revision, as `type key=value`. */
function effects(operation: WorkOperation): string[] {
	const { request } = operation;
	switch (request.kind) {
		case "put":
		case "cas":
			return [`put ${request.key}=${request.value}`];
		case "delete":
			return [`delete ${request.key}=`];
		case "pair":
			return request.keys.map((key) => `put ${key}=${request.value}`);
		default:
			return [];
	}
}

function isWrite(operation: WorkOperation): boolean {
	const { kind } = operation.request;
	return kind === "put" || kind === "delete" || kind === "cas" || kind === "pair";
}

/** Acknowledged writes are there, at their revision, once; refused ones nowhere; reads saw the state of their revision. */
export function accountedFor(history: History, account: Account): string[] {
	const faults: string[] = [];
	const timeline = new Timeline(account);
	const occurrences = new Map<string, number>();
	for (const event of account.events) {
		const text = `${event.kv.key}=${event.kv.value}`;
		if (event.type === "put") occurrences.set(text, (occurrences.get(text) ?? 0) + 1);
	}
	for (const operation of history.operations) {
		const { outcome } = operation;
		const fault = (what: string) =>
			faults.push(`${operation.client} #${operation.id} ${describeRequest(operation.request)}: ${what}`);
		for (const effect of effects(operation)) {
			const count = occurrences.get(effect.slice(effect.indexOf(" ") + 1)) ?? 0;
			if (count > 1) fault(`was applied ${count} times`);
			if (count > 0 && (outcome?.type === "fail" || (outcome?.type === "ok" && !outcome.done))) {
				fault("was said not to be applied, but was");
			}
		}
		if (outcome?.type === "ok") for (const what of judgeAnswer(operation, outcome, timeline, account)) fault(what);
	}
	return faults;
}

function judgeAnswer(
	operation: WorkOperation,
	outcome: Extract<WorkOperation["outcome"], { type: "ok" }>,
	timeline: Timeline,
	account: Account,
): string[] {
	const { revision, found, done } = outcome;
	const { request } = operation;
	if (revision > account.revision) return [`answered revision ${revision}, but the store is at ${account.revision}`];
	if (!timeline.covers(revision)) return [];
	if (isWrite(operation) && done) {
		const there = timeline.at(revision).map((event) => `${event.type} ${event.kv.key}=${event.kv.value}`);
		const missing = effects(operation).filter((effect) => !there.includes(effect));
		return missing.length === 0 ? [] : [`acknowledged at revision ${revision}, which holds [${there.join(", ")}]`];
	}
	const keys =
		request.kind === "list" ? request.keys : request.kind === "get" || request.kind === "cas" ? [request.key] : [];
	const faults: string[] = [];
	for (const key of keys) {
		const expected = timeline.state(key, revision);
		const actual = found.find((each) => each.key === key);
		if (expected?.value !== actual?.value || expected?.modRevision !== actual?.modRevision) {
			const text = (each: Seen | undefined) => (each === undefined ? "nothing" : `${each.value}@${each.modRevision}`);
			faults.push(`saw ${text(actual)} for ${key} at revision ${revision}, where it was ${text(expected)}`);
		}
	}
	return faults;
}

/** Strict serializability by revisions: what began after an answer has no smaller revision, and a write a larger one. */
export function realTimeOrder(history: History): string[] {
	const faults: string[] = [];
	const answered = history.operations.filter(
		(operation) =>
			operation.outcome?.type === "ok" &&
			operation.request.kind !== "compact" &&
			!(operation.request.kind === "get" && operation.request.serializable),
	);
	const byCompletion = answered.toSorted((a, b) => a.completed - b.completed);
	const byInvocation = answered.toSorted((a, b) => a.id - b.id);
	let highest = 0;
	let holder: WorkOperation | undefined;
	let next = 0;
	for (const operation of byInvocation) {
		while (next < byCompletion.length && byCompletion[next]!.completed < operation.id) {
			const earlier = byCompletion[next++]!;
			const revision = okRevision(earlier);
			if (revision > highest) {
				highest = revision;
				holder = earlier;
			}
		}
		const { done } = operation.outcome as { done: boolean };
		const floor = isWrite(operation) && done ? highest + 1 : highest;
		if (okRevision(operation) < floor) {
			faults.push(
				`${operation.client} #${operation.id} ${describeRequest(operation.request)} has revision ${okRevision(operation)}, but ${holder!.client} #${holder!.id}, answered before it began, has ${highest}`,
			);
		}
	}
	return faults;
}

function okRevision(operation: WorkOperation): number {
	return operation.outcome?.type === "ok" ? operation.outcome.revision : -1;
}

/** Each register by itself, without regard to revisions: a second opinion. */
export function linearizable(history: History, account: Account, registers: readonly string[]): string[] {
	const applied = new Set<string>();
	for (const event of account.events) applied.add(event.kv.value.toString());
	const complete = account.baseRevision === 0;
	const faults: string[] = [];
	for (const key of registers) {
		const operations = history.operations.flatMap((operation) => registerOperations(operation, key, applied, complete));
		const verdict = checkRegister(operations);
		if (!verdict.ok) faults.push(`register ${key} is not linearizable; stuck at: ${verdict.stuck.join("; ")}`);
	}
	return faults;
}

function registerOperations(
	operation: WorkOperation,
	key: string,
	applied: ReadonlySet<string>,
	complete: boolean,
): RegisterOperation[] {
	const { request, outcome, id: invoked } = operation;
	if (outcome?.type === "fail") return [];
	const answered = outcome?.type === "ok";
	const completed = answered ? operation.completed : undefined;
	const name = `${operation.client} #${operation.id} ${describeRequest(request)}`;
	const make = (input: RegisterOperation["input"]): RegisterOperation[] => [{ name, input, invoked, completed }];
	const lookUp = () => (answered ? (outcome.found.find((each) => each.key === key)?.value ?? null) : null);
	/** True for a write without an answer that the complete history does not contain: it never took effect. */
	const vain = (value: string) => !answered && complete && !applied.has(value);
	switch (request.kind) {
		case "put":
			return request.key === key && !vain(request.value) ? make({ kind: "write", value: request.value }) : [];
		case "pair":
			return request.keys.includes(key) && !vain(request.value) ? make({ kind: "write", value: request.value }) : [];
		case "delete":
			return request.key === key ? make({ kind: "write", value: null }) : [];
		case "get":
			return request.key === key && answered && !request.serializable ? make({ kind: "read", value: lookUp() }) : [];
		case "list":
			return answered ? make({ kind: "read", value: lookUp() }) : [];
		case "cas": {
			if (request.key !== key || vain(request.value)) return [];
			const { expected, value } = request;
			if (answered && !outcome.done) return make({ kind: "read", value: lookUp() });
			return make({ kind: "cas", expected, value, done: true });
		}
		case "compact":
			return [];
	}
}

/** A watch saw every event of its range once, in order, up to where it says. */
export function watchesComplete(history: History, account: Account): string[] {
	return history.watches.flatMap((record) => [
		...record.faults.map((fault) => `${record.name}: ${fault}`),
		...watchComplete(record, account),
	]);
}

function watchComplete(record: WatchRecord, account: Account): string[] {
	const inRange = (event: WatchEvent) => record.key === undefined || event.kv.key.toString() === record.key;
	const expected = account.events.filter(
		(event) =>
			inRange(event) && event.kv.modRevision >= record.startRevision && event.kv.modRevision <= record.coveredTo,
	);
	const actual = record.events.filter((event) => event.kv.modRevision > account.baseRevision);
	for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
		const [want, got] = [expected[i], actual[i]].map((event) => (event === undefined ? "nothing" : eventText(event)));
		if (want !== got) return [`${record.name}, delivered up to ${record.coveredTo}: got ${got} where ${want} happened`];
	}
	return previousPairs(record, actual, account);
}

/** An event that brings the pair it replaced brings the right one. (A member that has compacted it cannot know any more.) */
function previousPairs(record: WatchRecord, events: readonly WatchEvent[], account: Account): string[] {
	if (!record.prevKv) return [];
	const timeline = new Timeline(account);
	for (const { kv, prevKv } of events) {
		if (prevKv === undefined) continue;
		const before = timeline.state(kv.key.toString(), kv.modRevision - 1);
		if (before?.modRevision === prevKv.modRevision && before.value === prevKv.value.toString()) continue;
		const was = before === undefined ? "nothing" : `${before.value}@${before.modRevision}`;
		return [
			`${record.name}: revision ${kv.modRevision} brings ${prevKv.value}@${prevKv.modRevision} as the previous pair, it was ${was}`,
		];
	}
	return [];
}

/** Times inside the store are whole milliseconds. */
const clockGrainMs = 2;

/**
 * A lease lives at least its TTL, by the leaders' clocks, counted from the start of the last confirmed renewal.
 * `maxRate`: the fastest rate of any leader's clock; the lease may end earlier in true time by that factor.
 */
export function leasesKept(history: History, ends: readonly LeaseEnd[], maxRate: number): string[] {
	const faults: string[] = [];
	for (const { client, id, ttl, renewedAt } of history.leases) {
		const end = ends.find((each) => each.id === id);
		if (end === undefined || end.at >= renewedAt + (1000 * ttl) / maxRate - clockGrainMs) continue;
		faults.push(
			`${client}'s lease ${id.toString(16)} expired at ${end.at.toFixed(3)}, though a renewal of ${ttl} s that began at ${renewedAt.toFixed(3)} was confirmed`,
		);
	}
	return faults;
}
