import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { SimDisk } from "../../kit/sim/disk.ts";
import { Incarnations } from "./incarnations.ts";

const identity = { clusterId: 7n, memberId: 1n };
const seed = Number(process.env["BARQUE_SEED"] ?? Math.floor(Math.random() * 2 ** 32));

async function emptyDisk(): Promise<SimDisk> {
	const disk = new SimDisk({ random: seededRandom(seed) });
	await disk.makeDirectory("/data");
	return disk;
}

function open(disk: SimDisk, log?: { term: number; commit: number }, who = identity) {
	const nameOf = (id: bigint) => `m${id}`;
	return Incarnations.open({ disk, directory: "/data", identity: who, random: seededRandom(seed), log, nameOf });
}

const told = { data: 5n, starts: 2, nonce: 6n, begun: true, term: 1 };

describe(`store/member/incarnations; BARQUE_SEED=${seed}`, () => {
	it("keeps its number over starts, and counts them", async () => {
		const disk = await emptyDisk();
		const first = (await open(disk)).standing();
		const second = (await open(disk)).standing();
		assert.deepEqual([first.starts, second.starts, first.data === second.data], [1, 2, true]);
		assert.equal(first.begun, false);
	});

	it("knows a member after a power cut as soon as it has met it", async () => {
		const disk = await emptyDisk();
		const before = await open(disk);
		assert.equal(await before.meet(2n, told), undefined);
		disk.crash();
		const after = await open(disk);
		assert.equal(await after.meet(2n, told), undefined);
		assert.match(
			(await after.meet(2n, { ...told, data: 9n })) ?? "",
			/m2 was known by .* its disk was emptied or replaced/,
		);
		assert.match((await after.meet(2n, { ...told, starts: 1 })) ?? "", /comes with an older copy of it/);
		assert.match((await after.meet(2n, { ...told, nonce: 1n })) ?? "", /comes with an older copy of it/);
		assert.equal(await after.meet(2n, { ...told, starts: 3, nonce: 1n }), undefined);
		assert.match((await after.meet(2n, told)) ?? "", /was known by start 3 .* older copy/);
	});

	it("knows one that only asked no better: the data that the member began with may come later, another asker not", async () => {
		const known = await open(await emptyDisk());
		const asked = { ...told, begun: false };
		assert.equal(await known.meet(2n, asked), undefined);
		assert.match((await known.meet(2n, { ...asked, data: 9n })) ?? "", /its disk was emptied or replaced/);
		assert.equal(await known.meet(2n, { ...told, data: 8n }), undefined);
		assert.match((await known.meet(2n, asked)) ?? "", /its disk was emptied or replaced/);
		assert.match((await known.meet(2n, { ...told, data: 9n })) ?? "", /its disk was emptied or replaced/);
	});

	it("has not met a member whose coming could not be written down, and tries again", async () => {
		const disk = await emptyDisk();
		const known = await open(disk);
		disk.fault = (operation) => (operation === "sync" ? "EIO" : undefined);
		await assert.rejects(known.meet(2n, told), /EIO/);
		disk.fault = undefined;
		assert.equal(await known.meet(2n, { ...told, data: 9n }), undefined);
	});

	it("refuses a directory whose log is gone or older than it was, one of another member, and a damaged file", async () => {
		const disk = await emptyDisk();
		await (await open(disk)).markBegun();
		await assert.rejects(open(disk), /had a log, which is missing/);
		await open(disk, { term: 3, commit: 10 });
		await open(disk, { term: 3, commit: 10 });
		await assert.rejects(open(disk, { term: 2, commit: 10 }), /the log is older than the rest/);
		await assert.rejects(open(disk, { term: 3, commit: 9 }), /the log is older than the rest/);
		await assert.rejects(
			open(disk, { term: 3, commit: 10 }, { clusterId: 7n, memberId: 2n }),
			/this data is of member/,
		);
		disk.flipBit("/data/incarnations", 20, 0);
		await assert.rejects(open(disk, { term: 3, commit: 10 }), /damaged: its checksum is wrong/);
	});

	it("takes a log that was written before there was such a file, and one whose beginning was not noted", async () => {
		const disk = await emptyDisk();
		assert.equal((await open(disk, { term: 1, commit: 1 })).begun, true);
		const other = await emptyDisk();
		await open(other);
		assert.equal((await open(other, { term: 0, commit: 0 })).begun, true);
	});
});
