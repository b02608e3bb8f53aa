/**
 * Files of every released format, kept for ever. `BARQUE_WRITE_FIXTURES=1` writes those of the present format anew,
 * which is right only before that format is released.
 */
import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { realDisk } from "../../kit/disk-real.ts";
import { seededRandom } from "../../kit/random.ts";
import type { Entry, SnapshotMeta } from "../raft/types.ts";
import { createLog, openLog } from "./wal.ts";

const fixtures = fileURLToPath(new URL("./fixtures/v1", import.meta.url));
const identity = { clusterId: 0xc0ffee00c0ffee01n, memberId: 0x8000000000000001n };
const logMark: SnapshotMeta = {
	index: 7,
	term: 1,
	conf: {
		voters: [0x8000000000000001n, 2n, 3n],
		votersOutgoing: [2n],
		learners: [4n],
		learnersNext: [5n],
		autoLeave: true,
	},
};
const hardState = { term: 3, vote: 0x8000000000000001n, commit: 11 };

function entry(index: number, term: number): Entry {
	const kind = index % 5 === 0 ? "confchange" : "normal";
	return { index, term, kind, data: Buffer.from("ab".repeat(index * 3)) };
}

/** Several segments, replaced entries, a mark, a released first segment. */
async function writeFixtures(): Promise<void> {
	await rm(fixtures, { recursive: true });
	await realDisk.makeDirectory(fixtures);
	const { log } = await createLog(realDisk, join(fixtures, "wal"), identity, {
		segmentBytes: 1200,
		random: seededRandom(1),
	});
	for (let index = 1; index <= 9; index++) {
		await log.append({
			entries: [entry(index, 1)],
			hardState: { term: 1, vote: 2n, commit: index - 1 },
			mustSync: true,
		});
	}
	await log.append({ entries: [entry(9, 2), entry(10, 2)], snapshot: logMark, mustSync: true });
	for (let index = 10; index <= 14; index++)
		await log.append({ entries: [entry(index, 3)], hardState, mustSync: true });
	await log.release(7);
	await log.close();
}

describe("store/wal/fixtures", () => {
	let copy: string;
	before(async () => {
		if (process.env["BARQUE_WRITE_FIXTURES"] === "1") await writeFixtures();
		copy = await mkdtemp(join(tmpdir(), "barque-fixtures-"));
		await cp(fixtures, copy, { recursive: true });
	});
	after(() => rm(copy, { recursive: true }));

	it("reads a log of format 1, and goes on writing it", async () => {
		const directory = join(copy, "wal");
		const names = await readdir(directory);
		assert.ok(names.length >= 2 && !names[0]!.startsWith("0000000000000001-"));
		const expected = {
			identity,
			hardState,
			snapshot: logMark,
			entries: [entry(8, 1), entry(9, 2), ...[10, 11, 12, 13, 14].map((index) => entry(index, 3))],
			repaired: undefined,
		};
		const { log, recovered } = await openLog(realDisk, directory, identity);
		assert.deepEqual(recovered, expected);
		await log.append({ entries: [entry(15, 3)], mustSync: true });
		await log.close();
		const again = await openLog(realDisk, directory, identity);
		assert.deepEqual(again.recovered.entries, [...expected.entries, entry(15, 3)]);
		await again.log.close();
	});
});
