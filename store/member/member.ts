/**
 * The shell around the Raft core: the only place that carries out its effects, in the order `raft/types.ts` documents.
 * Everything from outside is injected, so the same code runs in production and in simulation.
 *
 * One turn: input of an event-loop turn (messages, proposals, reads, finished syncs) is only noted or stepped; at its
 * end, `#turn` hands all proposals to the core at once, asks for all reads with one id, and performs what comes out.
 */
import type { Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import { StoreError } from "../api.ts";
import { encodeCommand } from "../machine/codec.ts";
import { checkedSnapshot } from "../machine/snapshot.ts";
import type { Applied, Command, StateMachine } from "../machine/types.ts";
import { decodeConfChange } from "../raft/codec.ts";
import { Raft } from "../raft/raft.ts";
import {
	type ConfState,
	type Effects,
	type Entry,
	type MemberId,
	type Message,
	none,
	type Persist,
	type RaftCore,
	type Recovered,
	type Role,
	type SnapshotMeta,
} from "../raft/types.ts";
import type { Log } from "../wal/types.ts";
import { CatchUp } from "./catch-up.ts";
import { Duties } from "./duties.ts";
import { type Decision, maxLives, ReceivedForwards, SentForwards } from "./forwards.ts";
import { KeepAlives } from "./keepalives.ts";
import { LeaseClock } from "./lease-clock.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { reconcile } from "./recovery.ts";
import { memorySpool } from "./spool.ts";
import { isApplicable, stampTime } from "./stamp.ts";
import {
	defaultLimits,
	type Forward,
	type MemberConfig,
	type MemberLimits,
	type MemberOptions,
	type PeerTransport,
	type RefusalReason,
	type SnapshotSpool,
} from "./types.ts";

const maxBytesPerAppend = 1 << 20;
const maxForwardBytes = 1 << 20;
const maxInflightAppends = 512;
/** Longest stretch of performing effects before input gets its turn, ms. */
const turnBudgetMs = 10;
const engineRetryMs = 2;
const eagerTicks = 50;

export interface ProposeOptions {
	/** 0n or absent: no deduplication. */
	readonly session?: bigint | undefined;
	readonly sequence?: number | undefined;
	readonly acknowledged?: number | undefined;
	/** ms from now; absent: etcd's 5 s + 2 × election timeout. */
	readonly timeoutMs?: number | undefined;
}

export interface MemberStatus {
	readonly id: MemberId;
	readonly leader: MemberId;
	readonly role: Role;
	readonly term: number;
	readonly commitIndex: number;
	readonly appliedIndex: number;
	readonly lastIndex: number;
	readonly stopped: boolean;
}

interface Incoming {
	readonly meta: SnapshotMeta;
	readonly spool: SnapshotSpool;
	readonly done: (error?: Error) => void;
	taken: boolean;
}

export class Member {
	readonly config: MemberConfig;
	readonly machine: StateMachine;
	readonly #options: MemberOptions;
	readonly #limits: MemberLimits;
	readonly #logger: Logger;
	readonly #log: Log;
	readonly #transport: PeerTransport;
	readonly #raft: RaftCore;
	readonly #proposals = new Proposals();
	readonly #reads: Reads;
	readonly #keepAlives: KeepAlives;
	readonly #leaseClock: LeaseClock;
	/** The term of our last leadership that the lease clock was set for. */
	#leaseTerm = 0;
	readonly #duties: Duties;
	readonly #catchUp = new CatchUp();
	readonly #timers = new Set<Timer>();
	readonly #leaderWaiters = new Set<() => void>();
	readonly #sentForwards: SentForwards;
	readonly #receivedForwards = new ReceivedForwards();
	/** Accepted from other members, to be appended this turn. */
	#forwarded: { readonly from: MemberId; readonly forward: Forward }[] = [];
	#nextRequest: bigint;
	#turnScheduled = false;
	#stopped = false;
	#applyQueue: (readonly Entry[])[] = [];
	#applyRetry: Timer | undefined;
	/** Persists held back while a received snapshot is being installed. */
	#heldPersists: Persist[] | undefined;
	#incoming: Incoming | undefined;
	#receiving = false;
	#markIndex: number;
	#marking: Promise<void> | undefined;
	readonly #sending = new Set<MemberId>();
	/** Reported in this leadership. */
	readonly #stalled = new Set<MemberId>();
	#lastAppliedTerm: number;
	/** Attempts left to become the first leader. */
	#eagerTicks: number;
	#leader: MemberId = none;
	#role: Role = "follower";
	#background = new Set<Promise<unknown>>();

	/** Counters for metrics, since start. */
	readonly counters = { leaderChanges: 0, slowApplies: 0, snapshotsSent: 0, snapshotsInstalled: 0, commandsApplied: 0 };

	/** Starts the member on what log and machine hold. Throws when they contradict each other. */
	static async open(options: MemberOptions): Promise<Member> {
		const start = reconcile(options);
		if (start.record !== undefined) await options.log.append(start.record);
		const member = new Member(options, start);
		member.#start();
		return member;
	}

	private constructor(options: MemberOptions, start: ReturnType<typeof reconcile>) {
		const { config, random } = options;
		this.#options = options;
		this.config = config;
		this.machine = options.machine;
		this.#limits = { ...defaultLimits, ...options.limits };
		this.#logger = options.logger;
		this.#log = options.log;
		this.#transport = options.transport;
		this.#reads = new Reads(random.bytes(8).readBigUInt64BE());
		this.#nextRequest = random.bytes(8).readBigUInt64BE();
		this.#sentForwards = new SentForwards(Number(this.#nextRequest % BigInt(maxLives)));
		this.#leaseClock = new LeaseClock(options.clock);
		this.#markIndex = start.recovered.snapshot.index;
		this.#lastAppliedTerm = options.machine.appliedTerm;
		this.#raft = new Raft(
			{
				id: config.id,
				electionTicks: Math.max(2, Math.round(config.electionMs / config.heartbeatMs)),
				heartbeatTicks: 1,
				randomInt: (bound) => random.int(bound),
				// A term beyond 0 must mean that a quorum has begun, or nobody else could be sure enough to (`bootstrap.ts`): so no
				// member leaves term 0 by itself.
				preVote: config.preVote || start.recovered.hardState.term === 0,
				checkQuorum: true,
				maxBytesPerAppend,
				maxInflightAppends,
				maxInflightBytes: 64 << 20,
				maxUncommittedBytes: this.#limits.uncommittedBytes,
				maxCommittedBytes: 4 << 20,
			},
			start.recovered,
		);
		this.#eagerTicks = this.#isFirstToStand(start.recovered) ? eagerTicks : 0;
		this.#keepAlives = new KeepAlives((ids) => this.propose({ kind: "lease_keepalive", ids }));
		this.#duties = new Duties(
			{
				clock: options.clock,
				logger: this.#logger,
				machine: this.machine,
				ready: () => this.#leading(),
				leaseNow: () => this.#leaseNow(),
				propose: (command) => this.propose(command),
				hasSessions: () => this.machine.sessionCount > 0,
			},
			config.autoCompaction,
		);
	}

	#start(): void {
		this.#transport.start({
			onMessages: (messages) => this.#input(() => this.#step(messages)),
			onForward: (from, forward) => this.#input(() => this.#forwarded.push({ from, forward })),
			onRefused: (_from, id, reason) => this.#input(() => this.#refused(id, reason)),
			onSnapshot: (message, chunks) => this.#receiveSnapshot(message, chunks),
			onUnreachable: (id) => this.#input(() => this.#raft.reportUnreachable(id)),
		});
		this.#timers.add(this.#options.clock.every(this.config.heartbeatMs, () => this.#tick()));
		this.#duties.start();
		this.#scheduleTurn();
	}

	// ---- what clients of this member use ----

	get clusterId(): bigint {
		return this.config.clusterId;
	}

	get memberId(): MemberId {
		return this.config.id;
	}

	get term(): number {
		return this.#raft.term;
	}

	/**
	 * Replicates a command and answers with its outcome once it is applied here. Rejects with StoreError: `unavailable`
	 * and `too_many_requests` (not applied), `outcome_unknown`. Outcomes of the command itself are in `Applied.outcome`.
	 */
	propose(command: Command, options: ProposeOptions = {}): Promise<Applied> {
		const refusal = this.#refusal();
		if (refusal !== undefined) return Promise.reject(refusal);
		this.#nextRequest = (this.#nextRequest + 1n) & 0xffff_ffff_ffff_ffffn;
		const requestId = this.#nextRequest;
		const data = encodeCommand(
			{
				session: options.session ?? 0n,
				sequence: options.sequence ?? 0,
				acknowledged: options.acknowledged ?? 0,
				time: 0,
				requestId,
			},
			command,
		);
		const deadline = this.#options.clock.monotonic() + (options.timeoutMs ?? this.#requestTimeoutMs());
		return new Promise((resolve, reject) => {
			this.#proposals.add({ requestId, data, deadline, sentTerm: 0, resolve, reject });
			this.#scheduleTurn();
		});
	}

	/** Resolves once this member's state includes everything acknowledged anywhere before the call. */
	linearizableRead(timeoutMs?: number): Promise<void> {
		if (this.#stopped) return Promise.reject(new StoreError("unavailable", "etcdserver: server stopped"));
		const answer = this.#reads.wait(this.#options.clock.monotonic() + (timeoutMs ?? this.#requestTimeoutMs()));
		this.#scheduleTurn();
		return answer;
	}

	/** One renewal, batched with others through the log; `ttl` 0 when the lease is gone. */
	leaseKeepAlive(id: bigint): Promise<{ readonly id: bigint; readonly ttl: number; readonly revision: number }> {
		return this.#keepAlives.renew(id);
	}

	get status(): MemberStatus {
		const raft = this.#raft;
		return {
			id: this.config.id,
			leader: raft.leader,
			role: raft.role,
			term: raft.term,
			commitIndex: raft.commitIndex,
			appliedIndex: this.machine.appliedIndex,
			lastIndex: raft.lastIndex,
			stopped: this.#stopped,
		};
	}

	/** Load and failures, for metrics. */
	get load() {
		return {
			proposalsPending: this.#proposals.size,
			proposalsFailed: this.#proposals.failed,
			readsSlow: this.#reads.slow,
			readsFailed: this.#reads.failed,
			snapshotsSending: this.#sending.size,
		};
	}

	get leader(): MemberId {
		return this.#raft.leader;
	}

	get conf(): ConfState {
		return this.#raft.conf;
	}

	/** Random id of etcd's shape (positive int64) for a grant that leaves the choice to the store. */
	newLeaseId(): bigint {
		return (this.#options.random.bytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn) | 1n;
	}

	/** Starts an election now, for tests. */
	campaign(): void {
		this.#input(() => this.#raft.campaign());
	}

	/** Hands leadership to the member furthest ahead; resolves when another leads, or after an election timeout. No-op on a follower. */
	async transferLeadership(): Promise<void> {
		if (this.#stopped || this.#raft.role !== "leader") return;
		const others = this.#raft.progress().filter((p) => p.id !== this.config.id && !p.learner && p.recentActive);
		const best = others.sort((a, b) => b.match - a.match)[0];
		if (best === undefined) return;
		this.#logger.info("transferring leadership", { to: best.id });
		const moved = new Promise<void>((resolve) => {
			const timer = this.#options.clock.after(this.config.electionMs, finish, { keepAlive: true });
			const leaderWaiters = this.#leaderWaiters;
			function finish() {
				timer.cancel();
				leaderWaiters.delete(finish);
				resolve();
			}
			leaderWaiters.add(finish);
		});
		this.#input(() => this.#raft.transferLeader(best.id));
		await moved;
	}

	/** Ends everything in order: waiting callers are answered, then links, log and machine are closed. */
	async close(): Promise<void> {
		this.crash();
		this.#proposals.failAll("etcdserver: server stopped");
		this.#reads.failAll("etcdserver: server stopped");
		this.#incoming?.done(new Error("member stopped"));
		await this.#transport.close();
		await Promise.allSettled([...this.#background]);
		try {
			await this.#log.close();
		} finally {
			await this.machine.close();
		}
	}

	/** Stops at once, as a power cut would: no timer fires, nothing is answered, sent or written afterwards. Log, machine and transport stay as they are. */
	crash(): void {
		this.#stopped = true;
		for (const timer of this.#timers) timer.cancel();
		this.#timers.clear();
		this.#applyRetry?.cancel();
		this.#duties.stop();
	}

	// ---- input and turns ----

	#requestTimeoutMs(): number {
		return 5000 + 2 * this.config.electionMs;
	}

	#refusal(): StoreError | undefined {
		if (this.#stopped) return new StoreError("unavailable", "etcdserver: server stopped");
		const gap = this.#raft.commitIndex - this.machine.appliedIndex;
		if (
			gap > this.#limits.applyGap ||
			this.#proposals.bytes > this.#limits.waitingBytes ||
			this.machine.pendingBytes > 2 * this.#limits.machinePendingBytes
		) {
			return new StoreError("too_many_requests", "etcdserver: too many requests");
		}
		return undefined;
	}

	/** Runs `work` against the core unless stopped; a throw there means the state can no longer be trusted. */
	#input(work: () => void): void {
		if (this.#stopped) return;
		try {
			work();
		} catch (error) {
			this.fail(error);
			return;
		}
		this.#scheduleTurn();
	}

	#scheduleTurn(): void {
		if (this.#turnScheduled || this.#stopped) return;
		this.#turnScheduled = true;
		const run = () => {
			this.#turnScheduled = false;
			if (!this.#stopped) this.#turn();
		};
		if (this.#options.endOfTurn !== undefined) this.#options.endOfTurn(run);
		else this.#options.clock.after(0, run);
	}

	#turn(): void {
		try {
			this.#sendProposals();
			this.#appendForwarded();
			if (this.#reads.pending && this.#raft.leader !== none) {
				this.#raft.readIndex(this.#reads.startRound(this.#options.clock.monotonic()));
			}
			const until = this.#options.clock.monotonic() + turnBudgetMs;
			while (!this.#stopped && this.#raft.hasEffects()) {
				this.#perform(this.#raft.takeEffects());
				if (this.#options.clock.monotonic() > until) {
					this.#scheduleTurn();
					return;
				}
			}
		} catch (error) {
			this.fail(error);
		}
	}

	/**
	 * A new cluster elects its member of the lowest id at once, and a cluster of one itself, instead of waiting for a timeout;
	 * pre-votes make an attempt harmless while the others are not there yet.
	 */
	#isFirstToStand(start: Recovered): boolean {
		const { voters } = start.snapshot.conf;
		if (voters.length === 1) return voters[0] === this.config.id;
		const fresh = start.snapshot.index === 0 && start.entries.length === 0 && start.hardState.term === 0;
		return fresh && this.config.preVote && voters.every((id) => id >= this.config.id);
	}

	#tick(): void {
		if (this.#eagerTicks > 0) {
			this.#eagerTicks = this.#raft.leader === none ? this.#eagerTicks - 1 : 0;
			if (this.#eagerTicks > 0 && this.#raft.role !== "candidate") this.#input(() => this.#raft.campaign());
		}
		const now = this.#options.clock.monotonic();
		this.#proposals.expire(now);
		this.#reads.expire(now);
		this.#repeatForwards(now);
		this.#reportStalled();
		this.#input(() => this.#raft.tick());
	}

	/** Once for each: nobody else will notice, since the cluster goes on with a member less. */
	#reportStalled(): void {
		if (this.#stopped || this.#raft.role !== "leader") return;
		for (const { id, match, stalled } of this.#raft.progress()) {
			if (!stalled || this.#stalled.has(id)) continue;
			this.#stalled.add(id);
			this.#logger.error(
				"a member refuses entries up to which it acknowledged the log: one of the two has lost a part of it",
				{
					peer: id,
					acknowledged: match,
				},
			);
		}
	}

	#step(messages: readonly Message[]): void {
		for (const message of messages) this.#raft.step(message);
	}

	/** Stops the member for good because its state can no longer be trusted; calls `onFatal`. */
	fail(cause: unknown): void {
		if (this.#stopped) return;
		const error = cause instanceof Error ? cause : new Error(String(cause));
		this.crash();
		this.#logger.error("member stopped: its state can no longer be trusted", {
			error: `${error.name}: ${error.message}`,
			stack: error.stack,
		});
		this.#proposals.failAll("etcdserver: server stopped");
		this.#reads.failAll("etcdserver: server stopped");
		this.#incoming?.done(error);
		this.#options.onFatal?.(error);
	}

	#inBackground(work: Promise<unknown>): void {
		this.#background.add(work);
		const forget = () => void this.#background.delete(work);
		work.then(forget, forget);
	}

	// ---- proposals ----

	#sendProposals(): void {
		while (this.#proposals.queued > 0) {
			const sent = this.#raft.role === "leader" ? this.#appendOwn() : this.#forwardOwn();
			if (!sent) return;
		}
	}

	#appendOwn(): boolean {
		const batch = this.#proposals.take(this.#raft.term, maxBytesPerAppend);
		const result = this.#append(batch.map((proposal) => proposal.data));
		if (result === undefined) return true;
		if (result === "overloaded") {
			this.#proposals.fail(batch, new StoreError("too_many_requests", "etcdserver: too many requests"));
			return true;
		}
		this.#proposals.requeue(batch);
		return false;
	}

	/** Stamped with the leader's time; undefined when appended. */
	#append(commands: readonly Buffer[]): "not_leader" | "overloaded" | "transferring" | undefined {
		const time = this.#leaseNow();
		for (const command of commands) stampTime(command, time);
		const result = this.#raft.propose(commands);
		if (result.ok) return undefined;
		return result.reason === "overloaded" || result.reason === "transferring" ? result.reason : "not_leader";
	}

	/**
	 * Replicated time by this leader. The clock is set before anything of its term is stamped: the first stamp of a term says
	 * how much time passed without a leader (`machine/time.ts`), and a later jump would age leases by it.
	 */
	#leaseNow(): number {
		const replicated = this.machine.time;
		if (this.#leaseTerm !== this.#raft.term) {
			this.#leaseTerm = this.#raft.term;
			this.#leaseClock.rebase(replicated);
		}
		return this.#leaseClock.now(replicated);
	}

	#forwardOwn(): boolean {
		const leader = this.#raft.leader;
		if (leader === none || leader === this.config.id) return false;
		const term = this.#raft.term;
		const batch = this.#proposals.take(term, maxForwardBytes);
		const id = this.#sentForwards.nextId();
		const commands = batch.map((proposal) => proposal.data);
		if (!this.#transport.forward(leader, { id, term, commands })) {
			this.#proposals.requeue(batch);
			return false;
		}
		const requestIds = batch.map((proposal) => proposal.requestId);
		this.#sentForwards.add(id, term, requestIds, this.#options.clock.monotonic());
		return true;
	}

	/** A connection that broke may have taken forwards with it. */
	#repeatForwards(now: number): void {
		const { leader, term } = this.#raft;
		if (this.#stopped || leader === none || leader === this.config.id) return;
		this.#sentForwards.repeat(term, now, (id, requestIds) => {
			const waiting = this.#proposals.sentUnder(term, requestIds);
			if (waiting.length === 0) return "settled";
			const commands = waiting.map((proposal) => proposal.data);
			return this.#transport.forward(leader, { id, term, commands }) ? "sent" : "down";
		});
	}

	#appendForwarded(): void {
		const all = this.#forwarded;
		if (all.length === 0) return;
		this.#forwarded = [];
		if (this.#raft.role === "leader") this.#receivedForwards.leads(this.#raft.term);
		for (const { from, forward } of all) {
			const { id, term } = forward;
			const decision = this.#receivedForwards.decide(from, id, term, () => this.#takeForward(from, forward));
			if (decision === "not_leader" || decision === "overloaded") this.#transport.refuse(from, id, decision);
		}
	}

	#takeForward(from: MemberId, { term, commands }: Forward): Decision {
		if (this.#raft.role !== "leader" || this.#raft.term !== term) return "not_leader";
		if (!commands.every(isApplicable)) {
			this.#logger.warn("a member forwards commands that cannot be applied", { from });
			return "not_leader";
		}
		const result = this.#refusal() !== undefined ? "overloaded" : this.#append(commands);
		if (result === undefined) return "appended";
		return result === "overloaded" ? "overloaded" : "not_leader";
	}

	#refused(id: number, reason: RefusalReason): void {
		const forward = this.#sentForwards.take(id);
		if (forward === undefined) return;
		const { term, requestIds } = forward;
		if (reason === "overloaded") {
			this.#proposals.fail(
				this.#proposals.sentUnder(term, requestIds),
				new StoreError("too_many_requests", "etcdserver: too many requests"),
			);
		} else {
			// We may know an older leader than the refuser does: wait a tick instead of a tight loop of refusals.
			this.#later(this.config.heartbeatMs, () =>
				this.#input(() => this.#proposals.requeue(this.#proposals.sentUnder(term, requestIds))),
			);
		}
	}

	#later(ms: number, work: () => void): Timer {
		const timer = this.#options.clock.after(ms, () => {
			this.#timers.delete(timer);
			work();
		});
		this.#timers.add(timer);
		return timer;
	}

	// ---- effects ----

	#perform(effects: Effects): void {
		if (effects.soft !== undefined) this.#softChanged(effects.soft);
		if (effects.persist !== undefined) this.#persist(effects.persist);
		if (effects.messages.length > 0) this.#send(effects.messages);
		if (effects.committed.length > 0) {
			this.#applyQueue.push(effects.committed);
			this.#applyReady();
		}
		let confirmed = false;
		for (const { id, index } of effects.readStates) {
			this.#reads.confirm(id, index, this.machine.appliedIndex);
			confirmed ||= index >= 0;
		}
		// What gathered during the round goes next; an unconfirmed round waits for input or a tick, not to spin.
		if (confirmed && this.#reads.pending) this.#scheduleTurn();
	}

	#softChanged(soft: { readonly leader: MemberId; readonly role: Role; readonly term: number }): void {
		const { leader, role, term } = soft;
		if (role === "leader" && this.#role !== "leader") {
			this.#leaseNow();
			this.#stalled.clear();
		}
		if (leader !== this.#leader) {
			if (leader !== none) this.counters.leaderChanges++;
			this.#logger.info(leader === none ? "no leader" : "leader changed", { leader, role, term });
			this.#reads.retryAll();
			this.#leader = leader;
			if (leader !== none) for (const waiter of [...this.#leaderWaiters]) waiter();
			// Proposals that waited for a leader go out with the next turn.
			this.#scheduleTurn();
		}
		this.#role = role;
		this.#options.observer?.onSoftState?.(leader, role, term);
	}

	#persist(persist: Persist): void {
		if (this.#heldPersists !== undefined) {
			this.#heldPersists.push(persist);
		} else if (persist.snapshot !== undefined) {
			this.#heldPersists = [];
			this.#inBackground(this.#install(persist, persist.snapshot));
		} else this.#write(persist);
	}

	#write(persist: Persist): void {
		const { hardState, entries, snapshot, mustSync } = persist;
		const durable = () =>
			this.#input(() => {
				if (persist.messages.length > 0) this.#send(persist.messages);
				this.#raft.persisted(persist.sequence);
			});
		this.#inBackground(
			this.#log.append({ hardState, entries, snapshot, mustSync }).then(durable, (error: unknown) => this.fail(error)),
		);
	}

	#send(messages: readonly Message[]): void {
		const plain = messages.some((message) => message.type === "snapshot")
			? messages.filter((message) => message.type !== "snapshot" || this.#sendSnapshot(message))
			: messages;
		if (plain.length > 0) this.#transport.send(plain);
	}

	// ---- applying ----

	#applyReady(): void {
		while (this.#applyQueue.length > 0 && this.#heldPersists === undefined && !this.#stopped) {
			if (this.machine.pendingBytes > this.#limits.machinePendingBytes) {
				this.#waitForEngine();
				return;
			}
			const entries = this.#applyQueue.shift() ?? [];
			this.#apply(
				entries[0] !== undefined && entries[0].index <= this.machine.appliedIndex ? this.#unapplied(entries) : entries,
			);
		}
	}

	/** After a snapshot was installed, entries handed out before it are part of the state already. */
	#unapplied(entries: readonly Entry[]): readonly Entry[] {
		return entries.filter((entry) => entry.index > this.machine.appliedIndex);
	}

	#waitForEngine(): void {
		if (this.#applyRetry !== undefined) return;
		this.counters.slowApplies++;
		this.#applyRetry = this.#options.clock.after(engineRetryMs, () => {
			this.#applyRetry = undefined;
			this.#input(() => this.#applyReady());
		});
	}

	#apply(entries: readonly Entry[]): void {
		const last = entries.at(-1);
		if (last === undefined) return;
		const applied = this.machine.apply(entries, (entry) => this.#confAfter(entry));
		for (const answer of applied) this.#proposals.settle(answer);
		this.counters.commandsApplied += applied.length;
		this.#catchUp.applied(entries);
		this.#raft.applied(last.index);
		this.#reads.applied(last.index);
		if (last.term > this.#lastAppliedTerm) {
			this.#lastAppliedTerm = last.term;
			if (this.#proposals.termApplied(last.term)) this.#scheduleTurn();
		}
		this.#options.observer?.onApplied?.(last.index, this.machine.revision);
		this.#maybeMark(last.index);
	}

	#confAfter(entry: Entry): ConfState | undefined {
		return entry.kind === "confchange" ? this.#raft.applyConfChange(decodeConfChange(entry.data)) : undefined;
	}

	/** Leader whose earlier terms' entries are all applied, so that its machine's time and leases are current. */
	#leading(): boolean {
		return !this.#stopped && this.#raft.role === "leader" && this.#lastAppliedTerm === this.#raft.term;
	}

	// ---- snapshot marks ----

	#maybeMark(applied: number): void {
		const due =
			applied - this.#markIndex >= this.config.snapshotCount ||
			this.#catchUp.bytesSinceMark >= this.#limits.snapshotBytes;
		if (!due || this.#marking !== undefined || this.#heldPersists !== undefined) return;
		this.#marking = this.#mark()
			.catch((error: unknown) => this.fail(error))
			.finally(() => {
				this.#marking = undefined;
			});
		this.#inBackground(this.#marking);
	}

	/** Machine durable, then mark, then forget: in this order a crash between two steps loses nothing. */
	async #mark(): Promise<void> {
		const meta = this.#withConf(await this.machine.sync());
		if (this.#stopped || this.#heldPersists !== undefined) return;
		await this.#log.append({ snapshot: meta, entries: [], mustSync: true });
		if (this.#stopped) return;
		this.#markIndex = Math.max(this.#markIndex, meta.index);
		const to = this.#catchUp.compactTo(meta.index, this.config.catchUpEntries, this.#limits.catchUpBytes);
		// A follower that takes a snapshot needs the entries after it next: keep them while one is under way.
		if (this.#sending.size === 0 && to >= this.#raft.firstIndex) this.#raft.compact(to, meta);
		await this.#log.release(meta.index);
		this.#options.observer?.onSnapshotMark?.(meta.index);
		this.#logger.debug("log released", { mark: meta.index, kept: to });
	}

	#withConf(meta: SnapshotMeta): SnapshotMeta {
		return meta.conf.voters.length > 0 ? meta : { ...meta, conf: this.#raft.conf };
	}

	// ---- snapshots between members ----

	/** Takes over a snapshot message; false always, as it does not travel with the others. */
	#sendSnapshot(message: Message): false {
		const to = message.to;
		if (this.#sending.has(to)) return false;
		this.#sending.add(to);
		const report = (ok: boolean) => {
			this.#sending.delete(to);
			if (ok) this.counters.snapshotsSent++;
			this.#options.observer?.onSnapshotSent?.(to, ok);
			this.#input(() => this.#raft.reportSnapshot(to, ok));
		};
		const view = this.machine.snapshot();
		const meta = this.#withConf(view.meta);
		const chunks = view.chunks[Symbol.asyncIterator]();
		this.#logger.info("sending snapshot", { to, index: meta.index, term: meta.term });
		this.#inBackground(
			this.#transport
				.sendSnapshot({ ...message, snapshot: meta }, { [Symbol.asyncIterator]: () => chunks })
				.then(
					() => report(true),
					(error: unknown) => {
						this.#logger.warn("snapshot not delivered", { to, index: meta.index, error });
						report(false);
					},
				)
				.then(() => release(chunks))
				.catch((error: unknown) => this.#logger.warn("snapshot's view not released", { error })),
		);
		return false;
	}

	async #receiveSnapshot(message: Message, chunks: AsyncIterable<Buffer>): Promise<void> {
		const meta = message.snapshot;
		if (this.#stopped || meta === undefined) throw new Error("member cannot take a snapshot now");
		if (this.#receiving) throw new Error("another snapshot is being received");
		this.#receiving = true;
		let spool: SnapshotSpool | undefined;
		try {
			spool = await (this.#options.openSpool ?? memorySpool)();
			// Once the core has taken it there is no way back: a damaged one must be refused before.
			for await (const chunk of checkedSnapshot(meta, chunks)) {
				if (this.#stopped) throw new Error("member stopped");
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
			this.#input(() => {
				this.#raft.step(message);
				while (!this.#stopped && this.#raft.hasEffects()) this.#perform(this.#raft.takeEffects());
				if (!incoming.taken) resolve();
			});
			if (this.#stopped) reject(new Error("member stopped"));
		});
	}

	async #install(persist: Persist, meta: SnapshotMeta): Promise<void> {
		const incoming = this.#incoming;
		try {
			if (incoming === undefined || incoming.meta.index !== meta.index) {
				throw new Error(`the core asks for a snapshot at ${meta.index} that was not received`);
			}
			incoming.taken = true;
			await this.#marking;
			if (this.#stopped) return;
			this.#logger.info("installing snapshot", { index: meta.index, term: meta.term });
			await this.machine.restore(meta, incoming.spool.read());
			if (this.#stopped) return;
			this.#installed(persist, meta);
			incoming.done();
		} catch (error) {
			this.fail(error);
		}
	}

	#installed(persist: Persist, meta: SnapshotMeta): void {
		this.#markIndex = meta.index;
		this.#lastAppliedTerm = Math.max(this.#lastAppliedTerm, meta.term);
		this.counters.snapshotsInstalled++;
		// What we sent may be inside the snapshot, applied without our seeing its answer.
		this.#proposals.failSent("etcdserver: request may or may not have been applied (state was replaced by a snapshot)");
		const held = this.#heldPersists ?? [];
		this.#heldPersists = undefined;
		this.#write(persist);
		for (const later of held) this.#persist(later);
		this.#reads.applied(meta.index);
		this.#options.observer?.onSnapshotInstalled?.(meta.index);
		this.#input(() => this.#applyReady());
	}
}

/** The engine keeps a snapshot's view until its stream is left; one never begun must be begun for that. */
async function release(chunks: AsyncIterator<Buffer>): Promise<void> {
	await chunks.next();
	await chunks.return?.();
}
