/** Paths that are no resource's: health, metrics, version, token issuer discovery, and the API's own description. */
import type { Logger } from "../../kit/log.ts";
import type { VerifyingKey } from "../authn/keys.ts";
import { type DocumentResponse, discoveryResponse } from "../discovery/discovery.ts";
import { openapiResponse } from "../openapi/openapi.ts";
import { groupVersions } from "../scheme/resources.ts";
import { versionInfo } from "../version.ts";
import type { AdmittedRequest, PathHandler } from "./chain.ts";
import { type HealthChecks, serveHealth } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { sendBytes, sendValue } from "./render.ts";
import { header, headerValues } from "./types.ts";

export interface PathOptions {
	readonly checks: HealthChecks;
	readonly metrics: Metrics;
	readonly log: Logger;
	readonly issuer: string;
	readonly keys: readonly VerifyingKey[];
}

const pretty = { format: "json", pretty: true } as const;

function jwks(keys: readonly VerifyingKey[]): object {
	return {
		keys: keys.map((key) => ({
			use: "sig",
			kid: key.id,
			alg: key.algorithm,
			...key.publicKey.export({ format: "jwk" }),
		})),
	};
}

const discovery = ({ issuer, keys }: PathOptions) => ({
	issuer,
	jwks_uri: `${issuer.replace(/\/$/, "")}/openid/v1/jwks`,
	response_types_supported: ["id_token"],
	subject_types_supported: ["public"],
	id_token_signing_alg_values_supported: [...new Set(keys.map((key) => key.algorithm))],
});

/** A document that clients keep: 304 while theirs is the current one. */
function sendDocument(
	{ request, response }: AdmittedRequest,
	found: DocumentResponse & { readonly location?: string | undefined; readonly cacheControl?: string | undefined },
): void {
	const known = found.etag !== "" && header(request, "if-none-match") === found.etag;
	const headers = {
		vary: "Accept",
		...(found.etag === "" ? {} : { etag: found.etag }),
		...(found.location === undefined ? {} : { location: found.location }),
		...(found.cacheControl === undefined ? {} : { "cache-control": found.cacheControl }),
	};
	if (known && found.status === 200) {
		response.head(304, headers);
		response.end();
	} else {
		sendBytes(response, found.status, found.contentType, found.body, headers);
	}
}

/** Discovery and OpenAPI: the API described. */
function serveDocuments(admitted: AdmittedRequest): boolean {
	const { request } = admitted;
	if (request.method !== "GET" && request.method !== "HEAD") return false;
	const accept = headerValues(request, "accept").join(",");
	const found =
		discoveryResponse(request.path, accept, header(request, "host") ?? header(request, ":authority") ?? "") ??
		openapiResponse(request.path, request.query.toString(), accept);
	if (found === undefined) return false;
	sendDocument(admitted, found);
	return true;
}

/** The paths there are, as `/` lists them. */
const rootPaths = () => [
	"/.well-known/openid-configuration",
	"/api",
	"/apis",
	"/healthz",
	"/livez",
	"/metrics",
	"/openapi/v2",
	"/openapi/v3",
	"/openid/v1/jwks",
	"/readyz",
	"/version",
	...groupVersions().map((gv) => (gv.group === "" ? `/api/${gv.version}` : `/apis/${gv.group}/${gv.version}`)),
];

export function pathHandlers(options: PathOptions): PathHandler[] {
	const { checks, metrics, log } = options;
	const onFailure = (name: string, error: unknown) => log.debug("health check failed", { check: name, error });
	return [
		({ request, response }) => serveHealth(checks, request, response, onFailure),
		serveDocuments,
		async ({ request, response }) => {
			switch (request.path) {
				case "/":
					sendValue(response, 200, { paths: rootPaths().sort() }, pretty);
					return true;
				case "/version":
				case "/version/":
					sendValue(response, 200, versionInfo(), pretty);
					return true;
				case "/metrics":
					sendBytes(response, 200, metrics.registry.contentType, await metrics.registry.metrics());
					return true;
				case "/openid/v1/jwks":
					sendBytes(response, 200, "application/jwk-set+json", JSON.stringify(jwks(options.keys)), cacheable);
					return true;
				case "/.well-known/openid-configuration":
					sendBytes(response, 200, "application/json", JSON.stringify(discovery(options)), cacheable);
					return true;
				default:
					return false;
			}
		},
	];
}

const cacheable = { "cache-control": "public, max-age=3600" };
