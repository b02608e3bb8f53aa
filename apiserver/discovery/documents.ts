/** Discovery documents, built from the table of resources: the legacy ones and the aggregated ones. */
import { createHash } from "node:crypto";
import {
	allResources,
	apiVersionOf,
	type GroupVersion,
	groupVersions,
	type ResourceInfo,
	type SubresourceInfo,
} from "../scheme/resources.ts";

const resourcesOf = (gv: GroupVersion): readonly ResourceInfo[] =>
	allResources
		.filter((r) => r.group === gv.group && r.version === gv.version)
		.toSorted((a, b) => (a.resource < b.resource ? -1 : 1));

/** Tells clients that migrate stored objects which form they are stored in. */
function storageVersionHash(resource: ResourceInfo): string {
	const stored = resource.message === resource.storageMessage ? apiVersionOf(resource) : "v1";
	return createHash("sha256").update(`${stored}/${resource.kind}`).digest().subarray(0, 8).toString("base64");
}

function resourceEntry(resource: ResourceInfo): object {
	return {
		name: resource.resource,
		singularName: resource.singular,
		namespaced: resource.namespaced,
		kind: resource.kind,
		verbs: resource.verbs,
		...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
		...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
		...(resource.storagePrefix === "" ? {} : { storageVersionHash: storageVersionHash(resource) }),
	};
}

const isForeign = (resource: ResourceInfo, sub: SubresourceInfo) =>
	sub.group !== resource.group || sub.version !== resource.version;

function subresourceEntry(resource: ResourceInfo, sub: SubresourceInfo): object {
	return {
		name: `${resource.resource}/${sub.name}`,
		singularName: "",
		namespaced: resource.namespaced,
		...(isForeign(resource, sub) ? { group: sub.group, version: sub.version } : {}),
		kind: sub.kind,
		verbs: sub.verbs,
	};
}

/** `/api/v1`, `/apis/apps/v1`. */
export const resourceList = (gv: GroupVersion): object => ({
	kind: "APIResourceList",
	...(gv.group === "" ? {} : { apiVersion: "v1" }),
	groupVersion: apiVersionOf(gv),
	resources: resourcesOf(gv).flatMap((resource) => [
		resourceEntry(resource),
		...resource.subresources.map((sub) => subresourceEntry(resource, sub)),
	]),
});

/** The named groups, each with its versions, preferred first. */
export function groups(): { name: string; versions: GroupVersion[] }[] {
	const byName = new Map<string, GroupVersion[]>();
	for (const gv of groupVersions()) {
		if (gv.group !== "") byName.set(gv.group, [...(byName.get(gv.group) ?? []), gv]);
	}
	return [...byName].map(([name, versions]) => ({ name, versions }));
}

function groupEntry(group: { name: string; versions: GroupVersion[] }): object {
	const versions = group.versions.map((gv) => ({ groupVersion: apiVersionOf(gv), version: gv.version }));
	return { name: group.name, versions, preferredVersion: versions[0] };
}

/** `/apis`. */
export const groupList = (): object => ({ kind: "APIGroupList", apiVersion: "v1", groups: groups().map(groupEntry) });

/** `/apis/apps`, or undefined for a group that is not served. */
export function group(name: string): object | undefined {
	const found = groups().find((g) => g.name === name);
	return found === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...groupEntry(found) };
}

/** `/api`. */
export const coreVersions = (serverAddress: string): object => ({
	kind: "APIVersions",
	versions: groupVersions()
		.filter((gv) => gv.group === "")
		.map((gv) => gv.version),
	serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }],
});

const kindOf = (of: GroupVersion & { readonly kind: string }) => ({
	group: of.group,
	version: of.version,
	kind: of.kind,
});

function aggregatedResource(resource: ResourceInfo): object {
	const subresources = resource.subresources.map((sub) => ({
		subresource: sub.name,
		responseKind: kindOf(sub),
		verbs: sub.verbs,
	}));
	return {
		resource: resource.resource,
		responseKind: kindOf(resource),
		scope: resource.namespaced ? "Namespaced" : "Cluster",
		singularResource: resource.singular,
		verbs: resource.verbs,
		...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
		...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
		...(subresources.length === 0 ? {} : { subresources }),
	};
}

/** `/api` or `/apis` with everything below in one document; `version` is `v2` or `v2beta1`. */
export function aggregated(core: boolean, version: string): object {
	const shown = core ? [{ name: "", versions: groupVersions().filter((gv) => gv.group === "") }] : groups();
	return {
		kind: "APIGroupDiscoveryList",
		apiVersion: `apidiscovery.k8s.io/${version}`,
		metadata: {},
		items: shown.map(({ name, versions }) => ({
			metadata: { ...(name === "" ? {} : { name }), creationTimestamp: null },
			versions: versions.map((gv) => ({
				version: gv.version,
				resources: resourcesOf(gv).map(aggregatedResource),
				freshness: "Current",
			})),
		})),
	};
}
