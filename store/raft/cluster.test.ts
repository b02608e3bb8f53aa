/**
 * Random clusters: messages lost, repeated and reordered; persists delayed; members crash, losing what was not durable, and
 * start again from what was; members join and leave; logs are compacted. Safety is checked at every step (paper figure 3
 * and the promises of `Effects`), liveness after healing. Limits are small, so that their edges come early.
 */
import assert from "node:assert/strict";
import { type Random, seededRandom, systemRandom } from "../../kit/random.ts";
import { decodeConfChange } from "./codec.ts";
import { applySimple, ConfChangeError } from "./confchange.ts";
import { Raft } from "./raft.ts";
import {
	type ConfChangeType,
	type ConfState,
	type Effects,
	type Entry,
	type HardState,
	type MemberId,
	type Message,
	none,
	type Persist,
	type RaftConfig,
	type ReadState,
	type SnapshotMeta,
} from "./types.ts";

const electionTicks = 8;

interface Faults {
	readonly loss: number;
	readonly repeat: number;
	readonly crash: number;
	readonly partition: number;
	readonly confChange: number;
	readonly transfer: number;
	readonly compact: number;
}

const calm: Faults = { loss: 0, repeat: 0, crash: 0, partition: 0, confChange: 0, transfer: 0, compact: 0 };

/** What a member's disk holds: it changes only when a persist completes. */
interface Disk {
	hardState: HardState;
	snapshot: SnapshotMeta;
	entries: Entry[];
	/** The state machine, as far as it is durable. */
	applied: number;
	conf: ConfState;
}

const diskLast = (disk: Disk) => disk.snapshot.index + disk.entries.length;

function diskTermAt(disk: Disk, index: number): number | undefined {
	if (index === disk.snapshot.index) return disk.snapshot.term;
	return disk.entries[index - disk.snapshot.index - 1]?.term;
}

class Member {
	readonly id: MemberId;
	readonly disk: Disk;
	core!: Raft;
	up = false;
	persists: Persist[] = [];
	toApply: Entry[] = [];
	applied = 0;
	conf!: ConfState;

	constructor(id: MemberId, conf: ConfState) {
		this.id = id;
		this.disk = {
			hardState: { term: 0, vote: none, commit: 0 },
			snapshot: { index: 0, term: 0, conf },
			entries: [],
			applied: 0,
			conf,
		};
	}
}

class Cluster {
	readonly random: Random;
	readonly members: Member[] = [];
	#wire: Message[] = [];
	#cut = new Set<MemberId>();
	readonly #options: Pick<RaftConfig, "preVote" | "checkQuorum">;
	/** What was committed, for ever. */
	readonly #canonical: Entry[] = [];
	readonly #confs = new Map<number, ConfState>();
	readonly #leaders = new Map<number, MemberId>();
	/** Highest commit index any member had when a read was asked. */
	readonly #reads = new Map<bigint, number>();
	readonly answered = new Set<bigint>();
	#nextRead = 1n;
	#nextData = 1;

	constructor(random: Random, size: number, spare: number) {
		this.random = random;
		this.#options = { preVote: random.int(2) === 0, checkQuorum: random.int(2) === 0 };
		const voters = Array.from({ length: size }, (_, at) => BigInt(at + 1));
		const conf: ConfState = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
		for (let at = 0; at < size + spare; at++) {
			const member = new Member(BigInt(at + 1), conf);
			this.members.push(member);
			this.start(member);
		}
	}

	get committed(): number {
		return this.#canonical.length;
	}

	termOf(index: number): number | undefined {
		return this.#canonical[index - 1]?.term;
	}

	start(member: Member): void {
		const { disk } = member;
		member.core = new Raft(
			{
				id: member.id,
				electionTicks,
				heartbeatTicks: 2,
				randomInt: (bound) => this.random.int(bound),
				...this.#options,
				maxBytesPerAppend: 120,
				maxInflightAppends: 3,
				maxInflightBytes: 400,
				maxUncommittedBytes: 200,
				maxCommittedBytes: 100,
			},
			{
				hardState: disk.hardState,
				snapshot: disk.snapshot,
				entries: [...disk.entries],
				applied: disk.applied,
				conf: this.random.int(2) === 0 ? disk.conf : undefined,
			},
		);
		member.up = true;
		member.applied = disk.applied;
		member.conf = disk.conf;
		assert.deepEqual(member.core.conf, disk.conf, "the replayed configuration is the one applied");
	}

	crash(member: Member): void {
		// Some of what was under way may have reached the disk without anybody having heard of it.
		const lucky = this.random.int(member.persists.length + 1);
		for (const persist of member.persists.slice(0, lucky)) this.#write(member, persist);
		this.#syncMachine(member);
		member.persists = [];
		member.toApply = [];
		member.up = false;
	}

