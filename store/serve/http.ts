/** Health, version and metrics over HTTP/1, with etcd's paths and answers. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import { StoreError } from "../api.ts";
import type { Requests } from "../member/requests.ts";

export interface HttpOptions {
	readonly requests: Requests;
	readonly leader: () => bigint;
	/** Why the member is about to stop or already has; undefined: all is well. */
	readonly stopping: () => string | undefined;
	readonly version: string;
	readonly registry: Registry;
}

interface Check {
	readonly name: string;
	readonly run: () => Promise<void>;
}

const readTimeoutMs = 5000;
const probeKey = Buffer.from("health");

export function httpHandler(options: HttpOptions): (request: IncomingMessage, response: ServerResponse) => unknown {
	const { requests } = options;
	const alive: Check = {
		name: "serializable_read",
		run: async () => {
			const stopping = options.stopping();
			if (stopping !== undefined) throw new StoreError("unavailable", stopping);
			await requests.range({ key: probeKey, serializable: true, limit: 1 });
		},
	};
	const linearizable: Check = {
		name: "linearizable_read",
		run: () => requests.replica.linearizableRead(readTimeoutMs),
	};
	const paths: Record<string, (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => unknown> =
		{
			"/health": (_request, response, query) => health(options, response, query),
			"/livez": (_request, response, query) => checks("livez", [alive], response, query),
			"/readyz": (_request, response, query) => checks("readyz", [alive, linearizable], response, query),
			"/version": (_request, response) => json(response, 200, { barque: options.version, protocol: "native/1" }),
			"/metrics": (_request, response) => metrics(options.registry, response),
		};
	return (request, response) => {
		const url = URL.parse(request.url ?? "/", "http://localhost");
		if (url === null) {
			return text(response, 400, "Bad Request\n");
		}
		if (request.method !== "GET" && request.method !== "HEAD") {
			response.setHeader("Allow", "GET");
			return text(response, 405, "Method Not Allowed\n");
		}
		const path = Object.hasOwn(paths, url.pathname) ? paths[url.pathname] : undefined;
		if (path !== undefined) return path(request, response, url.searchParams);
		return text(response, 404, "404 page not found\n");
	};
}

function text(response: ServerResponse, status: number, body: string): void {
	response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" });
	response.end(body);
}

function json(response: ServerResponse, status: number, body: unknown): void {
	response.writeHead(status, { "Content-Type": "application/json" });
	response.end(JSON.stringify(body));
}

/** etcd's alarms. It has CORRUPT besides; a member of ours that finds damage stops. */
const alarms: readonly { readonly name: string; readonly raised: (requests: Requests) => boolean }[] = [
	{ name: "NOSPACE", raised: (requests) => requests.spaceExceeded },
];

/** As etcd's: `?serializable=true` asks this member alone, `?exclude=ALARM` leaves an alarm out. */
async function health(options: HttpOptions, response: ServerResponse, query: URLSearchParams): Promise<void> {
	const failed = (reason: string) => json(response, 503, { health: "false", reason });
	const stopping = options.stopping();
	if (stopping !== undefined) return failed(stopping);
	const excluded = new Set(query.getAll("exclude"));
	const alarm = alarms.find(({ name, raised }) => !excluded.has(name) && raised(options.requests));
	if (alarm !== undefined) return failed(`ALARM ${alarm.name}`);
	const serializable = query.get("serializable") === "true";
	if (!serializable && options.leader() === 0n) return failed("RAFT NO LEADER");
	try {
		if (!serializable) await options.requests.replica.linearizableRead(readTimeoutMs);
		await options.requests.range({ key: probeKey, serializable: true, limit: 1 });
		json(response, 200, { health: "true", reason: "" });
	} catch (error) {
		failed(`RANGE ERROR:${(error as Error).message}`);
	}
}

/** As etcd's and Kubernetes' health endpoints: `?verbose` lists every check, `?exclude=NAME` leaves one out. */
async function checks(name: string, all: readonly Check[], response: ServerResponse, query: URLSearchParams) {
	const excluded = new Set(query.getAll("exclude"));
	let report = "";
	let ok = true;
	for (const check of all) {
		if (excluded.has(check.name)) {
			report += `[+]${check.name} excluded: ok\n`;
			continue;
		}
		try {
			await check.run();
			report += `[+]${check.name} ok\n`;
		} catch (error) {
			ok = false;
			report += `[-]${check.name} failed: ${(error as Error).message}\n`;
		}
	}
	if (ok) text(response, 200, query.has("verbose") ? `${report}${name} check passed\n` : "ok\n");
	else text(response, 503, `${report}${name} check failed\n`);
}

async function metrics(registry: Registry, response: ServerResponse): Promise<void> {
	try {
		const body = await registry.metrics();
		response.writeHead(200, { "Content-Type": registry.contentType });
		response.end(body);
	} catch (error) {
		text(response, 500, `metrics cannot be collected: ${(error as Error).message}\n`);
	}
}
