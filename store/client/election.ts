/** Leader election on a lease: the oldest key of the line leads, its value is what it proclaims. */
import { type KeyValue, type StoreClient, StoreError, type WatchHandle } from "../api.ts";
import type { LeaseKeeper } from "./lease.ts";
import { joinLine, lineKey, prefixEnd, waitForTurn } from "./recipes.ts";

export class Election {
	readonly #client: StoreClient;
	readonly #prefix: Buffer;
	readonly #name: string;
	#key: Buffer | undefined;
	#createRevision = 0;

	constructor(client: StoreClient, name: string) {
		this.#client = client;
		this.#name = name;
		this.#prefix = Buffer.from(`${name}/`);
	}

	/** Resolves when elected. Rejects when the signal aborts; we then stand no longer. */
	async campaign(value: Buffer, lease: LeaseKeeper, signal?: AbortSignal): Promise<void> {
		const key = lineKey(this.#name, lease.id);
		const place = await joinLine(this.#client, key, value, lease.id);
		try {
			if (place.existed) await this.#replace(key, place.createRevision, value, lease.id);
			await waitForTurn(this.#client, this.#prefix, place.createRevision, signal);
		} catch (error) {
			await this.#client.deleteRange({ key });
			throw error;
		}
		const { kvs } = await this.#client.range({ key });
		if (kvs[0]?.createRevision !== place.createRevision) {
			throw new StoreError("lease_not_found", "etcdserver: requested lease not found");
		}
		this.#key = key;
		this.#createRevision = place.createRevision;
	}

	/** Changes what we proclaim; rejects with `key_not_found` when we lead no more. */
	async proclaim(value: Buffer, lease: LeaseKeeper): Promise<void> {
		if (this.#key === undefined) throw new StoreError("key_not_found", "election: not leader");
		await this.#replace(this.#key, this.#createRevision, value, lease.id);
	}

	async #replace(key: Buffer, createRevision: number, value: Buffer, lease: bigint): Promise<void> {
		const { succeeded } = await this.#client.txn({
			compare: [{ key, target: "create", result: "equal", operand: createRevision }],
			success: [{ op: "put", key, value, lease }],
			failure: [],
		});
		if (succeeded) return;
		this.#key = undefined;
		throw new StoreError("key_not_found", "election: not leader");
	}

	async resign(): Promise<void> {
		const key = this.#key;
		if (key === undefined) return;
		this.#key = undefined;
		await this.#client.txn({
			compare: [{ key, target: "create", result: "equal", operand: this.#createRevision }],
			success: [{ op: "delete", key }],
			failure: [],
		});
	}

	/** The leader's key now; undefined when there is none. */
	async leader(): Promise<KeyValue | undefined> {
		return (await this.#current()).leader;
	}

	async #current(): Promise<{ readonly leader: KeyValue | undefined; readonly revision: number }> {
		const { kvs, header } = await this.#client.range({
			key: this.#prefix,
			rangeEnd: prefixEnd(this.#prefix),
			sortTarget: "create",
			sortOrder: "ascend",
			limit: 1,
		});
		return { leader: kvs[0], revision: header.revision };
	}

	/** Calls back with the leader now and at every change, until cancelled. */
	observe(onLeader: (leader: KeyValue | undefined) => void, onError: (error: StoreError) => void): { cancel(): void } {
		let cancelled = false;
		let handle: WatchHandle | undefined;
		let last = "";
		let seen = 0;
		const look = async (): Promise<number> => {
			const { leader, revision } = await this.#current();
			// Looks overlap: an answer from before the newest one tells nothing.
			if (revision < seen) return seen;
			seen = revision;
			const now = leader === undefined ? "" : `${leader.createRevision}/${leader.modRevision}`;
			if (!cancelled && now !== last) onLeader(leader);
			last = now;
			return revision;
		};
		const fail = (error: unknown) => {
			if (!cancelled) onError(error instanceof StoreError ? error : new StoreError("unavailable", String(error)));
		};
		const start = async () => {
			const revision = await look();
			if (cancelled) return;
			handle = this.#client.watch(
				{ key: this.#prefix, rangeEnd: prefixEnd(this.#prefix), startRevision: revision + 1 },
				{
					onBatch: (batch) => {
						if (batch.events.length > 0) look().catch(fail);
					},
					onEnd: (error) => (error.code === "closed" ? fail(error) : void start().catch(fail)),
				},
			);
		};
		start().catch(fail);
		return {
			cancel: () => {
				cancelled = true;
				handle?.cancel();
			},
		};
	}
}
