/** The REST client: JSON over undici, with a keep-alive pool for requests and one for watches. */
import { readFileSync } from "node:fs";
import type { Dispatcher } from "undici";
import { type Clock, sleep, systemClock } from "../../kit/clock.ts";
import { ApiError } from "../machinery/errors.ts";
import { fenceHeader } from "../machinery/fence.ts";
import type { GroupVersionResource, KubeList, KubeObject } from "../scheme/object.ts";
import type { Status } from "../scheme/types.gen.ts";
import { connectionsOf } from "./connections.ts";
import { type ClusterAccess, loadKubeconfig } from "./kubeconfig.ts";
import { createTokenBucket } from "./limiter.ts";
import { createLineSplitter } from "./lines.ts";
import { createListReader, ListFormatError, type ListReader } from "./list-stream.ts";
import type { RequestObserver } from "./metrics.ts";
import type {
	ApiClient,
	DeleteOptions,
	ListOptions,
	PatchType,
	ResourceClient,
	WatchOptions,
	WatchStreamEvent,
} from "./types.ts";

/** The server was not reached, or the connection broke before its answer was whole: the outcome of a write is unknown. */
export class ConnectionError extends Error {
	override name = "ConnectionError";
	/** Node's or undici's code: ECONNREFUSED, ECONNRESET, UND_ERR_HEADERS_TIMEOUT … */
	readonly code: string;

	constructor(message: string, code: string, cause: unknown) {
		super(message, { cause });
		this.code = code;
	}
}

export interface ApiClientOptions extends Partial<ClusterAccess> {
	/** A kubeconfig file; the fields given beside it win. */
	readonly kubeconfig?: string | undefined;
	readonly userAgent?: string | undefined;
	/** Requests a second, watches not counted; unlimited when absent. */
	readonly qps?: number | undefined;
	/** By default twice `qps`. */
	readonly burst?: number | undefined;
	/** For one request and its answer, ms. Default 60,000. */
	readonly timeoutMs?: number | undefined;
	/** Connections for requests other than watches. Default 64. */
	readonly maxConnections?: number | undefined;
	/**
	 * Called before each request that is no read, and again when the request has a connection and is about to be
	 * written. If it returns false, nothing is sent and the request rejects with ConnectionError.
	 */
	readonly mayWrite?: (() => boolean) | undefined;
	/**
	 * `NAMESPACE/NAME HOLDER`, sent with each request that is no read: it takes effect only while HOLDER holds that
	 * Lease.
	 */
	readonly fence?: (() => string | undefined) | undefined;
	readonly clock?: Clock | undefined;
	readonly observer?: RequestObserver | undefined;
}

const maxListBytes = 1 << 30;
const maxWatchLineBytes = 32 << 20;
const maxThrottledRetries = 10;
const watchGraceMs = 30_000;

const patchMediaTypes: Readonly<Record<PatchType, string>> = {
	json: "application/json-patch+json",
	merge: "application/merge-patch+json",
	strategic: "application/strategic-merge-patch+json",
};

const genericMessages: Readonly<Record<number, readonly [reason: string, message: string]>> = {
	400: ["BadRequest", "the server rejected our request for an unknown reason"],
	401: ["Unauthorized", "the server has asked for the client to provide credentials"],
	403: ["Forbidden", "the server does not allow access to the requested resource"],
	404: ["NotFound", "the server could not find the requested resource"],
	405: ["MethodNotAllowed", "the server does not allow this method on the requested resource"],
	409: ["Conflict", "the server reported a conflict"],
	410: ["Expired", "the requested resource version is gone"],
	413: ["RequestEntityTooLarge", "the request is too large for the server"],
	415: ["UnsupportedMediaType", "the server does not accept the media type of the request"],
	429: ["TooManyRequests", "the server has received too many requests and has asked us to try again later"],
	500: ["InternalError", "an error on the server has prevented the request from succeeding"],
	503: ["ServiceUnavailable", "the server is currently unable to handle the request"],
	504: ["Timeout", "the server was unable to return a response in the time allotted"],
};

function isStatus(value: unknown): value is Status {
	return typeof value === "object" && value !== null && (value as Status).kind === "Status";
}

