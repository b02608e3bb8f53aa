/** What the clients of a run did and saw. */
import type { KeyValue, StoreErrorCode, WatchBatch, WatchEvent } from "../../store/api.ts";

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
			readonly status: "ok";
			/** Of the answer's header. */
			readonly revision: number;
			readonly found: readonly Seen[];
			/** A compare-and-swap: whether it swapped; a delete: whether there was something. */
			readonly done: boolean;
	  }
	/** Not applied. */
	| { readonly status: "failed"; readonly code: StoreErrorCode }
	/** Perhaps applied. */
	| { readonly status: "unknown"; readonly code: StoreErrorCode };

export interface Operation {
	readonly id: number;
	readonly client: string;
	readonly request: WorkRequest;
	/** Positions in the run's one order of invocations and answers. */
	readonly invoked: number;
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

export class History {
	readonly operations: Operation[] = [];
	readonly watches: WatchRecord[] = [];
	readonly leases: LeaseRecord[] = [];
	#order = 0;

	invoke(client: string, request: WorkRequest): Operation {
		const id = this.operations.length + 1;
		const operation: Operation = { id, client, request, invoked: this.#order++, completed: -1, outcome: undefined };
		this.operations.push(operation);
		return operation;
	}

	complete(operation: Operation, outcome: Outcome): void {
		operation.outcome = outcome;
		operation.completed = this.#order++;
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
	if (outcome.status !== "ok") return `${outcome.status} ${outcome.code}`;
	const found = outcome.found.map((each) => `${each.key}=${each.value}@${each.modRevision}`).join(" ");
	return `ok @${outcome.revision}${outcome.done ? " done" : ""}${found === "" ? "" : ` [${found}]`}`;
}