	/** One random event. */
	step(faults: Faults): void {
		const { random } = this;
		const member = this.members[random.int(this.members.length)]!;
		if (!member.up) {
			if (random.int(12) === 0) this.start(member);
			return;
		}
		const dice = random.float();
		if (random.float() < faults.crash) this.crash(member);
		else if (random.float() < faults.partition) this.#repartition();
		else if (random.float() < faults.confChange) this.#changeConf(member);
		else if (random.float() < faults.transfer) member.core.transferLeader(this.#anyone());
		else if (random.float() < faults.compact) this.#compact(member);
		else if (dice < 0.1) member.core.tick();
		else if (dice < 0.15) this.propose(member);
		else if (dice < 0.2) this.read(member);
		else if (dice < 0.24) this.#syncMachine(member);
		else if (dice < 0.45) this.#completePersist(member);
		else if (dice < 0.6) this.#apply(member);
		else for (let n = random.int(4); n >= 0; n--) this.#deliver(faults);
		if (member.up && random.int(3) > 0) this.#take(member);
	}

	/** Everything under way arrives and completes, until nothing more happens. */
	settle(): void {
		for (let busy = true; busy; ) {
			busy = false;
			for (const member of this.members) {
				if (!member.up) continue;
				if (member.core.hasEffects()) {
					this.#take(member);
					busy = true;
				}
				while (member.persists.length > 0) this.#completePersist(member);
				while (member.toApply.length > 0) this.#apply(member);
			}
			if (this.#wire.length > 0) busy = true;
			while (this.#wire.length > 0) this.#deliver(calm);
		}
	}

	heal(): void {
		this.#cut.clear();
		for (const member of this.members) if (!member.up) this.start(member);
	}

	propose(member: Member): boolean {
		const data = Array.from({ length: 1 + this.random.int(3) }, () => Buffer.from(`put ${this.#nextData++}`));
		return member.core.propose(data).ok;
	}

	read(member: Member): bigint {
		const id = this.#nextRead++;
		this.#reads.set(id, Math.max(...this.members.map((other) => other.core.commitIndex)));
		member.core.readIndex(id);
		return id;
	}

	/** Paper figure 3, Log Matching: where two logs agree on an entry's term, they agree on everything before. */
	checkLogMatching(): void {
		for (const a of this.members) {
			for (const b of this.members) {
				if (a.id >= b.id) continue;
				let matched = false;
				const from = Math.max(a.core.firstIndex, b.core.firstIndex);
				for (let index = Math.min(a.core.lastIndex, b.core.lastIndex); index >= from; index--) {
					const same = a.core.termAt(index) === b.core.termAt(index);
					assert.ok(same || !matched, `logs of ${a.id} and ${b.id} agree after ${index} but not there`);
					matched = matched || same;
				}
			}
		}
	}

	#anyone(): MemberId {
		return this.members[this.random.int(this.members.length)]!.id;
	}

	#repartition(): void {
		this.#cut = new Set(this.members.filter(() => this.random.int(3) === 0).map(({ id }) => id));
	}

	#changeConf(member: Member): void {
		const types: readonly ConfChangeType[] = ["add_voter", "add_learner", "remove", "update"];
		const change = { type: types[this.random.int(4)]!, id: this.#anyone(), context: Buffer.from("c") };
		// Two voters at least stay: a removed last partner may be needed to learn that it is removed.
		try {
			if (applySimple(member.conf, [change]).voters.length < 2) return;
		} catch (error) {
			if (!(error instanceof ConfChangeError)) throw error;
			return;
		}
		member.core.proposeConfChange(change);
	}

	#compact(member: Member): void {
		const { disk, core } = member;
		this.#syncMachine(member);
		if (disk.applied <= disk.snapshot.index || disk.applied > diskLast(disk)) return;
		const meta = { index: disk.applied, term: diskTermAt(disk, disk.applied)!, conf: disk.conf };
		disk.entries.splice(0, meta.index - disk.snapshot.index);
		disk.snapshot = meta;
		core.compact(Math.max(meta.index - this.random.int(5), 0), meta);
	}

