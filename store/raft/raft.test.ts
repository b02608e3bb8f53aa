/** One test a rule, each citing where it comes from: the paper (extended version) by section, the thesis by chapter, or the contract in types.ts. */
import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { decodeConfChange, encodeConfChange } from "./codec.ts";
import { emptyConf } from "./confchange.ts";
import { makeMessage } from "./message.ts";
import { Raft } from "./raft.ts";
import {
	type ConfChange,
	type ConfState,
	type Effects,
	type Entry,
	type HardState,
	type MemberId,
	type Message,
	type MessageType,
	none,
	type RaftConfig,
	RaftInvariantError,
	type ReadState,
	type Recovered,
} from "./types.ts";

const electionTicks = 10;

function config(id: MemberId, overrides: Partial<RaftConfig> = {}): RaftConfig {
	return {
		id,
		electionTicks,
		heartbeatTicks: 1,
		randomInt: seededRandom(Number(id)).int,
		preVote: false,
		checkQuorum: false,
		maxBytesPerAppend: 1 << 20,
		maxInflightAppends: 16,
		maxInflightBytes: 1 << 20,
		maxUncommittedBytes: 1 << 20,
		maxCommittedBytes: 1 << 20,
		...overrides,
	};
}

const voters = (...ids: number[]): ConfState => ({ ...emptyConf, voters: ids.map(BigInt) });

/** Entries with the given terms, from `first` on. */
function entriesOf(terms: readonly number[], first = 1): Entry[] {
	return terms.map((term, at) => ({
		term,
		index: first + at,
		kind: "normal" as const,
		data: Buffer.from(`${term}.${first + at}`),
	}));
}

function recovered(conf: ConfState, terms: readonly number[] = [], hardState: Partial<HardState> = {}): Recovered {
	return {
		hardState: { term: terms.at(-1) ?? 0, vote: none, commit: 0, ...hardState },
		snapshot: { index: 0, term: 0, conf },
		entries: entriesOf(terms),
		applied: 0,
	};
}

/** A core with a shell whose disk is instant unless `held`. */
class Node {
	readonly core: Raft;
	readonly sent: Message[] = [];
	readonly applied: Entry[] = [];
	readonly reads: ReadState[] = [];
	readonly persists: NonNullable<Effects["persist"]>[] = [];
	held = false;

	constructor(core: Raft) {
		this.core = core;
	}

	/** Performs effects until there are none; returns what is sent. */
	run(): Message[] {
		const out: Message[] = [];
		while (this.core.hasEffects()) {
			const { persist, messages, committed, readStates } = this.core.takeEffects();
			out.push(...messages);
			this.reads.push(...readStates);
			for (const entry of committed) {
				this.applied.push(entry);
				if (entry.kind === "confchange") this.core.applyConfChange(decodeConfChange(entry.data));
				this.core.applied(entry.index);
			}
			if (persist !== undefined) this.persists.push(persist);
			if (!this.held) out.push(...this.sync());
		}
		this.sent.push(...out);
		return out;
	}

	/** Completes the oldest `count` persists; returns the messages set free. */
	sync(count = this.persists.length): Message[] {
		const out: Message[] = [];
		for (const persist of this.persists.splice(0, count)) {
			out.push(...persist.messages);
			this.core.persisted(persist.sequence);
		}
		return out;
	}

	step(type: MessageType, from: number, term: number, fields: Parameters<typeof makeMessage>[4] = {}): Message[] {
		this.core.step(makeMessage(type, BigInt(from), this.core.id, term, fields));
		return this.run();
	}

	ticks(count: number): Message[] {
		const out: Message[] = [];
		for (let n = 0; n < count; n++) {
			this.core.tick();
			out.push(...this.run());
		}
		return out;
	}
}

function alone(from: Recovered, overrides: Partial<RaftConfig> = {}, id = 1): Node {
	return new Node(new Raft(config(BigInt(id), overrides), from));
}

class Net {
	readonly nodes = new Map<MemberId, Node>();
	/** Links as "from-to". */
	readonly cut = new Set<string>();

	constructor(size: number, overrides: Partial<RaftConfig> = {}, logs: ReadonlyArray<readonly number[]> = []) {
		const conf = voters(...Array.from({ length: size }, (_, at) => at + 1));
		for (let id = 1; id <= size; id++) this.nodes.set(BigInt(id), alone(recovered(conf, logs[id - 1]), overrides, id));
	}

	at(id: number): Node {
		return this.nodes.get(BigInt(id))!;
	}

	core(id: number): Raft {
		return this.at(id).core;
	}

	isolate(id: number): void {
		for (const other of this.nodes.keys()) {
			this.cut.add(`${id}-${other}`);
			this.cut.add(`${other}-${id}`);
		}
	}

	/** Delivers until all is quiet; returns what was delivered. */
	run(): Message[] {
		const all: Message[] = [];
		for (;;) {
			const wire = [...this.nodes.values()].flatMap((node) => node.run());
			if (wire.length === 0) return all;
			for (const message of wire) {
				if (this.cut.has(`${message.from}-${message.to}`)) continue;
				all.push(message);
				this.nodes.get(message.to)?.core.step(message);
			}
		}
	}

	elect(id: number): void {
		this.core(id).campaign();
		this.run();
		assert.equal(this.core(id).role, "leader");
	}

	tick(count: number): void {
		for (let n = 0; n < count; n++) {
			for (const node of this.nodes.values()) node.core.tick();
			this.run();
		}
	}

	put(id: number, ...values: string[]): void {
		assert.ok(this.core(id).propose(values.map((value) => Buffer.from(value))).ok);
	}
}

const types = (messages: readonly Message[]) => messages.map(({ type }) => type);
const ofType = (messages: readonly Message[], type: MessageType) => messages.filter((message) => message.type === type);
const terms = (core: Raft) =>
	Array.from({ length: core.lastIndex - core.firstIndex + 1 }, (_, at) => core.termAt(core.firstIndex + at));

