/** Long answers: in slices between which others run, no faster than they are taken, and not made for nobody. */
import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { RangeRequest } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { bytes, Driver } from "../machine/testing/driver.ts";
import type { StateMachine } from "../machine/types.ts";
import { type Replica, Requests } from "../member/requests.ts";
import { errorCodes, type FrameChannel, type FrameHandlers, method, pack, status, unpack } from "../native/protocol.ts";
import * as wire from "../native/wire.ts";
import { NativeConnection, type NativeLimits } from "./native.ts";
import { Turns } from "./turns.ts";

const pageBytes = 1000;
const all = { key: bytes("\0"), rangeEnd: bytes("\0") };

class Channel implements FrameChannel {
	readonly frames: Buffer[] = [];
	handlers: FrameHandlers | undefined;
	backlog = 0;
	/** Frames are taken only when the test says so. */
	held = false;
	closed = false;

	start(handlers: FrameHandlers): void {
		this.handlers = handlers;
	}

	send(frame: Buffer): void {
		this.frames.push(frame);
		if (this.held) this.backlog += frame.length + 4;
	}

	take(): void {
		this.backlog = 0;
		this.handlers?.onDrain();
	}

	close(): void {
		if (this.closed) return;
		this.closed = true;
		this.handlers?.onClose(new Error("closed"));
	}

	get messages(): unknown[][] {
		return this.frames.map((frame) => unpack(frame) as unknown[]);
	}

	/** The whole answer to a request: `[status, revision, term, body]` or an error. */
	answer(id: number): unknown[] | undefined {
		const parts: Buffer[] = [];
		for (const message of this.messages) {
			if (message[0] !== id) continue;
			if (message[1] === status.part) parts.push(message[2] as Buffer);
			else if (message[1] === status.complete) return unpack(Buffer.concat(parts)) as unknown[];
			else return message.slice(1);
		}
		return undefined;
	}

	count(id: number): number {
		return this.messages.filter((message) => message[0] === id).length;
	}
}

