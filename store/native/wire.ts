/**
 * Requests and answers as msgpack arrays, fields by position; trailing fields may be absent, and get their defaults. What
 * is read is checked: wrong types become `invalid_argument` naming the field, never a crash further in.
 */
import {
	type Compare,
	type CompareResult,
	type DeleteRangeRequest,
	type DeleteRangeResult,
	type KeyValue,
	type PutRequest,
	type PutResult,
	type RangeRequest,
	type RangeResult,
	type RequestOp,
	type ResponseOp,
	type SortTarget,
	StoreError,
	type TxnRequest,
	type TxnResult,
	type WatchEvent,
	type WatchRequest,
} from "../api.ts";

const sortTargets: readonly SortTarget[] = ["key", "version", "create", "mod", "value"];
const sortOrders = ["none", "ascend", "descend"] as const;
const results: readonly CompareResult[] = ["equal", "greater", "less", "not_equal"];
const targets: readonly Compare["target"][] = ["version", "create", "mod", "value", "lease"];
const ops = ["range", "put", "delete", "txn"] as const;
/** Deeper than any transaction within the limit on operations. */
const maxTxnDepth = 64;

function bad(field: string, what: string): StoreError {
	return new StoreError("invalid_argument", `${field}: ${what}`);
}

/** One array being read. */
export class Fields {
	readonly #values: readonly unknown[];
	readonly #name: string;
	#at = 0;

	constructor(values: unknown, name: string) {
		if (!Array.isArray(values)) throw bad(name, "must be an array");
		this.#values = values;
		this.#name = name;
	}

	#next(): unknown {
		return this.#values[this.#at++];
	}

	bytes(field: string): Buffer {
		const value = this.#next();
		if (!Buffer.isBuffer(value)) throw bad(`${this.#name}.${field}`, "must be bytes");
		return value;
	}

	optionalBytes(field: string): Buffer | undefined {
		const value = this.#next();
		if (value === undefined || value === null) return undefined;
		if (!Buffer.isBuffer(value)) throw bad(`${this.#name}.${field}`, "must be bytes");
		return value;
	}

	integer(field: string, fallback?: number): number {
		const value = this.#next() ?? fallback;
		if (!Number.isSafeInteger(value)) throw bad(`${this.#name}.${field}`, "must be an integer within 2^53");
		return value as number;
	}

	/** 0 when absent. */
	count(field: string): number {
		const value = this.integer(field, 0);
		if (value < 0) throw bad(`${this.#name}.${field}`, "must not be negative");
		return value;
	}

	/** A 64-bit id; small ones may come as plain integers. */
	id(field: string): bigint {
		const value = this.#next() ?? 0;
		if (typeof value === "bigint") return BigInt.asUintN(64, value);
		if (!Number.isSafeInteger(value)) throw bad(`${this.#name}.${field}`, "must be an integer");
		return BigInt.asUintN(64, BigInt(value as number));
	}

	boolean(field: string): boolean {
		const value = this.#next() ?? false;
		if (typeof value !== "boolean") throw bad(`${this.#name}.${field}`, "must be a boolean");
		return value;
	}

	text(field: string): string {
		const value = this.#next() ?? "";
		if (typeof value !== "string") throw bad(`${this.#name}.${field}`, "must be text");
		return value;
	}

	list(field: string): readonly unknown[] {
		const value = this.#next() ?? [];
		if (!Array.isArray(value)) throw bad(`${this.#name}.${field}`, "must be an array");
		return value;
	}

	choice<T>(field: string, choices: readonly T[]): T {
		const value = choices[this.integer(field, 0)];
		if (value === undefined) throw bad(`${this.#name}.${field}`, `must be 0 to ${choices.length - 1}`);
		return value;
	}

	any(): unknown {
		return this.#next();
	}
}

const wireId = (id: bigint): bigint | number => (id === 0n ? 0 : id);

export function rangeToWire(r: RangeRequest): unknown[] {
	const flags = (r.serializable === true ? 1 : 0) | (r.keysOnly === true ? 2 : 0) | (r.countOnly === true ? 4 : 0);
	const head = [r.key, r.rangeEnd ?? null, flags, r.limit ?? 0, r.revision ?? 0];
	const sorted = r.sortTarget !== undefined || (r.sortOrder !== undefined && r.sortOrder !== "none");
	const filtered = r.minModRevision || r.maxModRevision || r.minCreateRevision || r.maxCreateRevision;
	if (!sorted && !filtered) return head;
	return [
		...head,
		sortTargets.indexOf(r.sortTarget ?? "key"),
		sortOrders.indexOf(r.sortOrder ?? "none"),
		r.minModRevision ?? 0,
		r.maxModRevision ?? 0,
		r.minCreateRevision ?? 0,
		r.maxCreateRevision ?? 0,
	];
}

