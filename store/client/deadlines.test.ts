/** Calls end when they must: at their deadline, by their signal, or at once where waiting cannot help. Members are played. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { StoreClient, StoreError, WatchHandler } from "../api.ts";
import { type FrameChannel, type FrameHandlers, method, pack, status, unpack } from "../native/protocol.ts";
import { type ConnectOptions, connectStore } from "./client.ts";
import { Election } from "./election.ts";
import { LeaseKeeper } from "./lease.ts";
import { Lock } from "./lock.ts";

type Request = readonly [id: number, method: number, body: unknown];

/** A member that answers what `answers` says, and nothing else. */
class Member {
	readonly requests: Request[] = [];
	answers: readonly number[] = [method.sessionOpen];
	version = 2;
	clusterId = 7n;
	refusal = "";
	maxFrameBytes = 0;
	maxWatches = 0;
	reachable = true;

	async connect(): Promise<FrameChannel> {
		if (!this.reachable) return new Promise(() => {});
		let handlers: FrameHandlers | undefined;
		let greeted = false;
		const say = (message: readonly unknown[]) => queueMicrotask(() => handlers?.onFrame(pack(message)));
		return {
			backlog: 0,
			start: (given) => {
				handlers = given;
			},
			send: (frame) => {
				if (!greeted) {
					greeted = true;
					const limits = [this.maxFrameBytes, this.maxWatches];
					say([this.version, this.refusal, this.clusterId, 1n, 1n, "test", 4, ...limits]);
					return;
				}
				const request = unpack(frame) as Request;
				if (request[1] === method.ping) {
					say([request[0], status.ok, 1n]);
					return;
				}
				this.requests.push(request);
				if (this.answers.includes(request[1])) say([request[0], status.ok, 5, 4, []]);
			},
			close: () => queueMicrotask(() => handlers?.onClose(new Error("closed"))),
		};
	}

	of(number: number): Request[] {
		return this.requests.filter(([, each]) => each === number);
	}
}

const key = Buffer.from("k");
const value = Buffer.from("v");
const ignore: WatchHandler = { onBatch: () => {}, onEnd: () => {} };

/** Every call of the client that is answered. */
const calls: Readonly<Record<string, (client: StoreClient, signal?: AbortSignal) => Promise<unknown>>> = {
	range: (client, signal) => client.range({ key }, { signal }),
	"range, serializable": (client, signal) => client.range({ key, serializable: true }, { signal }),
	put: (client, signal) => client.put({ key, value }, { signal }),
	deleteRange: (client, signal) => client.deleteRange({ key }, { signal }),
	txn: (client, signal) => client.txn({ compare: [], success: [], failure: [] }, { signal }),
	compact: (client, signal) => client.compact({ revision: 1 }, { signal }),
	leaseGrant: (client, signal) => client.leaseGrant({ id: 0n, ttl: 5 }, { signal }),
	leaseRevoke: (client, signal) => client.leaseRevoke(5n, { signal }),
	leaseKeepAlive: (client, signal) => client.leaseKeepAlive(5n, { signal }),
	leaseTimeToLive: (client, signal) => client.leaseTimeToLive(5n, { signal }),
	leases: (client, signal) => client.leases({ signal }),
	currentRevision: (client, signal) => client.currentRevision({ signal }),
};
const writes = new Set(["put", "deleteRange", "txn", "compact", "leaseGrant", "leaseRevoke"]);