describe("store/serve/answers", () => {
	let d: Driver;
	let clock: VirtualClock;
	/** Bytes of pairs read from the machine, and of frames sent, since the last turn. */
	let reads: number[];
	let turns: (() => void)[];
	let channels: Channel[];

	beforeEach(async () => {
		d = await Driver.open(new MemoryEngine());
		clock = new VirtualClock();
		reads = [];
		turns = [];
		channels = [];
		for (let i = 0; i < 100; i++) d.put(`k${String(i).padStart(3, "0")}`, "v".repeat(300));
	});
	afterEach(async () => {
		for (const channel of channels) channel.close();
		await d.machine.close();
	});

	const counted = (): StateMachine =>
		new Proxy(d.machine, {
			get(machine, name) {
				const member: unknown = Reflect.get(machine, name, machine);
				if (typeof member !== "function") return member;
				if (name !== "range") return member.bind(machine);
				return (...args: Parameters<StateMachine["range"]>) => {
					const result = machine.range(...args);
					reads.push(result.kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0));
					return result;
				};
			},
		});
	const requestsOf = () => {
		const replica = {
			machine: counted(),
			clusterId: 7n,
			memberId: 1n,
			term: 3,
			linearizableRead: async () => {},
			propose: async () => assert.fail("nothing of this goes through the log"),
		} as unknown as Replica;
		const queue = new Turns((work) => void turns.push(work));
		return new Requests(replica, { rangePageKeys: 1000, rangePageBytes: pageBytes, turn: () => queue.take() });
	};
	const connect = (requests: Requests, limits: Partial<NativeLimits> = {}, version = 2) => {
		const channel = new Channel();
		channels.push(channel);
		const options = { requests, clock, logger: silentLogger, serverVersion: "test", leader: () => 1n, limits };
		new NativeConnection(channel, options);
		channel.handlers?.onFrame(pack([1, version, 0n]));
		channel.frames.length = 0;
		return channel;
	};
	const ask = (channel: Channel, id: number, request: RangeRequest) =>
		channel.handlers?.onFrame(pack([id, method.range, wire.rangeToWire(request)]));
	const settle = () => new Promise((resolve) => setImmediate(resolve));
	/** Gives one turn; false: nobody waits for one. */
	const turn = async () => {
		const work = turns.shift();
		work?.();
		await settle();
		return work !== undefined;
	};
	const rangeOf = (answer: unknown[] | undefined) => {
		assert.equal(answer?.[0], status.ok, String(answer?.[2]));
		return wire.rangeResultFromWire(answer?.[3]);
	};

	it("are read and sent in pieces of bounded size, one for each turn however many are asked for", async () => {
		const requests = requestsOf();
		const many = [connect(requests), connect(requests), connect(requests)];
		const expected = d.machine.range(all);
		for (const channel of many) for (let id = 1; id <= 6; id++) ask(channel, id, all);
		await settle();
		let most = 0;
		let steps = 0;
		const sent = () => many.reduce((sum, { frames }) => sum + frames.reduce((all, frame) => all + frame.length, 0), 0);
		for (;;) {
			const before = sent();
			reads = [];
			if (!(await turn())) break;
			steps++;
			most = Math.max(
				most,
				sent() - before,
				reads.reduce((sum, one) => sum + one, 0),
			);
			d.put("k050", `changed ${steps}`);
		}
		for (const channel of many) {
			for (let id = 1; id <= 6; id++) assert.deepEqual(rangeOf(channel.answer(id)), expected);
		}
		assert.ok(most <= 2 * pageBytes, `${most} bytes in one turn`);
		assert.ok(steps >= (18 * 30_000) / (2 * pageBytes), `${steps} turns`);
	});

	it("of other kinds are packed in slices as well", async () => {
		for (let i = 0; i < 40; i++) d.put(`big${String(i).padStart(2, "0")}`, "x".repeat(40_000));
		const channel = connect(requestsOf());
		ask(channel, 1, { ...all, sortTarget: "mod", sortOrder: "descend" });
		const ranges = [
			[0, [bytes("big"), bytes("bih")]],
			[0, [bytes("k"), bytes("l")]],
		];
		channel.handlers?.onFrame(pack([2, method.txn, [[], ranges, []]]));
		await settle();
		let longest = 0;
		while (await turn()) longest = Math.max(longest, ...channel.frames.map((frame) => frame.length));
		assert.equal(rangeOf(channel.answer(1)).kvs.length, 140);
		const txn = wire.txnResultFromWire(channel.answer(2)?.[3]);
		assert.deepEqual(
			txn.responses.map((response) => response.op === "range" && response.kvs.length),
			[40, 100],
		);
		assert.ok(longest < 400_000, `a frame of ${longest} bytes`);
	});

	it("wait for a client that does not take them, with others' requests going on, and end it when it never does", async () => {
		const requests = requestsOf();
		const slow = connect(requests, { pauseAbove: 8000, slowAfterMs: 1000 });
		slow.held = true;
		ask(slow, 1, all);
		await settle();
		while (await turn());
		const sent = slow.frames.length;
		assert.ok(sent > 0 && sent < 10, `${sent} frames`);
		slow.handlers?.onFrame(pack([2, method.range, wire.rangeToWire({ key: bytes("k001") })]));
		await settle();
		assert.equal(rangeOf(slow.answer(2)).kvs.length, 1);
		slow.take();
		await settle();
		while (await turn());
		assert.ok(slow.frames.length > sent);
		await clock.runUntil(clock.time + 900);
		assert.equal(slow.closed, false);
		await clock.runUntil(clock.time + 1200);
		assert.equal(slow.closed, true);
	});

	it("are not made for a client that abandons them or is gone", async () => {
		for (const how of ["abandon", "close"]) {
			const channel = connect(requestsOf());
			ask(channel, 1, all);
			await settle();
			for (let i = 0; i < 5; i++) await turn();
			const before = channel.frames.length;
			assert.ok(before > 0);
			if (how === "close") channel.close();
			else channel.handlers?.onFrame(pack([1, method.abandon]));
			reads = [];
			while (await turn());
			assert.deepEqual(reads, [], how);
			assert.equal(channel.frames.length, before, how);
		}
	});

	it("are not read for a request abandoned while it waited for the leader", async () => {
		let confirm: () => void = () => {};
		const requests = requestsOf();
		Object.assign(requests.replica, {
			linearizableRead: () =>
				new Promise<void>((resolve) => {
					confirm = resolve;
				}),
		});
		const channel = connect(requests);
		ask(channel, 1, all);
		channel.handlers?.onFrame(pack([1, method.abandon]));
		confirm();
		await settle();
		assert.deepEqual(reads, []);
		assert.equal(channel.count(1), 0);
	});

	it("are to be asked for again when their revision is compacted while they are read", async () => {
		const channel = connect(requestsOf());
		ask(channel, 1, all);
		ask(channel, 2, { ...all, revision: d.machine.revision });
		await settle();
		for (let i = 0; i < 5; i++) await turn();
		d.put("k000", "changed");
		d.run({ kind: "compact", revision: d.machine.revision });
		while (await turn());
		const codes = [1, 2].map((id) =>
			channel.messages.find((message) => message[0] === id && message[1] === status.error),
		);
		assert.deepEqual(
			codes.map((message) => errorCodes[Number(message?.[2])]),
			["unavailable", "compacted"],
		);
	});

	it("go to clients of protocol version 1 in one frame, up to a limit", async () => {
		const expected = d.machine.range(all);
		const old = connect(requestsOf(), {}, 1);
		ask(old, 1, all);
		await settle();
		let steps = 0;
		while (await turn()) steps++;
		assert.equal(old.frames.length, 1);
		assert.deepEqual(rangeOf(old.answer(1)), expected);
		assert.ok(steps > 20);
		const limited = connect(requestsOf(), { maxFrameAnswer: 5000 }, 1);
		ask(limited, 1, all);
		await settle();
		while (await turn());
		assert.equal(errorCodes[Number(limited.answer(1)?.[1])], "invalid_argument");
		assert.match(String(limited.answer(1)?.[2]), /above 5000 bytes, the most for clients of protocol version 1/);
	});
});
