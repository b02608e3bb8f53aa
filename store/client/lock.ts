/**
 * A lock on a lease. Its holder may lose it unseen (a pause longer than the TTL), so work that must exclude others has
 * to carry `isOwner` in its transactions (fencing by create revision).
 */
import { type Compare, type StoreClient, StoreError } from "../api.ts";
import type { LeaseKeeper } from "./lease.ts";
import { Line, lineKey } from "./recipes.ts";

export class Lock {
	readonly #client: StoreClient;
	readonly #name: string;
	readonly #line: Line;
	readonly #lease: LeaseKeeper;
	#key: Buffer | undefined;
	#createRevision = 0;

	/** Locks named `name`; keys are `NAME/LEASE`. */
	constructor(client: StoreClient, name: string, lease: LeaseKeeper) {
		this.#client = client;
		this.#name = name;
		this.#line = new Line(client, name);
		this.#lease = lease;
	}

	/** Resolves when the lock is held. Rejects when the signal aborts or the lease was lost meanwhile; we then wait no longer. */
	async acquire(signal?: AbortSignal): Promise<void> {
		const key = lineKey(this.#name, this.#lease.id);
		const { createRevision } = await this.#line.wait({ key, value: Buffer.alloc(0), lease: this.#lease.id }, signal);
		this.#key = key;
		this.#createRevision = createRevision;
	}

	/** For the compares of a transaction that must run only while we hold the lock. */
	get isOwner(): Compare {
		if (this.#key === undefined) throw new StoreError("invalid_argument", "the lock is not held");
		return { key: this.#key, target: "create", result: "equal", operand: this.#createRevision };
	}

	async release(signal?: AbortSignal): Promise<void> {
		const key = this.#key;
		if (key === undefined) return;
		this.#key = undefined;
		await this.#client.deleteRange({ key }, { signal });
	}
}
