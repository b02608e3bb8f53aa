/** Users by service account token: a signed JWT, bound to objects that must still exist. */
import { compactVerify, decodeJwt, decodeProtectedHeader, errors } from "jose";
import type { Clock } from "../../kit/clock.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "../machinery/names.ts";
import type { Node, Pod, Secret, ServiceAccount } from "../scheme/types.gen.ts";
import { type KubernetesClaims, type ObjectRef, readClaims, type TokenClaims } from "./claims.ts";
import type { VerifyingKey } from "./keys.ts";
import {
	type Authenticated,
	AuthenticationError,
	allServiceAccounts,
	credentialIdKey,
	digest,
	serviceAccountPrefix,
	type TokenAuthenticator,
	userInfo,
} from "./types.ts";

type Found<T> = T | undefined | Promise<T | undefined>;

/** The objects tokens are bound to; undefined where they do not exist. */
export interface ServiceAccountLookups {
	serviceAccount(namespace: string, name: string): Found<ServiceAccount>;
	pod(namespace: string, name: string): Found<Pod>;
	secret(namespace: string, name: string): Found<Secret>;
	node(name: string): Found<Node>;
}

export interface ServiceAccountOptions {
	/** `--service-account-issuer`; the first also issues. Tokens of others are not ours to judge. */
	readonly issuers: readonly string[];
	/** Any of them may have signed. */
	readonly keys: readonly VerifyingKey[];
	readonly lookups: ServiceAccountLookups;
	readonly clock: Clock;
}

/** Clocks of issuer and verifier may differ by this; bound objects may be that long in deletion. */
const leewaySeconds = 60;
/** Tokens whose signature was found good are remembered, since verifying one takes long. */
const maxRemembered = 4096;
const maxTokenLength = 16 * 1024;

export const serviceAccountUsername = (namespace: string, name: string): string =>
	`${serviceAccountPrefix}${namespace}:${name}`;

export const serviceAccountGroups = (namespace: string): string[] => [
	allServiceAccounts,
	`${allServiceAccounts}:${namespace}`,
];

/** Namespace and name of a service account's user name, or undefined for another's. */
export function splitServiceAccountUsername(username: string): { namespace: string; name: string } | undefined {
	if (!username.startsWith(serviceAccountPrefix)) return undefined;
	const [namespace = "", name = "", ...rest] = username.slice(serviceAccountPrefix.length).split(":");
	const valid = dns1123LabelProblems(namespace).length === 0 && dns1123SubdomainProblems(name).length === 0;
	return rest.length === 0 && valid ? { namespace, name } : undefined;
}

const invalidated = () => new AuthenticationError("service account token has been invalidated");

export class ServiceAccountAuthenticator implements TokenAuthenticator {
	readonly #options: ServiceAccountOptions;
	/** Claims by the digest of a token with a good signature. */
	readonly #verified = new Map<string, TokenClaims>();

	constructor(options: ServiceAccountOptions) {
		this.#options = options;
	}

	async authenticateToken(token: string, audiences: readonly string[]): Promise<Authenticated | undefined> {
		if (!this.#isOurs(token)) return undefined;
		const claims = await this.#claims(token);
		const common = audiences.filter((a) => claims.aud.includes(a));
		if (common.length === 0) {
			throw new AuthenticationError(
				`token audiences ${goList(claims.aud)} is invalid for the target audiences ${goList(audiences)}`,
			);
		}
		const seconds = this.#options.clock.now() / 1000;
		checkTimes(claims, seconds);
		const own = claims["kubernetes.io"];
		await this.#checkServiceAccount(own, seconds);
		await this.#checkBinding(own, seconds);
		const warning = own.warnafter !== undefined && seconds > own.warnafter ? staleWarning(own, seconds) : undefined;
		return { user: userOf(claims), audiences: common, warning };
	}

	/** Reads the issuer without trusting it: tokens of others go to the other authenticators. */
	#isOurs(token: string): boolean {
		if (token.length > maxTokenLength || token.split(".").length !== 3) return false;
		try {
			const { iss } = decodeJwt(token);
			return iss !== undefined && this.#options.issuers.includes(iss);
		} catch (error) {
			if (error instanceof errors.JOSEError) return false;
			throw error;
		}
	}

	async #claims(token: string): Promise<TokenClaims> {
		const id = digest(token);
		const known = this.#verified.get(id);
		if (known !== undefined) return known;
		const payload = await this.#verify(token);
		const claims = readClaims(payload);
		if (claims === undefined) throw new AuthenticationError("the token's claims are not those of a service account");
		const { namespace, serviceaccount } = claims["kubernetes.io"];
		if (claims.sub !== serviceAccountUsername(namespace, serviceaccount.name)) {
			throw new AuthenticationError("the token's subject differs from its service account");
		}
		if (this.#verified.size >= maxRemembered) this.#verified.clear();
		this.#verified.set(id, claims);
		return claims;
	}

