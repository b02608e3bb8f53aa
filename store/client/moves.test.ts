/** Where the client's requests wait while members disagree about the leader, with members played by the test. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { StoreClient, WatchBatch } from "../api.ts";
import {
	type FrameChannel,
	type FrameHandlers,
	method,
	nativeVersion,
	notice,
	pack,
	status,
	unpack,
} from "../native/protocol.ts";
import { connectStore } from "./client.ts";

type Request = readonly [id: number, method: number, body: unknown, session?: bigint, sequence?: number];

/** A member that answers what it is told to. */
class Member {
	readonly id: bigint;
	readonly requests: Request[] = [];
	leader: bigint;
	term: number;
	/** It neither answers nor says anything. */
	stalled = false;
	#handlers: FrameHandlers | undefined;

	constructor(id: number, leader: number, term: number) {
		this.id = BigInt(id);
		this.leader = BigInt(leader);
		this.term = term;
	}

	channel(): FrameChannel {
		let greeted = false;
		return {
			backlog: 0,
			start: (handlers) => {
				this.#handlers = handlers;
			},
			send: (frame) => {
				if (!greeted) {
					greeted = true;
					this.say([nativeVersion, "", 7n, this.id, this.leader, "test", this.term]);
					return;
				}
				const request = unpack(frame) as Request;
				this.requests.push(request);
				if (!this.stalled) this.answer(request);
			},
			close: () => {
				const handlers = this.#handlers;
				queueMicrotask(() => handlers?.onClose(new Error("closed")));
			},
		};
	}

	say(message: readonly unknown[]): void {
		queueMicrotask(() => this.#handlers?.onFrame(pack(message)));
	}

	answer([id, number]: Request): void {
		this.say([id, status.ok, 1, this.term, number === method.range ? [[], false, 0] : []]);
	}

	/** It now knows this leader. */
	hears(leader: number, term: number): void {
		this.leader = BigInt(leader);
		this.term = term;
		this.say([0, notice.leader, this.leader, term]);
	}

	of(number: number): Request[] {
		return this.requests.filter(([, each]) => each === number);
	}
}

describe("store/client: requests that wait on a member without the leader", () => {
	let clock: VirtualClock;
	let client: StoreClient;
	let members: readonly [Member, Member, Member];

	const connect = async (requestTimeoutMs = 10_000) => {
		client = connectStore({
			endpoints: ["1", "2", "3"].map((id) => `http://member${id}:1`),
			connector: { connect: async (url) => members[Number(url[13]) - 1]!.channel() },
			clock,
			requestTimeoutMs,
		});
		await run(10);
		await client.put({ key: Buffer.from("warm"), value: Buffer.from("up") });
	};
	const run = (ms: number) => clock.runUntil(clock.time + ms);
	const put = () => client.put({ key: Buffer.from("k"), value: Buffer.from("v") });

	beforeEach(() => {
		clock = new VirtualClock();
		members = [new Member(1, 1, 4), new Member(2, 1, 4), new Member(3, 1, 4)];
	});
	afterEach(async () => {
		const closed = client.close();
		await run(1000);
		await closed;
	});

	it("go to a new leader soon, writes under the same number, and what the old one says late is ignored", async () => {
		await connect();
		members[0].stalled = true;
		const write = put();
		const read = client.range({ key: Buffer.from("k") });
		await run(2000);
		assert.deepEqual([members[1].of(method.put).length, members[2].of(method.put).length], [0, 0]);
		members[1].hears(0, 5);
		members[2].hears(3, 5);
		members[1].hears(3, 5);
		await run(200);
		assert.equal((await write).header.memberId, 3n);
		assert.equal((await read).header.memberId, 3n);
		const [first, again] = [members[0].of(method.put).at(-1)!, members[2].of(method.put).at(-1)!];
		assert.deepEqual(again.slice(3, 5), first.slice(3, 5));
		assert.equal(members[2].of(method.put).length, 1);
		members[0].answer(first);
		await run(10);
		members[0].hears(3, 5);
		assert.equal((await put()).header.memberId, 3n);
	});

	it("end with their time, though others come to know a leader later", async () => {
		await connect(500);
		members[0].stalled = true;
		const write = assert.rejects(put(), { code: "outcome_unknown" });
		const before = clock.monotonic();
		await Promise.all([write, run(2000)]);
		members[1].hears(2, 5);
		await run(200);
		assert.equal(members[1].of(method.put).length, 0);
		assert.ok(clock.monotonic() - before >= 2000);
	});

	it("count each move as a retry: they wait longer and longer between them, and end with their time", async () => {
		await connect(3000);
		for (const member of members) member.stalled = true;
		const write = assert.rejects(put(), { code: "outcome_unknown" });
		// Whichever member is asked loses its leader at once, and the next one leads.
		let term = 5;
		let leader = 0;
		for (let round = 0; round < 200; round++) {
			const next = (leader + 1) % 3;
			members[next]!.hears(next + 1, term);
			await run(120);
			leader = next;
			term++;
		}
		await write;
		const puts = members.reduce((sum, member) => sum + member.of(method.put).length, 0);
		assert.ok(puts > 3 && puts <= 20, `${puts} attempts`);
	});

	it("go when the member knows no leader and others of the same term do", async () => {
		await connect();
		for (const member of members) member.hears(3, 6);
		await run(10);
		members[2].stalled = true;
		const write = put();
		await run(10);
		// It leads no more, the second one does not know it yet, the first one does.
		members[2].hears(0, 6);
		members[0].hears(0, 6);
		await run(500);
		assert.equal(members[1].of(method.put).length, 0, "nobody waits for what a follower alone believes");
		members[0].hears(1, 7);
		await run(200);
		assert.equal((await write).header.memberId, 1n);
	});

	it("stay when the member hears of the new leader in time", async () => {
		await connect();
		members[0].stalled = true;
		const write = put();
		await run(10);
		members[2].hears(3, 5);
		await run(50);
		members[0].hears(3, 5);
		await run(1000);
		assert.equal(members[2].of(method.put).length, 0);
		members[0].answer(members[0].of(method.put).at(-1)!);
		await run(1);
		assert.equal((await write).header.memberId, 1n);
	});

	it("end as unknown when the client closes before a write is answered", async () => {
		await connect();
		members[0].stalled = true;
		const write = assert.rejects(put(), { code: "outcome_unknown" });
		await run(10);
		const closed = client.close();
		await run(1000);
		await closed;
		await write;
		await assert.rejects(put(), { code: "closed" });
	});

	it("and new ones never start there; watches follow", async () => {
		await connect();
		const batches: WatchBatch[] = [];
		const watch = client.watch(
			{ key: Buffer.from("k") },
			{ onBatch: (batch) => void batches.push(batch), onEnd: () => {} },
		);
		await run(10);
		assert.equal(members[0].of(method.watch).length, 1);
		members[0].stalled = true;
		members[2].hears(3, 5);
		await run(1);
		assert.equal((await put()).header.memberId, 3n);
		await run(2000);
		assert.equal(members[2].of(method.watch).length, 1);
		const [id] = members[2].of(method.watch)[0]!;
		members[2].say([0, notice.watchBatch, id, 9, pack([])]);
		await run(1);
		assert.deepEqual(
			batches.map(({ revision }) => revision),
			[9],
		);
		watch.cancel();
	});
});
