/**
 * Linearizable reads (ReadIndex, Raft thesis 6.4). Reads that arrive in one turn share one id. An id is used once, also
 * across restarts and retries: a late confirmation of an earlier round must never answer a later read.
 */
import { append } from "../../kit/lists.ts";
import { StoreError } from "../api.ts";

interface Waiter {
	readonly deadline: number;
	readonly resolve: () => void;
	readonly reject: (error: StoreError) => void;
}

interface Round {
	readonly id: bigint;
	readonly sentAt: number;
	readonly waiters: Waiter[];
}

/** etcd's readIndexRetryTime. */
const retryMs = 500;
/** Rounds under way; while they are, later reads gather for the next. */
const maxRounds = 4;
/** Callers waiting on a member; more are told to come again. */
const maxWaiting = 200_000;
const mask = (1n << 64n) - 1n;

export class Reads {
	#unsent: Waiter[] = [];
	readonly #rounds = new Map<bigint, Round>();
	/** Confirmed at an index not yet applied; not sorted by index. */
	#confirmed: { readonly index: number; readonly waiters: Waiter[] }[] = [];
	#lastId: bigint;
	/** Waiters in `#unsent`, `#rounds` and `#confirmed` together; at most `maxWaiting`. */
	#waiting = 0;
	slow = 0;
	failed = 0;

	/** `firstId`: 64 random bits, new for every start of the member. */
	constructor(firstId: bigint) {
		this.#lastId = firstId;
	}

	get pending(): boolean {
		return this.#unsent.length > 0 && this.#rounds.size < maxRounds;
	}

	wait(deadline: number): Promise<void> {
		if (this.#waiting >= maxWaiting) {
			return Promise.reject(new StoreError("too_many_requests", "etcdserver: too many requests"));
		}
		this.#waiting++;
		return new Promise((resolve, reject) => this.#unsent.push({ deadline, resolve, reject }));
	}

	/** The id to ask the core with for everything unsent; call only when `pending`. */
	startRound(now: number): bigint {
		this.#lastId = (this.#lastId + 1n) & mask;
		if (this.#lastId === 0n) this.#lastId = 1n;
		this.#rounds.set(this.#lastId, { id: this.#lastId, sentAt: now, waiters: this.#unsent });
		this.#unsent = [];
		return this.#lastId;
	}

	/** `index` -1: not confirmed, ask again under a new id. */
	confirm(id: bigint, index: number, applied: number): void {
		const round = this.#rounds.get(id);
		if (round === undefined) return;
		this.#rounds.delete(id);
		if (index < 0) append(this.#unsent, round.waiters);
		else if (index <= applied) this.#resolve(round.waiters);
		else this.#confirmed.push({ index, waiters: round.waiters });
	}

	applied(index: number): void {
		if (this.#confirmed.length === 0) return;
		const ready = this.#confirmed.filter((group) => group.index <= index);
		if (ready.length === 0) return;
		this.#confirmed = this.#confirmed.filter((group) => group.index > index);
		for (const group of ready) this.#resolve(group.waiters);
	}

	/** The leader changed: no answer may come for rounds under way. */
	retryAll(): void {
		for (const round of this.#rounds.values()) append(this.#unsent, round.waiters);
		this.#rounds.clear();
	}

	/** Gives up rounds nobody answered for a while and waiters past their deadline. */
	expire(now: number): void {
		if (this.#waiting === 0) return;
		for (const round of [...this.#rounds.values()]) {
			if (now - round.sentAt < retryMs) continue;
			this.slow++;
			this.#rounds.delete(round.id);
			append(this.#unsent, round.waiters);
		}
		const late: Waiter[] = [];
		const split = (waiters: Waiter[]) => {
			if (waiters.every((waiter) => waiter.deadline > now)) return waiters;
			append(
				late,
				waiters.filter((waiter) => waiter.deadline <= now),
			);
			return waiters.filter((waiter) => waiter.deadline > now);
		};
		this.#unsent = split(this.#unsent);
		this.#confirmed = this.#confirmed.map((group) => ({ index: group.index, waiters: split(group.waiters) }));
		if (late.length > 0) this.#reject(late, new StoreError("timeout", "etcdserver: request timed out"));
	}

	failAll(message: string): void {
		const all = [...this.#unsent];
		for (const round of this.#rounds.values()) append(all, round.waiters);
		for (const group of this.#confirmed) append(all, group.waiters);
		this.#unsent = [];
		this.#rounds.clear();
		this.#confirmed = [];
		this.#reject(all, new StoreError("unavailable", message));
	}

	#resolve(waiters: readonly Waiter[]): void {
		this.#waiting -= waiters.length;
		for (const waiter of waiters) waiter.resolve();
	}

	#reject(waiters: readonly Waiter[], error: StoreError): void {
		this.#waiting -= waiters.length;
		this.failed += waiters.length;
		for (const waiter of waiters) waiter.reject(error);
	}
}
