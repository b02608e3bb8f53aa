/** The engine's contract as a mocha suite that every implementation runs: `engineContract("name", factory)`. */
import assert from "node:assert/strict";
import type { Engine, EngineOp, EngineRange } from "./types.ts";

export interface EngineFixture {
	readonly engine: Engine;
	/** Closes the engine and opens it again on the same content. */
	reopen(): Promise<Engine>;
	/** Frees everything; the engine may be closed already. */
	dispose(): Promise<void>;
}

const b = (text: string) => Buffer.from(text, "latin1");
const put = (key: string, value: string): EngineOp => ({ type: "put", key: b(key), value: b(value) });
const del = (key: string): EngineOp => ({ type: "del", key: b(key) });

async function read(engine: Engine, range: EngineRange = {}): Promise<string[]> {
	const pairs: string[] = [];
	for await (const [key, value] of engine.iterate(range))
		pairs.push(`${key.toString("latin1")}=${value.toString("latin1")}`);
	return pairs;
}

export function engineContract(name: string, create: () => Promise<EngineFixture>): void {
	describe(`engine contract: ${name}`, () => {
		let fixture: EngineFixture;
		let engine: Engine;

		beforeEach(async () => {
			fixture = await create();
			engine = fixture.engine;
		});
		afterEach(() => fixture.dispose());

		it("reads what a batch wrote, and nothing else", async () => {
			assert.equal(engine.getSync(b("a")), undefined);
			await engine.batch([put("a", "1"), put("b", ""), del("c")], { sync: false });
			assert.deepEqual(engine.getSync(b("a")), b("1"));
			assert.deepEqual(engine.getSync(b("b")), b(""));
			assert.equal(engine.getSync(b("c")), undefined);
			await engine.batch([del("a"), put("c", "3")], { sync: true });
			assert.equal(engine.getSync(b("a")), undefined);
			assert.deepEqual(await read(engine), ["b=", "c=3"]);
		});

		it("takes the last of several operations on one key in a batch", async () => {
			await engine.batch([put("a", "1"), del("a"), put("a", "2"), put("b", "1"), del("b")], { sync: false });
			assert.deepEqual(await read(engine), ["a=2"]);
		});

		it("orders keys by unsigned bytes, a prefix first", async () => {
			const keys = ["\x00", "\x00\x00", "a", "a\x00", "aa", "b", "\x7f", "\x80", "\xff", "\xff\x00"];
			await engine.batch(
				[...keys].reverse().map((key) => put(key, "")),
				{ sync: false },
			);
			assert.deepEqual(
				await read(engine),
				keys.map((key) => `${key}=`),
			);
		});

		it("iterates ranges, backwards and with a limit", async () => {
			await engine.batch(
				["a", "b", "c", "d"].map((key) => put(key, "")),
				{ sync: false },
			);
			assert.deepEqual(await read(engine, { gte: b("b") }), ["b=", "c=", "d="]);
			assert.deepEqual(await read(engine, { lt: b("c") }), ["a=", "b="]);
			assert.deepEqual(await read(engine, { gte: b("b"), lt: b("d") }), ["b=", "c="]);
			assert.deepEqual(await read(engine, { gte: b("b"), lt: b("d"), reverse: true }), ["c=", "b="]);
			assert.deepEqual(await read(engine, { limit: 2 }), ["a=", "b="]);
			assert.deepEqual(await read(engine, { limit: 2, reverse: true }), ["d=", "c="]);
			assert.deepEqual(await read(engine, { gte: b("x"), lt: b("b") }), []);
		});

		it("iterates a snapshot taken at the call, not at the first read", async () => {
			await engine.batch([put("a", "1"), put("b", "1")], { sync: false });
			const before = engine.iterate({});
			await engine.batch([put("a", "2"), del("b"), put("c", "2")], { sync: false });
			const pairs: string[] = [];
			for await (const [key, value] of before) pairs.push(`${key.toString("latin1")}=${value.toString("latin1")}`);
			assert.deepEqual(pairs, ["a=1", "b=1"]);
			assert.deepEqual(await read(engine), ["a=2", "c=2"]);
		});

		it("lets a reader leave an iteration early", async () => {
			await engine.batch([put("a", "1"), put("b", "1")], { sync: false });
			for await (const [key] of engine.iterate({})) {
				assert.deepEqual(key, b("a"));
				break;
			}
			assert.deepEqual(await read(engine), ["a=1", "b=1"]);
		});

		it("runs calls in the order they were made", async () => {
			const calls: Promise<void>[] = [];
			// So many, for two that overtake each other do so seldom.
			for (let i = 0; i < 2000; i++) {
				calls.push(engine.batch([put("k", String(i)), put(`k${i}`, "")], { sync: i % 500 === 0 }));
			}
			const seen: number[] = [];
			for (const call of calls) {
				await call;
				seen.push(Number(engine.getSync(b("k"))?.toString()));
			}
			assert.deepEqual(
				seen,
				seen.toSorted((x, y) => x - y),
			);
			assert.equal(seen.at(-1), 1999);
		});

		it("clears a half-open range", async () => {
			await engine.batch(
				["a", "b", "c", "d"].map((key) => put(key, "")),
				{ sync: false },
			);
			await engine.clear({ gte: b("b"), lt: b("d") });
			assert.deepEqual(await read(engine), ["a=", "d="]);
		});

		it("keeps everything over a clean stop", async () => {
			await engine.batch([put("a", "1")], { sync: true });
			await engine.batch([put("b", "2"), del("a")], { sync: false });
			engine = await fixture.reopen();
			assert.deepEqual(await read(engine), ["b=2"]);
		});

		it("holds a mebibyte in a value", async () => {
			const value = Buffer.alloc(2 ** 20, 7);
			await engine.batch([{ type: "put", key: b("big"), value }], { sync: false });
			assert.deepEqual(engine.getSync(b("big")), value);
		});
	});
}