describe("raft: leader election (paper 5.2)", () => {
	it("5.1: a higher term makes a follower of anyone; a lower one is refused with ours", () => {
		const net = new Net(3);
		net.elect(1);
		net.at(1).step("append_response", 2, 5);
		assert.deepEqual([net.core(1).role, net.core(1).term], ["follower", 5]);
		const [answer] = net.at(1).step("append", 2, 3, { index: 0 });
		assert.deepEqual([answer?.type, answer?.term], ["append_response", 5]);
		assert.equal(net.core(1).lastIndex, 1, "nothing of a stale leader is taken");
		const [refusal] = net.at(1).step("vote", 2, 4, { index: 9, logTerm: 4 });
		assert.deepEqual([refusal?.type, refusal?.reject, refusal?.term], ["vote_response", true, 5]);
	});

	it("5.2: who hears no leader for an election timeout campaigns in the next term and votes for itself", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		const sent = node.ticks(2 * electionTicks);
		assert.equal(node.core.term >= 1, true);
		assert.equal(node.core.role, "candidate");
		assert.deepEqual(
			ofType(sent, "vote")
				.slice(0, 2)
				.map(({ to, term }) => [to, term]),
			[
				[2n, 1],
				[3n, 1],
			],
		);
	});

	it("5.2: election timeouts are spread over [electionTicks, 2 × electionTicks)", () => {
		const seen = new Set<number>();
		for (let bound = 0; bound < electionTicks; bound++) {
			const node = alone(recovered(voters(1, 2, 3)), { randomInt: () => bound });
			let ticks = 0;
			while (node.core.role === "follower") {
				node.ticks(1);
				ticks++;
			}
			seen.add(ticks);
		}
		assert.deepEqual(
			[...seen],
			Array.from({ length: electionTicks }, (_, at) => electionTicks + at),
		);
	});

	it("5.2: one vote a term, first come first served, also across a restart", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		assert.equal(node.step("vote", 2, 1)[0]?.reject, false);
		assert.equal(node.step("vote", 3, 1)[0]?.reject, true);
		assert.equal(node.step("vote", 2, 1)[0]?.reject, false, "a repeated request gets the same answer");
		const again = alone(recovered(voters(1, 2, 3), [], { term: 1, vote: 2n }));
		assert.equal(again.step("vote", 3, 1)[0]?.reject, true);
	});

	it("figure 2: a vote leaves only once it is durable", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.held = true;
		assert.deepEqual(node.step("vote", 2, 1), []);
		assert.deepEqual(node.persists[0]?.hardState, { term: 1, vote: 2n, commit: 0 });
		assert.equal(node.persists[0]?.mustSync, true);
		assert.deepEqual(types(node.sync()), ["vote_response"]);
	});

	it("figure 2: a candidate's own vote counts only once it is durable", () => {
		const node = alone(recovered(voters(1)));
		node.held = true;
		node.core.campaign();
		node.run();
		assert.equal(node.core.role, "candidate");
		node.sync();
		assert.equal(node.core.role, "leader");

		const one = alone(recovered(voters(1, 2, 3)));
		one.held = true;
		one.core.campaign();
		one.run();
		one.step("vote_response", 2, 1);
		assert.equal(one.core.role, "candidate", "one vote of three, its own is not on disk");
		one.sync();
		assert.equal(one.core.role, "leader");
	});

	it("5.2: a split vote ends without a leader, a majority of rejections in a follower", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.core.campaign();
		node.run();
		node.step("vote_response", 2, 1, { reject: true });
		assert.equal(node.core.role, "candidate");
		node.step("vote_response", 2, 1);
		assert.equal(node.core.role, "candidate", "a member's first answer stands");
		node.step("vote_response", 3, 1, { reject: true });
		assert.equal(node.core.role, "follower");
	});

	it("5.2: a candidate that hears the leader of its term follows it", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.core.campaign();
		node.run();
		node.step("heartbeat", 2, 1);
		assert.deepEqual([node.core.role, node.core.leader], ["follower", 2n]);
	});

	it("5.4.1: no vote for a log less up to date: last term first, then length", () => {
		const cases: ReadonlyArray<readonly [readonly number[], number, number, boolean]> = [
			[[1], 1, 1, true],
			[[1], 2, 1, true],
			[[1, 1], 1, 1, false],
			[[1], 1, 2, true],
			[[1, 1], 1, 2, true],
			[[2], 1, 1, false],
			[[2], 5, 1, false],
			[[1, 1], 2, 1, true],
		];
		for (const [log, index, logTerm, granted] of cases) {
			const node = alone(recovered(voters(1, 2), log, { term: 3 }));
			const [answer] = node.step("vote", 2, 4, { index, logTerm });
			assert.equal(answer?.reject, !granted, `log ${log} against ${index}@${logTerm}`);
		}
	});

	it("votes of others than voters do not count", () => {
		const conf: ConfState = { ...voters(1, 2, 3), learners: [4n] };
		const node = alone(recovered(conf));
		node.core.campaign();
		node.run();
		node.step("vote_response", 4, 1);
		node.step("vote_response", 9, 1);
		assert.equal(node.core.role, "candidate");
	});

	it("thesis 4.3: a joint configuration needs both majorities, to elect and to commit", () => {
		const conf: ConfState = { ...voters(1, 2, 3), votersOutgoing: [1n, 4n, 5n] };
		const node = alone(recovered(conf));
		node.core.campaign();
		node.run();
		node.step("vote_response", 2, 1);
		node.step("vote_response", 3, 1);
		assert.equal(node.core.role, "candidate");
		node.step("vote_response", 4, 1);
		assert.equal(node.core.role, "leader");
		node.step("append_response", 2, 1, { index: 1 });
		assert.equal(node.core.commitIndex, 0);
		node.step("append_response", 5, 1, { index: 1 });
		assert.equal(node.core.commitIndex, 1);
	});
});

