/**
 * Raft (Ongaro and Ousterhout, extended version; thesis where named) as a pure state machine: messages and ticks go in,
 * `Effects` come out. What each promise rests on:
 *
 * - A vote or an acknowledgement leaves with the persist that makes it true (`#deferred`). Our own vote and our own share
 *   in a quorum count when `persisted` reports them, not before.
 * - Append messages are made when effects are taken, so that all proposals of one turn share one.
 * - A member's own configuration changes when the change is applied, as in etcd.
 */
import { decodeConfChange, encodeConfChange } from "./codec.ts";
import { applySimple, ConfChangeError } from "./confchange.ts";
import { RaftLog } from "./log.ts";
import { hasValidEntries, isValidSnapshot, isWellFormed, makeMessage } from "./message.ts";
import { PersistQueue } from "./persist.ts";
import { ForwardedReads, LeaderReads } from "./readindex.ts";
import { Replicator } from "./replicate.ts";
import { type Progress, Tracker } from "./tracker.ts";
import {
	type ConfChange,
	type ConfState,
	type Effects,
	type Entry,
	type EntryKind,
	type HardState,
	type MemberId,
	type Message,
	none,
	type Persist,
	type ProgressView,
	type ProposeResult,
	type RaftConfig,
	type RaftCore,
	RaftInvariantError,
	type ReadState,
	type Recovered,
	type Role,
	type SnapshotMeta,
} from "./types.ts";

const noMessages: readonly Message[] = [];
const noReadStates: readonly ReadState[] = [];
const noData = Buffer.alloc(0);

function checkConfig(config: RaftConfig): void {
	const atLeastOne = (name: keyof RaftConfig, value: number) => {
		if (!(value >= 1)) throw new RangeError(`raft: ${name} is ${value}, must be at least 1`);
	};
	if (config.id === none) throw new RangeError("raft: id is 0, must not be");
	for (const name of [
		"heartbeatTicks",
		"maxBytesPerAppend",
		"maxInflightAppends",
		"maxInflightBytes",
		"maxUncommittedBytes",
		"maxCommittedBytes",
	] as const)
		atLeastOne(name, config[name]);
	if (!(config.electionTicks > config.heartbeatTicks))
		throw new RangeError(
			`raft: electionTicks is ${config.electionTicks}, must be greater than heartbeatTicks (${config.heartbeatTicks})`,
		);
}

/** The configuration at `applied`: later entries' changes are made when they are applied (again). */
function recoverConf({ conf, snapshot, entries, applied }: Recovered): ConfState {
	if (conf !== undefined) return conf;
	let current = snapshot.conf;
	for (const entry of entries) {
		if (entry.index > applied) break;
		if (entry.kind !== "confchange") continue;
		try {
			current = applySimple(current, [decodeConfChange(entry.data)]);
		} catch (error) {
			// `snapshot.conf` may already be newer than the mark; replaying an old change over it can be impossible halfway,
			// but each member's last change decides, so the end is the same.
			if (!(error instanceof ConfChangeError)) throw error;
		}
	}
	return current;
}

export class Raft implements RaftCore {
	readonly id: MemberId;
	readonly #config: RaftConfig;
	readonly #log: RaftLog;
	readonly #tracker: Tracker;
	readonly #replicator: Replicator;
	readonly #inFlight = new PersistQueue();
	readonly #leaderReads = new LeaderReads();
	readonly #forwardedReads: ForwardedReads;
	/** Our own progress; undefined while the configuration does not name us. */
	#self: Progress | undefined;

	#term: number;
	#vote: MemberId;
	#leader: MemberId = none;
	#role: Role = "follower";

	/** Ticks since a leader was heard (follower) or since the last quorum check (leader). */
	#electionElapsed = 0;
	#heartbeatElapsed = 0;
	#electionTimeout = 0;

	/** Leader: where its term begins. */
	#termStart = 0;
	/** Leader: the member that leadership is being transferred to. */
	#transferee: MemberId = none;
	/** Leader: the last entry that may change the configuration; the next change waits until it is applied. */
	#pendingConfIndex = 0;
	#uncommittedBytes = 0;
	/** Candidate: the leader transferred leadership to us, so voters need not wait until they no longer hear it. */
	#transferred = false;
	/** Leader: something happened that may let appends go out. */
	#sendPending = false;

