/**
 * The seam between the wire and the API: everything behind it works on these two interfaces, whatever speaks HTTP below
 * (node:http2 today).
 */
import type { ClientCertificate } from "../authn/types.ts";

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface ApiRequest {
	readonly method: string;
	/** As on the wire, without the query: percent-encoding kept. */
	readonly path: string;
	readonly query: URLSearchParams;
	/** Names in lower case. */
	readonly headers: Headers;
	readonly remoteAddress: string;
	readonly httpVersion: "1.1" | "2.0";
	/** Aborted when the client is gone. */
	readonly signal: AbortSignal;
	/** The client's certificate, if it sent one. */
	peerCertificate(): ClientCertificate | undefined;
	/** Subprotocols in the client's order, when it asks for a WebSocket: a head of status 101 opens it. */
	readonly webSocket?: readonly string[] | undefined;
	/** The whole body; rejects with 413 once it exceeds `limit` bytes. Called once. */
	body(limit: number): Promise<Buffer>;
}

export interface ApiResponse {
	/** Status and headers; once, before any byte of the body. */
	head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void;
	readonly headSent: boolean;
	/** False: the socket is full; go on after `onDrain`. */
	write(chunk: Buffer): boolean;
	/** Calls back once, when there is room again. */
	onDrain(callback: () => void): void;
	end(chunk?: Buffer | string): void;
	/** Cuts the connection or stream: the client sees that the body is not whole. */
	destroy(): void;
	readonly bytesWritten: number;
}

export type Handler = (request: ApiRequest, response: ApiResponse) => Promise<void>;

/** One header's value; the first where it was sent more than once. */
export function header(request: ApiRequest, name: string): string | undefined {
	const value = request.headers[name];
	return typeof value === "string" || value === undefined ? value : value[0];
}

/** All values of a header, commas not split. */
export function headerValues(request: ApiRequest, name: string): readonly string[] {
	const value = request.headers[name];
	if (value === undefined) return [];
	return typeof value === "string" ? [value] : value;
}

/** Writes chunks as fast as the client takes them; stops quietly when it is gone. */
export async function writeAll(
	request: ApiRequest,
	response: ApiResponse,
	chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<void> {
	for await (const chunk of chunks) {
		if (request.signal.aborted) return;
		if (!response.write(chunk)) await room(request, response);
	}
}

/** Resolves when the response takes bytes again, or the client is gone. */
export function room(request: ApiRequest, response: ApiResponse): Promise<void> {
	if (request.signal.aborted) return Promise.resolve();
	return new Promise((resolve) => {
		const done = () => {
			request.signal.removeEventListener("abort", done);
			resolve();
		};
		request.signal.addEventListener("abort", done, { once: true });
		response.onDrain(done);
	});
}
