/** A client of etcd v3 through its JSON gateway: base64 for bytes, texts for 64-bit numbers, lines for streams. */
import type { WatchedEvent } from "../checkers/watch.ts";
import {
	type Compare,
	type Kv,
	type KvTarget,
	type Op,
	type OpAnswer,
	TargetError,
	type WatchOptions,
} from "../workloads/target.ts";

interface WireKv {
	readonly key: string;
	readonly value?: string;
	readonly create_revision?: string;
	readonly mod_revision?: string;
	readonly version?: string;
	readonly lease?: string;
}

interface WireHeader {
	readonly revision?: string;
	readonly member_id?: string;
}

interface WireRange {
	readonly header: WireHeader;
	readonly kvs?: readonly WireKv[];
	readonly count?: string;
}

interface WireEvent {
	/** Absent: PUT. */
	readonly type?: string;
	readonly kv: WireKv;
	readonly prev_kv?: WireKv;
}

type WatchEnd = Parameters<KvTarget["watch"]>[2];

const encode = (text: string) => Buffer.from(text).toString("base64");
const decode = (text: string | undefined) => Buffer.from(text ?? "", "base64").toString();
const int = (text: string | undefined) => Number(text ?? 0);

function fromKv(kv: WireKv): Kv {
	return {
		key: decode(kv.key),
		value: decode(kv.value),
		createRevision: int(kv.create_revision),
		modRevision: int(kv.mod_revision),
		version: int(kv.version),
		lease: kv.lease === undefined || kv.lease === "0" ? "" : kv.lease,
	};
}

function rangeBody(op: {
	key: string;
	end?: string | undefined;
	revision?: number | undefined;
	limit?: number | undefined;
}) {
	const { key, end, revision = 0, limit = 0 } = op;
	return { key: encode(key), ...(end === undefined ? {} : { range_end: encode(end) }), revision, limit };
}

function toOp(op: Op): object {
	if (op.op === "put") return { request_put: { key: encode(op.key), value: encode(op.value), lease: op.lease ?? "0" } };
	if (op.op === "range") return { request_range: rangeBody(op) };
	return { request_delete_range: rangeBody({ key: op.key, end: op.end }) };
}

interface WireAnswer {
	readonly response_range?: Omit<WireRange, "header">;
	readonly response_delete_range?: { readonly deleted?: string };
}

function fromOp(answer: WireAnswer): OpAnswer {
	const { response_range: range, response_delete_range: deleted } = answer;
	if (range !== undefined) return { op: "range", kvs: (range.kvs ?? []).map(fromKv), count: int(range.count) };
	return deleted === undefined ? { op: "put" } : { op: "delete", deleted: int(deleted.deleted) };
}

function toCompare(compare: Compare): object {
	const operand = {
		value: () => ({ value: encode(String(compare.operand)) }),
		version: () => ({ version: compare.operand }),
		create: () => ({ create_revision: compare.operand }),
		mod: () => ({ mod_revision: compare.operand }),
	}[compare.target]();
	const result = compare.result.toUpperCase();
	return { key: encode(compare.key), target: compare.target.toUpperCase(), result, ...operand };
}

/** gRPC codes that say that the request was looked at and refused: invalid, not found, exists, precondition, range. */
const refusals: ReadonlySet<number> = new Set([3, 5, 6, 9, 11]);

export interface GatewayOptions {
	/** `http://HOST:PORT`, the nearest first; the next is tried when one cannot be connected to. */
	readonly endpoints: readonly string[];
	readonly requestTimeoutMs: number;
	/** Wrong on purpose: reads are answered from a member's own state, perhaps stale. */
	readonly serializableReads?: boolean | undefined;
}

/** No request is sent twice once it may have arrived: etcd has no request ids, so a retry could apply it again. */
export class EtcdGateway implements KvTarget {
	readonly #options: GatewayOptions;
	readonly #closed = new AbortController();

	constructor(options: GatewayOptions) {
		this.#options = options;
	}