describe("raft: log replication (paper 5.3)", () => {
	it("a leader begins its term with an empty entry (section 8)", () => {
		const net = new Net(3);
		net.elect(1);
		assert.equal(net.core(1).lastIndex, 1);
		for (const id of [1, 2, 3]) {
			assert.equal(net.at(id).applied.length, 1);
			assert.equal(net.at(id).applied[0]?.data.length, 0);
		}
	});

	it("all proposals of one turn share one append message a follower", () => {
		const net = new Net(3);
		net.elect(1);
		net.put(1, "a", "b");
		net.put(1, "c");
		const effects = net.core(1).takeEffects();
		const appends = ofType(effects.messages, "append");
		assert.deepEqual(
			appends.map(({ to, entries }) => [to, entries.length]),
			[
				[2n, 3],
				[3n, 3],
			],
		);
		assert.equal(appends[0]?.entries, appends[1]?.entries, "and the same entries");
		assert.equal(effects.persist?.entries.length, 3, "side by side with our own disk");
		assert.deepEqual(effects.persist.messages, []);
	});

	it("appends that do not fit maxBytesPerAppend are split, in order", () => {
		const net = new Net(2, { maxBytesPerAppend: 100 });
		net.elect(1);
		net.put(1, ...Array.from({ length: 5 }, (_, n) => `${n}`.repeat(20)));
		const appends = ofType(net.at(1).run(), "append");
		assert.deepEqual(
			appends.map(({ index, entries }) => [index, entries.length]),
			[
				[1, 1],
				[2, 1],
				[3, 1],
				[4, 1],
				[5, 1],
			],
		);
	});

	it("committed on a majority means applied everywhere, in log order", () => {
		const net = new Net(5);
		net.isolate(4);
		net.isolate(5);
		net.elect(1);
		net.put(1, "a", "b");
		net.run();
		net.cut.clear();
		net.tick(3);
		for (const node of net.nodes.values())
			assert.deepEqual(
				node.applied.map(({ data }) => data.toString()),
				["", "a", "b"],
			);
	});

	it("5.3: an append is taken only where the logs match before it, and is repeatable", () => {
		const node = alone(recovered(voters(1, 2, 3), [1, 1], { term: 2 }));
		const rejected = node.step("append", 2, 2, { index: 3, logTerm: 2, entries: entriesOf([2], 4) })[0];
		assert.deepEqual([rejected?.reject, rejected?.rejectHint, rejected?.logTerm], [true, 2, 1]);
		const message = { index: 2, logTerm: 1, entries: entriesOf([2, 2], 3) };
		assert.equal(node.step("append", 2, 2, message)[0]?.index, 4);
		assert.equal(node.step("append", 2, 2, message)[0]?.index, 4);
		const shorter = { index: 2, logTerm: 1, entries: entriesOf([2], 3) };
		assert.equal(node.step("append", 2, 2, shorter)[0]?.index, 3, "acknowledged is what the message names");
		assert.equal(node.core.lastIndex, 4, "an old message takes nothing away");
	});

	it("5.3: entries that conflict are replaced, with all that follow", () => {
		const node = alone(recovered(voters(1, 2, 3), [1, 1, 1, 2, 2], { term: 3 }));
		node.step("append", 2, 3, { index: 2, logTerm: 1, entries: entriesOf([1, 3], 3) });
		assert.deepEqual(terms(node.core), [1, 1, 1, 3]);
	});

	it("figure 7: whatever a follower's log looks like, it becomes the leader's, without a step per entry", () => {
		const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
		const followers: ReadonlyArray<readonly number[]> = [
			[1, 1, 1, 4, 4, 5, 5, 6, 6],
			[1, 1, 1, 4],
			[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
			[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
			[1, 1, 1, 4, 4, 4, 4],
			[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
		];
		for (const follower of followers) {
			// The third member's log is behind, so that it can elect the first.
			const net = new Net(3, {}, [leader, follower, []]);
			net.core(1).step(makeMessage("heartbeat", 9n, 1n, 7, {}));
			net.elect(1);
			net.tick(2);
			assert.deepEqual(terms(net.core(2)), terms(net.core(1)), `follower ${follower}`);
			const rejections = ofType(net.at(2).sent, "append_response").filter(({ reject }) => reject);
			assert.ok(rejections.length <= 2, `${rejections.length} rejections for ${follower}`);
		}
	});

	it("backtracking skips whole terms on both sides", () => {
		const long = Array.from({ length: 500 }, () => 1);
		const net = new Net(3, {}, [
			[1, ...Array.from({ length: 300 }, () => 3)],
			long.map((_, at) => (at < 1 ? 1 : 2)),
			[],
		]);
		net.core(1).step(makeMessage("heartbeat", 9n, 1n, 4, {}));
		net.elect(1);
		net.tick(2);
		assert.deepEqual(terms(net.core(2)), terms(net.core(1)));
		const rejections = ofType(net.at(2).sent, "append_response").filter(({ reject }) => reject);
		assert.ok(rejections.length <= 2);
	});

	it("a lost append is found out by the next heartbeat and sent again", () => {
		const net = new Net(3);
		net.elect(1);
		net.cut.add("1-2");
		net.put(1, "lost");
		net.run();
		net.cut.clear();
		net.tick(2);
		assert.equal(net.core(2).lastIndex, 2);
		assert.equal(net.core(2).commitIndex, 2);
	});

	it("no more than maxInflightAppends are under way; answers let more go", () => {
		const net = new Net(2, { maxInflightAppends: 2 });
		net.elect(1);
		net.cut.add("2-1");
		for (let n = 0; n < 5; n++) {
			net.put(1, `${n}`);
			net.run();
		}
		assert.equal(net.core(2).lastIndex, 3);
		net.cut.clear();
		net.tick(2);
		assert.equal(net.core(2).lastIndex, 6);
	});

	it("a failed link falls back to probing: one message until it answers", () => {
		const net = new Net(2);
		net.elect(1);
		net.isolate(2);
		net.core(1).reportUnreachable(2n);
		for (let n = 0; n < 5; n++) net.put(1, `${n}`);
		const sent = net.at(1).run();
		net.put(1, "more");
		sent.push(...net.at(1).run());
		assert.equal(ofType(sent, "append").length, 1);
		assert.equal(net.core(1).progress()[1]?.state, "probe");
	});

	it("a follower that lost its log is probed once a heartbeat, not at the speed of the network", () => {
		const net = new Net(3);
		net.elect(1);
		for (let n = 0; n < 5; n++) net.put(1, `${n}`);
		net.run();
		net.nodes.set(2n, alone(recovered(voters(1, 2, 3)), {}, 2));
		net.cut.add("3-2");
		const leader = net.at(1);
		// Heartbeats would tell it what it lost.
		const deaf = (to: bigint, type: MessageType) => to === 2n && type === "heartbeat";
		const exchange = (): number => {
			let probes = 0;
			for (let turn = 0; turn < 200; turn++) {
				const sent = leader.run();
				if (sent.length === 0) return probes;
				for (const message of sent) {
					if (message.to === 2n && message.type === "append") probes++;
					if (deaf(message.to, message.type)) net.at(2).core.step({ ...message, index: 0, commit: 0 });
					else net.nodes.get(message.to)?.core.step(message);
				}
				for (const id of [2, 3]) for (const message of net.at(id).run()) net.nodes.get(message.to)?.core.step(message);
			}
			return probes;
		};
		net.put(1, "one more");
		assert.ok(exchange() <= 3);
		for (let n = 0; n < 5; n++) {
			net.core(1).tick();
			for (let read = 0; read < 10; read++) {
				net.core(1).readIndex(BigInt(100 * n + read + 1));
				const probes = exchange();
				assert.ok(probes <= (read === 0 ? 1 : 0), `${probes} probes in tick ${n}, read ${read}`);
			}
		}
		assert.equal(leader.reads.filter(({ index }) => index >= 0).length, 50);
		assert.deepEqual(
			net
				.core(1)
				.progress()
				.map(({ stalled }) => stalled),
			[false, true, false],
		);
	});

	it("a follower that lost what it acknowledged stops at the next heartbeat, committed or not", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(3);
		net.put(1, "a");
		net.run();
		net.nodes.set(2n, alone(recovered(voters(1, 2, 3)), {}, 2));
		net.core(1).tick();
		const [beat] = ofType(net.at(1).run(), "heartbeat");
		const lost =
			/acknowledged entries up to 2 to leader 1, but its log ends at 0: what follows is lost here, and the leader has it/;
		assert.throws(() => net.core(2).step(beat!), lost);
		const again = alone(recovered(voters(1, 2, 3)), {}, 2);
		assert.throws(() => again.core.step({ ...beat!, commit: 0 }), lost);
	});

	it("a leader whose log ends before what a follower has committed stops, and says who has it", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(1);
		const ended =
			/member 2 has entries up to 99 .* but the log of this leader ends at 1: .* lost here, and that member has them/;
		assert.throws(() => net.at(1).step("append_response", 2, 1, { index: 99 }), ended);
		assert.equal(net.core(1).commitIndex, 1);
	});

	it("a follower whose committed entries are not the leader's stops, at the entry before the message's or in it", () => {
		const committed = () => {
			const node = alone(recovered(voters(1, 2, 3)), {}, 1);
			node.step("append", 2, 1, { entries: entriesOf([1, 1, 1]), commit: 3 });
			return node;
		};
		const differs =
			/entry \d of term 1 is committed here, up to entry 3, but leader 3 holds one of term 2 in its place: .* this member still has it/;
		assert.throws(() => committed().step("append", 3, 2, { index: 3, logTerm: 2 }), differs);
		assert.throws(() => committed().step("append", 3, 2, { index: 2, logTerm: 2 }), differs);
		const other = { index: 1, logTerm: 1, entries: entriesOf([2], 2) };
		assert.throws(() => committed().step("append", 3, 2, other), differs);
		assert.deepEqual(
			committed()
				.step("append", 3, 2, { index: 1, logTerm: 1, entries: entriesOf([1], 2) })
				.map(({ reject, index }) => [reject, index]),
			[[false, 3]],
		);
	});

	it("heartbeats carry no more than the follower is known to hold", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(3);
		net.put(1, "a");
		net.run();
		net.core(1).tick();
		const beats = ofType(net.at(1).run(), "heartbeat");
		assert.deepEqual(
			beats.map(({ to, commit }) => [to, commit]),
			[
				[2n, 2],
				[3n, 1],
			],
		);
	});

	it("proposals beyond maxUncommittedBytes are refused whole, and pass again once committed", () => {
		const net = new Net(2, { maxUncommittedBytes: 10 });
		net.elect(1);
		net.isolate(2);
		net.put(1, "12345678");
		const before = net.core(1).lastIndex;
		assert.deepEqual(net.core(1).propose([Buffer.from("1"), Buffer.from("23")]), { ok: false, reason: "overloaded" });
		assert.equal(net.core(1).lastIndex, before);
		net.run();
		net.cut.clear();
		net.tick(2);
		assert.ok(net.core(1).propose([Buffer.alloc(100)]).ok, "one alone passes whatever its size");
		assert.deepEqual(net.core(2).propose([Buffer.from("x")]), { ok: false, reason: "not_leader" });
	});

	it("committed is handed out in pieces of maxCommittedBytes", () => {
		const node = alone(recovered(voters(1)), { maxCommittedBytes: 100 });
		node.core.campaign();
		node.run();
		node.core.propose(Array.from({ length: 4 }, () => Buffer.alloc(40)));
		const { persist } = node.core.takeEffects();
		node.core.persisted(persist!.sequence);
		const sizes: number[] = [];
		while (node.core.hasEffects()) sizes.push(node.core.takeEffects().committed.length);
		assert.deepEqual(sizes, [1, 1, 1, 1]);
	});
});

