/**
 * A lock on a lease. Its holder may lose it unseen (a pause longer than the TTL), so work that must exclude others has
 * to carry `isOwner` in its transactions (fencing by create revision).
 */
import { type Compare, type StoreClient, StoreError } from "../api.ts";
import type { LeaseKeeper } from "./lease.ts";
import { joinLine, lineKey, waitForTurn } from "./recipes.ts";

export class Lock {
	readonly #client: StoreClient;
	readonly #prefix: string;
	readonly #lease: LeaseKeeper;
	#key: Buffer | undefined;
	#createRevision = 0;

	/** Locks named `name`; keys are `NAME/LEASE`. */
	constructor(client: StoreClient, name: string, lease: LeaseKeeper) {
		this.#client = client;
		this.#prefix = name;
		this.#lease = lease;
	}

	/** Resolves when the lock is held. Rejects when the signal aborts or the lease was lost meanwhile; we then wait no longer. */
	async acquire(signal?: AbortSignal): Promise<void> {
		const key = lineKey(this.#prefix, this.#lease.id);
		const place = await joinLine(this.#client, key, Buffer.alloc(0), this.#lease.id);
		try {
			await waitForTurn(this.#client, Buffer.from(`${this.#prefix}/`), place.createRevision, signal);
		} catch (error) {
			await this.#client.deleteRange({ key });
			throw error;
		}
		this.#key = key;
		this.#createRevision = place.createRevision;
		await this.#checkHeld(key);
	}

	/** Our key may have expired while we waited for others (etcd #11456). */
	async #checkHeld(key: Buffer): Promise<void> {
		const { kvs } = await this.#client.range({ key });
		if (kvs[0]?.createRevision === this.#createRevision) return;
		this.#key = undefined;
		throw new StoreError("lease_not_found", "etcdserver: requested lease not found");
	}

	/** For the compares of a transaction that must run only while we hold the lock. */
	get isOwner(): Compare {
		if (this.#key === undefined) throw new StoreError("invalid_argument", "the lock is not held");
		return { key: this.#key, target: "create", result: "equal", operand: this.#createRevision };
	}

	async release(): Promise<void> {
		const key = this.#key;
		if (key === undefined) return;
		this.#key = undefined;
		await this.#client.deleteRange({ key });
	}
}