/** An ApiError from a failure `Status`, as a watch's ERROR event or an error answer carries it. */
export function errorFromStatus(status: Status, httpCode = 500): ApiError {
	return new ApiError(status.code ?? httpCode, status.reason ?? "", status.message ?? "unknown", status.details);
}

/** An ApiError from an answer of 400 and above, whatever its body is. */
export function errorFromResponse(code: number, body: Buffer, retryAfterSeconds?: number): ApiError {
	let parsed: unknown;
	try {
		parsed = JSON.parse(body.toString("utf8"));
	} catch {
		parsed = undefined; // not JSON: a proxy's or balancer's page; the code tells
	}
	if (isStatus(parsed)) return errorFromStatus(parsed, code);
	const [reason, message] = genericMessages[code] ?? ["", `the server responded with the status code ${code}`];
	const shown = body.toString("utf8", 0, 200).trim();
	const details = retryAfterSeconds === undefined ? undefined : { retryAfterSeconds };
	return new ApiError(code, reason, shown === "" ? message : `${message}: ${shown}`, details);
}

/** `/api/v1/namespaces/NS/pods/NAME/SUB`; empty parts are left out. */
export function resourcePath(
	resource: GroupVersionResource,
	namespace: string,
	name?: string,
	subresource?: string,
): string {
	const parts = resource.group === "" ? ["/api", resource.version] : ["/apis", resource.group, resource.version];
	if (namespace !== "") parts.push("namespaces", encodeURIComponent(namespace));
	parts.push(resource.resource);
	if (name !== undefined && name !== "") parts.push(encodeURIComponent(name));
	if (subresource !== undefined && subresource !== "") parts.push(subresource);
	return parts.join("/");
}

function queryOf(fields: Readonly<Record<string, string | number | boolean | undefined>>): string {
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(fields)) {
		if (value !== undefined && value !== "") query.set(name, String(value));
	}
	const text = query.toString();
	return text === "" ? "" : `?${text}`;
}

function listQuery(options: ListOptions) {
	const { labelSelector, fieldSelector, limit, resourceVersion, resourceVersionMatch } = options;
	return { labelSelector, fieldSelector, limit, continue: options.continue, resourceVersion, resourceVersionMatch };
}

function deleteBody(options: DeleteOptions | undefined): unknown {
	return { kind: "DeleteOptions", apiVersion: "v1", ...options };
}

/** A request for one object must not become one for the whole collection. */
async function named<R>(resource: GroupVersionResource, name: string, then: () => Promise<R>): Promise<R> {
	if (name === "") throw new TypeError(`${resource.resource}: the object has no name`);
	return then();
}

/** undici's and Node's failures as ConnectionError; an abort by the caller's signal stays what it is. */
function connectionError(server: string, error: unknown, signal: AbortSignal | undefined): unknown {
	if (signal?.aborted === true) return signal.reason;
	if (!(error instanceof Error) || error instanceof ApiError || error instanceof ConnectionError) return error;
	const cause = error as Error & { code?: string };
	return new ConnectionError(
		`${server}: ${cause.message || cause.code || "connection failed"}`,
		cause.code ?? "",
		error,
	);
}

interface Answer {
	readonly status: number;
	/** Empty where a sink took it. */
	readonly body: Buffer;
	readonly retryAfterSeconds: number | undefined;
}

interface Request {
	readonly method: string;
	readonly path: string;
	readonly body?: unknown;
	readonly contentType?: string | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Gives a function that receives the body of a successful answer piece by piece; called once for each attempt. */
	readonly sink?: (() => (chunk: Buffer) => void) | undefined;
}

/** Calls `check` when a request that is no read has a connection; what it throws is the request's failure, and nothing is sent. */
function checkedWrites(check: () => void): Dispatcher.DispatcherComposeInterceptor {
	return (dispatch) => (options, handler) => {
		if (options.method === "GET") return dispatch(options, handler);
		return dispatch(options, {
			onRequestStart(controller, context) {
				handler.onRequestStart?.(controller, context);
				try {
					check();
				} catch (error) {
					controller.abort(error as Error);
				}
			},
			onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
			onResponseStart: (...args) => handler.onResponseStart?.(...args),
			onResponseData: (...args) => handler.onResponseData?.(...args),
			onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
			onResponseError: (...args) => handler.onResponseError?.(...args),
		});
	};
}