describe("raft: durability (contract; thesis 10.2.1)", () => {
	it("an acknowledgement leaves only once the entries are durable", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.held = true;
		assert.deepEqual(node.step("append", 2, 1, { entries: entriesOf([1]) }), []);
		assert.deepEqual(types(node.sync()), ["append_response"]);
	});

	it("the answer to a repeated append waits for the persist still under way", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.held = true;
		node.step("append", 2, 1, { entries: entriesOf([1]) });
		assert.deepEqual(node.step("append", 2, 1, { entries: entriesOf([1]) }), []);
		const [first, second] = node.persists;
		assert.deepEqual([first?.sequence, second?.sequence], [1, 2]);
		assert.deepEqual([second?.entries, second?.hardState], [[], undefined]);
		assert.deepEqual(types(second!.messages), ["append_response"]);
		node.sync();
		assert.deepEqual(types(node.step("append", 2, 1, { entries: entriesOf([1]) })), ["append_response"]);
		assert.equal(node.persists.length, 0, "durable already: nothing to wait for");
	});

	it("a leader's own entries count once they are durable, and may commit without it", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.core.campaign();
		node.run();
		node.held = true;
		node.step("vote_response", 2, 1);
		node.step("append_response", 2, 1, { index: 1 });
		assert.equal(node.core.commitIndex, 0, "one of three");
		node.step("append_response", 3, 1, { index: 1 });
		assert.equal(node.core.commitIndex, 1, "a majority without the leader");
		assert.deepEqual(node.applied, [], "but not applied here before it is durable here");
		node.sync();
		node.run();
		assert.equal(node.applied.length, 1);
	});

	it("a report for entries since replaced does not make the new ones durable (append ABA)", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.held = true;
		node.step("append", 2, 1, { entries: entriesOf([1, 1]) });
		node.step("append", 3, 2, { entries: entriesOf([2, 2]), commit: 2 });
		node.sync(1);
		node.run();
		assert.deepEqual(node.applied, []);
		node.sync();
		node.run();
		assert.deepEqual(
			node.applied.map(({ term }) => term),
			[2, 2],
		);
	});

	it("an acknowledgement not handed out yet goes with its term: what it names may be replaced in the same turn", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.core.step(makeMessage("append", 2n, 1n, 1, { entries: entriesOf([1, 1]) }));
		node.core.step(makeMessage("append", 3n, 1n, 2, { entries: entriesOf([2]) }));
		const { persist } = node.core.takeEffects();
		assert.deepEqual(
			persist?.messages.map(({ to, index }) => [to, index]),
			[[3n, 1]],
		);
	});

	it("a cluster of one commits with its own disk", () => {
		const node = alone(recovered(voters(1)), { preVote: true, checkQuorum: true });
		node.ticks(2 * electionTicks);
		assert.equal(node.core.role, "leader");
		node.held = true;
		node.core.propose([Buffer.from("a")]);
		node.run();
		assert.equal(node.core.commitIndex, 1);
		node.sync();
		assert.equal(node.core.commitIndex, 2);
	});

	it("the commit index alone is written lazily, within a tick, and never beyond the entries on disk", () => {
		const node = alone(recovered(voters(1)));
		node.core.campaign();
		node.run();
		node.core.tick();
		const { persist } = node.core.takeEffects();
		assert.deepEqual(persist?.hardState, { term: 1, vote: 1n, commit: 1 });
		assert.equal(persist.mustSync, false);
		node.core.persisted(persist.sequence);
		node.core.tick();
		assert.equal(node.core.hasEffects(), false);
	});

	it("reports must come in order", () => {
		const node = alone(recovered(voters(1)));
		assert.throws(() => node.core.persisted(1), RaftInvariantError);
		node.core.campaign();
		node.core.takeEffects();
		assert.throws(() => node.core.persisted(2), RaftInvariantError);
		assert.throws(() => node.core.applied(1), RaftInvariantError);
	});

	it("a recovered log that contradicts itself is refused", () => {
		const good = recovered(voters(1), [1, 2]);
		const bad: ReadonlyArray<readonly [string, Partial<Recovered>]> = [
			["gap", { entries: [...entriesOf([1]), ...entriesOf([2], 3)] }],
			["falling term", { entries: entriesOf([2, 1]) }],
			["term", { hardState: { term: 1, vote: none, commit: 0 } }],
			["commit", { hardState: { term: 2, vote: none, commit: 3 } }],
			["applied", { applied: 3 }],
		];
		for (const [name, change] of bad)
			assert.throws(() => new Raft(config(1n), { ...good, ...change }), RaftInvariantError, name);
	});
});

