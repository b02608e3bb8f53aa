import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { seededRandom } from "../../kit/random.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { FormatError } from "./bytes.ts";
import { commandHeaderSize, decodeCommand, encodeCommand, requestIdOf } from "./codec.ts";
import { openMachine } from "./machine.ts";
import { bytes } from "./testing/driver.ts";
import { randomCommand } from "./testing/generate.ts";
import { show } from "./testing/show.ts";
import type { CommandHeader } from "./types.ts";

const file = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const header: CommandHeader = { session: 1n, sequence: 2, acknowledged: 1, time: 3, requestId: 4n };
/** Absent options and their zero values mean the same, so decoded forms carry the latter. */
const withoutZeroes = (text: string) =>
	JSON.stringify(JSON.parse(text), (_key, value) =>
		value === false || value === 0 || value === "0n" ? undefined : value,
	);

describe("entry codec", () => {
	it("reads every entry of format 1 ever written", () => {
		const entries = JSON.parse(file("entries-v1.json").toString()) as { data: string; means: object }[];
		assert.equal(entries.length, 13);
		for (const { data, means } of entries) {
			const decoded = decodeCommand(Buffer.from(data, "hex"));
			const got = JSON.parse(withoutZeroes(show(decoded))) as { command: { sortTarget?: string } };
			assert.equal(comparable(got), comparable(JSON.parse(withoutZeroes(JSON.stringify(means)))));
		}
	});

	it("gives back what it was given, byte for byte", () => {
		const random = seededRandom(11);
		for (let i = 0; i < 2000; i++) {
			const command = randomCommand(random, 50);
			const data = encodeCommand(header, command);
			const decoded = decodeCommand(data);
			assert.deepEqual(decoded.header, header);
			assert.equal(comparable(decoded.command), comparable(command));
			assert.deepEqual(encodeCommand(decoded.header, decoded.command), data);
		}
	});

	it("shares the entry's bytes", () => {
		const data = encodeCommand(header, { kind: "put", key: bytes("k"), value: bytes("vvv") });
		const { command } = decodeCommand(data);
		assert.ok(command.kind === "put");
		assert.equal(command.value.buffer, data.buffer);
		assert.equal(requestIdOf(data), 4n);
	});

	it("refuses unknown formats and kinds, and entries that are cut or too long", () => {
		const data = encodeCommand(header, { kind: "delete", key: bytes("key"), rangeEnd: bytes("kez") });
		const changed = (at: number, byte: number) => {
			const copy = Buffer.from(data);
			copy[at] = byte;
			return copy;
		};
		assert.throws(() => decodeCommand(changed(0, 2)), /unknown entry format 2/);
		assert.throws(() => decodeCommand(changed(1, 12)), /unknown command kind 12/);
		assert.throws(() => decodeCommand(changed(1, 0)), FormatError);
		assert.throws(() => decodeCommand(Buffer.concat([data, bytes("x")])), /1 bytes too many/);
		for (let length = 0; length < data.length; length++) {
			assert.throws(() => decodeCommand(data.subarray(0, length)), FormatError);
		}
	});

	it("opens a session with limits of its own by a kind of its own; without any the entry is as it always was", () => {
		const limits = { maxSessions: 1, maxBytes: 2, maxAnswers: 3, maxSessionBytes: 2 ** 40 };
		const data = encodeCommand(header, { kind: "session_open", limits });
		assert.equal(data[1], 11);
		assert.equal(
			data.subarray(commandHeaderSize).toString("hex"),
			"0000000000000001000000000000000200000000000000030000010000000000",
		);
		assert.deepEqual(decodeCommand(data).command, { kind: "session_open", limits });
		const plain = encodeCommand(header, { kind: "session_open", limits: undefined });
		assert.deepEqual([plain[1], plain.length], [8, commandHeaderSize]);
		assert.deepEqual(decodeCommand(plain).command, { kind: "session_open" });
	});

	it("never fails in another way on damaged entries", () => {
		const random = seededRandom(5);
		for (let i = 0; i < 5000; i++) {
			const data = encodeCommand(header, randomCommand(random, 50));
			for (let flips = 1 + random.int(3); flips > 0; flips--) data[random.int(data.length)] = random.int(256);
			try {
				decodeCommand(data);
			} catch (error) {
				assert.ok(error instanceof FormatError, String(error));
			}
		}
	});

	it("refuses numbers that are not integers below 2^53", () => {
		const put = { kind: "put", key: bytes("k"), value: bytes("") } as const;
		for (const sequence of [-1, 1.5, 2 ** 53, Number.NaN]) {
			assert.throws(() => encodeCommand({ ...header, sequence }, put), FormatError);
		}
		assert.throws(() => encodeCommand(header, { kind: "compact", revision: 2 ** 53 }), FormatError);
	});
});

describe("state of format 1", () => {
	const state = JSON.parse(file("state-v1.json").toString()) as {
		index: number;
		term: number;
		hash: object;
		trackedBytes: number;
		whole: object;
		lease: object;
		pairs: [string, string][];
	};
	const check = async (machine: Awaited<ReturnType<typeof openMachine>>) => {
		assert.equal(machine.appliedIndex, state.index);
		assert.deepEqual(await machine.hash(0), state.hash);
		assert.equal(machine.stats.trackedBytes, state.trackedBytes);
		assert.equal(machine.sessionCount, 1);
		assert.deepEqual(JSON.parse(show(machine.range({ key: bytes("\0"), rangeEnd: bytes("\0") }))), state.whole);
		assert.deepEqual(JSON.parse(show(machine.leaseTimeToLive(5n, true))), state.lease);
		const index = machine.appliedIndex + 1;
		const retry = { session: 9n, sequence: 1, acknowledged: 0, time: 1_000_000, requestId: 1n };
		const data = encodeCommand(retry, { kind: "put", key: bytes("s"), value: bytes("") });
		const [applied] = machine.apply([{ index, term: 1, kind: "normal", data }], () => undefined);
		assert.deepEqual(applied?.outcome, { kind: "put", result: {} });
		await machine.close();
	};

	it("opens from the engine's pairs", async () => {
		const engine = new MemoryEngine();
		const ops = state.pairs.map(([key, value]) => ({
			type: "put" as const,
			key: Buffer.from(key, "hex"),
			value: Buffer.from(value, "hex"),
		}));
		await engine.batch(ops, { sync: true });
		await check(await openMachine(engine));
	});

	it("opens from a snapshot's stream", async () => {
		const machine = await openMachine(new MemoryEngine());
		const conf = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
		const stream = async function* () {
			yield file("snapshot-v1.bin");
		};
		await machine.restore({ index: state.index, term: state.term, conf }, stream());
		await check(machine);
	});
});

/** Text without what means "absent" in one form and zero in the other. */
function comparable(value: unknown): string {
	const text = withoutZeroes(show(value));
	return text.replaceAll(',"sortTarget":"key"', "").replaceAll(',"sortOrder":"none"', "");
}