describe("store/client: when calls end", () => {
	let clock: VirtualClock;
	let members: Member[];
	let clients: StoreClient[];

	const connect = (options: Partial<ConnectOptions> = {}) => {
		const client = connectStore({
			endpoints: members.map((_, i) => `http://member${i}:1`),
			connector: { connect: (url) => members[Number(url[13])]!.connect() },
			clock,
			requestTimeoutMs: 1500,
			...options,
		});
		clients.push(client);
		return client;
	};
	const run = (ms: number) => clock.runUntil(clock.time + ms);
	/** When and how `work` ended; undefined: it has not. */
	const ending = async (work: Promise<unknown>, ms: number) => {
		const from = clock.monotonic();
		let ended: { afterMs: number; error: unknown } | undefined;
		work.then(
			() => {
				ended = { afterMs: clock.monotonic() - from, error: undefined };
			},
			(error: unknown) => {
				ended = { afterMs: clock.monotonic() - from, error };
			},
		);
		await run(ms);
		return ended as { readonly afterMs: number; readonly error: StoreError } | undefined;
	};

	beforeEach(() => {
		clock = new VirtualClock();
		members = [new Member()];
		clients = [];
	});
	afterEach(async () => {
		const closed = Promise.all(clients.map((client) => client.close()));
		await run(1000);
		await closed;
	});

	for (const [name, call] of Object.entries(calls)) {
		it(`${name}: at the deadline, when a connected member says nothing`, async () => {
			const client = connect();
			await run(10);
			const ended = await ending(call(client), 20_000);
			assert.equal(Math.round(ended?.afterMs ?? -1), 1500);
			assert.equal(ended?.error.code, writes.has(name) ? "outcome_unknown" : "timeout");
			const [request] = members[0]!.requests.filter(([, number]) => number !== method.sessionOpen);
			assert.deepEqual(
				members[0]!.of(method.abandon).map(([id]) => id),
				[request?.[0]],
				"the member is told",
			);
		});

		it(`${name}: at the deadline, when no member can be reached`, async () => {
			members[0]!.reachable = false;
			const ended = await ending(call(connect()), 20_000);
			assert.equal(Math.round(ended?.afterMs ?? -1), 1500);
			assert.equal(ended?.error.code, "unavailable");
		});

		it(`${name}: at once by its signal, wherever it waits`, async () => {
			const reason = new Error("not wanted any more");
			assert.equal((await ending(call(connect(), AbortSignal.abort(reason)), 10))?.error, reason);
			members[0]!.reachable = false;
			for (const reachable of [false, true]) {
				members[0]!.reachable = reachable;
				const client = connect();
				const controller = new AbortController();
				const work = call(client, controller.signal);
				clock.after(100, () => controller.abort(reason));
				const ended = await ending(work, 10_000);
				assert.equal(Math.round(ended?.afterMs ?? -1), 100);
				assert.equal(ended?.error, reason);
				// One that is over says nothing of others.
				assert.equal((await ending(client.range({ key }), 2000))?.error.code, reachable ? "timeout" : "unavailable");
			}
		});
	}

	it("a write whose session cannot be opened ends at its own deadline, not at another's", async () => {
		members[0]!.answers = [];
		const client = connect();
		const first = client.put({ key, value });
		first.catch(() => undefined);
		await run(1000);
		const ended = await ending(client.put({ key, value }), 10_000);
		assert.equal(Math.round(ended?.afterMs ?? -1), 1500);
		assert.equal(ended?.error.code, "timeout", "nothing was sent that could be applied");
	});

	it("refuses a time that is none", () => {
		for (const requestTimeoutMs of [0, -1, Number.NaN, 2 ** 31]) {
			assert.throws(() => connect({ requestTimeoutMs }), /requestTimeoutMs: must be above 0/);
		}
	});

	it("lock, election and lease: at once by their signals", async () => {
		const reason = new Error("not wanted any more");
		members[0]!.answers = [method.sessionOpen, method.leaseKeepAlive];
		const client = connect();
		const lease = new LeaseKeeper(client, 5n, 60, clock.monotonic(), { clock });
		const recipes: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
			acquire: (signal) => new Lock(client, "lock", lease).acquire(signal),
			campaign: (signal) => new Election(client, "election").campaign(value, lease, signal),
			leader: (signal) => new Election(client, "election").leader(signal),
			grant: (signal) => LeaseKeeper.grant(client, 5, { clock }, signal),
			revoke: (signal) => new LeaseKeeper(client, 6n, 60, clock.monotonic(), { clock }).revoke(signal),
		};
		for (const [name, recipe] of Object.entries(recipes)) {
			const controller = new AbortController();
			const work = recipe(controller.signal);
			clock.after(100, () => controller.abort(reason));
			const ended = await ending(work, 200);
			assert.equal(ended?.error, reason, name);
			assert.equal(Math.round(ended?.afterMs ?? -1), 100, name);
			assert.equal((await ending(recipe(AbortSignal.abort(reason)), 1))?.error, reason, name);
		}
		lease.stop();
	});

	it("a watch by its signal, without a word to its handler", async () => {
		const client = connect();
		const controller = new AbortController();
		const onEnd = () => assert.fail("not ended by the store");
		client.watch({ key }, { onBatch: () => {}, onEnd }, { signal: controller.signal });
		await run(10);
		controller.abort();
		await run(10);
		assert.equal(members[0]!.of(method.watchCancel).length, 1);
		assert.throws(() => client.watch({ key }, ignore, { signal: AbortSignal.abort(new Error("over")) }), /over/);
	});

	it("with a member of protocol version 1 as well, which is not told", async () => {
		members[0]!.version = 1;
		const client = connect();
		await run(10);
		const ended = await ending(client.range({ key }), 2000);
		assert.equal(Math.round(ended?.afterMs ?? -1), 1500);
		assert.equal(members[0]!.of(method.abandon).length, 0);
		members[0]!.answers = [method.currentRevision];
		assert.equal(await client.currentRevision(), 5);
		members[0]!.version = 3;
		const other = connect();
		const refused = await ending(other.range({ key }), 2000);
		assert.match(refused?.error.message ?? "", /the member speaks version 3 of the protocol/);
	});

	it("a request above the member's limit at once, and it is not sent", async () => {
		members[0]!.maxFrameBytes = 1000;
		const client = connect();
		await run(10);
		const ended = await ending(client.put({ key, value: Buffer.alloc(2000) }), 100);
		assert.equal(ended?.error.code, "request_too_large");
		assert.match(ended?.error.message ?? "", /request is too large: 20\d\d bytes, the member takes 1000/);
		assert.equal(members[0]!.of(method.put).length, 0);
		members[0]!.answers = [method.sessionOpen, method.put];
		assert.equal((await ending(client.put({ key, value }), 100))?.error, undefined);
	});

	it("watches beyond what members take on a connection go to others, and end where there is no room", async () => {
		members = [new Member(), new Member()];
		for (const member of members) member.maxWatches = 2;
		const client = connect();
		await run(10);
		const ends: StoreError[] = [];
		const handler: WatchHandler = { onBatch: () => {}, onEnd: (error) => void ends.push(error) };
		const watches = [];
		for (let i = 0; i < 5; i++) watches.push(client.watch({ key }, handler));
		await run(10);
		assert.deepEqual(
			members.map((member) => member.of(method.watch).length),
			[2, 2],
		);
		assert.deepEqual(
			ends.map(({ code }) => code),
			["too_many_requests"],
		);
		watches[0]!.cancel();
		client.watch({ key }, handler);
		await run(10);
		assert.equal(members[0]!.of(method.watch).length, 3);
	});

	it("of another cluster: at once, calls and watches", async () => {
		for (const clusterId of [9n, undefined]) {
			members = [new Member(), new Member()];
			for (const member of members) {
				member.clusterId = 8n;
				if (clusterId !== undefined) member.refusal = "cluster id mismatch: this is 8";
			}
			// Without an id of its own the client goes by the first member it reaches.
			if (clusterId === undefined) members[1]!.clusterId = 7n;
			const client = connect({ clusterId });
			const ends: StoreError[] = [];
			client.watch({ key }, { onBatch: () => {}, onEnd: (error) => void ends.push(error) });
			const ended = await ending(client.range({ key }), 100);
			if (clusterId === undefined) {
				assert.equal(ended, undefined, "the first member is of its cluster");
				continue;
			}
			assert.equal(ended?.error.code, "cluster_id_mismatch");
			assert.match(ended?.error.message ?? "", /cluster id mismatch: this is 8/);
			assert.deepEqual(
				ends.map(({ code }) => code),
				["cluster_id_mismatch"],
			);
			assert.equal((await ending(client.put({ key, value }), 100))?.error.code, "cluster_id_mismatch");
		}
	});
});
