/**
 * Log entries, format 1. A fixed header, then a body of the command's own form; keys and values lie in it as they came.
 *
 *     u8 format = 1, u8 kind, u64 session, u64 sequence, u64 acknowledged, u64 time (ms), u64 requestId   (42 bytes)
 *
 * Integers are big-endian; `bytes` is a 32-bit length and that many bytes; an optional range end is a flag in front.
 * Numbers of kinds, ops, targets and flags are fixed forever; a new field means a new kind or a new format. Written by
 * every released version, so the files in `fixtures/` must stay readable.
 */
import type {
	Compare,
	CompareResult,
	DeleteRangeRequest,
	PutRequest,
	RangeRequest,
	RequestOp,
	SortTarget,
	TxnRequest,
} from "../api.ts";
import { FormatError, Reader, Writer } from "./bytes.ts";
import { readSessionLimits, sessionLimitsSize, writeSessionLimits } from "./session-limits.ts";
import type { Command, CommandHeader } from "./types.ts";

export const commandFormat = 1;
/** Bytes in front of the body. */
export const commandHeaderSize = 42;
/** Deeper nesting of transactions than `too_many_ops` lets pass (128 operations shared along one path). */
const maxTxnDepth = 130;

const kinds = [
	"put",
	"delete",
	"txn",
	"compact",
	"lease_grant",
	"lease_revoke",
	"lease_keepalive",
	"session_open",
	"session_close",
	"tick",
	// With limits of its own; the one above has `defaultSessionLimits`.
	"session_open",
] as const satisfies readonly Command["kind"][];
const openWithLimits = kinds.length;
/** On the wire 1 is `put`, and so on in the order above. */
const kindNumbers = new Map<string, number>(kinds.map((kind, i) => [kind, i + 1] as const).slice(0, -1));

function kindNumber(command: Command): number {
	const limited = command.kind === "session_open" && command.limits !== undefined;
	return limited ? openWithLimits : kindNumbers.get(command.kind)!;
}

const ops = ["range", "put", "delete", "txn"] as const;
const results = ["equal", "greater", "less", "not_equal"] as const satisfies readonly CompareResult[];
const targets = ["version", "create", "mod", "value", "lease"] as const satisfies readonly Compare["target"][];
const sortTargets = ["key", "version", "create", "mod", "value"] as const satisfies readonly SortTarget[];
const sortOrders = ["none", "ascend", "descend"] as const;

function pick<T>(list: readonly T[], number: number, what: string): T {
	const value = list[number];
	if (value === undefined) throw new FormatError(`unknown ${what} ${number}`);
	return value;
}

function place<T>(list: readonly T[], value: T, what: string): number {
	const number = list.indexOf(value);
	if (number < 0) throw new FormatError(`unknown ${what} ${String(value)}`);
	return number;
}

// Sizes first, so that one exact buffer takes the entry.

function rangeEndSize(rangeEnd: Buffer | undefined): number {
	return rangeEnd === undefined ? 0 : 4 + rangeEnd.length;
}

const putSize = (put: PutRequest) => 1 + 8 + 4 + put.key.length + 4 + put.value.length;
const deleteSize = (request: DeleteRangeRequest) => 1 + 4 + request.key.length + rangeEndSize(request.rangeEnd);
const rangeSize = (request: RangeRequest) => 1 + 4 + request.key.length + rangeEndSize(request.rangeEnd) + 2 + 6 * 8;

function compareSize(compare: Compare): number {
	const operand = compare.target === "value" ? 4 + compare.operand.length : 8;
	return 3 + 4 + compare.key.length + rangeEndSize(compare.rangeEnd) + operand;
}

function opSize(op: RequestOp): number {
	if (op.op === "put") return 1 + putSize(op);
	if (op.op === "range") return 1 + rangeSize(op);
	if (op.op === "delete") return 1 + deleteSize(op);
	return 1 + txnSize(op);
}

function txnSize(txn: TxnRequest): number {
	let size = 6;
	for (const compare of txn.compare) size += compareSize(compare);
	for (const op of txn.success) size += opSize(op);
	for (const op of txn.failure) size += opSize(op);
	return size;
}

function bodySize(command: Command): number {
	switch (command.kind) {
		case "put":
			return putSize(command);
		case "delete":
			return deleteSize(command);
		case "txn":
			return txnSize(command);
		case "compact":
			return 9;
		case "lease_grant":
			return 16;
		case "lease_revoke":
			return 9;
		case "lease_keepalive":
			return 4 + 8 * command.ids.length;
		case "session_open":
			return command.limits === undefined ? 0 : sessionLimitsSize;
		case "session_close":
		case "tick":
			return 0;
	}
}

