/**
 * A list's body in pieces, in every form that it has: what stands before the items, each item, and what stands after. No
 * form ever holds more than one item and what is about to be sent.
 */
import type { Entry } from "../cache/entry.ts";
import type { Representation } from "../http/negotiate.ts";
import { mediaJson, mediaProtobuf, mediaYaml } from "../scheme/codec/codec.ts";
import { encodeMessage, envelopeAround, fieldHead } from "../scheme/codec/protobuf/encode.ts";
import { writeYaml } from "../scheme/codec/yaml-text.ts";
import { messageOfObject } from "../scheme/kinds.ts";
import type { KubeObject } from "../scheme/object.ts";
import { apiVersionOf, type ResourceInfo } from "../scheme/resources.ts";
import { findMessage, type Message } from "../scheme/schema.ts";
import type { Page } from "./page.ts";
import { listTableHead, rowsOf, type TableOptions } from "./tables.ts";
import { decodeView, jsonView } from "./views.ts";

/** Bytes collected before they are handed to the socket. */
const chunkBytes = 64 << 10;

/** An object without spec and status, as `as=PartialObjectMetadata` shows it. */
export const partial = (object: KubeObject): KubeObject =>
	({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata }) as KubeObject;

/** A list as its envelope (everything but the items) and the values that its items are. */
interface Listing {
	readonly head: Readonly<Record<string, unknown>>;
	/** The key of the head's empty list. */
	readonly key: "items" | "rows";
	/** What an entry becomes; a table may have several rows for it, or none. */
	readonly values: (entry: Entry) => readonly object[];
	/** JSON of an entry, where there is a shorter way to it than its values. */
	readonly json?: (entry: Entry) => Buffer;
}

function listMeta(page: Page): Record<string, unknown> {
	return {
		resourceVersion: String(page.revision),
		...(page.continueToken === "" ? {} : { continue: page.continueToken }),
		...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
	};
}

function listingOf(resource: ResourceInfo, page: Page, table: TableOptions | undefined, isPartial: boolean): Listing {
	const metadata = listMeta(page);
	const objectOf = (entry: Entry) => decodeView(resource, entry.bytes, entry.revision);
	if (table !== undefined) {
		return {
			head: JSON.parse(`${listTableHead(resource, metadata, table)}"rows":[]}`),
			key: "rows",
			values: (entry) => rowsOf(resource, [objectOf(entry)], table),
		};
	}
	if (isPartial) {
		return {
			head: { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items: [] },
			key: "items",
			values: (entry) => [partial(objectOf(entry))],
		};
	}
	return {
		head: { kind: resource.listKind, apiVersion: apiVersionOf(resource), metadata, items: [] },
		key: "items",
		values: (entry) => [objectOf(entry)],
		json: (entry) => jsonView(resource, entry.bytes, entry.revision),
	};
}

/** The head's text around its empty list, which is its last `[]`. */
function around(text: string): { readonly before: string; readonly after: string } {
	const at = text.lastIndexOf("[]");
	return { before: text.slice(0, at + 1), after: text.slice(at + 1) };
}

function* jsonPieces(listing: Listing, entries: Iterable<Entry>): Generator<Buffer> {
	const { before, after } = around(`${JSON.stringify(listing.head)}\n`);
	yield Buffer.from(before);
	let separator = "";
	for (const entry of entries) {
		if (listing.json !== undefined) {
			if (separator !== "") yield Buffer.from(separator);
			yield listing.json(entry);
			separator = ",";
			continue;
		}
		for (const value of listing.values(entry)) {
			yield Buffer.from(separator + JSON.stringify(value));
			separator = ",";
		}
	}
	yield Buffer.from(after);
}

/** Indented as JSON.stringify would the whole. */
function* prettyPieces(listing: Listing, entries: Iterable<Entry>): Generator<Buffer> {
	const { before, after } = around(`${JSON.stringify(listing.head, undefined, 2)}\n`);
	yield Buffer.from(before);
	let separator = "\n    ";
	let any = false;
	for (const entry of entries) {
		for (const value of listing.values(entry)) {
			// Line breaks within strings are escaped: those that are left are the layout's.
			yield Buffer.from(separator + JSON.stringify(value, undefined, 2).replaceAll("\n", "\n    "));
			separator = ",\n    ";
			any = true;
		}
	}
	yield Buffer.from(any ? `\n  ${after}` : after);
}

