/** LIST: from the cache, consistently or not older than asked; pages over one revision's snapshot; written item by item. */

import { StoreError } from "../../store/api.ts";
import { Entry, type FactsReader } from "../cache/entry.ts";
import { prefixEnd, type Snapshot } from "../cache/ordered.ts";
import { filterSnapshot } from "../cache/resource-cache.ts";
import { inScope, type Selection, selects } from "../cache/selection.ts";
import { ApiError, badRequest } from "../machinery/errors.ts";
import { compactedMessage } from "../storage/errors.ts";
import type { Scope } from "./context.ts";
import { type Continuation, decodeContinue, ExpiredContinue, encodeContinue, pathAfter } from "./continue.ts";
import type { Page } from "./page.ts";
import { type ListOptions, listRevision, readListOptions, tooLargeResourceVersion } from "./query.ts";
import { cacheOf, waitConsistent, waitNotOlder } from "./read.ts";
import { sendList } from "./respond.ts";
import { selectionOf } from "./selection.ts";

/** A state of the resource to list from. */
interface State {
	readonly revision: number;
	readonly prefix: string;
	/** In memory, or undefined when only the store still has it. */
	readonly snapshot: Snapshot<Entry> | undefined;
}

export async function listObjects(scope: Scope): Promise<void> {
	const options = readListOptions(scope.request.query, scope.resource, false);
	await sendList(scope, await listPage(scope, options));
}

/**
 * The state at exactly the revision is asked for: by name, or by a limit without a word on how to match, which is from the
 * time when only the store could serve pages.
 */
const isExact = (options: ListOptions, revision: number): boolean =>
	options.resourceVersionMatch === "Exact" ||
	(options.resourceVersionMatch === "" && options.limit > 0 && revision > 0);

export async function listPage(scope: Scope, options: ListOptions): Promise<Page> {
	const { services, resource } = scope;
	// Upstream serves a list at any revision whole, whatever the limit.
	const whole = options.resourceVersion === "0" ? { ...options, limit: 0 } : options;
	if (options.continueToken !== "") return continuedPage(scope, whole, decodeContinue(options.continueToken));
	const revision = listRevision(options.resourceVersion);
	const cache = cacheOf(services, resource);
	if (isExact(options, revision)) {
		if (revision > services.cacher.revision) await waitNotOlder(services, revision);
		return pageOf(scope, options, { revision, prefix: cache.prefix, snapshot: cache.at(revision) }, undefined);
	}
	if (options.resourceVersion === "") await waitConsistent(services);
	else await waitNotOlder(services, revision);
	return pageOf(
		scope,
		whole,
		{ revision: cache.revision, prefix: cache.prefix, snapshot: cache.snapshot() },
		undefined,
	);
}

async function continuedPage(scope: Scope, options: ListOptions, from: Continuation): Promise<Page> {
	const { services, resource } = scope;
	if (options.resourceVersion !== "" && options.resourceVersion !== "0") {
		throw badRequest("specifying resource version is not allowed when using continue");
	}
	const cache = cacheOf(services, resource);
	if (from.revision < 0) {
		await waitConsistent(services);
		return pageOf(
			scope,
			options,
			{ revision: cache.revision, prefix: cache.prefix, snapshot: cache.snapshot() },
			from.start,
		);
	}
	await waitNotOlder(services, from.revision);
	return pageOf(
		scope,
		options,
		{ revision: from.revision, prefix: cache.prefix, snapshot: cache.at(from.revision) },
		from.start,
	);
}

async function pageOf(scope: Scope, options: ListOptions, state: State, start: string | undefined): Promise<Page> {
	const { services, resource, namespace } = scope;
	const selection = selectionOf(resource, namespace, "", options);
	const base = state.prefix + (resource.namespaced && namespace !== "" ? `${namespace}/` : "");
	const from = start === undefined ? undefined : base + start;
	const cache = cacheOf(services, resource);
	if (state.snapshot === undefined) return storePage(scope, options, state, selection, base, from);
	const matching = filterSnapshot(state.snapshot, state.prefix, selection, cache.readFacts, from);
	if (options.limit === 0) {
		return { revision: state.revision, entries: matching, continueToken: "", remainingItemCount: undefined };
	}
	const { entries, next } = take(matching, options.limit);
	const last = entries.at(-1);
	if (next === undefined || last === undefined)
		return { revision: state.revision, entries, continueToken: "", remainingItemCount: undefined };
	if (state.revision === cache.revision) cache.pin();
	return {
		revision: state.revision,
		entries,
		continueToken: encodeContinue(state.revision, pathAfter(last.key.slice(base.length))),
		remainingItemCount:
			selection.matches === undefined ? state.snapshot.count(state.prefix + selection.scope, next.key) : undefined,
	};
}

/** The first `limit` entries, and the one after them. */
function take(entries: Iterable<Entry>, limit: number): { entries: Entry[]; next: Entry | undefined } {
	const taken: Entry[] = [];
	for (const entry of entries) {
		if (taken.length === limit) return { entries: taken, next: entry };
		taken.push(entry);
	}
	return { entries: taken, next: undefined };
}

const storePageSize = 500;

/** A page at a revision that is in no memory any more: the store has it until it is compacted. */
async function storePage(
	scope: Scope,
	options: ListOptions,
	state: State,
	selection: Selection,
	base: string,
	from: string | undefined,
): Promise<Page> {
	const { services } = scope;
	const { readFacts } = cacheOf(services, scope.resource);
	const wanted = options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit;
	const found: Entry[] = [];
	let key = Buffer.from(from ?? state.prefix + selection.scope);
	const rangeEnd = Buffer.from(prefixEnd(state.prefix + selection.scope) as string);
	try {
		for (;;) {
			const page = await services.storage.range({ key, rangeEnd, limit: storePageSize, revision: state.revision });
			for (const [index, kv] of page.kvs.entries()) {
				const entry = new Entry(kv.key.toString("utf8"), kv.value, kv.modRevision, kv.lease);
				if (!storeSelects(selection, entry, state.prefix, readFacts)) continue;
				if (found.length === wanted) {
					return {
						revision: state.revision,
						entries: found,
						continueToken: encodeContinue(state.revision, pathAfter((found.at(-1) as Entry).key.slice(base.length))),
						remainingItemCount: selection.matches === undefined ? page.count - index : undefined,
					};
				}
				found.push(entry);
			}
			const last = page.kvs.at(-1);
			if (!page.more || last === undefined) {
				return { revision: state.revision, entries: found, continueToken: "", remainingItemCount: undefined };
			}
			key = Buffer.concat([last.key, Buffer.of(0)]);
		}
	} catch (error) {
		throw readFailure(
			error,
			from === undefined ? undefined : from.slice(base.length),
			state.revision,
			services.cacher.revision,
		);
	}
}

const storeSelects = (selection: Selection, entry: Entry, prefix: string, read: FactsReader) =>
	inScope(selection, entry.key.slice(prefix.length)) && selects(selection, entry, read);

function readFailure(error: unknown, start: string | undefined, wanted: number, current: number): unknown {
	const cause = error instanceof ApiError ? error.cause : error;
	if (!(cause instanceof StoreError)) return error;
	if (cause.code === "future_revision") return tooLargeResourceVersion(wanted, current);
	if (cause.code !== "compacted") return error;
	if (start !== undefined) return new ExpiredContinue(start);
	return new ApiError(410, "Expired", compactedMessage);
}
