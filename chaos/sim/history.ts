/** What the clients of a run did and saw. */
import type { KeyValue, StoreErrorCode, WatchBatch, WatchEvent } from "../../store/api.ts";
import { type Completion, type HistoryEvent, HistoryRecorder, nemesisProcess } from "../history.ts";
import type { LeaderSample } from "../leaders.ts";

export type WorkRequest =
	| { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease: bigint }
	| { readonly kind: "delete"; readonly key: string }
	| { readonly kind: "get"; readonly key: string; readonly serializable: boolean }
	| { readonly kind: "list"; readonly keys: readonly string[] }
	/** Puts `value` if the key holds `expected` (null: if it is absent), and reads it otherwise. */
	| { readonly kind: "cas"; readonly key: string; readonly expected: string | null; readonly value: string }
	/** Both in one transaction. */
	| { readonly kind: "pair"; readonly keys: readonly [string, string]; readonly value: string }
	| { readonly kind: "compact"; readonly revision: number };

export interface Seen {
	readonly key: string;
	readonly value: string;
	readonly modRevision: number;
	readonly version: number;
}

export function seen(kv: KeyValue): Seen {
	const { modRevision, version } = kv;
	return { key: kv.key.toString(), value: kv.value.toString(), modRevision, version };
}

export type Outcome =
	| {
			readonly type: "ok";
			/** Of the answer's header. */
			readonly revision: number;
			readonly found: readonly Seen[];
			/** A compare-and-swap: whether it swapped; a delete: whether there was something. */
			readonly done: boolean;
	  }
	/** Not applied (`fail`), or nobody knows (`info`). */
	| { readonly type: "fail" | "info"; readonly code: StoreErrorCode };

/** An operation of a client as the checks of a simulated run see it: with types, which the events do not have. */
export interface WorkOperation {
	/** Index of its invocation's event. */
	readonly id: number;
	readonly client: string;
	readonly request: WorkRequest;
	/** Index of its completion's event; -1: there is none. */
	completed: number;
	outcome: Outcome | undefined;
}

/** One watch of a client, over connections and members. */
export interface WatchRecord {
	readonly name: string;
	/** Absent: every key. */
	readonly key: string | undefined;
	readonly startRevision: number;
	/** Asks for the pairs replaced. */
	readonly prevKv: boolean;
	readonly events: WatchEvent[];
	/** Everything up to here has been delivered; 0: nothing yet. */
	coveredTo: number;
	ended: StoreErrorCode | undefined;
	/** Complaints about the order of batches. */
	readonly faults: string[];
}

/** A lease, and the latest time at which its holder began a renewal that succeeded. */
export interface LeaseRecord {
	readonly client: string;
	readonly id: bigint;
	/** Seconds. */
	readonly ttl: number;
	/** Virtual ms. */
	renewedAt: number;
	revoked: boolean;
}

/** Everything a run's clients, faults and leaders did, in one order, in the form of all testers. */
export class History {
	readonly operations: WorkOperation[] = [];
	readonly watches: WatchRecord[] = [];
	readonly leases: LeaseRecord[] = [];
	readonly leaders: LeaderSample[] = [];
	readonly #recorder: HistoryRecorder;
	readonly #now: () => number;

	/** `now`: virtual ms. */
	constructor(now: () => number) {
		this.#now = now;
		this.#recorder = new HistoryRecorder(now);
	}

	get events(): readonly HistoryEvent[] {
		return this.#recorder.events;
	}

	invoke(client: string, request: WorkRequest): WorkOperation {
		const event = this.#recorder.record({ process: client, type: "invoke", ...invocation(request) });
		const operation: WorkOperation = { id: event.index, client, request, completed: -1, outcome: undefined };
		this.operations.push(operation);
		return operation;
	}

	complete(operation: WorkOperation, outcome: Outcome): void {
		const { kind: f } = operation.request;
		const key = keyOf(operation.request);
		const end = outcome.type === "ok" ? { value: answerOf(outcome) } : { error: outcome.code };
		const event = this.#recorder.record({ process: operation.client, type: outcome.type, f, key, ...end });
		operation.outcome = outcome;
		operation.completed = event.index;
	}

