/** Makes service account tokens: the `token` subresource (TokenRequest). */
import { SignJWT } from "jose";
import type { Clock } from "../../kit/clock.ts";
import type { Random } from "../../kit/random.ts";
import { badRequest, conflict, fieldInvalid, invalid, notFound } from "../machinery/errors.ts";
import { formatTime } from "../machinery/meta.ts";
import type { BoundObjectReference, ServiceAccount, TokenRequest } from "../scheme/types.gen.ts";
import type { KubernetesClaims, ObjectRef } from "./claims.ts";
import type { SigningKey } from "./keys.ts";
import { type ServiceAccountLookups, serviceAccountUsername } from "./serviceaccount.ts";

export interface TokenIssuerOptions {
	/** The first `--service-account-issuer`. */
	readonly issuer: string;
	readonly key: SigningKey;
	/** `--api-audiences`: what a token is for unless it asks otherwise. */
	readonly apiAudiences: readonly string[];
	/** `--service-account-extend-token-expiration`: tokens as the admission plugin asks for last a year, and warn after an hour. */
	readonly extendExpiration: boolean;
	/** `--service-account-max-token-expiration`, in seconds; 0 sets no limit. */
	readonly maxExpirationSeconds: number;
	readonly lookups: Pick<ServiceAccountLookups, "pod" | "secret" | "node">;
	readonly clock: Clock;
	readonly random: Random;
}

const defaultExpirationSeconds = 3600;
const minExpirationSeconds = 600;
const maxExpirationSeconds = 2 ** 32;
/** What the ServiceAccount admission plugin asks for, by which extended tokens are recognized. */
export const automountedExpirationSeconds = 3607;
const extendedExpirationSeconds = 365 * 24 * 3600;

export interface IssueInput {
	readonly claims: KubernetesClaims;
	readonly audiences: readonly string[];
	readonly expirationSeconds: number;
}