describe("raft: commitment (paper 5.4.2)", () => {
	it("figure 8: entries of earlier terms do not commit by counting, only below one of the current term", () => {
		const node = alone(recovered(voters(1, 2, 3, 4, 5), [1, 2], { term: 3 }));
		node.core.campaign();
		node.run();
		node.step("vote_response", 2, 4);
		node.step("vote_response", 3, 4);
		assert.equal(node.core.role, "leader");
		node.step("append_response", 2, 4, { index: 2 });
		node.step("append_response", 3, 4, { index: 2 });
		assert.equal(node.core.commitIndex, 0, "entry 2 is on a majority, but of term 2");
		node.step("append_response", 2, 4, { index: 3 });
		node.step("append_response", 3, 4, { index: 3 });
		assert.equal(node.core.commitIndex, 3);
	});

	it("5.3: a follower commits no further than the leader's entries it holds", () => {
		const node = alone(recovered(voters(1, 2, 3), [1, 1, 1], { term: 1 }));
		node.step("append", 2, 2, { index: 1, logTerm: 1, commit: 9 });
		assert.equal(node.core.commitIndex, 1);
	});

	it("an answer of an earlier term does not count", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(1);
		net.put(1, "a");
		net.run();
		net.at(1).step("append_response", 2, 0, { index: 2 });
		assert.equal(net.core(1).commitIndex, 1);
	});
});

describe("raft: PreVote and CheckQuorum (thesis 9.6, 6.2, 4.2.3)", () => {
	it("9.6: asking for pre-votes changes neither term nor vote, of nobody", () => {
		const net = new Net(3, { preVote: true });
		net.isolate(1);
		net.at(1).ticks(10 * electionTicks);
		assert.deepEqual([net.core(1).role, net.core(1).term], ["pre_candidate", 0]);
		const node = alone(recovered(voters(1, 2, 3)), { preVote: true });
		assert.equal(node.step("pre_vote", 2, 1)[0]?.reject, false);
		assert.equal(node.step("pre_vote", 3, 1)[0]?.reject, false);
		assert.deepEqual([node.core.term, node.persists.length], [0, 0]);
	});

	it("9.6: a majority of pre-votes leads to the election", () => {
		const net = new Net(3, { preVote: true });
		net.elect(1);
		assert.equal(net.core(1).term, 1);
	});

	it("9.6: no pre-vote for a log that could not win", () => {
		const node = alone(recovered(voters(1, 2, 3), [1, 1]), { preVote: true });
		assert.equal(node.step("pre_vote", 2, 2, { index: 1, logTerm: 1 })[0]?.reject, true);
	});

	it("5.1: a pre-vote ignored while the dead leader was still heard is asked for again, not a timeout later", () => {
		const net = new Net(3, { preVote: true, checkQuorum: true, randomInt: () => electionTicks - 1 });
		net.elect(1);
		net.tick(1);
		net.isolate(1);
		net.tick(electionTicks - 1);
		net.core(2).campaign();
		net.run();
		assert.deepEqual([net.core(2).role, net.core(3).leader], ["pre_candidate", 1n]);
		net.tick(1);
		assert.deepEqual([net.core(2).role, net.core(3).leader], ["leader", 2n]);
	});

	it("5.2: a request for a vote that is given already is no sign of a leader", () => {
		const node = alone(recovered(voters(1, 2, 3)), { randomInt: () => 0 });
		node.step("vote", 3, 1);
		node.step("heartbeat", 2, 1);
		node.ticks(electionTicks - 1);
		assert.deepEqual(types(node.step("vote", 3, 1)), ["vote_response"]);
		node.ticks(1);
		assert.equal(node.core.role, "candidate");
	});

	it("5.1: who has answered a request for its vote is not asked again", () => {
		const node = alone(recovered(voters(1, 2, 3), [1]), { preVote: true });
		node.core.campaign();
		const asked = (messages: readonly Message[]) => messages.map(({ type, to, term }) => [type, to, term]);
		assert.deepEqual(asked(node.run()), [
			["pre_vote", 2n, 2],
			["pre_vote", 3n, 2],
		]);
		node.step("pre_vote_response", 2, 1, { reject: true });
		assert.deepEqual(asked(node.ticks(1)), [["pre_vote", 3n, 2]]);
		node.held = true;
		node.step("pre_vote_response", 3, 2);
		assert.equal(node.core.role, "candidate");
		assert.deepEqual(asked(node.ticks(1)), [], "its own vote is not on disk");
		node.held = false;
		node.sync();
		node.step("vote_response", 3, 2, { reject: true });
		assert.deepEqual(asked(node.ticks(1)), [["vote", 2n, 2]]);
		assert.equal(node.core.role, "candidate");
	});

	it("9.6: a member back from isolation disturbs nobody", () => {
		const net = new Net(3, { preVote: true, checkQuorum: true });
		net.elect(1);
		net.isolate(3);
		net.tick(5 * electionTicks);
		net.put(1, "a");
		net.run();
		net.cut.clear();
		net.tick(2 * electionTicks);
		assert.deepEqual([net.core(1).role, net.core(1).term], ["leader", 1]);
		assert.deepEqual([net.core(3).leader, net.core(3).commitIndex], [1n, 2]);
	});

	it("4.2.3: votes and pre-votes are ignored while a leader is heard, unless forced by a transfer", () => {
		for (const type of ["vote", "pre_vote"] as const) {
			const node = alone(recovered(voters(1, 2, 3)), { checkQuorum: true });
			node.step("heartbeat", 2, 1);
			assert.deepEqual(node.step(type, 3, 2, { index: 9, logTerm: 1 }), []);
			assert.equal(node.core.term, 1);
			assert.equal(node.step(type, 3, 2, { index: 9, logTerm: 1, force: true })[0]?.reject, false);
		}
		const node = alone(recovered(voters(1, 2, 3)), { checkQuorum: true, randomInt: () => electionTicks - 1 });
		node.step("heartbeat", 2, 1);
		node.ticks(electionTicks);
		assert.equal(node.step("vote", 3, 2, { index: 9, logTerm: 1 })[0]?.reject, false, "the lease has run out");
	});

	it("6.2: a leader that a majority does not answer steps down", () => {
		const net = new Net(3, { checkQuorum: true });
		net.elect(1);
		net.tick(3 * electionTicks);
		assert.equal(net.core(1).role, "leader");
		net.isolate(1);
		net.at(1).ticks(2 * electionTicks);
		assert.deepEqual([net.core(1).role, net.core(1).leader, net.core(1).term], ["follower", none, 1]);
	});

	it("a member stuck in a higher term brings the leader of the lower one to step down", () => {
		const net = new Net(3, { preVote: true, checkQuorum: true });
		net.elect(1);
		const [answer] = alone(recovered(voters(1, 2, 3), [], { term: 7 }), {}, 3).step("heartbeat", 1, 1);
		net.core(1).step(answer!);
		assert.deepEqual([net.core(1).role, net.core(1).term], ["follower", 7]);
	});
});

