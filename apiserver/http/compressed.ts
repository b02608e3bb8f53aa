/**
 * Answers compressed with gzip where the client takes that and the answer is long, by upstream's rules: level 1, bodies
 * above 128 KiB, any verb of a resource but what streams for long. Compression runs on the thread pool, and follows the
 * client's pace.
 */
import { constants, createGzip, type Gzip } from "node:zlib";
import { type ApiRequest, type ApiResponse, headerValues } from "./types.ts";

/** Bodies up to this many bytes are sent as they are. */
export const compressedAbove = 128 << 10;
const level = constants.Z_BEST_SPEED;

/** Whether the client names gzip without parameters; upstream reads no weights, and `*` is no name. */
export const takesGzip = (request: ApiRequest): boolean =>
	headerValues(request, "accept-encoding").some((value) =>
		value
			.slice(0, 1024)
			.split(",")
			.some((coding) => coding.trim().toLowerCase() === "gzip"),
	);

interface Head {
	readonly status: number;
	readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** Holds back the head until it is known whether the body is long. */
export class CompressedResponse implements ApiResponse {
	readonly #inner: ApiResponse;
	readonly #above: number;
	#head: Head | undefined;
	/** What came before the decision; undefined: it was made. */
	#waiting: Buffer[] | undefined = [];
	#bytes = 0;
	#gzip: Gzip | undefined;
	#destroyed = false;

	constructor(inner: ApiResponse, above = compressedAbove) {
		this.#inner = inner;
		this.#above = above;
	}

	get headSent(): boolean {
		return this.#head !== undefined || this.#inner.headSent;
	}

	/** Before compression. */
	get bytesWritten(): number {
		return this.#bytes;
	}

	head(status: number, headers: Head["headers"]): void {
		this.#head = { status, headers };
		// Coded already, or without a body: nothing to decide.
		if (headers["content-encoding"] !== undefined || status === 204 || status === 304) this.#sendPlain();
	}

	write(chunk: Buffer): boolean {
		this.#bytes += chunk.length;
		if (this.#gzip !== undefined) return this.#gzip.write(chunk);
		if (this.#waiting === undefined) return this.#inner.write(chunk);
		this.#waiting.push(chunk);
		if (this.#bytes <= this.#above) return true;
		return this.#sendCompressed();
	}

	onDrain(callback: () => void): void {
		if (this.#gzip === undefined) this.#inner.onDrain(callback);
		else if (this.#gzip.writableNeedDrain) this.#gzip.once("drain", callback);
		else setImmediate(callback);
	}

	end(chunk?: Buffer | string): void {
		if (chunk !== undefined) this.write(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
		if (this.#gzip !== undefined) {
			this.#gzip.end();
			return;
		}
		const rest = this.#waiting === undefined ? undefined : Buffer.concat(this.#waiting);
		this.#sendPlain();
		this.#inner.end(rest);
	}

	destroy(): void {
		this.#destroyed = true;
		this.#gzip?.destroy();
		this.#inner.destroy();
	}

	#sendPlain(): void {
		if (this.#head === undefined || this.#waiting === undefined) return;
		this.#waiting = undefined;
		this.#inner.head(this.#head.status, this.#head.headers);
	}

	#sendCompressed(): boolean {
		const waiting = this.#waiting ?? [];
		this.#waiting = undefined;
		const { status, headers: given } = this.#head ?? { status: 200, headers: {} };
		const { "content-length": _, ...headers } = given;
		const vary = [headers["vary"] ?? [], "Accept-Encoding"].flat();
		this.#inner.head(status, { ...headers, "content-encoding": "gzip", vary });
		const gzip = createGzip({ level });
		this.#gzip = gzip;
		gzip.on("data", (coded: Buffer) => {
			if (this.#inner.write(coded) || gzip.destroyed) return;
			gzip.pause();
			this.#inner.onDrain(() => gzip.resume());
		});
		gzip.once("end", () => this.#inner.end());
		gzip.once("error", () => {
			if (!this.#destroyed) this.#inner.destroy();
		});
		return gzip.write(Buffer.concat(waiting));
	}
}

/** The response to write to: compressing where the client and the path allow it. */
export function compressing(
	request: ApiRequest,
	response: ApiResponse,
	of: { readonly isResource: boolean; readonly path: string; readonly longRunning: boolean },
): ApiResponse {
	if (of.longRunning || request.method === "HEAD" || !takesGzip(request)) return response;
	if (of.isResource) return new CompressedResponse(response);
	return wholePaths.has(of.path) ? new CompressedResponse(response, 0) : response;
}

/** Other answers that are worth it whatever their size. */
const wholePaths: ReadonlySet<string> = new Set(["/openapi/v2", "/metrics"]);
