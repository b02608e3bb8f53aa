/** HTTP/2 and HTTP/1.1 over TLS with Node's own server, behind the seam of types.ts. */

import type { IncomingMessage } from "node:http";
import http2, { type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ConnectionLimit } from "../../kit/descriptors.ts";
import { type Latest, serveLatest, type TlsTexts } from "../../kit/renewed.ts";
import type { SendAccount, SendBudget } from "../../kit/send-budget.ts";
import type { ClientCertificate } from "../authn/types.ts";
import { tooLarge } from "../machinery/errors.ts";
import { defaultIdleLimits, endWhenIdle, type IdleLimits } from "./idle.ts";
import type { ApiRequest, ApiResponse, Handler, Headers } from "./types.ts";
import { responseOn, UpgradableResponse } from "./upgrade.ts";
import { asksForWebSocket, handshakeProblem, offeredProtocols } from "./websocket.ts";

export interface ListenOptions {
	readonly host: string;
	readonly port: number;
	/** PEM. */
	readonly cert: string;
	readonly key: string;
	/** PEM: the authorities of client certificates. Without it none is asked for. */
	readonly clientCa?: string | undefined;
	/** Gives the three for each new connection, from files that may be renewed. Absent: those above never change. */
	readonly latest?: Latest<TlsTexts> | undefined;
	readonly handler: Handler;
	/** Absent: no limit. */
	readonly connectionLimit?: ConnectionLimit | undefined;
	/** Of all responses together. Absent: each has its high water only. */
	readonly sendBudget?: SendBudget | undefined;
	readonly idle?: IdleLimits | undefined;
	/** A handler that rejects: a bug, or a client that vanished. */
	readonly onError: (error: unknown) => void;
	/** A connection that cannot be accepted. Absent: `onError`. */
	readonly onAcceptError?: ((error: Error) => void) | undefined;
}

export interface Listening {
	readonly port: number;
	/** Stops taking connections; resolves when the open ones have ended, which `destroy` brings about. */
	close(): Promise<void>;
	/** Ends idle connections now and tells HTTP/2 clients to go elsewhere. */
	drain(): void;
	destroy(): void;
}

/** Streams one HTTP/2 client may have open at once (upstream's default). */
const maxConcurrentStreams = 250;
const headersTimeoutMs = 32_000;
/** A TLS handshake that takes longer ends its connection. */
const handshakeTimeoutMs = 10_000;
/** The head of a request, in bytes: Node's own limit for HTTP/2, and more than its 16 KiB for HTTP/1. */
const maxHeaderBytes = 64 << 10;
/** Longest path before the query, in bytes. No name is longer than 253; upstream refuses only what its heads may not hold. */
const maxPathBytes = 16 << 10;
/** HTTP/1: within this time a request must have come whole, whatever it is answered. */
const requestTimeoutMs = 300_000;
/** A body that is still on its way when the answer is out has this long to end, or its stream or connection does. */
const lateBodyMs = 5_000;
/** Buffered bytes above which a write asks to wait. */
const writeHighWater = 256 << 10;

/** The client left before its request was whole. */
class ClientGone extends Error {
	override readonly name = "ClientGone";
}

/** Node joins repeated headers with commas; the values of these may contain some. */
function distinct(raw: readonly string[]): Record<string, string[]> {
	const found: Record<string, string[]> = {};
	for (let i = 0; i + 1 < raw.length; i += 2) {
		const name = (raw[i] as string).toLowerCase();
		if (name.startsWith("impersonate-")) (found[name] ??= []).push(raw[i + 1] as string);
	}
	return found;
}

class Request implements ApiRequest {
	readonly method: string;
	readonly path: string;
	readonly query: URLSearchParams;
	readonly headers: Headers;
	readonly httpVersion: "1.1" | "2.0";
	readonly remoteAddress: string;
	readonly signal: AbortSignal;
	readonly #raw: Http2ServerRequest;
	readonly webSocket: readonly string[] | undefined;
	#reading = false;
	#abandoned = () => {};

