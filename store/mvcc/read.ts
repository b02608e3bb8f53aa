/** Range requests with etcd's semantics (`server/etcdserver/txn/txn.go`, `executeRange`). */
import type { KeyValue, RangeRequest, RangeResult } from "../api.ts";
import { boundsOf, type Found, type KeySpace } from "./keyspace.ts";

const noBytes: Buffer = Buffer.alloc(0);

export interface RangeOptions {
	/** False: the result's `count` is 0. Counting at an older revision visits the whole range. */
	readonly count?: boolean | undefined;
	/** Of keys and values, after which a range in key order ends with `more`; it has one pair at least. */
	readonly maxBytes?: number | undefined;
}

/** Throws `compacted`, `future_revision`. Within a write transaction it sees the changes made so far. */
export function executeRange(space: KeySpace, request: RangeRequest, options: RangeOptions = {}): RangeResult {
	const revision = Math.max(request.revision ?? 0, 0);
	space.checkReadable(revision);
	const bounds = boundsOf(request.key, request.rangeEnd);
	const count = options.count === false ? 0 : space.count(bounds, revision);
	if (request.countOnly === true) return { kvs: [], more: false, count };
	const limit = Math.max(request.limit ?? 0, 0);
	const order = sortOrderOf(request);
	const everything = limit === 0 || !isInKeyOrder(request);
	let found = space.findRange(bounds, revision, everything ? 0 : limit + 1);
	if (hasFilters(request)) found = found.filter((one) => passes(one, request));
	if (order !== 0 && request.sortTarget === "value") {
		return truncateByValue(space, found, request, { limit, order, count });
	}
	if (order !== 0) sortFound(found, request, order);
	const more = limit > 0 && found.length > limit;
	if (more) found.length = limit;
	const read = pairReader(space, request, revision);
	if (options.maxBytes === undefined || !isInKeyOrder(request)) return { kvs: found.map(read), more, count };
	const kvs = readUpTo(found, read, options.maxBytes);
	return { kvs, more: more || kvs.length < found.length, count };
}

function readUpTo(found: readonly Found[], read: (found: Found) => KeyValue, maxBytes: number): KeyValue[] {
	const kvs: KeyValue[] = [];
	let bytes = 0;
	for (const one of found) {
		const kv = read(one);
		kvs.push(kv);
		bytes += kv.key.length + kv.value.length;
		if (bytes >= maxBytes) break;
	}
	return kvs;
}

/** 1 ascending, -1 descending, 0: as the index has it (by key, ascending). */
function sortOrderOf(request: RangeRequest): number {
	const target = request.sortTarget ?? "key";
	const order = request.sortOrder ?? "none";
	if (order === "descend") return -1;
	// As in etcd, a target other than the key sorts ascending even when no order is given.
	return target === "key" ? 0 : 1;
}

/** Whether `limit` ends the search: the result is the first keys of the range, all of them. */
export function isInKeyOrder(request: RangeRequest): boolean {
	return sortOrderOf(request) === 0 && !hasFilters(request);
}

function hasFilters(request: RangeRequest): boolean {
	return (
		(request.minModRevision ?? 0) !== 0 ||
		(request.maxModRevision ?? 0) !== 0 ||
		(request.minCreateRevision ?? 0) !== 0 ||
		(request.maxCreateRevision ?? 0) !== 0
	);
}

function passes(found: Found, request: RangeRequest): boolean {
	const { minModRevision = 0, maxModRevision = 0, minCreateRevision = 0, maxCreateRevision = 0 } = request;
	if (maxModRevision !== 0 && found.main > maxModRevision) return false;
	if (minModRevision !== 0 && found.main < minModRevision) return false;
	if (maxCreateRevision !== 0 && found.created > maxCreateRevision) return false;
	return minCreateRevision === 0 || found.created >= minCreateRevision;
}

function sortFound(found: Found[], request: RangeRequest, order: number): void {
	if (request.sortTarget === "version") found.sort((a, b) => order * (a.version - b.version));
	else if (request.sortTarget === "create") found.sort((a, b) => order * (a.created - b.created));
	else if (request.sortTarget === "mod") found.sort((a, b) => order * (a.main - b.main));
	else found.reverse();
}

interface Truncation {
	readonly limit: number;
	readonly order: number;
	readonly count: number;
}

function truncateByValue(space: KeySpace, found: Found[], request: RangeRequest, by: Truncation): RangeResult {
	const kvs = found.map((one) => space.fetch(one));
	kvs.sort((a, b) => by.order * Buffer.compare(a.value, b.value));
	const more = by.limit > 0 && kvs.length > by.limit;
	if (more) kvs.length = by.limit;
	return { kvs: request.keysOnly === true ? kvs.map(withoutValue) : kvs, more, count: by.count };
}

const withoutValue = (kv: KeyValue): KeyValue => ({ ...kv, value: noBytes });

function pairReader(space: KeySpace, request: RangeRequest, revision: number): (found: Found) => KeyValue {
	if (request.keysOnly !== true) return (found) => space.fetch(found);
	// Leases are known for the newest state only; older pairs are read whole.
	if (revision === 0) return (found) => space.fetchWithoutValue(found);
	return (found) => withoutValue(space.fetch(found));
}
