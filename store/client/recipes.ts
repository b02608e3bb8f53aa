/** What lock and election share: waiting in line by create revision, as etcd's concurrency package does. */
import { type KeyValue, type StoreClient, StoreError } from "../api.ts";

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

export interface Place {
	readonly key: Buffer;
	readonly createRevision: number;
	/** Whether our key was there already. */
	readonly existed: boolean;
}

/** Puts `key` under the lease unless it exists. Its create revision is its place in line. */
export async function joinLine(client: StoreClient, key: Buffer, value: Buffer, lease: bigint): Promise<Place> {
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

/** The key just before ours in line; undefined when we are first. */
async function before(
	client: StoreClient,
	prefix: Buffer,
	createRevision: number,
): Promise<{ kv?: KeyValue; revision: number }> {
	const { kvs, header } = await client.range({
		key: prefix,
		rangeEnd: prefixEnd(prefix),
		sortTarget: "create",
		sortOrder: "descend",
		limit: 1,
		maxCreateRevision: createRevision - 1,
	});
	const kv = kvs[0];
	return kv === undefined ? { revision: header.revision } : { kv, revision: header.revision };
}

/** Resolves when every earlier key of the line is gone. Rejects with the signal's reason. */
export async function waitForTurn(
	client: StoreClient,
	prefix: Buffer,
	createRevision: number,
	signal: AbortSignal | undefined,
): Promise<void> {
	for (;;) {
		signal?.throwIfAborted();
		const { kv, revision } = await before(client, prefix, createRevision);
		if (kv === undefined) return;
		await deleted(client, kv.key, revision + 1, signal);
	}
}

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
				onEnd: (error) => finish(error.code === "closed" ? error : undefined),
			},
		);
		signal?.addEventListener("abort", onAbort, { once: true });
	});
}
