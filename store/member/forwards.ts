/**
 * Proposals handed to the leader, so that one lost on its way is handed over again without being appended twice.
 *
 * The sender repeats a forward under its first id while the term lasts and any of its proposals still waits; proposals
 * that a later term proves lost are handled in `proposals.ts`. The leader of the term decides about each id once, and
 * keeps the decision until it leads another term: copies may overtake each other, and an old connection may still
 * deliver its copy long after a new one brought another. A leader that does not know whether it appended an earlier
 * copy does not answer.
 */
import type { MemberId } from "../raft/types.ts";
import type { RefusalReason } from "./types.ts";

/** Forward ids in one life of a member; ids beyond them count as another life. */
const idsPerLife = 2 ** 29;
export const maxLives = 2 ** 22;
/** Forwards kept; the oldest are not repeated. */
const maxSent = 1024;
const firstRepeatMs = 500;
const lastRepeatMs = 4000;

interface Sent {
	readonly id: number;
	readonly term: number;
	readonly requestIds: readonly bigint[];
	/** On the monotonic clock. */
	repeatAt: number;
	repeatMs: number;
}

/** The sender's side. */
export class SentForwards {
	readonly #sent = new Map<number, Sent>();
	#next: number;

	/** `life`: at random below `maxLives`, so that ids of a restarted member are others than those it used before. */
	constructor(life: number) {
		this.#next = life * idsPerLife + 1;
	}

	nextId(): number {
		return this.#next++;
	}

	add(id: number, term: number, requestIds: readonly bigint[], now: number): void {
		this.#sent.set(id, { id, term, requestIds, repeatAt: now + firstRepeatMs, repeatMs: firstRepeatMs });
		if (this.#sent.size <= maxSent) return;
		const oldest = this.#sent.keys().next().value;
		if (oldest !== undefined) this.#sent.delete(oldest);
	}

	/** Removes a forward (when it is refused, for instance) and returns it. */
	take(id: number): { readonly term: number; readonly requestIds: readonly bigint[] } | undefined {
		const sent = this.#sent.get(id);
		this.#sent.delete(id);
		return sent;
	}

	/**
	 * Repeats what is due: `send` gives the proposals of a forward that still wait to the leader of `term` again. `settled`:
	 * none waits. `down`: there is no way to the leader now, so nothing else is tried.
	 */
	repeat(
		term: number,
		now: number,
		send: (id: number, requestIds: readonly bigint[]) => "sent" | "settled" | "down",
	): void {
		for (const sent of this.#sent.values()) {
			if (sent.term < term) this.#sent.delete(sent.id);
			else if (sent.repeatAt <= now) {
				const result = send(sent.id, sent.requestIds);
				if (result === "down") return;
				if (result === "settled") this.#sent.delete(sent.id);
				sent.repeatMs = Math.min(lastRepeatMs, 2 * sent.repeatMs);
				sent.repeatAt = now + sent.repeatMs;
			}
		}
	}
}

export type Decision = "appended" | RefusalReason;

/** Decisions kept for each life of a sender: more than a sender ever repeats at a time. */
const maxDecisions = 4 * maxSent;
/** Lives of senders in one term of a leader. Proposals do not wait long enough for their member's peers to restart so often. */
const maxSenders = 1024;

interface Sender {
	readonly decisions: Map<number, Decision>;
	/** Highest id whose decision is forgotten. */
	forgotten: number;
}

/** The leader's side. */
export class ReceivedForwards {
	#term = 0;
	readonly #senders = new Map<string, Sender>();

	/** We lead in this term now. */
	leads(term: number): void {
		if (term === this.#term) return;
		this.#term = term;
		this.#senders.clear();
	}

	/** What was decided about this forward, or is now by `decision`; "unknown": an earlier copy may have been appended. */
	decide(from: MemberId, id: number, term: number, decision: () => Decision): Decision | "unknown" {
		if (term !== this.#term) return "unknown";
		const sender = this.#sender(`${from}/${Math.floor(id / idsPerLife)}`);
		const known = sender.decisions.get(id);
		if (known !== undefined) return known;
		if (id <= sender.forgotten) return "unknown";
		const decided = decision();
		sender.decisions.set(id, decided);
		if (sender.decisions.size > maxDecisions) {
			const oldest = sender.decisions.keys().next().value ?? 0;
			sender.decisions.delete(oldest);
			sender.forgotten = Math.max(sender.forgotten, oldest);
		}
		return decided;
	}

	#sender(key: string): Sender {
		let sender = this.#senders.get(key);
		if (sender === undefined) {
			sender = { decisions: new Map(), forgotten: 0 };
			const oldest = this.#senders.size < maxSenders ? undefined : this.#senders.keys().next().value;
			if (oldest !== undefined) this.#senders.delete(oldest);
			this.#senders.set(key, sender);
		}
		return sender;
	}
}
