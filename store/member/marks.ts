/**
 * Snapshot marks: now and then the machine's state is made durable, the log records its index and drops older entries.
 */
import type { Logger } from "../../kit/log.ts";
import type { StateMachine } from "../machine/types.ts";
import type { ConfState, Entry, RaftCore, SnapshotMeta } from "../raft/types.ts";
import type { Log } from "../wal/types.ts";
import { CatchUp } from "./catch-up.ts";
import type { MemberConfig, MemberLimits, MemberObserver } from "./types.ts";

export interface MarksHost {
	readonly config: Pick<MemberConfig, "snapshotCount" | "catchUpEntries">;
	readonly limits: Pick<MemberLimits, "snapshotBytes" | "catchUpBytes">;
	readonly machine: StateMachine;
	readonly log: Log;
	readonly raft: RaftCore;
	readonly logger: Logger;
	readonly observer: MemberObserver | undefined;
	stopped(): boolean;
	/** A received snapshot is replacing the state. */
	installing(): boolean;
	/** Snapshots are on their way to followers. */
	sending(): boolean;
	inBackground(work: Promise<unknown>): void;
	fail(error: unknown): void;
}

export class Marks {
	readonly #host: MarksHost;
	readonly #catchUp = new CatchUp();
	/** Of the newest mark. */
	#index: number;
	#marking: Promise<void> | undefined;

	constructor(host: MarksHost, index: number) {
		this.#host = host;
		this.#index = index;
	}

	/** A mark that is being made, to wait for. */
	get marking(): Promise<void> | undefined {
		return this.#marking;
	}

	/** The log begins after an installed snapshot. */
	installed(index: number): void {
		this.#index = index;
	}

	/** Counts what is applied. */
	applied(entries: readonly Entry[]): void {
		this.#catchUp.applied(entries);
	}

	maybeMark(applied: number): void {
		const { config, limits } = this.#host;
		const due = applied - this.#index >= config.snapshotCount || this.#catchUp.bytesSinceMark >= limits.snapshotBytes;
		if (!due || this.#marking !== undefined || this.#host.installing()) return;
		this.#marking = this.#mark()
			.catch((error: unknown) => this.#host.fail(error))
			.finally(() => {
				this.#marking = undefined;
			});
		this.#host.inBackground(this.#marking);
	}

	/** Machine durable, then mark, then forget: in this order a crash between two steps loses nothing. */
	async #mark(): Promise<void> {
		const { machine, log, raft, config, limits, observer, logger } = this.#host;
		const meta = withConf(await machine.sync(), raft.conf);
		if (this.#host.stopped() || this.#host.installing()) return;
		await log.append({ snapshot: meta, entries: [], mustSync: true });
		if (this.#host.stopped()) return;
		this.#index = Math.max(this.#index, meta.index);
		const to = this.#catchUp.compactTo(meta.index, config.catchUpEntries, limits.catchUpBytes);
		// A follower that takes a snapshot needs the entries after it next: keep them while one is under way.
		if (!this.#host.sending() && to >= raft.firstIndex) raft.compact(to, meta);
		await log.release(meta.index);
		observer?.onSnapshotMark?.(meta.index);
		logger.debug("log released", { mark: meta.index, kept: to });
	}
}

/** A machine that never applied a configuration change holds no configuration; then the core's is used. */
export function withConf(meta: SnapshotMeta, conf: ConfState): SnapshotMeta {
	return meta.conf.voters.length > 0 ? meta : { ...meta, conf };
}
