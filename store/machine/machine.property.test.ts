import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import { StoreError, type WatchBatch, type WatchRequest } from "../api.ts";
import { MemoryEngine } from "../engine/memory.ts";
import type { Entry } from "../raft/types.ts";
import type { WatchCursor } from "../watch/types.ts";
import { decodeCommand, encodeCommand } from "./codec.ts";
import { type Machine, openMachine } from "./machine.ts";
import { randomCommand, randomRange, randomWatch } from "./testing/generate.ts";
import { Model } from "./testing/model.ts";
import { show } from "./testing/show.ts";

const noConf = () => undefined;
const turns = async (count: number) => {
	for (let i = 0; i < count; i++) await Promise.resolve();
};

interface Watching {
	readonly request: WatchRequest;
	readonly start: number;
	readonly cursor: WatchCursor;
	readonly batches: WatchBatch[];
	end: StoreError | undefined;
	paused: boolean;
}

/** Drives a machine and its model through the same log, with crashes, restarts, snapshots and watchers. */
class Run {
	readonly random: Random;
	readonly model = new Model();
	readonly log: Entry[] = [];
	/** What every entry answered, for replays. */
	readonly answers: string[] = [];
	readonly watches: Watching[] = [];
	engine: MemoryEngine;
	machine!: Machine;
	time = 1_000_000;
	term = 1;
	sequence = 0;
	finishing = false;

	constructor(seed: number) {
		this.random = seededRandom(seed);
		this.engine = this.newEngine();
	}

	/** One whose batches take a while, so that reads and crashes meet records not yet written. */
	newEngine(): MemoryEngine {
		const { random } = this;
		return new MemoryEngine(random.int(2) === 0 ? { delay: () => turns(random.int(40)) } : {});
	}

	async open(): Promise<void> {
		// Small limits, so that rare paths are common.
		const gather = this.random.int(2) === 0 ? () => turns(this.random.int(12)) : undefined;
		this.machine = await openMachine(this.engine, {
			cacheBytes: 4000,
			recentBytes: 3000,
			turn: () => turns(3),
			gather,
		});
	}

	append(): Entry {
		const { random } = this;
		if (random.int(40) === 0) this.term++;
		this.time += random.int(30) === 0 ? random.int(20_000) : random.int(700);
		let command = randomCommand(random, this.model.revision);
		let session = 0n;
		let sequence = 0;
		let acknowledged = 0;
		if (random.int(3) === 0) {
			session = BigInt(1 + random.int(2));
			if (random.int(10) === 0) command = { kind: random.int(4) > 0 ? "session_open" : "session_close" };
			// Some are retries: of the same or another command, the answer must be the first one's.
			sequence = random.int(4) === 0 ? Math.max(1, this.sequence - random.int(4)) : ++this.sequence;
			acknowledged = Math.max(0, sequence - 1 - random.int(4));
		}
		const index = this.log.length + 1;
		const header = { session, sequence, acknowledged, time: this.time, requestId: BigInt(index) };
		const entry: Entry = { index, term: this.term, kind: "normal", data: encodeCommand(header, command) };
		this.log.push(entry);
		this.answers.push(show(this.model.apply(header, command, this.term)));
		return entry;
	}

	apply(entries: readonly Entry[]): void {
		for (const applied of this.machine.apply(entries, noConf)) {
			assert.equal(
				show(applied.outcome),
				this.answers[applied.index - 1],
				`entry ${applied.index}: ${this.tell(applied.index)}`,
			);
		}
	}

	tell(index: number): string {
		return show(decodeCommand(this.log[index - 1]!.data));
	}

	read(): void {
		const request = randomRange(this.random, this.model.revision);
		const attempt = (read: () => unknown) => {
			try {
				return show(read());
			} catch (error) {
				if (error instanceof StoreError) return show(error);
				throw error;
			}
		};
		assert.equal(
			attempt(() => this.machine.range(request)),
			attempt(() => this.model.range(request)),
			show(request),
		);
	}

	/** Kills the process: what the engine had not synced may be gone, and the log is replayed from there. */
	async crash(): Promise<void> {
		const durable = this.machine.durableIndex;
		this.dropWatches();
		this.engine = this.engine.crash(this.random);
		await this.open();
		assert.ok(
			this.machine.appliedIndex >= durable,
			`${this.machine.appliedIndex} after a crash, ${durable} was durable`,
		);
		let at = this.machine.appliedIndex;
		while (at < this.log.length) {
			const next = Math.min(this.log.length, at + 1 + this.random.int(6));
			this.apply(this.log.slice(at, next));
			at = next;
			if (this.random.int(3) === 0) await turns(this.random.int(20));
		}
		await this.checkWhole();
	}

