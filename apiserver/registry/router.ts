/** Where an admitted request goes: a resource, a fixed path, or nowhere. */

import type { AdmittedRequest, PathHandler } from "../http/chain.ts";
import { noSuchMethod, noSuchResource, sendBytes, textType } from "../http/render.ts";
import { badRequest } from "../machinery/errors.ts";
import { findResource, groupVersions } from "../scheme/resources.ts";
import type { Services } from "./context.ts";
import { dispatch } from "./dispatch.ts";
import { servicesFor } from "./fence.ts";

const isServed = (group: string) => groupVersions().some((gv) => gv.group === group);

/** Another version of a group that is served: its absence is told as a Status, as that of its resources. */
function isBelowServedGroup(path: string): boolean {
	const [, top, group, version] = path.split("/", 4);
	return top === "api" ? group !== undefined : top === "apis" && version !== undefined && isServed(group ?? "");
}

function notFoundPage({ response }: AdmittedRequest): void {
	sendBytes(response, 404, textType, "404 page not found\n", { "x-content-type-options": "nosniff" });
}

/** Nothing can have such a name, and no key in the store may be made of it (upstream's IsValidPathSegmentName). */
function requireSegment(what: string, segment: string): void {
	const problems =
		segment === "." || segment === ".."
			? [`may not be '${segment}'`]
			: ["/", "%"].filter((c) => segment.includes(c)).map((c) => `may not contain '${c}'`);
	if (problems.length === 0) return;
	throw badRequest(`${what} parameter invalid: ${JSON.stringify(segment)}: ${problems.join(";")}`);
}

async function serveResource(services: Services, admitted: AdmittedRequest): Promise<void> {
	const { info, request } = admitted;
	if (!isServed(info.group)) return notFoundPage(admitted);
	const resource = findResource(info.group, info.version, info.resource);
	const inNamespace = info.namespace !== "" && info.resource !== "namespaces";
	if (resource === undefined || (inNamespace && !resource.namespaced)) throw noSuchResource();
	const subresource =
		info.subresource === "" ? undefined : resource.subresources.find((s) => s.name === info.subresource);
	if (info.subresource !== "" && subresource === undefined) throw noSuchResource();
	requireSegment("Namespace", info.namespace);
	requireSegment("Name", info.pathName);
	if (info.rest.length > 0) throw noSuchResource();
	if (info.verb === "") throw noSuchMethod();
	// Only reads over all namespaces may leave the namespace out.
	const collectionRead = ["list", "watch"].includes(info.verb) && info.pathName === "";
	if (resource.namespaced && info.namespace === "" && !collectionRead) {
		throw info.pathName === "" ? noSuchMethod() : noSuchResource();
	}
	await dispatch(
		{
			services: servicesFor(services, request, admitted.user),
			request,
			response: admitted.response,
			resource,
			subresource,
			namespace: resource.namespaced ? info.namespace : "",
			name: info.pathName,
			user: admitted.user,
			warnings: admitted.warnings,
			signal: admitted.signal,
		},
		info.verb,
	);
}

export function router(services: Services, paths: readonly PathHandler[]) {
	return async (admitted: AdmittedRequest): Promise<void> => {
		if (admitted.info.isResource) return serveResource(services, admitted);
		for (const serve of paths) if (await serve(admitted)) return;
		if (isBelowServedGroup(admitted.info.path)) throw noSuchResource();
		notFoundPage(admitted);
	};
}
