/** Lists of any length in pages, as client-go's pager reads them. */
import { ApiError } from "../machinery/errors.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { ListOptions, ResourceClient } from "./types.ts";

/** Client-go's. */
const pageSize = 500;

export const isExpired = (error: unknown): boolean =>
	error instanceof ApiError && (error.code === 410 || error.reason === "Expired" || error.reason === "Gone");

/**
 * Everything the options select, page by page; `keep` of the options says what is kept of each item as it comes. When
 * the continue token expires between pages, the whole list is read again in one request. A version other than "0" means
 * "not older than", unless the options say otherwise.
 */
export async function listInPages<T extends object>(
	client: ResourceClient<T>,
	namespace: string,
	options: ListOptions,
): Promise<{ readonly items: KubeObject<T>[]; readonly resourceVersion: string }> {
	const { resourceVersion = "" } = options;
	// Without a rule, a limit would turn "not older than" into "exactly".
	const ranged = resourceVersion === "" || resourceVersion === "0";
	const first: ListOptions = ranged ? options : { resourceVersionMatch: "NotOlderThan", ...options };
	const items: KubeObject<T>[] = [];
	let next: ListOptions = { ...first, limit: pageSize };
	for (;;) {
		try {
			const page = await client.list(namespace, next);
			for (const item of page.items) items.push(item);
			const token = page.metadata.continue ?? "";
			if (token === "") return { items, resourceVersion: page.metadata.resourceVersion ?? "" };
			next = {
				...options,
				limit: pageSize,
				continue: token,
				resourceVersion: undefined,
				resourceVersionMatch: undefined,
			};
		} catch (error) {
			if (!isExpired(error) || next.continue === undefined) throw error;
			items.length = 0;
			next = first;
		}
	}
}
