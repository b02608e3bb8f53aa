/**
 * A failing handler fails only its own request. A listener of an event that throws, or an `async` one that rejects, is
 * an uncaught exception and ends the process; these turn it into an answer.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Logger } from "./log.ts";

/** Answers as `handle` does; 500 where that throws or rejects, or the connection's end where the answer had begun. */
export function guarded(
	logger: Logger,
	handle: (request: IncomingMessage, response: ServerResponse) => unknown,
): RequestListener {
	const failed = (error: unknown, request: IncomingMessage, response: ServerResponse) => {
		// A query may hold what is not for logs.
		const path = request.url?.split("?", 1)[0]?.slice(0, 200);
		logger.error("request failed", { path, error, stack: (error as Error | undefined)?.stack });
		if (response.headersSent) response.destroy();
		else response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end("internal error\n");
	};
	return (request, response) => {
		// Nobody else listens: an error of the connection would be thrown.
		response.on("error", () => undefined);
		try {
			const done = handle(request, response);
			if (done instanceof Promise) done.catch((error: unknown) => failed(error, request, response));
		} catch (error) {
			failed(error, request, response);
		}
	};
}