function writeKeys(w: Writer, flags: number, key: Buffer, rangeEnd: Buffer | undefined): void {
	w.u8(rangeEnd === undefined ? flags : flags | 0x80);
	w.bytes(key);
	if (rangeEnd !== undefined) w.bytes(rangeEnd);
}

function writePut(w: Writer, put: PutRequest): void {
	w.u8((put.prevKv === true ? 1 : 0) | (put.ignoreValue === true ? 2 : 0) | (put.ignoreLease === true ? 4 : 0));
	w.u64(put.lease ?? 0n);
	w.bytes(put.key);
	w.bytes(put.value);
}

function writeDelete(w: Writer, request: DeleteRangeRequest): void {
	writeKeys(w, request.prevKv === true ? 1 : 0, request.key, request.rangeEnd);
}

function writeRange(w: Writer, range: RangeRequest): void {
	const flags = (range.serializable === true ? 1 : 0) | (range.keysOnly === true ? 2 : 0);
	writeKeys(w, flags | (range.countOnly === true ? 4 : 0), range.key, range.rangeEnd);
	w.u8(place(sortTargets, range.sortTarget ?? "key", "sort target"));
	w.u8(place(sortOrders, range.sortOrder ?? "none", "sort order"));
	w.i53(range.limit ?? 0);
	w.i53(range.revision ?? 0);
	w.i53(range.minModRevision ?? 0);
	w.i53(range.maxModRevision ?? 0);
	w.i53(range.minCreateRevision ?? 0);
	w.i53(range.maxCreateRevision ?? 0);
}

function writeCompare(w: Writer, compare: Compare): void {
	w.u8(place(results, compare.result, "compare result"));
	w.u8(place(targets, compare.target, "compare target"));
	writeKeys(w, 0, compare.key, compare.rangeEnd);
	if (compare.target === "value") w.bytes(compare.operand);
	else if (compare.target === "lease") w.u64(compare.operand);
	else w.i53(compare.operand);
}

function writeOp(w: Writer, op: RequestOp): void {
	w.u8(place(ops, op.op, "operation"));
	if (op.op === "put") writePut(w, op);
	else if (op.op === "range") writeRange(w, op);
	else if (op.op === "delete") writeDelete(w, op);
	else writeTxn(w, op);
}

function writeTxn(w: Writer, txn: TxnRequest): void {
	w.u16(txn.compare.length);
	w.u16(txn.success.length);
	w.u16(txn.failure.length);
	for (const compare of txn.compare) writeCompare(w, compare);
	for (const op of txn.success) writeOp(w, op);
	for (const op of txn.failure) writeOp(w, op);
}

function writeBody(w: Writer, command: Command): void {
	switch (command.kind) {
		case "put":
			writePut(w, command);
			break;
		case "delete":
			writeDelete(w, command);
			break;
		case "txn":
			writeTxn(w, command);
			break;
		case "compact":
			w.u8(command.physical === true ? 1 : 0);
			w.i53(command.revision);
			break;
		case "lease_grant":
			w.u64(command.id);
			w.i53(command.ttl);
			break;
		case "lease_revoke":
			w.u8(command.expired ? 1 : 0);
			w.u64(command.id);
			break;
		case "lease_keepalive":
			w.u32(command.ids.length);
			for (const id of command.ids) w.u64(id);
			break;
		case "session_open":
			if (command.limits !== undefined) writeSessionLimits(w, command.limits);
			break;
		case "session_close":
		case "tick":
			break;
	}
}

/** One entry's data. Throws `FormatError` on numbers out of their range (not an integer, not below 2^53). */
export function encodeCommand(header: CommandHeader, command: Command): Buffer {
	const w = new Writer(commandHeaderSize + bodySize(command));
	w.u8(commandFormat);
	w.u8(kindNumber(command));
	w.u64(header.session);
	w.u53(header.sequence);
	w.u53(header.acknowledged);
	w.u53(header.time);
	w.u64(header.requestId);
	writeBody(w, command);
	return w.done();
}

function readRangeEnd(r: Reader, flags: number): Buffer | undefined {
	return (flags & 0x80) === 0 ? undefined : r.bytes();
}

function readPut(r: Reader): PutRequest {
	const flags = r.u8();
	const lease = r.u64();
	const key = r.bytes();
	const value = r.bytes();
	return {
		key,
		value,
		lease,
		prevKv: (flags & 1) !== 0,
		ignoreValue: (flags & 2) !== 0,
		ignoreLease: (flags & 4) !== 0,
	};
}

function readDelete(r: Reader): DeleteRangeRequest {
	const flags = r.u8();
	const key = r.bytes();
	return { key, rangeEnd: readRangeEnd(r, flags), prevKv: (flags & 1) !== 0 };
}

