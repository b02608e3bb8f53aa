/** Connections to all endpoints, dialled again with backoff, and the choice among them. */
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import { StoreError } from "../api.ts";
import { ClientConnection } from "./connection.ts";
import type { Connector } from "./connector.ts";

export interface EndpointsOptions {
	readonly endpoints: readonly string[];
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	readonly connector: Connector;
	readonly clusterId: bigint;
}

/** Where a watch wants to go. */
export interface Placement {
	onPlaced(connection: ClientConnection): void;
	/** There is none, and waiting does not help. */
	onRefused(error: StoreError): void;
}

interface Endpoint {
	readonly url: string;
	connection: ClientConnection | undefined;
	retryMs: number;
	timer: Timer | undefined;
	/** Of the last attempt to connect; undefined: none has ended yet, or it went well. */
	failure: Error | undefined;
}

const firstRetryMs = 50;
const lastRetryMs = 1000;
/**
 * A member that has not heard for this long of the leader that others know is cut off from it. Requests move soon: whoever
 * hears of a new leader at all hears of it within one round trip. Watches, of which there may be many, move later.
 */
const requestsMoveMs = 100;
const watchesMoveMs = 1000;
const reviewMs = 500;

export class Endpoints {
	readonly #options: EndpointsOptions;
	readonly #all: Endpoint[];
	readonly #placements = new Set<Placement>();
	readonly #mover: Timer;
	readonly #upWaiters = new Set<() => void>();
	#clusterId: bigint;
	/** As the connected member of the highest term knows it; 0n: none of them knows one. */
	#leader = 0n;
	#term = 0;
	#moveTimer: Timer | undefined;
	#closed = false;
	/** Why the last attempt to connect failed. */
	complaint = "not connected yet";

