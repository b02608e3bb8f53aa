import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { seededRandom, systemRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { StoreError } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { openMachine } from "../machine/machine.ts";
import type { MemberId, Message } from "../raft/types.ts";
import type { Log } from "../wal/types.ts";
import { ReceivedForwards, SentForwards } from "./forwards.ts";
import { Member } from "./member.ts";
import { initialConf } from "./recovery.ts";
import type { Forward, PeerHandlers, PeerTransport, RefusalReason } from "./types.ts";

describe("store/member/forwards", () => {
	it("are repeated while they wait, in their term, with growing pauses", () => {
		const forwards = new SentForwards(3);
		const id = forwards.nextId();
		forwards.add(id, 5, [1n, 2n], 0);
		const sent: number[] = [];
		for (let now = 0; now <= 12_000; now += 100) {
			forwards.repeat(5, now, (which, requestIds) => {
				assert.deepEqual([which, requestIds], [id, [1n, 2n]]);
				sent.push(now);
				return "sent";
			});
		}
		assert.deepEqual(sent, [500, 1500, 3500, 7500, 11_500]);
		forwards.repeat(6, 20_000, () => assert.fail("of a term that is over"));
		assert.equal(forwards.take(id), undefined);
	});

	it("are repeated as soon as there is a way to the leader, and no more once they are settled or refused", () => {
		const forwards = new SentForwards(0);
		const ids = [0, 1, 2].map(() => forwards.nextId());
		for (const id of ids) forwards.add(id, 5, [BigInt(id)], 0);
		const tried: number[] = [];
		const repeat = (now: number, result: "sent" | "settled" | "down") =>
			forwards.repeat(5, now, (id) => {
				tried.push(id);
				return result;
			});
		repeat(600, "down");
		repeat(700, "down");
		assert.deepEqual(tried.splice(0), [ids[0], ids[0]]);
		forwards.take(ids[1]!);
		repeat(800, "settled");
		assert.deepEqual(tried.splice(0), [ids[0], ids[2]]);
		repeat(9000, "sent");
		assert.deepEqual(tried, []);
	});

	it("are decided about once by the leader of their term, whatever comes later", () => {
		const received = new ReceivedForwards();
		const life = (n: number) => new SentForwards(n).nextId();
		const never = () => assert.fail("decided already");
		assert.equal(received.decide(1n, life(1), 5, never), "unknown", "it may have led term 5 before it was restarted");
		received.leads(5);
		assert.equal(received.decide(1n, life(1), 4, never), "unknown");
		assert.equal(
			received.decide(1n, life(1), 5, () => "appended"),
			"appended",
		);
		assert.equal(received.decide(1n, life(1), 5, never), "appended");
		assert.equal(
			received.decide(2n, life(1), 5, () => "overloaded"),
			"overloaded",
		);
		assert.equal(received.decide(2n, life(1), 5, never), "overloaded");
		assert.equal(
			received.decide(1n, life(2), 5, () => "not_leader"),
			"not_leader",
		);
		const first = life(7);
		for (let id = first; id < first + 5000; id++) received.decide(3n, id, 5, () => "appended");
		assert.equal(received.decide(3n, first, 5, never), "unknown", "forgotten, so perhaps appended");
		assert.equal(received.decide(3n, first + 4999, 5, never), "appended");
		received.leads(7);
		assert.equal(received.decide(1n, life(1), 5, never), "unknown");
	});
});

const ids = [1n, 2n, 3n];
const conf = initialConf(ids);

class NoLog implements Log {
	async append(): Promise<void> {}
	async release(): Promise<void> {}
	async close(): Promise<void> {}
}

/** Carries everything within 5 ms, but of forwards and refusals it loses some, and keeps some for long. */
class Mail {
	readonly random = seededRandom(0);
	readonly handlers = new Map<MemberId, PeerHandlers>();
	readonly #clock: VirtualClock;
	/** Chances in percent. */
	loss = 0;
	late = 0;
	forwards = 0;
	/** Hears nothing of Raft. */
	deaf: MemberId | undefined;

	constructor(clock: VirtualClock) {
		this.#clock = clock;
	}

	of(from: MemberId): PeerTransport {
		const deliver = (to: MemberId, ms: number, work: (handlers: PeerHandlers) => void) =>
			void this.#clock.after(ms, () => work(this.handlers.get(to)!));
		const delay = () => this.random.int(5);
		const chancy = (to: MemberId, work: (handlers: PeerHandlers) => void) => {
			if (this.random.int(100) < this.loss) return;
			deliver(to, this.random.int(100) < this.late ? this.random.int(4000) : delay(), work);
		};
		return {
			start: (handlers) => void this.handlers.set(from, handlers),
			send: (messages: readonly Message[]) => {
				for (const message of messages) {
					if (message.to !== this.deaf) deliver(message.to, delay(), (handlers) => handlers.onMessages([message]));
				}
			},
			forward: (to: MemberId, forward: Forward) => {
				this.forwards++;
				const copy = { ...forward, commands: forward.commands.map((command) => Buffer.from(command)) };
				chancy(to, (handlers) => handlers.onForward(from, copy));
				return true;
			},
			refuse: (to: MemberId, id: number, reason: RefusalReason) => {
				chancy(to, (handlers) => handlers.onRefused(from, id, reason));
			},
			sendSnapshot: () => Promise.reject(new Error("none is needed")),
			close: () => Promise.resolve(),
		};
	}
}

async function startMember(
	id: MemberId,
	clock: VirtualClock,
	mail: Mail,
	seed: number,
	electionMs: number,
): Promise<Member> {
	return Member.open({
		config: {
			id,
			clusterId: 7n,
			name: `${id}`,
			voters: ids,
			heartbeatMs: 20,
			electionMs,
			preVote: true,
			snapshotCount: 100_000,
			catchUpEntries: 100_000,
		},
		clock,
		random: seededRandom(seed * 10 + Number(id)),
		logger: silentLogger,
		log: new NoLog(),
		recovered: {
			identity: { clusterId: 7n, memberId: id },
			hardState: { term: 0, vote: 0n, commit: 0 },
			snapshot: { index: 0, term: 0, conf },
			entries: [],
		},
		machine: await openMachine(new MemoryEngine()),
		transport: mail.of(id),
	});
}

async function startMembers(seed: number, electionMs = 200) {
	const clock = new VirtualClock();
	const mail = new Mail(clock);
	const members = await Promise.all(ids.map((id) => startMember(id, clock, mail, seed, electionMs)));
	await clock.runFor(100);
	const leader = () => members.find((member) => member.status.role === "leader");
	const close = async () => {
		const closed = Promise.all(members.map((member) => member.close()));
		await clock.runFor(100);
		await closed;
	};
	return { clock, mail, members, leader, close };
}

const key = (n: number) => Buffer.from(`k${n}`);
const put = (n: number) => ({ kind: "put", key: key(n), value: Buffer.alloc(0) }) as const;

describe("store/member: forwarded proposals", () => {
	it("are answered soon although their way to the same leader lost them", async () => {
		const { clock, mail, members, leader, close } = await startMembers(1);
		const follower = members.find((member) => member !== leader())!;
		const term = follower.term;
		mail.loss = 100;
		const answer = follower.propose(put(1));
		await clock.runFor(1000);
		mail.loss = 0;
		await clock.runFor(1000);
		assert.equal((await answer).revision, 2);
		assert.equal(follower.term, term);
		await clock.runFor(10_000);
		assert.equal(follower.machine.range({ key: key(1) }).kvs[0]?.version, 1);
		assert.equal(mail.forwards, 3);
		await close();
	});

	it("are not refused by a leader of before that has appended them already", async () => {
		const { clock, mail, members, leader, close } = await startMembers(2, 3000);
		const first = leader()!;
		const [sender, second] = members.filter((member) => member !== first) as [Member, Member];
		mail.deaf = sender.memberId;
		const answer = sender.propose(put(1));
		await clock.runFor(100);
		assert.equal(second.machine.range({ key: key(1) }).kvs[0]?.version, 1);
		const moved = first.transferLeadership();
		await clock.runFor(600);
		await moved;
		assert.equal(second.status.role, "leader");
		assert.equal(mail.forwards, 2, "repeated, and not refused");
		assert.equal(sender.leader, first.memberId);
		mail.deaf = undefined;
		await clock.runFor(1000);
		await answer;
		assert.equal(sender.machine.range({ key: key(1) }).kvs[0]?.version, 1);
		await close();
	});

	it("are applied at most once, whatever is lost, late or overtaken, and under changes of leaders", async function () {
		this.timeout(60_000);
		const seed = Number(process.env["BARQUE_SEED"] ?? systemRandom.int(2 ** 31));
		console.log(`      BARQUE_SEED=${seed}`);
		const { clock, mail, members, leader, close } = await startMembers(seed);
		const random = seededRandom(seed);
		mail.loss = 30;
		mail.late = 30;
		const outcomes: Promise<"applied" | "unknown" | "refused">[] = [];
		for (let n = 0; n < 1500; n++) {
			const member = members[random.int(3)]!;
			outcomes.push(
				member.propose(put(n)).then(
					() => "applied" as const,
					(error: StoreError) => (error.code === "outcome_unknown" ? "unknown" : "refused"),
				),
			);
			if (random.int(40) === 0) members[random.int(3)]!.campaign();
			if (random.int(40) === 0) void leader()?.transferLeadership();
			await clock.runFor(random.int(20));
		}
		mail.loss = 0;
		await clock.runFor(30_000);
		const counts = { applied: 0, unknown: 0, refused: 0 };
		for (const [n, outcome] of (await Promise.all(outcomes)).entries()) {
			counts[outcome]++;
			for (const member of members) {
				const version = member.machine.range({ key: key(n) }).kvs[0]?.version ?? 0;
				if (outcome === "applied") assert.equal(version, 1, `k${n} of ${member.memberId}`);
				else assert.ok(outcome === "unknown" ? version <= 1 : version === 0, `k${n}: ${outcome}, ${version}`);
			}
		}
		assert.ok(counts.applied > 1000, JSON.stringify(counts));
		await close();
	});
});
