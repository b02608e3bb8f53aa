/** Acting as another user: the `Impersonate-*` headers, and who may send them. */
import type { IncomingHttpHeaders } from "node:http";
import { ApiError } from "../machinery/errors.ts";
import { serviceAccountGroups, splitServiceAccountUsername } from "./serviceaccount.ts";
import { allAuthenticated, allUnauthenticated, anonymousName, type UserInfo } from "./types.ts";

export interface Impersonation {
	readonly username: string;
	readonly uid: string;
	readonly groups: readonly string[];
	readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** One permission to `impersonate` that the request needs. */
export interface ImpersonationCheck {
	readonly apiGroup: string;
	readonly resource: string;
	readonly subresource: string;
	readonly namespace: string;
	readonly name: string;
}

const extraPrefix = "impersonate-extra-";

/** Upstream's library keeps repeated headers apart; node joins them with a comma unless told otherwise. */
const values = (header: string | readonly string[] | undefined): string[] =>
	header === undefined ? [] : typeof header === "string" ? [header] : [...header];

function decodeKey(key: string): string {
	try {
		return decodeURIComponent(key);
	} catch {
		// Not percent-encoded: taken as it is.
		return key;
	}
}

/**
 * Reads the headers (names in lower case; repeated ones as lists, e.g. from `headersDistinct`). Undefined where there are
 * none; throws ApiError 500 as upstream where groups, a uid or extras come without a user.
 */
export function parseImpersonation(
	headers: IncomingHttpHeaders | Readonly<Record<string, string | readonly string[] | undefined>>,
): Impersonation | undefined {
	const all = headers as Readonly<Record<string, string | readonly string[] | undefined>>;
	const username = values(all["impersonate-user"])[0] ?? "";
	const groups = values(all["impersonate-group"]);
	const uid = values(all["impersonate-uid"])[0] ?? "";
	const extra: Record<string, string[]> = {};
	for (const name of Object.keys(all)) {
		if (!name.startsWith(extraPrefix)) continue;
		const key = decodeKey(name.slice(extraPrefix.length)).toLowerCase();
		Object.defineProperty(extra, key, { value: values(all[name]), enumerable: true, configurable: true });
	}
	const others = [
		...(groups.length > 0 ? ["groups"] : []),
		...(uid !== "" ? ["uid"] : []),
		...(Object.keys(extra).length > 0 ? ["extra"] : []),
	];
	if (username === "") {
		if (others.length === 0) return undefined;
		throw new ApiError(
			500,
			"InternalError",
			`Internal Server Error: requested ${others.join(", ")} without impersonating a user`,
		);
	}
	return { username, uid, groups, extra };
}

/** Everything the asker must be allowed to `impersonate`. */
export function impersonationChecks(asked: Impersonation): ImpersonationCheck[] {
	const check = (resource: string, name: string, rest: Partial<ImpersonationCheck> = {}): ImpersonationCheck => ({
		apiGroup: "",
		subresource: "",
		namespace: "",
		resource,
		name,
		...rest,
	});
	const account = splitServiceAccountUsername(asked.username);
	const authentication = "authentication.k8s.io";
	return [
		account === undefined
			? check("users", asked.username)
			: check("serviceaccounts", account.name, { namespace: account.namespace }),
		...asked.groups.map((group) => check("groups", group)),
		...Object.entries(asked.extra).flatMap(([key, items]) =>
			items.map((item) => check("userextras", item, { apiGroup: authentication, subresource: key })),
		),
		...(asked.uid === "" ? [] : [check("uids", asked.uid, { apiGroup: authentication })]),
	];
}

/** The user the request then counts as. */
export function impersonatedUser(asked: Impersonation): UserInfo {
	const account = splitServiceAccountUsername(asked.username);
	// A service account asked for by name alone comes with its own groups.
	const own =
		account !== undefined && asked.groups.length === 0 ? serviceAccountGroups(account.namespace) : asked.groups;
	const implied = asked.username === anonymousName ? allUnauthenticated : allAuthenticated;
	const complete = own.includes(allUnauthenticated) || own.includes(implied);
	return {
		username: asked.username,
		uid: asked.uid,
		groups: complete ? [...own] : [...own, implied],
		extra: asked.extra,
	};
}

/**
 * The user `requestor` acts as by these headers, or undefined where it acts as itself. `mayImpersonate` throws the 403 of
 * the first permission that is missing.
 */
export function impersonate(
	headers: Parameters<typeof parseImpersonation>[0],
	requestor: UserInfo,
	mayImpersonate: (requestor: UserInfo, check: ImpersonationCheck) => void,
): UserInfo | undefined {
	const asked = parseImpersonation(headers);
	if (asked === undefined) return undefined;
	for (const check of impersonationChecks(asked)) mayImpersonate(requestor, check);
	return impersonatedUser(asked);
}
