/** WATCH: one response, a JSON line (or WebSocket message) for each event, as long as the client or the time limit lets it. */
import { tokenFromProtocols } from "../authn/union.ts";
import type { StartPoint } from "../cache/resource-cache.ts";
import type { EventEncoder, WatchEnd, Watcher, WatchSink } from "../cache/watcher.ts";
import { jsonType } from "../http/render.ts";
import type { ApiRequest, ApiResponse } from "../http/types.ts";
import { ApiError, fieldForbidden, invalid } from "../machinery/errors.ts";
import type { Scope } from "./context.ts";
import { type ListOptions, readListOptions, readRevision } from "./query.ts";
import { cacheOf, waitConsistent, waitNotOlder } from "./read.ts";
import { watchEncoder } from "./respond.ts";
import { selectionOf } from "./selection.ts";

/** Bookmarks come this long before the end, so that the next watch starts close. */
const lastBookmarkMs = 2000;

const tooOld = (wanted: number, floor: number) =>
	new ApiError(410, "Expired", `too old resource version: ${wanted} (${floor})`);

const errorFrame = (error: ApiError): Buffer =>
	Buffer.from(`${JSON.stringify({ type: "ERROR", object: error.toStatus() })}\n`);

/** Seconds a watch lasts: as asked, else between the server's minimum and twice that. */
function lifetimeSeconds(scope: Scope, options: ListOptions): number {
	if (options.timeoutSeconds !== undefined && options.timeoutSeconds > 0) return options.timeoutSeconds;
	const least = scope.services.minRequestTimeoutSeconds;
	return least * (1 + scope.services.random.float());
}

/**
 * Where the watch starts; waits until the cache is fresh enough for it. Without a revision, or from any, it begins with what
 * is there as if sendInitialEvents had been said.
 */
async function startOf(scope: Scope, options: ListOptions, revision: number): Promise<StartPoint> {
	const { services } = scope;
	if (options.sendInitialEvents ?? revision === 0) {
		if (options.resourceVersion === "") await waitConsistent(services);
		else await waitNotOlder(services, revision);
		return { after: undefined, initial: true, announceInitialEnd: options.allowWatchBookmarks };
	}
	if (options.resourceVersion === "") await waitConsistent(services);
	else await waitNotOlder(services, 0);
	return { after: revision === 0 ? undefined : revision, initial: false, announceInitialEnd: false };
}

/** What a watch with initial objects may not have; throws ApiError 422. */
function checkInitial(options: ListOptions, revision: number): void {
	if (options.continueToken === "" || !(options.sendInitialEvents ?? revision === 0)) return;
	throw invalid("meta.k8s.io", "ListOptions", "", [
		fieldForbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"),
	]);
}

export async function watchObjects(scope: Scope): Promise<void> {
	const { response } = scope;
	const options = readListOptions(scope.request.query, scope.resource, true);
	const revision = readRevision(options.resourceVersion);
	checkInitial(options, revision);
	const encoder = watchEncoder(scope);
	const begin = () => {
		const protocols = scope.request.webSocket;
		if (protocols === undefined) {
			response.head(200, { "cache-control": "no-cache, private", "content-type": jsonType });
			return;
		}
		// A message of text for each event, whatever protocol was offered, as upstream sends them.
		const { rest } = tokenFromProtocols(protocols);
		response.head(101, rest[0] === undefined ? {} : { "sec-websocket-protocol": rest[0] });
	};
	let start: StartPoint;
	try {
		start = await startOf(scope, options, revision);
	} catch (error) {
		// The stream has begun for upstream's client by the time the state that it waits for cannot be had.
		if (!(error instanceof ApiError) || options.sendInitialEvents !== true) throw error;
		begin();
		response.end(errorFrame(error));
		return;
	}
	begin();
	await new WatchStream(scope, options, encoder, start).run();
}

class WatchStream implements WatchSink {
	readonly #scope: Scope;
	readonly #request: ApiRequest;
	readonly #response: ApiResponse;
	readonly #options: ListOptions;
	readonly #encoder: EventEncoder;
	readonly #start: StartPoint;
	#watcher: Watcher | undefined;
	#finish: () => void = () => {};
	#ended = false;

	constructor(scope: Scope, options: ListOptions, encoder: EventEncoder, start: StartPoint) {
		this.#scope = scope;
		this.#request = scope.request;
		this.#response = scope.response;
		this.#options = options;
		this.#encoder = encoder;
		this.#start = start;
	}

	/** Resolves when the stream is over. */
	async run(): Promise<void> {
		const { services, resource, namespace, name } = this.#scope;
		const cache = cacheOf(services, resource);
		const watcher = cache.watch(
			{
				selection: selectionOf(resource, namespace, name, this.#options),
				encoder: this.#encoder,
				sink: this,
				bookmarks: this.#options.allowWatchBookmarks,
			},
			this.#start,
		);
		if (watcher === undefined) {
			this.#response.end(errorFrame(tooOld(this.#start.after ?? 0, cache.floor)));
			return;
		}
		this.#watcher = watcher;
		const over = new Promise<void>((resolve) => {
			this.#finish = resolve;
		});
		const life = lifetimeSeconds(this.#scope, this.#options) * 1000;
		const last = services.clock.after(Math.max(0, life - lastBookmarkMs), () => void watcher.bookmark());
		const end = services.clock.after(life, () => this.#over());
		const gone = () => this.#over();
		this.#request.signal.addEventListener("abort", gone, { once: true });
		if (this.#request.signal.aborted) this.#over();
		else cache.run(watcher);
		await over;
		last.cancel();
		end.cancel();
		this.#request.signal.removeEventListener("abort", gone);
		watcher.stop();
		this.#response.end();
	}

	write(frame: Buffer): boolean {
		if (this.#ended) return true;
		if (this.#response.write(frame)) return true;
		this.#response.onDrain(() => {
			const { services, resource } = this.#scope;
			if (!this.#ended && this.#watcher !== undefined) cacheOf(services, resource).drained(this.#watcher);
		});
		return false;
	}

	end(reason: WatchEnd): void {
		if (reason.kind === "too_old") this.write(errorFrame(tooOld(this.#start.after ?? 0, reason.floor)));
		this.#over();
	}

	#over(): void {
		this.#ended = true;
		this.#finish();
	}
}
