import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { seededRandom } from "../../kit/random.ts";
import { engineContract } from "./contract.ts";
import { openLevelEngine } from "./level.ts";
import { MemoryEngine } from "./memory.ts";

engineContract("memory", async () => {
	let engine = new MemoryEngine();
	return {
		engine,
		async reopen() {
			await engine.close();
			engine = engine.reopen();
			return engine;
		},
		dispose: () => engine.close(),
	};
});

engineContract("level", async () => {
	const directory = await mkdtemp(join(tmpdir(), "barque-engine-"));
	let engine = await openLevelEngine(join(directory, "db"));
	return {
		engine,
		async reopen() {
			await engine.close();
			engine = await openLevelEngine(join(directory, "db"));
			return engine;
		},
		async dispose() {
			await engine.close();
			await rm(directory, { recursive: true });
		},
	};
});

describe("level engine", () => {
	it("syncs every log file LevelDB may still need before a synced batch, and none for others", async () => {
		const directory = await mkdtemp(join(tmpdir(), "barque-engine-"));
		const synced: string[] = [];
		const syncFile = async (path: string) => void synced.push(basename(path));
		const engine = await openLevelEngine(directory, { writeBufferBytes: 1 << 20, syncFile });
		const logs = async () => (await readdir(directory)).filter((name) => name.endsWith(".log"));
		let most = 0;
		for (let i = 0; i < 40; i++) {
			const value = Buffer.alloc(200_000, i);
			await engine.batch([{ type: "put", key: Buffer.from(`k${i}`), value }], { sync: false });
			assert.deepEqual(synced.splice(0), []);
			const before = await logs();
			await engine.batch([{ type: "put", key: Buffer.from("head"), value: Buffer.from(String(i)) }], { sync: true });
			const left = (await logs()).filter((name) => before.includes(name));
			for (const name of left) assert.ok(synced.includes(name), name);
			most = Math.max(most, synced.splice(0).length);
		}
		assert.ok(most >= 1);
		await engine.close();
		await rm(directory, { recursive: true });
	});
});

describe("memory engine at a crash", () => {
	const key = (i: number) => Buffer.from(`k${i}`);
	const write = async (engine: MemoryEngine, i: number, sync: boolean) => {
		const value = Buffer.from(String(i));
		await engine.batch(
			[
				{ type: "put", key: key(i), value },
				{ type: "put", key: Buffer.from("last"), value },
			],
			{ sync },
		);
	};
	const last = (engine: MemoryEngine) => Number(engine.getSync(Buffer.from("last"))?.toString() ?? -1);

	it("goes back to the last synced batch, which covers all before it", async () => {
		const engine = new MemoryEngine();
		for (let i = 0; i < 6; i++) await write(engine, i, i === 3);
		const after = engine.crash();
		assert.equal(last(after), 3);
		assert.deepEqual(after.getSync(key(1)), Buffer.from("1"));
		assert.equal(after.getSync(key(4)), undefined);
		assert.throws(() => engine.getSync(key(1)), /closed/);
		await assert.rejects(write(engine, 7, true), /closed/);
	});

	it("keeps a prefix of unsynced batches drawn from the seed, each whole", async () => {
		const seen = new Set<number>();
		for (let seed = 0; seed < 40; seed++) {
			const engine = new MemoryEngine();
			for (let i = 0; i < 6; i++) await write(engine, i, i === 1);
			const after = engine.crash(seededRandom(seed));
			const survived = last(after);
			assert.ok(survived >= 1 && survived <= 5);
			for (let i = 0; i < 6; i++) assert.equal(after.getSync(key(i)) !== undefined, i <= survived);
			seen.add(survived);
		}
		assert.deepEqual([...seen].sort(), [1, 2, 3, 4, 5]);
	});
});
