/** The store's failures as the API tells them. */

import { StoreError } from "../../store/api.ts";
import { ApiError, expired } from "../machinery/errors.ts";

/** What a continued list gets when its revision is compacted. */
export const compactedMessage =
	"The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";

/** The ApiError of a store's failure; anything else passes through. */
export function apiErrorOf(error: unknown): unknown {
	if (!(error instanceof StoreError)) return error;
	switch (error.code) {
		case "unavailable":
		case "closed":
			return new ApiError(503, "ServiceUnavailable", `etcdserver: ${error.message}`, { retryAfterSeconds: 1 });
		case "timeout":
		case "outcome_unknown":
		case "session_expired":
			return new ApiError(
				504,
				"Timeout",
				`Timeout: request did not complete within requested timeout - ${error.message}`,
			);
		case "compacted":
			return expired(compactedMessage);
		case "too_many_requests":
			return new ApiError(429, "TooManyRequests", error.message, { retryAfterSeconds: 1 });
		case "request_too_large":
			return new ApiError(413, "RequestEntityTooLarge", `etcdserver: ${error.message}`);
		default:
			return new ApiError(500, "InternalError", `Internal error occurred: ${error.message}`, {
				causes: [{ message: error.message }],
			});
	}
}

/** Awaits a call to the store, giving its failures as ApiErrors. */
export async function stored<T>(call: Promise<T>): Promise<T> {
	try {
		return await call;
	} catch (error) {
		throw apiErrorOf(error);
	}
}