	async #post<T>(path: string, body: object): Promise<T> {
		const { endpoints, requestTimeoutMs } = this.#options;
		let last: unknown;
		for (const endpoint of endpoints) {
			const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(requestTimeoutMs)]);
			let response: Response;
			let text: string;
			try {
				response = await fetch(`${endpoint}${path}`, { method: "POST", body: JSON.stringify(body), signal });
				text = await response.text();
			} catch (error) {
				last = error;
				if (isRefusedConnection(error)) continue;
				throw new TargetError("unknown", message(error), error);
			}
			return parse<T>(response, text);
		}
		throw new TargetError("no", `no member can be connected to: ${message(last)}`, last);
	}

	async range(op: Parameters<KvTarget["range"]>[0]) {
		const serializable = this.#options.serializableReads === true;
		const answer = await this.#post<WireRange>("/v3/kv/range", { ...rangeBody(op), serializable });
		const { header, kvs = [], count } = answer;
		return { revision: int(header.revision), kvs: kvs.map(fromKv), count: int(count) };
	}

	async put(key: string, value: string, lease?: string) {
		const body = { key: encode(key), value: encode(value), lease: lease ?? "0" };
		const { header } = await this.#post<{ header: WireHeader }>("/v3/kv/put", body);
		return { revision: int(header.revision) };
	}

	async delete(key: string, end?: string) {
		const body = { key: encode(key), ...(end === undefined ? {} : { range_end: encode(end) }) };
		const answer = await this.#post<{ header: WireHeader; deleted?: string }>("/v3/kv/deleterange", body);
		return { revision: int(answer.header.revision), deleted: int(answer.deleted) };
	}

	async txn({ compare, success, failure }: Parameters<KvTarget["txn"]>[0]) {
		const body = { compare: compare.map(toCompare), success: success.map(toOp), failure: failure.map(toOp) };
		const { header, succeeded, responses } = await this.#post<{
			header: WireHeader;
			succeeded?: boolean;
			responses?: readonly WireAnswer[];
		}>("/v3/kv/txn", body);
		return { revision: int(header.revision), succeeded: succeeded === true, answers: (responses ?? []).map(fromOp) };
	}

	async leaseGrant(ttl: number): Promise<string> {
		return (await this.#post<{ ID: string }>("/v3/lease/grant", { TTL: ttl, ID: 0 })).ID;
	}

	async leaseKeepAlive(lease: string): Promise<boolean> {
		const { result } = await this.#post<{ result: { TTL?: string } }>("/v3/lease/keepalive", { ID: lease });
		return int(result.TTL) > 0;
	}

	async leaseRevoke(lease: string): Promise<void> {
		await this.#post("/v3/lease/revoke", { ID: lease });
	}

	/** The first endpoint's own id, its leader's, and the term. */
	async status(): Promise<{ readonly member: string; readonly leader: string; readonly term: number }> {
		const {
			header,
			leader = "",
			raftTerm,
		} = await this.#post<{
			header: WireHeader;
			leader?: string;
			raftTerm?: string;
		}>("/v3/maintenance/status", {});
		return { member: header.member_id ?? "", leader, term: int(raftTerm) };
	}

	async compact(revision: number): Promise<void> {
		await this.#post("/v3/kv/compaction", { revision });
	}

	async defragment(): Promise<void> {
		await this.#post("/v3/maintenance/defragment", {});
	}

	watch(
		options: WatchOptions,
		onBatch: Parameters<KvTarget["watch"]>[1],
		onEnd: WatchEnd,
	): { requestProgress(): void; cancel(): void } {
		const cancelled = new AbortController();
		const signal = AbortSignal.any([cancelled.signal, this.#closed.signal]);
		const stream = new GatewayWatch(this.#options.endpoints, options, signal, onBatch, onEnd);
		void stream.run();
		// The gateway's stream takes one request only, so progress cannot be asked for.
		return { requestProgress: () => {}, cancel: () => cancelled.abort() };
	}

	async close(): Promise<void> {
		this.#closed.abort();
	}
}

function message(error: unknown): string {
	const { cause } = error as { cause?: Error };
	return cause?.message ?? (error as Error | undefined)?.message ?? "no endpoints";
}

function isRefusedConnection(error: unknown): boolean {
	return (error as { cause?: { code?: string } }).cause?.code === "ECONNREFUSED";
}

/** Of a request, up to etcd 3.5 and later, and of a stream likewise, where it is inside `error` and `grpc_code` the older name. */
interface WireError {
	readonly code?: number;
	readonly grpc_code?: number;
	readonly message?: string;
}

function parse<T>({ ok, status }: Response, text: string): T {
	const excerpt = text.slice(0, 100);
	let body: (WireError & { readonly error?: string | WireError }) | null;
	try {
		body = JSON.parse(text) as typeof body;
	} catch (error) {
		throw new TargetError("unknown", `the answer is not JSON: ${excerpt}`, error);
	}
	if (ok && typeof body === "object" && body !== null && body.error === undefined) return body as T;
	const inner = body?.error ?? undefined;
	const failure = typeof inner === "object" ? inner : (body ?? {});
	const refused = refusals.has(failure.code ?? failure.grpc_code ?? -1);
	throw new TargetError(refused ? "no" : "unknown", failure.message ?? `HTTP status ${status}: ${excerpt}`);
}

const resumeMs = 100;

/** One watch over as many streams as it takes. */
class GatewayWatch {
	readonly #endpoints: readonly string[];
	readonly #options: WatchOptions;
	readonly #signal: AbortSignal;
	readonly #onBatch: Parameters<KvTarget["watch"]>[1];
	readonly #onEnd: WatchEnd;
	#next: number;

	constructor(
		endpoints: readonly string[],
		options: WatchOptions,
		signal: AbortSignal,
		onBatch: Parameters<KvTarget["watch"]>[1],
		onEnd: WatchEnd,
	) {
		this.#endpoints = endpoints;
		this.#options = options;
		this.#signal = signal;
		this.#onBatch = onBatch;
		this.#onEnd = onEnd;
		this.#next = options.startRevision;
	}

	async run(): Promise<void> {
		for (let attempt = 0; !this.#signal.aborted; attempt++) {
			const endpoint = this.#endpoints[attempt % this.#endpoints.length]!;
			try {
				if (!(await this.#stream(endpoint))) return;
			} catch (error) {
				// Cut off or refused: resumed elsewhere from the first revision not seen.
				if (this.#signal.aborted || !(error instanceof Error)) return;
			}
			await new Promise((resolve) => setTimeout(resolve, resumeMs));
		}
	}

	/** Whether to resume. */
	async #stream(endpoint: string): Promise<boolean> {
		const { key, end, prevKv } = this.#options;
		const range = end === undefined ? {} : { range_end: encode(end) };
		const create_request = { key: encode(key), ...range, start_revision: this.#next, prev_kv: prevKv };
		const body = JSON.stringify({ create_request });
		const response = await fetch(`${endpoint}/v3/watch`, { method: "POST", body, signal: this.#signal });
		let rest = "";
		for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
			const lines = (rest + chunk).split("\n");
			rest = lines.pop()!;
			for (const line of lines) if (line.trim() !== "" && !this.#take(line)) return false;
		}
		return true;
	}

	#take(line: string): boolean {
		const { result } = JSON.parse(line) as {
			result?: { events?: readonly WireEvent[]; canceled?: boolean; cancel_reason?: string; compact_revision?: string };
		};
		if (result === undefined) throw new Error(line);
		if (result.canceled === true) {
			const { compact_revision: at, cancel_reason: reason = `compacted at ${at}` } = result;
			this.#onEnd(reason, at === undefined ? undefined : Number(at));
			return false;
		}
		const events = (result.events ?? []).map(fromEvent);
		const newest = events.at(-1);
		if (newest === undefined) return true;
		this.#next = newest.modRevision + 1;
		this.#onBatch({ events, revision: newest.modRevision });
		return true;
	}
}

function fromEvent({ type, kv, prev_kv }: WireEvent): WatchedEvent {
	const { lease: _, ...rest } = fromKv(kv);
	const event = { type: type === "DELETE" ? "delete" : "put", ...rest } as const;
	if (prev_kv === undefined) return event;
	return { ...event, previous: { value: decode(prev_kv.value), modRevision: int(prev_kv.mod_revision) } };
}
