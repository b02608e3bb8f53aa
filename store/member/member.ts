/**
 * The shell around the Raft core: the only place that carries out its effects, in the order `raft/types.ts` documents.
 * Everything from outside is injected, so the same code runs in production and in simulation.
 *
 * One turn: input of an event-loop turn (messages, proposals, reads, finished syncs) is only noted or stepped; at its
 * end, `#turn` hands all proposals to the core at once, asks for all reads with one id, and performs what comes out.
 */
import type { Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import { shortageOf } from "../../kit/shortage.ts";
import { StoreError } from "../api.ts";
import { encodeCommand } from "../machine/codec.ts";
import type { Applied, Command, StateMachine } from "../machine/types.ts";
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
import { Applier } from "./applier.ts";
import { Duties } from "./duties.ts";
import { maxLives } from "./forwards.ts";
import { KeepAlives } from "./keepalives.ts";
import { Marks } from "./marks.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { reconcile } from "./recovery.ts";
import { Snapshots } from "./snapshots.ts";
import { Submissions } from "./submissions.ts";
import {
	defaultLimits,
	type MemberConfig,
	type MemberLimits,
	type MemberOptions,
	type PeerTransport,
} from "./types.ts";

const maxBytesPerAppend = 1 << 20;
const maxInflightAppends = 512;
/** Longest stretch of performing effects before input gets its turn, ms. */
const turnBudgetMs = 10;
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
	readonly #submissions: Submissions;
	readonly #applier: Applier;
	readonly #snapshots: Snapshots;
	readonly #marks: Marks;
	readonly #duties: Duties;
	readonly #timers = new Set<Timer>();
	readonly #leaderWaiters = new Set<() => void>();
	#nextRequest: bigint;
	#turnScheduled = false;
	#stopped = false;
	/** Stalled members already reported since this member became leader. */
	readonly #stalled = new Set<MemberId>();
	#lastAppliedTerm: number;
	/** Attempts left to become the first leader. */
	#eagerTicks: number;
	#leader: MemberId = none;
	#role: Role = "follower";
	#background = new Set<Promise<unknown>>();

	#leaderChanges = 0;
	#commandsApplied = 0;

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
		const { clock } = options;
		const [machine, raft, log, transport] = [this.machine, this.#raft, this.#log, this.#transport];
		const [limits, logger, observer] = [this.#limits, this.#logger, options.observer];
		// What each of the parts may do to the member and to the others.
		const common = {
			config,
			clock,
			logger,
			limits,
			observer,
			machine,
			raft,
			log,
			transport,
			stopped: () => this.#stopped,
			installing: () => this.#snapshots.installing,
			input: (work: () => void) => this.#input(work),
			inBackground: (work: Promise<unknown>) => this.#inBackground(work),
			fail: (error: unknown) => this.fail(error),
		};
		this.#submissions = new Submissions(
			{
				...common,
				id: config.id,
				proposals: this.#proposals,
				isFull: () => this.#refusal() !== undefined,
				nextTick: (work) => void this.#later(config.heartbeatMs, () => this.#input(work)),
			},
			Number(this.#nextRequest % BigInt(maxLives)),
		);
		this.#applier = new Applier({
			...common,
			maxPendingBytes: limits.machinePendingBytes,
			applied: (entries, last, answers) => this.#applied(entries, last, answers),
		});
		this.#snapshots = new Snapshots({
			...common,
			openSpool: options.openSpool,
			performAll: () => this.#performAll(),
			marking: () => this.#marks.marking,
			installed: (persist, meta, held) => this.#installed(persist, meta, held),
		});
		const markedIndex = start.recovered.snapshot.index;
		this.#marks = new Marks({ ...common, sending: () => this.#snapshots.sending > 0 }, markedIndex);
		this.#duties = new Duties(
			{
				clock,
				logger,
				machine,
				ready: () => this.#leading(),
				leaseNow: () => this.#submissions.leaseNow(),
				propose: (command) => this.propose(command),
				hasSessions: () => machine.sessionCount > 0,
			},
			config.autoCompaction,
		);
	}

	#start(): void {
		this.#transport.start({
			onMessages: (messages) => this.#input(() => this.#step(messages)),
			onForward: (from, forward) => this.#input(() => this.#submissions.receive(from, forward)),
			onRefused: (_from, id, reason) => this.#input(() => this.#submissions.refused(id, reason)),
			onSnapshot: (message, chunks) => this.#snapshots.receive(message, chunks),
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

	/** Since start, for metrics. */
	get counters() {
		return {
			leaderChanges: this.#leaderChanges,
			slowApplies: this.#applier.slow,
			snapshotsSent: this.#snapshots.counters.sent,
			snapshotsInstalled: this.#snapshots.counters.installed,
			commandsApplied: this.#commandsApplied,
		};
	}

	/** Load and failures, for metrics. */
	get load() {
		return {
			proposalsPending: this.#proposals.size,
			proposalsFailed: this.#proposals.failed,
			readsSlow: this.#reads.slow,
			readsFailed: this.#reads.failed,
			snapshotsSending: this.#snapshots.sending,
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
		this.#snapshots.stop(new Error("member stopped"));
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
		this.#applier.stop();
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
		// In a quiet cluster most input leaves nothing to do, and does not need a turn.
		if (this.#hasWork()) this.#scheduleTurn();
	}

	#hasWork(): boolean {
		return this.#raft.hasEffects() || this.#proposals.queued > 0 || this.#submissions.received || this.#reads.pending;
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
			this.#submissions.sendQueued();
			this.#submissions.appendReceived();
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
		if (!this.#stopped) this.#submissions.repeatForwards(now);
		this.#reportStalled();
		this.#input(() => this.#raft.tick());
	}

	/** Logs each stalled member once: nothing else shows it, since the cluster goes on without that member. */
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
		const shortage = shortageOf(error);
		this.#logger.error(`member stopped: ${shortage?.what ?? "its state can no longer be trusted"}`, {
			error: `${error.name}: ${error.message}`,
			...(shortage === undefined ? {} : { remedy: shortage.remedy }),
			stack: error.stack,
		});
		this.#proposals.failAll("etcdserver: server stopped");
		this.#reads.failAll("etcdserver: server stopped");
		this.#snapshots.stop(error);
		this.#options.onFatal?.(error);
	}

	#inBackground(work: Promise<unknown>): void {
		this.#background.add(work);
		const forget = () => void this.#background.delete(work);
		work.then(forget, forget);
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
		if (effects.committed.length > 0) this.#applier.push(effects.committed);
		let confirmed = false;
		for (const { id, index } of effects.readStates) {
			this.#reads.confirm(id, index, this.machine.appliedIndex);
			confirmed ||= index >= 0;
		}
		// Reads that gathered during the round go next. An unconfirmed round waits for input or a tick, so as not to
		// spin.
		if (confirmed && this.#reads.pending) this.#scheduleTurn();
	}

	#softChanged(soft: { readonly leader: MemberId; readonly role: Role; readonly term: number }): void {
		const { leader, role, term } = soft;
		if (role === "leader" && this.#role !== "leader") {
			this.#submissions.leaseNow();
			this.#stalled.clear();
		}
		if (leader !== this.#leader) {
			if (leader !== none) this.#leaderChanges++;
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
		if (!this.#snapshots.holds(persist)) this.#write(persist);
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
		let plain = messages;
		if (messages.some((message) => message.type === "snapshot")) {
			plain = messages.filter((message) => message.type !== "snapshot");
			for (const message of messages) if (message.type === "snapshot") this.#snapshots.send(message);
		}
		if (plain.length > 0) this.#transport.send(plain);
	}

	#performAll(): void {
		while (!this.#stopped && this.#raft.hasEffects()) this.#perform(this.#raft.takeEffects());
	}

	#applied(entries: readonly Entry[], last: Entry, answers: readonly Applied[]): void {
		for (const answer of answers) this.#proposals.settle(answer);
		this.#commandsApplied += answers.length;
		this.#marks.applied(entries);
		this.#raft.applied(last.index);
		this.#reads.applied(last.index);
		if (last.term > this.#lastAppliedTerm) {
			this.#lastAppliedTerm = last.term;
			if (this.#proposals.termApplied(last.term)) this.#scheduleTurn();
		}
		this.#options.observer?.onApplied?.(last.index, this.machine.revision);
		this.#marks.maybeMark(last.index);
	}

	/** Leader whose earlier terms' entries are all applied, so that its machine's time and leases are current. */
	#leading(): boolean {
		return !this.#stopped && this.#raft.role === "leader" && this.#lastAppliedTerm === this.#raft.term;
	}

	/** A received snapshot has replaced the state. */
	#installed(persist: Persist, meta: SnapshotMeta, held: readonly Persist[]): void {
		this.#marks.installed(meta.index);
		this.#lastAppliedTerm = Math.max(this.#lastAppliedTerm, meta.term);
		// Proposals we sent may be part of the snapshot: they were applied, but their answers never reached us.
		this.#proposals.failSent("etcdserver: request may or may not have been applied (state was replaced by a snapshot)");
		this.#write(persist);
		for (const later of held) this.#persist(later);
		this.#reads.applied(meta.index);
		this.#options.observer?.onSnapshotInstalled?.(meta.index);
		this.#input(() => this.#applier.applyReady());
	}
}
