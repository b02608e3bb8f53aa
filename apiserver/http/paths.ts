/** Paths that are no resource's: health, metrics, version, token issuer discovery, and the API's own description. */
import type { Logger } from "../../kit/log.ts";
import type { VerifyingKey } from "../authn/keys.ts";
import { versionInfo } from "../version.ts";
import { type HealthChecks, serveHealth } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { sendBytes, sendValue } from "./render.ts";
import type { PathHandler } from "./router.ts";

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

export function pathHandlers(options: PathOptions): PathHandler[] {
	const { checks, metrics, log } = options;
	const onFailure = (name: string, error: unknown) => log.info("health check failed", { check: name, error });
	return [
		({ request, response }) => serveHealth(checks, request, response, onFailure),
		async ({ request, response }) => {
			switch (request.path) {
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
