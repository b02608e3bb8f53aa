/** The store's failures as the API tells them. */

import { StoreError } from "../../store/api.ts";
import { ApiError } from "../machinery/errors.ts";

/** What a list at a compacted revision gets. */
export const compactedMessage = "The resourceVersion for the provided list is too old.";

function translate(error: StoreError): ApiError {
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
			return new ApiError(410, "Expired", compactedMessage);
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

/** The ApiError of a store's failure, which stays its cause; anything else passes through. */
export function apiErrorOf(error: unknown): unknown {
	if (!(error instanceof StoreError)) return error;
	const translated = translate(error);
	translated.cause = error;
	return translated;
}

/** Awaits a call to the store, giving its failures as ApiErrors. */
export async function stored<T>(call: Promise<T>): Promise<T> {
	try {
		return await call;
	} catch (error) {
		throw apiErrorOf(error);
	}
}
