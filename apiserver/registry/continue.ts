/** Continue tokens: where the next page of a list starts, and at which revision (upstream's form, v "meta.k8s.io/v1"). */
import { ApiError, badRequest } from "../machinery/errors.ts";

export interface Continuation {
	/** -1: the current revision (an inconsistent continuation). */
	readonly revision: number;
	/** Path of the first object of the page, below the resource's prefix and the list's namespace. */
	readonly start: string;
}

const version = "meta.k8s.io/v1";

export const encodeContinue = (revision: number, start: string): string =>
	Buffer.from(JSON.stringify({ v: version, rv: revision, start })).toString("base64url");

const invalidToken = (why: string) => badRequest(`continue key is not valid: ${why}`);

/** Throws ApiError 400. */
export function decodeContinue(token: string): Continuation {
	if (!/^[A-Za-z0-9_-]+$/.test(token)) throw invalidToken("illegal base64 data");
	let value: { v?: unknown; rv?: unknown; start?: unknown };
	try {
		value = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
	} catch (error) {
		throw invalidToken((error as Error).message);
	}
	if (value === null || typeof value !== "object" || value.v !== version) {
		throw invalidToken(`server does not recognize this encoded version ${JSON.stringify(value?.v ?? "")}`);
	}
	const { rv, start } = value;
	if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0 || rv < -1) {
		throw invalidToken("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
	}
	if (typeof start !== "string" || start === "") throw invalidToken("encoded start key empty (version meta.k8s.io/v1)");
	if (start.startsWith("/") || `/${start}/`.includes("/../")) throw invalidToken(start);
	return { revision: rv, start };
}

/** 410 that tells how to go on without consistency. */
export class ExpiredContinue extends ApiError {
	readonly #token: string;

	constructor(start: string) {
		super(
			410,
			"Expired",
			"The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
		);
		this.#token = encodeContinue(-1, start);
	}

	override toStatus() {
		return { ...super.toStatus(), metadata: { continue: this.#token } };
	}
}
