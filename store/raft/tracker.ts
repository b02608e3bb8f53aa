/** What a leader knows of each member, and the decisions that follow from counting them. */
import { Inflights } from "./inflights.ts";
import { jointCommitted, jointVote, majorityVote, type VoteResult } from "./quorum.ts";
import type { ConfState, MemberId, ProgressView } from "./types.ts";

/**
 * `probe`: the follower's log is not known to match at `next - 1`; one message at a time until it answers.
 * `replicate`: it matches; messages are pipelined, `next` moves ahead of the answers.
 * `snapshot`: it needs entries already dropped; nothing is sent until the snapshot is reported or acknowledged.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

export class Progress {
	readonly id: MemberId;
	/** Highest index known to be durable there. Invariant: match < next (for others than the leader itself). */
	match = 0;
	/** The next entry to send. */
	next: number;
	state: ProgressState = "probe";
	learner = false;
	/** The leader heard from it since the last quorum check. */
	recentActive = true;
	/** Probe: a message is out; wait for the answer or the next heartbeat's. */
	probeSent = false;
	/**
	 * Probe: it rejected entries that it once acknowledged, so it has lost its log; probed once per heartbeat interval.
	 */
	stalled = false;
	/** Send one append even if there is nothing new in it: its answer tells whether earlier ones were lost. */
	kick = false;
	/** Highest commit index that was sent, to send each once. */
	sentCommit = 0;
	/** Snapshot: the index it brings the follower to. */
	pendingSnapshot = 0;
	/** Highest ReadIndex round it has confirmed. */
	ackedRound = 0;
	readonly inflights: Inflights;

	constructor(id: MemberId, next: number, inflights: Inflights) {
		this.id = id;
		this.next = next;
		this.inflights = inflights;
	}

	reset(next: number): void {
		this.match = 0;
		this.next = next;
		this.recentActive = false;
		this.sentCommit = 0;
		this.ackedRound = 0;
		this.#enter("probe");
	}

	becomeProbe(): void {
		// After a snapshot the follower is at least there, unless it says otherwise.
		this.next = Math.max(this.match, this.state === "snapshot" ? this.pendingSnapshot : 0) + 1;
		this.#enter("probe");
		this.sentCommit = Math.min(this.sentCommit, this.next - 1);
	}

	becomeReplicate(): void {
		this.#enter("replicate");
		this.next = this.match + 1;
	}

	becomeSnapshot(index: number): void {
		this.#enter("snapshot");
		this.pendingSnapshot = index;
		this.next = index + 1;
		this.sentCommit = index;
	}

	/** An acknowledgement up to `index`; false when it tells nothing new. */
	maybeUpdate(index: number): boolean {
		if (index + 1 > this.next) this.next = index + 1;
		if (index <= this.match) return false;
		this.match = index;
		this.probeSent = false;
		return true;
	}

	/** A rejection of an append after `rejected`; the logs may match at `hint` at most. False when stale. */
	maybeDecrease(rejected: number, hint: number): boolean {
		if (this.state === "snapshot") return false;
		if (this.state === "replicate") {
			if (rejected <= this.match) return false;
			this.becomeProbe();
			return true;
		}
		if (this.next - 1 !== rejected) return false;
		const next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
		if (next === this.next) {
			// It has lost entries that it acknowledged: probing it again at once would loop at the speed of the
			// network.
			this.stalled = true;
			return false;
		}
		this.next = next;
		this.probeSent = false;
		this.sentCommit = Math.min(this.sentCommit, this.next - 1);
		return true;
	}

	view(): ProgressView {
		const { id, match, next, state, learner, recentActive, stalled } = this;
		return { id, match, next, state, learner, recentActive, stalled };
	}

	#enter(state: ProgressState): void {
		this.state = state;
		this.probeSent = false;
		this.stalled = false;
		this.kick = false;
		this.pendingSnapshot = 0;
		this.inflights.reset();
	}
}

export interface InflightLimits {
	readonly maxInflightAppends: number;
	readonly maxInflightBytes: number;
}

