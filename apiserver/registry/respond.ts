/** Answers of the verbs in the representation the client asked for: objects, lists item by item, watch frames. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Entry } from "../cache/entry.ts";
import type { EventEncoder, EventType } from "../cache/watcher.ts";
import { listTransforms, negotiate, noTransforms, objectTransforms, type Representation } from "../http/negotiate.ts";
import { jsonType, sendBytes, sendValue, warningHeaders } from "../http/render.ts";
import { room } from "../http/types.ts";
import type { KubeObject } from "../scheme/object.ts";
import { apiVersionOf, type ResourceInfo } from "../scheme/resources.ts";
import type { Scope } from "./context.ts";
import { listBody, partial } from "./list-text.ts";
import type { Page } from "./page.ts";
import { listTableHead, rowsOf, type TableOptions, tableOf, tableOptions } from "./tables.ts";
import { decodeView, jsonView } from "./views.ts";

const newline = Buffer.from("\n");

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

/** An object that is not stored as it is shown (a scale, a review); a scale has a table of its own. */
export function sendShown(scope: Scope, status: number, object: object): void {
	const isScale = scope.subresource?.name === "scale";
	const as = negotiate(scope.request, isScale ? objectTransforms : noTransforms);
	const shown = object as KubeObject;
	if (as.transform.as === "Table") {
		const scales = { ...scope, resource: { ...scope.resource, resource: "scales" } };
		send(scope, status, tableOf(scales, [shown], { resourceVersion: shown.metadata.resourceVersion ?? "" }), as);
	} else send(scope, status, as.transform.as === "none" ? object : partial(shown), as);
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

/** Writes a list item by item in whatever form, as fast as the client takes it; other work gets its turn between chunks. */
export async function sendList(scope: Scope, page: Page): Promise<void> {
	const { request, response } = scope;
	const as = negotiate(request, listTransforms);
	const table = as.transform.as === "Table" ? tableOptions(scope) : undefined;
	const { type, chunks } = listBody(scope.resource, page, as, table);
	const whole: Buffer[] = [];
	for (const chunk of chunks) {
		if (request.signal.aborted) return;
		await nextTurn();
		if (chunk.length === 0) continue;
		if (whole.length === 0 && !response.headSent) {
			whole.push(chunk);
			continue;
		}
		// More than one chunk: the length is not known before the end.
		if (!response.headSent) {
			response.head(200, {
				"cache-control": "no-cache, private",
				"content-type": type,
				...warningHeaders(scope.warnings),
			});
			await writeOne(scope, whole.pop() ?? Buffer.alloc(0));
		}
		await writeOne(scope, chunk);
	}
	if (response.headSent) response.end();
	else sendBytes(response, 200, type, whole[0] ?? Buffer.alloc(0), warningHeaders(scope.warnings));
}

async function writeOne({ request, response }: Scope, chunk: Buffer): Promise<void> {
	if (!request.signal.aborted && !response.write(chunk)) await room(request, response);
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