	#syncMachine(member: Member): void {
		member.disk.applied = Math.max(member.disk.applied, member.applied);
		if (member.disk.applied === member.applied) member.disk.conf = member.conf;
	}

	#take(member: Member): void {
		const effects: Effects = member.core.takeEffects();
		this.#checkLeader(member);
		this.#checkCommit(member);
		if (effects.persist !== undefined) member.persists.push(effects.persist);
		this.#send(member, effects.messages);
		member.toApply.push(...effects.committed);
		for (const state of effects.readStates) this.#checkRead(state);
	}

	#send(member: Member, messages: readonly Message[]): void {
		for (const message of messages) {
			assert.equal(message.from, member.id);
			this.#checkPromise(member, message);
			this.#wire.push(message);
		}
	}

	/** Votes and acknowledgements rest on the disk at the moment they leave. */
	#checkPromise({ disk, id }: Member, message: Message): void {
		if (message.reject) return;
		if (message.type === "vote_response") {
			const { term, vote } = disk.hardState;
			assert.ok(
				term > message.term || (term === message.term && vote === message.to),
				`${id} grants ${message.to} term ${message.term} with ${vote} in ${term} on disk`,
			);
		}
		if (message.type === "append_response")
			assert.ok(message.index <= diskLast(disk), `${id} acknowledges ${message.index}, on disk ${diskLast(disk)}`);
	}

	#completePersist(member: Member): void {
		const persist = member.persists.shift();
		if (persist === undefined) return;
		this.#write(member, persist);
		this.#send(member, persist.messages);
		member.core.persisted(persist.sequence);
		this.#checkCommit(member);
	}

	#write(member: Member, { hardState, snapshot, entries }: Persist): void {
		const { disk } = member;
		if (snapshot !== undefined) {
			assert.equal(this.#canonical[snapshot.index - 1]?.term, snapshot.term, "a snapshot is of committed state");
			disk.snapshot = snapshot;
			disk.entries = [];
			disk.applied = snapshot.index;
			disk.conf = snapshot.conf;
			member.applied = snapshot.index;
			member.conf = snapshot.conf;
			member.toApply = member.toApply.filter((entry) => entry.index > snapshot.index);
		}
		// The log may hold entries at or below a mark that the state machine has outrun.
		const first = entries.find((entry) => entry.index > disk.snapshot.index);
		if (first !== undefined) {
			const keep = first.index - disk.snapshot.index - 1;
			assert.ok(keep <= disk.entries.length, `gap on disk before ${first.index}`);
			disk.entries = [...disk.entries.slice(0, keep), ...entries.filter((entry) => entry.index >= first.index)];
		}
		if (hardState !== undefined) {
			assert.ok(hardState.term >= disk.hardState.term && hardState.commit >= disk.hardState.commit);
			assert.ok(hardState.commit <= diskLast(disk), "the commit index on disk is covered by the log on disk");
			disk.hardState = hardState;
		}
	}

	#deliver(faults: Faults): void {
		if (this.#wire.length === 0) return;
		const at = this.random.int(Math.min(this.#wire.length, 12));
		const message = this.#wire[at]!;
		if (this.random.float() >= faults.repeat) this.#wire.splice(at, 1);
		const to = this.members.find(({ id }) => id === message.to)!;
		const from = this.members.find(({ id }) => id === message.from)!;
		const lost =
			!to.up || this.#cut.has(message.to) !== this.#cut.has(message.from) || this.random.float() < faults.loss;
		if (message.type === "snapshot" && from.up) from.core.reportSnapshot(message.to, !lost);
		if (lost) {
			if (from.up && this.random.int(4) === 0) from.core.reportUnreachable(message.to);
			return;
		}
		to.core.step(message);
		this.#checkLeader(to);
		this.#checkCommit(to);
	}

	#apply(member: Member): void {
		const count = 1 + this.random.int(3);
		for (const entry of member.toApply.splice(0, count)) {
			assert.equal(entry.index, member.applied + 1, `${member.id} applies in order`);
			assert.ok(entry.index <= diskLast(member.disk), "only durable entries are applied");
			// State Machine Safety.
			const known = this.#canonical[entry.index - 1];
			assert.ok(known !== undefined, "applied entries are committed");
			assert.equal(entry.term, known.term, `entry ${entry.index} differs on ${member.id}`);
			assert.deepEqual(entry.data, known.data, `entry ${entry.index} differs on ${member.id}`);
			member.applied = entry.index;
			if (entry.kind === "confchange") this.#applyConfChange(member, entry);
			member.core.applied(entry.index);
			this.#checkCommit(member);
		}
	}

	/** The configuration is a function of the index alone. */
	#applyConfChange(member: Member, entry: Entry): void {
		member.conf = member.core.applyConfChange(decodeConfChange(entry.data));
		const known = this.#confs.get(entry.index);
		if (known === undefined) this.#confs.set(entry.index, member.conf);
		else assert.deepEqual(member.conf, known, `configuration at ${entry.index} differs on ${member.id}`);
	}

	/** Election Safety and Leader Completeness. */
	#checkLeader({ core, id, disk }: Member): void {
		if (core.role !== "leader") return;
		const known = this.#leaders.get(core.term);
		if (known === id) return;
		assert.equal(known, undefined, `two leaders in term ${core.term}: ${known} and ${id}`);
		this.#leaders.set(core.term, id);
		assert.deepEqual([disk.hardState.term, disk.hardState.vote], [core.term, id], "its own vote is durable");
		for (let index = core.firstIndex; index <= this.#canonical.length; index++)
			assert.equal(
				core.termAt(index),
				this.#canonical[index - 1]!.term,
				`leader ${id} of ${core.term} lacks committed entry ${index}`,
			);
	}

	/** A commit index that rises first somewhere: its entries are durable on a majority. */
	#checkCommit({ core, id }: Member): void {
		for (let index = this.#canonical.length + 1; index <= core.commitIndex; index++) {
			const term = core.termAt(index)!;
			const holders = this.members.filter(
				({ disk }) => disk.snapshot.index > index || diskTermAt(disk, index) === term,
			);
			for (const half of [core.conf.voters, core.conf.votersOutgoing]) {
				const durable = holders.filter((holder) => half.includes(holder.id)).length;
				assert.ok(half.length === 0 || durable * 2 > half.length, `${index} committed on ${id}, durable on ${durable}`);
			}
			this.#canonical.push(this.#entryOf(core, index));
		}
	}

	#entryOf(core: Raft, index: number): Entry {
		const term = core.termAt(index)!;
		for (const { disk } of this.members) {
			const entry = disk.entries[index - disk.snapshot.index - 1];
			if (entry !== undefined && entry.term === term) return entry;
		}
		assert.fail(`committed entry ${index} is on no disk`);
	}

	/** Linearizability of reads: nothing committed anywhere before the read was asked is missed. */
	#checkRead({ id, index }: ReadState): void {
		const atLeast = this.#reads.get(id);
		assert.ok(atLeast !== undefined && !this.answered.has(id), `read ${id} is answered once`);
		this.#reads.delete(id);
		if (index === -1) return;
		this.answered.add(id);
		assert.ok(index >= atLeast, `read ${id} sees ${index}, but ${atLeast} was committed before`);
	}
}

