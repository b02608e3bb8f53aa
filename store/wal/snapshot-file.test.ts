import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { SimDisk } from "../../kit/sim/disk.ts";
import type { SnapshotMeta } from "../raft/types.ts";
import {
	listSnapshotFiles,
	maxSnapshotChunkBytes,
	readSnapshotFile,
	removeSnapshotFiles,
	snapshotPath,
	writeSnapshotFile,
} from "./snapshot-file.ts";
import { LogCorruptError } from "./types.ts";

const directory = "/snap";
const meta: SnapshotMeta = {
	index: 77,
	term: 5,
	conf: { voters: [1n, 2n], votersOutgoing: [3n], learners: [], learnersNext: [4n], autoLeave: true },
};

async function* stream(...chunks: Buffer[]): AsyncGenerator<Buffer> {
	yield* chunks;
}

async function readAll(disk: SimDisk, path: string): Promise<{ meta: SnapshotMeta; bytes: Buffer[] }> {
	const file = await readSnapshotFile(disk, path);
	const bytes: Buffer[] = [];
	for await (const chunk of file.chunks) bytes.push(chunk);
	return { meta: file.meta, bytes };
}

async function makeDisk(random = seededRandom(1), clock?: VirtualClock): Promise<SimDisk> {
	const disk = new SimDisk({ random, clock, latency: clock === undefined ? undefined : () => 1 });
	const made = disk.makeDirectory(directory);
	await clock?.runFor(5);
	await made;
	return disk;
}

describe("store/wal/snapshot-file", () => {
	it("gives the stream back, chunk by chunk", async () => {
		const disk = await makeDisk();
		const chunks = [Buffer.from("one"), seededRandom(2).bytes(100_000), Buffer.from("three")];
		const path = await writeSnapshotFile(disk, directory, meta, stream(...chunks));
		assert.equal(path, snapshotPath(directory, meta));
		assert.deepEqual(await readAll(disk, path), { meta, bytes: chunks });
		const older = await writeSnapshotFile(disk, directory, { ...meta, index: 9 }, stream());
		assert.deepEqual(await readAll(disk, older), { meta: { ...meta, index: 9 }, bytes: [] });
		assert.deepEqual(await listSnapshotFiles(disk, directory), [path, older]);
		await removeSnapshotFiles(disk, directory, path);
		assert.deepEqual(disk.paths(), [path]);
	});

	it("finds every damaged bit and every cut", async () => {
		const disk = await makeDisk();
		const path = await writeSnapshotFile(disk, directory, meta, stream(Buffer.from("some"), Buffer.from("state")));
		const whole = disk.contents(path);
		const refused = async (bytes: Buffer, what: string) => {
			disk.replace(path, bytes);
			const named = (error: Error) => error instanceof LogCorruptError && error.message.startsWith(`${path}: offset `);
			await assert.rejects(readAll(disk, path), named, what);
		};
		for (let bit = 0; bit < whole.length * 8; bit++) {
			const bytes = Buffer.from(whole);
			bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7));
			await refused(bytes, `bit ${bit}`);
		}
		for (let length = 0; length < whole.length; length++) await refused(whole.subarray(0, length), `length ${length}`);
	});

	it("leaves nothing of a stream that breaks or is too large", async () => {
		const disk = await makeDisk();
		async function* breaking(): AsyncGenerator<Buffer> {
			yield Buffer.from("begun");
			throw new Error("connection lost");
		}
		await assert.rejects(writeSnapshotFile(disk, directory, meta, breaking()), /connection lost/);
		const large = stream(Buffer.alloc(maxSnapshotChunkBytes + 1));
		await assert.rejects(writeSnapshotFile(disk, directory, meta, large), /above the limit of 16777216/);
		assert.deepEqual(disk.paths(), []);
	});

	it("has a file under its name only whole, whenever the power goes", async () => {
		for (let seed = 1; seed <= 60; seed++) {
			const clock = new VirtualClock();
			const disk = await makeDisk(seededRandom(seed), clock);
			let done = false;
			const chunks = Array.from({ length: 5 }, (_, i) => seededRandom(i).bytes(1500));
			writeSnapshotFile(disk, directory, meta, stream(...chunks)).then(() => (done = true));
			await clock.runFor(seed % 20);
			disk.crash();
			const path = snapshotPath(directory, meta);
			if (!disk.paths().includes(path)) {
				assert.equal(done, false, `seed ${seed}`);
				continue;
			}
			const reading = readAll(disk, path);
			await clock.runFor(100);
			assert.deepEqual((await reading).bytes, chunks, `seed ${seed}`);
		}
	});
});
