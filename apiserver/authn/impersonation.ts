/** Acting as another user: what the `Impersonate-*` headers ask for. Who may is decided in authz/impersonation.ts. */
import type { IncomingHttpHeaders } from "node:http";
import { badRequest } from "../machinery/errors.ts";
import { serviceAccountGroups, splitServiceAccountUsername } from "./serviceaccount.ts";
import { allAuthenticated, allUnauthenticated, anonymousName, type UserInfo } from "./types.ts";

export interface Impersonation {
	readonly username: string;
	readonly uid: string;
	readonly groups: readonly string[];
	readonly extra: Readonly<Record<string, readonly string[]>>;
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

/** The wanted user in the notation of upstream's message, which is Go's. */
function goUser(asked: Impersonation): string {
	const quote = (text: string) => JSON.stringify(text);
	const list = (items: readonly string[]) =>
		items.length === 0 ? "[]string(nil)" : `[]string{${items.map(quote).join(", ")}}`;
	const extra = Object.entries(asked.extra).sort(([a], [b]) => (a < b ? -1 : 1));
	const map =
		extra.length === 0
			? "map[string][]string(nil)"
			: `map[string][]string{${extra.map(([key, items]) => `${quote(key)}:${list(items)}`).join(", ")}}`;
	return `&user.DefaultInfo{Name:${quote(asked.username)}, UID:${quote(asked.uid)}, Groups:${list(asked.groups)}, Extra:${map}}`;
}

/**
 * Reads the headers (names in lower case; repeated ones as lists, e.g. from `headersDistinct`). Undefined where there are
 * none; throws ApiError 400 where groups, a uid or extras come without a user.
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
		const key = decodeKey(name.slice(extraPrefix.length));
		const before = Object.hasOwn(extra, key) ? (extra[key] ?? []) : [];
		const value = [...before, ...values(all[name])];
		Object.defineProperty(extra, key, { value, enumerable: true, configurable: true });
	}
	const asked = { username, uid, groups, extra };
	if (username !== "") return asked;
	if (groups.length === 0 && uid === "" && Object.keys(extra).length === 0) return undefined;
	throw badRequest(`requested ${goUser(asked)} without impersonating a user name`);
}

/** The user a request then counts as. `fixedGroups`: those the name alone brings; none of its own may be asked for then. */
export function impersonatedUser(asked: Impersonation, fixedGroups?: readonly string[]): UserInfo {
	const account = splitServiceAccountUsername(asked.username);
	// A service account asked for by name alone comes with its own groups.
	const own =
		fixedGroups ??
		(account !== undefined && asked.groups.length === 0 ? serviceAccountGroups(account.namespace) : asked.groups);
	const implied = asked.username === anonymousName ? allUnauthenticated : allAuthenticated;
	const complete = own.includes(allUnauthenticated) || own.includes(implied);
	return {
		username: asked.username,
		uid: asked.uid,
		groups: complete ? [...own] : [...own, implied],
		extra: asked.extra,
	};
}