	constructor(raw: Http2ServerRequest, signal: AbortSignal, webSocket?: readonly string[]) {
		this.#raw = raw;
		this.webSocket = webSocket;
		this.signal = signal;
		this.method = raw.method;
		const at = raw.url.indexOf("?");
		this.path = at < 0 ? raw.url : raw.url.slice(0, at);
		this.query = new URLSearchParams(at < 0 ? "" : raw.url.slice(at + 1));
		this.headers = { ...raw.headers, ...distinct(raw.rawHeaders) };
		this.httpVersion = raw.httpVersionMajor === 2 ? "2.0" : "1.1";
		this.remoteAddress = this.#socket()?.remoteAddress ?? "";
	}

	peerCertificate(): ClientCertificate | undefined {
		const socket = this.#socket();
		const certificate = socket?.getPeerCertificate?.();
		if (socket === undefined || certificate?.subject === undefined) return undefined;
		// A connection may outlive the certificate it began with.
		const verified = socket.authorized && Date.now() <= Date.parse(certificate.valid_to);
		return { ...certificate, verified };
	}

	/** The body was asked for, and has not come whole. */
	get reading(): boolean {
		return this.#reading;
	}

	/** Nobody waits for the rest of the body any more: what comes of it is forgotten. */
	abandon(): void {
		this.#raw.removeAllListeners("data");
		this.#raw.resume();
		this.#abandoned();
	}

	body(limit: number): Promise<Buffer> {
		const raw = this.#raw;
		this.#reading = true;
		return new Promise((resolve, reject) => {
			this.#abandoned = () => reject(new ClientGone());
			const chunks: Buffer[] = [];
			let size = 0;
			const refuse = () => {
				raw.removeAllListeners("data");
				// What still comes is read and forgotten, so that the client gets to read the answer.
				raw.resume();
				reject(tooLarge(`Request entity too large: limit is ${limit}`));
			};
			if (Number(raw.headers["content-length"] ?? 0) > limit) {
				refuse();
				return;
			}
			raw.on("data", (chunk: Buffer) => {
				size += chunk.length;
				if (size > limit) refuse();
				else chunks.push(chunk);
			});
			raw.on("end", () => {
				this.#reading = false;
				resolve(Buffer.concat(chunks, size));
			});
			raw.on("error", reject);
			raw.on("aborted", () => reject(new ClientGone()));
		});
	}

	#socket(): TLSSocket | undefined {
		const raw = this.#raw;
		return (raw.httpVersionMajor === 2 ? raw.stream?.session?.socket : raw.socket) as TLSSocket | undefined;
	}
}

class Response implements ApiResponse {
	readonly #raw: Http2ServerResponse;
	#bytes = 0;
	#headSent = false;
	#corked = false;
	readonly #account: SendAccount | undefined;

