/** Continue tokens: where the next page of a list starts, and at which revision (upstream's form, v "meta.k8s.io/v1"). */
import { ApiError, badRequest } from "../machinery/errors.ts";

export interface Continuation {
	/** -1: the current revision (an inconsistent continuation). */
	readonly revision: number;
	/** Where the page starts, as a path below the resource's prefix and the list's namespace. */
	readonly start: string;
}

const version = "meta.k8s.io/v1";

export const encodeContinue = (revision: number, start: string): string =>
	Buffer.from(JSON.stringify({ v: version, rv: revision, start: `/${start}` })).toString("base64url");

/** The first path after another: a page starts there and not at the next object, before which others may come to be. */
export const pathAfter = (path: string): string => `${path}\0`;

const invalidToken = (why: string) => badRequest(`invalid continue token: continue key is not valid: ${why}`);

function parseToken(token: string): { v?: unknown; rv?: unknown; start?: unknown } {
	const bad = token.search(/[^A-Za-z0-9_-]/);
	if (bad >= 0 || token.length % 4 === 1) {
		throw invalidToken(`illegal base64 data at input byte ${bad >= 0 ? bad : token.length - 1}`);
	}
	try {
		return JSON.parse(Buffer.from(token, "base64url").toString("utf8")) ?? {};
	} catch (error) {
		throw invalidToken((error as Error).message);
	}
}

/** Throws ApiError 400. */
export function decodeContinue(token: string): Continuation {
	const { v, rv, start } = parseToken(token);
	if (v !== version) throw invalidToken(`server does not recognize this encoded version ${v ?? ""}`);
	if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0 || rv < -1) {
		throw invalidToken(`incorrect encoded start resourceVersion (version ${version})`);
	}
	if (typeof start !== "string" || start === "") throw invalidToken(`encoded start key empty (version ${version})`);
	const path = start.startsWith("/") ? start : `/${start}`;
	// No page starts outside the list's own keys.
	if (path.split("/").some((part, i) => i > 0 && (part === "" || part === "." || part === ".."))) {
		throw invalidToken(start);
	}
	return { revision: rv, start: path.slice(1) };
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