/** What `text` says; undefined where it is not JSON and `onUndecodable` takes that. */
function decode<R>(text: string, onUndecodable: ListOptions["onUndecodable"]): R | undefined {
	try {
		return JSON.parse(text) as R;
	} catch (error) {
		if (onUndecodable === undefined) throw new ListFormatError("answer is not JSON", { cause: error });
		onUndecodable(text, error);
		return undefined;
	}
}

function encodeBody(body: unknown): Buffer | string | undefined {
	if (body === undefined || typeof body === "string" || Buffer.isBuffer(body)) return body;
	return JSON.stringify(body);
}

function retryAfter(headers: Dispatcher.ResponseData["headers"]): number | undefined {
	const value = Number(headers["retry-after"]);
	return Number.isFinite(value) && value >= 0 && headers["retry-after"] !== undefined ? value : undefined;
}

/** Gives the bearer token, from a file that may be rotated (looked at once a minute) or as given. */
function tokenSource(access: ClusterAccess, clock: Clock): () => string | undefined {
	const file = access.tokenFile;
	if (file === undefined) return () => access.token;
	let token: string | undefined;
	let readAt = Number.NEGATIVE_INFINITY;
	return () => {
		if (clock.monotonic() - readAt >= 60_000) {
			token = readFileSync(file, "utf8").trim();
			readAt = clock.monotonic();
		}
		return token;
	};
}