function checkLiveness(cluster: Cluster): void {
	cluster.heal();
	cluster.settle();
	const voters = () => {
		const newest = cluster.members.reduce((a, b) => (a.applied >= b.applied ? a : b));
		return cluster.members.filter(({ id }) => newest.conf.voters.includes(id));
	};
	const run = (ticks: number, done: () => boolean) => {
		for (let n = 0; n < ticks; n++) {
			if (done()) return;
			for (const member of cluster.members) member.core.tick();
			cluster.settle();
		}
		assert.fail(`not reached after ${ticks} ticks of health`);
	};
	// A leader that does not know yet of its successor may still take proposals, to lose them: ask again now and then.
	let target = { index: Number.POSITIVE_INFINITY, term: 0 };
	let ticks = 0;
	run(100 * electionTicks, () => {
		const kept = cluster.termOf(target.index) === target.term;
		if (kept && voters().every(({ applied }) => applied >= target.index)) return true;
		if (ticks++ % (5 * electionTicks) > 0) return false;
		const leaders = voters().filter(({ core }) => core.role === "leader");
		const newest = leaders.reduce((a, b) => (a === undefined || b.core.term > a.core.term ? b : a), leaders[0]);
		if (newest !== undefined && cluster.propose(newest))
			target = { index: newest.core.lastIndex, term: newest.core.term };
		return false;
	});
	for (const member of voters()) {
		let id = cluster.read(member);
		run(10 * electionTicks, () => {
			cluster.settle();
			if (cluster.answered.has(id)) return true;
			id = cluster.read(member);
			return false;
		});
	}
	cluster.checkLogMatching();
}

function runSeed(seed: number): void {
	const random = seededRandom(seed);
	const size = random.int(2) === 0 ? 3 : 5;
	const spare = random.int(3) === 0 ? 1 : 0;
	const cluster = new Cluster(random, size, spare);
	const level = random.float();
	const faults: Faults = {
		loss: 0.15 * level,
		repeat: 0.15 * random.float(),
		crash: 0.004 * level,
		partition: 0.003 * random.float(),
		confChange: spare > 0 ? 0.02 : 0,
		transfer: 0.003 * random.float(),
		compact: 0.02 * random.float(),
	};
	for (let n = 0; n < 10_000; n++) {
		cluster.step(faults);
		if (n % 500 === 0) cluster.checkLogMatching();
	}
	checkLiveness(cluster);
	assert.ok(cluster.committed > 0);
}

describe("raft: random clusters", () => {
	const given = process.env["BARQUE_SEED"];
	const first = given === undefined ? systemRandom.int(2 ** 31) : Number(given);
	const seeds = given === undefined ? 200 : 1;

	it(`keeps figure 3's properties and recovers; ${seeds} seeds from BARQUE_SEED=${first}`, () => {
		for (let seed = first; seed < first + seeds; seed++) {
			try {
				runSeed(seed);
			} catch (error) {
				throw new Error(`BARQUE_SEED=${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
			}
		}
	}).timeout(60_000);
});
