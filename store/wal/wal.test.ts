import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { realDisk } from "../../kit/disk-real.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { type DiskOperation, SimDisk } from "../../kit/sim/disk.ts";
import type { Entry, HardState, SnapshotMeta } from "../raft/types.ts";
import { Replay } from "./recover.ts";
import { createThreadWriter } from "./thread-writer.ts";
import { LogCorruptError, type LogRecord, type RecoveredLog } from "./types.ts";
import { createLog, LogFailedError, type LogOptions, logExists, type OpenedLog, openLog } from "./wal.ts";
import { createDiskWriter } from "./writer.ts";

const identity = { clusterId: 0x1122334455667788n, memberId: 0xfedcba9876543210n };
const directory = "/data/wal";
const conf = {
	voters: [1n, 2n, 3n],
	votersOutgoing: [],
	learners: [0xffffffffffffffffn],
	learnersNext: [],
	autoLeave: false,
};

function entry(index: number, term: number, data: string | Buffer = `value ${index} of ${term}`): Entry {
	return { index, term, kind: "normal", data: Buffer.from(data as string) };
}

function record(parts: Partial<LogRecord>): LogRecord {
	return { entries: [], mustSync: true, ...parts };
}

function mark(index: number, term: number): SnapshotMeta {
	return { index, term, conf };
}

async function makeDisk(seed = 1): Promise<SimDisk> {
	const disk = new SimDisk({ random: seededRandom(seed) });
	await disk.makeDirectory("/data");
	return disk;
}

function options(more: LogOptions = {}): LogOptions {
	return { random: seededRandom(7), clock: new VirtualClock(), ...more };
}

const create = (disk: SimDisk, more?: LogOptions) => createLog(disk, directory, identity, options(more));
const open = (disk: SimDisk, more?: LogOptions) => openLog(disk, directory, identity, options(more));

function walFiles(disk: SimDisk): string[] {
	return disk.paths().filter((path) => path.endsWith(".wal"));
}

/** A log file copied to a disk of its own, changed, and opened. */
async function openChanged(files: ReadonlyMap<string, Buffer>): Promise<OpenedLog> {
	const disk = await makeDisk();
	await disk.makeDirectory(directory);
	for (const [path, bytes] of files) disk.replace(path, bytes);
	return open(disk);
}

function filesOf(disk: SimDisk): Map<string, Buffer> {
	return new Map(walFiles(disk).map((path) => [path, disk.contents(path)]));
}