	constructor(options: EndpointsOptions) {
		if (options.endpoints.length === 0) throw new TypeError("endpoints: at least one is needed");
		this.#options = options;
		this.#clusterId = options.clusterId;
		this.#all = [...new Set(options.endpoints)].map((url) => ({
			url,
			connection: undefined,
			retryMs: firstRetryMs,
			timer: undefined,
			failure: undefined,
		}));
		for (const endpoint of this.#all) this.#dial(endpoint);
		this.#mover = options.clock.every(reviewMs, () => this.#move());
	}

	/** For `leader`: the leader's connection, else one of a member that knows the leader, else any. Otherwise: the first that knows it, else any. */
	pick(leader: boolean): ClientConnection | undefined {
		return this.#pick(leader, () => true);
	}

	#pick(leader: boolean, suits: (connection: ClientConnection) => boolean): ClientConnection | undefined {
		let best: ClientConnection | undefined;
		let bestScore = -1;
		for (const { connection } of this.#all) {
			if (connection === undefined || !suits(connection)) continue;
			let score = (this.#knowsLeader(connection) ? 2 : 0) + (connection.goingAway ? 0 : 1);
			if (leader && connection.memberId === this.#leader && !this.#hasStoodDown(connection)) score += 4;
			if (score > bestScore) {
				best = connection;
				bestScore = score;
			}
		}
		return best;
	}

	/** Every member that can be reached is of another cluster than ours: whoever waits is told at once. */
	get mismatch(): StoreError | undefined {
		let found: StoreError | undefined;
		for (const { connection, failure } of this.#all) {
			if (connection !== undefined || failure === undefined) return undefined;
			if (failure instanceof StoreError && failure.code === "cluster_id_mismatch") found = failure;
		}
		return found;
	}

	/** Calls back once, when the next connection comes up or there can be none; forgotten with `cancel`. */
	onceUp(onUp: () => void): { cancel(): void } {
		this.#upWaiters.add(onUp);
		return { cancel: () => void this.#upWaiters.delete(onUp) };
	}

	/** `afterMs`: not before then. */
	whenPlaced(placement: Placement, afterMs = 0): { cancel(): void } {
		const ask = () => {
			this.#placements.add(placement);
			this.#place();
		};
		let timer: Timer | undefined;
		if (afterMs > 0) timer = this.#options.clock.after(afterMs, ask, { keepAlive: true });
		else {
			this.#placements.add(placement);
			// Not at once: a caller inside a failing connection's handler must finish first.
			queueMicrotask(() => this.#place());
		}
		return {
			cancel: () => {
				timer?.cancel();
				this.#placements.delete(placement);
			},
		};
	}

	close(): void {
		this.#closed = true;
		this.#mover.cancel();
		this.#moveTimer?.cancel();
		this.#placements.clear();
		for (const endpoint of this.#all) {
			endpoint.timer?.cancel();
			endpoint.connection?.close();
		}
		this.#wakeUp();
	}

	#place(): void {
		const { mismatch } = this;
		if (this.#closed || (mismatch === undefined && this.pick(false) === undefined)) return;
		const waiting = [...this.#placements];
		this.#placements.clear();
		for (const placement of waiting) {
			// Looked for each: members take a limited number of watches on a connection.
			const connection = this.#pick(false, (one) => one.takesWatches);
			if (connection !== undefined) placement.onPlaced(connection);
			else placement.onRefused(mismatch ?? noRoom());
		}
	}

	#knowsLeader(connection: ClientConnection): boolean {
		return connection.leader !== 0n && connection.term >= this.#term;
	}

	/** The leader itself says, in the term it led, that it leads no more. */
	#hasStoodDown(connection: ClientConnection): boolean {
		return connection.leader === 0n && connection.term >= this.#term;
	}

	/** Determines again which member leads, and which members do not know that leader. */
	#review(): void {
		let [leader, term] = [0n, 0];
		for (const { connection } of this.#all) {
			if (connection === undefined || connection.leader === 0n) continue;
			if (leader === 0n || connection.term > term) [leader, term] = [connection.leader, connection.term];
		}
		this.#leader = leader;
		this.#term = term;
		const now = this.#options.clock.monotonic();
		for (const { connection } of this.#all) {
			if (connection === undefined) continue;
			const isBehind = leader !== 0n && connection.memberId !== leader && !this.#knowsLeader(connection);
			if (!isBehind) connection.behindSince = undefined;
			else if (connection.behindSince === undefined) {
				connection.behindSince = now;
				this.#moveIn(requestsMoveMs);
			}
		}
	}

	#moveIn(ms: number): void {
		if (!this.#closed) this.#moveTimer ??= this.#options.clock.after(ms, () => this.#move());
	}

	/** Moves requests that wait on members that are behind to other members. */
	#move(): void {
		this.#moveTimer?.cancel();
		this.#moveTimer = undefined;
		const now = this.#options.clock.monotonic();
		for (const { connection } of this.#all) {
			if (connection?.behindSince === undefined) continue;
			const behindMs = now - connection.behindSince;
			if (behindMs >= requestsMoveMs) connection.moveRequests();
			// Timers may be early by a fraction, and another one may have come to be behind since this one was set.
			else this.#moveIn(requestsMoveMs - behindMs + 1);
			if (behindMs >= watchesMoveMs) connection.dropWatches();
		}
	}

	#dial(endpoint: Endpoint): void {
		endpoint.timer = undefined;
		this.#connect(endpoint).then(
			(connection) => this.#connected(endpoint, connection),
			(error: Error) => this.#failed(endpoint, error),
		);
	}

	async #connect(endpoint: Endpoint): Promise<ClientConnection> {
		const channel = await this.#options.connector.connect(endpoint.url);
		let connection: ClientConnection | undefined;
		connection = await ClientConnection.open(channel, {
			clock: this.#options.clock,
			clusterId: this.#clusterId,
			onLeader: () => this.#review(),
			onGoingAway: () => this.#options.logger.debug("member is stopping", { endpoint: endpoint.url }),
			onClosed: (reason) => {
				if (connection !== undefined) this.#lost(endpoint, connection, reason);
			},
		});
		return connection;
	}

	#connected(endpoint: Endpoint, connection: ClientConnection): void {
		if (this.#closed || connection.closed) {
			connection.close();
			if (!this.#closed) this.#failed(endpoint, new Error("closed by the member"));
			return;
		}
		if (this.#clusterId === 0n) this.#clusterId = connection.clusterId;
		else if (this.#clusterId !== connection.clusterId) {
			connection.close();
			this.#failed(endpoint, mismatched(connection.clusterId));
			return;
		}
		endpoint.connection = connection;
		endpoint.failure = undefined;
		endpoint.retryMs = firstRetryMs;
		this.#review();
		this.#options.logger.debug("connected to the store", { endpoint: endpoint.url, member: connection.memberId });
		this.#wakeUp();
		this.#place();
	}

	#wakeUp(): void {
		const waiters = [...this.#upWaiters];
		this.#upWaiters.clear();
		for (const onUp of waiters) onUp();
	}

	#lost(endpoint: Endpoint, connection: ClientConnection, reason: Error): void {
		if (endpoint.connection !== connection) return;
		endpoint.connection = undefined;
		this.#review();
		this.#failed(endpoint, reason);
	}

	#failed(endpoint: Endpoint, error: Error): void {
		this.complaint = `${endpoint.url}: ${error.message}`;
		endpoint.failure = error;
		if (this.#closed) return;
		this.#options.logger.debug("no connection to the store", { endpoint: endpoint.url, error });
		const wait = endpoint.retryMs * (0.5 + this.#options.random.float() / 2);
		endpoint.retryMs = Math.min(lastRetryMs, endpoint.retryMs * 2);
		endpoint.timer = this.#options.clock.after(wait, () => this.#dial(endpoint), { keepAlive: true });
		if (this.mismatch === undefined) return;
		this.#wakeUp();
		this.#place();
	}
}

function mismatched(id: bigint): StoreError {
	return new StoreError("cluster_id_mismatch", `cluster id mismatch: this is ${id.toString(16)}`);
}

function noRoom(): StoreError {
	return new StoreError("too_many_requests", "every connection has as many watches as its member takes on one");
}
