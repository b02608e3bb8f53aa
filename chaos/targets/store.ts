/** The store's client as a target. */
import { type KeyValue, type RequestOp, type ResponseOp, type StoreClient, StoreError } from "../../store/api.ts";
import type { WatchedEvent } from "../checkers/watch.ts";
import { type Kv, type KvTarget, type Op, type OpAnswer, TargetError } from "../workloads/target.ts";

/** Codes after which a write may have been applied; every other says that it was not. */
const uncertain: ReadonlySet<string> = new Set(["outcome_unknown", "closed", "timeout"]);

/** Rejects with TargetError where the store refused or did not answer. */
export async function attempt<T>(promise: Promise<T>): Promise<T> {
	try {
		return await promise;
	} catch (error) {
		if (!(error instanceof StoreError)) throw error;
		throw new TargetError(uncertain.has(error.code) ? "unknown" : "no", `${error.code}: ${error.message}`, error);
	}
}

function fromKv({ key, value, createRevision, modRevision, version, lease }: KeyValue): Kv {
	const id = lease === 0n ? "" : String(lease);
	return { key: key.toString(), value: value.toString(), createRevision, modRevision, version, lease: id };
}

function buffer(text: string | undefined): Buffer | undefined {
	return text === undefined ? undefined : Buffer.from(text);
}

function toOp(op: Op): RequestOp {
	const key = Buffer.from(op.key);
	if (op.op === "put") return { op: "put", key, value: Buffer.from(op.value), lease: BigInt(op.lease ?? 0) };
	if (op.op === "delete") return { op: "delete", key, rangeEnd: buffer(op.end) };
	return { op: "range", key, rangeEnd: buffer(op.end), revision: op.revision, limit: op.limit };
}

function fromOp(answer: ResponseOp): OpAnswer {
	if (answer.op === "put") return { op: "put" };
	if (answer.op === "delete") return { op: "delete", deleted: answer.deleted };
	if (answer.op === "range") return { op: "range", kvs: answer.kvs.map(fromKv), count: answer.count };
	throw new Error("no workload nests transactions");
}

export interface StoreTargetOptions {
	/** Wrong on purpose: reads are answered from a member's own state, perhaps stale. */
	readonly serializableReads?: boolean | undefined;
}

/** Takes the client over: closing the target closes it. */
export function storeTarget(client: StoreClient, options: StoreTargetOptions = {}): KvTarget {
	const serializable = options.serializableReads === true;
	return {
		range: async ({ key, end, revision, limit }) => {
			const request = { key: Buffer.from(key), rangeEnd: buffer(end), revision, limit, serializable };
			const { header, kvs, count } = await attempt(client.range(request));
			return { revision: header.revision, kvs: kvs.map(fromKv), count };
		},
		put: async (key, value, lease) => {
			const put = { key: Buffer.from(key), value: Buffer.from(value), lease: BigInt(lease ?? 0) };
			return { revision: (await attempt(client.put(put))).header.revision };
		},
		delete: async (key, end) => {
			const { header, deleted } = await attempt(client.deleteRange({ key: Buffer.from(key), rangeEnd: buffer(end) }));
			return { revision: header.revision, deleted };
		},
		txn: async ({ compare, success, failure }) => {
			const request = {
				compare: compare.map((each) => {
					const key = Buffer.from(each.key);
					return each.target === "value" ? { ...each, key, operand: Buffer.from(each.operand) } : { ...each, key };
				}),
				success: success.map(toOp),
				failure: failure.map(toOp),
			};
			const { header, succeeded, responses } = await attempt(client.txn(request));
			return { revision: header.revision, succeeded, answers: responses.map(fromOp) };
		},
		leaseGrant: async (ttl) => String((await attempt(client.leaseGrant({ id: 0n, ttl }))).id),
		leaseKeepAlive: async (lease) => (await attempt(client.leaseKeepAlive(BigInt(lease)))).ttl > 0,
		leaseRevoke: async (lease) => void (await attempt(client.leaseRevoke(BigInt(lease)))),
		watch: ({ key, end, startRevision, prevKv }, onBatch, onEnd) =>
			client.watch(
				{ key: Buffer.from(key), rangeEnd: buffer(end), startRevision, prevKv },
				{
					onBatch: ({ events, revision }) => {
						const seen = events.map(({ type, kv, prevKv: previous }): WatchedEvent => {
							const { lease: _, ...rest } = fromKv(kv);
							if (previous === undefined) return { type, ...rest };
							return {
								type,
								...rest,
								previous: { value: previous.value.toString(), modRevision: previous.modRevision },
							};
						});
						onBatch({ events: seen, revision });
					},
					onEnd: (error) => {
						if (error.code !== "closed") onEnd(error.message, error.compactRevision);
					},
				},
			),
		close: () => client.close(),
	};
}
