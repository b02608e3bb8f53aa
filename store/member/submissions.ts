/**
 * How proposals reach the log: appended to our own when we lead, forwarded to the leader when we do not, and those of
 * other members appended for them. Whoever leads writes its time into each.
 */
import type { Clock } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import { StoreError } from "../api.ts";
import type { StateMachine } from "../machine/types.ts";
import { type MemberId, none, type RaftCore } from "../raft/types.ts";
import { type Decision, ReceivedForwards, SentForwards } from "./forwards.ts";
import { LeaseClock } from "./lease-clock.ts";
import type { Proposals } from "./proposals.ts";
import { isApplicable, stampTime } from "./stamp.ts";
import type { Forward, PeerTransport, RefusalReason } from "./types.ts";

/** Largest size of one append or forward. */
const maxBatchBytes = 1 << 20;

export interface SubmissionsHost {
	readonly id: MemberId;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly machine: StateMachine;
	readonly raft: RaftCore;
	readonly transport: PeerTransport;
	readonly proposals: Proposals;
	/** We take no more. */
	isFull(): boolean;
	/** After a tick, unless the member stops before. */
	nextTick(work: () => void): void;
}

export class Submissions {
	readonly #host: SubmissionsHost;
	readonly #sent: SentForwards;
	readonly #decisions = new ReceivedForwards();
	/** Accepted from other members, to be appended this turn. */
	#forwarded: { readonly from: MemberId; readonly forward: Forward }[] = [];
	readonly #leaseClock: LeaseClock;
	/** The term of our last leadership that the lease clock was set for. */
	#leaseTerm = 0;

	/** `life`: drawn anew at each start. */
	constructor(host: SubmissionsHost, life: number) {
		this.#host = host;
		this.#sent = new SentForwards(life);
		this.#leaseClock = new LeaseClock(host.clock);
	}

	/** Queued proposals go out, as far as the core or the link takes them. */
	sendQueued(): void {
		const { proposals, raft } = this.#host;
		while (proposals.queued > 0) {
			const sent = raft.role === "leader" ? this.#appendOwn() : this.#forwardOwn();
			if (!sent) return;
		}
	}

	#appendOwn(): boolean {
		const { proposals, raft } = this.#host;
		const batch = proposals.take(raft.term, maxBatchBytes);
		const result = this.#append(batch.map((proposal) => proposal.data));
		if (result === undefined) return true;
		if (result === "overloaded") {
			proposals.fail(batch, new StoreError("too_many_requests", "etcdserver: too many requests"));
			return true;
		}
		proposals.requeue(batch);
		return false;
	}

	/** Stamped with the leader's time; undefined when appended. */
	#append(commands: readonly Buffer[]): "not_leader" | "overloaded" | "transferring" | undefined {
		const time = this.leaseNow();
		for (const command of commands) stampTime(command, time);
		const result = this.#host.raft.propose(commands);
		if (result.ok) return undefined;
		return result.reason === "overloaded" || result.reason === "transferring" ? result.reason : "not_leader";
	}

	/**
	 * Replicated time by this leader. The clock is set before any entry of its term is stamped: the first stamp of a
	 * term tells how much time passed without a leader (`machine/time.ts`). If the clock were set later, leases would
	 * age by it.
	 */
	leaseNow(): number {
		const { machine, raft } = this.#host;
		const replicated = machine.time;
		if (this.#leaseTerm !== raft.term) {
			this.#leaseTerm = raft.term;
			this.#leaseClock.rebase(replicated);
		}
		return this.#leaseClock.now(replicated);
	}

	#forwardOwn(): boolean {
		const { id: self, clock, proposals, raft, transport } = this.#host;
		const leader = raft.leader;
		if (leader === none || leader === self) return false;
		const term = raft.term;
		const batch = proposals.take(term, maxBatchBytes);
		const id = this.#sent.nextId();
		const commands = batch.map((proposal) => proposal.data);
		if (!transport.forward(leader, { id, term, commands })) {
			proposals.requeue(batch);
			return false;
		}
		const requestIds = batch.map((proposal) => proposal.requestId);
		this.#sent.add(id, term, requestIds, clock.monotonic());
		return true;
	}

	/** A connection that broke may have taken forwards with it. */
	repeatForwards(now: number): void {
		const { id: self, proposals, raft, transport } = this.#host;
		const { leader, term } = raft;
		if (leader === none || leader === self) return;
		this.#sent.repeat(term, now, (id, requestIds) => {
			const waiting = proposals.sentUnder(term, requestIds);
			if (waiting.length === 0) return "settled";
			const commands = waiting.map((proposal) => proposal.data);
			return transport.forward(leader, { id, term, commands }) ? "sent" : "down";
		});
	}

	receive(from: MemberId, forward: Forward): void {
		this.#forwarded.push({ from, forward });
	}

	/** Forwards wait to be appended. */
	get received(): boolean {
		return this.#forwarded.length > 0;
	}

	appendReceived(): void {
		const { raft, transport } = this.#host;
		const all = this.#forwarded;
		if (all.length === 0) return;
		this.#forwarded = [];
		if (raft.role === "leader") this.#decisions.leads(raft.term);
		for (const { from, forward } of all) {
			const { id, term } = forward;
			const decision = this.#decisions.decide(from, id, term, () => this.#takeForward(from, forward));
			if (decision === "not_leader" || decision === "overloaded") transport.refuse(from, id, decision);
		}
	}

	#takeForward(from: MemberId, { term, commands }: Forward): Decision {
		const { raft, logger } = this.#host;
		if (raft.role !== "leader" || raft.term !== term) return "not_leader";
		if (!commands.every(isApplicable)) {
			logger.warn("a member forwards commands that cannot be applied", { from });
			return "not_leader";
		}
		const result = this.#host.isFull() ? "overloaded" : this.#append(commands);
		if (result === undefined) return "appended";
		return result === "overloaded" ? "overloaded" : "not_leader";
	}

	/** The member that we took for the leader did not append what we forwarded. */
	refused(id: number, reason: RefusalReason): void {
		const { proposals } = this.#host;
		const forward = this.#sent.take(id);
		if (forward === undefined) return;
		const { term, requestIds } = forward;
		if (reason === "overloaded") {
			proposals.fail(
				proposals.sentUnder(term, requestIds),
				new StoreError("too_many_requests", "etcdserver: too many requests"),
			);
		} else {
			// We may know an older leader than the refuser does: wait a tick instead of a tight loop of refusals.
			this.#host.nextTick(() => proposals.requeue(proposals.sentUnder(term, requestIds)));
		}
	}
}
