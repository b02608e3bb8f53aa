/** What etcd's front refuses before a request reaches the log (`v3rpc/key.go`); the machine checks again, so that all members agree. */
import { append } from "../../kit/lists.ts";
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, StoreError, TxnRequest } from "../api.ts";
import { duplicateKey, emptyKey, leaseProvided, tooManyOps, valueProvided } from "./errors.ts";

/** Compares and operations of a transaction, counted along one path of nested ones. */
export const maxTxnOps = 128;

export function checkRange(request: RangeRequest): StoreError | undefined {
	return request.key.length === 0 ? emptyKey() : undefined;
}

export function checkPut(request: PutRequest): StoreError | undefined {
	if (request.key.length === 0) return emptyKey();
	if (request.ignoreValue === true && request.value.length !== 0) return valueProvided();
	if (request.ignoreLease === true && (request.lease ?? 0n) !== 0n) return leaseProvided();
	return undefined;
}

export function checkDelete(request: DeleteRangeRequest): StoreError | undefined {
	return request.key.length === 0 ? emptyKey() : undefined;
}

/** Every rule for a transaction: operation count, keys, and no key put twice or put and deleted. */
export function checkTxn(txn: TxnRequest, limit: number = maxTxnOps): StoreError | undefined {
	return checkOps(txn, limit) ?? checkOverlap(txn.success) ?? checkOverlap(txn.failure);
}

function checkOps(txn: TxnRequest, limit: number): StoreError | undefined {
	const count = Math.max(txn.compare.length, txn.success.length, txn.failure.length);
	if (count > limit) return tooManyOps();
	for (const compare of txn.compare) if (compare.key.length === 0) return emptyKey();
	for (const ops of [txn.success, txn.failure]) {
		for (const op of ops) {
			const error = checkOp(op, limit - count);
			if (error !== undefined) return error;
		}
	}
	return undefined;
}

function checkOp(op: RequestOp, limit: number): StoreError | undefined {
	if (op.op === "put") return checkPut(op);
	if (op.op === "range") return checkRange(op);
	if (op.op === "delete") return checkDelete(op);
	return checkOps(op, limit);
}

interface Interval {
	readonly start: string;
	/** Absent: the one key. Empty: to the end. */
	readonly end: string | undefined;
}

interface Writes {
	readonly puts: Set<string>;
	readonly deletes: Interval[];
}

function checkOverlap(ops: readonly RequestOp[]): StoreError | undefined {
	// Nothing can overlap in the usual transaction of one operation.
	if (ops.length === 1 && ops[0]!.op !== "txn") return undefined;
	return collectWrites(ops) === undefined ? duplicateKey() : undefined;
}

function deleted(deletes: readonly Interval[], key: string): boolean {
	for (const { start, end } of deletes) {
		if (end === undefined ? key === start : key >= start && (end === "" || key < end)) return true;
	}
	return false;
}

/**
 * Puts and deletes of a list of operations; undefined when they overlap. As in etcd, a put of an earlier nested
 * transaction is not held against a delete of a later one.
 */
function collectWrites(ops: readonly RequestOp[]): Writes | undefined {
	const puts = new Set<string>();
	const deletes: Interval[] = [];
	for (const op of ops) {
		if (op.op !== "delete") continue;
		const ranged = op.rangeEnd !== undefined && op.rangeEnd.length > 0;
		deletes.push({ start: op.key.toString("latin1"), end: ranged ? endOf(op.rangeEnd) : undefined });
	}
	for (const op of ops) {
		if (op.op === "txn" && !collectNested(op, puts, deletes)) return undefined;
	}
	for (const op of ops) {
		if (op.op !== "put") continue;
		const key = op.key.toString("latin1");
		if (puts.has(key) || deleted(deletes, key)) return undefined;
		puts.add(key);
	}
	return { puts, deletes };
}

function endOf(rangeEnd: Buffer): string {
	return rangeEnd.length === 1 && rangeEnd[0] === 0 ? "" : rangeEnd.toString("latin1");
}

function collectNested(txn: TxnRequest, puts: Set<string>, deletes: Interval[]): boolean {
	const success = collectWrites(txn.success);
	const failure = collectWrites(txn.failure);
	if (success === undefined || failure === undefined) return false;
	for (const key of success.puts) {
		if (puts.has(key) || deleted(deletes, key)) return false;
		puts.add(key);
	}
	for (const key of failure.puts) {
		// Only one branch runs, so the same key in both is no overlap.
		if (puts.has(key) && !success.puts.has(key)) return false;
		if (deleted(deletes, key)) return false;
		puts.add(key);
	}
	append(deletes, success.deletes);
	append(deletes, failure.deletes);
	return true;
}
