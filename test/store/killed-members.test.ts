/** All members killed at once in the middle of writes; torn and damaged logs. */
import assert from "node:assert/strict";
import { open, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { StoreProcesses } from "../../cluster/store-processes.ts";
import { type StoreClient, StoreError } from "../../store/api.ts";

const writers = 16;
const keysPerWriter = 8;

/** Puts counters for ever; remembers for each key what was acknowledged last and sent last. */
class Load {
	readonly acknowledged = new Map<string, number>();
	readonly attempted = new Map<string, number>();
	total = 0;
	#stopped = false;
	readonly #done: Promise<unknown>;

	constructor(client: StoreClient) {
		this.#done = Promise.all(Array.from({ length: writers }, (_, i) => this.#write(client, i)));
	}

	async #write(client: StoreClient, writer: number): Promise<void> {
		for (let counter = 0; !this.#stopped; counter++) {
			const key = `w${writer}/${counter % keysPerWriter}`;
			this.attempted.set(key, counter);
			try {
				await client.put({ key: Buffer.from(key), value: Buffer.from(`${counter} ${"x".repeat(200)}`) });
				this.acknowledged.set(key, counter);
				this.total++;
			} catch (error) {
				if (!(error instanceof StoreError)) throw error;
				if (this.#stopped) return;
			}
		}
	}

	async reach(total: number): Promise<void> {
		while (this.total < total) await delay(10);
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await this.#done;
	}
}

async function findLost(client: StoreClient, load: Load): Promise<string[]> {
	const { kvs } = await client.range({ key: Buffer.from("w"), rangeEnd: Buffer.from("x") });
	const seen = new Map(kvs.map((kv) => [kv.key.toString(), Number(kv.value.toString().split(" ", 1)[0])]));
	const problems: string[] = [];
	for (const [key, counter] of load.acknowledged) {
		const found = seen.get(key);
		if (found === undefined || found < counter || found > (load.attempted.get(key) ?? -1)) {
			problems.push(`${key}: acknowledged ${counter}, found ${found}`);
		}
	}
	return problems;
}

describe("chaos: the store's members killed", function () {
	this.timeout(120_000);

	it("keeps every acknowledged write when all members are killed at once, again and again", async () => {
		const store = await StoreProcesses.create(3, ["--snapshot-count=500"]);
		try {
			await store.startAll();
			for (let round = 1; round <= 3; round++) {
				const client = store.connect();
				const load = new Load(client);
				await load.reach(1_500);
				await store.killAll();
				const stopped = load.stop();
				await client.close();
				await stopped;
				await store.startAll();
				const reader = store.connect();
				assert.deepEqual(await findLost(reader, load), [], `round ${round}`);
				await reader.close();
			}
		} finally {
			await store.close();
		}
	});

	async function withStoppedMember(act: (store: StoreProcesses, load: Load) => Promise<void>): Promise<void> {
		const store = await StoreProcesses.create(1);
		try {
			await store.startAll();
			const client = store.connect();
			const load = new Load(client);
			await load.reach(500);
			await load.stop();
			await client.close();
			await store.killAll();
			await act(store, load);
		} finally {
			await store.close();
		}
	}

	it("repairs a torn last record, says so, and loses nothing acknowledged", () =>
		withStoppedMember(async (store, load) => {
			const file = (await store.segments("m1")).at(-1) ?? "";
			// A write that the power cut short: the beginning of a record nobody was told of.
			const bytes = await readFile(file);
			const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
			const torn = Buffer.alloc(100);
			bytes.copy(torn, 0, Math.max(0, used - 300), Math.max(0, used - 300) + 60);
			const handle = await open(file, "r+");
			await handle.write(torn, 0, torn.length, Math.ceil(used / 8) * 8);
			await handle.close();
			assert.equal(await store.start("m1"), "ready", store.output("m1"));
			assert.match(store.output("m1"), /torn|repaired/i);
			const client = store.connect();
			assert.deepEqual(await findLost(client, load), []);
			await client.close();
		}));

	it("starts with the last record cut short, and says that it repaired the log", () =>
		withStoppedMember(async (store) => {
			const file = (await store.segments("m1")).at(-1) ?? "";
			const { size } = await stat(file);
			const bytes = await readFile(file);
			const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
			assert.ok(size >= used);
			await truncate(file, used - 3);
			assert.equal(await store.start("m1"), "ready", store.output("m1"));
			assert.match(store.output("m1"), /torn|repaired/i);
		}));

	it("refuses to start on a bit flipped in the middle of the log, naming file and offset", () =>
		withStoppedMember(async (store) => {
			const [file = ""] = await store.segments("m1");
			const bytes = await readFile(file);
			const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
			const at = Math.floor(used / 2);
			bytes[at] = (bytes[at] ?? 0) ^ 0x10;
			await writeFile(file, bytes);
			const code = await store.start("m1");
			assert.equal(code, 1, store.output("m1"));
			const named = /Error: (\S+\.wal): offset (\d+): /.exec(store.output("m1"));
			assert.equal(named?.[1], file, store.output("m1"));
			assert.ok(Number(named?.[2]) <= at);
			assert.ok(at - Number(named?.[2]) < 64 * 1024);
		}));
});
