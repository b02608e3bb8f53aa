/** A watch that outlives connections: it resumes after the last revision delivered, without gaps or repeats. */
import type { StoreError, WatchBatch, WatchHandle, WatchHandler, WatchRequest } from "../api.ts";
import { watchToWire } from "../native/wire.ts";
import type { ClientConnection } from "./connection.ts";
import type { Placement } from "./endpoints.ts";

export interface WatchHome {
	/** A connection for a watch, after `afterMs` or when there is one again; `cancel` stops the wait. */
	place(placement: Placement, afterMs: number): { cancel(): void };
	ended(watcher: Watcher): void;
}

/** Codes after which the same watch elsewhere goes on. */
const resumable: ReadonlySet<StoreError["code"]> = new Set(["unavailable", "timeout", "closed", "too_many_requests"]);

/** Waits between attempts that members refuse or end at once, ms. */
const firstRetryMs = 50;
const lastRetryMs = 2000;

export class Watcher implements WatchHandle {
	readonly #home: WatchHome;
	readonly #request: WatchRequest;
	readonly #handler: WatchHandler;
	/** First revision not delivered yet; 0: whatever comes after the watch is made. */
	#next: number;
	#connection: ClientConnection | undefined;
	#id = 0;
	#placing: { cancel(): void } | undefined;
	#progressWanted = false;
	#ended = false;
	/** Of the next attempt, should this one be ended by its member; 0 again once something is delivered. */
	#retryMs = 0;

	readonly #signal: AbortSignal | undefined;
	readonly #onAbort = () => this.cancel();

	constructor(home: WatchHome, request: WatchRequest, handler: WatchHandler, signal?: AbortSignal) {
		this.#home = home;
		this.#request = { ...request, key: Buffer.from(request.key) };
		this.#handler = handler;
		this.#next = request.startRevision ?? 0;
		this.#signal = signal;
		signal?.addEventListener("abort", this.#onAbort, { once: true });
		this.#place();
	}

	requestProgress(): void {
		if (this.#ended) return;
		if (this.#connection === undefined) this.#progressWanted = true;
		else this.#connection.progress(this.#id);
	}

	cancel(): void {
		if (this.#ended) return;
		this.#over();
		this.#placing?.cancel();
		this.#connection?.cancelWatch(this.#id);
	}

	#over(): void {
		this.#ended = true;
		this.#signal?.removeEventListener("abort", this.#onAbort);
		this.#home.ended(this);
	}

	/** Ends it from our side with an error, as when the client closes. */
	end(error: StoreError): void {
		if (this.#ended) return;
		this.cancel();
		this.#handler.onEnd(error);
	}

	#place(afterMs = 0): void {
		this.#connection = undefined;
		const placement: Placement = {
			onPlaced: (connection) => {
				this.#placing = undefined;
				if (!this.#ended) this.#start(connection);
			},
			onRefused: (error) => this.end(error),
		};
		this.#placing = this.#home.place(placement, afterMs);
	}

	#placeLater(): void {
		const wait = Math.max(firstRetryMs, this.#retryMs);
		this.#retryMs = Math.min(lastRetryMs, 2 * wait);
		this.#place(wait);
	}

	#start(connection: ClientConnection): void {
		this.#connection = connection;
		const current = () => !this.#ended && this.#connection === connection;
		this.#id = connection.watch(watchToWire({ ...this.#request, startRevision: this.#next }), {
			onCreated: (revision) => {
				if (!current()) return;
				if (this.#next === 0) this.#next = revision + 1;
				if (this.#progressWanted) connection.progress(this.#id);
				this.#progressWanted = false;
			},
			onBatch: (batch) => {
				if (current()) this.#deliver(batch);
			},
			onEnd: (error) => {
				if (!current()) return;
				if (resumable.has(error.code)) this.#placeLater();
				else {
					this.#over();
					this.#handler.onEnd(error);
				}
			},
			onLost: () => {
				if (current()) this.#place();
			},
		});
	}

	/** Another member may be behind the one we came from, or send again what we have seen. */
	#deliver(batch: WatchBatch): void {
		if (batch.revision < this.#next - 1) return;
		this.#retryMs = 0;
		const first = batch.events[0];
		const fresh =
			first === undefined || first.kv.modRevision >= this.#next
				? batch.events
				: batch.events.filter((event) => event.kv.modRevision >= this.#next);
		if (batch.events.length > 0 && fresh.length === 0) return;
		this.#next = Math.max(this.#next, batch.revision + 1);
		this.#handler.onBatch(fresh === batch.events ? batch : { events: fresh, revision: batch.revision });
	}
}
