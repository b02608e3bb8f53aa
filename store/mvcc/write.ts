/**
 * Put, DeleteRange and Txn with etcd's semantics (`server/etcdserver/txn/txn.go`). A transaction's compares, nested ones
 * included, and all its checks look at the state before it; only then are operations run, in order, each seeing the
 * earlier ones. So a transaction is applied whole or refused whole.
 */
import type {
	Compare,
	DeleteRangeRequest,
	DeleteRangeResult,
	KeyValue,
	PutRequest,
	PutResult,
	RangeRequest,
	RequestOp,
	ResponseOp,
	TxnRequest,
	TxnResult,
} from "../api.ts";
import { checkDelete, checkPut, checkTxn } from "./check.ts";
import { keyNotFound, leaseNotFound } from "./errors.ts";
import { boundsOf, type Change, type Found, type KeySpace } from "./keyspace.ts";
import { executeRange } from "./read.ts";

/** Whether a lease exists. */
export type LeaseExists = (id: bigint) => boolean;

export interface Written<T> {
	readonly result: T;
	/** Empty: nothing changed and the revision stayed. */
	readonly changes: readonly Change[];
}

/** Throws the StoreErrors of etcd's Put, having changed nothing. */
export function executePut(space: KeySpace, leaseExists: LeaseExists, request: PutRequest): Written<PutResult> {
	const error = checkPut(request);
	if (error !== undefined) throw error;
	// Outside of transactions etcd looks for the lease first.
	checkLease(leaseExists, request);
	checkKept(space, request);
	space.begin();
	const result = put(space, request);
	return { result, changes: space.end() };
}

export function executeDelete(space: KeySpace, request: DeleteRangeRequest): Written<DeleteRangeResult> {
	const error = checkDelete(request);
	if (error !== undefined) throw error;
	space.begin();
	const result = deleteRange(space, request);
	return { result, changes: space.end() };
}

/** Deletes keys given as index strings in one revision, in byte order (a lease's keys at its end). */
export function deleteKeys(space: KeySpace, keys: readonly string[]): readonly Change[] {
	space.begin();
	for (const key of [...keys].sort()) space.deleteRange({ start: key, end: `${key}\0`, single: true });
	return space.end();
}

export function executeTxn(space: KeySpace, leaseExists: LeaseExists, request: TxnRequest): Written<TxnResult> {
	const error = checkTxn(request);
	if (error !== undefined) throw error;
	const plan = planTxn(space, request);
	checkPlan(space, leaseExists, plan);
	space.begin();
	const result = runPlan(space, plan);
	return { result, changes: space.end() };
}

/** A transaction of reads alone, its compares decided and its ranges to be read at one revision. */
export interface ReadPlan {
	readonly succeeded: boolean;
	readonly steps: readonly (RangeRequest | ReadPlan)[];
}

/** Decides on the state of now. Throws `compacted` and `future_revision` for a range of the chosen branches. */
export function planReads(space: KeySpace, request: TxnRequest): ReadPlan {
	const plan = planTxn(space, request);
	checkPlan(space, () => true, plan);
	const readsOf = ({ succeeded, steps }: Plan): ReadPlan => ({
		succeeded,
		steps: steps.map((step) => {
			if ("steps" in step) return readsOf(step);
			if (step.op !== "range") throw new Error(`a transaction of reads alone has a ${step.op}`);
			return step;
		}),
	});
	return readsOf(plan);
}

/** Whether no branch of the transaction writes. */
export function isReadOnly(txn: TxnRequest): boolean {
	const reads = (op: RequestOp): boolean => op.op === "range" || (op.op === "txn" && isReadOnly(op));
	return txn.success.every(reads) && txn.failure.every(reads);
}

function checkKept(space: KeySpace, request: PutRequest): void {
	if (request.ignoreValue !== true && request.ignoreLease !== true) return;
	if (space.find(request.key.toString("latin1")) === undefined) throw keyNotFound();
}

function checkLease(leaseExists: LeaseExists, request: PutRequest): void {
	const lease = request.lease ?? 0n;
	if (lease !== 0n && !leaseExists(lease)) throw leaseNotFound();
}

