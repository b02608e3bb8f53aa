/** WATCH: one response, a JSON line for each event, as long as the client or the time limit lets it. */
import type { StartPoint } from "../cache/resource-cache.ts";
import type { EventEncoder, WatchEnd, Watcher, WatchSink } from "../cache/watcher.ts";
import { jsonType } from "../http/render.ts";
import type { ApiRequest, ApiResponse } from "../http/types.ts";
import { ApiError } from "../machinery/errors.ts";
import type { Scope } from "./context.ts";
import { type ListOptions, parseResourceVersion, readListOptions } from "./query.ts";
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

/** Where the watch starts; waits until the cache is fresh enough for it. */
async function startOf(scope: Scope, options: ListOptions): Promise<StartPoint> {
	const revision = parseResourceVersion(options.resourceVersion, scope.resource);
	const { services } = scope;
	if (options.sendInitialEvents === true) {
		if (revision === 0 && options.resourceVersion === "") await waitConsistent(services);
		else await waitNotOlder(services, revision);
		return { after: undefined, initial: true, announceInitialEnd: options.allowWatchBookmarks };
	}
	if (options.resourceVersion === "") {
		await waitConsistent(services);
		return { after: undefined, initial: options.sendInitialEvents !== false, announceInitialEnd: false };
	}
	await waitNotOlder(services, 0);
	if (revision === 0)
		return { after: undefined, initial: options.sendInitialEvents !== false, announceInitialEnd: false };
	return { after: revision, initial: false, announceInitialEnd: false };
}

export async function watchObjects(scope: Scope): Promise<void> {
	const options = readListOptions(scope.request.query, scope.resource, true);
	const encoder = watchEncoder(scope);
	const start = await startOf(scope, options);
	scope.response.head(200, { "cache-control": "no-cache, private", "content-type": jsonType });
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
