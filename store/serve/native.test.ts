/** Whatever a client sends is answered or ends its connection, and harms neither the member nor other clients. */
import assert from "node:assert/strict";
import { systemClock } from "../../kit/clock.ts";
import { type Logger, silentLogger } from "../../kit/log.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { encodeCommand } from "../machine/codec.ts";
import { type Machine, openMachine } from "../machine/machine.ts";
import type { Command } from "../machine/types.ts";
import type { ProposeOptions } from "../member/member.ts";
import { type Replica, Requests } from "../member/requests.ts";
import { isApplicable } from "../member/stamp.ts";
import { type FrameChannel, type FrameHandlers, method, pack, status, unpack } from "../native/protocol.ts";
import { NativeConnection, type NativeLimits } from "./native.ts";

const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 2 ** 31);

/** One machine as a member; entries are what a log would carry. */
class Alone implements Replica {
	readonly clusterId = 7n;
	readonly memberId = 1n;
	readonly term = 1;
	readonly machine: Machine;
	#requestId = 0n;

	constructor(machine: Machine) {
		this.machine = machine;
	}

	async propose(command: Command, { session = 0n, sequence = 0, acknowledged = 0 }: ProposeOptions = {}) {
		const header = { session, sequence, acknowledged, time: 1_000_000, requestId: ++this.#requestId };
		const data = encodeCommand(header, command);
		assert.ok(isApplicable(data));
		const index = this.machine.appliedIndex + 1;
		return this.machine.apply([{ term: 1, index, kind: "normal", data }], () => undefined)[0]!;
	}

	async linearizableRead(): Promise<void> {}

	async leaseKeepAlive(id: bigint) {
		const { revision } = await this.propose({ kind: "lease_keepalive", ids: [id] });
		return { id, ttl: 1, revision };
	}

	newLeaseId(): bigint {
		return 5n;
	}
}

class Loop implements FrameChannel {
	readonly answers: unknown[][] = [];
	handlers: FrameHandlers | undefined;
	backlog = 0;
	closed = false;
	reading = true;

	start(handlers: FrameHandlers): void {
		this.handlers = handlers;
	}

	send(frame: Buffer): void {
		this.answers.push(unpack(frame) as unknown[]);
	}

	setReading(on: boolean): void {
		this.reading = on;
	}

	close(): void {
		if (this.closed) return;
		this.closed = true;
		this.handlers?.onClose(new Error("closed"));
	}

