/** How the authenticators of a server work together. */
import {
	type Authenticated,
	AuthenticationError,
	type Authenticator,
	allAuthenticated,
	allUnauthenticated,
	anonymousName,
	type Credentials,
	type TokenAuthenticator,
	userInfo,
} from "./types.ts";

/** The token of an `Authorization` header, or undefined where it holds none. */
export function bearerToken(header: string | undefined): string | undefined {
	const match = /^\s*bearer (\S+)/i.exec(header ?? "");
	return match?.[1];
}

const protocolPrefix = "base64url.bearer.authorization.k8s.io.";

/** The token a browser hides among its WebSocket protocols, and the protocols without it. Throws AuthenticationError for a malformed one. */
export function tokenFromProtocols(protocols: readonly string[]): { token: string | undefined; rest: string[] } {
	const rest = protocols.filter((p) => !p.startsWith(protocolPrefix));
	const encoded = protocols.filter((p) => p.startsWith(protocolPrefix)).map((p) => p.slice(protocolPrefix.length));
	if (encoded.length === 0) return { token: undefined, rest };
	const [text = ""] = encoded;
	if (encoded.length > 1) throw new AuthenticationError("multiple base64.bearer.authorization tokens specified");
	if (!/^[A-Za-z0-9_-]+$/.test(text))
		throw new AuthenticationError("invalid base64.bearer.authorization token encoding");
	if (rest.length === 0) throw new AuthenticationError("missing additional subprotocol");
	return { token: Buffer.from(text, "base64url").toString("utf8"), rest };
}

/** Tries each; the first that knows the token wins, and if none does but one found it bad, that error. */
export function unionTokenAuthenticator(authenticators: readonly TokenAuthenticator[]): TokenAuthenticator {
	return {
		async authenticateToken(token, audiences) {
			const problems: string[] = [];
			for (const authenticator of authenticators) {
				try {
					const found = await authenticator.authenticateToken(token, audiences);
					if (found !== undefined) return found;
				} catch (error) {
					if (!(error instanceof AuthenticationError)) throw error;
					problems.push(error.message);
				}
			}
			if (problems.length === 0) return undefined;
			throw new AuthenticationError(problems.length === 1 ? `${problems[0]}` : `[${problems.join(", ")}]`);
		},
	};
}

/** A token that is there must be good. */
export const bearerAuthenticator = (tokens: TokenAuthenticator, audiences: readonly string[]): Authenticator => ({
	async authenticate({ token }) {
		if (token === undefined) return undefined;
		const found = await tokens.authenticateToken(token, audiences);
		if (found === undefined) throw new AuthenticationError("invalid bearer token");
		return found;
	},
});

function withAuthenticatedGroup(found: Authenticated): Authenticated {
	const { user } = found;
	const known = user.groups.includes(allAuthenticated) || user.groups.includes(allUnauthenticated);
	if (known || user.username === anonymousName) return found;
	return { ...found, user: { ...user, groups: [...user.groups, allAuthenticated] } };
}

export const anonymous: Authenticated = { user: userInfo(anonymousName, [allUnauthenticated]) };

export interface RequestAuthenticatorOptions {
	/** Tried in order; the first that accepts decides. */
	readonly authenticators: readonly Authenticator[];
	/** `--anonymous-auth`: requests without any credentials are the anonymous user's. */
	readonly anonymous: boolean;
}

/**
 * The authenticator of a server. Rejects with AuthenticationError where a credential is bad and no other is accepted, and
 * where there is none and anonymous requests are not allowed: both are 401 for the client, the message is for the log.
 */
export function requestAuthenticator(options: RequestAuthenticatorOptions): {
	authenticate(credentials: Credentials): Promise<Authenticated>;
} {
	return {
		async authenticate(credentials) {
			const problems: string[] = [];
			for (const authenticator of options.authenticators) {
				try {
					const found = await authenticator.authenticate(credentials);
					if (found !== undefined) return withAuthenticatedGroup(found);
				} catch (error) {
					if (!(error instanceof AuthenticationError)) throw error;
					problems.push(error.message);
				}
			}
			if (problems.length > 0) throw new AuthenticationError(problems.join(", "));
			if (options.anonymous) return anonymous;
			throw new AuthenticationError("no credentials were given, and anonymous requests are not allowed");
		},
	};
}
