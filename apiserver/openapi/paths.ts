/** OpenAPI v3 paths of one group version: the operations of each resource and subresource, with their parameters. */
import {
	apiVersionOf,
	type GroupVersion,
	type ResourceInfo,
	type SubresourceInfo,
	schemaText,
} from "../scheme/resources.ts";
import type { Definitions, JsonSchema } from "./schemas.ts";

type Operation = Record<string, unknown>;
export type PathItem = Record<string, unknown>;

const query = (name: string, type: string, description: string): object => ({
	name,
	in: "query",
	description,
	schema: { type, uniqueItems: true },
});

const pathParameter = (name: string, description: string): object => ({
	name,
	in: "path",
	description,
	required: true,
	schema: { type: "string", uniqueItems: true },
});

const pretty = query("pretty", "string", "If 'true', the output is indented.");
const dryRun = query("dryRun", "string", "When present, nothing is persisted. The only valid value is All.");
const fieldManager = query("fieldManager", "string", "Names the actor or entity that makes these changes.");
const fieldValidation = query(
	"fieldValidation",
	"string",
	"What becomes of unknown and repeated fields: Ignore drops them, Warn drops them with a warning, Strict refuses the request.",
);
const force = query("force", "boolean", "Takes over fields that another manager owns. Only for apply patches.");
const selection = [
	query("allowWatchBookmarks", "boolean", "Asks a watch for events of type BOOKMARK."),
	query("continue", "string", "Where an earlier, limited list ended."),
	query("fieldSelector", "string", "Restricts the objects by their fields."),
	query("labelSelector", "string", "Restricts the objects by their labels."),
	query("limit", "integer", "The most items to return at once."),
	query("resourceVersion", "string", "How recent the answer must be."),
	query("resourceVersionMatch", "string", "How resourceVersion is applied to lists."),
	query("sendInitialEvents", "boolean", "Begins a watch with the objects there are."),
	query("timeoutSeconds", "integer", "How long a list or watch may take."),
];
const watchParameter = query("watch", "boolean", "Streams changes instead of listing.");
const deletion = [
	dryRun,
	query("gracePeriodSeconds", "integer", "Seconds before the object is deleted."),
	query("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
	query("propagationPolicy", "string", "Orphan, Background or Foreground."),
];
const writing = [dryRun, fieldManager, fieldValidation];

const mediaTypes = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const patchTypes = [
	"application/json-patch+json",
	"application/merge-patch+json",
	"application/strategic-merge-patch+json",
];

const content = (types: readonly string[], schema: JsonSchema): object =>
	Object.fromEntries(types.map((type) => [type, { schema }]));

interface Target {
	readonly group: string;
	readonly version: string;
	readonly kind: string;
	readonly message: string;
	/** Message of its list, for resources that have one. */
	readonly list?: string;
}

/** What an operation's id says after its verb: `CoreV1` and `NamespacedPodStatus`. */
interface Name {
	readonly prefix: string;
	readonly subject: string;
}

class Operations {
	readonly #definitions: Definitions;
	readonly #tag: string;

	constructor(definitions: Definitions, tag: string) {
		this.#definitions = definitions;
		this.#tag = tag;
	}

	make(action: string, verb: string, target: Target, name: Name, extra: Operation): Operation {
		return {
			tags: [this.#tag],
			operationId: `${verb}${name.prefix}${action === "deletecollection" ? "Collection" : ""}${name.subject}`,
			...extra,
			"x-kubernetes-action": action,
			"x-kubernetes-group-version-kind": { group: target.group, version: target.version, kind: target.kind },
		};
	}

	responses(message: string, ...codes: number[]): object {
		const schema = this.#definitions.ref(message);
		return Object.fromEntries([
			...codes.map((code) => [String(code), { description: describe(code), content: content(mediaTypes, schema) }]),
			["401", { description: "Unauthorized" }],
		]);
	}

	body(message: string, types: readonly string[] = ["*/*"]): object {
		return { content: content(types, this.#definitions.ref(message)), required: true };
	}
}

const describe = (code: number): string => (code === 201 ? "Created" : code === 202 ? "Accepted" : "OK");

const status = "meta_v1.Status";
const deleteBody = (operations: Operations): object => {
	const body = operations.body("meta_v1.DeleteOptions") as Record<string, unknown>;
	return { content: body["content"] };
};

/** The operations on a collection. */
function collection(operations: Operations, resource: ResourceInfo, target: Target, name: Name): PathItem {
	const item: PathItem = {};
	const can = (verb: string) => resource.verbs.includes(verb);
	if (can("list") && target.list !== undefined) {
		item["get"] = operations.make("list", "list", target, name, {
			parameters: [...selection, watchParameter],
			responses: operations.responses(target.list, 200),
		});
	}
	if (can("create")) {
		item["post"] = operations.make("post", "create", target, name, {
			parameters: writing,
			requestBody: operations.body(target.message),
			responses: operations.responses(target.message, 200, 201, 202),
		});
	}
	if (can("deletecollection")) {
		item["delete"] = operations.make("deletecollection", "delete", target, name, {
			parameters: [...selection, ...deletion],
			requestBody: deleteBody(operations),
			responses: operations.responses(status, 200),
		});
	}
	return item;
}

/** get, put and patch of one object or of a part of it. */
function one(operations: Operations, verbs: readonly string[], target: Target, name: Name): PathItem {
	const item: PathItem = {};
	if (verbs.includes("get")) {
		item["get"] = operations.make("get", "read", target, name, {
			responses: operations.responses(target.message, 200),
		});
	}
	if (verbs.includes("update")) {
		item["put"] = operations.make("put", "replace", target, name, {
			parameters: writing,
			requestBody: operations.body(target.message),
			responses: operations.responses(target.message, 200, 201),
		});
	}
	if (verbs.includes("patch")) {
		item["patch"] = operations.make("patch", "patch", target, name, {
			parameters: [...writing, force],
			requestBody: operations.body("meta_v1.Patch", patchTypes),
			responses: operations.responses(target.message, 200, 201),
		});
	}
	if (verbs.includes("create")) {
		item["post"] = operations.make("post", "create", target, name, {
			parameters: writing,
			requestBody: operations.body(target.message),
			responses: operations.responses(target.message, 200, 201, 202),
		});
	}
	return item;
}

function log(operations: Operations, target: Target, name: Name): PathItem {
	return {
		get: operations.make("get", "read", target, name, {
			parameters: [
				query("container", "string", "The container whose log to read."),
				query("follow", "boolean", "Goes on as the log grows."),
				query("limitBytes", "integer", "The most bytes to return."),
				query("previous", "boolean", "The log of the container's previous run."),
				query("sinceSeconds", "integer", "Only what is younger than this."),
				query("tailLines", "integer", "Only this many lines from the end."),
				query("timestamps", "boolean", "Begins each line with its time."),
			],
			responses: { 200: { description: "OK", content: { "text/plain": { schema: { type: "string" } } } } },
		}),
	};
}

const camel = (text: string): string =>
	text
		.split(/[^A-Za-z0-9]+/)
		.map((part) => part.charAt(0).toUpperCase() + part.slice(1))
		.join("");

function addSubresource(
	paths: Record<string, PathItem>,
	operations: Operations,
	base: string,
	parameters: readonly object[],
	sub: SubresourceInfo,
	name: Name,
): void {
	const own = { ...name, subject: `${name.subject}${camel(sub.name)}` };
	const item = sub.name === "log" ? log(operations, sub, own) : one(operations, sub.verbs, sub, own);
	paths[`${base}/${sub.name}`] = { ...item, parameters };
}

/** Every path of a resource, added to `paths`. */
export function addResourcePaths(
	paths: Record<string, PathItem>,
	definitions: Definitions,
	resource: ResourceInfo,
): void {
	const gv: GroupVersion = resource;
	const root = gv.group === "" ? `/api/${gv.version}` : `/apis/${apiVersionOf(gv)}`;
	// As upstream names them: `rbac.authorization.k8s.io` is rbacAuthorization.
	const group = gv.group === "" ? "Core" : camel(gv.group.replace(/\.k8s\.io$/, ""));
	const operations = new Operations(definitions, `${group.charAt(0).toLowerCase()}${group.slice(1)}_${gv.version}`);
	const prefix = `${group}${camel(gv.version)}`;
	const name: Name = { prefix, subject: `${resource.namespaced ? "Namespaced" : ""}${resource.kind}` };
	const target: Target = {
		...resource,
		...(resource.listKind === "" ? {} : { list: `${schemaText(gv)}.${resource.listKind}` }),
	};
	definitions.kind(resource.message, gv, resource.kind);
	if (target.list !== undefined) definitions.kind(target.list, gv, resource.listKind);
	for (const sub of resource.subresources) definitions.kind(sub.message, sub, sub.kind);
	const scope = resource.namespaced ? [pathParameter("namespace", "The namespace the objects are in.")] : [];
	const base = `${root}${resource.namespaced ? "/namespaces/{namespace}" : ""}/${resource.resource}`;
	paths[base] = { ...collection(operations, resource, target, name), parameters: [...scope, pretty] };
	if (resource.namespaced && target.list !== undefined) {
		const all = { prefix, subject: `${resource.kind}ForAllNamespaces` };
		const everywhere = collection(operations, { ...resource, verbs: ["list"] }, target, all);
		paths[`${root}/${resource.resource}`] = { ...everywhere, parameters: [pretty] };
	}
	if (resource.storagePrefix === "") return;
	const named = [pathParameter("name", `The name of the ${resource.kind}.`), ...scope, pretty];
	const verbs = resource.verbs.filter((verb) => verb !== "create");
	const item = one(operations, verbs, target, name);
	if (resource.verbs.includes("delete")) {
		item["delete"] = operations.make("delete", "delete", target, name, {
			parameters: deletion,
			requestBody: deleteBody(operations),
			responses: operations.responses(status, 200, 202),
		});
	}
	paths[`${base}/{name}`] = { ...item, parameters: named };
	for (const sub of resource.subresources) addSubresource(paths, operations, `${base}/{name}`, named, sub, name);
}
