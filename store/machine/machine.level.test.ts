/** The machine on LevelDB: what the random runs do on the memory engine, once on the real one. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../kit/random.ts";
import { openLevelEngine } from "../engine/level.ts";
import type { Entry } from "../raft/types.ts";
import { encodeCommand } from "./codec.ts";
import { type Machine, openMachine } from "./machine.ts";
import { randomCommand } from "./testing/generate.ts";
import { Model } from "./testing/model.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("the machine on LevelDB", () => {
	let directory: string;
	before(async () => {
		directory = await mkdtemp(join(tmpdir(), "barque-machine-"));
	});
	after(() => rm(directory, { recursive: true }));

	it("agrees with the model over restarts and a snapshot to another", async () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
		console.log(`    BARQUE_SEED=${seed}`);
		const random = seededRandom(seed);
		const model = new Model();
		const open = async (name: string) => openMachine(await openLevelEngine(join(directory, name)), { turn });
		let index = 0;
		const write = async (machine: Machine, count: number) => {
			for (let i = 0; i < count; i++) {
				const command = randomCommand(random, model.revision);
				const header = { session: 0n, sequence: 0, acknowledged: 0, time: ++index * 100, requestId: 1n };
				const entry: Entry = { index, term: 1, kind: "normal", data: encodeCommand(header, command) };
				model.apply(header, command, 1);
				machine.apply([entry], () => undefined);
				if (i % 20 === 0) await turn();
			}
		};
		const check = async (machine: Machine) => {
			assert.equal(machine.appliedIndex, index);
			assert.equal(machine.stats.trackedBytes, model.trackedBytes());
			assert.equal((await machine.hash(0)).hash, model.hash(model.revision));
		};
		let machine = await open("one");
		for (let round = 0; round < 3; round++) {
			await write(machine, 300);
			await check(machine);
			if (round === 1) assert.equal((await machine.sync()).index, machine.durableIndex);
			await machine.close();
			machine = await open("one");
			await check(machine);
		}
		const other = await open("two");
		const { meta, chunks } = machine.snapshot();
		await other.restore(meta, chunks);
		await write(other, 100);
		await check(other);
		await other.close();
		const again = await open("two");
		await check(again);
		await again.close();
		await machine.close();
	});
});
