import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import type { StoreError } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import type { Engine } from "../engine/types.ts";
import { FormatError } from "./bytes.ts";
import { openMachine } from "./machine.ts";
import { bytes, Driver } from "./testing/driver.ts";

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
	const parts: Buffer[] = [];
	for await (const chunk of chunks) parts.push(chunk);
	return Buffer.concat(parts);
}

async function* pieces(stream: Buffer, random: Random) {
	for (let at = 0; at < stream.length; ) {
		const end = Math.min(stream.length, at + 1 + random.int(40_000));
		yield stream.subarray(at, end);
		at = end;
	}
}

describe("snapshots", () => {
	const random = seededRandom(3);
	let d: Driver;

	beforeEach(async () => {
		d = await Driver.open(new MemoryEngine());
		d.run({ kind: "session_open" }, { session: 1n });
		d.run({ kind: "lease_grant", id: 5n, ttl: 60 });
		for (let i = 0; i < 1000; i++) d.put(`key ${i % 300}`, "v".repeat(i), { lease: i % 5 === 0 ? 5n : 0n });
		d.del("key 1", "key 2");
		d.run({ kind: "compact", revision: 400 });
	});
	afterEach(() => d.machine.close());

	it("come in chunks of a bounded size, whatever is written meanwhile", async () => {
		const hash = await d.machine.hash(0);
		const { meta, chunks } = d.machine.snapshot();
		const parts: Buffer[] = [];
		for await (const chunk of chunks) {
			parts.push(chunk);
			assert.ok(chunk.length < 300 * 1024);
			d.put("key 5", "newer");
			d.del("key 7", "key 8");
			const { revision } = d.machine;
			d.run({ kind: "compact", revision });
			await d.machine.compactionDone(revision);
		}
		assert.ok(parts.length > 3);
		const other = await openMachine(new MemoryEngine());
		await other.restore(meta, pieces(Buffer.concat(parts), random));
		assert.deepEqual(await other.hash(0), hash);
		assert.equal(other.compactRevision, 400);
		assert.deepEqual(other.range({ key: bytes("key 5"), revision: 500 }).kvs.length, 1);
		await other.close();
	});

	it("leave a whole state behind, the old or the new, when the engine fails in switching to it", async () => {
		for (const arrives of [false, true]) {
			const engine = new MemoryEngine();
			let failing = false;
			const faulty: Engine = {
				getSync: (key) => engine.getSync(key),
				iterate: (range) => engine.iterate(range),
				clear: (range) => engine.clear(range),
				close: () => engine.close(),
				batch: async (ops, options) => {
					if (!failing || !options.sync) return engine.batch(ops, options);
					if (arrives) await engine.batch(ops, options);
					throw new Error("EIO");
				},
			};
			const fatal: unknown[] = [];
			const other = await Driver.open(faulty, { onFatal: (error) => fatal.push(error) });
			other.put("mine", "old");
			await other.machine.sync();
			const { meta, chunks } = d.machine.snapshot();
			failing = true;
			await assert.rejects(other.machine.restore(meta, chunks), /EIO/);
			assert.equal(fatal.length, 1);
			assert.throws(() => other.put("mine", "lost"), /failed before/);
			const after = await openMachine(engine.crash());
			assert.equal(after.appliedIndex, arrives ? meta.index : 1);
			assert.equal(after.range({ key: bytes("mine") }).kvs.length, arrives ? 0 : 1);
			if (arrives) assert.deepEqual(await after.hash(0), await d.machine.hash(0));
			await after.close();
		}
	});

	it("are refused when a byte is wrong, missing or too much; the old state stays", async () => {
		const { meta, chunks } = d.machine.snapshot();
		const stream = await collect(chunks);
		const engine = new MemoryEngine();
		const other = await Driver.open(engine);
		other.put("mine", "1");
		const before = await other.machine.hash(0);
		const refuse = async (damaged: Buffer) => {
			await assert.rejects(other.machine.restore(meta, pieces(damaged, random)), FormatError);
			assert.deepEqual(await other.machine.hash(0), before);
		};
		for (let i = 0; i < 25; i++) {
			const damaged = Buffer.from(stream);
			damaged[random.int(stream.length)]! ^= 1 << random.int(8);
			await refuse(damaged);
			await refuse(stream.subarray(0, random.int(stream.length)));
		}
		await refuse(Buffer.concat([stream, bytes("x")]));
		const frame = 8 + stream.readUInt32BE(0);
		const second = frame + 8 + stream.readUInt32BE(frame);
		await refuse(Buffer.concat([stream.subarray(0, frame), stream.subarray(second)]));
		await refuse(Buffer.concat([stream.subarray(0, second), stream.subarray(frame)]));
		await refuse(stream.subarray(frame));
		other.put("mine", "2");
		assert.equal(other.get("mine")?.version, 2);
		await other.machine.restore(meta, pieces(stream, random));
		assert.deepEqual(await other.machine.hash(0), await d.machine.hash(0));
		await other.machine.close();
	});

	it("say whose they are", async () => {
		const { meta, chunks } = d.machine.snapshot();
		const other = await openMachine(new MemoryEngine());
		await assert.rejects(other.restore({ ...meta, index: meta.index + 1 }, chunks), /announced as/);
		await other.close();
	});

	it("replace the state whole or not at all when the process dies in the middle", async () => {
		const hash = await d.machine.hash(0);
		const { meta, chunks } = d.machine.snapshot();
		const stream = await collect(chunks);
		const outcomes = new Set<string>();
		for (let stop = 0; stop < 14; stop++) {
			let engine = new MemoryEngine({ delay: () => (calls++ === stop ? new Promise(() => {}) : Promise.resolve()) });
			let calls = Number.NEGATIVE_INFINITY;
			const old = await Driver.open(engine);
			old.put("mine", "1");
			await old.machine.sync();
			const before = await old.machine.hash(0);
			calls = 0;
			const done = old.machine.restore(meta, pieces(stream, random)).then(
				() => "done",
				() => "failed",
			);
			await Promise.race([done, new Promise((resolve) => setImmediate(() => setImmediate(resolve)))]);
			calls = Number.NEGATIVE_INFINITY;
			engine = engine.crash(random);
			const after = await openMachine(engine);
			const found = await after.hash(0);
			if (after.appliedIndex === meta.index) assert.deepEqual(found, hash);
			else assert.deepEqual(found, before);
			outcomes.add(after.appliedIndex === meta.index ? "new" : "old");
			const leftovers: string[] = [];
			for await (const [key] of engine.iterate({}))
				if (key[0] === 0x44) leftovers.push(key.subarray(0, 5).toString("hex"));
			assert.equal(new Set(leftovers).size, 1, "one generation only");
			await after.close();
		}
		assert.deepEqual([...outcomes].sort(), ["new", "old"]);
	});

	it("carry watchers over: from their place, or ended as compacted", async () => {
		const { meta, chunks } = d.machine.snapshot();
		const other = await Driver.open(new MemoryEngine());
		const seen: Record<string, string[]> = {};
		const watch = (name: string, startRevision: number) => {
			seen[name] = [];
			other.machine.watch(
				{ key: bytes("key 299"), startRevision },
				{
					onBatch: (batch) => seen[name]!.push(...batch.events.map((event) => `${event.kv.modRevision}`)),
					onEnd: (error: StoreError) => seen[name]!.push(`${error.code} ${error.compactRevision}`),
				},
			);
		};
		watch("live", 0);
		watch("future", 700);
		await other.machine.restore(meta, chunks);
		await new Promise((resolve) => setImmediate(resolve));
		assert.deepEqual(seen, { live: ["compacted 400"], future: ["901"] });
		await other.machine.close();
	});
});
