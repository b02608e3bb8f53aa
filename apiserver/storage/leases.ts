/** Leases for objects that expire (events): shared by the objects of a minute, so that the store keeps few of them. */
import type { StoreClient } from "../../store/api.ts";
import { stored } from "./errors.ts";

const reuseMs = 60_000;
const maxObjects = 1000;

export class LeaseManager {
	readonly #store: StoreClient;
	readonly #now: () => number;
	#current:
		| { readonly ttl: number; readonly until: number; readonly lease: Promise<bigint>; objects: number }
		| undefined;

	constructor(store: StoreClient, monotonicMs: () => number) {
		this.#store = store;
		this.#now = monotonicMs;
	}

	/** A lease under which an object lives at least `ttl` seconds, and at most a minute or 5 % longer. */
	async lease(ttl: number): Promise<bigint> {
		const now = this.#now();
		const current = this.#current;
		if (current !== undefined && current.ttl === ttl && now < current.until && current.objects < maxObjects) {
			current.objects++;
			return current.lease;
		}
		const reuse = Math.min(reuseMs, ttl * 50);
		const granted = stored(this.#store.leaseGrant({ id: 0n, ttl: ttl + Math.ceil(reuse / 1000) })).then(({ id }) => id);
		const next = { ttl, until: now + reuse, lease: granted, objects: 1 };
		this.#current = next;
		try {
			return await granted;
		} catch (error) {
			if (this.#current === next) this.#current = undefined;
			throw error;
		}
	}
}
