/**
 * The filters every request passes, in upstream's order: recovery, request info, time limit, authentication,
 * impersonation, in-flight limits, authorization; then the handler.
 */
import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "../../kit/clock.ts";
import { readDuration } from "../../kit/duration.ts";
import type { Logger } from "../../kit/log.ts";
import { parseImpersonation } from "../authn/impersonation.ts";
import {
	type Authenticated,
	AuthenticationError,
	type Credentials,
	systemMasters,
	type UserInfo,
} from "../authn/types.ts";
import { bearerToken, tokenFromProtocols } from "../authn/union.ts";
import { Impersonator } from "../authz/impersonation.ts";
import {
	type Attributes,
	type Authorizer,
	pathAttributes,
	requireAllowed,
	resourceAttributes,
} from "../authz/types.ts";
import { ApiError, badRequest, internalError, unauthorized } from "../machinery/errors.ts";
import { parseFieldSelector } from "../machinery/fieldselectors.ts";
import { compressing } from "./compressed.ts";
import { GuardedResponse } from "./guarded.ts";
import type { InflightLimits } from "./inflight.ts";
import type { Metrics } from "./metrics.ts";
import { negotiate, noTransforms, type Representation } from "./negotiate.ts";
import { sendBytes, sendError, textType, warningHeaders } from "./render.ts";
import { isLongRunning, type RequestInfo, readRequestInfo } from "./request-info.ts";
import { type ApiRequest, type ApiResponse, type Handler, header } from "./types.ts";

/** A request past the filters. */
export interface AdmittedRequest {
	readonly request: ApiRequest;
	readonly response: ApiResponse;
	readonly info: RequestInfo;
	readonly user: UserInfo;
	readonly warnings: string[];
	/** Aborted when the client is gone or the time is up. */
	readonly signal: AbortSignal;
}

/** Answers a path that is no resource's; false: it is none of its own. */
export type PathHandler = (admitted: AdmittedRequest) => Promise<boolean> | boolean;

export interface ChainOptions {
	readonly authenticator: { authenticate(credentials: Credentials): Promise<Authenticated> };
	readonly authorizer: Authorizer;
	readonly limits: InflightLimits;
	readonly metrics: () => Metrics;
	readonly clock: Clock;
	readonly log: Logger;
	readonly requestTimeoutMs: number;
	/** Answers; throws ApiError for what it refuses. */
	readonly handle: (admitted: AdmittedRequest) => Promise<void>;
}

const timedOut = () =>
	new ApiError(504, "Timeout", "Timeout: request did not complete within the allotted timeout", {});

/** An error comes in the form that was asked for; where that is none, in one that people can read. */
function errorFormat(request: ApiRequest): Pick<Representation, "format" | "pretty"> {
	try {
		return negotiate(request, noTransforms);
	} catch {
		return { format: "json", pretty: true };
	}
}

function attributesOf(info: RequestInfo, user: UserInfo, query: URLSearchParams): Attributes {
	if (!info.isResource) return pathAttributes(user, info.verb, info.path);
	const collection = !info.verbInPath && ["list", "watch", "deletecollection"].includes(info.verb);
	const text = query.get("fieldSelector");
	return {
		...resourceAttributes(user, info.verb, {
			namespace: info.namespace,
			apiGroup: info.group,
			apiVersion: info.version,
			resource: info.resource,
			subresource: info.subresource,
			name: info.name,
		}),
		path: info.path,
		fieldSelector: collection && text !== null ? readableSelector(text) : undefined,
	};
}

function readableSelector(text: string) {
	try {
		return parseFieldSelector(text);
	} catch {
		// A selector that cannot be read narrows nothing; the verb will refuse it with its own words.
		return undefined;
	}
}

/** The time a request may take: the server's limit, or less where it asks so (`timeout=10s`). Throws ApiError 400. */
function timeLimitMs(query: URLSearchParams, most: number): number {
	const asked = query.get("timeout") ?? "";
	if (asked === "") return most;
	try {
		const ms = readDuration(asked);
		return ms > 0 ? Math.min(ms, most) : most;
	} catch (error) {
		throw badRequest(`invalid timeout specified in the request URL - ${(error as Error).message}`);
	}
}

