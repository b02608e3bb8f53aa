/** What a workload needs of a key-value store: etcd's words, with texts for keys and values. */
import type { ModelCompare, ModelKv, ModelOp, ModelOpAnswer } from "../checkers/model.ts";
import type { WatchedBatch } from "../checkers/watch.ts";

export type {
	ModelCompare as Compare,
	ModelKv as Kv,
	ModelOp as Op,
	ModelOpAnswer as OpAnswer,
} from "../checkers/model.ts";

/** A request that failed. `applied`: "no" only where the store certainly did not do it. */
export class TargetError extends Error {
	override name = "TargetError";
	readonly applied: "no" | "unknown";

	constructor(applied: "no" | "unknown", message: string, cause?: unknown) {
		super(message, { cause });
		this.applied = applied;
	}
}

export interface Txn {
	readonly compare: readonly ModelCompare[];
	readonly success: readonly ModelOp[];
	readonly failure: readonly ModelOp[];
}

export interface TxnAnswer {
	readonly revision: number;
	readonly succeeded: boolean;
	readonly answers: readonly ModelOpAnswer[];
}

export interface WatchOptions {
	readonly key: string;
	readonly end?: string | undefined;
	readonly startRevision: number;
	readonly prevKv: boolean;
}

/** One client. All reject with TargetError. */
export interface KvTarget {
	/** Keys in order. Linearizable, unless the target was told to be otherwise. */
	range(
		op: Omit<Extract<ModelOp, { op: "range" }>, "op">,
	): Promise<{ readonly revision: number; readonly kvs: readonly ModelKv[]; readonly count: number }>;
	put(key: string, value: string, lease?: string): Promise<{ readonly revision: number }>;
	delete(key: string, end?: string): Promise<{ readonly revision: number; readonly deleted: number }>;
	txn(txn: Txn): Promise<TxnAnswer>;
	/** `ttl` in seconds; resolves to the lease's id. */
	leaseGrant(ttl: number): Promise<string>;
	/** Resolves to whether the lease was still there. */
	leaseKeepAlive(lease: string): Promise<boolean>;
	leaseRevoke(lease: string): Promise<void>;
	/** Resumes by itself. `onEnd`: it cannot; with the revision compacted at, where that is why. */
	watch(
		options: WatchOptions,
		onBatch: (batch: WatchedBatch) => void,
		onEnd: (reason: string, compactedAt?: number) => void,
	): { requestProgress(): void; cancel(): void };
	close(): Promise<void>;
}

/** The end of the range of keys that begin with `prefix`, whose last character is not the last there is. */
export function prefixEnd(prefix: string): string {
	return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** All keys that begin with `prefix`. */
export function listPrefix(target: KvTarget, prefix: string) {
	return target.range({ key: prefix, end: prefixEnd(prefix) });
}

/** The answer to a transaction of ranges: what each key held. */
export function found(answer: ModelOpAnswer | undefined): ModelKv | undefined {
	return answer?.op === "range" ? answer.kvs[0] : undefined;
}

/** That nothing has changed since it was read; undefined: that it is still absent. */
export function unchanged(key: string, kv: ModelKv | undefined): ModelCompare {
	return { key, target: "mod", result: "equal", operand: kv?.modRevision ?? 0 };
}
