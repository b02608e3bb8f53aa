/** The native protocol's plain requests: how each is read, what it asks of the member, and how its answer is written. */
import type { ResponseHeader, WithHeader } from "../api.ts";
import type { Abandonable, RangePages } from "../member/long-ranges.ts";
import type { ProposeOptions } from "../member/member.ts";
import type { Requests } from "../member/requests.ts";
import { method } from "../native/protocol.ts";
import * as wire from "../native/wire.ts";

export interface WireAnswer {
	readonly header: ResponseHeader;
	readonly body: unknown;
	/** In place of the body: a range to be sent page by page. */
	readonly pages?: RangePages;
}

/** Throws or rejects with StoreError. `options` carries the session and is for writes, `caller` is for reads. */
type Method = (
	requests: Requests,
	body: unknown,
	options: ProposeOptions,
	caller: Abandonable | undefined,
) => Promise<WireAnswer>;

function encoded<T>(answer: Promise<WithHeader<T>>, encode: (result: WithHeader<T>) => unknown): Promise<WireAnswer> {
	return answer.then((result) => ({ header: result.header, body: encode(result) }));
}

const nothing = () => [];

function range(requests: Requests, body: unknown, caller: Abandonable | undefined): Promise<WireAnswer> {
	return requests.rangePages(wire.rangeFromWire(body), caller).then((pages) => {
		const { revision, only, more, count } = pages;
		const header = requests.header(revision);
		if (only === undefined) return { header, body: undefined, pages };
		return { header, body: wire.rangeResultToWire({ kvs: only, more, count }) };
	});
}

/** Methods whose answers may be long. */
export const longAnswered: ReadonlySet<number> = new Set([
	method.range,
	method.delete,
	method.txn,
	method.leases,
	method.leaseTimeToLive,
]);

export const methods: ReadonlyMap<number, Method> = new Map<number, Method>([
	[method.range, (requests, body, _options, caller) => range(requests, body, caller)],
	[method.put, (requests, body, o) => encoded(requests.put(wire.putFromWire(body), o), wire.putResultToWire)],
	[
		method.delete,
		(requests, body, o) => encoded(requests.deleteRange(wire.deleteFromWire(body), o), wire.deleteResultToWire),
	],
	[
		method.txn,
		(requests, body, o, caller) => encoded(requests.txn(wire.txnFromWire(body), o, caller), wire.txnResultToWire),
	],
	[
		method.compact,
		(requests, body, o) => {
			const f = new wire.Fields(body, "compact");
			return encoded(
				requests.compact({ revision: f.integer("revision"), physical: f.boolean("physical") }, o),
				nothing,
			);
		},
	],
	[
		method.leaseGrant,
		(requests, body, o) => {
			const f = new wire.Fields(body, "lease_grant");
			return encoded(requests.leaseGrant({ id: f.id("id"), ttl: f.integer("ttl") }, o), (r) => [r.id, r.ttl]);
		},
	],
	[
		method.leaseRevoke,
		(requests, body, o) => encoded(requests.leaseRevoke(new wire.Fields(body, "lease_revoke").id("id"), o), nothing),
	],
	[
		method.leaseKeepAlive,
		(requests, body) =>
			encoded(requests.leaseKeepAlive(new wire.Fields(body, "lease_keep_alive").id("id")), (r) => [r.id, r.ttl]),
	],
	[
		method.leaseTimeToLive,
		(requests, body) => {
			const f = new wire.Fields(body, "lease_time_to_live");
			const answer = requests.leaseTimeToLive(f.id("id"), f.boolean("keys"));
			return encoded(answer, (r) => [r.id, r.ttl, r.grantedTtl, r.keys]);
		},
	],
	[method.leases, (requests) => encoded(requests.leases(), (r) => [r.ids])],
	[
		method.currentRevision,
		(requests) => requests.currentRevision().then((revision) => ({ header: requests.header(revision), body: [] })),
	],
	[method.sessionOpen, (requests, _body, o) => encoded(requests.session("session_open", o), nothing)],
	[method.sessionClose, (requests, _body, o) => encoded(requests.session("session_close", o), nothing)],
	[
		method.hash,
		async (requests, body) => {
			const revision = new wire.Fields(body, "hash").integer("revision", 0);
			const hash = await requests.replica.machine.hash(revision);
			return { header: requests.header(), body: [hash.hash, hash.revision, hash.compactRevision] };
		},
	],
]);
