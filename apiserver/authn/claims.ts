/** The claims of a service account token, in upstream's layout. */

export interface ObjectRef {
	readonly name: string;
	readonly uid: string;
}

export interface KubernetesClaims {
	readonly namespace: string;
	readonly serviceaccount: ObjectRef;
	readonly pod?: ObjectRef | undefined;
	readonly secret?: ObjectRef | undefined;
	/** With a pod: where it ran when the token was made. Alone: what the token is bound to. */
	readonly node?: { readonly name: string; readonly uid?: string | undefined } | undefined;
	/** Seconds since the epoch: the holder should have fetched a new token by then. */
	readonly warnafter?: number | undefined;
}

export interface TokenClaims {
	readonly iss: string;
	readonly sub: string;
	readonly aud: readonly string[];
	/** Seconds since the epoch. */
	readonly exp: number;
	readonly iat: number;
	readonly nbf: number;
	readonly jti?: string | undefined;
	readonly "kubernetes.io": KubernetesClaims;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function readRef(value: unknown): ObjectRef | undefined {
	if (!isRecord(value) || typeof value["name"] !== "string") return undefined;
	const uid = value["uid"];
	return { name: value["name"], uid: typeof uid === "string" ? uid : "" };
}

/** Checks a verified payload's shape; undefined where it is no service account token's. */
export function readClaims(payload: unknown): TokenClaims | undefined {
	if (!isRecord(payload)) return undefined;
	const own = payload["kubernetes.io"];
	const { iss, sub, exp, iat, nbf, jti, aud } = payload as Record<string, unknown>;
	if (!isRecord(own) || typeof iss !== "string" || typeof sub !== "string") return undefined;
	if (!isNumber(exp) || !isNumber(iat) || !isNumber(nbf)) return undefined;
	const audiences = typeof aud === "string" ? [aud] : aud;
	if (!Array.isArray(audiences) || !audiences.every((a) => typeof a === "string")) return undefined;
	const serviceaccount = readRef(own["serviceaccount"]);
	if (serviceaccount === undefined || typeof own["namespace"] !== "string") return undefined;
	const warnafter = own["warnafter"];
	return {
		iss,
		sub,
		aud: audiences,
		exp,
		iat,
		nbf,
		jti: typeof jti === "string" ? jti : undefined,
		"kubernetes.io": {
			namespace: own["namespace"],
			serviceaccount,
			pod: readRef(own["pod"]),
			secret: readRef(own["secret"]),
			node: readRef(own["node"]),
			warnafter: isNumber(warnafter) ? warnafter : undefined,
		},
	};
}
