/**
 * Recorded answers in a form of their own, for sessions: only commands that changed something have one. An answer too large
 * to keep is remembered as such: a retry learns that the request was applied, but not what it answered.
 */
import type { KeyValue, ResponseOp, TxnResult } from "../api.ts";
import { decodeRecord, encodeRecord } from "../mvcc/record.ts";
import { FormatError, Reader } from "./bytes.ts";
import type { CommandResult } from "./types.ts";

/** Larger answers are not kept. */
export const maxAnswerBytes = 16 * 1024;

const kindNumbers = { put: 1, delete: 2, txn: 3, lease_grant: 4, compact: 5, lease_revoke: 6 } as const;
const opNumbers = { range: 1, put: 2, delete: 3, txn: 4 } as const;

const plainPut = Buffer.from([kindNumbers.put, 0]);
const plainCompact = Buffer.from([kindNumbers.compact]);
const plainRevoke = Buffer.from([kindNumbers.lease_revoke]);

/** Collects pieces and stops above the limit, so that a huge answer is not copied only to be thrown away. */
class Pieces {
	readonly parts: Buffer[] = [];
	size = 0;

	add(part: Buffer): void {
		this.parts.push(part);
		this.size += part.length;
	}

	numbers(...bytes: number[]): void {
		this.add(Buffer.from(bytes));
	}

	u32(value: number): void {
		const part = Buffer.allocUnsafe(4);
		part.writeUInt32BE(value);
		this.add(part);
	}

	get full(): boolean {
		return this.size > maxAnswerBytes;
	}
}

function addPair(out: Pieces, kv: KeyValue): void {
	// Too large already: count it without copying.
	if (out.full || kv.value.length > maxAnswerBytes) {
		out.size += kv.value.length;
		return;
	}
	const record = encodeRecord(kv.key, kv.createRevision, kv.modRevision, kv.version, kv.value, kv.lease);
	out.u32(record.length);
	out.add(record);
}

function addPairs(out: Pieces, kvs: readonly KeyValue[]): void {
	out.u32(kvs.length);
	for (const kv of kvs) {
		if (out.full) return;
		addPair(out, kv);
	}
}

function addTxn(out: Pieces, txn: TxnResult): void {
	out.numbers(txn.succeeded ? 1 : 0);
	out.u32(txn.responses.length);
	for (const response of txn.responses) addOp(out, response);
}

function addOp(out: Pieces, op: ResponseOp): void {
	out.numbers(opNumbers[op.op]);
	if (op.op === "put") addPairs(out, op.prevKv === undefined ? [] : [op.prevKv]);
	else if (op.op === "delete") {
		out.u32(op.deleted);
		addPairs(out, op.prevKvs);
	} else if (op.op === "range") {
		out.numbers(op.more ? 1 : 0);
		out.u32(op.count);
		addPairs(out, op.kvs);
	} else addTxn(out, op);
}

/** Undefined: too large to keep. Throws for kinds that never change anything. */
export function encodeAnswer(result: CommandResult): Buffer | undefined {
	if (result.kind === "put" && result.result.prevKv === undefined) return plainPut;
	if (result.kind === "compact") return plainCompact;
	if (result.kind === "lease_revoke") return plainRevoke;
	const out = new Pieces();
	if (result.kind === "put") {
		out.numbers(kindNumbers.put, 1);
		addPair(out, result.result.prevKv!);
	} else if (result.kind === "delete") {
		out.numbers(kindNumbers.delete);
		out.u32(result.result.deleted);
		addPairs(out, result.result.prevKvs);
	} else if (result.kind === "txn") {
		out.numbers(kindNumbers.txn);
		addTxn(out, result.result);
	} else if (result.kind === "lease_grant") {
		const body = Buffer.alloc(17);
		body[0] = kindNumbers.lease_grant;
		body.writeBigUInt64BE(result.result.id, 1);
		body.writeBigInt64BE(BigInt(result.result.ttl), 9);
		return body;
	} else throw new Error(`answers of kind ${result.kind} are not kept`);
	return out.full ? undefined : Buffer.concat(out.parts);
}

function readPair(r: Reader): KeyValue {
	return decodeRecord(r.bytes());
}

function readPairs(r: Reader): KeyValue[] {
	const count = r.u32();
	const kvs: KeyValue[] = [];
	for (let i = 0; i < count; i++) kvs.push(readPair(r));
	return kvs;
}

function readTxn(r: Reader): TxnResult {
	const succeeded = r.u8() !== 0;
	const count = r.u32();
	const responses: ResponseOp[] = [];
	for (let i = 0; i < count; i++) responses.push(readOp(r));
	return { succeeded, responses };
}

function readOp(r: Reader): ResponseOp {
	const op = r.u8();
	if (op === opNumbers.put) {
		const prevKv = readPairs(r)[0];
		return prevKv === undefined ? { op: "put" } : { op: "put", prevKv };
	}
	if (op === opNumbers.delete) {
		const deleted = r.u32();
		return { op: "delete", deleted, prevKvs: readPairs(r) };
	}
	if (op === opNumbers.range) {
		const more = r.u8() !== 0;
		const count = r.u32();
		return { op: "range", more, count, kvs: readPairs(r) };
	}
	if (op !== opNumbers.txn) throw new FormatError(`unknown operation ${op} in a kept answer`);
	return { op: "txn", ...readTxn(r) };
}

export function decodeAnswer(data: Buffer): CommandResult {
	const r = new Reader(data);
	const kind = r.u8();
	if (kind === kindNumbers.put) {
		return r.u8() === 0 ? { kind: "put", result: {} } : { kind: "put", result: { prevKv: readPair(r) } };
	}
	if (kind === kindNumbers.delete) {
		const deleted = r.u32();
		return { kind: "delete", result: { deleted, prevKvs: readPairs(r) } };
	}
	if (kind === kindNumbers.txn) return { kind: "txn", result: readTxn(r) };
	if (kind === kindNumbers.lease_grant) return { kind: "lease_grant", result: { id: r.u64(), ttl: r.i53() } };
	if (kind === kindNumbers.compact) return { kind: "compact" };
	if (kind === kindNumbers.lease_revoke) return { kind: "lease_revoke" };
	throw new FormatError(`unknown kind ${kind} of a kept answer`);
}
