/** Keeps a lease alive for as long as its holder wants it. */
import { type Clock, systemClock, type Timer } from "../../kit/clock.ts";
import { type StoreClient, StoreError } from "../api.ts";
import { abortable } from "./abortable.ts";

export interface LeaseKeeperOptions {
	readonly clock?: Clock | undefined;
	/** The lease is gone, or may be: nothing was heard for its whole TTL. Called at most once. */
	readonly onLost?: (error: StoreError) => void;
}

/** Renews every third of the TTL, counted from when a renewal was sent, so that the holder gives up no later than the store. */
export class LeaseKeeper {
	readonly id: bigint;
	readonly #client: StoreClient;
	readonly #clock: Clock;
	readonly #onLost: ((error: StoreError) => void) | undefined;
	#ttlMs: number;
	/** Until then the lease is certainly alive, on the monotonic clock. */
	#aliveUntil: number;
	#timer: Timer | undefined;
	/** Goes off at `#aliveUntil`: a renewal that is still being tried then must not keep the holder believing. */
	#expiry: Timer | undefined;
	/** Aborted with the end of the keeper. */
	readonly #renewing = new AbortController();
	#stopped = false;

	/** `grantedAt`: monotonic time just before the grant was asked for. */
	constructor(client: StoreClient, id: bigint, ttl: number, grantedAt: number, options: LeaseKeeperOptions = {}) {
		this.#client = client;
		this.id = id;
		this.#clock = options.clock ?? systemClock;
		this.#onLost = options.onLost;
		this.#ttlMs = ttl * 1000;
		this.#aliveUntil = grantedAt + this.#ttlMs;
		this.#schedule();
	}

	/** Grants a lease and keeps it. Aborted, it gives back what may still be granted. */
	static async grant(
		client: StoreClient,
		ttl: number,
		options: LeaseKeeperOptions = {},
		signal?: AbortSignal,
	): Promise<LeaseKeeper> {
		signal?.throwIfAborted();
		const before = (options.clock ?? systemClock).monotonic();
		const granted = await abortable(client.leaseGrant({ id: 0n, ttl }), signal, ({ id }) => {
			client.leaseRevoke(id).catch(() => undefined);
		});
		return new LeaseKeeper(client, granted.id, granted.ttl, before, options);
	}

	get alive(): boolean {
		return !this.#stopped && this.#clock.monotonic() < this.#aliveUntil;
	}

	/** Stops renewing; the lease expires by itself. */
	stop(): void {
		this.#stopped = true;
		this.#renewing.abort();
		this.#timer?.cancel();
		this.#expiry?.cancel();
	}

	async revoke(signal?: AbortSignal): Promise<void> {
		this.stop();
		await this.#client.leaseRevoke(this.id, { signal });
	}

	#schedule(): void {
		const left = this.#aliveUntil - this.#clock.monotonic();
		this.#expiry?.cancel();
		this.#expiry = this.#clock.after(Math.max(0, left), () =>
			this.#lost(new StoreError("timeout", `lease: no renewal was answered for its TTL, ${this.#ttlMs} ms`)),
		);
		this.#timer = this.#clock.after(Math.max(10, Math.min(this.#ttlMs / 3, left / 2)), () => void this.#renew());
	}

	async #renew(): Promise<void> {
		const before = this.#clock.monotonic();
		try {
			const { ttl } = await this.#client.leaseKeepAlive(this.id, { signal: this.#renewing.signal });
			if (this.#stopped) return;
			if (ttl <= 0) return this.#lost(new StoreError("lease_not_found", "etcdserver: requested lease not found"));
			this.#ttlMs = ttl * 1000;
			this.#aliveUntil = before + this.#ttlMs;
		} catch (error) {
			if (this.#stopped) return;
			const last = error instanceof StoreError ? error : new StoreError("unavailable", String(error));
			if (this.#clock.monotonic() >= this.#aliveUntil) return this.#lost(last);
		}
		if (!this.#stopped) this.#schedule();
	}

	#lost(error: StoreError): void {
		if (this.#stopped) return;
		this.stop();
		this.#onLost?.(error);
	}
}
