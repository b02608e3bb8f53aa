/** Leader election on a lease: the oldest key of the line leads, its value is what it proclaims. */
import {
	type KeyValue,
	type RangeRequest,
	type StoreClient,
	StoreError,
	type TxnRequest,
	type WatchHandle,
} from "../api.ts";
import type { LeaseKeeper } from "./lease.ts";
import { endsForGood, Line, lineKey, prefixEnd } from "./recipes.ts";

export class Election {
	readonly #client: StoreClient;
	readonly #prefix: Buffer;
	readonly #name: string;
	readonly #line: Line;
	#key: Buffer | undefined;
	#createRevision = 0;

	constructor(client: StoreClient, name: string) {
		this.#client = client;
		this.#name = name;
		this.#line = new Line(client, name);
		this.#prefix = Buffer.from(`${name}/`);
	}

	/** Resolves when elected. Rejects when the signal aborts; we then stand no longer. */
	async campaign(value: Buffer, lease: LeaseKeeper, signal?: AbortSignal): Promise<void> {
		const key = lineKey(this.#name, lease.id);
		const { createRevision } = await this.#line.wait({ key, value, lease: lease.id }, signal, async (place) => {
			if (place.existed) await this.#replace(key, place.createRevision, value, lease.id, signal);
		});
		this.#key = key;
		this.#createRevision = createRevision;
	}

	/** Changes what we proclaim; rejects with `key_not_found` when we lead no more. */
	async proclaim(value: Buffer, lease: LeaseKeeper, signal?: AbortSignal): Promise<void> {
		if (this.#key === undefined) throw new StoreError("key_not_found", "election: not leader");
		await this.#replace(this.#key, this.#createRevision, value, lease.id, signal);
	}

	async #replace(
		key: Buffer,
		createRevision: number,
		value: Buffer,
		lease: bigint,
		signal: AbortSignal | undefined,
	): Promise<void> {
		const request: TxnRequest = {
			compare: [{ key, target: "create", result: "equal", operand: createRevision }],
			success: [{ op: "put", key, value, lease }],
			failure: [],
		};
		const { succeeded } = await this.#client.txn(request, { signal });
		if (succeeded) return;
		this.#key = undefined;
		throw new StoreError("key_not_found", "election: not leader");
	}

	async resign(signal?: AbortSignal): Promise<void> {
		const key = this.#key;
		if (key === undefined) return;
		this.#key = undefined;
		const request: TxnRequest = {
			compare: [{ key, target: "create", result: "equal", operand: this.#createRevision }],
			success: [{ op: "delete", key }],
			failure: [],
		};
		await this.#client.txn(request, { signal });
	}

	/** The leader's key now; undefined when there is none. */
	async leader(signal?: AbortSignal): Promise<KeyValue | undefined> {
		return (await this.#current(signal)).leader;
	}

	async #current(signal?: AbortSignal): Promise<{ readonly leader: KeyValue | undefined; readonly revision: number }> {
		const request: RangeRequest = {
			key: this.#prefix,
			rangeEnd: prefixEnd(this.#prefix),
			sortTarget: "create",
			sortOrder: "ascend",
			limit: 1,
		};
		const { kvs, header } = await this.#client.range(request, { signal });
		return { leader: kvs[0], revision: header.revision };
	}

	/** Calls back with the leader now and at every change, until cancelled or the signal aborts. */
	observe(
		onLeader: (leader: KeyValue | undefined) => void,
		onError: (error: StoreError) => void,
		signal?: AbortSignal,
	): { cancel(): void } {
		let cancelled = signal?.aborted === true;
		if (cancelled) return { cancel: () => undefined };
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
					onEnd: (error) => (endsForGood.has(error.code) ? fail(error) : void start().catch(fail)),
				},
			);
		};
		start().catch(fail);
		const cancel = () => {
			cancelled = true;
			signal?.removeEventListener("abort", cancel);
			handle?.cancel();
		};
		signal?.addEventListener("abort", cancel, { once: true });
		return { cancel };
	}
}
