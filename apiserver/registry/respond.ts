/** Answers of the verbs in the representation the client asked for: objects, lists item by item, watch frames. */
import type { Entry } from "../cache/entry.ts";
import type { EventEncoder, EventType } from "../cache/watcher.ts";
import { listTransforms, negotiate, noTransforms, objectTransforms, type Representation } from "../http/negotiate.ts";
import { jsonType, sendBytes, sendValue, warningHeaders } from "../http/render.ts";
import { room } from "../http/types.ts";
import type { KubeObject } from "../scheme/object.ts";
import { apiVersionOf, type ResourceInfo } from "../scheme/resources.ts";
import type { Scope } from "./context.ts";
import type { Page } from "./page.ts";
import { listTableHead, rowsOf, type TableOptions, tableOf, tableOptions } from "./tables.ts";
import { decodeView, jsonView } from "./views.ts";

const newline = Buffer.from("\n");
const comma = Buffer.from(",");
/** Bytes collected before they are handed to the socket. */
const chunkBytes = 64 << 10;

/** An object without spec and status, as `as=PartialObjectMetadata` shows it. */
const partial = (object: KubeObject): KubeObject =>
	({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata }) as KubeObject;

function send(scope: Scope, status: number, value: object, as: Representation): void {
	sendValue(scope.response, status, value, as, warningHeaders(scope.warnings));
}

/** A stored object; revision 0 shows none (dry run). */
export function sendStored(scope: Scope, status: number, bytes: Buffer, revision: number): void {
	const { resource, request, response } = scope;
	const as = negotiate(request, objectTransforms);
	if (as.format === "json" && !as.pretty && as.transform.as === "none") {
		const json = Buffer.concat([jsonView(resource, bytes, revision), newline]);
		sendBytes(response, status, jsonType, json, warningHeaders(scope.warnings));
		return;
	}
	const object = decodeView(resource, bytes, revision);
	if (revision === 0) delete object.metadata.resourceVersion;
	if (as.transform.as === "Table") {
		send(scope, status, tableOf(scope, [object], { resourceVersion: object.metadata.resourceVersion ?? "" }), as);
	} else {
		send(scope, status, as.transform.as === "none" ? object : partial(object), as);
	}
}

/** An object that is not stored as it is shown (a scale, a review). */
export function sendShown(scope: Scope, status: number, object: object): void {
	send(scope, status, object, negotiate(scope.request, noTransforms));
}

export function sendStatus(scope: Scope, status: number, details: Readonly<Record<string, string>>): void {
	const shown = Object.fromEntries(Object.entries(details).filter(([, value]) => value !== ""));
	// A Status is never transformed, whatever was asked for.
	const as = negotiate(scope.request, scope.subresource === undefined ? objectTransforms : noTransforms);
	const value = {
		kind: "Status",
		apiVersion: "v1",
		metadata: {},
		status: "Success",
		...(Object.keys(shown).length === 0 ? {} : { details: shown }),
	};
	send(scope, status, value, as);
}

function listMeta(page: Page): Record<string, unknown> {
	return {
		resourceVersion: String(page.revision),
		...(page.continueToken === "" ? {} : { continue: page.continueToken }),
		...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
	};
}

/** Pieces of a list's JSON: what stands before the items, each item, and what stands after. */
function* listPieces(scope: Scope, page: Page, as: Representation): Generator<Buffer> {
	const { resource } = scope;
	const metadata = listMeta(page);
	if (as.transform.as === "Table") {
		const options = tableOptions(scope);
		yield Buffer.from(`${listTableHead(resource, metadata, options)}"rows":[`);
		yield* separated(page.entries, (entry) => tableRows(resource, entry, options));
	} else {
		const partialList = as.transform.as !== "none";
		const kind = partialList ? "PartialObjectMetadataList" : resource.listKind;
		const apiVersion = partialList ? "meta.k8s.io/v1" : apiVersionOf(resource);
		yield Buffer.from(
			`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`,
		);
		yield* separated(page.entries, (entry) =>
			partialList
				? Buffer.from(JSON.stringify(partial(decodeView(resource, entry.bytes, entry.revision))))
				: jsonView(resource, entry.bytes, entry.revision),
		);
	}
	yield Buffer.from("]}\n");
}

const tableRows = (resource: ResourceInfo, entry: Entry, options: TableOptions): Buffer => {
	const rows = rowsOf(resource, [decodeView(resource, entry.bytes, entry.revision)], options);
	return Buffer.from(rows.map((row) => JSON.stringify(row)).join(","));
};

function* separated(entries: Iterable<Entry>, render: (entry: Entry) => Buffer): Generator<Buffer> {
	let first = true;
	for (const entry of entries) {
		const piece = render(entry);
		if (piece.length === 0) continue;
		if (!first) yield comma;
		first = false;
		yield piece;
	}
}

