/** GET of one object. */
import { notFound } from "../machinery/errors.ts";
import type { Scope } from "./context.ts";
import { objectPath } from "./keys.ts";
import { readRevision } from "./query.ts";
import { cacheOf, waitConsistent, waitNotOlder } from "./read.ts";
import { sendStored } from "./respond.ts";

export async function getObject(scope: Scope): Promise<void> {
	const { services, resource, namespace, name, request } = scope;
	const wanted = request.query.get("resourceVersion") ?? "";
	const revision = readRevision(wanted);
	if (wanted === "") await waitConsistent(services);
	else await waitNotOlder(services, revision);
	const entry = cacheOf(services, resource).get(objectPath(resource, namespace, name));
	if (entry === undefined) throw notFound(resource, name);
	sendStored(scope, 200, entry.bytes, entry.revision);
}
