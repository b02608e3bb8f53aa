/** What an apiserver replica is told; names follow kube-apiserver's flags. */
import type { Clock } from "../kit/clock.ts";
import type { Logger } from "../kit/log.ts";
import type { Random } from "../kit/random.ts";
import type { Latest, TlsTexts } from "../kit/renewed.ts";
import type { StoreClient } from "../store/api.ts";
import type { KubeletTls } from "./registry/kubelet-client.ts";

export interface ApiserverOptions {
	/** The caller's, which also closes it. */
	readonly store: StoreClient;
	readonly bindAddress: string;
	/** 0: a free one. */
	readonly securePort: number;
	/** Told to others as this server's; by default the bind address. */
	readonly advertiseAddress?: string | undefined;
	/** PEM. */
	readonly tlsCert: string;
	readonly tlsKey: string;
	/** PEM: authorities of client certificates. */
	readonly clientCa?: string | undefined;
	/** Gives the three for each new connection, from files that may be renewed. Absent: those above never change. */
	readonly latestTls?: Latest<TlsTexts> | undefined;
	/** Text of a token file (CSV), and its name for messages. */
	readonly tokenFile?: { readonly text: string; readonly name: string } | undefined;
	/** PEM texts of keys that may have signed service account tokens. */
	readonly serviceAccountKeys?: readonly { readonly pem: string; readonly name: string }[] | undefined;
	readonly serviceAccountSigningKey?: { readonly pem: string; readonly name: string } | undefined;
	readonly serviceAccountIssuers?: readonly string[] | undefined;
	readonly serviceAccountMaxTokenExpirationSeconds?: number | undefined;
	readonly apiAudiences?: readonly string[] | undefined;
	/** Root of all keys without the slash at its end; `/registry`. */
	readonly etcdPrefix?: string | undefined;
	readonly serviceClusterIpRange?: string | undefined;
	/** `30000-32767`. */
	readonly serviceNodePortRange?: string | undefined;
	readonly authorizationModes?: readonly string[] | undefined;
	readonly anonymousAuth?: boolean | undefined;
	readonly enableAdmissionPlugins?: readonly string[] | undefined;
	readonly disableAdmissionPlugins?: readonly string[] | undefined;
	/** Configuration documents of admission plugins, by the plugins' names. */
	readonly admissionConfigurations?: ReadonlyMap<string, unknown> | undefined;
	readonly kubeletTls?: KubeletTls | undefined;
	/** Containers may run privileged; without it pods and templates that ask for it are refused. */
	readonly allowPrivileged?: boolean | undefined;
	readonly maxRequestsInflight?: number | undefined;
	readonly maxMutatingRequestsInflight?: number | undefined;
	readonly requestTimeoutMs?: number | undefined;
	readonly minRequestTimeoutSeconds?: number | undefined;
	readonly eventTtlSeconds?: number | undefined;
	readonly defaultNotReadyTolerationSeconds?: number | undefined;
	readonly defaultUnreachableTolerationSeconds?: number | undefined;
	readonly shutdownDelayMs?: number | undefined;
	/** 0: never. */
	readonly compactionIntervalMs?: number | undefined;
	/** Bytes of history kept for each resource, for watches to resume from. */
	readonly watchHistory?: { readonly events: number; readonly bytes: number } | undefined;
	readonly clock?: Clock | undefined;
	readonly random?: Random | undefined;
	readonly log?: Logger | undefined;
}

export const defaults = {
	etcdPrefix: "/registry",
	serviceClusterIpRange: "10.0.0.0/24",
	serviceNodePortRange: "30000-32767",
	/** Safe alone; upstream's default would be AlwaysAllow. */
	authorizationModes: ["Node", "RBAC"],
	serviceAccountIssuer: "https://kubernetes.default.svc.cluster.local",
	allowPrivileged: false,
	certDir: "/var/run/kubernetes",
	maxRequestsInflight: 400,
	maxMutatingRequestsInflight: 200,
	requestTimeoutMs: 60_000,
	minRequestTimeoutSeconds: 1800,
	eventTtlSeconds: 3600,
	tolerationSeconds: 300,
	compactionIntervalMs: 300_000,
} as const;

/** `30000-32767`, or `30000+2767` as upstream also takes it. Throws Error. */
export function parsePortRange(text: string): { readonly first: number; readonly last: number } {
	const match = /^(\d+)([-+])(\d+)$/.exec(text);
	const first = Number(match?.[1]);
	const last = match?.[2] === "+" ? first + Number(match[3]) : Number(match?.[3]);
	if (match === null || first < 1 || last < first || last > 65_535) {
		throw new Error(`invalid port range ${JSON.stringify(text)}: it must be like 30000-32767, within 1-65535`);
	}
	return { first, last };
}
