/** What the client makes of a member's answers, with members played by the test. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../kit/clock.ts";
import type { StoreError, WatchBatch } from "../api.ts";
import {
	errorCodes,
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
import type { Connector } from "./connector.ts";

interface Request {
	readonly id: number;
	readonly method: number;
	readonly session: bigint;
	readonly sequence: number;
	readonly acknowledged: number;
}

type Reply = (message: unknown[]) => void;

/** A member that answers as `onRequest` says; "lost" breaks the connection. */
class Member implements Connector {
	readonly requests: Request[] = [];
	readonly onRequest: (request: Request, reply: Reply) => "lost" | undefined;
	up = true;

	constructor(onRequest: (request: Request, reply: Reply) => "lost" | undefined) {
		this.onRequest = onRequest;
	}

	async connect(): Promise<FrameChannel> {
		if (!this.up) throw new Error("refused");
		let handlers: FrameHandlers | undefined;
		let closed = false;
		const close = () => {
			if (closed) return;
			closed = true;
			queueMicrotask(() => handlers?.onClose(new Error("broken")));
		};
		const reply: Reply = (message) => queueMicrotask(() => closed || handlers?.onFrame(pack(message)));
		let greeted = false;
		return {
			backlog: 0,
			start: (given) => {
				handlers = given;
			},
			send: (frame) => {
				if (!greeted) {
					greeted = true;
					reply([nativeVersion, "", 7n, 1n, 1n, "test"]);
					return;
				}
				const [id, number, , session = 0n, sequence = 0, acknowledged = 0] = unpack(frame) as [
					number,
					number,
					unknown,
					bigint?,
					number?,
					number?,
				];
				const request = { id, method: number, session, sequence, acknowledged };
				if (number === method.ping) return;
				this.requests.push(request);
				if (this.onRequest(request, reply) === "lost") close();
			},
			close,
		};
	}

	of(number: number): Request[] {
		return this.requests.filter((request) => request.method === number);
	}
}

const ok = (id: number, body: unknown = []) => [id, status.ok, 5, 1, body];
const failed = (id: number, code: StoreError["code"]) => [id, status.error, errorCodes.indexOf(code), code, 0];
const put = { key: Buffer.from("k"), value: Buffer.from("v") };

describe("store/client", () => {
	let client: ReturnType<typeof connectStore> | undefined;
	const connect = (member: Member, requestTimeoutMs = 5000) => {
		client = connectStore({ endpoints: ["http://member:1"], connector: member, requestTimeoutMs });
		return client;
	};
	afterEach(async () => {
		await client?.close();
	});

	/** Answers everything but puts, which `onPut` does with their count. */
	const playing = (onPut: (count: number, request: Request, reply: Reply) => "lost" | undefined) => {
		const member: Member = new Member((request, reply) => {
			if (request.method === method.put) return onPut(member.of(method.put).length, request, reply);
			reply(ok(request.id));
			return undefined;
		});
		return member;
	};

	it("sends a write of which a lost answer said that it changed nothing under a new number", async () => {
		const member = playing((count, { id }, reply) => {
			if (count === 1) return "lost";
			reply(count === 2 ? failed(id, "not_applied") : ok(id));
			return undefined;
		});
		await connect(member).put(put);
		const sequences = member.of(method.put).map(({ sequence }) => sequence);
		assert.deepEqual(sequences, [1, 1, 2]);
		assert.equal(member.of(method.put)[2]?.acknowledged, 1);
	});

	it("takes a refusal before the log for no answer to what may have been applied", async () => {
		const member = playing((count, { id }, reply) => {
			if (count === 1) return "lost";
			reply(failed(id, "no_space"));
			return undefined;
		});
		const error = (await connect(member, 400)
			.put(put)
			.catch((cause: unknown) => cause)) as StoreError;
		assert.equal(error.code, "outcome_unknown");
		const clean = playing((_count, { id }, reply) => void reply(failed(id, "no_space")) as undefined);
		await client?.close();
		const refused = (await connect(clean)
			.put(put)
			.catch((cause: unknown) => cause)) as StoreError;
		assert.equal(refused.code, "no_space");
	});

	it("opens another session after each lost attempt to open one", async () => {
		const member: Member = new Member((request, reply) => {
			if (request.method === method.sessionOpen && member.of(method.sessionOpen).length < 3) return "lost";
			reply(ok(request.id));
			return undefined;
		});
		await connect(member).put(put);
		const opened = member.of(method.sessionOpen).map(({ session }) => session);
		assert.equal(new Set(opened).size, 3);
		assert.equal(member.of(method.put)[0]?.session, opened[2]);
	});

	it("asks a member that refuses a watch again with pauses, not in a loop", async () => {
		const batches: WatchBatch[] = [];
		const member: Member = new Member((request, reply) => {
			if (request.method === method.watch && member.of(method.watch).length < 4) {
				reply(failed(request.id, "too_many_requests"));
				return undefined;
			}
			reply(ok(request.id));
			if (request.method === method.watch) reply([0, notice.watchBatch, request.id, 9, pack([])]);
			return undefined;
		});
		const pauses: number[] = [];
		const clock: Clock = {
			now: () => systemClock.now(),
			monotonic: () => systemClock.monotonic(),
			every: (ms, callback) => systemClock.every(ms, callback),
			after: (ms, callback, options) => {
				pauses.push(ms);
				return systemClock.after(ms < 1000 ? 0 : ms, callback, options);
			},
		};
		await new Promise<void>((resolve) => {
			client = connectStore({ endpoints: ["http://member:1"], connector: member, clock });
			client.watch(
				{ key: put.key },
				{
					onBatch: (batch) => {
						batches.push(batch);
						resolve();
					},
					onEnd: ({ code }) => assert.equal(code, "closed"),
				},
			);
		});
		assert.deepEqual(batches, [{ events: [], revision: 9 }]);
		assert.deepEqual(
			pauses.filter((ms) => ms < 1000),
			[50, 100, 200],
		);
		assert.equal(member.of(method.watch).length, 4);
	});
});
