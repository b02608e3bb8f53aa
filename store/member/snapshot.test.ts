/** A member that is sent a snapshot, by a leader the test plays. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../kit/clock.ts";
import { silentLogger } from "../../kit/log.ts";
import { systemRandom } from "../../kit/random.ts";
import { MemoryEngine } from "../engine/memory.ts";
import { type Machine, openMachine } from "../machine/machine.ts";
import { Driver } from "../machine/testing/driver.ts";
import { fileSpool } from "../process/file-spool.ts";
import { makeMessage } from "../raft/message.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import type { LogRecord } from "../wal/types.ts";
import { Member } from "./member.ts";
import { initialConf } from "./recovery.ts";
import type { PeerHandlers, SnapshotSpool } from "./types.ts";

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
	for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("store/member: receiving a snapshot", () => {
	const conf = initialConf([1n, 2n, 3n]);
	let directory: string;
	let member: Member;
	let machine: Machine;
	let handlers: PeerHandlers;
	let fatal: Error[];
	let records: LogRecord[];
	let openSpool: () => Promise<SnapshotSpool>;
	let meta: SnapshotMeta;
	let bytes: Buffer;

	before(async () => {
		const source = await Driver.open(new MemoryEngine());
		for (let i = 0; i < 500; i++) source.put(`k${i % 50}`, `value ${i}`.repeat(100));
		const view = source.machine.snapshot();
		const chunks: Buffer[] = [];
		for await (const chunk of view.chunks) chunks.push(chunk);
		bytes = Buffer.concat(chunks);
		meta = { ...view.meta, conf };
		await source.machine.close();
	});

	beforeEach(async () => {
		directory = await mkdtemp(join(tmpdir(), "barque-member-"));
		openSpool = () => fileSpool(join(directory, "incoming.tmp"));
		fatal = [];
		records = [];
		machine = await openMachine(new MemoryEngine());
		member = await Member.open({
			config: {
				id: 1n,
				clusterId: 7n,
				name: "one",
				voters: conf.voters,
				heartbeatMs: 1000,
				electionMs: 10_000,
				preVote: true,
				snapshotCount: 1000,
				catchUpEntries: 1000,
			},
			clock: systemClock,
			random: systemRandom,
			logger: silentLogger,
			log: {
				append: async (record) => void records.push(record),
				release: async () => {},
				close: async () => {},
			},
			recovered: {
				identity: { clusterId: 7n, memberId: 1n },
				hardState: { term: 3, vote: 0n, commit: 0 },
				snapshot: { index: 0, term: 0, conf },
				entries: [],
			},
			machine,
			transport: {
				start: (given) => {
					handlers = given;
				},
				send: () => {},
				forward: () => false,
				refuse: () => {},
				sendSnapshot: async () => {},
				close: async () => {},
			},
			openSpool: () => openSpool(),
			onFatal: (error) => void fatal.push(error),
		});
	});
	afterEach(async () => {
		await member.close();
		await rm(directory, { recursive: true });
	});

	const receive = (stream: Buffer, as: SnapshotMeta = meta) =>
		handlers.onSnapshot(makeMessage("snapshot", 2n, 1n, 5, { snapshot: as }), inPieces(stream, 7000));

	it("installs it, marks it in the log, and leaves no file", async () => {
		await receive(bytes);
		assert.equal(machine.appliedIndex, meta.index);
		assert.equal(machine.range({ key: Buffer.from("k49") }).kvs[0]?.modRevision, machine.revision);
		assert.deepEqual(records.at(-1)?.snapshot ?? records.find((record) => record.snapshot)?.snapshot, meta);
		assert.deepEqual(await readdir(directory), []);
		assert.deepEqual(fatal, []);
	});

	it("refuses a damaged, cut or wrongly announced one, lives on, and takes the next", async () => {
		const flipped = Buffer.from(bytes);
		flipped[bytes.length >> 1]! ^= 1;
		await assert.rejects(receive(flipped), /wrong checksum/);
		await assert.rejects(receive(bytes.subarray(0, -1)), /ends within a frame/);
		await assert.rejects(receive(bytes.subarray(0, 0)), /without its last frame/);
		await assert.rejects(receive(bytes, { ...meta, index: meta.index + 1 }), /announced as/);
		assert.deepEqual(fatal, []);
		assert.equal(machine.appliedIndex, 0);
		assert.deepEqual(await readdir(directory), []);
		await receive(bytes);
		assert.equal(machine.appliedIndex, meta.index);
	});

	it("takes one after there was no room for another", async () => {
		const working = openSpool;
		openSpool = () => Promise.reject(new Error("ENOSPC"));
		await assert.rejects(receive(bytes), /ENOSPC/);
		openSpool = working;
		await receive(bytes);
		assert.equal(machine.appliedIndex, meta.index);
	});
});
