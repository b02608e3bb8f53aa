/**
 * The kubelet's HTTPS server, for apiservers: /containerLogs, /pods, /healthz, /metrics. Callers show a client
 * certificate; what they may do is asked of the apiserver (SubjectAccessReview on the node's subresources, as upstream).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import type { TLSSocket } from "node:tls";
import type { ApiClient } from "../../apiserver/client/types.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Pod, SubjectAccessReview } from "../../apiserver/scheme/types.gen.ts";
import type { Clock } from "../../kit/clock.ts";
import { descriptorLimit } from "../../kit/descriptors.ts";
import { guarded } from "../../kit/guarded.ts";
import type { Logger } from "../../kit/log.ts";
import { latestTls, serveLatest } from "../../kit/renewed.ts";
import { acceptErrors } from "../../kit/shortage.ts";
import { type LogOptions, type LogSink, streamLog } from "./log-stream.ts";
import type { ContainerLog } from "./runtime/types.ts";

const allowedMs = 5 * 60_000;
const deniedMs = 30_000;
const maxCachedDecisions = 1_000;

export interface ContainerOutput {
	readonly log: ContainerLog;
	/** True once the container writes no more. */
	readonly ended: () => boolean;
}

/** Why a container has no output: it is not known (404), or has none yet (400). */
export interface NoOutput {
	readonly status: 400 | 404;
	readonly message: string;
}

export interface KubeletServerOptions {
	readonly address: string;
	readonly port: number;
	readonly certFile: string;
	readonly keyFile: string;
	readonly clientCaFile: string;
	readonly nodeName: string;
	readonly client: ApiClient;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly pods: () => readonly KubeObject<Pod>[];
	/** The output of a container, or why there is none. */
	readonly output: (namespace: string, pod: string, container: string, previous: boolean) => ContainerOutput | NoOutput;
	readonly metrics: () => Promise<string>;
}

class HttpError extends Error {
	readonly status: number;
	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

interface Caller {
	readonly user: string;
	readonly groups: readonly string[];
}

function callerOf(request: IncomingMessage): Caller {
	const socket = request.socket as TLSSocket;
	const { subject, valid_to: end } = socket.getPeerCertificate();
	// A connection may outlive the certificate it began with.
	if (!socket.authorized || Date.now() > Date.parse(end)) throw new HttpError(401, "Unauthorized");
	const organizations = (subject?.O ?? []) as string | string[];
	const groups = Array.isArray(organizations) ? organizations : [organizations];
	return { user: String(subject?.CN ?? ""), groups: [...groups, "system:authenticated"] };
}

/** Caches the apiserver's decisions, as upstream's webhook authorizer does. */
class Authorizer {
	readonly #options: KubeletServerOptions;
	readonly #decisions = new Map<string, { readonly allowed: boolean; readonly until: number }>();

	constructor(options: KubeletServerOptions) {
		this.#options = options;
	}