	#messages: Message[] = [];
	/** Votes and acknowledgements of state that is not durable yet. */
	#deferred: Message[] = [];
	#readStates: ReadState[] = [];
	/** Sent to followers that need entries already dropped from the log. */
	#snapshot: SnapshotMeta;
	/** A received snapshot not yet handed out to be installed. */
	#toInstall: SnapshotMeta | undefined;
	/** While a received snapshot is being installed: the configuration of the old state, which the shell may still be applying to. */
	#replacedConf: ConfState | undefined;
	/** As last handed out to be persisted. */
	#hardState: HardState;
	/** The commit index may be written even if nothing else has to be. */
	#commitDue = false;
	#softLeader: MemberId = none;
	#softRole: Role = "follower";
	#softTerm: number;

	constructor(config: RaftConfig, recovered: Recovered) {
		checkConfig(config);
		this.id = config.id;
		this.#config = config;
		this.#log = new RaftLog(recovered);
		this.#tracker = new Tracker(config, recoverConf(recovered), this.#log.lastIndex);
		this.#replicator = new Replicator(config.id, this.#log, this.#tracker, config.maxBytesPerAppend);
		this.#forwardedReads = new ForwardedReads(Math.max(1, config.electionTicks >>> 1));
		this.#self = this.#tracker.get(config.id);
		this.#hardState = recovered.hardState;
		this.#snapshot = recovered.snapshot;
		this.#term = recovered.hardState.term;
		this.#vote = recovered.hardState.vote;
		this.#softTerm = this.#term;
		this.#drawElectionTimeout();
	}

	get term(): number {
		return this.#term;
	}

	get leader(): MemberId {
		return this.#leader;
	}

	get role(): Role {
		return this.#role;
	}

	get commitIndex(): number {
		return this.#log.committed;
	}

	get appliedIndex(): number {
		return this.#log.applied;
	}

	get lastIndex(): number {
		return this.#log.lastIndex;
	}

	get firstIndex(): number {
		return this.#log.firstIndex;
	}

	get conf(): ConfState {
		return this.#tracker.conf;
	}

	termAt(index: number): number | undefined {
		return this.#log.termAt(index);
	}

	progress(): readonly ProgressView[] {
		return this.#tracker.all.map((progress) => progress.view());
	}

	// --- Input: time and the shell's wishes

