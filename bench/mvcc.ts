/**
 * How much CPU the state machine itself costs: entries applied in batches, as a member does, without consensus, network or
 * fsync of a log. `node bench/mvcc.ts [--entries N] [--keys N] [--value BYTES] [--batch N] [--engine level|memory]
 * [--watchers N] [--session]`; add `--cpu-prof` before the file for a profile.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemRandom } from "../kit/random.ts";
import { openLevelEngine } from "../store/engine/level.ts";
import { MemoryEngine } from "../store/engine/memory.ts";
import { encodeCommand } from "../store/machine/codec.ts";
import { type Machine, openMachine } from "../store/machine/machine.ts";
import type { Command } from "../store/machine/types.ts";
import type { Entry } from "../store/raft/types.ts";

const { values: flags } = parseArgs({
	options: {
		entries: { type: "string", default: "300000" },
		keys: { type: "string", default: "100000" },
		value: { type: "string", default: "256" },
		batch: { type: "string", default: "100" },
		engine: { type: "string", default: "level" },
		watchers: { type: "string", default: "1" },
		session: { type: "boolean", default: false },
	},
});
const entries = Number(flags.entries);
const keys = Number(flags.keys);
const batchSize = Number(flags.batch);
const value = systemRandom.bytes(Number(flags.value));
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const maxPending = 16 * 2 ** 20;
/** Entries encoded ahead of the clock: few, so that the garbage collector does not measure them. */
const windowEntries = 10_000;

const keyOf = (i: number) => Buffer.from(`/registry/pods/default/pod-${String(i).padStart(8, "0")}`);

let index = 0;
function entry(command: Command): Entry {
	index++;
	const session = flags.session && command.kind !== "session_open" ? 1n : 0n;
	const header = {
		session,
		sequence: index,
		acknowledged: Math.max(0, index - 200),
		time: index,
		requestId: BigInt(index),
	};
	return { index, term: 1, kind: "normal", data: encodeCommand(header, command) };
}

/** Applies `count` commands; prints wall time and CPU per entry. */
async function run(name: string, machine: Machine, count: number, make: (i: number) => Command): Promise<void> {
	const spent = { wall: 0, own: 0, all: 0 };
	for (let at = 0; at < count; at += windowEntries) {
		const encoded: Entry[][] = [];
		const end = Math.min(count, at + windowEntries);
		for (let i = at; i < end; i += batchSize) {
			encoded.push(Array.from({ length: Math.min(batchSize, end - i) }, (_, k) => entry(make(i + k))));
		}
		const began = performance.now();
		const own = process.threadCpuUsage();
		const all = process.cpuUsage();
		for (const batch of encoded) {
			machine.apply(batch, () => undefined);
			await turn();
			while (machine.pendingBytes > maxPending) await turn();
		}
		if (end === count) await machine.sync();
		spent.wall += performance.now() - began;
		const used = process.threadCpuUsage(own);
		spent.own += used.user + used.system;
		const usedAll = process.cpuUsage(all);
		spent.all += usedAll.user + usedAll.system;
	}
	console.log(
		`${name.padEnd(22)} ${String(Math.round((count / spent.wall) * 1000)).padStart(8)}/s  ` +
			`${(spent.own / count).toFixed(2)} µs main thread, ${(spent.all / count).toFixed(2)} µs process, per entry`,
	);
}

function memory(): number {
	globalThis.gc?.();
	return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

const directory = mkdtempSync(join(tmpdir(), "barque-bench-"));
try {
	const open = () => (flags.engine === "level" ? openLevelEngine(join(directory, "db")) : new MemoryEngine());
	let machine = await openMachine(await open(), { turn });
	let events = 0;
	for (let i = 0; i < Number(flags.watchers); i++) {
		machine.watch(
			{ key: Buffer.from("/registry/"), rangeEnd: Buffer.from("/registry0"), prevKv: true },
			{ onBatch: (batch) => (events += batch.events.length), onEnd: () => {} },
		);
	}
	machine.apply([{ ...entry({ kind: "session_open" }), data: sessionOpen() }], () => undefined);
	console.log(`${entries} entries, ${keys} keys, ${value.length} bytes, ${batchSize} a batch, ${flags.engine}`);
	await run("put, new keys", machine, keys, (i) => ({ kind: "put", key: keyOf(i), value }));
	await run("put, random keys", machine, entries, () => ({ kind: "put", key: keyOf(systemRandom.int(keys)), value }));
	await run("compare-and-swap", machine, entries >> 1, () => {
		const key = keyOf(systemRandom.int(keys));
		return {
			kind: "txn",
			compare: [{ key, result: "not_equal", target: "mod", operand: 0 }],
			success: [{ op: "put", key, value }],
			failure: [{ op: "range", key }],
		};
	});
	const gets = 50_000;
	let began = performance.now();
	for (let i = 0; i < gets; i++) machine.range({ key: keyOf(systemRandom.int(keys)) });
	console.log(`get                    ${((performance.now() - began) * 1000) / gets} µs`);
	began = performance.now();
	const listed = machine.range({ key: Buffer.from("/registry/"), rangeEnd: Buffer.from("/registry0"), limit: 10_000 });
	console.log(`list of ${listed.kvs.length}          ${(performance.now() - began).toFixed(1)} ms`);
	began = performance.now();
	machine.apply([entry({ kind: "compact", revision: machine.revision })], () => undefined);
	await machine.compactionDone(machine.revision);
	console.log(`compaction             ${(performance.now() - began).toFixed(0)} ms in the background`);
	began = performance.now();
	const { hash } = await machine.hash(0);
	console.log(`hash                   ${(performance.now() - began).toFixed(0)} ms, ${hash}; ${events} events watched`);
	await machine.close();
	if (flags.engine === "level") {
		const before = memory();
		began = performance.now();
		machine = await openMachine(await open(), { turn });
		const took = performance.now() - began;
		const perKey = (memory() - before) / keys;
		console.log(
			`open                   ${took.toFixed(0)} ms, ${perKey.toFixed(0)} bytes a key (run with --expose-gc)`,
		);
		await machine.close();
	}
} finally {
	rmSync(directory, { recursive: true });
}

function sessionOpen(): Buffer {
	const header = { session: 1n, sequence: 0, acknowledged: 0, time: 1, requestId: 1n };
	return encodeCommand(header, { kind: "session_open" });
}
