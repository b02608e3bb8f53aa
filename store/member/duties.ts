/**
 * What only a leader does: revoke expired leases, let replicated time advance in a quiet cluster, and compact history by
 * age or count. All of it goes through the log; a deposed leader's late proposal does no harm, since expiry is checked
 * again when the entry is applied.
 */
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Applied, Command, StateMachine } from "../machine/types.ts";
import type { AutoCompaction } from "./types.ts";

const periodMs = 500;
/** etcd: at most 1000 lease revokes a second. */
const revokesPerPeriod = 500;
const quietMs = 1000;
const revisionModeMs = 5 * 60_000;

export interface DutiesHost {
	readonly clock: Clock;
	readonly logger: Logger;
	readonly machine: StateMachine;
	/** Leader, and everything of earlier terms is applied. */
	ready(): boolean;
	/** Replicated time as it stands now, ms. */
	leaseNow(): number;
	propose(command: Command): Promise<Applied>;
	/** Whether anything replicated ages with time besides leases. */
	hasSessions(): boolean;
}

export class Duties {
	readonly #host: DutiesHost;
	readonly #compaction: AutoCompaction | undefined;
	readonly #revoking = new Set<bigint>();
	readonly #timers: Timer[] = [];
	#ticking = false;
	#samples: { readonly at: number; readonly revision: number }[] = [];

	constructor(host: DutiesHost, compaction: AutoCompaction | undefined) {
		this.#host = host;
		this.#compaction = compaction;
	}

	start(): void {
		this.#timers.push(this.#host.clock.every(periodMs, () => this.#expire()));
		const compaction = this.#compaction;
		if (compaction === undefined || compaction.retention <= 0) return;
		const every = compaction.mode === "revision" ? revisionModeMs : Math.min(compaction.retention, 3_600_000) / 10;
		this.#timers.push(this.#host.clock.every(every, () => this.#compact(compaction)));
	}

	stop(): void {
		for (const timer of this.#timers) timer.cancel();
	}

	#expire(): void {
		if (!this.#host.ready()) return;
		const now = this.#host.leaseNow();
		const room = revokesPerPeriod - this.#revoking.size;
		const expired = room > 0 ? this.#host.machine.expiredLeases(now, revokesPerPeriod) : [];
		for (const id of expired.filter((lease) => !this.#revoking.has(lease)).slice(0, room)) this.#revoke(id);
		if (expired.length === 0) this.#tick(now);
	}

	#revoke(id: bigint): void {
		this.#revoking.add(id);
		this.#host
			.propose({ kind: "lease_revoke", id, expired: true })
			.catch((error: unknown) => this.#host.logger.debug("lease expiry not proposed", { lease: id, error }))
			.finally(() => this.#revoking.delete(id));
	}

	#tick(now: number): void {
		const { machine } = this.#host;
		if (this.#ticking || now - machine.time < quietMs) return;
		if (!this.#host.hasSessions() && machine.leases().length === 0) return;
		this.#ticking = true;
		this.#host
			.propose({ kind: "tick" })
			.catch((error: unknown) => this.#host.logger.debug("tick not proposed", { error }))
			.finally(() => {
				this.#ticking = false;
			});
	}

	/** etcd's compactors: a revision sampled `retention` ago, or the newest less `retention`. */
	#compact(compaction: AutoCompaction): void {
		const { machine, clock } = this.#host;
		let target: number;
		if (compaction.mode === "revision") target = machine.revision - compaction.retention;
		else {
			const now = clock.monotonic();
			this.#samples.push({ at: now, revision: machine.revision });
			const old = this.#samples.filter((sample) => now - sample.at >= compaction.retention);
			target = old.at(-1)?.revision ?? 0;
			this.#samples = this.#samples.slice(Math.max(0, old.length - 1));
		}
		if (!this.#host.ready() || target <= 0 || target <= machine.compactRevision) return;
		this.#host.propose({ kind: "compact", revision: target }).then(
			(applied) => {
				if (applied.outcome instanceof Error) {
					this.#host.logger.warn("automatic compaction failed", { revision: target, error: applied.outcome });
				} else this.#host.logger.info("compacted history", { revision: target, mode: compaction.mode });
			},
			(error: unknown) => this.#host.logger.warn("automatic compaction not proposed", { revision: target, error }),
		);
	}
}
