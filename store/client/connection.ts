/** One connection of the client: greeting, pipelined requests, watches' notices, and the sign of life. */
import type { Clock, Timer } from "../../kit/clock.ts";
import { StoreError, type WatchBatch } from "../api.ts";
import {
	errorCodes,
	type FrameChannel,
	method,
	nativeVersion,
	notice,
	pack,
	status,
	unpack,
} from "../native/protocol.ts";
import { eventFromWire, Fields } from "../native/wire.ts";

/** The connection ended before the answer came: for a write, nobody knows. */
export class ConnectionLostError extends Error {
	override name = "ConnectionLostError";
}

/** We gave up waiting here, because the member has lost the leader that others know: for a write, nobody knows. */
export class RequestMovedError extends Error {
	override name = "RequestMovedError";
}

export interface Answer {
	readonly revision: number;
	readonly raftTerm: number;
	readonly body: unknown;
}

interface Pending {
	/** Another member can answer it as well. */
	readonly movable: boolean;
	readonly resolve: (answer: Answer) => void;
	readonly reject: (error: Error) => void;
}

export interface WatchSink {
	/** The member's revision when the watch was made. */
	onCreated(revision: number): void;
	onBatch(batch: WatchBatch): void;
	onEnd(error: StoreError): void;
	onLost(): void;
}

export interface SessionStamp {
	readonly session: bigint;
	readonly sequence: number;
	readonly acknowledged: number;
}

export interface ConnectionOptions {
	readonly clock: Clock;
	/** 0n: any. */
	readonly clusterId: bigint;
	/** What the member knows of the leader may have changed. */
	readonly onLeader: () => void;
	readonly onGoingAway: () => void;
	readonly onClosed: (reason: Error) => void;
}

const helloTimeoutMs = 5000;
const pingEveryMs = 1000;
/** Nothing heard for this long: the member or the path is gone. */
const silenceMs = 4000;

export class ClientConnection {
	readonly #channel: FrameChannel;
	readonly #options: ConnectionOptions;
	readonly #pending = new Map<number, Pending>();
	readonly #watches = new Map<number, WatchSink>();
	#nextId = 1;
	#closed = false;
	#heardAt: number;
	#timer: Timer | undefined;
	#welcome: ((error?: Error) => void) | undefined;
	memberId = 0n;
	clusterId = 0n;
	/** As the member knows it; 0n: none. */
	leader = 0n;
	/** The term in which the member knows that; 0: it does not tell. */
	term = 0;
	serverVersion = "";
	/** Since when others know a leader and the member does not, on the monotonic clock. */
	behindSince: number | undefined;
	/** The member said it stops; nothing new should go here. */
	goingAway = false;

	private constructor(channel: FrameChannel, options: ConnectionOptions) {
		this.#channel = channel;
		this.#options = options;
		this.#heardAt = options.clock.monotonic();
	}

