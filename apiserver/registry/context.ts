/** What the verbs work with: the replica's services, and one request's subject. */
import type { Clock } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import type { AdmissionLookups, AdmissionPlugin } from "../admission/types.ts";
import type { TokenIssuer } from "../authn/issuer.ts";
import type { TokenAuthenticator, UserInfo } from "../authn/types.ts";
import type { Authorizer } from "../authz/types.ts";
import type { Cacher } from "../cache/cacher.ts";
import type { ApiRequest, ApiResponse } from "../http/types.ts";
import type { ResourceInfo, SubresourceInfo } from "../scheme/resources.ts";
import type { LeaseManager } from "../storage/leases.ts";
import type { ObjectStorage } from "../storage/objects.ts";
import type { Strategy } from "./strategy.ts";

/** The admission plugins in force, and what they read. */
export interface AdmissionChain {
	readonly plugins: readonly AdmissionPlugin[];
	readonly lookups: AdmissionLookups;
}

/** One stream from a kubelet. */
export interface KubeletAnswer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly body: AsyncIterable<Buffer>;
}

export interface KubeletClient {
	/** GET over HTTPS with the apiserver's client certificate. */
	get(host: string, port: number, path: string, signal: AbortSignal): Promise<KubeletAnswer>;
}

/** One replica's services. */
export interface Services {
	readonly cacher: Cacher;
	readonly storage: ObjectStorage;
	readonly leases: LeaseManager;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Logger;
	readonly admission: AdmissionChain;
	readonly authorizer: Authorizer;
	readonly tokens: TokenAuthenticator;
	readonly apiAudiences: readonly string[];
	readonly tokenIssuer: TokenIssuer | undefined;
	readonly kubelets: KubeletClient | undefined;
	readonly strategyOf: (resource: ResourceInfo) => Strategy;
	/** Root of all keys: `/registry/`. */
	readonly root: string;
	readonly eventTtlSeconds: number;
	readonly minRequestTimeoutSeconds: number;
	/** Containers may run privileged. */
	readonly allowPrivileged: boolean;
}

/** One request for a resource, past authorization. */
export interface Scope {
	readonly services: Services;
	readonly request: ApiRequest;
	readonly response: ApiResponse;
	readonly resource: ResourceInfo;
	readonly subresource: SubresourceInfo | undefined;
	readonly namespace: string;
	readonly name: string;
	readonly user: UserInfo;
	/** Texts for the client, sent as Warning headers. */
	readonly warnings: string[];
	/** Aborted when the request's time is up or the client is gone. */
	readonly signal: AbortSignal;
}