	/** As the socket does: a throw ends the connection. */
	receive(frame: Buffer): void {
		if (this.closed) return;
		try {
			this.handlers?.onFrame(frame);
		} catch {
			this.close();
		}
	}
}

const key = Buffer.from("k");
const bodies: readonly (readonly [number, unknown])[] = [
	[method.range, [key, Buffer.from([0]), 0, 10, 0, 1, 2, 0, 0, 0, 0]],
	[method.put, [key, Buffer.from("v"), 0, 1]],
	[method.delete, [key, null, 1]],
	[
		method.txn,
		[
			[[key, null, 0, 3, Buffer.from("v")]],
			[
				[1, [key, Buffer.from("w"), 0, 0]],
				[3, [[], [[0, [key]]], []]],
			],
			[[2, [key, Buffer.from([0]), 0]]],
		],
	],
	[method.compact, [1, false]],
	[method.leaseGrant, [0, 10]],
	[method.leaseRevoke, [5n]],
	[method.leaseKeepAlive, [5n]],
	[method.leaseTimeToLive, [5n, true]],
	[method.leases, []],
	[method.currentRevision, []],
	[method.watch, [key, Buffer.from([0]), 0, 15]],
	[method.watchCancel, [1]],
	[method.watchProgress, [1]],
	[method.sessionOpen, []],
	[method.sessionClose, []],
	[method.ping, []],
	[method.hash, [0]],
];

const oddities: readonly unknown[] = [
	null,
	-1,
	1.5,
	2 ** 53,
	-(2 ** 53) + 1,
	2n ** 64n - 1n,
	-(2n ** 63n),
	Number.NaN,
	"text",
	true,
	[],
	[[[]]],
	{},
	Buffer.alloc(0),
	Buffer.alloc(1),
	new Date(0),
	new Map([["__proto__", 1]]),
	/x/,
];

/** `value` with one place somewhere in it replaced, dropped or repeated. */
function mutate(value: unknown, random: Random): unknown {
	if (!Array.isArray(value) || value.length === 0 || random.int(4) === 0) return oddities[random.int(oddities.length)];
	const at = random.int(value.length);
	const copy = [...value];
	const how = random.int(6);
	if (how === 0) copy.splice(at, 1);
	else if (how === 1) copy.splice(at, 0, ...Array(1 + random.int(200)).fill(copy[at]));
	else copy[at] = mutate(copy[at], random);
	return copy;
}

function garble(frame: Buffer, random: Random): Buffer {
	const bytes = Buffer.from(frame.subarray(0, random.int(3) === 0 ? random.int(frame.length + 1) : frame.length));
	for (let n = random.int(4); n > 0 && bytes.length > 0; n--) bytes[random.int(bytes.length)] = random.int(256);
	return bytes;
}

describe("store/serve/native", () => {
	let machine: Machine;
	let errors: unknown[];
	const hello = pack([1, 1, 0n]);
	beforeEach(async () => {
		machine = await openMachine(new MemoryEngine());
		errors = [];
	});
	afterEach(() => machine.close());

	const connect = (limits: Partial<NativeLimits> = {}, greet = true): Loop => {
		const logger: Logger = {
			...silentLogger,
			error: (_message, fields) => void errors.push(fields?.["error"]),
			with: () => logger,
		};
		const channel = new Loop();
		new NativeConnection(channel, {
			requests: new Requests(new Alone(machine)),
			clock: systemClock,
			logger,
			serverVersion: "test",
			leader: () => 1n,
			limits,
		});
		if (greet) channel.receive(hello);
		return channel;
	};
	const settle = () => new Promise((resolve) => setImmediate(resolve));

	it("answers or ends a connection that sends nonsense, and never fails by it", async function () {
		this.timeout(60_000);
		console.log(`      BARQUE_SEED=${seed}`);
		const random = seededRandom(seed);
		let channel = connect();
		for (let round = 0; round < 8000; round++) {
			if (channel.closed) channel = connect({}, random.int(10) > 0);
			const [number, body] = bodies[random.int(bodies.length)]!;
			const request: unknown[] = [round + 1, number, body, BigInt(random.int(3)), random.int(50), random.int(20)];
			const damaged = random.int(8) === 0 ? request : mutate(request, random);
			let frame: Buffer;
			try {
				frame = pack(damaged);
			} catch {
				continue;
			}
			channel.receive(random.int(5) === 0 ? garble(frame, random) : frame);
			if (round % 100 === 0) await settle();
		}
		channel.close();
		await settle();
		assert.deepEqual(errors, [], "nothing a client sends is an error of ours");
		const calm = connect();
		calm.receive(pack([1, method.put, [key, key]]));
		await settle();
		assert.equal(calm.answers.at(-1)?.[1], status.ok);
		calm.close();
	});

	it("tells its version and limits in the greeting, the older version to who speaks only that", () => {
		for (const [min, max, spoken] of [
			[1, 1, 1],
			[1, 2, 2],
			[2, 2, 2],
			[1, 9, 2],
		] as const) {
			const channel = connect({ maxWatches: 5 }, false);
			channel.receive(pack([min, max, 0n]));
			assert.deepEqual(channel.answers, [[spoken, "", 7n, 1n, 1n, "test", 1, 0, 5]]);
			channel.close();
		}
		const channel = connect({}, false);
		channel.receive(pack([3, 4, 0n]));
		assert.match(String(channel.answers[0]?.[1]), /protocol versions 3 to 4 are not spoken here, only 1 to 2/);
		assert.equal(channel.closed, true);
	});

	it("takes no requests of a client that does not take its answers, and loses none", async () => {
		const channel = connect({ pauseAbove: 1000 });
		channel.backlog = 2000;
		channel.receive(pack([1, method.put, [key, key]]));
		await settle();
		assert.equal(channel.reading, false);
		const { revision } = machine;
		for (let id = 2; id < 10; id++) channel.receive(pack([id, method.put, [key, key]]));
		await settle();
		assert.equal(machine.revision, revision);
		channel.backlog = 0;
		channel.handlers?.onDrain();
		await settle();
		assert.equal(channel.reading, true);
		assert.deepEqual(
			channel.answers.slice(1).map(([id]) => id),
			[1, 2, 3, 4, 5, 6, 7, 8, 9],
		);
		channel.close();
	});
});
