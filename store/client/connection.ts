/** One connection of the client: greeting, pipelined requests, watches' notices, and the sign of life. */
import type { Clock, Timer } from "../../kit/clock.ts";
import { StoreError, type WatchBatch } from "../api.ts";
import {
	errorCodes,
	type FrameChannel,
	method,
	nativeVersion,
	notice,
	oldestNativeVersion,
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

/** A request under way. */
export interface Asked {
	/** Rejects with StoreError as the server answered, ConnectionLostError, or RequestMovedError. */
	readonly answer: Promise<Answer>;
	/** Nobody waits for the answer any more; the server is told. */
	abandon(): void;
}

interface Pending {
	/** Another member can answer it as well. */
	readonly movable: boolean;
	readonly resolve: (answer: Answer) => void;
	readonly reject: (error: Error) => void;
	/** Slices of a long answer that are here. */
	parts: Buffer[];
	bytes: number;
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
/** A longer answer is none of ours. */
const maxAnswerBytes = 1 << 30;

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
	#version = 0;
	/** Longest frame that the member takes; 0: it does not tell. */
	#maxFrameBytes = 0;
	/** Watches that the member takes on one connection; 0: it does not tell. */
	#maxWatches = 0;
	memberId = 0n;
	clusterId = 0n;
	/** The leader as the member knows it; 0n: none. */
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
			channel.send(pack([oldestNativeVersion, nativeVersion, options.clusterId]));
		});
	}

	get closed(): boolean {
		return this.#closed;
	}

	get underWay(): number {
		return this.#pending.size;
	}

	/** Whether the member takes one more watch on this connection. */
	get takesWatches(): boolean {
		return this.#maxWatches === 0 || this.#watches.size < this.#maxWatches;
	}

	request(number: number, body: unknown, stamp?: SessionStamp): Asked {
		const id = this.#nextId;
		const answer = this.#ask(number, body, true, stamp);
		return { answer, abandon: () => this.#abandon(id) };
	}

	/** Answers that still come are ignored. */
	#abandon(id: number): void {
		if (this.#pending.delete(id) && this.#version > 1) this.#channel.send(pack([id, method.abandon]));
	}

	#ask(number: number, body: unknown, movable: boolean, stamp?: SessionStamp): Promise<Answer> {
		if (this.#closed) return Promise.reject(new ConnectionLostError("connection is closed"));
		const id = this.#nextId++;
		const frame = pack(
			stamp === undefined ? [id, number, body] : [id, number, body, stamp.session, stamp.sequence, stamp.acknowledged],
		);
		const limit = this.#maxFrameBytes;
		if (limit > 0 && frame.length > limit) return Promise.reject(requestTooLarge(frame.length, limit));
		return new Promise((resolve, reject) => {
			this.#pending.set(id, { movable, resolve, reject, parts: [], bytes: 0 });
			this.#channel.send(frame);
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

	/** Every request under way is abandoned here and rejected with RequestMovedError. */
	moveRequests(): void {
		for (const [id, { movable, reject }] of [...this.#pending]) {
			if (!movable) continue;
			this.#abandon(id);
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
		this.#maxFrameBytes = f.count("max_frame_bytes");
		this.#maxWatches = f.count("max_watches");
		this.#version = version;
		const spoken = version >= oldestNativeVersion && version <= nativeVersion;
		if (refusal === "" && spoken) this.#welcome?.();
		else {
			const mismatch = refusal.startsWith("cluster id mismatch");
			const why = refusal === "" ? `the member speaks version ${version} of the protocol` : refusal;
			this.#welcome?.(new StoreError(mismatch ? "cluster_id_mismatch" : "unavailable", why));
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
		if (message[1] === status.part) {
			this.#addPart(pending, message[2]);
			return;
		}
		this.#pending.delete(id);
		if (message[1] === status.complete) {
			const whole = unpack(Buffer.concat(pending.parts));
			if (!Array.isArray(whole) || whole[0] !== status.ok) throw new Error("an answer in parts makes no sense");
			pending.resolve(toAnswer(whole));
			return;
		}
		if (message[1] === status.ok) {
			pending.resolve(toAnswer(message.slice(1)));
			return;
		}
		const [, , code, text, compacted] = message;
		pending.reject(toError(code, text, compacted));
	}

	#addPart(pending: Pending, part: unknown): void {
		if (!Buffer.isBuffer(part)) throw new Error("a part of an answer must be bytes");
		pending.bytes += part.length;
		if (pending.bytes > maxAnswerBytes) throw new Error(`an answer is above ${maxAnswerBytes} bytes`);
		pending.parts.push(part);
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

/** From `[ok, revision, term, body]`. */
function toAnswer([, revision, term, body]: readonly unknown[]): Answer {
	return { revision: Number(revision ?? 0), raftTerm: Number(term ?? 0), body };
}

function requestTooLarge(bytes: number, limit: number): StoreError {
	const message = `etcdserver: request is too large: ${bytes} bytes, the member takes ${limit}`;
	return new StoreError("request_too_large", message);
}

function toError(code: unknown, text: unknown, compacted: unknown): StoreError {
	const known = errorCodes[Number(code)] ?? "outcome_unknown";
	const revision = Number(compacted ?? 0);
	return new StoreError(known, String(text), revision === 0 ? {} : { compactRevision: revision });
}
