/** One client's connection in the native protocol: reads requests, answers them in any order, and feeds its watches. */
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { SendAccount, SendBudget } from "../../kit/send-budget.ts";
import { StoreError, type WatchBatch } from "../api.ts";
import type { Abandonable } from "../member/long-ranges.ts";
import type { Requests } from "../member/requests.ts";
import {
	errorCodes,
	type FrameChannel,
	frameHeadBytes,
	method,
	nativeVersion,
	notice,
	oldestNativeVersion,
	pack,
	status,
	unpack,
} from "../native/protocol.ts";
import { packedSize, packSlices, sliceBytes } from "../native/slices.ts";
import * as wire from "../native/wire.ts";
import type { WatchCursor } from "../watch/types.ts";
import { Answers, rangeSlices } from "./answers.ts";
import { packEvents } from "./events.ts";
import { longAnswered, methods, type WireAnswer } from "./methods.ts";

export interface NativeServerOptions {
	readonly requests: Requests;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly serverVersion: string;
	/** The leader as this member knows it; 0n: none. */
	readonly leader: () => bigint;
	readonly onRequest?: (method: number) => void;
	readonly onWatchers?: (change: number) => void;
	/** Longest frame taken, for the greeting; absent: not told. */
	readonly maxFrameBytes?: number | undefined;
	readonly limits?: Partial<NativeLimits>;
	/** Of all connections of the process together. Absent: each has its own limits only. */
	readonly sendBudget?: SendBudget | undefined;
}

export interface NativeLimits {
	readonly maxWatches: number;
	/** Requests of one connection under way; more are refused. */
	readonly maxPipelined: number;
	/** Outgoing bytes above which watches pause and requests wait until all of them are taken. */
	readonly pauseAbove: number;
	/** A connection that took nothing for this long while paused loses its watches, ms. */
	readonly slowAfterMs: number;
	/** Outgoing bytes above which the connection is ended. */
	readonly maxBacklog: number;
	readonly idleHelloMs: number;
	/** How often a quiet watch that asked for it is told the revision, ms. */
	readonly progressEveryMs: number;
	/** Longest answer to a client of protocol version 1, which takes it in one frame only. */
	readonly maxFrameAnswer: number;
}

export const defaultNativeLimits: NativeLimits = {
	maxWatches: 10_000,
	maxPipelined: 10_000,
	pauseAbove: 4 << 20,
	slowAfterMs: 30_000,
	maxBacklog: 1 << 30,
	idleHelloMs: 10_000,
	progressEveryMs: 10 * 60_000,
	maxFrameAnswer: 64 << 20,
};

interface ServedWatch {
	readonly handle: WatchCursor;
	/** Since the last progress interval something was sent. */
	busy: boolean;
	readonly progress: Timer | undefined;
}

export class NativeConnection {
	readonly #options: NativeServerOptions;
	readonly #limits: NativeLimits;
	readonly #channel: FrameChannel;
	readonly #watches = new Map<number, ServedWatch>();
	readonly #onClosed: () => void;
	readonly #answers: Answers;
	readonly #account: SendAccount | undefined;
	/** The protocol's version spoken; 0: not greeted yet. */
	#version = 0;
	#closed = false;
	/** Since the connection was made, with what surrounds each frame. */
	#sentBytes = 0;
	#underWay = 0;
	#paused = false;
	/** Came while paused. */
	#held: Buffer[] = [];
	#slowTimer: Timer | undefined;
	#helloTimer: Timer | undefined;