	/** A snapshot goes to another machine, which may be behind and have watchers, while this one writes on. */
	async transfer(): Promise<void> {
		const { meta, chunks } = this.machine.snapshot();
		const buffers: Buffer[] = [];
		const more: Entry[] = [];
		for await (const chunk of chunks) {
			buffers.push(...cut(chunk, this.random));
			if (this.random.int(2) === 0) {
				const entry = this.append();
				more.push(entry);
				this.apply([entry]);
			}
		}
		const engine = this.newEngine();
		const other = await openMachine(engine, { cacheBytes: 4000, recentBytes: 3000, turn: () => turns(3) });
		const behind = this.random.int(meta.index + 1);
		other.apply(this.log.slice(0, behind), noConf);
		await other.restore(meta, from(buffers));
		assert.equal(other.appliedIndex, meta.index);
		assert.equal(other.durableIndex, meta.index);
		this.dropWatches();
		await this.machine.close();
		this.machine = other;
		this.engine = engine;
		this.apply(more);
		await this.checkWhole();
	}

	/** Our own machine falls back to an older state and is brought forward by a snapshot; its watchers go on. */
	async catchUpBySnapshot(): Promise<void> {
		const source = await openMachine(new MemoryEngine(), { turn: () => turns(1) });
		source.apply(this.log, noConf);
		const missed = Array.from({ length: this.random.int(20) }, () => this.append());
		source.apply(missed, noConf);
		const { meta, chunks } = source.snapshot();
		await this.machine.restore(meta, chunks);
		await source.close();
		await this.checkWhole();
	}

	async checkWhole(): Promise<void> {
		const { machine, model } = this;
		assert.equal(machine.revision, model.revision);
		assert.equal(machine.compactRevision, model.compactRevision);
		assert.equal(machine.stats.trackedBytes, model.trackedBytes());
		assert.equal(machine.stats.keys, model.at(model.revision).length);
		const low = Math.max(model.compactRevision, 1);
		const revision = low + this.random.int(model.revision - low + 1);
		assert.equal((await machine.hash(revision)).hash, model.hash(revision), `hash at ${revision}`);
		assert.equal((await machine.hash(0)).hash, model.hash(model.revision));
		for (const [id, lease] of model.leases) {
			const found = machine.leaseTimeToLive(id, true);
			assert.equal(found.grantedTtl, lease.ttl);
			assert.equal(found.ttl, Math.max(0, Math.floor((lease.deadline - model.active) / 1000)));
			assert.equal(show(found.keys), show(model.keysOf(id)));
		}
		assert.equal(machine.leases().length, model.leases.size);
		assert.deepEqual(new Set(machine.expiredLeases(machine.time, 100)), new Set(model.expired()));
	}

	/** A hash is of the moment it was asked for, whatever is written and compacted while it is counted. */
	async hashWhileWriting(): Promise<void> {
		const low = Math.max(this.model.compactRevision, 1);
		const revision = low + this.random.int(this.model.revision - low + 1);
		const expected = this.model.hash(revision);
		const counting = this.machine.hash(revision);
		for (let i = this.random.int(12); i >= 0; i--) {
			this.apply([this.append()]);
			await turns(this.random.int(20));
		}
		assert.equal((await counting).hash, expected, `hash at ${revision} while writing`);
	}

	/** After compaction the engine holds exactly the readable records. */
	async checkEngine(): Promise<void> {
		await this.machine.compactionDone(this.model.compactRevision);
		await this.machine.sync();
		let records = 0;
		for await (const [key] of this.engine.iterate({})) if (key[5] === 0x72) records++;
		assert.equal(records, this.model.readable().length);
	}

	watch(): void {
		const { random, model } = this;
		const request = randomWatch(random);
		const start = random.int(3) === 0 ? 0 : random.int(model.revision + 8);
		const batches: WatchBatch[] = [];
		const watching: Watching = {
			request,
			start: start === 0 ? model.revision + 1 : start,
			batches,
			end: undefined,
			paused: false,
			cursor: this.machine.watch(
				{ ...request, startRevision: start },
				{
					onBatch: (batch) => {
						assert.equal(watching.end, undefined);
						assert.equal(watching.paused, false, "a batch while paused");
						batches.push(batch);
						// Consumers may stop from within.
						if (!this.finishing && random.int(30) === 0) this.pause(watching);
					},
					onEnd: (error) => {
						assert.equal(watching.end, undefined);
						watching.end = error;
					},
				},
			),
		};
		this.watches.push(watching);
	}