	async #verify(token: string): Promise<unknown> {
		let kid: string | undefined;
		try {
			kid = decodeProtectedHeader(token).kid;
		} catch {
			throw new AuthenticationError("the token's header cannot be read");
		}
		const named = this.#options.keys.filter((k) => k.id === kid);
		for (const key of kid === undefined || kid === "" ? this.#options.keys : named) {
			try {
				const { payload } = await compactVerify(token, key.publicKey, { algorithms: [key.algorithm] });
				return JSON.parse(Buffer.from(payload).toString("utf8"));
			} catch (error) {
				// Another key may have signed it.
				if (!(error instanceof errors.JOSEError) && !(error instanceof SyntaxError)) throw error;
			}
		}
		throw new AuthenticationError("invalid signature: no key verifies the service account token");
	}

	async #checkServiceAccount(own: KubernetesClaims, seconds: number): Promise<void> {
		const { namespace, serviceaccount } = own;
		const found = await this.#options.lookups.serviceAccount(namespace, serviceaccount.name);
		if (found === undefined) {
			throw new AuthenticationError(`serviceaccounts ${JSON.stringify(serviceaccount.name)} not found`);
		}
		if (isDeleted(found, seconds)) {
			throw new AuthenticationError(`service account ${namespace}/${serviceaccount.name} has been deleted`);
		}
		if ((found.metadata?.uid ?? "") !== serviceaccount.uid) {
			throw new AuthenticationError(
				`service account UID (${found.metadata?.uid}) does not match claim (${serviceaccount.uid})`,
			);
		}
	}

	async #checkBinding(own: KubernetesClaims, seconds: number): Promise<void> {
		const { lookups } = this.#options;
		if (own.secret !== undefined) {
			checkObject(await lookups.secret(own.namespace, own.secret.name), own.secret, seconds);
		}
		if (own.pod !== undefined) {
			checkObject(await lookups.pod(own.namespace, own.pod.name), own.pod, seconds);
		} else if (own.node !== undefined) {
			const found = await lookups.node(own.node.name);
			if (found === undefined || (found.metadata?.uid ?? "") !== (own.node.uid ?? "")) throw invalidated();
		}
	}
}

interface Stored {
	readonly metadata?:
		| { readonly uid?: string | undefined; readonly deletionTimestamp?: string | undefined }
		| undefined;
}

const isDeleted = (object: Stored, seconds: number): boolean => {
	const deletion = object.metadata?.deletionTimestamp;
	return deletion !== undefined && Date.parse(deletion) / 1000 < seconds - leewaySeconds;
};

function checkObject(found: Stored | undefined, ref: ObjectRef, seconds: number): void {
	if (found === undefined || isDeleted(found, seconds) || (found.metadata?.uid ?? "") !== ref.uid) throw invalidated();
}

function checkTimes(claims: TokenClaims, seconds: number): void {
	if (seconds > claims.exp + leewaySeconds) throw new AuthenticationError("service account token has expired");
	if (seconds < claims.nbf - leewaySeconds || seconds < claims.iat - leewaySeconds) {
		throw new AuthenticationError("service account token is not valid yet");
	}
}

const goList = (values: readonly string[]) => `[${values.map((v) => JSON.stringify(v)).join(" ")}]`;

const staleWarning = (own: KubernetesClaims, seconds: number) =>
	`subject ${serviceAccountUsername(own.namespace, own.serviceaccount.name)}: seconds after warning threshold: ${Math.floor(seconds - (own.warnafter ?? 0))}`;

function userOf(claims: TokenClaims) {
	const { namespace, serviceaccount, pod, node } = claims["kubernetes.io"];
	const extra: Record<string, string[]> = {};
	const put = (key: string, value: string | undefined) => {
		if (value !== undefined && value !== "") extra[`authentication.kubernetes.io/${key}`] = [value];
	};
	put("pod-name", pod?.name);
	put("pod-uid", pod?.uid);
	put("node-name", node?.name);
	put("node-uid", node?.uid);
	if (claims.jti !== undefined) extra[credentialIdKey] = [`JTI=${claims.jti}`];
	return userInfo(
		serviceAccountUsername(namespace, serviceaccount.name),
		serviceAccountGroups(namespace),
		serviceaccount.uid,
		extra,
	);
}
