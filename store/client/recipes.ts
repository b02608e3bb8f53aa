/** What lock and election share: waiting in line by create revision, as etcd's concurrency package does. */
import { type KeyValue, type RangeRequest, type StoreClient, StoreError, type StoreErrorCode } from "../api.ts";
import { abortable } from "./abortable.ts";

/** The end of the range of keys that begin with `prefix`; a zero byte when there is none. */
export function prefixEnd(prefix: Buffer): Buffer {
	for (let i = prefix.length - 1; i >= 0; i--) {
		const byte = prefix[i] as number;
		if (byte < 0xff) return Buffer.concat([prefix.subarray(0, i), Buffer.from([byte + 1])]);
	}
	return Buffer.from([0]);
}

/** `PREFIX/LEASE` in hexadecimal. */
export function lineKey(prefix: string, lease: bigint): Buffer {
	return Buffer.from(`${prefix}/${lease.toString(16)}`);
}

interface Place {
	readonly key: Buffer;
	readonly createRevision: number;
	/** Whether our key was there already. */
	readonly existed: boolean;
}

/** Puts `key` under the lease unless it exists. Its create revision is its place in line. */
async function join(client: StoreClient, key: Buffer, value: Buffer, lease: bigint): Promise<Place> {
	const { header, succeeded, responses } = await client.txn({
		compare: [{ key, target: "create", result: "equal", operand: 0 }],
		success: [{ op: "put", key, value, lease }],
		failure: [{ op: "range", key }],
	});
	if (succeeded) return { key, createRevision: header.revision, existed: false };
	const first = responses[0];
	const kv = first?.op === "range" ? first.kvs[0] : undefined;
	if (kv === undefined) throw new StoreError("key_not_found", "etcdserver: key not found");
	return { key, createRevision: kv.createRevision, existed: true };
}

/** A line of keys below a name, and our place in it. */
export class Line {
	readonly #client: StoreClient;
	readonly #prefix: Buffer;
	/** Our last key is being taken out, because its wait was ended: who waits again must not lose the new place by it. */
	#leaving: Promise<unknown> = Promise.resolve();

	constructor(client: StoreClient, name: string) {
		this.#client = client;
		this.#prefix = Buffer.from(`${name}/`);
	}

	/**
	 * Takes a place and resolves when every earlier key is gone; `onPlace` runs once the place is known. Rejects, with the
	 * signal's reason when it is aborted; the key is then taken out of the line without waiting for it.
	 */
	async wait(
		{ key, value, lease }: { readonly key: Buffer; readonly value: Buffer; readonly lease: bigint },
		signal: AbortSignal | undefined,
		onPlace: (place: Place) => Promise<void> = async () => undefined,
	): Promise<Place> {
		await abortable(this.#leaving, signal);
		signal?.throwIfAborted();
		// Without the signal: what is under way may take effect, and must be known to be over before the key is removed.
		const joining = join(this.#client, key, value, lease);
		try {
			const place = await abortable(joining, signal);
			await onPlace(place);
			await waitForTurn(this.#client, this.#prefix, place.createRevision, signal);
			await this.#checkHeld(place, signal);
			return place;
		} catch (error) {
			// A key that is not ours any more is another's.
			if (error instanceof StoreError && error.code === "lease_not_found") throw error;
			const leave = () => this.#client.deleteRange({ key });
			this.#leaving = joining.then(leave, leave).catch(() => undefined);
			throw error;
		}
	}

	/** Our key may have expired while we waited for others (etcd #11456). */
	async #checkHeld({ key, createRevision }: Place, signal: AbortSignal | undefined): Promise<void> {
		const { kvs } = await this.#client.range({ key }, { signal });
		if (kvs[0]?.createRevision === createRevision) return;
		throw new StoreError("lease_not_found", "etcdserver: requested lease not found");
	}
}

/** The key just before ours in line; undefined when we are first. */
async function before(
	client: StoreClient,
	prefix: Buffer,
	createRevision: number,
	signal: AbortSignal | undefined,
): Promise<{ kv?: KeyValue; revision: number }> {
	const request: RangeRequest = {
		key: prefix,
		rangeEnd: prefixEnd(prefix),
		sortTarget: "create",
		sortOrder: "descend",
		limit: 1,
		maxCreateRevision: createRevision - 1,
	};
	const { kvs, header } = await client.range(request, { signal });
	const kv = kvs[0];
	return kv === undefined ? { revision: header.revision } : { kv, revision: header.revision };
}

/** Resolves when every earlier key of the line is gone. Rejects with the signal's reason. */
async function waitForTurn(
	client: StoreClient,
	prefix: Buffer,
	createRevision: number,
	signal: AbortSignal | undefined,
): Promise<void> {
	for (;;) {
		signal?.throwIfAborted();
		const { kv, revision } = await before(client, prefix, createRevision, signal);
		if (kv === undefined) return;
		await deleted(client, kv.key, revision + 1, signal);
	}
}

/** Ends of a watch after which another one would end the same way. */
export const endsForGood: ReadonlySet<StoreErrorCode> = new Set(["closed", "cluster_id_mismatch", "too_many_requests"]);

function deleted(client: StoreClient, key: Buffer, from: number, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve, reject) => {
		const finish = (error?: Error) => {
			signal?.removeEventListener("abort", onAbort);
			handle.cancel();
			if (error === undefined) resolve();
			else reject(error);
		};
		const onAbort = () => finish(signal?.reason as Error);
		const handle = client.watch(
			{ key, startRevision: from, noPut: true },
			{
				onBatch: (batch) => {
					if (batch.events.length > 0) finish();
				},
				// Compacted or too slow: look again.
				onEnd: (error) => finish(endsForGood.has(error.code) ? error : undefined),
			},
		);
		signal?.addEventListener("abort", onAbort, { once: true });
	});
}
