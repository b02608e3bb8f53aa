/**
 * Leases as replicated state. Time is the machine's active time (ms; see `machine/time.ts`), which moves only with applied
 * entries and stands still while the cluster could commit nothing; so every member has the same deadlines, and an outage
 * does not expire leases that nobody could renew. Renewals are entries too: a new leader knows them all and nothing needs
 * to be extended on a change of leader.
 *
 * Expiry: the leader finds leases past their deadline (`expired`) and proposes their revocation; the entry takes effect
 * only if the lease is still past its deadline when applied, since a renewal may have come first.
 */
import { leaseExists, leaseNotFound, leaseTtlTooLarge } from "../mvcc/errors.ts";
import type { LeaseKeys } from "../mvcc/keyspace.ts";
import { DeadlineHeap } from "./heap.ts";

/** Seconds; leases asked for less get this. Whoever proposes a grant may raise it before (etcd: 1.5 × the election timeout). */
const minLeaseTtl = 1;
/** etcd's limit, seconds. */
export const maxLeaseTtl = 9_000_000_000;

export interface Lease {
	readonly id: bigint;
	/** Seconds, as granted (at least the minimum). */
	readonly ttl: number;
	/** Active time, ms. */
	deadline: number;
	/** Keys attached, as index strings. */
	readonly keys: Set<string>;
	/** The deadline its place in the heap was chosen for; never after `deadline`. */
	heapDeadline: number;
}

export class Lessor implements LeaseKeys {
	readonly #leases = new Map<bigint, Lease>();
	readonly #byKey = new Map<string, Lease>();
	readonly #heap = new DeadlineHeap();
	/** Changed or removed since `takeDirty`. */
	#dirty = new Set<bigint>();

	get size(): number {
		return this.#leases.size;
	}

	has(id: bigint): boolean {
		return this.#leases.has(id);
	}

	/** Throws `lease_exists`, `lease_ttl_too_large`; returns the TTL granted. */
	grant(id: bigint, ttl: number, now: number): number {
		if (id === 0n) throw leaseNotFound();
		if (ttl > maxLeaseTtl) throw leaseTtlTooLarge();
		if (this.#leases.has(id)) throw leaseExists();
		const granted = Math.max(ttl, minLeaseTtl);
		this.restore(id, granted, now + granted * 1000);
		this.#dirty.add(id);
		return granted;
	}

	/** Takes in a lease from the engine or a snapshot. */
	restore(id: bigint, ttl: number, deadline: number): void {
		const lease: Lease = { id, ttl, deadline, keys: new Set(), heapDeadline: deadline };
		this.#leases.set(id, lease);
		this.#heap.push(lease);
	}

	/** Seconds granted anew; 0 when the lease is gone or past its deadline (then its end is on the way, as in etcd). */
	renew(id: bigint, now: number): number {
		const lease = this.#leases.get(id);
		if (lease === undefined || lease.deadline <= now) return 0;
		lease.deadline = now + lease.ttl * 1000;
		this.#dirty.add(id);
		return lease.ttl;
	}

	isExpired(id: bigint, now: number): boolean {
		const lease = this.#leases.get(id);
		return lease !== undefined && lease.deadline <= now;
	}

	/** Removes the lease; its keys, which the caller deletes. Throws `lease_not_found`. */
	revoke(id: bigint): readonly string[] {
		const lease = this.#leases.get(id);
		if (lease === undefined) throw leaseNotFound();
		this.#leases.delete(id);
		this.#heap.remove(lease);
		this.#dirty.add(id);
		for (const key of lease.keys) this.#byKey.delete(key);
		return [...lease.keys];
	}

	leaseOf(key: string): bigint {
		return this.#byKey.get(key)?.id ?? 0n;
	}

	attach(id: bigint, key: string): void {
		const lease = this.#leases.get(id);
		if (lease === undefined) return;
		lease.keys.add(key);
		this.#byKey.set(key, lease);
	}

	detach(key: string): void {
		if (this.#byKey.size === 0) return;
		const lease = this.#byKey.get(key);
		if (lease === undefined) return;
		lease.keys.delete(key);
		this.#byKey.delete(key);
	}

	get(id: bigint): Readonly<Lease> | undefined {
		return this.#leases.get(id);
	}

	/** Ids by deadline, soonest first, as etcd lists them. */
	list(): bigint[] {
		return [...this.#leases.values()].sort((a, b) => a.deadline - b.deadline).map((lease) => lease.id);
	}

	all(): IterableIterator<Readonly<Lease>> {
		return this.#leases.values();
	}

	/** Leases whose deadline is at or before `now`, soonest first. */
	expired(now: number, limit: number): bigint[] {
		return this.#heap.due(now, limit).map((lease) => lease.id);
	}

	/** Ids whose stored form changed since the last call; a lease that is gone is to be removed. */
	takeDirty(): ReadonlySet<bigint> {
		const dirty = this.#dirty;
		if (dirty.size > 0) this.#dirty = new Set();
		return dirty;
	}
}