describe("raft: ReadIndex (thesis 6.4)", () => {
	it("a read waits for a round of heartbeats that a majority answers", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(1);
		net.core(1).readIndex(7n);
		net.run();
		net.at(1).ticks(3);
		assert.deepEqual(net.at(1).reads, []);
		net.cut.clear();
		net.tick(1);
		assert.deepEqual(net.at(1).reads, [{ id: 7n, index: 1 }]);
	});

	it("a deposed leader answers no read: it learns of its successor or gives up, and says -1", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(1);
		net.elect(2);
		net.put(2, "newer");
		net.run();
		net.core(1).readIndex(1n);
		net.run();
		net.at(1).ticks(5);
		assert.deepEqual(net.at(1).reads, []);
		net.cut.clear();
		net.tick(2);
		assert.deepEqual(net.at(1).reads, [{ id: 1n, index: -1 }]);
	});

	it("answers of earlier rounds do not confirm later reads", () => {
		const net = new Net(3);
		net.elect(1);
		net.core(1).readIndex(1n);
		const early = ofType(net.at(1).run(), "heartbeat").map(({ context }) => context);
		net.isolate(1);
		net.core(1).readIndex(2n);
		const late = ofType(net.at(1).run(), "heartbeat").map(({ context }) => context);
		assert.ok(late[0]! > early[0]!);
		net.at(1).step("heartbeat_response", 2, 1, { context: early[0]! });
		assert.deepEqual(
			net.at(1).reads.map(({ id }) => id),
			[1n],
		);
		net.at(1).step("heartbeat_response", 3, 1, { context: late[0]! + 5n });
		assert.equal(net.at(1).reads.length, 1, "a round that was never begun");
		net.at(1).step("heartbeat_response", 3, 1, { context: late[0]! });
		assert.equal(net.at(1).reads.length, 2);
	});

	it("all reads of a turn share one round", () => {
		const net = new Net(3);
		net.elect(1);
		for (let id = 1n; id <= 100n; id++) net.core(1).readIndex(id);
		const sent = net.at(1).run();
		assert.equal(ofType(sent, "heartbeat").length, 2);
		for (const message of sent) net.nodes.get(message.to)!.core.step(message);
		net.run();
		assert.equal(net.at(1).reads.length, 100);
	});

	it("a fresh leader's reads wait until an entry of its term is committed", () => {
		const node = alone(recovered(voters(1, 2, 3), [1], { term: 1, commit: 1 }));
		node.core.campaign();
		node.run();
		node.step("vote_response", 2, 2);
		node.core.readIndex(1n);
		node.run();
		node.step("heartbeat_response", 2, 2, { context: 1n });
		assert.deepEqual(node.reads, []);
		node.step("append_response", 2, 2, { index: 2 });
		node.step("heartbeat_response", 2, 2, { context: 1n });
		assert.deepEqual(node.reads, [{ id: 1n, index: 2 }]);
	});

	it("alone, a read is confirmed at once", () => {
		const node = alone(recovered(voters(1)));
		node.core.campaign();
		node.run();
		node.core.readIndex(3n);
		node.run();
		assert.deepEqual(node.reads, [{ id: 3n, index: 1 }]);
	});

	it("learners' answers do not confirm", () => {
		const node = alone(recovered({ ...voters(1, 2, 3), learners: [4n] }));
		node.core.campaign();
		node.run();
		node.step("vote_response", 2, 1);
		node.step("append_response", 2, 1, { index: 1 });
		node.core.readIndex(3n);
		node.run();
		node.step("heartbeat_response", 4, 1, { context: 1n });
		assert.deepEqual(node.reads, []);
	});

	it("a follower's reads of a turn go to the leader as one, and come back", () => {
		const net = new Net(3);
		net.elect(1);
		net.core(2).readIndex(11n);
		net.core(2).readIndex(12n);
		const delivered = net.run();
		assert.equal(ofType(delivered, "read_index").length, 1);
		assert.deepEqual(net.at(2).reads, [
			{ id: 11n, index: 1 },
			{ id: 12n, index: 1 },
		]);
	});

	it("a follower asks again when question or answer was lost", () => {
		const net = new Net(3);
		net.elect(1);
		net.cut.add("2-1");
		net.core(2).readIndex(1n);
		net.run();
		net.cut.clear();
		net.tick(electionTicks);
		assert.deepEqual(net.at(2).reads, [{ id: 1n, index: 1 }]);
	});

	it("a follower without a leader, or whose leader changes, says -1", () => {
		const net = new Net(3);
		net.core(2).readIndex(1n);
		net.run();
		assert.deepEqual(net.at(2).reads, [{ id: 1n, index: -1 }]);
		net.elect(1);
		net.cut.add("2-1");
		net.core(2).readIndex(2n);
		net.run();
		net.elect(3);
		assert.deepEqual(net.at(2).reads[1], { id: 2n, index: -1 });
	});
});