	/**
	 * Records something a client does beside its operations, as a process of its own. Returns a function that records
	 * the end.
	 */
	aside(process: string, f: string, value: unknown): (type: Completion, result: unknown) => void {
		this.#recorder.record({ process, type: "invoke", f, value });
		return (type, result) => {
			const end = type === "ok" ? { value: result } : { error: String(result) };
			this.#recorder.record({ process, type, f, ...end });
		};
	}

	/** Records a fault. Returns a function that records its end. */
	fault(f: string, value: readonly string[]): () => void {
		this.#recorder.record({ process: nemesisProcess, type: "info", f, value });
		return () => void this.#recorder.record({ process: nemesisProcess, type: "info", f: `heal ${f}`, value });
	}

	leads(name: string | undefined, term: number | undefined): void {
		const last = this.leaders.at(-1);
		if (last?.name === name && last?.term === term) return;
		this.leaders.push({ time: Math.round(this.#now() * 1000) / 1000, name, term });
	}

	watch(name: string, key: string | undefined, startRevision: number, prevKv: boolean): WatchRecord {
		const record: WatchRecord = {
			name,
			key,
			startRevision,
			prevKv,
			events: [],
			coveredTo: 0,
			ended: undefined,
			faults: [],
		};
		this.watches.push(record);
		return record;
	}
}

function keyOf(request: WorkRequest): string | undefined {
	return "key" in request ? request.key : undefined;
}

function invocation(request: WorkRequest): Pick<HistoryEvent, "f" | "key" | "value"> {
	const key = keyOf(request);
	switch (request.kind) {
		case "put":
			return {
				f: request.kind,
				key,
				value: request.lease === 0n ? request.value : [request.value, `lease ${request.lease.toString(16)}`],
			};
		case "get":
			return { f: request.kind, key, value: request.serializable ? "serializable" : undefined };
		case "delete":
			return { f: request.kind, key };
		case "list":
			return { f: request.kind, value: request.keys };
		case "cas":
			return { f: request.kind, key, value: [request.expected, request.value] };
		case "pair":
			return { f: request.kind, value: [request.keys, request.value] };
		case "compact":
			return { f: request.kind, value: request.revision };
	}
}

function answerOf({ revision, found, done }: Extract<Outcome, { type: "ok" }>): unknown {
	return { revision, done, found: found.length === 0 ? undefined : found };
}

/** A batch brings whole revisions, each once, in order. */
export function recordBatch(record: WatchRecord, batch: WatchBatch): void {
	const floor = Math.max(record.coveredTo, record.startRevision - 1);
	let last = floor;
	for (const event of batch.events) {
		const at = event.kv.modRevision;
		if (at <= floor) record.faults.push(`revision ${at} came after everything up to ${floor} was said to be delivered`);
		if (at < last) record.faults.push(`revision ${at} came after ${last}`);
		if (at > batch.revision) record.faults.push(`revision ${at} in a batch of revision ${batch.revision}`);
		last = at;
		record.events.push(event);
	}
	if (batch.revision < record.coveredTo) record.faults.push(`revision ${batch.revision} after ${record.coveredTo}`);
	record.coveredTo = Math.max(record.coveredTo, batch.revision);
}

export function describeRequest(request: WorkRequest): string {
	switch (request.kind) {
		case "put":
			return `put ${request.key}=${request.value}${request.lease === 0n ? "" : ` lease ${request.lease.toString(16)}`}`;
		case "delete":
			return `delete ${request.key}`;
		case "get":
			return `get ${request.key}${request.serializable ? " serializable" : ""}`;
		case "list":
			return "list";
		case "cas":
			return `cas ${request.key}: ${request.expected}->${request.value}`;
		case "pair":
			return `put ${request.keys.join("+")}=${request.value}`;
		case "compact":
			return `compact ${request.revision}`;
	}
}

export function describeOutcome(outcome: Outcome): string {
	if (outcome.type !== "ok") return `${outcome.type} ${outcome.code}`;
	const found = outcome.found.map((each) => `${each.key}=${each.value}@${each.modRevision}`).join(" ");
	return `ok @${outcome.revision}${outcome.done ? " done" : ""}${found === "" ? "" : ` [${found}]`}`;
}