/** The fields given beside a kubeconfig. */
function givenAccess(options: ApiClientOptions): Partial<ClusterAccess> {
	const { server, ca, cert, key, token, tokenFile, insecureSkipTlsVerify, tlsServerName } = options;
	const given = { server, ca, cert, key, token, tokenFile, insecureSkipTlsVerify, tlsServerName };
	return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function resolveAccess(options: ApiClientOptions): ClusterAccess {
	const base: Partial<ClusterAccess> = options.kubeconfig === undefined ? {} : loadKubeconfig(options.kubeconfig);
	const set = givenAccess(options);
	const access = { ...base, ...set } as Partial<ClusterAccess>;
	if (access.server === undefined) throw new TypeError("an API client needs a kubeconfig or a server");
	return access as ClusterAccess;
}

/** A client of one API server (or of the balancer before several). Throws KubeconfigError or TypeError on bad options. */
export function createApiClient(options: ApiClientOptions): ApiClient {
	const access = resolveAccess(options);
	const clock = options.clock ?? systemClock;
	const url = new URL(access.server);
	const prefix = url.pathname.replace(/\/$/, "");
	const timeoutMs = options.timeoutMs ?? 60_000;
	const mayWrite = () => {
		if (options.mayWrite?.() !== false) return;
		throw new ConnectionError(`${access.server}: not sent, for we may not write any more`, "ECANCELED", undefined);
	};
	const connections = connectionsOf(options.kubeconfig, access, givenAccess(options), clock, {
		timeoutMs,
		maxConnections: options.maxConnections ?? 64,
		maxAnswerBytes: maxListBytes,
		wrap: (pool) => (options.mayWrite === undefined ? pool : pool.compose(checkedWrites(mayWrite))),
	});
	const token = tokenSource(access, clock);
	const bucket =
		options.qps === undefined ? undefined : createTokenBucket(clock, options.qps, options.burst ?? options.qps * 2);

	const headersOf = (contentType?: string): Record<string, string> => {
		const bearer = token();
		return {
			accept: "application/json",
			"user-agent": options.userAgent ?? "barque",
			...(contentType === undefined ? {} : { "content-type": contentType }),
			...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
		};
	};

	const { observer } = options;
	const { host } = url;

	/** One try, observed. */
	async function once(request: Request): Promise<Answer> {
		const began = clock.monotonic();
		const body = encodeBody(request.body);
		let size = 0;
		const count = (bytes: number) => {
			size += bytes;
		};
		let code = "<error>";
		try {
			const answer = await exchange({ ...request, body }, count);
			code = String(answer.status);
			return answer;
		} finally {
			const requestBytes = body === undefined ? 0 : Buffer.byteLength(body);
			const answered = code === "<error>" ? {} : { responseBytes: size };
			const took = (clock.monotonic() - began) / 1000;
			observer?.answered({ method: request.method, host, code, seconds: took, requestBytes, ...answered });
		}
	}

	async function exchange(request: Request, count: (bytes: number) => void): Promise<Answer> {
		const body = encodeBody(request.body);
		if (request.method !== "GET") mayWrite();
		const fence = request.method === "GET" ? undefined : options.fence?.();
		try {
			const response = await connections.current().requests.request({
				method: request.method as Dispatcher.HttpMethod,
				path: prefix + request.path,
				headers: {
					...headersOf(body === undefined ? undefined : (request.contentType ?? "application/json")),
					...(fence === undefined ? {} : { [fenceHeader]: fence }),
				},
				...(body === undefined ? {} : { body }),
				...(request.signal === undefined ? {} : { signal: request.signal }),
			});
			const answer = { status: response.statusCode, retryAfterSeconds: retryAfter(response.headers) };
			if (request.sink === undefined || answer.status >= 400) {
				const body = Buffer.from(await response.body.arrayBuffer());
				count(body.length);
				return { ...answer, body };
			}
			const take = request.sink();
			for await (const chunk of response.body) {
				count((chunk as Buffer).length);
				take(chunk as Buffer);
			}
			return { ...answer, body: Buffer.alloc(0) };
		} catch (error) {
			throw connectionError(access.server, error, request.signal);
		}
	}

	/** A read is sent again once when its kept-alive connection turns out to be closed; nothing else is ever repeated blindly. */
	async function onceOrAgain(request: Request): Promise<Answer> {
		try {
			return await once(request);
		} catch (error) {
			const broken = error instanceof ConnectionError && ["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"].includes(error.code);
			if (!broken || request.method !== "GET") throw error;
			return once(request);
		}
	}

	/** Waits for the rate limit; repeats what the server asks to repeat (429 and 5xx with Retry-After: it did not act on it). */
	async function send(request: Request): Promise<Answer> {
		for (let attempt = 0; ; attempt++) {
			const wait = bucket?.reserve() ?? 0;
			if (bucket !== undefined) observer?.limited(request.method, host, wait / 1000);
			if (wait > 0) await sleep(clock, wait, request.signal);
			const answer = await onceOrAgain(request);
			const asked = answer.retryAfterSeconds !== undefined && (answer.status === 429 || answer.status >= 500);
			if (!asked || attempt >= maxThrottledRetries) return answer;
			observer?.retried(request.method, host, String(answer.status));
			await sleep(clock, (answer.retryAfterSeconds ?? 0) * 1000, request.signal);
		}
	}

	async function call<R>(request: Request): Promise<R> {
		const answer = await send(request);
		if (answer.status >= 400) throw errorFromResponse(answer.status, answer.body, answer.retryAfterSeconds);
		try {
			return JSON.parse(answer.body.toString("utf8")) as R;
		} catch (error) {
			throw new ConnectionError(`${access.server}: ${request.path}: answer is not JSON`, "", error);
		}
	}

	/** Reads a list item by item, as it comes. */
	async function list<T extends object>(path: string, options: ListOptions): Promise<KubeList<T>> {
		let items: KubeObject<T>[] = [];
		let reader: ListReader | undefined;
		let kind: { readonly apiVersion: string; readonly kind: string } | undefined;
		const take = (text: string) => {
			const item = decode<KubeObject<T>>(text, options.onUndecodable);
			if (item !== undefined) items.push((options.keep?.(item) ?? item) as KubeObject<T>);
		};
		const sink = () => {
			items = [];
			const fresh = createListReader(take);
			reader = fresh;
			return (chunk: Buffer) => fresh.push(chunk);
		};
		try {
			const answer = await send({ method: "GET", path: path + queryOf(listQuery(options)), sink });
			if (answer.status >= 400) throw errorFromResponse(answer.status, answer.body, answer.retryAfterSeconds);
			const envelope = (reader as ListReader | undefined)?.end() as unknown as KubeList<T>;
			kind = { apiVersion: envelope.apiVersion, kind: envelope.kind.replace(/List$/, "") };
			for (const item of items) {
				item.apiVersion ??= kind.apiVersion;
				item.kind ??= kind.kind;
			}
			return { ...envelope, items };
		} catch (error) {
			if (!(error instanceof ListFormatError)) throw error;
			throw new ConnectionError(`${access.server}: ${path}: ${error.message}`, "", error);
		}
	}

	async function* stream<T extends object>(
		path: string,
		signal: AbortSignal,
		onUndecodable: ListOptions["onUndecodable"],
	): AsyncGenerator<WatchStreamEvent<T>> {
		let response: Dispatcher.ResponseData;
		try {
			response = await connections
				.current()
				.watches.request({ method: "GET", path: prefix + path, headers: headersOf(), signal });
		} catch (error) {
			observer?.answered({ method: "GET", host, code: "<error>" });
			throw connectionError(access.server, error, signal);
		}
		observer?.answered({ method: "GET", host, code: String(response.statusCode) });
		if (response.statusCode >= 400) {
			const body = Buffer.from(await response.body.arrayBuffer());
			throw errorFromResponse(response.statusCode, body, retryAfter(response.headers));
		}
		const splitter = createLineSplitter(maxWatchLineBytes);
		try {
			for await (const chunk of response.body) {
				for (const line of splitter.push(chunk as Buffer)) {
					const event = decode<WatchStreamEvent<T>>(line.toString("utf8"), onUndecodable);
					if (event !== undefined) yield event;
				}
			}
		} catch (error) {
			throw connectionError(access.server, error, signal);
		} finally {
			response.body.destroy();
		}
		if (splitter.pending > 0) throw new ConnectionError(`${access.server}: watch ended within an event`, "", undefined);
	}

	async function* watch<T extends object>(
		path: string,
		{ timeoutSeconds, onUndecodable }: WatchOptions,
		signal: AbortSignal,
	): AsyncGenerator<WatchStreamEvent<T>> {
		if (timeoutSeconds === undefined) return yield* stream<T>(path, signal, onUndecodable);
		const overdue = new AbortController();
		const timer = clock.after(timeoutSeconds * 1000 + watchGraceMs, () =>
			overdue.abort(new ConnectionError(`${access.server}: watch outlived its timeout`, "ETIMEDOUT", undefined)),
		);
		try {
			yield* stream<T>(path, AbortSignal.any([signal, overdue.signal]), onUndecodable);
		} finally {
			timer.cancel();
		}
	}

	function resourceClient<T extends object>(resource: GroupVersionResource): ResourceClient<T> {
		const path = (namespace: string, name?: string, sub?: string) => resourcePath(resource, namespace, name, sub);
		return {
			resource,
			get: (namespace, name) =>
				named(resource, name, () => call<KubeObject<T>>({ method: "GET", path: path(namespace, name) })),
			list: (namespace, listOptions = {}) => list<T>(path(namespace), listOptions),
			watch(namespace, watchOptions, signal) {
				const { allowWatchBookmarks, timeoutSeconds, sendInitialEvents } = watchOptions;
				const own = { allowWatchBookmarks, timeoutSeconds, sendInitialEvents };
				const query = queryOf({ watch: true, ...listQuery(watchOptions), ...own });
				return watch<T>(path(namespace) + query, watchOptions, signal);
			},
			create: (namespace, object, subresource) =>
				call({ method: "POST", path: path(namespace, subresource?.of, subresource?.name), body: object }),
			update(object, subresource) {
				const { namespace = "", name = "" } = object.metadata;
				return named(resource, name, () =>
					call<KubeObject<T>>({ method: "PUT", path: path(namespace, name, subresource), body: object }),
				);
			},
			patch: (namespace, name, type, patch, subresource) =>
				named(resource, name, () =>
					call<KubeObject<T>>({
						method: "PATCH",
						path: path(namespace, name, subresource),
						body: patch,
						contentType: patchMediaTypes[type],
					}),
				),
			async delete(namespace, name, deleteOptions) {
				const body = deleteBody(deleteOptions);
				await named(resource, name, () => call<object>({ method: "DELETE", path: path(namespace, name), body }));
			},
			async deleteCollection(namespace, listOptions, deleteOptions) {
				const query = queryOf(listQuery(listOptions));
				await call({ method: "DELETE", path: path(namespace) + query, body: deleteBody(deleteOptions) });
			},
		};
	}

	return {
		resource: resourceClient,
		async raw(method, path, body, signal) {
			const { status, body: bytes } = await send({ method, path, body, signal });
			return { status, body: bytes };
		},
		async close() {
			await connections.close();
		},
	};
}
