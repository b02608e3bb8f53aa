import assert from "node:assert/strict";
import { seededRandom } from "../../../kit/random.ts";
import type { StoreClient } from "../../../store/api.ts";
import { memoryStore } from "../../../store/client/memory.ts";
import { ObjectStorage } from "../../storage/objects.ts";
import { Bitmap } from "./bitmap.ts";
import { parseCidr } from "./cidr.ts";
import { namedShare, RangeAllocator } from "./range.ts";

describe("registry/allocators", () => {
	it("keeps bits as upstream's big integer does", () => {
		const bits = new Bitmap(Buffer.from([0x01, 0x03]));
		assert.deepEqual([...bits.offsets()], [0, 1, 8]);
		bits.set(20);
		bits.clear(8);
		assert.deepEqual(bits.toBuffer(), Buffer.from([0x10, 0x00, 0x03]));
		bits.clear(20);
		assert.deepEqual(bits.toBuffer(), Buffer.from([0x03]));
		assert.equal(bits.free(0, 2), undefined);
		assert.equal(bits.free(1, 4), 2);
	});

	it("counts addresses without the network's own and the broadcast", () => {
		const cidr = parseCidr("10.96.5.0/30");
		assert.equal(cidr.text, "10.96.5.0/30");
		assert.equal(cidr.size, 2);
		assert.equal(cidr.address(0), "10.96.5.1");
		assert.equal(cidr.offset("10.96.5.2"), 1);
		assert.equal(cidr.offset("10.96.5.3"), undefined);
		assert.equal(cidr.offset("10.96.5.0"), undefined);
		assert.equal(parseCidr("192.168.77.3/16").text, "192.168.0.0/16");
		assert.throws(() => parseCidr("10.0.0.0"), /invalid CIDR "10.0.0.0"/);
	});

	it("keeps upstream's share of a range for those who name theirs", () => {
		assert.deepEqual(
			[254, 65_534, 14, 16].map((size) => namedShare(size, 16, 256)),
			[16, 256, 0, 16],
		);
		assert.equal(namedShare(2768, 32, 128), 86);
	});

	describe("shared by replicas", () => {
		let store: StoreClient;
		before(() => {
			store = memoryStore();
		});
		after(() => store.close());
		const allocator = (seed: number, range = "r") =>
			new RangeAllocator({
				storage: new ObjectStorage(
					store,
					() => 0,
					() => {},
				),
				random: seededRandom(seed),
				key: "/registry/ranges/test",
				range,
				size: 64,
				named: 16,
			});

		it("gives each number once until all are taken", async () => {
			const replicas = [allocator(1), allocator(2), allocator(3)];
			const take = (count: number) =>
				Promise.all(Array.from({ length: count }, (_, i) => replicas[i % 3]?.allocateNext(false)));
			const given = await take(48);
			assert.ok(
				given.every((offset) => (offset ?? 0) >= 16),
				"the lowest are for those who name theirs",
			);
			assert.equal(new Set([...given, ...(await take(16))]).size, 64);
			assert.equal(await replicas[0]?.allocateNext(false), undefined);
			assert.equal(await replicas[1]?.allocate(5, false), "taken");
			assert.equal(await replicas[1]?.allocate(64, false), "out_of_range");
			await replicas[2]?.release(5);
			assert.equal(await replicas[0]?.allocate(5, true), "ok");
			assert.equal(await replicas[0]?.allocate(5, false), "ok");
		});

		it("frees what nobody uses only after several passes, and starts anew for another range", async () => {
			const one = allocator(4);
			for (let pass = 0; pass < 3; pass++) await one.repair(new Set([7]));
			assert.equal(await one.allocate(9, true), "taken");
			await one.repair(new Set([7]));
			assert.equal(await one.allocate(9, true), "ok");
			assert.equal(await one.allocate(7, true), "taken");
			assert.equal(await allocator(5, "other").allocate(7, true), "ok");
		});
	});
});