describe("raft: leadership transfer (thesis 3.10)", () => {
	it("hands over to a member with the whole log, at once and despite the lease", () => {
		const net = new Net(3, { preVote: true, checkQuorum: true });
		net.elect(1);
		net.core(1).transferLeader(2n);
		net.run();
		assert.deepEqual([net.core(1).role, net.core(2).role, net.core(2).term], ["follower", "leader", 2]);
	});

	it("brings the other up to date first, and refuses proposals meanwhile", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(2);
		net.put(1, "a");
		net.run();
		net.core(1).transferLeader(2n);
		net.run();
		assert.deepEqual(net.core(1).propose([Buffer.from("b")]), { ok: false, reason: "transferring" });
		net.cut.clear();
		net.tick(2);
		assert.equal(net.core(2).role, "leader");
		assert.equal(net.core(2).commitIndex, 3);
	});

	it("is given up after an election timeout", () => {
		const net = new Net(3);
		net.elect(1);
		net.isolate(2);
		net.put(1, "a");
		net.core(1).transferLeader(2n);
		net.run();
		net.at(1).ticks(electionTicks);
		assert.ok(net.core(1).propose([Buffer.from("b")]).ok);
	});

	it("may be asked of a follower; nonsense is ignored", () => {
		const net = new Net(3);
		net.elect(1);
		net.core(2).transferLeader(3n);
		net.run();
		assert.equal(net.core(3).role, "leader");
		net.core(3).transferLeader(3n);
		net.core(3).transferLeader(99n);
		assert.ok(net.core(3).propose([Buffer.from("b")]).ok);
		assert.deepEqual(net.at(1).step("timeout_now", 2, net.core(1).term), [], "only our leader may say so");
	});
});

describe("raft: membership (paper 6, thesis 4)", () => {
	const change = (type: ConfChange["type"], id: number): ConfChange => ({
		type,
		id: BigInt(id),
		context: Buffer.from("name"),
	});

	it("a learner replicates but neither votes nor counts; promoted, it does both", () => {
		const net = new Net(1);
		net.elect(1);
		net.nodes.set(2n, alone(recovered(voters(1)), {}, 2));
		assert.ok(net.core(1).proposeConfChange(change("add_learner", 2)).ok);
		net.run();
		net.tick(2);
		assert.equal(net.core(2).lastIndex, 2);
		assert.deepEqual(net.core(2).conf.learners, [2n]);
		net.at(2).ticks(5 * electionTicks);
		assert.equal(net.core(2).role, "follower");
		assert.ok(net.core(1).proposeConfChange(change("add_voter", 2)).ok);
		net.run();
		assert.deepEqual(net.core(2).conf.voters, [1n, 2n]);
		net.isolate(2);
		net.put(1, "a");
		net.run();
		assert.equal(net.core(1).commitIndex, 3, "two voters, both are needed");
	});

	it("one change at a time; an impossible one is refused", () => {
		const net = new Net(3);
		net.elect(1);
		assert.ok(net.core(1).proposeConfChange(change("remove", 3)).ok);
		assert.deepEqual(net.core(1).proposeConfChange(change("remove", 2)), {
			ok: false,
			reason: "conf_change_pending",
		});
		net.run();
		assert.ok(net.core(1).proposeConfChange(change("remove", 2)).ok);
		net.run();
		assert.deepEqual(net.core(1).proposeConfChange(change("remove", 1)), {
			ok: false,
			reason: "conf_change_invalid",
		});
	});

	it("a removed member's messages are ignored, and it cannot disturb", () => {
		const net = new Net(3, { preVote: true, checkQuorum: true });
		net.elect(1);
		net.core(1).proposeConfChange(change("remove", 3));
		net.run();
		net.tick(1);
		const { term } = net.core(1);
		net.at(1).step("append_response", 3, term, { index: 1 });
		net.at(1).step("heartbeat_response", 3, term, { context: 1n });
		net.at(2).step("vote", 3, term + 1, { index: 99, logTerm: term });
		assert.deepEqual([net.core(1).role, net.core(2).term], ["leader", term]);
	});

	it("4.2.2: a leader that is removed steps down once that is committed", () => {
		const net = new Net(3);
		net.elect(1);
		net.core(1).proposeConfChange(change("remove", 1));
		net.run();
		assert.equal(net.core(1).role, "follower");
		assert.equal(net.core(2).commitIndex, 2, "the others know");
		net.elect(2);
	});

	it("no election while a committed change waits to be applied", () => {
		const entry: Entry = { term: 1, index: 1, kind: "confchange", data: encodeConfChange(change("add_voter", 4)) };
		const core = new Raft(config(1n), {
			...recovered(voters(1, 2, 3), [], { term: 1, commit: 1 }),
			entries: [entry],
		});
		core.campaign();
		assert.equal(core.role, "follower");
		const node = new Node(core);
		node.run();
		core.campaign();
		assert.equal(core.role, "candidate");
	});

	it("a restart finds the configuration of the applied index, from mark and log", () => {
		const entries: Entry[] = [change("add_voter", 4), change("remove", 2)].map((one, at) => ({
			term: 1,
			index: at + 1,
			kind: "confchange" as const,
			data: encodeConfChange(one),
		}));
		const base = { ...recovered(voters(1, 2, 3), [], { term: 1, commit: 2 }), entries };
		assert.deepEqual(new Raft(config(1n), base).conf.voters, [1n, 2n, 3n]);
		assert.deepEqual(new Raft(config(1n), { ...base, applied: 1 }).conf.voters, [1n, 2n, 3n, 4n]);
		assert.deepEqual(new Raft(config(1n), { ...base, applied: 2 }).conf.voters, [1n, 3n, 4n]);
		assert.deepEqual(new Raft(config(1n), { ...base, applied: 2, conf: voters(7) }).conf.voters, [7n]);
	});

	it("the entry's form is fixed", () => {
		const data = encodeConfChange({ type: "add_learner", id: 0x0102n, context: Buffer.from("x") });
		assert.equal(data.toString("hex"), "0103000000000000010278");
		assert.deepEqual(decodeConfChange(data), { type: "add_learner", id: 0x0102n, context: Buffer.from("x") });
		for (const bad of ["", "01", "02000000000000000001", "01090000000000000001"])
			assert.throws(() => decodeConfChange(Buffer.from(bad, "hex")), RaftInvariantError);
	});
});

