/**
 * Linearizable reads without writing to the log (thesis 6.4): the leader notes its commit index, then proves by one round
 * of heartbeats that it still leads. Rounds are numbered by one counter that never runs back while the member lives, so a
 * late answer never confirms a later read; answers of an earlier life carry an earlier term and are dropped.
 */
import { type MemberId, none } from "./types.ts";

/** Reads kept waiting on one member; reads beyond this fail and must be asked again. */
const maxReads = 65_536;
/** Rounds under way at once; later reads share the next. */
const maxRounds = 64;

export interface PendingRead {
	readonly id: bigint;
	/** `none`: asked here. */
	readonly from: MemberId;
}

interface Round {
	readonly number: number;
	readonly index: number;
	readonly reads: readonly PendingRead[];
}

/** The leader's side. */
export class LeaderReads {
	#waiting: PendingRead[] = [];
	#rounds: Round[] = [];
	#count = 0;
	#round = 0;

	/** The newest round. */
	get round(): number {
		return this.#round;
	}

	get canOpen(): boolean {
		return this.#waiting.length > 0 && this.#rounds.length < maxRounds;
	}

	/** False when too many wait. */
	add(id: bigint, from: MemberId): boolean {
		if (this.#count >= maxReads) return false;
		this.#count++;
		this.#waiting.push({ id, from });
		return true;
	}

	/** Everything waiting will be answered with `index` (the commit index now) once the round is confirmed. */
	open(index: number): number {
		this.#round++;
		this.#rounds.push({ number: this.#round, index, reads: this.#waiting });
		this.#waiting = [];
		return this.#round;
	}

	/** Ends the rounds up to `confirmed`: a later confirmation proves the earlier ones too. */
	confirm(confirmed: number, answer: (read: PendingRead, index: number) => void): void {
		while (this.#rounds.length > 0 && this.#rounds[0]!.number <= confirmed) {
			const { reads, index } = this.#rounds.shift()!;
			this.#count -= reads.length;
			for (const read of reads) answer(read, index);
		}
	}

	/** No longer leader. */
	fail(answer: (read: PendingRead) => void): void {
		if (this.#count === 0) return;
		const reads = [...this.#rounds.flatMap((round) => round.reads), ...this.#waiting];
		this.#rounds = [];
		this.#waiting = [];
		this.#count = 0;
		for (const read of reads) if (read.from === none) answer(read);
	}
}

/** The follower's side: reads of one turn go to the leader in one message, under the first one's id, which nobody reuses. */
export class ForwardedReads {
	readonly #retryTicks: number;
	#fresh: bigint[] = [];
	readonly #sent = new Map<bigint, readonly bigint[]>();
	#count = 0;
	#ticks = 0;

	constructor(retryTicks: number) {
		this.#retryTicks = retryTicks;
	}

	get hasFresh(): boolean {
		return this.#fresh.length > 0;
	}

	add(id: bigint): boolean {
		if (this.#count >= maxReads) return false;
		this.#count++;
		this.#fresh.push(id);
		return true;
	}

	/** The id under which everything fresh is to be asked. */
	send(): bigint {
		const id = this.#fresh[0]!;
		this.#sent.set(id, this.#fresh);
		this.#fresh = [];
		return id;
	}

	/** Ids to ask the leader for again after a while, since the message or its answer may be lost. */
	tick(): readonly bigint[] {
		if (this.#sent.size === 0) this.#ticks = 0;
		else if (++this.#ticks >= this.#retryTicks) {
			this.#ticks = 0;
			return [...this.#sent.keys()];
		}
		return [];
	}

	/** The reads answered with the one asked for; none for a repeated answer. */
	answered(id: bigint): readonly bigint[] {
		const reads = this.#sent.get(id);
		if (reads === undefined) return [];
		this.#sent.delete(id);
		this.#count -= reads.length;
		return reads;
	}

	/** The leader changed: takes everything out. */
	fail(): readonly bigint[] {
		if (this.#count === 0) return [];
		const reads = [...[...this.#sent.values()].flat(), ...this.#fresh];
		this.#sent.clear();
		this.#fresh = [];
		this.#count = 0;
		return reads;
	}
}