function readRange(r: Reader): RangeRequest {
	const flags = r.u8();
	const key = r.bytes();
	return {
		key,
		rangeEnd: readRangeEnd(r, flags),
		serializable: (flags & 1) !== 0,
		keysOnly: (flags & 2) !== 0,
		countOnly: (flags & 4) !== 0,
		sortTarget: pick(sortTargets, r.u8(), "sort target"),
		sortOrder: pick(sortOrders, r.u8(), "sort order"),
		limit: r.i53(),
		revision: r.i53(),
		minModRevision: r.i53(),
		maxModRevision: r.i53(),
		minCreateRevision: r.i53(),
		maxCreateRevision: r.i53(),
	};
}

function readCompare(r: Reader): Compare {
	const result = pick(results, r.u8(), "compare result");
	const target = pick(targets, r.u8(), "compare target");
	const flags = r.u8();
	const key = r.bytes();
	const common = { key, rangeEnd: readRangeEnd(r, flags), result };
	if (target === "value") return { ...common, target, operand: r.bytes() };
	if (target === "lease") return { ...common, target, operand: r.u64() };
	return { ...common, target, operand: r.i53() };
}

function readOp(r: Reader, depth: number): RequestOp {
	const op = pick(ops, r.u8(), "operation");
	if (op === "put") return { op, ...readPut(r) };
	if (op === "range") return { op, ...readRange(r) };
	if (op === "delete") return { op, ...readDelete(r) };
	return { op, ...readTxn(r, depth + 1) };
}

function readTxn(r: Reader, depth: number): TxnRequest {
	if (depth > maxTxnDepth) throw new FormatError(`transactions nested deeper than ${maxTxnDepth}`);
	const compares = r.u16();
	const successes = r.u16();
	const failures = r.u16();
	const compare: Compare[] = [];
	const success: RequestOp[] = [];
	const failure: RequestOp[] = [];
	for (let i = 0; i < compares; i++) compare.push(readCompare(r));
	for (let i = 0; i < successes; i++) success.push(readOp(r, depth));
	for (let i = 0; i < failures; i++) failure.push(readOp(r, depth));
	return { compare, success, failure };
}

function readKeepalive(r: Reader): bigint[] {
	const count = r.u32();
	if (count * 8 > r.left) throw new FormatError(`${count} leases announced, ${r.left} bytes left`);
	const ids: bigint[] = [];
	for (let i = 0; i < count; i++) ids.push(r.u64());
	return ids;
}

function readBody(r: Reader, kind: Command["kind"], number: number): Command {
	switch (kind) {
		case "put": {
			const flags = r.u8();
			const lease = r.u64();
			const key = r.bytes();
			const value = r.bytes();
			const prevKv = (flags & 1) !== 0;
			return { kind, key, value, lease, prevKv, ignoreValue: (flags & 2) !== 0, ignoreLease: (flags & 4) !== 0 };
		}
		case "delete":
			return { kind, ...readDelete(r) };
		case "txn":
			return { kind, ...readTxn(r, 0) };
		case "compact": {
			const physical = r.u8() !== 0;
			return { kind, physical, revision: r.i53() };
		}
		case "lease_grant": {
			const id = r.u64();
			return { kind, id, ttl: r.i53() };
		}
		case "lease_revoke": {
			const expired = r.u8() !== 0;
			return { kind, expired, id: r.u64() };
		}
		case "lease_keepalive":
			return { kind, ids: readKeepalive(r) };
		case "session_open":
			return number === openWithLimits ? { kind, limits: readSessionLimits(r) } : { kind };
		case "session_close":
		case "tick":
			return { kind };
	}
}

/**
 * Reads an entry's data; keys and values are views of it. Throws `FormatError` on anything but a whole entry of format 1:
 * an unknown format or kind comes from a newer version, and the member must stop rather than skip it.
 */
export function decodeCommand(data: Buffer): { readonly header: CommandHeader; readonly command: Command } {
	const r = new Reader(data);
	const format = r.u8();
	if (format !== commandFormat) throw new FormatError(`unknown entry format ${format}`);
	const number = r.u8();
	const kind = kinds[number - 1];
	if (kind === undefined) throw new FormatError(`unknown command kind ${number}`);
	const header: CommandHeader = {
		session: r.u64(),
		sequence: r.u53(),
		acknowledged: r.u53(),
		time: r.u53(),
		requestId: r.u64(),
	};
	const command = readBody(r, kind, number);
	r.end();
	return { header, command };
}

/** Only the request's id, for matching an answer without reading the entry. */
export function requestIdOf(data: Buffer): bigint {
	return data.length < commandHeaderSize ? 0n : data.readBigUInt64BE(34);
}