export function rangeFromWire(value: unknown): RangeRequest {
	const f = new Fields(value, "range");
	const key = f.bytes("key");
	const rangeEnd = f.optionalBytes("range_end");
	const flags = f.integer("flags", 0);
	return {
		key,
		rangeEnd,
		serializable: (flags & 1) !== 0,
		keysOnly: (flags & 2) !== 0,
		countOnly: (flags & 4) !== 0,
		limit: f.integer("limit", 0),
		revision: f.integer("revision", 0),
		sortTarget: f.choice("sort_target", sortTargets),
		sortOrder: f.choice("sort_order", sortOrders),
		minModRevision: f.integer("min_mod_revision", 0),
		maxModRevision: f.integer("max_mod_revision", 0),
		minCreateRevision: f.integer("min_create_revision", 0),
		maxCreateRevision: f.integer("max_create_revision", 0),
	};
}

export function putToWire(p: PutRequest): unknown[] {
	const flags = (p.prevKv === true ? 1 : 0) | (p.ignoreValue === true ? 2 : 0) | (p.ignoreLease === true ? 4 : 0);
	return [p.key, p.value, wireId(p.lease ?? 0n), flags];
}

export function putFromWire(value: unknown): PutRequest {
	const f = new Fields(value, "put");
	const key = f.bytes("key");
	const bytes = f.bytes("value");
	const lease = f.id("lease");
	const flags = f.integer("flags", 0);
	return {
		key,
		value: bytes,
		lease,
		prevKv: (flags & 1) !== 0,
		ignoreValue: (flags & 2) !== 0,
		ignoreLease: (flags & 4) !== 0,
	};
}

export function deleteToWire(d: DeleteRangeRequest): unknown[] {
	return [d.key, d.rangeEnd ?? null, d.prevKv === true ? 1 : 0];
}

export function deleteFromWire(value: unknown): DeleteRangeRequest {
	const f = new Fields(value, "delete_range");
	const key = f.bytes("key");
	return { key, rangeEnd: f.optionalBytes("range_end"), prevKv: (f.integer("flags", 0) & 1) !== 0 };
}

function compareToWire(c: Compare): unknown[] {
	const operand = c.target === "lease" ? wireId(c.operand) : c.operand;
	return [c.key, c.rangeEnd ?? null, results.indexOf(c.result), targets.indexOf(c.target), operand];
}

function compareFromWire(value: unknown): Compare {
	const f = new Fields(value, "compare");
	const key = f.bytes("key");
	const rangeEnd = f.optionalBytes("range_end");
	const result = f.choice("result", results);
	const target = f.choice("target", targets);
	const common = { key, rangeEnd, result };
	if (target === "value") return { ...common, target, operand: f.bytes("value") };
	if (target === "lease") return { ...common, target, operand: f.id("lease") };
	return { ...common, target, operand: f.integer("operand") };
}

function opToWire(op: RequestOp): unknown[] {
	const number = ops.indexOf(op.op);
	if (op.op === "range") return [number, rangeToWire(op)];
	if (op.op === "put") return [number, putToWire(op)];
	return op.op === "delete" ? [number, deleteToWire(op)] : [number, txnToWire(op)];
}

function opFromWire(value: unknown, depth: number): RequestOp {
	const f = new Fields(value, "request_op");
	const op = f.choice("op", ops);
	const body = f.any();
	if (op === "range") return { op, ...rangeFromWire(body) };
	if (op === "put") return { op, ...putFromWire(body) };
	return op === "delete" ? { op, ...deleteFromWire(body) } : { op, ...txnFromWire(body, depth + 1) };
}

export function txnToWire(t: TxnRequest): unknown[] {
	return [t.compare.map(compareToWire), t.success.map(opToWire), t.failure.map(opToWire)];
}

export function txnFromWire(value: unknown, depth = 0): TxnRequest {
	if (depth > maxTxnDepth) throw bad("txn", `nested deeper than ${maxTxnDepth}`);
	const f = new Fields(value, "txn");
	const compare = f.list("compare").map(compareFromWire);
	const success = f.list("success").map((op) => opFromWire(op, depth));
	return { compare, success, failure: f.list("failure").map((op) => opFromWire(op, depth)) };
}

