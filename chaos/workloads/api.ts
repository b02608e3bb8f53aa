/** What a workload needs of a Kubernetes cluster, and how its answers are taken. */
import { ConnectionError } from "../../apiserver/client/rest.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { TargetError } from "./target.ts";

/** Clients of one apiserver each, the nearest first. */
export interface ApiTarget {
	readonly apis: readonly ApiClient[];
	readonly namespace: string;
	/** Clocks of masters may be wrong, so times that they wrote prove nothing. */
	readonly wrongClocks?: boolean | undefined;
}

const deniedCodes: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429]);

/** The error as a tester sees it; anything that is neither an answer nor a lost connection is a bug and passes through. */
export function asTargetError(error: unknown): TargetError {
	if (error instanceof TargetError) return error;
	if (error instanceof ApiError) {
		return new TargetError(deniedCodes.has(error.code) ? "no" : "unknown", `${error.code} ${error.reason}`, error);
	}
	if (!(error instanceof ConnectionError)) throw error;
	return new TargetError(error.code === "ECONNREFUSED" ? "no" : "unknown", error.message, error);
}

/** Asks the nearest apiserver, and the next where it cannot be connected to. */
export async function askApi<T>(target: ApiTarget, request: (api: ApiClient) => Promise<T>): Promise<T> {
	let last: unknown;
	for (const api of target.apis) {
		try {
			return await request(api);
		} catch (error) {
			last = error;
			if (!(error instanceof ConnectionError && error.code === "ECONNREFUSED")) break;
		}
	}
	throw asTargetError(last);
}