export class Tracker {
	readonly #limits: InflightLimits;
	readonly #members = new Map<MemberId, Progress>();
	readonly #votes = new Map<MemberId, boolean>();
	#conf: ConfState;
	/** All members, and the voters of each half: arrays, so that counting needs no look-up. */
	#all: Progress[] = [];
	#incoming: Progress[] = [];
	#outgoing: Progress[] = [];
	readonly #scratchIncoming: number[] = [];
	readonly #scratchOutgoing: number[] = [];

	constructor(limits: InflightLimits, conf: ConfState, lastIndex: number) {
		this.#limits = limits;
		this.#conf = conf;
		this.apply(conf, lastIndex);
	}

	get conf(): ConfState {
		return this.#conf;
	}

	get all(): readonly Progress[] {
		return this.#all;
	}

	get(id: MemberId): Progress | undefined {
		return this.#members.get(id);
	}

	isVoter(id: MemberId): boolean {
		return this.#conf.voters.includes(id) || this.#conf.votersOutgoing.includes(id);
	}

	/** Takes a new configuration: who stays keeps its progress, who comes starts probing at the log's end. */
	apply(conf: ConfState, lastIndex: number): void {
		this.#conf = conf;
		const learners = new Set(conf.learners);
		const ids = new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners]);
		for (const id of this.#members.keys()) if (!ids.has(id)) this.#members.delete(id);
		for (const id of ids) {
			let progress = this.#members.get(id);
			if (progress === undefined) {
				const { maxInflightAppends, maxInflightBytes } = this.#limits;
				progress = new Progress(id, Math.max(lastIndex, 1), new Inflights(maxInflightAppends, maxInflightBytes));
				this.#members.set(id, progress);
			}
			progress.learner = learners.has(id);
		}
		this.#all = [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
		this.#incoming = conf.voters.map((id) => this.#members.get(id)!);
		this.#outgoing = conf.votersOutgoing.map((id) => this.#members.get(id)!);
	}

	/** The highest index durable on a quorum. */
	committed(): number {
		const incoming = this.#scratchIncoming;
		const outgoing = this.#scratchOutgoing;
		incoming.length = this.#incoming.length;
		outgoing.length = this.#outgoing.length;
		for (let i = 0; i < incoming.length; i++) incoming[i] = this.#incoming[i]!.match;
		for (let i = 0; i < outgoing.length; i++) outgoing[i] = this.#outgoing[i]!.match;
		return jointCommitted(incoming, outgoing);
	}

	/** The highest ReadIndex round that a quorum has confirmed. */
	confirmedRound(): number {
		const incoming = this.#scratchIncoming;
		const outgoing = this.#scratchOutgoing;
		incoming.length = this.#incoming.length;
		outgoing.length = this.#outgoing.length;
		for (let i = 0; i < incoming.length; i++) incoming[i] = this.#incoming[i]!.ackedRound;
		for (let i = 0; i < outgoing.length; i++) outgoing[i] = this.#outgoing[i]!.ackedRound;
		return jointCommitted(incoming, outgoing);
	}

	quorumActive(): boolean {
		const active = (voters: readonly Progress[]) => {
			let count = 0;
			for (const progress of voters) if (progress.recentActive) count++;
			return majorityVote(voters.length, count, voters.length - count);
		};
		return jointVote(active(this.#incoming), active(this.#outgoing)) === "won";
	}

	resetVotes(): void {
		this.#votes.clear();
	}

	/** The first answer of a member counts. */
	recordVote(id: MemberId, granted: boolean): void {
		if (!this.#votes.has(id)) this.#votes.set(id, granted);
	}

	hasVoted(id: MemberId): boolean {
		return this.#votes.has(id);
	}

	voteResult(): VoteResult {
		const tally = (voters: readonly Progress[]) => {
			let granted = 0;
			let rejected = 0;
			for (const { id } of voters) {
				const vote = this.#votes.get(id);
				if (vote === true) granted++;
				else if (vote === false) rejected++;
			}
			return majorityVote(voters.length, granted, rejected);
		};
		return jointVote(tally(this.#incoming), tally(this.#outgoing));
	}
}
