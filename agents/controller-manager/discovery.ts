/** Which resources the server has, from its discovery documents. */
import { parseApiVersion } from "../../apiserver/client/resources.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import type { GroupVersionResource } from "../../apiserver/scheme/object.ts";
import type { APIGroupList, APIResourceList } from "../../apiserver/scheme/types.gen.ts";
import { errorText } from "./controller.ts";

export interface DiscoveredResource extends GroupVersionResource {
	readonly kind: string;
	readonly namespaced: boolean;
	readonly verbs: ReadonlySet<string>;
}

export interface Discovered {
	/** Each resource once, in its group's preferred version; without subresources. */
	readonly resources: readonly DiscoveredResource[];
	/** Each resource in every version it is served in. */
	readonly versions: readonly DiscoveredResource[];
	/** Group versions that could not be read, with why: what they serve is unknown, not absent. */
	readonly failures: ReadonlyMap<string, string>;
}

async function read<T>(client: ApiClient, path: string): Promise<T> {
	const { status, body } = await client.raw("GET", path);
	if (status !== 200) throw new Error(`GET ${path}: ${status}`);
	return JSON.parse(body.toString("utf8")) as T;
}

/** Reads every group version. Rejects when the list of groups itself cannot be read. */
export async function discover(client: ApiClient): Promise<Discovered> {
	const groups = (await read<APIGroupList>(client, "/apis")).groups ?? [];
	const wanted = [
		{ path: "/api/v1", groupVersion: "v1" },
		...groups
			.flatMap((group) => {
				const preferred = group.preferredVersion?.groupVersion;
				const all = (group.versions ?? []).map((version) => version.groupVersion ?? "");
				return [preferred ?? "", ...all.filter((version) => version !== preferred)];
			})
			.filter((groupVersion) => groupVersion !== "")
			.map((groupVersion) => ({ path: `/apis/${groupVersion}`, groupVersion })),
	];
	const failures = new Map<string, string>();
	const found = new Map<string, DiscoveredResource>();
	const versions: DiscoveredResource[] = [];
	for (const { path, groupVersion } of wanted) {
		try {
			const list = await read<APIResourceList>(client, path);
			for (const resource of resourcesOf(list, groupVersion)) {
				versions.push(resource);
				const id = `${resource.resource}.${resource.group}`;
				if (!found.has(id)) found.set(id, resource); // the preferred version comes first
			}
		} catch (error) {
			failures.set(groupVersion, errorText(error));
		}
	}
	return { resources: [...found.values()], versions, failures };
}

function resourcesOf(list: APIResourceList, groupVersion: string): DiscoveredResource[] {
	const { group, version } = parseApiVersion(groupVersion);
	return (list.resources ?? [])
		.filter(({ name = "" }) => name !== "" && !name.includes("/"))
		.map(({ name = "", kind = "", namespaced, verbs }) => ({
			group,
			version,
			resource: name,
			kind,
			namespaced: namespaced === true,
			verbs: new Set(verbs),
		}));
}

export const supports = (resource: DiscoveredResource, ...verbs: readonly string[]): boolean =>
	verbs.every((verb) => resource.verbs.has(verb));
