/** The small server every agent has: /healthz, /livez, /readyz and /metrics. HTTPS where it was given a certificate, else HTTP on loopback. */
import http from "node:http";
import https from "node:https";
import { descriptorLimit } from "../../kit/descriptors.ts";
import type { FlagSpecs } from "../../kit/flags.ts";
import { guarded } from "../../kit/guarded.ts";
import type { Logger } from "../../kit/log.ts";
import { latestTls, serveLatest } from "../../kit/renewed.ts";
import { acceptErrors } from "../../kit/shortage.ts";

export function servingFlags<const P extends number>(port: P) {
	return {
		"bind-address": {
			type: "string",
			default: "127.0.0.1",
			group: "Serving",
			help: "Address of /healthz, /livez, /readyz and /metrics.",
		},
		"secure-port": {
			type: "integer",
			default: port as number,
			min: 0,
			max: 65_535,
			group: "Serving",
			help: "Port to serve on. 0: no server.",
		},
		"tls-cert-file": {
			type: "string",
			default: "",
			group: "Serving",
			help: "Certificate (PEM). Without it plain HTTP is served, on loopback addresses only.",
		},
		"tls-private-key-file": { type: "string", default: "", group: "Serving", help: "Key (PEM) of the certificate." },
	} as const satisfies FlagSpecs;
}

export interface HealthOptions {
	readonly address: string;
	/** 0: no server. */
	readonly port: number;
	readonly certFile: string;
	readonly keyFile: string;
	/** Undefined: healthy; otherwise why not. */
	readonly health: () => string | undefined;
	/** Prometheus text format. */
	readonly metrics: () => Promise<string>;
	readonly logger: Logger;
}

const isLoopback = (address: string) => /^(127\.|localhost$|::1$)/.test(address);

function secureServer({ certFile, keyFile, logger }: HealthOptions, listener: http.RequestListener): https.Server {
	const latest = latestTls({ cert: certFile, key: keyFile }, (error) => {
		logger.warn("renewed certificate not taken up", { file: certFile, error });
	});
	const server = https.createServer({ ...latest(), handshakeTimeout: 10_000 }, listener);
	serveLatest(server, latest);
	return server;
}

/** Resolves once it listens. Throws when HTTP would be served beyond loopback. */
export async function serveHealth(options: HealthOptions): Promise<{ close(): Promise<void> }> {
	if (options.port === 0) return { close: async () => {} };
	const secure = options.certFile !== "" && options.keyFile !== "";
	if (!secure && !isLoopback(options.address)) {
		throw new Error(
			`--bind-address ${options.address}: serving beyond loopback needs --tls-cert-file and --tls-private-key-file`,
		);
	}
	const handle = async (request: http.IncomingMessage, response: http.ServerResponse) => {
		const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
		const answer = (status: number, body: string, type = "text/plain; charset=utf-8") =>
			response.writeHead(status, { "content-type": type }).end(body);
		if (request.method !== "GET") answer(405, "method not allowed\n");
		else if (/^\/(healthz|livez|readyz)$/.test(path)) {
			const problem = options.health();
			answer(problem === undefined ? 200 : 500, problem ?? "ok");
		} else if (path === "/metrics") answer(200, await options.metrics(), "text/plain; version=0.0.4; charset=utf-8");
		else answer(404, "404 page not found\n");
	};
	const listener = guarded(options.logger, handle);
	const server = secure ? secureServer(options, listener) : http.createServer(listener);
	server.headersTimeout = 10_000;
	// Probes and scrapers; what the agent does needs descriptors of its own.
	server.maxConnections = Math.max(16, Math.min(256, Math.floor(descriptorLimit() / 4)));
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(options.port, options.address, resolve);
	});
	// A connection that cannot be accepted (no descriptors left) is said, and ends nothing.
	server.on("error", acceptErrors(options.logger, "health"));
	return {
		async close() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