	/** Greets; rejects with StoreError `cluster_id_mismatch` or `unavailable`. */
	static open(channel: FrameChannel, options: ConnectionOptions): Promise<ClientConnection> {
		const connection = new ClientConnection(channel, options);
		return new Promise((resolve, reject) => {
			const timer = options.clock.after(helloTimeoutMs, () =>
				connection.#welcome?.(new Error("no greeting came back")),
			);
			connection.#welcome = (error) => {
				connection.#welcome = undefined;
				timer.cancel();
				if (error === undefined) {
					connection.#watchLife();
					resolve(connection);
				} else {
					reject(error);
					channel.close();
				}
			};
			channel.start({
				onFrame: (frame) => connection.#onFrame(frame),
				onDrain: () => undefined,
				onClose: (reason) => connection.#onClose(reason),
			});
			channel.send(pack([nativeVersion, nativeVersion, options.clusterId]));
		});
	}

	get closed(): boolean {
		return this.#closed;
	}

	get underWay(): number {
		return this.#pending.size;
	}

	/** Rejects with StoreError as the server answered, ConnectionLostError, or RequestMovedError. */
	request(number: number, body: unknown, stamp?: SessionStamp): Promise<Answer> {
		return this.#ask(number, body, true, stamp);
	}

	#ask(number: number, body: unknown, movable: boolean, stamp?: SessionStamp): Promise<Answer> {
		if (this.#closed) return Promise.reject(new ConnectionLostError("connection is closed"));
		const id = this.#nextId++;
		return new Promise((resolve, reject) => {
			this.#pending.set(id, { movable, resolve, reject });
			this.#channel.send(
				pack(
					stamp === undefined
						? [id, number, body]
						: [id, number, body, stamp.session, stamp.sequence, stamp.acknowledged],
				),
			);
		});
	}

	/** The id names the watch in `cancelWatch` and `progress`. */
	watch(body: unknown, sink: WatchSink): number {
		const id = this.#nextId;
		this.#watches.set(id, sink);
		this.#ask(method.watch, body, false).then(
			(answer) => {
				if (this.#watches.get(id) === sink) sink.onCreated(answer.revision);
			},
			(error: Error) => {
				if (error instanceof StoreError && this.#watches.delete(id)) sink.onEnd(error);
			},
		);
		return id;
	}

	cancelWatch(id: number): void {
		if (!this.#watches.delete(id) || this.#closed) return;
		// A lost connection has ended the watch as well.
		this.#ask(method.watchCancel, [id], false).catch(() => undefined);
	}

	/** Every request under way is rejected with RequestMovedError; answers that still come are ignored. */
	moveRequests(): void {
		for (const [id, { movable, reject }] of [...this.#pending]) {
			if (!movable) continue;
			this.#pending.delete(id);
			reject(new RequestMovedError("the member has lost the leader that others know"));
		}
	}

	/** Moves every watch elsewhere: each is told that it was lost. */
	dropWatches(): void {
		for (const [id, sink] of [...this.#watches]) {
			this.cancelWatch(id);
			sink.onLost();
		}
	}

	progress(id: number): void {
		this.#ask(method.watchProgress, [id], false).catch(() => undefined);
	}

	close(): void {
		this.#channel.close();
		this.#onClose(new Error("closed by the client"));
	}

	#watchLife(): void {
		const { clock } = this.#options;
		this.#heardAt = clock.monotonic();
		this.#timer = clock.every(pingEveryMs, () => {
			const silent = clock.monotonic() - this.#heardAt;
			if (silent > silenceMs) {
				this.#channel.close();
				this.#onClose(new Error(`nothing heard for ${Math.round(silent)} ms`));
			} else if (silent > pingEveryMs / 2) this.#ask(method.ping, [], false).catch(() => undefined);
		});
	}

	#onClose(reason: Error): void {
		if (this.#closed) return;
		this.#closed = true;
		this.#timer?.cancel();
		this.#welcome?.(reason);
		const lost = new ConnectionLostError(reason.message);
		for (const pending of this.#pending.values()) pending.reject(lost);
		this.#pending.clear();
		const sinks = [...this.#watches.values()];
		this.#watches.clear();
		for (const sink of sinks) sink.onLost();
		this.#options.onClosed(reason);
	}

	#onFrame(frame: Buffer): void {
		this.#heardAt = this.#options.clock.monotonic();
		const message = unpack(frame);
		if (this.#welcome !== undefined) this.#onWelcome(new Fields(message, "welcome"));
		else if (Array.isArray(message) && message[0] === 0) this.#onNotice(message);
		else if (Array.isArray(message)) this.#onAnswer(message);
	}

	#onWelcome(f: Fields): void {
		const version = f.integer("version");
		const refusal = f.text("refusal");
		this.clusterId = f.id("cluster_id");
		this.memberId = f.id("member_id");
		const leader = f.id("leader");
		this.serverVersion = f.text("server_version");
		this.#leaderIs(leader, f.count("term"));
		if (refusal === "" && version === nativeVersion) this.#welcome?.();
		else {
			const mismatch = refusal.startsWith("cluster id mismatch");
			this.#welcome?.(new StoreError(mismatch ? "cluster_id_mismatch" : "unavailable", refusal));
		}
	}

	#leaderIs(leader: bigint, term: number): void {
		this.leader = leader;
		this.term = term;
		this.#options.onLeader();
	}

	#onAnswer(message: readonly unknown[]): void {
		const id = message[0] as number;
		const pending = this.#pending.get(id);
		if (pending === undefined) return;
		this.#pending.delete(id);
		if (message[1] === status.ok) {
			pending.resolve({ revision: Number(message[2] ?? 0), raftTerm: Number(message[3] ?? 0), body: message[4] });
			return;
		}
		const [, , code, text, compacted] = message;
		pending.reject(toError(code, text, compacted));
	}

	#onNotice(message: readonly unknown[]): void {
		const [, kind, id] = message;
		if (kind === notice.leader) this.#leaderIs(BigInt.asUintN(64, BigInt(id as bigint)), Number(message[3] ?? 0));
		else if (kind === notice.goingAway) {
			this.goingAway = true;
			this.#options.onGoingAway();
		} else if (kind === notice.watchBatch) {
			const [, , , revision, events] = message;
			this.#watches
				.get(id as number)
				?.onBatch({ revision: revision as number, events: (unpack(events as Buffer) as unknown[]).map(eventFromWire) });
		} else if (kind === notice.watchEnd) {
			const [, , , code, text, compacted] = message;
			const sink = this.#watches.get(id as number);
			this.#watches.delete(id as number);
			sink?.onEnd(toError(code, text, compacted));
		}
	}
}

function toError(code: unknown, text: unknown, compacted: unknown): StoreError {
	const known = errorCodes[Number(code)] ?? "outcome_unknown";
	const revision = Number(compacted ?? 0);
	return new StoreError(known, String(text), revision === 0 ? {} : { compactRevision: revision });
}
