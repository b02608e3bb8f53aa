/**
 * Ranges too long to be read in one piece: pages of bounded size at one revision, between which others run. What the pages
 * give together is what one piece would have given at the time of the first.
 */
import { append } from "../../kit/lists.ts";
import { type KeyValue, type RangeRequest, type RangeResult, StoreError } from "../api.ts";
import type { StateMachine } from "../machine/types.ts";
import { isInKeyOrder } from "../mvcc/read.ts";

/** Set once nobody waits for the answer any more; work for it then ends at the next page. */
export interface Abandonable {
	readonly abandoned: boolean;
}

export interface PageLimits {
	/** Pairs of a page, at most. */
	readonly rangePageKeys: number;
	/** Bytes of keys and values after which a page ends. */
	readonly rangePageBytes: number;
	/** Bytes of keys and values in one answer; a range that has more is refused. */
	readonly maxAnswerBytes: number;
	/** Resolves when the next piece of work may be done. */
	readonly turn: () => Promise<void>;
}

export interface RangePages {
	/** The store's revision when the range was begun. */
	readonly revision: number;
	/** As in `RangeResult`. */
	readonly count: number;
	readonly more: boolean;
	/** Pairs in all pages together. */
	readonly size: number;
	/** All pairs, where they are one page. */
	readonly only: readonly KeyValue[] | undefined;
	/** Frees the memory of the first page while the answer has to wait; the page is read again later. */
	forget(): void;
	/** All pages, read as they are asked for. May be read once. Throws StoreErrors. */
	pages(): AsyncGenerator<readonly KeyValue[]>;
}

const zeroByte = Buffer.alloc(1);

export function pairBytes(kvs: readonly KeyValue[]): number {
	let bytes = 0;
	for (const { key, value } of kvs) bytes += key.length + value.length;
	return bytes;
}

/** The revision being read was compacted meanwhile. The caller asked for the newest, so the read starts again. */
export class OvertakenError extends StoreError {
	constructor(cause: unknown) {
		super("unavailable", "etcdserver: what was being read was compacted", { cause });
	}
}

export function abandonedError(): StoreError {
	return new StoreError("closed", "the request was abandoned");
}

/** Ranges in another order than that of keys, and counts, are answered in one piece. */
function isPaged(request: RangeRequest): boolean {
	const { rangeEnd } = request;
	if (rangeEnd === undefined || rangeEnd.length === 0 || request.countOnly === true) return false;
	return isInKeyOrder(request);
}

export function checkAnswer(bytes: number, maxAnswerBytes: number): void {
	if (bytes <= maxAnswerBytes) return;
	throw new StoreError("invalid_argument", `range: the answer is above ${maxAnswerBytes} bytes; ask with a limit`);
}

/** Reads the first page. `at`: the revision to read at where the request names none; 0: the newest. */
export function openPages(
	machine: StateMachine,
	request: RangeRequest,
	limits: PageLimits,
	{ at = 0, caller }: { readonly at?: number; readonly caller?: Abandonable | undefined } = {},
): RangePages {
	// Read and revision belong together: no await between them.
	const { revision } = machine;
	if (!isPaged(request)) {
		const { kvs, more, count } = readAt(machine, request, at);
		checkAnswer(pairBytes(kvs), limits.maxAnswerBytes);
		return onePage(revision, { kvs, count, more });
	}
	const wanted = (request.limit ?? 0) > 0 ? request.limit! : Number.POSITIVE_INFINITY;
	const pageOptions = { maxBytes: limits.rangePageBytes };
	const first = readAt(machine, { ...request, limit: Math.min(limits.rangePageKeys, wanted) }, at, pageOptions);
	// A paged range has no filters, so its count tells its size.
	const size = Math.min(wanted, first.count);
	const answer = { revision, count: first.count, more: first.count > size, size };
	checkAnswer(pairBytes(first.kvs), limits.maxAnswerBytes);
	if (first.kvs.length === size) return onePage(revision, { kvs: first.kvs, count: first.count, more: answer.more });
	const asked = request.revision ?? 0;
	const pinned = asked > 0 ? asked : at > 0 ? at : revision;
	let kept: readonly KeyValue[] = first.kvs;
	return {
		...answer,
		only: undefined,
		forget() {
			kept = [];
		},
		async *pages() {
			const reading = { pinned, size, read: kept, caller };
			if (kept.length > 0) yield kept;
			kept = [];
			yield* furtherPages(machine, request, limits, reading);
		},
	};
}

function onePage(revision: number, { kvs, count, more }: RangeResult): RangePages {
	return {
		revision,
		count,
		more,
		size: kvs.length,
		only: kvs,
		forget: () => undefined,
		async *pages() {
			yield kvs;
		},
	};
}

interface Reading {
	readonly pinned: number;
	readonly size: number;
	/** What was read before. */
	readonly read: readonly KeyValue[];
	readonly caller: Abandonable | undefined;
}

async function* furtherPages(
	machine: StateMachine,
	request: RangeRequest,
	limits: PageLimits,
	{ pinned, size, read, caller }: Reading,
): AsyncGenerator<readonly KeyValue[]> {
	const pageOptions = { count: false, maxBytes: limits.rangePageBytes };
	let bytes = pairBytes(read);
	let count = read.length;
	let last = read.at(-1);
	while (count < size) {
		await limits.turn();
		if (caller?.abandoned === true) throw abandonedError();
		const key = last === undefined ? request.key : Buffer.concat([last.key, zeroByte]);
		const limit = Math.min(limits.rangePageKeys, size - count);
		// Reading the newest state is cheaper: it needs no search through older revisions.
		const revision = machine.revision === pinned ? 0 : pinned;
		const { kvs } = readAt(machine, { ...request, key, limit }, revision, pageOptions);
		last = kvs.at(-1);
		if (last === undefined) throw new Error(`a range of ${size} pairs at revision ${pinned} ended after ${count}`);
		count += kvs.length;
		bytes += pairBytes(kvs);
		checkAnswer(bytes, limits.maxAnswerBytes);
		yield kvs;
	}
}

/** `request` at a revision of our choice where it names none itself. */
function readAt(
	machine: StateMachine,
	request: RangeRequest,
	revision: number,
	options?: Parameters<StateMachine["range"]>[1],
): RangeResult {
	if ((request.revision ?? 0) > 0) return machine.range(request, options);
	try {
		return machine.range({ ...request, revision }, options);
	} catch (error) {
		if (error instanceof StoreError && error.code === "compacted") throw new OvertakenError(error);
		throw error;
	}
}

/** All pairs in one list. */
export async function collect(pages: AsyncIterable<readonly KeyValue[]>): Promise<KeyValue[]> {
	const kvs: KeyValue[] = [];
	for await (const page of pages) append(kvs, page);
	return kvs;
}
