/** How fresh a read must be, and waiting until the cache is. */
import type { Entry } from "../cache/entry.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import { ApiError } from "../machinery/errors.ts";
import type { ResourceInfo } from "../scheme/resources.ts";
import { stored } from "../storage/errors.ts";
import type { Services } from "./context.ts";
import { objectPath } from "./keys.ts";
import { tooLargeResourceVersion } from "./query.ts";

export const cacheOf = (services: Services, resource: ResourceInfo): ResourceCache =>
	services.cacher.resource(resource.storagePrefix);

/** Before the first fill there is nothing to answer from; the client is told to come again. */
function requireFilled(services: Services): void {
	if (services.cacher.ready || services.cacher.revision > 0) return;
	throw new ApiError(429, "TooManyRequests", "storage is (re)initializing", { retryAfterSeconds: 1 });
}

/** Waits until the cache has every write acknowledged before this call. Throws ApiError. */
export async function waitConsistent(services: Services): Promise<void> {
	requireFilled(services);
	if (await stored(services.cacher.waitConsistent())) return;
	throw new ApiError(504, "Timeout", "Timeout: the watch cache did not reach the store's current revision in time", {
		retryAfterSeconds: 1,
	});
}

/** Waits until the cache is not older than `revision` (0: any state will do). Throws ApiError. */
export async function waitNotOlder(services: Services, revision: number): Promise<void> {
	requireFilled(services);
	if (revision === 0 || (await services.cacher.waitFor(revision))) return;
	throw tooLargeResourceVersion(revision, services.cacher.revision);
}

/** The object with every write acknowledged before this call in it. */
export async function readConsistent(
	services: Services,
	resource: ResourceInfo,
	namespace: string,
	name: string,
): Promise<Entry | undefined> {
	await waitConsistent(services);
	return cacheOf(services, resource).get(objectPath(resource, namespace, name));
}

/** The object as the cache has it now: a guess to start from, which a compare-and-swap checks. */
export const readCached = (
	services: Services,
	resource: ResourceInfo,
	namespace: string,
	name: string,
): Entry | undefined => cacheOf(services, resource).get(objectPath(resource, namespace, name));
