/** Objects the server sees to at start. Several replicas do so at once; whoever loses a race finds the object there. */

import { systemMasters, userInfo } from "../../authn/types.ts";
import { ApiError } from "../../machinery/errors.ts";
import { deepClone } from "../../machinery/meta.ts";
import type { KubeObject } from "../../scheme/object.ts";
import { findResource, parseApiVersion, type ResourceInfo } from "../../scheme/resources.ts";
import type { Services } from "../context.ts";
import { create } from "../create.ts";
import { remove } from "../delete.ts";
import { readCached, readConsistent } from "../read.ts";
import { update } from "../update.ts";
import { decodeView } from "../views.ts";

/** The name under which the server writes what is its own. */
export const apiserverUser = userInfo("system:apiserver", [systemMasters]);

const has = (error: unknown, reason: string) => error instanceof ApiError && error.reason === reason;

export function resourceNamed(apiVersion: string, resource: string): ResourceInfo {
	const gv = parseApiVersion(apiVersion);
	const found = gv === undefined ? undefined : findResource(gv.group, gv.version, resource);
	if (found === undefined) throw new Error(`no resource ${resource} in ${apiVersion}`);
	return found;
}

export async function find(
	services: Services,
	resource: ResourceInfo,
	namespace: string,
	name: string,
): Promise<KubeObject | undefined> {
	const entry = await readConsistent(services, resource, namespace, name);
	return entry === undefined ? undefined : decodeView(resource, entry.bytes, entry.revision);
}

const common = () => ({ user: apiserverUser, dryRun: false, warnings: [] });

/** As the cache has it now, which may lag: good enough to decide whether a write is worth trying. */
function findCached(services: Services, resource: ResourceInfo, object: KubeObject): KubeObject | undefined {
	const { namespace = "", name = "" } = object.metadata;
	const entry = readCached(services, resource, namespace, name);
	return entry === undefined ? undefined : decodeView(resource, entry.bytes, entry.revision);
}

/** Creates it unless it is there; true: it is new. */
export async function ensure(services: Services, resource: ResourceInfo, object: KubeObject): Promise<boolean> {
	if (findCached(services, resource, object) !== undefined) return false;
	const { namespace = "" } = object.metadata;
	try {
		await create(services, { ...common(), resource, namespace, name: "", object: deepClone(object) });
		return true;
	} catch (error) {
		if (!has(error, "AlreadyExists")) throw error;
		return false;
	}
}

/** Creates it, or brings what is there to what `merge` makes of it (undefined: it is right; "replace": delete and create). */
export async function reconcile(
	services: Services,
	resource: ResourceInfo,
	desired: KubeObject,
	merge: (existing: KubeObject, desired: KubeObject) => KubeObject | "replace" | undefined,
): Promise<void> {
	const { namespace = "", name = "" } = desired.metadata;
	if (await ensure(services, resource, desired)) return;
	const existing = findCached(services, resource, desired) ?? (await find(services, resource, namespace, name));
	if (existing === undefined) throw new Error(`${resource.resource} ${name} came and went`);
	const merged = merge(existing, desired);
	if (merged === undefined) return;
	if (merged === "replace") {
		try {
			await remove(services, {
				...common(),
				resource,
				namespace,
				name,
				options: { preconditions: { uid: existing.metadata.uid } },
			});
		} catch (error) {
			if (!has(error, "NotFound") && !has(error, "Conflict")) throw error;
		}
		await ensure(services, resource, desired);
		return;
	}
	try {
		await update(services, {
			...common(),
			resource,
			subresource: "",
			namespace,
			name,
			conditional: false,
			wanted(current) {
				const again = merge(current, desired);
				return again === undefined || again === "replace" ? current : again;
			},
		});
	} catch (error) {
		if (!has(error, "NotFound")) throw error;
		await ensure(services, resource, desired);
	}
}