	tick(): void {
		if (this.#role === "leader") this.#tickLeader();
		else this.#tickElection();
		// A commit index alone is not worth a write at each commit: it waits for a tick. After a crash the leader tells
		// it again.
		if (this.#inFlight.empty && this.#durableCommit() > this.#hardState.commit) this.#commitDue = true;
	}

	campaign(): void {
		this.#campaign(false);
	}

	propose(data: readonly Buffer[]): ProposeResult {
		let bytes = 0;
		for (const one of data) bytes += one.length;
		const refused = this.#refuseProposal(bytes);
		if (refused !== undefined) return refused;
		const firstIndex = this.#log.lastIndex + 1;
		for (const one of data) this.#appendOwn("normal", one);
		this.#uncommittedBytes += bytes;
		this.#sendPending = true;
		return { ok: true, firstIndex, term: this.#term };
	}

	proposeConfChange(change: ConfChange): ProposeResult {
		const data = encodeConfChange(change);
		const refused = this.#refuseProposal(data.length);
		if (refused !== undefined) return refused;
		if (this.#pendingConfIndex > this.#log.applied) return { ok: false, reason: "conf_change_pending" };
		try {
			applySimple(this.#tracker.conf, [change]);
		} catch (error) {
			if (error instanceof ConfChangeError) return { ok: false, reason: "conf_change_invalid" };
			throw error;
		}
		const firstIndex = this.#log.lastIndex + 1;
		this.#appendOwn("confchange", data);
		this.#pendingConfIndex = firstIndex;
		this.#uncommittedBytes += data.length;
		this.#sendPending = true;
		return { ok: true, firstIndex, term: this.#term };
	}

	applyConfChange(change: ConfChange): ConfState {
		try {
			if (this.#replacedConf !== undefined) {
				// Handed out before the snapshot came: it must not change what the snapshot says.
				this.#replacedConf = applySimple(this.#replacedConf, [change]);
				return this.#replacedConf;
			}
			this.#switchConf(applySimple(this.#tracker.conf, [change]));
		} catch (error) {
			if (!(error instanceof ConfChangeError)) throw error;
			throw new RaftInvariantError(`committed configuration change cannot be applied: ${error.message}`);
		}
		return this.#tracker.conf;
	}

	readIndex(id: bigint): void {
		const accepted =
			this.#role === "leader" ? this.#leaderReads.add(id, none) : this.#leader !== none && this.#forwardedReads.add(id);
		if (!accepted) this.#readStates.push({ id, index: -1 });
	}

	transferLeader(to: MemberId): void {
		if (this.#role === "leader") this.#beginTransfer(to);
		else if (this.#leader !== none) this.#send("transfer_leader", this.#leader, { context: to });
	}

	reportSnapshot(id: MemberId, ok: boolean): void {
		const progress = this.#role === "leader" ? this.#tracker.get(id) : undefined;
		if (progress?.state !== "snapshot") return;
		if (!ok) progress.pendingSnapshot = 0;
		progress.becomeProbe();
		// If the follower took it, its acknowledgement is on the way. If not, try again after the next heartbeat's
		// answer.
		progress.probeSent = true;
	}

	reportUnreachable(id: MemberId): void {
		const progress = this.#role === "leader" ? this.#tracker.get(id) : undefined;
		if (progress?.state !== "replicate" || id === this.id) return;
		progress.becomeProbe();
		this.#sendPending = true;
	}

	compact(index: number, snapshot: SnapshotMeta): void {
		if (snapshot.index < index || snapshot.index > this.#log.applied)
			throw new RaftInvariantError(
				`compaction at ${index} with a snapshot at ${snapshot.index}: must be between that and the applied index ${this.#log.applied}`,
			);
		if (snapshot.index >= this.#snapshot.index) this.#snapshot = snapshot;
		this.#log.compact(index);
	}

	// --- Output

	hasEffects(): boolean {
		return (
			this.#sendPending ||
			this.#messages.length > 0 ||
			this.#deferred.length > 0 ||
			this.#readStates.length > 0 ||
			this.#commitDue ||
			this.#log.hasUnpersisted ||
			this.#log.hasCommitted ||
			this.#toInstall !== undefined ||
			this.#hardState.term !== this.#term ||
			this.#hardState.vote !== this.#vote ||
			this.#softChanged() ||
			this.#forwardedReads.hasFresh ||
			this.#canOpenRound()
		);
	}

	takeEffects(): Effects {
		if (this.#role === "leader") this.#takeLeaderMessages();
		else if (this.#forwardedReads.hasFresh) this.#sendReadIndex(this.#forwardedReads.send());
		const persist = this.#takePersist();
		const committed = this.#log.takeCommitted(this.#config.maxCommittedBytes);
		const messages = this.#messages.length === 0 ? noMessages : this.#messages;
		if (messages.length > 0) this.#messages = [];
		const readStates = this.#readStates.length === 0 ? noReadStates : this.#readStates;
		if (readStates.length > 0) this.#readStates = [];
		return { persist, messages, committed, readStates, soft: this.#takeSoft() };
	}

	persisted(sequence: number): void {
		const done = this.#inFlight.done(sequence);
		if (done.snapshotIndex > 0) {
			this.#log.installed(done.snapshotIndex);
			if (this.#installed()) this.#replacedConf = undefined;
		}
		this.#log.stableTo(done.lastIndex);
		if (this.#role === "candidate" && done.term === this.#term && done.vote === this.id) {
			this.#tracker.recordVote(this.id, true);
			this.#countVotes();
		} else if (this.#role === "leader" && this.#self !== undefined && this.#self.maybeUpdate(this.#log.stable)) {
			this.#maybeCommit();
		}
	}

	applied(index: number): void {
		this.#log.appliedTo(index);
	}

	#takeLeaderMessages(): void {
		if (this.#canOpenRound()) {
			const round = this.#leaderReads.open(this.#log.committed);
			if (this.#self !== undefined) this.#self.ackedRound = round;
			this.#replicator.heartbeats(this.#term, round, this.#messages);
			this.#confirmReads();
		}
		if (!this.#sendPending) return;
		this.#sendPending = false;
		this.#replicator.appends(this.#term, this.#snapshot, this.#messages);
	}

	#takePersist(): Persist | undefined {
		const snapshot = this.#toInstall;
		const entries = this.#log.takeUnpersisted();
		const voteChanged = this.#hardState.term !== this.#term || this.#hardState.vote !== this.#vote;
		const writes = voteChanged || entries.length > 0 || snapshot !== undefined;
		const waits = this.#deferred.length > 0 && (writes || this.#inFlight.syncing);
		if (!waits && this.#deferred.length > 0) {
			// Everything that these messages vouch for is durable already.
			for (const message of this.#deferred) this.#messages.push(message);
			this.#deferred = [];
		}
		if (!writes && !waits && !this.#commitDue) return undefined;
		this.#commitDue = false;
		this.#toInstall = undefined;
		const messages = waits ? this.#deferred : noMessages;
		if (waits) this.#deferred = [];
		const hardState = this.#takeHardState(voteChanged);
		const mustSync = writes || waits;
		const sequence = this.#inFlight.add({
			lastIndex: entries.length > 0 ? entries[entries.length - 1]!.index : 0,
			snapshotIndex: snapshot?.index ?? 0,
			term: this.#term,
			vote: this.#vote,
			mustSync,
		});
		return { sequence, hardState, entries, snapshot, mustSync, messages };
	}

	#takeHardState(voteChanged: boolean): HardState | undefined {
		const commit = this.#durableCommit();
		if (!voteChanged && commit === this.#hardState.commit) return undefined;
		this.#hardState = { term: this.#term, vote: this.#vote, commit };
		return this.#hardState;
	}

	/** Never beyond the entries on disk: a crash between the two writes must not leave a commit index without its entry. */
	#durableCommit(): number {
		return Math.max(this.#hardState.commit, Math.min(this.#log.committed, this.#log.stable));
	}

	#softChanged(): boolean {
		return this.#softLeader !== this.#leader || this.#softRole !== this.#role || this.#softTerm !== this.#term;
	}

	#takeSoft(): Effects["soft"] {
		if (!this.#softChanged()) return undefined;
		this.#softLeader = this.#leader;
		this.#softRole = this.#role;
		this.#softTerm = this.#term;
		return { leader: this.#leader, role: this.#role, term: this.#term };
	}

	#send(type: Message["type"], to: MemberId, fields: Parameters<typeof makeMessage>[4]): void {
		this.#messages.push(makeMessage(type, this.id, to, this.#term, fields));
	}

	#sendWhenDurable(type: Message["type"], to: MemberId, fields: Parameters<typeof makeMessage>[4]): void {
		this.#deferred.push(makeMessage(type, this.id, to, this.#term, fields));
	}

	// --- Time

	#tickElection(): void {
		for (const id of this.#forwardedReads.tick()) this.#sendReadIndex(id);
		this.#electionElapsed++;
		if (this.#electionElapsed >= this.#electionTimeout && this.#promotable()) {
			this.#electionElapsed = 0;
			this.#campaign(false);
		} else if (this.#role !== "follower" && this.#electionElapsed % this.#config.heartbeatTicks === 0) {
			// Paper 5.1: requests not answered in time are repeated. This matters most for pre-votes: members that
			// heard the dead leader a moment later than we did ignore our first request, and would not be asked again
			// before another timeout.
			this.#requestVotes();
		}
	}

	#tickLeader(): void {
		this.#electionElapsed++;
		if (this.#electionElapsed >= this.#config.electionTicks) {
			this.#electionElapsed = 0;
			// A transfer that took an election timeout has failed (thesis 3.10).
			this.#transferee = none;
			if (this.#config.checkQuorum && !this.#checkQuorum()) return;
		}
		this.#heartbeatElapsed++;
		if (this.#heartbeatElapsed < this.#config.heartbeatTicks) return;
		this.#heartbeatElapsed = 0;
		for (const progress of this.#tracker.all) progress.stalled = false;
		this.#replicator.heartbeats(this.#term, this.#leaderReads.round, this.#messages);
	}

	/** Thesis 6.2: a leader that a quorum no longer answers steps down, so that its clients look elsewhere. */
	#checkQuorum(): boolean {
		if (!this.#tracker.quorumActive()) {
			this.#becomeFollower(this.#term, none);
			return false;
		}
		for (const progress of this.#tracker.all) progress.recentActive = progress.id === this.id;
		return true;
	}

	#drawElectionTimeout(): void {
		this.#electionTimeout = this.#config.electionTicks + this.#config.randomInt(this.#config.electionTicks);
	}

	// --- Roles

	/** Whether we may become leader: a voter, with its state whole. */
	#promotable(): boolean {
		return this.#self !== undefined && !this.#self.learner && this.#installed();
	}

	#installed(): boolean {
		return this.#toInstall === undefined && !this.#inFlight.installing;
	}

	#reset(term: number): void {
		if (term !== this.#term) {
			this.#term = term;
			this.#vote = none;
			// These answers belong to a term that is over. What they would acknowledge may now never be written.
			if (this.#deferred.length > 0) this.#deferred = [];
		}
		this.#leader = none;
		this.#electionElapsed = 0;
		this.#heartbeatElapsed = 0;
		this.#drawElectionTimeout();
		this.#transferee = none;
		this.#pendingConfIndex = 0;
		this.#uncommittedBytes = 0;
		this.#sendPending = false;
		this.#tracker.resetVotes();
		this.#failReads();
	}

	#becomeFollower(term: number, leader: MemberId): void {
		this.#reset(term);
		this.#leader = leader;
		this.#role = "follower";
	}

	/** Thesis 9.6: asks whether an election could be won, changing neither term nor vote. */
	#becomePreCandidate(): void {
		this.#reset(this.#term);
		this.#role = "pre_candidate";
		this.#tracker.recordVote(this.id, true);
	}

	#becomeCandidate(): void {
		this.#reset(this.#term + 1);
		this.#role = "candidate";
		this.#vote = this.id;
	}

	#becomeLeader(): void {
		this.#reset(this.#term);
		this.#role = "leader";
		this.#leader = this.id;
		const log = this.#log;
		for (const progress of this.#tracker.all) progress.reset(log.lastIndex + 1);
		if (this.#self !== undefined) {
			this.#self.match = log.stable;
			this.#self.recentActive = true;
		}
		// An earlier leader may have left a change uncommitted; scanning for it is not worth the time.
		this.#pendingConfIndex = log.lastIndex;
		this.#termStart = log.lastIndex + 1;
		// Paper section 8: entries of earlier terms commit only below one of ours.
		this.#appendOwn("normal", noData);
		this.#sendPending = true;
	}

	#campaign(transfer: boolean): void {
		if (this.#role === "leader" || !this.#promotable()) return;
		// With a configuration change committed but not applied, we would count votes by an outdated configuration.
		if (this.#log.hasConfChange(this.#log.applied, this.#log.committed)) return;
		if (this.#config.preVote && !transfer) this.#becomePreCandidate();
		else this.#becomeCandidate();
		this.#transferred = transfer;
		this.#requestVotes();
		// Alone, a pre-vote is won at once; a vote only when it is durable.
		this.#countVotes();
	}

	/** Asks all voters that have not answered. */
	#requestVotes(): void {
		const preVote = this.#role === "pre_candidate";
		const fields = { logTerm: this.#log.lastTerm, index: this.#log.lastIndex, force: this.#transferred };
		for (const { id } of this.#tracker.all) {
			if (id === this.id || !this.#tracker.isVoter(id) || this.#tracker.hasVoted(id)) continue;
			if (preVote) this.#messages.push(makeMessage("pre_vote", this.id, id, this.#term + 1, fields));
			else this.#sendWhenDurable("vote", id, fields);
		}
	}

	#countVotes(): void {
		const result = this.#tracker.voteResult();
		if (result === "lost") this.#becomeFollower(this.#term, none);
		if (result !== "won") return;
		if (this.#role === "candidate") {
			this.#becomeLeader();
		} else {
			this.#becomeCandidate();
			this.#requestVotes();
		}
	}

	#switchConf(conf: ConfState): void {
		this.#tracker.apply(conf, this.#log.lastIndex);
		this.#self = this.#tracker.get(this.id);
		const voter = this.#self !== undefined && !this.#self.learner;
		if (this.#role !== "follower" && !voter) this.#becomeFollower(this.#term, none);
		if (this.#role !== "leader") return;
		if (!this.#tracker.isVoter(this.#transferee)) this.#transferee = none;
		this.#maybeCommit();
		this.#confirmReads();
		this.#sendPending = true;
	}

	// --- Messages

	step(message: Message): void {
		if (!isWellFormed(message) || message.to !== this.id || message.from === this.id) return;
		if (message.term === 0) {
			if (message.type === "read_index") this.#onReadIndex(message);
			return;
		}
		if (message.term > this.#term && !this.#meetHigherTerm(message)) return;
		if (message.term < this.#term) this.#answerStale(message);
		else if (message.type === "vote" || message.type === "pre_vote") this.#onVoteRequest(message);
		else if (this.#role === "leader") this.#stepLeader(message);
		else this.#stepFollower(message);
	}

	/** Paper 5.1. False: the message is to be ignored. */
	#meetHigherTerm(message: Message): boolean {
		const { type, term, from } = message;
		if (type === "vote" || type === "pre_vote") {
			// Thesis 4.2.3 and 6.2: while a leader is heard, nobody can disturb it; a transfer has its consent.
			const leased =
				this.#config.checkQuorum && this.#leader !== none && this.#electionElapsed < this.#config.electionTicks;
			if (leased && !message.force) return false;
		}
		// A pre-vote asks about a term that nobody is in yet, and its grant answers for that term.
		if (type === "pre_vote") return true;
		if (type === "pre_vote_response" && !message.reject)
			return this.#role === "pre_candidate" && term === this.#term + 1;
		const fromLeader = type === "append" || type === "heartbeat" || type === "snapshot";
		this.#becomeFollower(term, fromLeader ? from : none);
		return true;
	}

	/** Paper 5.1: a stale request is answered with our term. */
	#answerStale({ type, from }: Message): void {
		if (type === "append" || type === "heartbeat" || type === "snapshot") {
			// Says nothing about entries. Under PreVote and CheckQuorum it is the only way a leader of an old term learns of
			// ours: our own requests are ignored while it is heard.
			this.#sendWhenDurable("append_response", from, {});
		} else if (type === "pre_vote") this.#send("pre_vote_response", from, { reject: true });
		else if (type === "vote") this.#sendWhenDurable("vote_response", from, { reject: true });
	}

	#onVoteRequest(message: Message): void {
		const { type, from, term } = message;
		const preVote = type === "pre_vote";
		const free =
			this.#vote === from || (this.#vote === none && this.#leader === none) || (preVote && term > this.#term);
		const granted = free && this.#log.isUpToDate(message.index, message.logTerm);
		if (preVote) {
			const answerTerm = granted ? term : this.#term;
			this.#messages.push(makeMessage("pre_vote_response", this.id, from, answerTerm, { reject: !granted }));
			return;
		}
		this.#sendWhenDurable("vote_response", from, { reject: !granted });
		// Only a new vote resets the timer: a repeated request must not keep us waiting for a leader that may be dead.
		if (!granted || this.#vote === from) return;
		this.#electionElapsed = 0;
		this.#vote = from;
	}

	#stepFollower(message: Message): void {
		switch (message.type) {
			case "append":
				this.#hearLeader(message.from);
				this.#onAppend(message);
				break;
			case "heartbeat":
				this.#hearLeader(message.from);
				this.#onHeartbeat(message);
				break;
			case "snapshot":
				this.#hearLeader(message.from);
				this.#onSnapshot(message);
				break;
			case "pre_vote_response":
			case "vote_response":
				this.#onVoteResponse(message);
				break;
			case "timeout_now":
				if (this.#role === "follower" && message.from === this.#leader) this.#campaign(true);
				break;
			case "read_index_response":
				if (message.from === this.#leader)
					for (const id of this.#forwardedReads.answered(message.context))
						this.#readStates.push({ id, index: message.index });
				break;
			default:
				// Answers to a leader we no longer are.
				break;
		}
	}

	/** Whoever sends as leader in our own term won it. */
	#hearLeader(from: MemberId): void {
		if (this.#role !== "follower") this.#becomeFollower(this.#term, from);
		this.#electionElapsed = 0;
		if (this.#leader === from) return;
		this.#leader = from;
		this.#failReads();
	}

	#onVoteResponse({ type, from, term, reject }: Message): void {
		const wanted = type === "vote_response" ? "candidate" : "pre_candidate";
		if (this.#role !== wanted) return;
		// A pre-vote granted for our present term answers an older question.
		if (type === "pre_vote_response" && !reject && term !== this.#term + 1) return;
		this.#tracker.recordVote(from, !reject);
		this.#countVotes();
	}

	// --- Follower

	#onAppend(message: Message): void {
		const log = this.#log;
		const { from, index, entries } = message;
		if (!hasValidEntries(message)) return;
		this.#checkCommitted(message);
		if (index < log.committed) {
			// What is committed matches any leader's log; no need to look at the entries.
			this.#sendWhenDurable("append_response", from, { index: log.committed });
		} else if (log.termAt(index) !== message.logTerm) {
			this.#rejectAppend(message);
		} else {
			const dropped = log.merge(entries);
			if (dropped > 0) this.#inFlight.voidAfter(dropped - 1);
			const lastNew = index + entries.length;
			log.commitTo(Math.min(message.commit, lastNew));
			this.#sendWhenDurable("append_response", from, { index: lastNew });
		}
	}

	/** Whoever leads holds everything that was committed (paper 5.4). Where it does not, somebody's log was lost or replaced. */
	#checkCommitted({ from, index, logTerm, entries }: Message): void {
		const log = this.#log;
		const check = (at: number, term: number) => {
			const known = log.termAt(at);
			if (known === undefined || known === term) return;
			throw new RaftInvariantError(
				`entry ${at} of term ${known} is committed here, up to entry ${log.committed}, but leader ${from.toString(16)} holds one of term ${term} in its place: ` +
					"a quorum of the members that acknowledged it has lost it, and this member still has it",
			);
		};
		if (index > log.committed) return;
		check(index, logTerm);
		for (const entry of entries) {
			if (entry.index > log.committed) break;
			check(entry.index, entry.term);
		}
	}

	/** Names the highest index where the logs may still match: terms above the leader's there cannot (paper 5.3, etcd's refinement). */
	#rejectAppend({ from, index, logTerm }: Message): void {
		const log = this.#log;
		// What is committed matches any leader's log.
		const rejectHint = Math.max(log.findByTerm(Math.min(index, log.lastIndex), logTerm), log.committed);
		const hintTerm = log.termAt(rejectHint) ?? 0;
		this.#sendWhenDurable("append_response", from, { index, reject: true, rejectHint, logTerm: hintTerm });
	}

	#onHeartbeat({ from, commit, context, index }: Message): void {
		const { lastIndex } = this.#log;
		// The leader names what we acknowledged to it in its term, and commits no more of it.
		const acknowledged = Math.max(commit, index);
		if (acknowledged > lastIndex)
			throw new RaftInvariantError(
				`this member acknowledged entries up to ${acknowledged} to leader ${from.toString(16)}, but its log ends at ${lastIndex}: what follows is lost here, and the leader has it`,
			);
		this.#log.commitTo(commit);
		this.#send("heartbeat_response", from, { context });
	}

	#onSnapshot({ from, snapshot, term }: Message): void {
		if (!isValidSnapshot(snapshot, term)) return;
		const log = this.#log;
		if (snapshot.index > log.committed) {
			if (log.termAt(snapshot.index) === snapshot.term) log.commitTo(snapshot.index);
			else this.#restore(snapshot);
		}
		this.#sendWhenDurable("append_response", from, { index: log.committed });
	}

	#restore(snapshot: SnapshotMeta): void {
		this.#log.restore(snapshot);
		this.#inFlight.voidAfter(0);
		this.#toInstall = snapshot;
		this.#replacedConf ??= this.#tracker.conf;
		this.#snapshot = snapshot;
		this.#switchConf(snapshot.conf);
	}

	// --- Leader

	#stepLeader(message: Message): void {
		const progress = this.#tracker.get(message.from);
		if (progress === undefined) return;
		switch (message.type) {
			case "append_response":
				if (message.reject) this.#onReject(progress, message);
				else this.#onAcknowledged(progress, message);
				break;
			case "heartbeat_response":
				this.#onHeartbeatResponse(progress, message);
				break;
			case "transfer_leader":
				this.#beginTransfer(message.context);
				break;
			default:
				// Late votes of the election we won, or messages that only another leader of our term could send (a
				// fault).
				break;
		}
	}

	#onReject(progress: Progress, { index, rejectHint, logTerm }: Message): void {
		const log = this.#log;
		progress.recentActive = true;
		// Among our entries up to the hint, those of terms above the follower's there cannot match either.
		const bounded = Math.min(rejectHint, log.lastIndex);
		const hint = logTerm > 0 ? log.findByTerm(bounded, logTerm) : bounded;
		if (progress.maybeDecrease(index, hint)) this.#sendPending = true;
	}

	#onAcknowledged(progress: Progress, { index, from }: Message): void {
		const log = this.#log;
		if (index > log.lastIndex)
			throw new RaftInvariantError(
				`member ${from.toString(16)} has entries up to ${index} and holds them for committed, but the log of this leader ends at ${log.lastIndex}: entries from ${log.lastIndex + 1} are lost here, and that member has them`,
			);
		progress.recentActive = true;
		const news = progress.maybeUpdate(index);
		if (!news && !(progress.state === "probe" && progress.match === index)) return;
		if (progress.state === "replicate") progress.inflights.freeTo(index);
		else if (progress.state === "probe" || progress.match + 1 >= log.firstIndex) progress.becomeReplicate();
		if (news) this.#maybeCommit();
		this.#sendPending = true;
		if (from === this.#transferee && progress.match === log.lastIndex) this.#send("timeout_now", from, {});
	}

	#onHeartbeatResponse(progress: Progress, { context }: Message): void {
		progress.recentActive = true;
		// A stalled follower is probed at the heartbeat interval only, not at each ReadIndex round.
		if (!progress.stalled) {
			progress.probeSent = false;
			if (progress.state === "probe" || progress.match < this.#log.lastIndex) {
				progress.kick = true;
				this.#sendPending = true;
			}
		}
		const round = Number(context);
		if (round <= progress.ackedRound || round > this.#leaderReads.round) return;
		progress.ackedRound = round;
		this.#confirmReads();
	}

	/** Paper 5.4.2: only entries of the current term commit by counting; earlier ones commit with them. */
	#maybeCommit(): void {
		const log = this.#log;
		const before = log.committed;
		const index = this.#tracker.committed();
		if (index <= before || log.termAt(index) !== this.#term) return;
		log.commitTo(index);
		this.#uncommittedBytes -= log.dataBytes(Math.max(before, this.#termStart), index);
		this.#sendPending = true;
	}

	#refuseProposal(bytes: number): ProposeResult | undefined {
		if (this.#role !== "leader") return { ok: false, reason: "not_leader" };
		if (this.#transferee !== none) return { ok: false, reason: "transferring" };
		// One proposal above the limit passes alone; otherwise it could never pass.
		const full = this.#uncommittedBytes > 0 && this.#uncommittedBytes + bytes > this.#config.maxUncommittedBytes;
		return full ? { ok: false, reason: "overloaded" } : undefined;
	}

	#appendOwn(kind: EntryKind, data: Buffer): void {
		const entry: Entry = { term: this.#term, index: this.#log.lastIndex + 1, kind, data };
		this.#log.appendOne(entry);
	}

	#beginTransfer(to: MemberId): void {
		const progress = this.#tracker.get(to);
		if (progress === undefined || progress.learner || to === this.id || to === this.#transferee) return;
		this.#transferee = to;
		this.#electionElapsed = 0;
		if (progress.match === this.#log.lastIndex) {
			this.#send("timeout_now", to, {});
		} else {
			progress.kick = true;
			this.#sendPending = true;
		}
	}

	// --- Reads

	#canOpenRound(): boolean {
		// Before an entry of its term is committed a leader does not know the commit index (thesis 6.4, step 1).
		return this.#role === "leader" && this.#leaderReads.canOpen && this.#log.termAt(this.#log.committed) === this.#term;
	}

	#confirmReads(): void {
		this.#leaderReads.confirm(this.#tracker.confirmedRound(), ({ id, from }, index) => {
			if (from === none) this.#readStates.push({ id, index });
			else this.#send("read_index_response", from, { index, context: id });
		});
	}

	#onReadIndex({ from, context }: Message): void {
		if (this.#role === "leader" && this.#tracker.get(from) !== undefined) this.#leaderReads.add(context, from);
	}

	#sendReadIndex(id: bigint): void {
		this.#messages.push(makeMessage("read_index", this.id, this.#leader, 0, { context: id }));
	}

	#failReads(): void {
		this.#leaderReads.fail(({ id }) => this.#readStates.push({ id, index: -1 }));
		for (const id of this.#forwardedReads.fail()) this.#readStates.push({ id, index: -1 });
	}
}