	async check(caller: Caller, verb: string, subresource: string): Promise<void> {
		const { client, clock, nodeName } = this.#options;
		const key = JSON.stringify([caller, verb, subresource]);
		const known = this.#decisions.get(key);
		let allowed = known !== undefined && known.until > clock.monotonic() ? known.allowed : undefined;
		if (allowed === undefined) {
			const reviews = client.resource<SubjectAccessReview>({
				group: "authorization.k8s.io",
				version: "v1",
				resource: "subjectaccessreviews",
			});
			const review = await reviews.create("", {
				apiVersion: "authorization.k8s.io/v1",
				kind: "SubjectAccessReview",
				spec: {
					user: caller.user,
					groups: [...caller.groups],
					resourceAttributes: { verb, version: "v1", resource: "nodes", subresource, name: nodeName },
				},
			});
			allowed = review.status?.allowed === true;
			if (this.#decisions.size >= maxCachedDecisions) this.#decisions.clear();
			this.#decisions.set(key, { allowed, until: clock.monotonic() + (allowed ? allowedMs : deniedMs) });
		}
		if (!allowed) {
			const what = `user=${caller.user}, verb=${verb}, resource=nodes, subresource(s)=[${subresource}]`;
			throw new HttpError(403, `Forbidden (${what})`);
		}
	}
}

function whole(query: URLSearchParams, name: string): number | undefined {
	const text = query.get(name);
	if (text === null) return undefined;
	const value = Number(text);
	if (!Number.isSafeInteger(value) || value < 0)
		throw new HttpError(400, `${name}: ${text} is not a whole number from 0`);
	return value;
}

function logOptions(query: URLSearchParams, now: number): LogOptions {
	const sinceSeconds = whole(query, "sinceSeconds");
	const sinceTime = query.get("sinceTime");
	const since =
		sinceSeconds === undefined ? (sinceTime === null ? undefined : Date.parse(sinceTime)) : now - sinceSeconds * 1000;
	if (since !== undefined && Number.isNaN(since)) throw new HttpError(400, `sinceTime: ${sinceTime} is not a time`);
	return {
		follow: query.get("follow") === "true",
		tailLines: whole(query, "tailLines"),
		since,
		timestamps: query.get("timestamps") === "true",
		limitBytes: whole(query, "limitBytes"),
	};
}

function sinkOf(response: ServerResponse): LogSink {
	const closed = new AbortController();
	response.on("close", () => closed.abort());
	response.on("error", () => closed.abort());
	return {
		closed: closed.signal,
		write: (chunk) =>
			new Promise((resolve) => {
				if (closed.signal.aborted) return resolve(false);
				const go = () => {
					closed.signal.removeEventListener("abort", stop);
					resolve(true);
				};
				const stop = () => {
					response.off("drain", go);
					resolve(false);
				};
				if (response.write(chunk)) return resolve(true);
				closed.signal.addEventListener("abort", stop, { once: true });
				response.once("drain", go);
			}),
	};
}

async function serveLog(
	options: KubeletServerOptions,
	path: string[],
	query: URLSearchParams,
	response: ServerResponse,
) {
	const [namespace = "", pod = "", container = ""] = path;
	const found = options.output(namespace, pod, container, query.get("previous") === "true");
	if ("message" in found) throw new HttpError(found.status, found.message);
	const wanted = logOptions(query, options.clock.now());
	response.writeHead(200, { "content-type": "text/plain", "cache-control": "no-cache" });
	response.flushHeaders();
	await streamLog(found.log, wanted, sinkOf(response), found.ended);
	response.end();
}

function readUrl(text: string): { readonly path: string[]; readonly query: URLSearchParams } {
	const at = text.indexOf("?");
	try {
		const path = (at < 0 ? text : text.slice(0, at)).split("/").slice(1).map(decodeURIComponent);
		return { path, query: new URLSearchParams(at < 0 ? "" : text.slice(at + 1)) };
	} catch {
		throw new HttpError(400, "the path is not percent-encoded as it should be");
	}
}

async function route(
	options: KubeletServerOptions,
	authorizer: Authorizer,
	request: IncomingMessage,
	response: ServerResponse,
) {
	const caller = callerOf(request);
	const { path, query } = readUrl(request.url ?? "/");
	const [first = "", ...rest] = path;
	if (request.method !== "GET") throw new HttpError(405, "Method not allowed");
	switch (first) {
		case "healthz":
			await authorizer.check(caller, "get", "healthz");
			return void response.end("ok");
		case "containerLogs":
			await authorizer.check(caller, "get", "proxy");
			return serveLog(options, rest, query, response);
		case "pods": {
			await authorizer.check(caller, "get", "pods");
			response.writeHead(200, { "content-type": "application/json" });
			return void response.end(
				JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items: options.pods() }),
			);
		}
		case "metrics":
			await authorizer.check(caller, "get", "metrics");
			response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
			return void response.end(await options.metrics());
		default:
			throw new HttpError(404, "404 page not found");
	}
}

/** Resolves once it listens; callers without a certificate of the client CA get 401. */
export async function startKubeletServer(
	options: KubeletServerOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
	const authorizer = new Authorizer(options);
	const files = { cert: options.certFile, key: options.keyFile, ca: options.clientCaFile };
	const latest = latestTls(files, (error) => {
		options.logger.warn("renewed certificate not taken up", { file: files.cert, error });
	});
	const server = https.createServer(
		{
			...latest(),
			requestCert: true,
			rejectUnauthorized: false,
			requestTimeout: 30_000,
			headersTimeout: 10_000,
			handshakeTimeout: 10_000,
		},
		guarded(options.logger, (request, response) => {
			route(options, authorizer, request, response).catch((error: unknown) => {
				const status = error instanceof HttpError ? error.status : 500;
				if (status === 500) options.logger.warn("request failed", { path: request.url?.split("?", 1)[0], error });
				if (response.headersSent) response.destroy();
				else response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
				if (!response.destroyed) response.end(error instanceof Error ? error.message : String(error));
			});
		}),
	);
	serveLatest(server, latest);
	// Only apiservers and scrapers connect here; pods and their logs need descriptors of their own.
	server.maxConnections = Math.max(16, Math.min(1_000, Math.floor(descriptorLimit() / 4)));
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(options.port, options.address, resolve);
	});
	server.on("error", acceptErrors(options.logger, "kubelet"));
	return {
		port: (server.address() as { port: number }).port,
		async close() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