function* yamlPieces(listing: Listing, entries: Iterable<Entry>): Generator<Buffer> {
	const none = `${listing.key}: []\n`;
	const text = writeYaml(listing.head);
	// A key at the beginning of a line is the list's own.
	const at = text.startsWith(none) ? 0 : text.indexOf(`\n${none}`) + 1;
	yield Buffer.from(text.slice(0, at));
	let any = false;
	for (const entry of entries) {
		for (const value of listing.values(entry)) {
			yield Buffer.from((any ? "" : `${listing.key}:\n`) + writeYaml([value]));
			any = true;
		}
	}
	yield Buffer.from((any ? "" : none) + text.slice(at + none.length));
}

const empty = Buffer.alloc(0);

interface ListMessage {
	readonly list: Message;
	readonly item: Message;
	/** Number of the field that the items are. */
	readonly items: number;
}

/**
 * The length of a protobuf message stands before it: items are encoded twice, first to be measured. An empty piece stands
 * for an item that was measured.
 */
function* protobufPieces(listing: Listing, message: ListMessage, entries: readonly Entry[]): Generator<Buffer> {
	const { list, item } = message;
	const { apiVersion, kind, metadata } = listing.head as { apiVersion: string; kind: string; metadata: object };
	const start = encodeMessage(list, { metadata });
	const encode = (entry: Entry) => encodeMessage(item, listing.values(entry)[0] as Record<string, unknown>);
	let size = start.length;
	for (const entry of entries) {
		const { length } = encode(entry);
		size += fieldHead(message.items, length).length + length;
		yield empty;
	}
	const { before, after } = envelopeAround(apiVersion, kind, size);
	yield Buffer.concat([before, start]);
	for (const entry of entries) {
		const bytes = encode(entry);
		yield Buffer.concat([fieldHead(message.items, bytes.length), bytes]);
	}
	yield after;
}

/** The messages of a list and its items; undefined for what has none (tables). */
function listMessageOf(head: Listing["head"]): ListMessage | undefined {
	const list = messageOfObject(head);
	const field = list?.fields.get("items");
	const element = field?.type.form === "list" ? field.type.element : undefined;
	const item = element?.form === "message" ? findMessage(element.name) : undefined;
	const number = field?.path[0];
	return list === undefined || item === undefined || number === undefined ? undefined : { list, item, items: number };
}

/** Items measured, or bytes' worth of them written, between two chances for other work. */
const measuredPerChunk = 50;

/** Pieces joined to chunks of a size worth writing; an empty chunk stands for work without bytes. */
function* chunked(pieces: Iterable<Buffer>): Generator<Buffer> {
	let waiting: Buffer[] = [];
	let size = 0;
	let measured = 0;
	for (const piece of pieces) {
		if (piece.length === 0) {
			if (++measured % measuredPerChunk === 0) yield empty;
			continue;
		}
		waiting.push(piece);
		size += piece.length;
		if (size < chunkBytes) continue;
		yield Buffer.concat(waiting, size);
		waiting = [];
		size = 0;
	}
	if (size > 0) yield Buffer.concat(waiting, size);
}

/** A list's media type, and its body in chunks that are made as they are asked for. */
export function listBody(
	resource: ResourceInfo,
	page: Page,
	as: Representation,
	table: TableOptions | undefined,
): { readonly type: string; readonly chunks: Generator<Buffer> } {
	const isPartial = table === undefined && as.transform.as !== "none";
	const listing = listingOf(resource, page, table, isPartial);
	if (as.format === "yaml") return { type: mediaYaml, chunks: chunked(yamlPieces(listing, page.entries)) };
	const message = as.format === "protobuf" ? listMessageOf(listing.head) : undefined;
	if (message !== undefined) {
		return { type: mediaProtobuf, chunks: chunked(protobufPieces(listing, message, [...page.entries])) };
	}
	const pieces = as.pretty ? prettyPieces(listing, page.entries) : jsonPieces(listing, page.entries);
	return { type: mediaJson, chunks: chunked(pieces) };
}