export function watchToWire(w: WatchRequest): unknown[] {
	const flags =
		(w.prevKv === true ? 1 : 0) |
		(w.noPut === true ? 2 : 0) |
		(w.noDelete === true ? 4 : 0) |
		(w.progressNotify === true ? 8 : 0);
	return [w.key, w.rangeEnd ?? null, w.startRevision ?? 0, flags];
}

export function watchFromWire(value: unknown): WatchRequest {
	const f = new Fields(value, "watch");
	const key = f.bytes("key");
	const rangeEnd = f.optionalBytes("range_end");
	const startRevision = f.integer("start_revision", 0);
	const flags = f.integer("flags", 0);
	return {
		key,
		rangeEnd,
		startRevision,
		prevKv: (flags & 1) !== 0,
		noPut: (flags & 2) !== 0,
		noDelete: (flags & 4) !== 0,
		progressNotify: (flags & 8) !== 0,
	};
}

export function kvToWire(kv: KeyValue): unknown[] {
	return [kv.key, kv.value, kv.createRevision, kv.modRevision, kv.version, wireId(kv.lease)];
}

export function kvFromWire(value: unknown): KeyValue {
	const f = new Fields(value, "kv");
	return {
		key: f.bytes("key"),
		value: f.bytes("value"),
		createRevision: f.integer("create_revision"),
		modRevision: f.integer("mod_revision"),
		version: f.integer("version"),
		lease: f.id("lease"),
	};
}

const optionalKv = (value: unknown) => (value === undefined || value === null ? undefined : kvFromWire(value));

export const rangeResultToWire = (r: RangeResult): unknown[] => [r.kvs.map(kvToWire), r.more, r.count];

export function rangeResultFromWire(value: unknown): RangeResult {
	const f = new Fields(value, "range");
	return { kvs: f.list("kvs").map(kvFromWire), more: f.boolean("more"), count: f.integer("count") };
}

export const putResultToWire = (r: PutResult): unknown[] => (r.prevKv === undefined ? [] : [kvToWire(r.prevKv)]);

export function putResultFromWire(value: unknown): PutResult {
	const prevKv = optionalKv(new Fields(value, "put").any());
	return prevKv === undefined ? {} : { prevKv };
}

export const deleteResultToWire = (r: DeleteRangeResult): unknown[] => [r.deleted, r.prevKvs.map(kvToWire)];

export function deleteResultFromWire(value: unknown): DeleteRangeResult {
	const f = new Fields(value, "delete_range");
	return { deleted: f.integer("deleted"), prevKvs: f.list("prev_kvs").map(kvFromWire) };
}

export function txnResultToWire(r: TxnResult): unknown[] {
	return [r.succeeded, r.responses.map(responseToWire)];
}

function responseToWire(r: ResponseOp): unknown[] {
	const number = ops.indexOf(r.op);
	if (r.op === "range") return [number, rangeResultToWire(r)];
	if (r.op === "put") return [number, putResultToWire(r)];
	return r.op === "delete" ? [number, deleteResultToWire(r)] : [number, txnResultToWire(r)];
}

function responseFromWire(value: unknown): ResponseOp {
	const f = new Fields(value, "response_op");
	const op = f.choice("op", ops);
	const body = f.any();
	if (op === "range") return { op, ...rangeResultFromWire(body) };
	if (op === "put") return { op, ...putResultFromWire(body) };
	return op === "delete" ? { op, ...deleteResultFromWire(body) } : { op, ...txnResultFromWire(body) };
}

export function txnResultFromWire(value: unknown): TxnResult {
	const f = new Fields(value, "txn");
	return { succeeded: f.boolean("succeeded"), responses: f.list("responses").map(responseFromWire) };
}

export function eventToWire(event: WatchEvent): unknown[] {
	const head = [event.type === "put" ? 0 : 1, kvToWire(event.kv)];
	return event.prevKv === undefined ? head : [...head, kvToWire(event.prevKv)];
}

export function eventFromWire(value: unknown): WatchEvent {
	const f = new Fields(value, "event");
	const type = f.choice("type", ["put", "delete"] as const);
	const kv = kvFromWire(f.any());
	const prevKv = optionalKv(f.any());
	return prevKv === undefined ? { type, kv } : { type, kv, prevKv };
}
