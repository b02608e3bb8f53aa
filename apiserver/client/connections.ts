/** The connections of one client: a keep-alive pool for requests and one for watches, made anew when credentials are renewed. */
import { type Dispatcher, Pool } from "undici";
import type { Clock } from "../../kit/clock.ts";
import { rereadWhenChanged } from "../../kit/renewed.ts";
import { type ClusterAccess, loadKubeconfig } from "./kubeconfig.ts";

export interface Connections {
	readonly requests: Dispatcher;
	readonly watches: Dispatcher;
	close(): Promise<void>;
}

export interface ConnectionOptions {
	/** For one request and its answer, ms. */
	readonly timeoutMs: number;
	/** For requests other than watches. */
	readonly maxConnections: number;
	readonly maxAnswerBytes: number;
	/** Wraps the pool for requests. */
	readonly wrap: (pool: Pool) => Dispatcher;
}

/** Files are checked for changes at most this often, ms, since requests may be many. */
const lookEveryMs = 1000;

function connectionsTo(access: ClusterAccess, options: ConnectionOptions): Connections {
	const { timeoutMs, maxConnections, maxAnswerBytes, wrap } = options;
	const connect = {
		timeout: 10_000,
		keepAlive: true,
		keepAliveInitialDelay: 15_000,
		...(access.ca === undefined ? {} : { ca: access.ca }),
		...(access.cert === undefined ? {} : { cert: access.cert }),
		...(access.key === undefined ? {} : { key: access.key }),
		...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
		...(access.insecureSkipTlsVerify === true ? { rejectUnauthorized: false } : {}),
	};
	const { origin } = new URL(access.server);
	const common = { connect, pipelining: 1, keepAliveTimeout: 30_000, allowH2: false };
	const pool = new Pool(origin, {
		...common,
		connections: maxConnections,
		headersTimeout: timeoutMs,
		bodyTimeout: timeoutMs,
		maxResponseSize: maxAnswerBytes,
	});
	const watches = new Pool(origin, { ...common, connections: null, headersTimeout: timeoutMs, bodyTimeout: 0 });
	return {
		requests: wrap(pool),
		watches,
		async close() {
			await Promise.all([pool.destroy(), watches.destroy()]);
		},
	};
}

/**
 * Gives the connections to be used now. With `kubeconfig` its files are read again when they change; the fields of `access`
 * given beside it win. Requests and watches that run keep their connections until they end.
 */
export function connectionsOf(
	kubeconfig: string | undefined,
	access: ClusterAccess,
	given: Partial<ClusterAccess>,
	clock: Clock,
	options: ConnectionOptions,
): { current(): Connections; close(): Promise<void> } {
	const open = new Set<Connections>();
	const make = (to: ClusterAccess) => {
		const made = connectionsTo(to, options);
		open.add(made);
		return made;
	};
	let current = make(access);
	let lookedAt = clock.monotonic();
	const latest =
		kubeconfig === undefined
			? undefined
			: rereadWhenChanged(
					access.files ?? [kubeconfig],
					() => ({ ...loadKubeconfig(kubeconfig), ...given }),
					() => {},
				);
	let used = latest?.();
	const renew = (renewed: ClusterAccess) => {
		const old = current;
		current = make(renewed);
		// Idle connections close now; requests in flight end within their own time limits.
		const over = Promise.all([closeGently(old.requests), closeGently(old.watches)]);
		void over.then(() => open.delete(old));
	};
	return {
		current() {
			if (latest === undefined || clock.monotonic() - lookedAt < lookEveryMs) return current;
			lookedAt = clock.monotonic();
			const now = latest();
			if (now !== used) renew((used = now));
			return current;
		},
		async close() {
			await Promise.all([...open].map((each) => each.close()));
		},
	};
}

async function closeGently(dispatcher: Dispatcher): Promise<void> {
	try {
		await dispatcher.close();
	} catch {
		// The pool was destroyed meanwhile, together with its client.
	}
}