	constructor(raw: Http2ServerResponse, budget?: SendBudget) {
		this.#raw = raw;
		this.#account = budget?.enter({ buffered: () => this.#buffered(), end: () => this.#cut() });
		if (this.#account !== undefined) raw.once("close", this.#account.leave);
	}

	get headSent(): boolean {
		return this.#headSent;
	}

	get bytesWritten(): number {
		return this.#bytes;
	}

	head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
		this.#headSent = true;
		if (this.#gone()) return;
		for (const [name, value] of Object.entries(headers)) this.#raw.setHeader(name, value as string);
		this.#raw.writeHead(status);
		// HTTP/1 keeps the head back until the first byte of the body, which on a quiet watch may be minutes away.
		process.nextTick(() => {
			if (this.#bytes === 0 && !this.#gone()) (this.#raw as { flushHeaders?: () => void }).flushHeaders?.();
		});
	}

	write(chunk: Buffer): boolean {
		this.#bytes += chunk.length;
		if (this.#gone()) return true;
		this.#cork();
		this.#raw.write(chunk);
		const buffered = this.#buffered();
		this.#account?.wrote(chunk.length, buffered);
		return buffered < writeHighWater;
	}

	onDrain(callback: () => void): void {
		if (this.#gone() || this.#buffered() < writeHighWater) setImmediate(callback);
		else this.#raw.once("drain", callback);
	}

	end(chunk?: Buffer | string): void {
		if (this.#gone()) return;
		if (chunk === undefined) this.#raw.end();
		else {
			this.#bytes += chunk.length;
			this.#raw.end(chunk);
			this.#account?.wrote(chunk.length, this.#buffered());
		}
	}

	/** Frees what waits. What is left unsaid is for the client to see: a reset stream, or a closed connection of HTTP/1. */
	#cut(): void {
		const { stream, socket } = this.#raw;
		if (stream?.close === undefined) {
			socket?.destroy();
			return;
		}
		// The reset may never get out, and the stream would wait for that.
		stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
		stream.destroy();
	}

	destroy(): void {
		if (this.#raw.stream?.close !== undefined && !this.#gone())
			this.#raw.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
		else this.#raw.destroy?.();
	}

	#gone(): boolean {
		return this.#raw.destroyed || this.#raw.writableEnded || this.#raw.stream?.destroyed === true;
	}

	#buffered(): number {
		const target = this.#raw.stream ?? this.#raw;
		return (target as { writableLength?: number }).writableLength ?? 0;
	}

	/**
	 * All writes of one turn of the event loop go out together. HTTP/1.1 corks its socket: a corked ServerResponse writes the
	 * end of a chunked body before the chunks it holds.
	 */
	#cork(): void {
		if (this.#corked) return;
		const target: { cork(): void; uncork(): void } | null = this.#raw.stream ?? this.#raw.socket;
		if (target === null) return;
		this.#corked = true;
		target.cork();
		process.nextTick(() => {
			this.#corked = false;
			target.uncork();
		});
	}
}

/** What a client must be told before its connection is closed: HTTP/1 that cannot be read. */
function refuseConnection(error: Error & { code?: string }, socket: TLSSocket): void {
	const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
	if (socket.writable)
		socket.end(`HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n${status}`);
	socket.destroySoon();
}

/**
 * An answered request whose body trickles in would hold its stream or connection for as long as its client likes. What
 * comes for a while yet is read and forgotten: a client that is cut off while it sends never reads its answer.
 */
function endLateBody(raw: Http2ServerRequest, request: Request): void {
	if (!request.reading) return;
	request.abandon();
	const { socket } = raw;
	const end = () => {
		if (raw.httpVersionMajor !== 2) socket.destroy();
		else if (!raw.stream.destroyed) raw.stream.close(http2.constants.NGHTTP2_NO_ERROR);
	};
	const timer = setTimeout(end, lateBodyMs);
	timer.unref();
	const over = () => clearTimeout(timer);
	raw.once("end", over);
	raw.once("close", over);
}

function refusePath(response: ApiResponse): void {
	response.head(431, { "content-type": "text/plain; charset=utf-8" });
	response.end("431 Request Header Fields Too Large");
}

/** Listens; rejects when the address is taken. */
export async function listen(options: ListenOptions): Promise<Listening> {
	// Node hands the options for HTTP/1 through, which its types leave out.
	const forHttp1: object = { maxHeaderSize: maxHeaderBytes };
	const server = http2.createSecureServer({
		...forHttp1,
		allowHTTP1: true,
		cert: options.cert,
		key: options.key,
		...(options.clientCa === undefined ? {} : { ca: options.clientCa }),
		requestCert: options.clientCa !== undefined,
		rejectUnauthorized: false,
		minVersion: "TLSv1.2",
		handshakeTimeout: handshakeTimeoutMs,
		settings: { maxConcurrentStreams, initialWindowSize: 256 << 10 },
	});
	serveLatest(server, options.latest, { minVersion: "TLSv1.2" });
	server.setTimeout(0);
	Object.assign(server, {
		headersTimeout: headersTimeoutMs,
		requestTimeout: requestTimeoutMs,
		keepAliveTimeout: 180_000,
	});
	const sockets = new Set<TLSSocket>();
	const sessions = new Set<http2.ServerHttp2Session>();
	/** Connections of HTTP/1 with requests that are being answered; Node's server of both versions does not tell them. */
	const busy = new Map<TLSSocket, number>();
	let draining = false;
	const begin = (socket: TLSSocket) => busy.set(socket, (busy.get(socket) ?? 0) + 1);
	const end = (socket: TLSSocket) => {
		const left = (busy.get(socket) ?? 1) - 1;
		if (left > 0) {
			busy.set(socket, left);
			return;
		}
		busy.delete(socket);
		if (draining) socket.end();
	};
	server.on("connection", (socket: Socket) => options.connectionLimit?.enter(socket));
	server.on("secureConnection", (socket: TLSSocket) => {
		sockets.add(socket);
		socket.setNoDelay(true);
		socket.on("close", () => sockets.delete(socket));
	});
	server.on("session", (session) => {
		sessions.add(session);
		session.on("close", () => sessions.delete(session));
		endWhenIdle(session, options.idle ?? defaultIdleLimits);
		// A client that breaks the protocol or its connection costs only itself.
		session.on("error", () => session.destroy());
	});
	server.on("tlsClientError", () => {});
	server.on("clientError", refuseConnection);
	const serve = (raw: Http2ServerRequest, out: Http2ServerResponse) => {
		if (raw.httpVersionMajor !== 2) {
			const socket = raw.socket as TLSSocket;
			begin(socket);
			out.once("close", () => end(socket));
		}
		const asking = raw.httpVersionMajor === 2 ? raw.stream.session?.socket : raw.socket;
		if (asking !== undefined) options.connectionLimit?.asked(asking);
		const gone = new AbortController();
		raw.on("error", () => gone.abort());
		out.on("error", () => gone.abort());
		out.on("close", () => gone.abort());
		const response = new Response(out, options.sendBudget);
		const request = new Request(raw, gone.signal);
		if (request.path.length > maxPathBytes) {
			// Before anything is made of it, as a head that is too long.
			refusePath(response);
			return;
		}
		// The response of HTTP/2 finishes only when its stream has closed, which is what has to be brought about.
		(raw.httpVersionMajor === 2 ? raw.stream : out).once("finish", () => endLateBody(raw, request));
		options.handler(request, response).catch((error: unknown) => {
			options.onError(error);
			response.destroy();
		});
	};
	server.on("request", (raw: Http2ServerRequest, out: Http2ServerResponse) => {
		try {
			serve(raw, out);
		} catch (error) {
			// The connection may have ended meanwhile; reading its properties then throws.
			options.onError(error);
			raw.destroy();
		}
	});
	const upgrade = (raw: IncomingMessage, socket: TLSSocket, first: Buffer) => {
		socket.on("error", () => socket.destroy());
		begin(socket);
		options.connectionLimit?.asked(socket);
		const gone = new AbortController();
		socket.once("close", () => {
			end(socket);
			gone.abort();
		});
		const out = responseOn(raw, socket) as unknown as Http2ServerResponse;
		const plain = new Response(out, options.sendBudget);
		const wanted = asksForWebSocket(raw);
		const problem = wanted ? handshakeProblem(raw) : undefined;
		if (problem !== undefined) {
			plain.head(400, { "content-type": "text/plain; charset=utf-8", "sec-websocket-version": "13" });
			plain.end(`400 Bad Request: ${problem}`);
			return;
		}
		const response = new UpgradableResponse(raw, socket, first, plain, () => gone.abort(), options.sendBudget);
		const offered = wanted ? offeredProtocols(raw) : undefined;
		const request = new Request(raw as unknown as Http2ServerRequest, gone.signal, offered);
		if (request.path.length > maxPathBytes) {
			refusePath(plain);
			return;
		}
		options.handler(request, response).catch((error: unknown) => {
			options.onError(error);
			response.destroy();
		});
	};
	// Node 24.9 and later asks; before, all who ask for whatever protocol come, and those get a plain answer.
	Object.assign(server, { shouldUpgradeCallback: asksForWebSocket });
	server.on("upgrade", (raw: IncomingMessage, socket: TLSSocket, first: Buffer) => {
		try {
			upgrade(raw, socket, first);
		} catch (error) {
			options.onError(error);
			socket.destroy();
		}
	});
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(options.port, options.host, () => {
			server.off("error", reject);
			resolve();
		});
	});
	server.on("error", options.onAcceptError ?? options.onError);
	return {
		port: (server.address() as AddressInfo).port,
		close: () => new Promise((resolve) => server.close(() => resolve())),
		drain() {
			draining = true;
			for (const session of sessions) session.close();
			for (const socket of sockets) if (socket.alpnProtocol !== "h2" && !busy.has(socket)) socket.end();
		},
		destroy() {
			for (const session of sessions) session.destroy();
			for (const socket of sockets) socket.destroy();
		},
	};
}
