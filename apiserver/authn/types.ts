/** Who is asking: what every authenticator gives, and how they combine. */
import { createHash } from "node:crypto";

/** Groups and names upstream gives a meaning. */
export const allAuthenticated = "system:authenticated";
export const allUnauthenticated = "system:unauthenticated";
export const anonymousName = "system:anonymous";
export const systemMasters = "system:masters";
export const nodesGroup = "system:nodes";
export const nodeNamePrefix = "system:node:";
export const serviceAccountPrefix = "system:serviceaccount:";
export const allServiceAccounts = "system:serviceaccounts";
/** The extra that names the credential a user came with. */
export const credentialIdKey = "authentication.kubernetes.io/credential-id";

export interface UserInfo {
	readonly username: string;
	readonly uid: string;
	readonly groups: readonly string[];
	readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** What TLS says of the client's certificate (node's peer certificate has this shape). */
export interface ClientCertificate {
	readonly subject: {
		readonly CN?: string | readonly string[] | undefined;
		readonly O?: string | readonly string[] | undefined;
	};
	/** `AB:CD:…` over the DER bytes. */
	readonly fingerprint256?: string | undefined;
	/** TLS verified the chain against the client CA. */
	readonly verified: boolean;
}

export interface Credentials {
	readonly certificate?: ClientCertificate | undefined;
	/** From `Authorization: Bearer`. */
	readonly token?: string | undefined;
}

export interface Authenticated {
	readonly user: UserInfo;
	/** Of the token's audiences those that were asked for; undefined for credentials without audiences. */
	readonly audiences?: readonly string[] | undefined;
	/** To be sent as warning and logged: a token past its `warnafter`. */
	readonly warning?: string | undefined;
}

/** A credential that is present but wrong: the request fails with 401 whatever else might accept it. */
export class AuthenticationError extends Error {
	override readonly name = "AuthenticationError";
}

export interface Authenticator {
	/** Undefined where the credentials are none of its business; throws AuthenticationError where they are bad. */
	authenticate(credentials: Credentials): Promise<Authenticated | undefined>;
}

export interface TokenAuthenticator {
	/** `audiences`: those the token may be for, of which one must be among its own. */
	authenticateToken(token: string, audiences: readonly string[]): Promise<Authenticated | undefined>;
}

export const userInfo = (
	username: string,
	groups: readonly string[] = [],
	uid = "",
	extra: UserInfo["extra"] = {},
): UserInfo => ({ username, uid, groups, extra });

/** How secrets are looked up: never compared or kept as they are. */
export const digest = (secret: string): string => createHash("sha256").update(secret).digest("base64url");