	constructor(channel: FrameChannel, options: NativeServerOptions, onClosed: () => void = () => {}) {
		this.#channel = channel;
		this.#options = options;
		this.#limits = { ...defaultNativeLimits, ...options.limits };
		this.#onClosed = onClosed;
		this.#answers = new Answers({
			backlog: () => channel.backlog,
			taken: () => this.#sentBytes - channel.backlog,
			send: (frame) => this.#sendFrame(frame),
			close: () => channel.close(),
			clock: options.clock,
			turn: () => options.requests.turn(),
			waitAbove: this.#limits.pauseAbove / 4,
			slowAfterMs: this.#limits.slowAfterMs,
			maxUnderWay: this.#limits.maxPipelined,
		});
		this.#account = options.sendBudget?.enter({
			buffered: () => channel.backlog,
			// Nothing is said: it would stand behind all that the client does not take. It connects again and resumes its watches.
			end: () => (channel.destroy === undefined ? channel.close() : channel.destroy()),
		});
		this.#helloTimer = options.clock.after(this.#limits.idleHelloMs, () => channel.close());
		channel.start({
			onFrame: (frame) => this.#onFrame(frame),
			onDrain: () => this.#drained(),
			onClose: (reason) => this.#ended(reason),
		});
	}

	/** Tells the client who leads now, and in which term the member knows it. */
	leaderChanged(leader: bigint): void {
		if (this.#version > 0) this.#send([0, notice.leader, leader, this.#options.requests.replica.term]);
	}

	goingAway(why: string): void {
		if (this.#version > 0) this.#send([0, notice.goingAway, why]);
	}

	close(): void {
		this.#channel.close();
	}

	#ended(reason: Error): void {
		if (this.#closed) return;
		this.#closed = true;
		this.#held = [];
		this.#answers.close();
		this.#account?.leave();
		this.#helloTimer?.cancel();
		this.#slowTimer?.cancel();
		for (const { handle, progress } of this.#watches.values()) {
			handle.cancel();
			progress?.cancel();
		}
		this.#options.onWatchers?.(-this.#watches.size);
		this.#watches.clear();
		this.#options.logger.debug("client disconnected", { reason });
		this.#onClosed();
	}

	#send(message: unknown[]): void {
		this.#sendFrame(pack(message));
	}

	#sendFrame(frame: Buffer): void {
		if (this.#closed) return;
		this.#channel.send(frame);
		const bytes = frame.length + frameHeadBytes;
		this.#sentBytes += bytes;
		const backlog = this.#channel.backlog;
		this.#account?.wrote(bytes, backlog);
		if (backlog > this.#limits.maxBacklog) this.#channel.close();
		else if (backlog > this.#pauseAbove()) this.#pause();
	}

	#pauseAbove(): number {
		const { pauseAbove } = this.#limits;
		return this.#options.sendBudget?.pauseAbove(pauseAbove) ?? pauseAbove;
	}

	#onFrame(frame: Buffer): void {
		if (this.#paused) this.#held.push(frame);
		else this.#take(frame);
	}

	#take(frame: Buffer): void {
		let message: unknown;
		try {
			message = unpack(frame);
		} catch (error) {
			throw new Error(`malformed frame: ${(error as Error).message}`);
		}
		if (this.#version === 0) {
			this.#greet(message);
			return;
		}
		const fields = new wire.Fields(message, "request");
		const id = fields.integer("id");
		const number = fields.integer("method");
		if (number === method.abandon) {
			this.#answers.abandon(id);
			return;
		}
		if (this.#underWay >= this.#limits.maxPipelined) {
			this.#fail(id, new StoreError("too_many_requests", "etcdserver: too many requests"));
			return;
		}
		this.#options.onRequest?.(number);
		try {
			this.#dispatch(id, number, fields);
		} catch (error) {
			this.#fail(id, error);
		}
	}

	#greet(message: unknown): void {
		const fields = new wire.Fields(message, "hello");
		const min = fields.integer("min_version");
		const max = fields.integer("max_version");
		const cluster = fields.id("cluster_id");
		const { clusterId, memberId, term } = this.#options.requests.replica;
		let refusal = "";
		if (min > nativeVersion || max < oldestNativeVersion) {
			refusal = `protocol versions ${min} to ${max} are not spoken here, only ${oldestNativeVersion} to ${nativeVersion}`;
		} else if (cluster !== 0n && cluster !== clusterId) {
			refusal = `cluster id mismatch: this is ${clusterId.toString(16)}`;
		}
		const version = Math.min(Math.max(max, oldestNativeVersion), nativeVersion);
		this.#version = refusal === "" ? version : 0;
		this.#helloTimer?.cancel();
		const { leader, serverVersion, maxFrameBytes = 0 } = this.#options;
		const limits = [maxFrameBytes, this.#limits.maxWatches];
		this.#channel.send(pack([version, refusal, clusterId, memberId, leader(), serverVersion, term, ...limits]));
		if (refusal !== "") this.#channel.close();
	}

	#dispatch(id: number, number: number, f: wire.Fields): void {
		const body = f.any();
		const plain = methods.get(number);
		if (plain !== undefined) {
			const session = f.id("session");
			const options = { session, sequence: f.count("sequence"), acknowledged: f.count("acknowledged") };
			const caller = longAnswered.has(number) ? this.#answers.begin(id) : undefined;
			try {
				this.#reply(id, plain(this.#options.requests, body, options, caller), caller);
			} catch (error) {
				if (caller !== undefined) this.#answers.end(id, caller);
				throw error;
			}
		} else if (number === method.ping) {
			this.#send([id, status.ok, this.#options.leader()]);
		} else if (number === method.watch) {
			this.#watch(id, wire.watchFromWire(body));
		} else if (number === method.watchCancel) {
			this.#dropWatch(new wire.Fields(body, "watch_cancel").integer("watch_id"))?.handle.cancel();
			this.#send([id, status.ok]);
		} else if (number === method.watchProgress) {
			this.#watches.get(new wire.Fields(body, "watch_progress").integer("watch_id"))?.handle.requestProgress();
			this.#send([id, status.ok]);
		} else throw new StoreError("invalid_argument", `request.method: ${number} is unknown`);
	}

	#reply(id: number, answer: Promise<WireAnswer>, caller: Abandonable | undefined): void {
		this.#underWay++;
		const done = () => {
			this.#underWay--;
			if (caller !== undefined) this.#answers.end(id, caller);
		};
		answer.then(
			(made) => {
				if (caller !== undefined && isLong(made)) {
					this.#replySlowly(id, made, caller).finally(done);
					return;
				}
				done();
				if (caller?.abandoned === true) return;
				const { header, body } = made;
				this.#send([id, status.ok, header.revision, header.raftTerm, body]);
			},
			(error: unknown) => {
				done();
				if (caller?.abandoned !== true) this.#fail(id, error);
			},
		);
	}

	/** Never rejects. */
	async #replySlowly(id: number, { header, body, pages }: WireAnswer, caller: Abandonable): Promise<void> {
		if (this.#answers.busy) pages?.forget();
		try {
			const slices =
				pages === undefined
					? packSlices([status.ok, header.revision, header.raftTerm, body])
					: rangeSlices(header, pages);
			if (this.#version > 1) await this.#answers.send(id, caller, slices);
			else await this.#answers.sendWhole(id, caller, slices, this.#limits.maxFrameAnswer);
		} catch (error) {
			if (!caller.abandoned) this.#fail(id, error);
		}
	}

	#fail(id: number, error: unknown): void {
		if (this.#closed) return;
		if (error instanceof StoreError) {
			this.#send([id, status.error, errorCodes.indexOf(error.code), error.message, error.compactRevision ?? 0]);
			return;
		}
		// Ours, not the client's: say so, and look into it.
		this.#options.logger.error("request failed", { error, stack: (error as Error).stack });
		this.#send([id, status.error, errorCodes.indexOf("outcome_unknown"), "internal error", 0]);
	}

	// ---- watches ----

	/** The request's id names the watch from then on. */
	#watch(id: number, request: Parameters<Requests["watch"]>[0]): void {
		if (this.#watches.has(id)) throw new StoreError("invalid_argument", `watch: id ${id} is in use`);
		if (this.#watches.size >= this.#limits.maxWatches) {
			throw new StoreError("too_many_requests", `a connection may have at most ${this.#limits.maxWatches} watches`);
		}
		const { requests } = this.#options;
		// What is delivered while the watch is being set up must follow its acknowledgement.
		let early: (() => void)[] | undefined = [];
		const later = (work: () => void) => (early === undefined ? work() : void early.push(work));
		const revision = requests.replica.machine.revision;
		const handle = requests.watch(request, {
			onBatch: (batch) => later(() => this.#onBatch(id, batch)),
			onEnd: (error) => later(() => this.#onWatchEnd(id, error)),
		});
		const progress = request.progressNotify === true ? this.#progressTimer(id) : undefined;
		this.#watches.set(id, { handle, busy: false, progress });
		this.#options.onWatchers?.(1);
		this.#send([id, status.ok, revision]);
		const waiting = early;
		early = undefined;
		for (const work of waiting) work();
		if (this.#paused) handle.pause();
	}

	#progressTimer(id: number): Timer {
		return this.#options.clock.every(this.#limits.progressEveryMs, () => {
			const watch = this.#watches.get(id);
			if (watch === undefined) return;
			if (!watch.busy) watch.handle.requestProgress();
			watch.busy = false;
		});
	}

	#dropWatch(id: number): ServedWatch | undefined {
		const watch = this.#watches.get(id);
		if (watch === undefined) return undefined;
		this.#watches.delete(id);
		watch.progress?.cancel();
		this.#options.onWatchers?.(-1);
		return watch;
	}

	#onBatch(id: number, batch: WatchBatch): void {
		const watch = this.#watches.get(id);
		if (watch === undefined) return;
		watch.busy = true;
		this.#send([0, notice.watchBatch, id, batch.revision, packEvents(batch.events)]);
	}

	#onWatchEnd(id: number, error: StoreError): void {
		if (this.#dropWatch(id) === undefined) return;
		const code = errorCodes.indexOf(error.code);
		this.#send([0, notice.watchEnd, id, code, error.message, error.compactRevision ?? 0]);
	}

	#pause(): void {
		if (this.#paused) return;
		this.#paused = true;
		// For a client that does not take its answers, no more are made.
		this.#channel.setReading?.(false);
		// Not from within a delivery: others of this connection may be about to get the same batch.
		queueMicrotask(() => {
			if (this.#paused && !this.#closed) for (const { handle } of this.#watches.values()) handle.pause();
		});
		this.#watchProgress(this.#channel.backlog);
	}

	/** While paused: a client that takes nothing between two looks is ended. */
	#watchProgress(before: number): void {
		this.#slowTimer = this.#options.clock.after(this.#limits.slowAfterMs, () => {
			const backlog = this.#channel.backlog;
			if (backlog < before) {
				this.#watchProgress(backlog);
				return;
			}
			const error = new StoreError("slow_watcher", `the client took nothing for ${this.#limits.slowAfterMs} ms`);
			for (const [id, { handle }] of [...this.#watches]) {
				handle.cancel();
				this.#onWatchEnd(id, error);
			}
			this.#channel.close();
		});
	}

	#drained(): void {
		this.#account?.wrote(0, this.#channel.backlog);
		this.#answers.drained();
		if (!this.#paused) return;
		this.#paused = false;
		this.#slowTimer?.cancel();
		this.#takeHeld();
		if (this.#paused || this.#closed) return;
		this.#channel.setReading?.(true);
		for (const { handle } of this.#watches.values()) handle.resume();
	}

	#takeHeld(): void {
		const held = this.#held;
		this.#held = [];
		try {
			for (const frame of held) this.#onFrame(frame);
		} catch (error) {
			this.#options.logger.debug("client sends what cannot be read", { error });
			this.#channel.close();
		}
	}
}

function isLong({ body, pages }: WireAnswer): boolean {
	return pages !== undefined || packedSize(body, sliceBytes) > sliceBytes;
}