function put(space: KeySpace, request: PutRequest): PutResult {
	let { value } = request;
	let lease = request.lease ?? 0n;
	let previous: KeyValue | undefined;
	if (request.prevKv === true || request.ignoreValue === true || request.ignoreLease === true) {
		const found = space.find(request.key.toString("latin1"));
		previous = found === undefined ? undefined : space.fetch(found);
		if (request.ignoreValue === true && previous !== undefined) value = previous.value;
		if (request.ignoreLease === true && previous !== undefined) lease = previous.lease;
	}
	space.put(request.key, value, lease);
	return request.prevKv === true && previous !== undefined ? { prevKv: previous } : {};
}

function deleteRange(space: KeySpace, request: DeleteRangeRequest): DeleteRangeResult {
	const bounds = boundsOf(request.key, request.rangeEnd);
	const prevKvs = request.prevKv === true ? space.findRange(bounds, 0, 0).map((one) => space.fetch(one)) : [];
	return { deleted: space.deleteRange(bounds), prevKvs };
}

/** A transaction with its branch chosen. */
interface Plan {
	readonly succeeded: boolean;
	readonly steps: readonly (Exclude<RequestOp, { op: "txn" }> | Plan)[];
}

function planTxn(space: KeySpace, txn: TxnRequest): Plan {
	const succeeded = txn.compare.every((compare) => holds(space, compare));
	const ops = succeeded ? txn.success : txn.failure;
	return { succeeded, steps: ops.map((op) => (op.op === "txn" ? planTxn(space, op) : op)) };
}

function checkPlan(space: KeySpace, leaseExists: LeaseExists, plan: Plan): void {
	for (const step of plan.steps) {
		if ("steps" in step) checkPlan(space, leaseExists, step);
		else if (step.op === "range") space.checkReadable(step.revision ?? 0);
		else if (step.op === "put") {
			checkKept(space, step);
			checkLease(leaseExists, step);
		}
	}
}

function runPlan(space: KeySpace, plan: Plan): TxnResult {
	const responses = plan.steps.map((step): ResponseOp => {
		if ("steps" in step) return { op: "txn", ...runPlan(space, step) };
		if (step.op === "range") return { op: "range", ...executeRange(space, step) };
		if (step.op === "put") return { op: "put", ...put(space, step) };
		return { op: "delete", ...deleteRange(space, step) };
	});
	return { succeeded: plan.succeeded, responses };
}

function holds(space: KeySpace, compare: Compare): boolean {
	const bounds = boundsOf(compare.key, compare.rangeEnd);
	const found = space.findRange(bounds, 0, 0);
	// A missing key counts as all zeroes, but has no value that could be compared.
	if (found.length === 0) return compare.target !== "value" && holdsFor(compare, 0, missing, space);
	return found.every((one) => holdsFor(compare, fieldOf(compare, one), one, space));
}

const missing: Found = { key: "", main: 0, sub: 0, created: 0, version: 0, kv: undefined };

function fieldOf(compare: Compare, found: Found): number {
	if (compare.target === "version") return found.version;
	if (compare.target === "create") return found.created;
	return compare.target === "mod" ? found.main : 0;
}

function holdsFor(compare: Compare, field: number, found: Found, space: KeySpace): boolean {
	const order = orderOf(compare, field, found, space);
	if (compare.result === "equal") return order === 0;
	if (compare.result === "not_equal") return order !== 0;
	return compare.result === "greater" ? order > 0 : order < 0;
}

function orderOf(compare: Compare, field: number, found: Found, space: KeySpace): number {
	if (compare.target === "value") return Buffer.compare(space.fetch(found).value, compare.operand);
	if (compare.target !== "lease") return field - compare.operand;
	// etcd's lease ids are signed.
	const lease = BigInt.asIntN(64, found === missing ? 0n : space.leaseOf(found.key));
	const operand = BigInt.asIntN(64, compare.operand);
	return lease === operand ? 0 : lease < operand ? -1 : 1;
}