describe("store/wal", () => {
	it("recovers hard state, mark and entries as they were appended", async () => {
		const disk = await makeDisk();
		assert.equal(await logExists(disk, directory), false);
		const { log, recovered } = await create(disk);
		assert.deepEqual(recovered.entries, []);
		const big = seededRandom(3).bytes(300_000);
		const hardState: HardState = { term: 3, vote: 0xfffffffffffffff1n, commit: 2 };
		await log.append(record({ entries: [entry(1, 1, Buffer.alloc(0)), entry(2, 2, big)], hardState }));
		await log.append(record({ entries: [{ ...entry(3, 3), kind: "confchange" }], snapshot: mark(1, 1) }));
		await log.close();
		assert.equal(await logExists(disk, directory), true);
		const again = await open(disk);
		assert.deepEqual(again.recovered, {
			identity,
			hardState,
			snapshot: mark(1, 1),
			entries: [entry(2, 2, big), { ...entry(3, 3), kind: "confchange" }],
			repaired: undefined,
		});
		await again.log.append(record({ entries: [entry(4, 3)] }));
		await again.log.close();
		assert.equal((await open(disk)).recovered.entries.length, 3);
		await assert.rejects(create(disk), /there is a log already/);
	});

	it("honours entries that replace others", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk);
		await log.append(record({ entries: [1, 2, 3, 4, 5].map((i) => entry(i, 1)) }));
		await log.append(record({ entries: [entry(3, 2), entry(4, 2)] }));
		await log.append(record({ entries: [entry(5, 3)] }));
		await log.append(record({ entries: [entry(4, 4)] }));
		await log.close();
		const { entries } = (await open(disk)).recovered;
		assert.deepEqual(
			entries.map(({ index, term }) => [index, term]),
			[
				[1, 1],
				[2, 1],
				[3, 2],
				[4, 4],
			],
		);
	});

	it("voids the log before a received snapshot, and keeps what follows a local mark", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk);
		await log.append(record({ entries: [1, 2, 3, 4, 5].map((i) => entry(i, 1)) }));
		await log.append(record({ snapshot: mark(3, 1) }));
		await log.append(record({ snapshot: mark(5, 2) }));
		await log.append(record({ entries: [entry(6, 2)] }));
		await log.append(record({ snapshot: mark(100, 3), entries: [entry(101, 3)] }));
		await log.close();
		const { recovered } = await open(disk);
		assert.deepEqual(recovered.entries, [entry(101, 3)]);
		assert.deepEqual(recovered.snapshot, mark(100, 3));
		assert.equal(recovered.hardState.commit, 100);
	});

	it("refuses entries that leave a gap", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk);
		await log.append(record({ entries: [entry(1, 1)] }));
		assert.throws(() => log.append(record({ entries: [entry(3, 1)] })), /entry 3 does not follow the last, 1/);
		await log.close();
	});

	it("writes appends that arrive during a sync with the next one", async () => {
		const clock = new VirtualClock();
		let syncs = 0;
		const latency = (operation: DiskOperation) => {
			if (operation === "sync") syncs++;
			return operation === "sync" ? 5 : 0;
		};
		const disk = new SimDisk({ random: seededRandom(1), clock, latency });
		await disk.makeDirectory("/data");
		const creating = createLog(disk, directory, identity, { clock, random: seededRandom(1) });
		await clock.runFor(100);
		const { log } = await creating;
		syncs = 0;
		const order: number[] = [];
		const append = (index: number) => log.append(record({ entries: [entry(index, 1)] })).then(() => order.push(index));
		append(1);
		append(2);
		await clock.runFor(1);
		assert.equal(syncs, 1);
		for (let index = 3; index <= 50; index++) append(index);
		await clock.runFor(4);
		assert.deepEqual(order, [1, 2]);
		await clock.runFor(5);
		assert.equal(order.length, 50);
		assert.deepEqual(
			order,
			order.toSorted((a, b) => a - b),
		);
		assert.equal(syncs, 2);
	});

	it("lets a record that need not be synced wait for one that must, but not for ever", async () => {
		const clock = new VirtualClock();
		const disk = await makeDisk();
		const { log } = await createLog(disk, directory, identity, { clock, random: seededRandom(1), lazyMs: 20 });
		const done: string[] = [];
		const lazy = record({ hardState: { term: 1, vote: 0n, commit: 0 }, mustSync: false });
		log.append(lazy).then(() => done.push("first"));
		await clock.runFor(19);
		assert.equal(done.length, 0);
		await clock.runFor(1);
		assert.equal(done.join(), "first");
		log.append(lazy).then(() => done.push("second"));
		await clock.runFor(1);
		await log.append(record({ entries: [entry(1, 1)] }));
		await clock.settle();
		assert.deepEqual(done, ["first", "second"]);
		log.append(lazy).then(() => done.push("third"));
		await log.close();
		await clock.settle();
		assert.deepEqual(done, ["first", "second", "third"]);
	});

	it("cuts a last record torn at any byte, and goes on from there", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk);
		await log.append(record({ entries: [entry(1, 1)], hardState: { term: 1, vote: 1n, commit: 0 } }));
		await log.close();
		const [path] = walFiles(disk);
		const before = disk.contents(path!).length;
		const second = await open(disk);
		await second.log.append(record({ entries: [entry(2, 1, "x".repeat(700)), entry(3, 1)] }));
		await second.log.close();
		const whole = disk.contents(path!);
		for (let length = before; length < whole.length; length++) {
			const cut = await openChanged(new Map([[path!, whole.subarray(0, length)]]));
			assert.deepEqual(cut.recovered.entries, [entry(1, 1)], `cut at ${length}`);
			if (length > before) {
				assert.deepEqual(cut.recovered.repaired, { file: path, offset: before, bytes: length - before });
			}
			await cut.log.append(record({ entries: [entry(2, 2)] }));
			await cut.log.close();
			const zeroed = Buffer.concat([whole.subarray(0, length), Buffer.alloc(whole.length + 512 - length)]);
			// A crash leaves whole sectors; zeros from elsewhere on are rot unless a sector's share is gone with them.
			if (length % 512 !== 0) continue;
			const torn = await openChanged(new Map([[path!, zeroed]]));
			assert.deepEqual(torn.recovered.entries, [entry(1, 1)], `zeros from ${length}`);
			await torn.log.close();
		}
	});

	it("cuts a last record of which any sector is missing, whatever reached the disk", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk);
		await log.append(record({ entries: [entry(1, 1)] }));
		await log.close();
		const [path] = walFiles(disk);
		const before = disk.contents(path!);
		const second = await open(disk);
		// With sectors of zeros in it that are the record's own.
		const data = Buffer.concat([Buffer.alloc(2000), seededRandom(5).bytes(1500)]);
		await second.log.append(record({ entries: [entry(2, 1, data), entry(3, 1)] }));
		await second.log.close();
		const whole = disk.contents(path!);
		const firstSector = Math.floor(before.length / 512);
		const sectors = Math.ceil(whole.length / 512) - firstSector;
		for (let kept = 0; kept < 1 << sectors; kept++) {
			const bytes = Buffer.alloc(whole.length);
			before.copy(bytes);
			for (let s = 0; s < sectors; s++) {
				const at = (firstSector + s) * 512;
				if (kept & (1 << s)) whole.copy(bytes, at, at, at + 512);
			}
			const opened = await openChanged(new Map([[path!, bytes]]));
			const complete = bytes.equals(whole);
			assert.deepEqual(opened.recovered.entries.length, complete ? 3 : 1, `sectors ${kept.toString(2)}`);
			await opened.log.close();
		}
	});

	it("cuts noise after the log", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk);
		await log.append(record({ entries: [entry(1, 1)] }));
		await log.close();
		const [path] = walFiles(disk);
		const whole = disk.contents(path!);
		for (let seed = 0; seed < 20; seed++) {
			const noise = seededRandom(seed).bytes(1 + seed * 37);
			const opened = await openChanged(new Map([[path!, Buffer.concat([whole, noise])]]));
			assert.deepEqual(opened.recovered.repaired, { file: path, offset: whole.length, bytes: noise.length });
			await opened.log.close();
		}
	});

	it("refuses to start with any single bit flipped, naming file and offset", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk, { segmentBytes: 700 });
		for (let index = 1; index <= 6; index++) {
			await log.append(record({ entries: [entry(index, 1)], hardState: { term: 1, vote: 3n, commit: index - 1 } }));
		}
		await log.close();
		const files = filesOf(disk);
		assert.ok(files.size >= 2);
		let flips = 0;
		for (const [path, bytes] of files) {
			for (let offset = 0; offset < bytes.length; offset++) {
				const changed = Buffer.from(bytes);
				changed[offset] = changed[offset]! ^ (1 << (offset % 8));
				await assert.rejects(openChanged(new Map(files).set(path, changed)), (error: unknown) => {
					assert.ok(error instanceof LogCorruptError, `${path} ${offset}: ${error}`);
					assert.ok(error.message.startsWith(`${path}: offset ${error.offset}: `));
					assert.ok(error.offset <= offset && error.offset > offset - 512, `${offset}: ${error.message}`);
					return true;
				});
				flips++;
			}
		}
		assert.ok(flips > 1000);
	});

	it("refuses a bit set in the room allocated ahead, and takes zeros there", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk);
		await log.append(record({ entries: [entry(1, 1)] }));
		const [path] = walFiles(disk);
		const bytes = disk.contents(path!);
		assert.equal(bytes.length, 256 * 1024);
		const opened = await openChanged(new Map([[path!, Buffer.from(bytes)]]));
		assert.equal(opened.recovered.repaired, undefined);
		await opened.log.close();
		bytes[bytes.length / 2] = 4;
		await assert.rejects(
			openChanged(new Map([[path!, bytes]])),
			/offset 131072: a bit is set after the end of the log/,
		);
		await log.close();
	});

	it("refuses a missing segment, a shortened one before the last, and another member's", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk, { segmentBytes: 1024 });
		for (let index = 1; index <= 20; index++) {
			await log.append(record({ entries: [entry(index, 1)], hardState: { term: 1, vote: 3n, commit: index } }));
		}
		await log.close();
		const files = filesOf(disk);
		const paths = [...files.keys()];
		assert.ok(paths.length >= 4);
		const without = (path: string) => new Map([...files].filter(([name]) => name !== path));
		await assert.rejects(
			openChanged(without(paths[0]!)),
			/entries 1 to \d+ are missing: a segment before this is gone/,
		);
		await assert.rejects(openChanged(without(paths[1]!)), /offset 0: segment 2, the one before this, is missing/);
		for (const cut of [1, 96, 500]) {
			const short = new Map(files).set(paths[1]!, files.get(paths[1]!)!.subarray(0, -cut));
			await assert.rejects(openChanged(short), LogCorruptError);
		}
		const other = { ...identity, memberId: 5n };
		await assert.rejects(
			openLog(disk, directory, other, options()),
			/offset 32: this log is of member fedcba98.*not of member 5/,
		);
		await assert.rejects(openChanged(new Map()), /there is no log in this directory/);
	});

	it("refuses a format it does not know", async () => {
		const disk = await makeDisk();
		await (await create(disk)).log.close();
		const [path] = walFiles(disk);
		const bytes = disk.contents(path!);
		const { crc32c } = await import("../../kit/crc32c.ts");
		bytes.writeUInt32LE(2, 8);
		bytes.writeUInt32LE(0, 12);
		bytes.writeUInt32LE(crc32c(bytes.subarray(0, 64)), 12);
		await assert.rejects(openChanged(new Map([[path!, bytes]])), /offset 8: log format 2 is not known/);
	});

	it("keeps hard state and mark when the segments that held them are released", async () => {
		const disk = await makeDisk();
		const { log } = await create(disk, { segmentBytes: 2048 });
		const hardState = { term: 9, vote: 77n, commit: 3 };
		await log.append(record({ hardState, entries: [1, 2, 3].map((i) => entry(i, 9)) }));
		for (let index = 4; index <= 60; index++) await log.append(record({ entries: [entry(index, 9)] }));
		const all = walFiles(disk).length;
		assert.ok(all > 3);
		await assert.rejects(log.release(50), /above the durable snapshot mark, 0/);
		await log.append(record({ snapshot: mark(50, 9) }));
		for (let index = 61; index <= 100; index++) await log.append(record({ entries: [entry(index, 9)] }));
		await log.release(50);
		const left = walFiles(disk);
		assert.ok(left.length < walFiles(disk).length + all && !left[0]!.includes("0000000000000001-"));
		await log.close();
		const { recovered } = await open(disk);
		assert.deepEqual(recovered.hardState, { ...hardState, commit: 50 });
		assert.deepEqual(recovered.snapshot, mark(50, 9));
		assert.deepEqual(
			recovered.entries.map(({ index }) => index),
			Array.from({ length: 50 }, (_, i) => i + 51),
		);
	});

	for (const [operation, code] of [
		["sync", "EIO"],
		["write", "ENOSPC"],
	] as const) {
		it(`is finished for good after a failed ${operation}`, async () => {
			const disk = await makeDisk();
			const { log } = await create(disk);
			await log.append(record({ entries: [entry(1, 1)] }));
			disk.fault = (at) => (at === operation ? code : undefined);
			const results = await Promise.allSettled([2, 3].map((i) => log.append(record({ entries: [entry(i, 1)] }))));
			for (const result of results) {
				assert.ok(result.status === "rejected" && result.reason instanceof LogFailedError);
				assert.equal((result.reason.cause as NodeJS.ErrnoException).code, code);
			}
			disk.fault = undefined;
			await assert.rejects(log.append(record({ entries: [entry(4, 1)] })), LogFailedError);
			await assert.rejects(log.release(0), LogFailedError);
			await assert.rejects(log.close(), LogFailedError);
			disk.crash();
			assert.deepEqual((await open(disk)).recovered.entries[0], entry(1, 1));
		});
	}

	it("does not build on bytes that a failed sync left in memory only", async () => {
		for (let seed = 1; seed <= 20; seed++) {
			const disk = await makeDisk(seed);
			const { log } = await create(disk);
			await log.append(record({ entries: [entry(1, 1)] }));
			disk.fault = (at) => (at === "sync" ? "EIO" : undefined);
			await assert.rejects(log.append(record({ entries: [entry(2, 1, "x".repeat(1500))] })), LogFailedError);
			disk.fault = undefined;
			// The process is started again; the system still shows it what the medium never got.
			disk.kill();
			const again = await open(disk);
			assert.equal(again.recovered.entries.length, 2);
			await again.log.append(record({ entries: [entry(3, 1)] }));
			disk.crash();
			assert.equal((await open(disk)).recovered.entries.length, 3, `seed ${seed}`);
		}
	});
});

