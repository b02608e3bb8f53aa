/** Committed entries on their way into the machine, in order, no faster than its engine takes them. */
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Applied, StateMachine } from "../machine/types.ts";
import { decodeConfChange } from "../raft/codec.ts";
import type { ConfState, Entry, RaftCore } from "../raft/types.ts";

const engineRetryMs = 2;

export interface ApplierHost {
	readonly clock: Clock;
	readonly machine: StateMachine;
	readonly raft: RaftCore;
	/** Bytes of the machine not yet in the engine, above which nothing is applied. */
	readonly maxPendingBytes: number;
	stopped(): boolean;
	/** A received snapshot is replacing the machine's state. */
	installing(): boolean;
	/** Runs work against the core; see `Member`. */
	input(work: () => void): void;
	/** After each slice; `last` is its last entry. */
	applied(entries: readonly Entry[], last: Entry, answers: readonly Applied[]): void;
}

export class Applier {
	readonly #host: ApplierHost;
	#queue: (readonly Entry[])[] = [];
	#retry: Timer | undefined;
	/** How often applying had to wait for the engine, since start. */
	slow = 0;

	constructor(host: ApplierHost) {
		this.#host = host;
	}

	push(entries: readonly Entry[]): void {
		this.#queue.push(entries);
		this.applyReady();
	}

	stop(): void {
		this.#retry?.cancel();
	}

	applyReady(): void {
		const { machine, maxPendingBytes } = this.#host;
		while (this.#queue.length > 0 && !this.#host.installing() && !this.#host.stopped()) {
			if (machine.pendingBytes > maxPendingBytes) {
				this.#waitForEngine();
				return;
			}
			const entries = this.#queue.shift() ?? [];
			this.#apply(
				entries[0] !== undefined && entries[0].index <= machine.appliedIndex ? this.#unapplied(entries) : entries,
			);
		}
	}

	/** Drops entries that are part of the state already: a snapshot was installed after they were handed out. */
	#unapplied(entries: readonly Entry[]): readonly Entry[] {
		return entries.filter((entry) => entry.index > this.#host.machine.appliedIndex);
	}

	#waitForEngine(): void {
		if (this.#retry !== undefined) return;
		this.slow++;
		this.#retry = this.#host.clock.after(engineRetryMs, () => {
			this.#retry = undefined;
			this.#host.input(() => this.applyReady());
		});
	}

	#apply(entries: readonly Entry[]): void {
		const last = entries.at(-1);
		if (last === undefined) return;
		const answers = this.#host.machine.apply(entries, (entry) => this.#confAfter(entry));
		this.#host.applied(entries, last, answers);
	}

	#confAfter(entry: Entry): ConfState | undefined {
		return entry.kind === "confchange" ? this.#host.raft.applyConfChange(decodeConfChange(entry.data)) : undefined;
	}
}
