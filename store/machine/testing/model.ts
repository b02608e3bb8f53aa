/**
 * The machine's slow, obvious twin: a list of every change ever made, asked by reading all of it. No index, no engine, no
 * overlay; semantics written down once more from etcd's documentation.
 */
import { crc32c } from "../../../kit/crc32c.ts";
import {
	type Compare,
	type DeleteRangeRequest,
	type KeyValue,
	type PutRequest,
	type RangeRequest,
	type RangeResult,
	type RequestOp,
	type ResponseOp,
	StoreError,
	type TxnRequest,
	type WatchEvent,
	type WatchRequest,
} from "../../api.ts";
import { checkDelete, checkPut, checkTxn } from "../../mvcc/check.ts";
import { encodeRecord, encodeTombstone, revisionKey } from "../../mvcc/record.ts";
import type { Command, CommandHeader, CommandResult } from "../types.ts";

interface Fact {
	readonly main: number;
	readonly sub: number;
	readonly deleted: boolean;
	readonly kv: KeyValue;
}

interface ModelLease {
	readonly ttl: number;
	deadline: number;
}

const none = Buffer.alloc(0);

export function inRange(key: Buffer, start: Buffer, end: Buffer | undefined): boolean {
	if (end === undefined || end.length === 0) return key.equals(start);
	if (Buffer.compare(key, start) < 0) return false;
	return end.equals(Buffer.from([0])) || Buffer.compare(key, end) < 0;
}

export class Model {
	readonly facts: Fact[] = [];
	readonly leases = new Map<bigint, ModelLease>();
	readonly sessions = new Map<bigint, { floor: number; answers: Map<number, CommandResult | "no_effect"> }>();
	revision = 1;
	compactRevision = 0;
	#time = 0;
	#paused = 0;
	#term = 0;
	/** Main revision of the command under way. */
	#main = 0;
	#sub = 0;

	get active(): number {
		return this.#time - this.#paused;
	}

	/** Live pairs at a revision, in key order. */
	at(revision: number): KeyValue[] {
		const live = new Map<string, KeyValue>();
		for (const fact of this.facts) {
			if (fact.main > revision) break;
			if (fact.deleted) live.delete(fact.kv.key.toString("latin1"));
			else live.set(fact.kv.key.toString("latin1"), fact.kv);
		}
		return [...live.values()].sort((a, b) => Buffer.compare(a.key, b.key));
	}

