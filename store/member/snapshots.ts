/**
 * Snapshots between members: sending the machine's state to a follower that the log no longer reaches back for, and
 * putting a received one in the place of our own. While one is installed, what the core wants persisted waits (`holds`).
 */
import type { Logger } from "../../kit/log.ts";
import { checkedSnapshot } from "../machine/snapshot.ts";
import type { StateMachine } from "../machine/types.ts";
import type { MemberId, Message, Persist, RaftCore, SnapshotMeta } from "../raft/types.ts";
import { withConf } from "./marks.ts";
import { memorySpool } from "./spool.ts";
import type { MemberObserver, PeerTransport, SnapshotSpool } from "./types.ts";

export interface SnapshotsHost {
	readonly machine: StateMachine;
	readonly raft: RaftCore;
	readonly transport: PeerTransport;
	readonly logger: Logger;
	readonly observer: MemberObserver | undefined;
	readonly openSpool: (() => Promise<SnapshotSpool>) | undefined;
	stopped(): boolean;
	/** Runs work against the core; see `Member`. */
	input(work: () => void): void;
	/** Performs what the core wants until it wants nothing more. */
	performAll(): void;
	/** A mark that is being made. */
	marking(): Promise<void> | undefined;
	/** The state is replaced; `persist` and what was held after it are to be written. */
	installed(persist: Persist, meta: SnapshotMeta, held: readonly Persist[]): void;
	inBackground(work: Promise<unknown>): void;
	fail(error: unknown): void;
}

interface Incoming {
	readonly meta: SnapshotMeta;
	readonly spool: SnapshotSpool;
	readonly done: (error?: Error) => void;
	taken: boolean;
}

export class Snapshots {
	readonly #host: SnapshotsHost;
	/** Followers that a snapshot is being sent to. */
	readonly #sending = new Set<MemberId>();
	#receiving = false;
	#incoming: Incoming | undefined;
	/** Persists held back while a received snapshot is being installed; undefined: none is. */
	#held: Persist[] | undefined;
	/** Since start. */
	readonly counters = { sent: 0, installed: 0 };

	constructor(host: SnapshotsHost) {
		this.#host = host;
	}

	get installing(): boolean {
		return this.#held !== undefined;
	}

	get sending(): number {
		return this.#sending.size;
	}

	/** The member stops: whoever sends us one is told. */
	stop(error: Error): void {
		this.#incoming?.done(error);
	}

	/** True: the persist is kept here, because it brings a snapshot or comes after one that is being installed. */
	holds(persist: Persist): boolean {
		if (this.#held !== undefined) {
			this.#held.push(persist);
			return true;
		}
		if (persist.snapshot === undefined) return false;
		this.#held = [];
		this.#host.inBackground(this.#install(persist, persist.snapshot));
		return true;
	}

	/** Takes over a snapshot message: it does not travel with the others. */
	send(message: Message): void {
		const { machine, raft, transport, logger, observer } = this.#host;
		const to = message.to;
		if (this.#sending.has(to)) return;
		this.#sending.add(to);
		const report = (ok: boolean) => {
			this.#sending.delete(to);
			if (ok) this.counters.sent++;
			observer?.onSnapshotSent?.(to, ok);
			this.#host.input(() => raft.reportSnapshot(to, ok));
		};
		const view = machine.snapshot();
		const meta = withConf(view.meta, raft.conf);
		const chunks = view.chunks[Symbol.asyncIterator]();
		logger.info("sending snapshot", { to, index: meta.index, term: meta.term });
		this.#host.inBackground(
			transport
				.sendSnapshot({ ...message, snapshot: meta }, { [Symbol.asyncIterator]: () => chunks })
				.then(
					() => report(true),
					(error: unknown) => {
						logger.warn("snapshot not delivered", { to, index: meta.index, error });
						report(false);
					},
				)
				.then(() => release(chunks))
				.catch((error: unknown) => logger.warn("snapshot's view not released", { error })),
		);
	}

	/** Resolves when the state is installed, or proved unneeded; rejects when it could not be. */
	async receive(message: Message, chunks: AsyncIterable<Buffer>): Promise<void> {
		const meta = message.snapshot;
		if (this.#host.stopped() || meta === undefined) throw new Error("member cannot take a snapshot now");
		if (this.#receiving) throw new Error("another snapshot is being received");
		this.#receiving = true;
		let spool: SnapshotSpool | undefined;
		try {
			spool = await (this.#host.openSpool ?? memorySpool)();
			// Once the core has taken it there is no way back: a damaged one must be refused before.
			for await (const chunk of checkedSnapshot(meta, chunks)) {
				if (this.#host.stopped()) throw new Error("member stopped");
				await spool.write(chunk);
			}
			await this.#offer(message, meta, spool);
		} finally {
			this.#receiving = false;
			this.#incoming = undefined;
			await spool?.discard();
		}
	}

	/** Steps the message; when the core takes the snapshot, waits for its installation. */
	#offer(message: Message, meta: SnapshotMeta, spool: SnapshotSpool): Promise<void> {
		return new Promise((resolve, reject) => {
			const incoming: Incoming = {
				meta,
				spool,
				taken: false,
				done: (error) => (error === undefined ? resolve() : reject(error)),
			};
			this.#incoming = incoming;
			this.#host.input(() => {
				this.#host.raft.step(message);
				this.#host.performAll();
				if (!incoming.taken) resolve();
			});
			if (this.#host.stopped()) reject(new Error("member stopped"));
		});
	}

	async #install(persist: Persist, meta: SnapshotMeta): Promise<void> {
		const { machine, logger } = this.#host;
		const incoming = this.#incoming;
		try {
			if (incoming === undefined || incoming.meta.index !== meta.index) {
				throw new Error(`the core asks for a snapshot at ${meta.index} that was not received`);
			}
			incoming.taken = true;
			await this.#host.marking();
			if (this.#host.stopped()) return;
			logger.info("installing snapshot", { index: meta.index, term: meta.term });
			await machine.restore(meta, incoming.spool.read());
			if (this.#host.stopped()) return;
			this.counters.installed++;
			const held = this.#held ?? [];
			this.#held = undefined;
			this.#host.installed(persist, meta, held);
			incoming.done();
		} catch (error) {
			this.#host.fail(error);
		}
	}
}

/** The engine keeps a snapshot's view until its iterator ends. One that never started must be started to end it. */
async function release(chunks: AsyncIterator<Buffer>): Promise<void> {
	await chunks.next();
	await chunks.return?.();
}
