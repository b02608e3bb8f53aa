/** Which schema message a body's apiVersion and kind name. */
import { type GroupVersion, parseApiVersion, schemaText } from "./resources.ts";
import { findMessage, type Message } from "./schema.ts";

/** Kinds of meta/v1 that are registered in every group version (`DeleteOptions` of `apps/v1`). */
const everywhere: ReadonlySet<string> = new Set([
	"DeleteOptions",
	"CreateOptions",
	"UpdateOptions",
	"PatchOptions",
	"GetOptions",
	"ListOptions",
	"WatchEvent",
]);
/** Kinds of meta/v1 that core's v1 carries too. */
const inCore: ReadonlySet<string> = new Set(["Status", "APIVersions", "APIGroup", "APIGroupList", "APIResourceList"]);
/** Messages that are top-level objects though the schema does not mark them (they have no REST kind of their own). */
const unmarked: ReadonlySet<string> = new Set(["PartialObjectMetadata", "PartialObjectMetadataList"]);

/** The message of a kind, or undefined where the group version has no such kind. */
export function messageOfKind(gv: GroupVersion, kind: string): Message | undefined {
	const text = schemaText(gv);
	if (text === undefined) return undefined;
	if (everywhere.has(kind)) return findMessage(`meta_v1.${kind}`);
	if (gv.group === "" && inCore.has(kind)) return findMessage(`meta_v1.${kind}`);
	const message = findMessage(`${text}.${kind}`);
	if (message === undefined) return undefined;
	return message.isKind || (text === "meta_v1" && unmarked.has(kind)) ? message : undefined;
}

/** The message of an object by its own apiVersion and kind. */
export function messageOfObject(object: { apiVersion?: unknown; kind?: unknown }): Message | undefined {
	if (typeof object.apiVersion !== "string" || typeof object.kind !== "string") return undefined;
	const gv = parseApiVersion(object.apiVersion);
	return gv === undefined ? undefined : messageOfKind(gv, object.kind);
}

/** Message names that carry kind and apiVersion beside their fields. */
export const isTopLevel = (message: Message): boolean =>
	message.isKind || (message.name.startsWith("meta_v1.") && unmarked.has(message.name.slice("meta_v1.".length)));