describe("store/wal on a disk that crashes", () => {
	/** Appends at random until the power goes, and compares what is recovered with what was acknowledged. */
	async function runSeed(seed: number): Promise<void> {
		const random = seededRandom(seed);
		const clock = new VirtualClock();
		const disk = new SimDisk({ random, clock, latency: (_, r) => r.float() * (r.int(20) === 0 ? 20 : 1) });
		const withClock = () => ({
			clock,
			random,
			segmentBytes: 3000,
			writer: createDiskWriter(disk, { preallocateBytes: 4096 }),
		});
		let opening: Promise<OpenedLog> | undefined = createLog(disk, directory, identity, withClock());
		let opened: OpenedLog | undefined;
		opening.then((value) => (opened = value));
		await clock.runFor(2000);
		/** Every record in the order of appending; how many are acknowledged. */
		const records: LogRecord[] = [];
		let acknowledged = 0;
		for (let life = 0; life < 6; life++) {
			assert.ok(opened !== undefined, "the log opens");
			const { log } = opened;
			for (let turn = random.int(60); turn > 0; turn--) {
				const next = randomRecord(random, records);
				records.push(next);
				const count = records.length;
				log.append(next).then(() => (acknowledged = Math.max(acknowledged, count)));
				if (random.int(3) === 0) await clock.runFor(random.float() * 3);
				const durable = replayOf(records.slice(0, acknowledged)).mark.index;
				if (random.int(10) === 0) log.release(durable).catch(() => {});
			}
			disk.crash();
			await clock.runFor(100);
			opened = undefined;
			opening = openLog(disk, directory, identity, withClock());
			let failed: unknown;
			opening.then(
				(value) => (opened = value),
				(error) => (failed = error),
			);
			await clock.runFor(2000);
			assert.equal(failed, undefined);
			const survived = matchPrefix(records, acknowledged, opened!.recovered);
			records.length = survived;
			acknowledged = survived;
		}
	}

	function randomRecord(random: ReturnType<typeof seededRandom>, records: readonly LogRecord[]): LogRecord {
		const state = replayOf(records);
		const term = state.hard.term + (random.int(8) === 0 ? 1 : 0);
		const lowest = Math.max(state.mark.index, state.hard.commit) + 1;
		const first = random.int(6) === 0 ? lowest + random.int(state.lastIndex - lowest + 2) : state.lastIndex + 1;
		const size = () => random.int(random.int(5) === 0 ? 2500 : 60);
		const entries = Array.from({ length: random.int(4) }, (_, i) => entry(first + i, term, random.bytes(size())));
		const last = entries.at(-1)?.index ?? state.lastIndex;
		const commit = state.hard.commit + random.int(Math.max(1, Math.min(first, last) - state.hard.commit));
		const at = state.hard.commit;
		const snapshot = random.int(8) === 0 && at > state.mark.index ? mark(at, termAt(state, at)) : undefined;
		const lazy = entries.length === 0 && snapshot === undefined && term === state.hard.term;
		return { entries, hardState: { term, vote: BigInt(random.int(4)), commit }, snapshot, mustSync: !lazy };
	}

	function termAt(state: Replay, index: number): number {
		return state.entries().find((candidate) => candidate.index === index)?.term ?? state.mark.term;
	}

	function replayOf(records: readonly LogRecord[]): Replay {
		const replay = new Replay();
		for (const { snapshot, entries, hardState } of records) {
			if (snapshot !== undefined) replay.snapshot(snapshot);
			for (const each of entries) replay.entry(each, 0);
			if (hardState !== undefined) replay.hardState(hardState);
		}
		return replay;
	}

	/** How many records survived: all acknowledged ones, and perhaps more, in order. */
	function matchPrefix(records: readonly LogRecord[], acknowledged: number, recovered: RecoveredLog): number {
		const whole = [recovered.hardState, recovered.snapshot, recovered.entries];
		for (let count = records.length; count >= acknowledged; count--) {
			const replay = replayOf(records.slice(0, count));
			const commit = Math.max(replay.hard.commit, replay.mark.index);
			const hardState = { ...replay.hard, commit };
			if (isDeepStrictEqual([hardState, replay.mark, replay.entries()], whole)) return count;
		}
		throw new Error(`no prefix of ${acknowledged} to ${records.length} records gives what was recovered`);
	}

	const first = Number(process.env["BARQUE_SEED"] ?? 1);
	const count = process.env["BARQUE_SEED"] === undefined ? 150 : 1;
	it(`loses nothing acknowledged, seeds ${first} to ${first + count - 1}`, async () => {
		for (let seed = first; seed < first + count; seed++) {
			try {
				await runSeed(seed);
			} catch (error) {
				throw new Error(`BARQUE_SEED=${seed}`, { cause: error });
			}
		}
	}).timeout(60_000);
});