	pause(watching: Watching): void {
		watching.paused = true;
		watching.cursor.pause();
	}

	resume(watching: Watching): void {
		watching.paused = false;
		watching.cursor.resume();
	}

	/** Every watcher saw what the model says, in order, or was told that it was compacted. */
	async checkWatches(): Promise<void> {
		this.finishing = true;
		for (const watching of this.watches) if (watching.paused) this.resume(watching);
		await turns(20_000);
		for (const watching of this.watches) watching.cursor.requestProgress();
		await turns(200);
		for (const watching of this.watches) this.checkWatch(watching);
	}

	checkWatch(watching: Watching): void {
		const { request, start, batches, end } = watching;
		const seen = batches.flatMap((batch) => batch.events);
		let last = start - 1;
		for (const batch of batches) {
			assert.ok(batch.revision >= last || batch.events.length === 0, "batches go forward");
			for (const event of batch.events) {
				assert.ok(event.kv.modRevision > last && event.kv.modRevision <= batch.revision, "revision split or repeated");
			}
			last = Math.max(last, batch.revision);
		}
		const expected = this.model.events(request, start);
		if (end === undefined) assert.equal(batches.at(-1)?.revision, this.model.revision, "progress covers everything");
		else {
			assert.equal(end.code, "compacted");
			assert.ok(end.compactRevision! > last);
		}
		const due = end === undefined ? expected : expected.slice(0, seen.length);
		assert.equal(seen.length, due.length, show({ request, start, seen, due }));
		for (const [i, event] of seen.entries()) {
			const want = due[i]!;
			// What was before a compacted revision cannot be told any more.
			const compactedAway = event.prevKv === undefined && event.kv.modRevision <= this.model.compactRevision;
			assert.equal(show(event), show(compactedAway ? { type: want.type, kv: want.kv } : want));
		}
	}

	dropWatches(): void {
		for (const watching of this.watches.splice(0)) watching.cursor.cancel();
	}

	async step(): Promise<void> {
		const { random } = this;
		const what = random.int(1000);
		if (what < 12) await this.crash();
		else if (what < 18) await this.transfer();
		else if (what < 22) await this.catchUpBySnapshot();
		else if (what < 30) await this.machine.sync();
		else if (what < 36) await this.checkWhole();
		else if (what < 42) await this.machine.compactionDone(this.model.compactRevision);
		else if (what < 50) await this.hashWhileWriting();
		else if (what < 300) this.read();
		else if (what < 330 && this.watches.length < 12) this.watch();
		else if (what < 345) this.touchWatch();
		else if (what < 450) await turns(random.int(30));
		else this.apply(Array.from({ length: 1 + random.int(5) }, () => this.append()));
	}

	touchWatch(): void {
		if (this.watches.length === 0) return;
		const watching = this.watches[this.random.int(this.watches.length)]!;
		if (watching.end !== undefined) return;
		if (watching.paused) this.resume(watching);
		else if (this.random.int(2) === 0) this.pause(watching);
		else watching.cursor.requestProgress();
	}
}

function cut(chunk: Buffer, random: Random): Buffer[] {
	if (random.int(2) === 0) return [chunk];
	const at = random.int(chunk.length + 1);
	return [chunk.subarray(0, at), chunk.subarray(at)];
}

async function* from(buffers: readonly Buffer[]) {
	yield* buffers;
}

describe("the machine against its model", function () {
	this.timeout(120_000);
	const seeds = process.env["BARQUE_SEED"] === undefined ? undefined : [Number(process.env["BARQUE_SEED"])];
	const first = Math.floor(Math.random() * 2 ** 31);
	for (const seed of seeds ?? Array.from({ length: Number(process.env["BARQUE_SEEDS"] ?? 24) }, (_, i) => first + i)) {
		it(`answers, reads, hashes and events agree; BARQUE_SEED=${seed}`, async () => {
			const run = new Run(seed);
			await run.open();
			try {
				for (let i = 0; i < 500; i++) await run.step();
				await run.checkWhole();
				await run.checkWatches();
				await run.checkEngine();
			} catch (error) {
				throw new Error(`BARQUE_SEED=${seed}`, { cause: error });
			} finally {
				await run.machine.close();
			}
		});
	}
});