/** Pieces joined to chunks of a size worth writing. */
function* chunked(pieces: Iterable<Buffer>): Generator<Buffer> {
	let waiting: Buffer[] = [];
	let size = 0;
	for (const piece of pieces) {
		waiting.push(piece);
		size += piece.length;
		if (size < chunkBytes) continue;
		yield Buffer.concat(waiting, size);
		waiting = [];
		size = 0;
	}
	if (size > 0) yield Buffer.concat(waiting, size);
}

/** Writes a list item by item, as fast as the client takes it. */
export async function sendList(scope: Scope, page: Page): Promise<void> {
	const { request, response } = scope;
	const as = negotiate(request, listTransforms);
	if (as.format !== "json" || as.pretty) {
		send(scope, 200, wholeList(scope, page, as), as);
		return;
	}
	const chunks = chunked(listPieces(scope, page, as));
	const first = chunks.next();
	const second = chunks.next();
	if (second.done === true) {
		sendBytes(response, 200, jsonType, first.value ?? Buffer.alloc(0), warningHeaders(scope.warnings));
		return;
	}
	response.head(200, {
		"cache-control": "no-cache, private",
		"content-type": jsonType,
		...warningHeaders(scope.warnings),
	});
	for (let next = first; next !== undefined; next = next === first ? second : chunks.next()) {
		if (next.done === true || request.signal.aborted) break;
		if (!response.write(next.value)) await room(request, response);
	}
	response.end();
}

/** The list as one object, for representations that have no form item by item. */
function wholeList(scope: Scope, page: Page, as: Representation): object {
	const { resource } = scope;
	const objects = [...page.entries].map((entry) => decodeView(resource, entry.bytes, entry.revision));
	if (as.transform.as === "Table") return tableOf(scope, objects, listMeta(page));
	const whole = as.transform.as === "none";
	return {
		kind: whole ? resource.listKind : "PartialObjectMetadataList",
		apiVersion: whole ? apiVersionOf(resource) : "meta.k8s.io/v1",
		metadata: listMeta(page),
		items: whole ? objects : objects.map(partial),
	};
}

const initialEventsEnd = { "k8s.io/initial-events-end": "true" };

function frameOf(type: string, object: Buffer | object): Buffer {
	const head = `{"type":"${type}","object":`;
	if (!Buffer.isBuffer(object)) return Buffer.from(`${head}${JSON.stringify(object)}}\n`);
	const frame = Buffer.allocUnsafe(head.length + object.length + 2);
	frame.write(head, 0, "latin1");
	object.copy(frame, head.length);
	frame.write("}\n", head.length + object.length, "latin1");
	return frame;
}

const bookmarkObject = (resource: ResourceInfo, revision: number, end: boolean) => ({
	kind: resource.kind,
	apiVersion: apiVersionOf(resource),
	metadata: {
		resourceVersion: String(revision),
		creationTimestamp: null,
		...(end ? { annotations: initialEventsEnd } : {}),
	},
});

const encoders = new Map<string, EventEncoder>();

/** Frames in the representation a watch asked for; one encoder for each, so that its frames are shared. */
export function watchEncoder(scope: Scope): EventEncoder {
	const { resource, request } = scope;
	const as = negotiate(request, objectTransforms);
	const options = as.transform.as === "Table" ? tableOptions(scope) : undefined;
	const id = `${apiVersionOf(resource)} ${resource.resource} ${as.transform.as} ${options?.includeObject ?? ""}`;
	let encoder = encoders.get(id);
	if (encoder === undefined) {
		encoder = makeEncoder(id, resource, as, options);
		encoders.set(id, encoder);
	}
	return encoder;
}

function makeEncoder(
	id: string,
	resource: ResourceInfo,
	as: Representation,
	options: TableOptions | undefined,
): EventEncoder {
	if (options !== undefined) {
		const rest = tableEncoder(`${id} rest`, resource, { ...options, noHeaders: true });
		return { ...tableEncoder(id, resource, options), rest };
	}
	const whole = as.transform.as === "none";
	const show = (object: object) =>
		whole ? object : { ...object, kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1" };
	return {
		id,
		event: (type: EventType, entry: Entry, revision: number) =>
			frameOf(
				type,
				whole ? jsonView(resource, entry.bytes, revision) : partial(decodeView(resource, entry.bytes, revision)),
			),
		bookmark: (revision, end) => frameOf("BOOKMARK", show(bookmarkObject(resource, revision, end))),
	};
}

function tableEncoder(id: string, resource: ResourceInfo, options: TableOptions): EventEncoder {
	const table = (objects: KubeObject[], metadata: Record<string, unknown>) => {
		const head = listTableHead(resource, metadata, options);
		return Buffer.from(`${head}"rows":${JSON.stringify(rowsOf(resource, objects, options))}}`);
	};
	return {
		id,
		event: (type, entry, revision) =>
			frameOf(type, table([decodeView(resource, entry.bytes, revision)], { resourceVersion: String(revision) })),
		bookmark: (revision, end) =>
			frameOf(
				"BOOKMARK",
				table([], { resourceVersion: String(revision), ...(end ? { annotations: initialEventsEnd } : {}) }),
			),
	};
}
