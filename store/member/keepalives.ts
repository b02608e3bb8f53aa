/**
 * Lease renewals travel through the log, many in one entry: while one batch is under way, the next gathers. So a million
 * leases cost entries in proportion to round trips, not to renewals.
 */
import { StoreError } from "../api.ts";
import type { Applied } from "../machine/types.ts";

export interface Renewal {
	readonly id: bigint;
	readonly ttl: number;
	readonly revision: number;
}

interface Waiter {
	readonly resolve: (renewal: Renewal) => void;
	readonly reject: (error: unknown) => void;
}

const maxBatch = 1000;
const maxUnderWay = 4;
const maxWaiting = 100_000;

export class KeepAlives {
	readonly #propose: (ids: readonly bigint[]) => Promise<Applied>;
	#waiting = new Map<bigint, Waiter[]>();
	/** Callers waiting; several may wait for one lease. */
	#callers = 0;
	#underWay = 0;

	constructor(propose: (ids: readonly bigint[]) => Promise<Applied>) {
		this.#propose = propose;
	}

	renew(id: bigint): Promise<Renewal> {
		if (this.#callers >= maxWaiting) {
			return Promise.reject(new StoreError("too_many_requests", "etcdserver: too many requests"));
		}
		this.#callers++;
		return new Promise((resolve, reject) => {
			const waiters = this.#waiting.get(id);
			if (waiters === undefined) this.#waiting.set(id, [{ resolve, reject }]);
			else waiters.push({ resolve, reject });
			queueMicrotask(() => this.#flush());
		});
	}

	#flush(): void {
		while (this.#waiting.size > 0 && this.#underWay < maxUnderWay) {
			const batch = new Map([...this.#waiting].slice(0, maxBatch));
			if (batch.size === this.#waiting.size) this.#waiting = new Map();
			else for (const id of batch.keys()) this.#waiting.delete(id);
			this.#underWay++;
			for (const waiters of batch.values()) this.#callers -= waiters.length;
			this.#send(batch).finally(() => {
				this.#underWay--;
				this.#flush();
			});
		}
	}

	async #send(batch: ReadonlyMap<bigint, readonly Waiter[]>): Promise<void> {
		try {
			const { outcome, revision } = await this.#propose([...batch.keys()]);
			if (outcome instanceof Error) throw outcome;
			if (outcome.kind !== "lease_keepalive") throw new Error(`a keepalive was answered with ${outcome.kind}`);
			const ttls = new Map(outcome.result.map((renewal) => [renewal.id, renewal.ttl]));
			for (const [id, waiters] of batch) {
				for (const waiter of waiters) waiter.resolve({ id, ttl: ttls.get(id) ?? 0, revision });
			}
		} catch (error) {
			for (const waiters of batch.values()) for (const waiter of waiters) waiter.reject(error);
		}
	}
}
