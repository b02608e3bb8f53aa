/**
 * Proposals of this member that wait for their entry to be applied. A proposal is `queued` (given to nobody), or `sent`:
 * appended to our own log as leader, or forwarded to the leader, under a known term.
 *
 * Invariant: a proposal sent under term t is appended, if ever, to the log of t's leader while its term is t. So every
 * entry of it precedes every entry of a later term, and once an entry of a later term is applied here without it, it
 * is lost for certain and may be sent again without applying twice.
 */
import { StoreError } from "../api.ts";
import type { Applied } from "../machine/types.ts";

export interface Proposal {
	readonly requestId: bigint;
	data: Buffer;
	/** On the monotonic clock. */
	readonly deadline: number;
	/** 0: queued. */
	sentTerm: number;
	readonly resolve: (applied: Applied) => void;
	readonly reject: (error: StoreError) => void;
}

/** Memory counted for each proposal beside its data: the objects that hold it, and the caller's promise. */
const overheadBytes = 512;

export class Proposals {
	readonly #waiting = new Map<bigint, Proposal>();
	#queue: Proposal[] = [];
	/** Lowest term any sent proposal has; Infinity when none is sent. */
	#lowestSentTerm = Number.POSITIVE_INFINITY;
	#earliestDeadline = Number.POSITIVE_INFINITY;
	#bytes = 0;
	failed = 0;

	get size(): number {
		return this.#waiting.size;
	}

	get bytes(): number {
		return this.#bytes;
	}

	get queued(): number {
		return this.#queue.length;
	}

	add(proposal: Proposal): void {
		this.#waiting.set(proposal.requestId, proposal);
		this.#bytes += proposal.data.length + overheadBytes;
		if (proposal.deadline < this.#earliestDeadline) this.#earliestDeadline = proposal.deadline;
		this.#queue.push(proposal);
	}

	/** The next queued proposals, of at most `maxBytes` together but at least one; they are marked as sent under `term`. */
	take(term: number, maxBytes: number): Proposal[] {
		let bytes = 0;
		let count = 0;
		for (const proposal of this.#queue) {
			if (count > 0 && bytes + proposal.data.length > maxBytes) break;
			bytes += proposal.data.length;
			count++;
			proposal.sentTerm = term;
		}
		const taken = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
		this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
		if (taken.length > 0 && term < this.#lowestSentTerm) this.#lowestSentTerm = term;
		return taken;
	}

	/** Back to the head of the queue: known not to have been appended. */
	requeue(proposals: readonly Proposal[]): void {
		const alive = proposals.filter((proposal) => this.#waiting.has(proposal.requestId));
		for (const proposal of alive) {
			proposal.sentTerm = 0;
			// The old bytes may still lie in a log's memory, and the next leader stamps its time into ours.
			proposal.data = Buffer.from(proposal.data);
		}
		this.#queue = [...alive, ...this.#queue];
	}

	/** Those still waiting whose last sending was under `term`: not requeued or sent again since. */
	sentUnder(term: number, requestIds: readonly bigint[]): Proposal[] {
		return requestIds
			.map((id) => this.#waiting.get(id))
			.filter((proposal) => proposal !== undefined && proposal.sentTerm === term) as Proposal[];
	}

	settle(applied: Applied): void {
		const proposal = this.#remove(applied.header.requestId);
		if (proposal !== undefined) proposal.resolve(applied);
	}

	fail(proposals: readonly Proposal[], error: StoreError): void {
		for (const proposal of proposals) {
			if (this.#remove(proposal.requestId) === undefined) continue;
			this.failed++;
			proposal.reject(error);
		}
	}

	/** An entry of `term` is applied: those sent under an earlier term and still here are lost. Queues them again; true if any. */
	termApplied(term: number): boolean {
		if (term <= this.#lowestSentTerm) return false;
		const lost: Proposal[] = [];
		let lowest = Number.POSITIVE_INFINITY;
		for (const proposal of this.#waiting.values()) {
			if (proposal.sentTerm === 0) continue;
			if (proposal.sentTerm < term) lost.push(proposal);
			else if (proposal.sentTerm < lowest) lowest = proposal.sentTerm;
		}
		this.#lowestSentTerm = lowest;
		this.requeue(lost);
		return lost.length > 0;
	}

	expire(now: number): void {
		if (now < this.#earliestDeadline) return;
		const late: Proposal[] = [];
		let earliest = Number.POSITIVE_INFINITY;
		for (const proposal of this.#waiting.values()) {
			if (proposal.deadline <= now) late.push(proposal);
			else if (proposal.deadline < earliest) earliest = proposal.deadline;
		}
		this.#earliestDeadline = earliest;
		const unsent = late.filter((proposal) => proposal.sentTerm === 0);
		if (unsent.length > 0) {
			this.#queue = this.#queue.filter((proposal) => proposal.deadline > now);
			this.fail(unsent, new StoreError("unavailable", "etcdserver: no leader"));
		}
		const sent = late.filter((proposal) => proposal.sentTerm !== 0);
		if (sent.length === 0) return;
		this.fail(
			sent,
			new StoreError("outcome_unknown", "etcdserver: request timed out, waiting for the applied index took too long"),
		);
	}

	/** Answers all sent proposals with an unknown outcome: what became of them can no longer be learnt. */
	failSent(message: string): void {
		const sent = [...this.#waiting.values()].filter((proposal) => proposal.sentTerm !== 0);
		this.#lowestSentTerm = Number.POSITIVE_INFINITY;
		this.fail(sent, new StoreError("outcome_unknown", message));
	}

	/** The member stops: proposals never sent are certainly not applied, the outcome of sent ones is unknown. */
	failAll(message: string): void {
		const all = [...this.#waiting.values()];
		this.#queue = [];
		this.fail(
			all.filter((proposal) => proposal.sentTerm === 0),
			new StoreError("unavailable", message),
		);
		this.fail(all, new StoreError("outcome_unknown", message));
	}

	#remove(requestId: bigint): Proposal | undefined {
		const proposal = this.#waiting.get(requestId);
		if (proposal === undefined) return undefined;
		this.#waiting.delete(requestId);
		this.#bytes -= proposal.data.length + overheadBytes;
		return proposal;
	}
}