export function filterChain(options: ChainOptions): Handler {
	const impersonator = new Impersonator(options.authorizer);
	return async (request, inner) => {
		const began = options.clock.monotonic();
		const info = readRequestInfo(request.method, request.path, request.query);
		const longRunning = isLongRunning(info);
		let status = 0;
		const auditId = header(request, "audit-id") ?? randomUUID();
		const coded = compressing(request, inner, { ...info, longRunning });
		const response = new GuardedResponse(new WithHeaders(coded, { "audit-id": auditId.slice(0, 64) }), (code) => {
			status = code;
		});
		const time = new AbortController();
		const signal = AbortSignal.any([request.signal, time.signal]);
		const onTimeout = () => {
			time.abort();
			const raw = response.close();
			if (raw.headSent) raw.destroy();
			else {
				status = 504;
				sendError(raw, timedOut(), errorFormat(request));
			}
		};
		const warnings: string[] = [];
		let timer: Timer | undefined;
		const ended = longRunning ? options.metrics().longRunning(info) : () => {};
		try {
			if (!longRunning) {
				timer = options.clock.after(timeLimitMs(request.query, options.requestTimeoutMs), onTimeout);
			}
			await pass(options, impersonator, { request, response, info, signal, longRunning, warnings });
		} catch (error) {
			if (!request.signal.aborted) answerError(options, request, response, error, warnings);
		} finally {
			timer?.cancel();
			const seconds = (options.clock.monotonic() - began) / 1000;
			const dryRun = request.query.has("dryRun");
			options.metrics().request(info, status, seconds, { dryRun, longRunning, bytes: response.bytesWritten });
			ended();
		}
	};
}

interface Passing {
	readonly request: ApiRequest;
	readonly response: ApiResponse;
	readonly info: RequestInfo;
	readonly signal: AbortSignal;
	readonly longRunning: boolean;
	/** For the client, also where the request is refused. */
	readonly warnings: string[];
}

async function pass(options: ChainOptions, impersonator: Impersonator, passing: Passing): Promise<void> {
	const { request, response, info, warnings } = passing;
	const asker = await authenticate(options, request, warnings);
	const wanted = parseImpersonation(request.headers);
	const user =
		wanted === undefined ? asker : impersonator.impersonate(wanted, attributesOf(info, asker, request.query));
	const leave = passing.longRunning ? () => {} : options.limits.enter(info, asker.groups.includes(systemMasters));
	if (leave === undefined) {
		sendBytes(response, 429, textType, "Too many requests, please try again later.\n", { "retry-after": "1" });
		return;
	}
	try {
		requireAllowed(options.authorizer, attributesOf(info, user, request.query));
		await options.handle({ ...passing, user });
	} finally {
		leave();
	}
}

async function authenticate(options: ChainOptions, request: ApiRequest, warnings: string[]): Promise<UserInfo> {
	try {
		// Browsers can set no header of a WebSocket but its protocols.
		const token = bearerToken(header(request, "authorization")) ?? tokenFromProtocols(request.webSocket ?? []).token;
		const found = await options.authenticator.authenticate({ certificate: request.peerCertificate(), token });
		if (found.warning !== undefined) warnings.push(found.warning);
		return found.user;
	} catch (error) {
		if (!(error instanceof AuthenticationError)) throw error;
		options.log.debug("unable to authenticate the request", { reason: error.message });
		throw unauthorized();
	}
}

function answerError(
	options: ChainOptions,
	request: ApiRequest,
	response: ApiResponse,
	error: unknown,
	warnings: readonly string[],
): void {
	const known = error instanceof ApiError;
	if (!known) {
		options.log.error("request failed", {
			method: request.method,
			path: request.path,
			error,
			stack: error instanceof Error ? error.stack : undefined,
		});
	}
	if (response.headSent) {
		response.destroy();
		return;
	}
	const shown = known ? error : internalError("the server failed while it answered this request; see its log");
	sendError(response, shown, errorFormat(request), warningHeaders(warnings));
}

/** Adds headers to whatever is answered. */
class WithHeaders implements ApiResponse {
	readonly #inner: ApiResponse;
	readonly #headers: Readonly<Record<string, string>>;

	constructor(inner: ApiResponse, headers: Readonly<Record<string, string>>) {
		this.#inner = inner;
		this.#headers = headers;
	}

	get headSent(): boolean {
		return this.#inner.headSent;
	}

	get bytesWritten(): number {
		return this.#inner.bytesWritten;
	}

	head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
		this.#inner.head(status, { ...this.#headers, ...headers });
	}

	write(chunk: Buffer): boolean {
		return this.#inner.write(chunk);
	}

	onDrain(callback: () => void): void {
		this.#inner.onDrain(callback);
	}

	end(chunk?: Buffer | string): void {
		this.#inner.end(chunk);
	}

	destroy(): void {
		this.#inner.destroy();
	}
}
