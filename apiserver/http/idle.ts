/** HTTP/2 connections that ask nothing: Node gives those of HTTP/1 up by itself, and keeps these for ever. */
import type { ServerHttp2Session } from "node:http2";

export interface IdleLimits {
	/** A connection has this long to ask its first request, ms. */
	readonly firstRequestMs: number;
	/** A connection on which nothing is asked or answered is told to go after this long, ms. */
	readonly betweenRequestsMs: number;
}

/** Upstream's ReadHeaderTimeout and IdleTimeout. */
export const defaultIdleLimits: IdleLimits = { firstRequestMs: 32_000, betweenRequestsMs: 90_000 };

/** Ends `session` when it is idle. Streams that are open count as asking, however quiet they are. */
export function endWhenIdle(session: ServerHttp2Session, limits: IdleLimits): void {
	let open = 0;
	let timer: NodeJS.Timeout | undefined = setTimeout(() => session.destroy(), limits.firstRequestMs);
	timer.unref();
	const stop = () => {
		clearTimeout(timer);
		timer = undefined;
	};
	session.on("stream", (stream) => {
		open++;
		stop();
		stream.once("close", () => {
			if (--open > 0 || session.closed || session.destroyed) return;
			timer = setTimeout(() => {
				session.close();
				// One that does not end its side is not waited for.
				timer = setTimeout(() => session.destroy(), limits.firstRequestMs);
				timer.unref();
			}, limits.betweenRequestsMs);
			timer.unref();
		});
	});
	session.once("close", stop);
}