describe("store/wal with its thread, on the real disk", () => {
	let root: string;
	before(async () => {
		root = await mkdtemp(join(tmpdir(), "barque-wal-"));
	});
	after(() => rm(root, { recursive: true }));

	it("writes, cuts segments, and recovers", async () => {
		const at = join(root, "wal");
		const { log } = await createLog(realDisk, at, identity, { writer: createThreadWriter(), segmentBytes: 100_000 });
		const random = seededRandom(9);
		const entries = Array.from({ length: 300 }, (_, i) =>
			entry(i + 1, 1, random.bytes(random.int(20) === 0 ? 90_000 : 200)),
		);
		for (let i = 0; i < entries.length; i += 10) {
			await Promise.all(entries.slice(i, i + 10).map((each) => log.append(record({ entries: [each] }))));
		}
		await log.append(record({ snapshot: mark(100, 1) }));
		await log.release(100);
		await log.close();
		const again = await openLog(realDisk, at, identity, { writer: createThreadWriter() });
		assert.deepEqual(again.recovered.entries, entries.slice(100));
		assert.equal(again.recovered.repaired, undefined);
		await again.log.close();
	});

	it("reports a disk that fails, and ends its thread", async () => {
		const at = join(root, "gone", "deeper");
		const writer = createThreadWriter();
		await assert.rejects(writer.open(join(at, "none.wal"), Buffer.alloc(8), 0), { code: "ENOENT" });
		await writer.close();
		await assert.rejects(writer.open(at, Buffer.alloc(8), 0), /thread ended/);
	});
});