	#now(): KeyValue[] {
		return this.at(Number.MAX_SAFE_INTEGER);
	}

	#find(key: Buffer): KeyValue | undefined {
		return this.#now().find((kv) => kv.key.equals(key));
	}

	/** Revision that a read without one sees. */
	get readRevision(): number {
		return this.#sub > 0 ? this.#main : this.revision;
	}

	checkRevision(revision: number): void {
		if (revision > this.readRevision) throw new StoreError("future_revision", "");
		if (revision > 0 && revision < this.compactRevision) throw new StoreError("compacted", "");
	}

	range(request: RangeRequest): RangeResult {
		const revision = request.revision ?? 0;
		this.checkRevision(revision);
		const all = this.at(revision > 0 ? revision : Number.MAX_SAFE_INTEGER).filter((kv) =>
			inRange(kv.key, request.key, request.rangeEnd),
		);
		if (request.countOnly === true) return { kvs: [], more: false, count: all.length };
		const { minModRevision = 0, maxModRevision = 0, minCreateRevision = 0, maxCreateRevision = 0 } = request;
		let kvs = all.filter(
			(kv) =>
				kv.modRevision >= minModRevision &&
				(maxModRevision === 0 || kv.modRevision <= maxModRevision) &&
				kv.createRevision >= minCreateRevision &&
				(maxCreateRevision === 0 || kv.createRevision <= maxCreateRevision),
		);
		const by = {
			key: (a: KeyValue, b: KeyValue) => Buffer.compare(a.key, b.key),
			version: (a: KeyValue, b: KeyValue) => a.version - b.version,
			create: (a: KeyValue, b: KeyValue) => a.createRevision - b.createRevision,
			mod: (a: KeyValue, b: KeyValue) => a.modRevision - b.modRevision,
			value: (a: KeyValue, b: KeyValue) => Buffer.compare(a.value, b.value),
		}[request.sortTarget ?? "key"];
		kvs.sort((a, b) => (request.sortOrder === "descend" ? -by(a, b) : by(a, b)));
		const limit = request.limit ?? 0;
		const more = limit > 0 && kvs.length > limit;
		if (more) kvs = kvs.slice(0, limit);
		if (request.keysOnly === true) kvs = kvs.map((kv) => ({ ...kv, value: none }));
		return { kvs, more, count: all.length };
	}

	#put(request: PutRequest): { prevKv?: KeyValue } {
		const previous = this.#find(request.key);
		const value = request.ignoreValue === true ? previous!.value : request.value;
		const lease = request.ignoreLease === true ? previous!.lease : (request.lease ?? 0n);
		const kv: KeyValue = {
			key: request.key,
			createRevision: previous?.createRevision ?? this.#main,
			modRevision: this.#main,
			version: (previous?.version ?? 0) + 1,
			value,
			lease,
		};
		this.facts.push({ main: this.#main, sub: this.#sub++, deleted: false, kv });
		return request.prevKv === true && previous !== undefined ? { prevKv: previous } : {};
	}

	#delete(request: DeleteRangeRequest): { deleted: number; prevKvs: KeyValue[] } {
		const found = this.#now().filter((kv) => inRange(kv.key, request.key, request.rangeEnd));
		for (const { key } of found) {
			const kv = { key, createRevision: 0, modRevision: this.#main, version: 0, value: none, lease: 0n };
			this.facts.push({ main: this.#main, sub: this.#sub++, deleted: true, kv });
		}
		return { deleted: found.length, prevKvs: request.prevKv === true ? found : [] };
	}

	#checkPut(request: PutRequest): void {
		if (request.ignoreValue === true || request.ignoreLease === true) {
			if (this.#find(request.key) === undefined) throw new StoreError("key_not_found", "");
		}
		const lease = request.lease ?? 0n;
		if (lease !== 0n && !this.leases.has(lease)) throw new StoreError("lease_not_found", "");
	}

	#holds(compare: Compare): boolean {
		const found = this.#now().filter((kv) => inRange(kv.key, compare.key, compare.rangeEnd));
		if (found.length === 0) {
			if (compare.target === "value") return false;
			found.push({ key: none, createRevision: 0, modRevision: 0, version: 0, value: none, lease: 0n });
		}
		return found.every((kv) => {
			let order: number;
			if (compare.target === "value") order = Buffer.compare(kv.value, compare.operand);
			else if (compare.target === "lease") order = Number(kv.lease - compare.operand);
			else if (compare.target === "version") order = kv.version - compare.operand;
			else order = (compare.target === "create" ? kv.createRevision : kv.modRevision) - compare.operand;
			const sign = Math.sign(order);
			return { equal: sign === 0, not_equal: sign !== 0, greater: sign > 0, less: sign < 0 }[compare.result];
		});
	}

	/** Which branch each transaction takes, decided before anything is written. */
	#decide(txn: TxnRequest, path: Map<TxnRequest, boolean>): void {
		const succeeded = txn.compare.every((compare) => this.#holds(compare));
		path.set(txn, succeeded);
		for (const op of succeeded ? txn.success : txn.failure) {
			if (op.op === "txn") this.#decide(op, path);
			else if (op.op === "put") this.#checkPut(op);
			else if (op.op === "range") this.checkRevision(op.revision ?? 0);
		}
	}

	#run(txn: TxnRequest, path: Map<TxnRequest, boolean>): { succeeded: boolean; responses: ResponseOp[] } {
		const succeeded = path.get(txn)!;
		const ops: readonly RequestOp[] = succeeded ? txn.success : txn.failure;
		const responses = ops.map((op): ResponseOp => {
			if (op.op === "put") return { op: "put", ...this.#put(op) };
			if (op.op === "delete") return { op: "delete", ...this.#delete(op) };
			if (op.op === "range") return { op: "range", ...this.range(op) };
			return { op: "txn", ...this.#run(op, path) };
		});
		return { succeeded, responses };
	}

	/** Keys attached to a lease now. */
	keysOf(id: bigint): Buffer[] {
		return this.#now()
			.filter((kv) => kv.lease === id)
			.map((kv) => kv.key);
	}

	expired(): bigint[] {
		const due = [...this.leases].filter(([, lease]) => lease.deadline <= this.active);
		return due.sort(([, a], [, b]) => a.deadline - b.deadline).map(([id]) => id);
	}

	#execute(command: Command): CommandResult {
		switch (command.kind) {
			case "put": {
				const error = checkPut(command);
				if (error !== undefined) throw error;
				// A missing lease is noticed before a missing key here, the other way round in transactions.
				this.#checkPut({ ...command, ignoreValue: false, ignoreLease: false });
				this.#checkPut(command);
				return { kind: "put", result: this.#put(command) };
			}
			case "delete": {
				const error = checkDelete(command);
				if (error !== undefined) throw error;
				return { kind: "delete", result: this.#delete(command) };
			}
			case "txn": {
				const error = checkTxn(command);
				if (error !== undefined) throw error;
				const path = new Map<TxnRequest, boolean>();
				this.#decide(command, path);
				return { kind: "txn", result: this.#run(command, path) };
			}
			case "compact":
				if (command.revision <= this.compactRevision) throw new StoreError("compacted", "");
				if (command.revision > this.revision) throw new StoreError("future_revision", "");
				this.compactRevision = command.revision;
				return { kind: "compact" };
			case "lease_grant": {
				if (this.leases.has(command.id)) throw new StoreError("lease_exists", "");
				const ttl = Math.max(command.ttl, 1);
				this.leases.set(command.id, { ttl, deadline: this.active + ttl * 1000 });
				return { kind: "lease_grant", result: { id: command.id, ttl } };
			}
			case "lease_revoke": {
				const lease = this.leases.get(command.id);
				if (command.expired && (lease === undefined || lease.deadline > this.active)) return { kind: "lease_revoke" };
				if (lease === undefined) throw new StoreError("lease_not_found", "");
				for (const key of this.keysOf(command.id)) this.#delete({ key });
				this.leases.delete(command.id);
				return { kind: "lease_revoke" };
			}
			case "lease_keepalive": {
				const result = command.ids.map((id) => {
					const lease = this.leases.get(id);
					if (lease === undefined || lease.deadline <= this.active) return { id, ttl: 0 };
					lease.deadline = this.active + lease.ttl * 1000;
					return { id, ttl: lease.ttl };
				});
				return { kind: "lease_keepalive", result };
			}
			default:
				return { kind: command.kind };
		}
	}

	#advance(time: number, term: number): void {
		const gap = Math.max(0, time - this.#time);
		this.#time += gap;
		if (term !== this.#term || gap > 5000) this.#paused += gap;
		this.#term = term;
	}

	/** Applies one entry; sessions never expire here. */
	apply(header: CommandHeader, command: Command, term: number): CommandResult | StoreError {
		this.#advance(header.time, term);
		if (command.kind === "session_open") {
			if (!this.sessions.has(header.session)) this.sessions.set(header.session, { floor: 0, answers: new Map() });
			return { kind: "session_open" };
		}
		if (command.kind === "session_close") {
			this.sessions.delete(header.session);
			return { kind: "session_close" };
		}
		if (header.session === 0n) return this.#attempt(command).outcome;
		const session = this.sessions.get(header.session);
		if (session === undefined) return new StoreError("session_expired", "");
		session.floor = Math.max(session.floor, header.acknowledged);
		if (header.sequence <= session.floor) return new StoreError("session_expired", "");
		const kept = session.answers.get(header.sequence);
		if (kept !== undefined) return kept === "no_effect" ? new StoreError("not_applied", "") : kept;
		const { outcome, effective } = this.#attempt(command);
		const recorded = effective && !(outcome instanceof StoreError) ? outcome : "no_effect";
		if (header.sequence > 0) session.answers.set(header.sequence, recorded);
		return outcome;
	}

	#attempt(command: Command): { outcome: CommandResult | StoreError; effective: boolean } {
		this.#main = this.revision + 1;
		this.#sub = 0;
		const leases = this.leases.size;
		try {
			const outcome = this.#execute(command);
			const other = command.kind === "compact" || command.kind === "lease_grant";
			const revoked = command.kind === "lease_revoke" && this.leases.size < leases;
			const effective = this.#sub > 0 || other || revoked;
			if (this.#sub > 0) this.revision = this.#main;
			return { outcome, effective };
		} catch (error) {
			if (error instanceof StoreError) return { outcome: error, effective: false };
			throw error;
		} finally {
			this.#sub = 0;
		}
	}

	/** HashKV at a readable revision, by its definition. */
	hash(revision: number): number {
		const live = new Set(this.at(revision));
		let hash = crc32c(Buffer.from("key"));
		for (const fact of this.facts) {
			if (fact.main > revision) break;
			if (fact.main <= this.compactRevision && !(live.size > 0 ? live.has(fact.kv) : this.#survives(fact))) continue;
			const { key, createRevision, modRevision, version, value, lease } = fact.kv;
			hash = crc32c(revisionKey(none, fact.main, fact.sub, fact.deleted), hash);
			const record = fact.deleted
				? encodeTombstone(key)
				: encodeRecord(key, createRevision, modRevision, version, value, lease);
			hash = crc32c(record, hash);
		}
		return hash;
	}

	/** Whether a fact at or before the compacted revision is still kept. */
	#survives(fact: Fact): boolean {
		const same = this.facts.filter((one) => one.main <= this.compactRevision && one.kv.key.equals(fact.kv.key));
		return same.at(-1) === fact && (!fact.deleted || fact.main === this.compactRevision);
	}

	/** What compaction left. */
	readable(): Fact[] {
		return this.facts.filter((fact) => fact.main > this.compactRevision || this.#survives(fact));
	}

	/** Bytes of readable records, as the quota counts them. */
	trackedBytes(): number {
		let bytes = 0;
		for (const fact of this.readable()) {
			const { key, createRevision, modRevision, version, value, lease } = fact.kv;
			bytes += fact.deleted
				? encodeTombstone(key).length + 18
				: encodeRecord(key, createRevision, modRevision, version, value, lease).length + 17;
		}
		return bytes;
	}

	/** What a watch from `start` sees up to now, were nothing compacted. */
	events(request: WatchRequest, start: number): WatchEvent[] {
		const events: WatchEvent[] = [];
		for (const { main, deleted, kv } of this.facts) {
			if (main < start || !inRange(kv.key, request.key, request.rangeEnd)) continue;
			if (deleted ? request.noDelete === true : request.noPut === true) continue;
			const prevKv = request.prevKv === true ? this.at(main - 1).find((one) => one.key.equals(kv.key)) : undefined;
			const type = deleted ? "delete" : "put";
			events.push(prevKv === undefined ? { type, kv } : { type, kv, prevKv });
		}
		return events;
	}
}
