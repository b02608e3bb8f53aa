/**
 * Objects as the store holds them: JSON that begins `{"kind":…,"apiVersion":…,"metadata":{`, without resourceVersion,
 * which is the store's revision and is spliced in on the way out. Upstream's protobuf is read too.
 */
import { messageOfKind } from "../kinds.ts";
import type { KubeObject } from "../object.ts";
import { parseApiVersion, type ResourceInfo } from "../resources.ts";
import type { ObjectMeta } from "../types.gen.ts";
import { normalizeObject } from "./normalize.ts";
import { decodeEnvelope, decodeMessage, hasMagic } from "./protobuf/decode.ts";

const metadataOpening = Buffer.from('"metadata":{');
const closingBrace = 0x7d;

/** The bytes to store. */
export function encodeStored(object: KubeObject): Buffer {
	const { kind, apiVersion, metadata, ...rest } = object;
	const { resourceVersion: _, ...meta } = metadata ?? {};
	return Buffer.from(JSON.stringify({ kind, apiVersion, metadata: meta, ...rest }));
}

/** Where the first field of metadata begins in stored bytes. */
function metadataStart(stored: Buffer): number {
	const at = stored.indexOf(metadataOpening);
	// kind and apiVersion cannot contain a quote, so the first match is the object's own metadata.
	if (at < 0) throw new Error(`stored object has no metadata: ${stored.toString("utf8", 0, 60)}`);
	return at + metadataOpening.length;
}

/** Stored bytes with `metadata.resourceVersion` put in, without decoding them. */
export function withResourceVersion(stored: Buffer, revision: number): Buffer {
	const at = metadataStart(stored);
	const field = `"resourceVersion":"${revision}"${stored[at] === closingBrace ? "" : ","}`;
	const result = Buffer.allocUnsafe(stored.length + field.length);
	stored.copy(result, 0, 0, at);
	result.write(field, at, "latin1");
	stored.copy(result, at + field.length, at);
	return result;
}

/** Bytes of the store in our form: upstream's protobuf is decoded and written as JSON, ours is returned as it is. */
export function normalizeStored(value: Buffer): Buffer {
	return hasMagic(value) ? encodeStored(decodeUpstream(value)) : value;
}

function decodeUpstream(value: Buffer): KubeObject {
	const envelope = decodeEnvelope(value);
	const gv = parseApiVersion(envelope.apiVersion);
	const message = gv === undefined ? undefined : messageOfKind(gv, envelope.kind);
	if (message === undefined) throw new Error(`stored object of unknown kind ${envelope.apiVersion} ${envelope.kind}`);
	const object = decodeMessage(message, envelope.raw);
	normalizeObject(message, object);
	return { ...object, kind: envelope.kind, apiVersion: envelope.apiVersion } as KubeObject;
}

/** The stored object with its resourceVersion set to `revision`. */
export function decodeStored<T extends object = Record<string, unknown>>(
	stored: Buffer,
	revision: number,
): KubeObject<T> {
	const object = (hasMagic(stored) ? decodeUpstream(stored) : JSON.parse(stored.toString("utf8"))) as KubeObject<T>;
	object.metadata.resourceVersion = String(revision);
	return object;
}

export interface StoredMeta {
	readonly name: string;
	/** "" for cluster-scoped objects. */
	readonly namespace: string;
	readonly uid: string;
	readonly labels: Readonly<Record<string, string>>;
	/** Values for field selectors: metadata.name, metadata.namespace and the resource's own; "" where unset. */
	readonly fields: Readonly<Record<string, string>>;
}

type Json = Record<string, unknown>;

function valueAt(object: Json, path: string): unknown {
	let value: unknown = object;
	for (const part of path.split(".")) {
		if (typeof value !== "object" || value === null) return undefined;
		value = (value as Json)[part];
	}
	return value;
}

const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

/** Selectable fields that are not simply a field's value. */
const derivedFields: Readonly<Record<string, (object: Json) => string>> = {
	"Event source": (object) => text(valueAt(object, "source.component")) || text(valueAt(object, "reportingComponent")),
	"Event reportingController": (object) => text(valueAt(object, "reportingComponent")),
	"Namespace name": (object) => text(valueAt(object, "metadata.name")),
	"Job status.successful": (object) => text(valueAt(object, "status.succeeded") ?? 0),
	"ReplicaSet status.replicas": (object) => text(valueAt(object, "status.replicas") ?? 0),
	"Node spec.unschedulable": (object) => text(valueAt(object, "spec.unschedulable") ?? false),
	"Pod spec.hostNetwork": (object) => text(valueAt(object, "spec.hostNetwork") ?? false),
	"Pod status.podIP": (object) =>
		text(
			(valueAt(object, "status.podIPs") as { ip?: string }[] | undefined)?.[0]?.ip ?? valueAt(object, "status.podIP"),
		),
};

/** The field selector values of a stored object (in its storage form, whatever the view). */
export function selectableFieldsOf(resource: ResourceInfo, object: KubeObject): Record<string, string> {
	const fields: Record<string, string> = {
		"metadata.name": object.metadata.name ?? "",
		"metadata.namespace": object.metadata.namespace ?? "",
	};
	for (const path of resource.selectableFields) {
		const derive = derivedFields[`${resource.kind} ${path}`];
		const at = resource.storageMessage === "core_v1.Event" ? path.replace(/^regarding\./, "involvedObject.") : path;
		fields[path] = derive === undefined ? text(valueAt(object as Json, at)) : derive(object as Json);
	}
	return fields;
}

/** Name, namespace, labels and selectable fields of stored bytes, parsed when first asked for. */
export function readMeta(resource: ResourceInfo, stored: Buffer): StoredMeta {
	let meta: ObjectMeta | undefined;
	let fields: Record<string, string> | undefined;
	const load = () => {
		const object = decodeStored(stored, 0);
		meta = object.metadata;
		fields = selectableFieldsOf(resource, object);
		return { meta, fields };
	};
	const metadata = () => meta ?? load().meta;
	return {
		get name() {
			return metadata().name ?? "";
		},
		get namespace() {
			return metadata().namespace ?? "";
		},
		get uid() {
			return metadata().uid ?? "";
		},
		get labels() {
			return metadata().labels ?? {};
		},
		get fields() {
			return fields ?? load().fields;
		},
	};
}