describe("raft: snapshots (paper 7)", () => {
	function lagging(): Net {
		const net = new Net(3);
		net.elect(1);
		net.isolate(3);
		net.put(1, "a", "b", "c");
		net.run();
		net.core(1).compact(4, { index: 4, term: 1, conf: voters(1, 2, 3) });
		net.cut.clear();
		return net;
	}

	it("a follower behind the log's start gets the snapshot, then the entries after it", () => {
		const net = lagging();
		net.put(1, "d");
		net.tick(3);
		const [snapshot] = ofType(net.at(1).sent, "snapshot");
		assert.equal(snapshot?.snapshot?.index, 4);
		assert.deepEqual([net.core(3).commitIndex, net.core(3).appliedIndex, net.core(3).firstIndex], [5, 5, 5]);
		assert.deepEqual(
			net.at(3).applied.map(({ index }) => index),
			[1, 5],
		);
		assert.equal(net.core(1).progress()[2]?.state, "replicate");
	});

	it("nothing is sent to it meanwhile; a failure is reported and tried again", () => {
		const net = lagging();
		net.cut.add("1-3");
		net.at(1).step("heartbeat_response", 3, 1);
		net.at(1).step("append_response", 3, 1, { index: 4, reject: true, rejectHint: 1, logTerm: 1 });
		assert.equal(net.core(1).progress()[2]?.state, "snapshot");
		net.put(1, "d");
		assert.deepEqual(
			ofType(net.at(1).run(), "append").map(({ to }) => to),
			[2n],
		);
		net.core(1).reportSnapshot(3n, false);
		net.cut.clear();
		net.tick(3);
		assert.equal(net.core(3).commitIndex, 5);
	});

	it("the received snapshot is to be installed, acknowledged only then; entries wait for it", () => {
		const node = alone(recovered(voters(1, 2, 3), [1, 1], { term: 1 }));
		node.held = true;
		const snapshot = { index: 9, term: 2, conf: voters(1, 2) };
		assert.deepEqual(node.step("snapshot", 2, 3, { snapshot }), []);
		assert.deepEqual(node.persists[0]?.snapshot, snapshot);
		assert.equal(node.persists[0].mustSync, true);
		assert.deepEqual(node.core.conf, snapshot.conf);
		node.step("append", 2, 3, { index: 9, logTerm: 2, entries: entriesOf([3], 10), commit: 10 });
		assert.equal(node.core.appliedIndex, 0);
		node.core.campaign();
		assert.equal(node.core.role, "follower", "without its state it may not lead");
		const [ack] = node.sync(1);
		assert.deepEqual([ack?.type, ack?.index, node.core.appliedIndex], ["append_response", 9, 9]);
		node.sync();
		node.run();
		assert.deepEqual(
			node.applied.map(({ index }) => index),
			[10],
		);
	});

	it("a snapshot of what we have takes nothing away", () => {
		const node = alone(recovered(voters(1, 2, 3), [1, 1, 2], { term: 2 }));
		node.step("snapshot", 2, 2, { snapshot: { index: 2, term: 1, conf: voters(1, 2, 3) } });
		assert.deepEqual([node.core.commitIndex, node.core.lastIndex, node.core.firstIndex], [2, 3, 1]);
		const [answer] = node.step("snapshot", 2, 2, { snapshot: { index: 1, term: 1, conf: voters(9) } });
		assert.deepEqual([answer?.index, node.core.conf], [2, voters(1, 2, 3)]);
	});

	it("configuration changes still being applied to the replaced state do not touch the snapshot's", () => {
		const node = alone(recovered(voters(1, 2, 3)));
		node.held = true;
		node.step("snapshot", 2, 1, { snapshot: { index: 9, term: 1, conf: voters(1, 2) } });
		const old = node.core.applyConfChange({ type: "add_voter", id: 4n, context: Buffer.alloc(0) });
		assert.deepEqual(old.voters, [1n, 2n, 3n, 4n]);
		assert.deepEqual(node.core.conf.voters, [1n, 2n]);
	});

	it("compaction beyond what is applied is refused", () => {
		const net = new Net(1);
		net.elect(1);
		assert.throws(() => net.core(1).compact(2, { index: 2, term: 1, conf: voters(1) }), RaftInvariantError);
		net.core(1).compact(1, { index: 1, term: 1, conf: voters(1) });
		assert.deepEqual([net.core(1).firstIndex, net.core(1).termAt(1), net.core(1).termAt(0)], [2, 1, undefined]);
	});
});

describe("raft: hostile and broken peers", () => {
	it("nothing that a peer sends makes anything commit that should not; what no member can say stops us, and nothing else does", () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? 20_240_601);
		const random = seededRandom(seed);
		const kinds: readonly MessageType[] = [
			"pre_vote",
			"pre_vote_response",
			"vote_response",
			"append",
			"append_response",
			"heartbeat",
			"heartbeat_response",
			"snapshot",
			"read_index",
			"read_index_response",
			"transfer_leader",
			"timeout_now",
			"vote",
		];
		const number = () =>
			[0, 1, 2, 3, 4, random.int(12), -1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY][random.int(11)]!;
		const nasty = (core: Raft, max: number): Message => ({
			type: kinds[random.int(max)]!,
			from: BigInt(random.int(5)),
			to: random.int(20) === 0 ? 9n : 1n,
			term: random.int(3) === 0 ? number() : core.term,
			logTerm: number(),
			index: number(),
			entries:
				random.int(2) === 0
					? []
					: [{ term: number(), index: number(), kind: "normal" as const, data: Buffer.alloc(random.int(3)) }],
			commit: number(),
			reject: random.int(2) === 0,
			rejectHint: number(),
			snapshot:
				random.int(3) === 0
					? { index: number(), term: number(), conf: { ...voters(1, 2), learners: random.int(2) === 0 ? [1n] : [] } }
					: undefined,
			context: [0n, 1n, -5n, 1n << 70n][random.int(4)]!,
			force: random.int(2) === 0,
		});
		for (let round = 0; round < 1500; round++) {
			const node = alone(recovered(voters(1, 2, 3)), { checkQuorum: round % 2 === 0, preVote: round % 3 === 0 });
			for (let n = 0; n < 60; n++) {
				try {
					node.core.step(nasty(node.core, kinds.length));
				} catch (error) {
					assert.ok(error instanceof RaftInvariantError, `seed ${seed}: ${error}`);
					assert.ok(node.core.commitIndex <= node.core.lastIndex);
					break;
				}
				if (random.int(3) === 0) node.core.tick();
				if (random.int(10) === 0) node.core.campaign();
				node.run();
				assert.ok(node.core.commitIndex <= node.core.lastIndex);
				assert.ok(Number.isSafeInteger(node.core.term) && Number.isSafeInteger(node.core.lastIndex), `seed ${seed}`);
			}
		}
	});

	it("entries with gaps, falling terms or terms beyond the sender's are not taken", () => {
		for (const entries of [
			entriesOf([1], 2),
			[...entriesOf([1]), ...entriesOf([1], 3)],
			entriesOf([2, 1]),
			entriesOf([3]),
		]) {
			const node = alone(recovered(voters(1, 2, 3)));
			assert.deepEqual(node.step("append", 2, 2, { entries }), []);
			assert.equal(node.core.lastIndex, 0);
		}
	});

	it("a configuration that names nonsense is refused with the field and the limit", () => {
		assert.throws(
			() => new Raft(config(1n, { electionTicks: 1 }), recovered(voters(1))),
			/electionTicks is 1, must be greater than heartbeatTicks \(1\)/,
		);
		assert.throws(
			() => new Raft(config(1n, { maxInflightAppends: 0 }), recovered(voters(1))),
			/maxInflightAppends is 0/,
		);
	});
});
