/** What a request is about, read from its method and path as upstream's RequestInfoFactory does. */

import { trimOf } from "../../kit/trim.ts";
import { parseFieldSelector } from "../machinery/fieldselectors.ts";
import { pathSegmentProblems } from "../machinery/names.ts";
import { boolParameter } from "./parameters.ts";

export interface RequestInfo {
	readonly isResource: boolean;
	/** get, list, watch, create, update, patch, delete, deletecollection; for other paths the method in lower case. */
	readonly verb: string;
	readonly path: string;
	readonly group: string;
	readonly version: string;
	readonly namespace: string;
	readonly resource: string;
	readonly subresource: string;
	/** Of a list or watch that its field selector narrows to one object: that object's. */
	readonly name: string;
	/** The verb stands in the path (`/watch/…`): no selector narrows what is authorized then. */
	readonly verbInPath: boolean;
	/** From the path alone. */
	readonly pathName: string;
	/** Segments after the subresource's name (`/proxy/some/path`). */
	readonly rest: readonly string[];
}

const verbs: Readonly<Record<string, string>> = {
	POST: "create",
	GET: "get",
	HEAD: "get",
	PUT: "update",
	PATCH: "patch",
	DELETE: "delete",
};

const namespaceSubresources: ReadonlySet<string> = new Set(["status", "finalize"]);

function decode(segment: string): string {
	try {
		return decodeURIComponent(segment);
	} catch {
		// A stray percent sign: the name cannot exist, and is told back as it came.
		return segment;
	}
}

export function readRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
	const parts = trimOf(path, "/").split("/").map(decode);
	const other = (): RequestInfo => ({
		isResource: false,
		verb: method.toLowerCase(),
		path,
		group: "",
		version: "",
		namespace: "",
		resource: "",
		subresource: "",
		name: "",
		verbInPath: false,
		pathName: "",
		rest: [],
	});
	const core = parts[0] === "api";
	if (!core && parts[0] !== "apis") return other();
	const head = core ? 2 : 3;
	if (parts.length <= head) return other();
	const group = core ? "" : (parts[1] ?? "");
	const version = parts[head - 1] ?? "";
	let rest = parts.slice(head);
	let verb = verbs[method] ?? "";
	const verbInPath = rest[0] === "watch" && rest.length > 1;
	if (verbInPath) {
		verb = "watch";
		rest = rest.slice(1);
	}
	let namespace = "";
	if (rest[0] === "namespaces" && rest.length > 1) {
		namespace = rest[1] ?? "";
		if (rest.length > 2 && !namespaceSubresources.has(rest[2] ?? "")) rest = rest.slice(2);
	}
	const [resource = "", name = "", subresource = "", ...tail] = rest;
	const info = {
		isResource: true,
		path,
		group,
		version,
		namespace,
		resource,
		subresource,
		verbInPath,
		pathName: name,
		rest: tail,
	};
	return { ...info, ...refineVerb(verb, name, query) };
}

function refineVerb(verb: string, name: string, query: URLSearchParams): { verb: string; name: string } {
	if (name !== "") return { verb, name };
	if (verb === "delete") return { verb: "deletecollection", name };
	// The old paths of watches are not narrowed by a selector: upstream has some that take none.
	if (verb !== "get") return { verb, name };
	return { verb: boolParameter(query, "watch") === true ? "watch" : "list", name: selectedName(query) };
}

/** The one object a list or watch asks for, by whose name it is authorized; "" where it asks for more, or cannot be read. */
function selectedName(query: URLSearchParams): string {
	const text = query.get("fieldSelector") ?? "";
	if (!text.includes("metadata.name")) return "";
	if (["limit", "timeoutSeconds"].some((key) => !/^([-+]?\d+)?$/.test(query.get(key) ?? ""))) return "";
	try {
		// Read as the verb will read it: what a pattern finds in the text may be part of another term's value.
		const name = parseFieldSelector(text).exactValue("metadata.name") ?? "";
		return pathSegmentProblems(name).length === 0 ? name : "";
	} catch {
		// The verb will refuse it with its own words.
		return "";
	}
}

/** Requests that may last: watches, and streams to and from a container. */
export const isLongRunning = (info: RequestInfo): boolean =>
	info.isResource &&
	(info.verb === "watch" || ["log", "proxy", "exec", "attach", "portforward"].includes(info.subresource));