/** A random UUID (version 4) from the injected randomness. */
function uuid(random: Random): string {
	const bytes = random.bytes(16);
	bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
	bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
	const hex = bytes.toString("hex");
	return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export class TokenIssuer {
	readonly #options: TokenIssuerOptions;

	constructor(options: TokenIssuerOptions) {
		this.#options = options;
	}

	/** Signs a token as it is asked for; nothing is checked. */
	async issue(input: IssueInput): Promise<string> {
		const { key, issuer, clock, random } = this.#options;
		const now = Math.floor(clock.now() / 1000);
		const { namespace, serviceaccount } = input.claims;
		return new SignJWT({
			aud: [...input.audiences],
			exp: now + input.expirationSeconds,
			iat: now,
			iss: issuer,
			jti: uuid(random),
			"kubernetes.io": input.claims,
			nbf: now,
			sub: serviceAccountUsername(namespace, serviceaccount.name),
		})
			.setProtectedHeader({ alg: key.algorithm, kid: key.id })
			.sign(key.privateKey);
	}

	/**
	 * Answers a TokenRequest for `account`: the request completed, with its status. Rejects with ApiError: 422 for bad fields,
	 * 400 for a binding to an unknown kind, 404 and 409 where the bound object is not there or is another.
	 */
	async request(request: TokenRequest, account: ServiceAccount): Promise<TokenRequest> {
		const { clock, apiAudiences } = this.#options;
		const spec = request.spec ?? {};
		const namespace = account.metadata?.namespace ?? "";
		const audiences = (spec.audiences ?? []).length === 0 ? [...apiAudiences] : [...(spec.audiences ?? [])];
		const asked = this.#checkedExpiration(request, account.metadata?.name ?? "");
		const bound = await this.#bind(spec.boundObjectRef, account);
		const extended = this.#isExtended(asked, bound.pod !== undefined, audiences);
		const now = clock.now();
		const token = await this.issue({
			claims: {
				namespace,
				...bound,
				serviceaccount: { name: account.metadata?.name ?? "", uid: account.metadata?.uid ?? "" },
				...(extended ? { warnafter: Math.floor(now / 1000) + asked } : {}),
			},
			audiences,
			expirationSeconds: extended ? this.#extendedSeconds() : asked,
		});
		return {
			...request,
			apiVersion: "authentication.k8s.io/v1",
			kind: "TokenRequest",
			metadata: {
				...request.metadata,
				name: account.metadata?.name,
				namespace,
				creationTimestamp: formatTime(now),
			},
			spec: { ...spec, audiences, expirationSeconds: asked },
			status: { token, expirationTimestamp: formatTime(now + asked * 1000) },
		};
	}

	#checkedExpiration(request: TokenRequest, name: string): number {
		const asked = request.spec?.expirationSeconds ?? defaultExpirationSeconds;
		const problem =
			asked < minExpirationSeconds
				? "may not specify a duration less than 10 minutes"
				: asked > maxExpirationSeconds
					? "may not specify a duration larger than 2^32 seconds"
					: undefined;
		if (problem !== undefined) {
			throw invalid("authentication.k8s.io", "TokenRequest", name, [
				fieldInvalid("spec.expirationSeconds", asked, problem),
			]);
		}
		const limit = this.#options.maxExpirationSeconds;
		return limit > 0 ? Math.min(asked, limit) : asked;
	}

	#isExtended(asked: number, boundToPod: boolean, audiences: readonly string[]): boolean {
		const forTheApi = audiences.every((a) => this.#options.apiAudiences.includes(a));
		return this.#options.extendExpiration && boundToPod && asked === automountedExpirationSeconds && forTheApi;
	}

	#extendedSeconds(): number {
		const limit = this.#options.maxExpirationSeconds;
		return limit > 0 ? Math.min(extendedExpirationSeconds, limit) : extendedExpirationSeconds;
	}

	async #bind(
		ref: BoundObjectReference | undefined,
		account: ServiceAccount,
	): Promise<Pick<KubernetesClaims, "pod" | "secret" | "node">> {
		if (ref === undefined) return {};
		const name = ref.name ?? "";
		const namespace = account.metadata?.namespace ?? "";
		switch (`${ref.apiVersion}/${ref.kind}`) {
			case "v1/Pod":
				return this.#bindPod(ref, namespace, account.metadata?.name ?? "");
			case "v1/Secret": {
				const secret = await this.#options.lookups.secret(namespace, name);
				return { secret: requireSame(secret, "secrets", ref) };
			}
			case "v1/Node": {
				const node = await this.#options.lookups.node(name);
				return { node: requireSame(node, "nodes", ref) };
			}
			default:
				throw badRequest(`cannot bind token to object of type ${goKind(ref)}`);
		}
	}

	/** A pod's token also tells where it runs. */
	async #bindPod(ref: BoundObjectReference, namespace: string, account: string) {
		const pod = await this.#options.lookups.pod(namespace, ref.name ?? "");
		const claim = requireSame(pod, "pods", ref);
		if ((pod?.spec?.serviceAccountName ?? "") !== account) {
			throw badRequest(
				`cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
			);
		}
		const nodeName = pod?.spec?.nodeName ?? "";
		if (nodeName === "") return { pod: claim };
		const uid = (await this.#options.lookups.node(nodeName))?.metadata?.uid;
		return { pod: claim, node: uid === undefined ? { name: nodeName } : { name: nodeName, uid } };
	}
}

function goKind(ref: BoundObjectReference): string {
	const [version = "", group = ""] = (ref.apiVersion ?? "").split("/").reverse();
	return `${group}/${version}, Kind=${ref.kind ?? ""}`;
}

function requireSame(
	found: { readonly metadata?: { readonly uid?: string | undefined } | undefined } | undefined,
	resource: string,
	ref: BoundObjectReference,
): ObjectRef {
	const name = ref.name ?? "";
	if (found === undefined) throw notFound({ group: "", resource }, name);
	const uid = found.metadata?.uid ?? "";
	if (ref.uid !== undefined && ref.uid !== "" && ref.uid !== uid) {
		throw conflict(
			{ group: "", resource: ref.kind ?? "" },
			name,
			`the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
		);
	}
	return { name, uid };
}
