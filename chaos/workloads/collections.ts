/** A set, a counter, a bank and a queue. */
import { checkBank } from "../checkers/bank.ts";
import { checkCounter } from "../checkers/counter.ts";
import { checkQueue, type Dequeue } from "../checkers/queue.ts";
import { checkSet } from "../checkers/set.ts";
import type { Operation } from "../history.ts";
import { found, type Kv, type KvTarget, listPrefix, type Op, TargetError, unchanged } from "./target.ts";
import { type ActorOptions, timed, type Workload } from "./workload.ts";

/** An ok operation of this kind, with the time of its answer. */
function answered(history: readonly Operation[], f: string) {
	return history.flatMap((op) =>
		op.f === f && op.type === "ok" && op.completed !== undefined ? [{ op, ...timed(op), completed: op.completed }] : [],
	);
}

/** Changes one key from what was read to `next`, or fails as a conflict. */
async function swap(target: KvTarget, key: string, next: (before: Kv | undefined) => Op): Promise<void> {
	const { kvs } = await readFirst(() => target.range({ key }));
	const { succeeded } = await target.txn({
		compare: [unchanged(key, kvs[0])],
		success: [next(kvs[0])],
		failure: [],
	});
	if (!succeeded) throw new TargetError("no", "conflict");
}

/** A read before a write: when it fails, nothing was written. */
async function readFirst<T>(read: () => Promise<T>): Promise<T> {
	try {
		return await read();
	} catch (error) {
		if (error instanceof TargetError) throw new TargetError("no", error.message, error);
		throw error;
	}
}

/** Elements of each client in one set, then comes the next: what reads show does not grow with the run. */
const setSize = 100;
const setOf = (element: string) => element.slice(0, element.indexOf("/"));

export const set: Workload<KvTarget> = {
	name: "set",
	summary: "elements added as keys, and reads of all; nothing acknowledged or once seen goes missing",
	rate: 200,
	actor: (target, { random, name }: ActorOptions) => {
		let added = 0;
		return {
			next: () => {
				const key = String(Math.floor(added / setSize));
				return random.int(10) === 0 ? { f: "read", key } : { f: "add", key, value: `${key}/${name}.${++added}` };
			},
			perform: async ({ f, key, value }) => {
				if (f === "add") return void (await target.put(`set/${value as string}`, ""));
				const { kvs } = await listPrefix(target, key === undefined ? "set/" : `set/${key}/`);
				return kvs.map((kv) => kv.key.slice("set/".length));
			},
		};
	},
	finish: { invocation: { f: "read" }, by: "all" },
	check: (history) => {
		const adds = history
			.filter((op) => op.f === "add")
			.map((op) => ({ ...timed(op), element: op.value as string, status: op.type }));
		const reads = answered(history, "read").map(({ op, ...time }) => {
			return { ...time, key: op.key, elements: Map.groupBy(op.result as string[], setOf) };
		});
		const addsOf = Map.groupBy(adds, ({ element }) => setOf(element));
		// The last reads are of all sets.
		const names = new Set([...addsOf.keys(), ...reads.flatMap(({ elements }) => [...elements.keys()])]);
		return [...names].flatMap((name) =>
			checkSet(
				addsOf.get(name) ?? [],
				reads
					.filter(({ key }) => key === undefined || key === name)
					.map(({ elements, ...time }) => ({ ...time, elements: elements.get(name) ?? [] })),
			),
		);
	},
};

export const counter: Workload<KvTarget> = {
	name: "counter",
	summary: "increments by compare-and-swap, and reads that must lie between what was added and what may have been",
	rate: 100,
	actor: (target, { random }) => ({
		next: () => (random.int(3) === 0 ? { f: "read" } : { f: "add", value: 1 + random.int(5) }),
		perform: async ({ f, value }) => {
			if (f === "read") return Number((await target.range({ key: "counter" })).kvs[0]?.value ?? 0);
			const next = (kv: Kv | undefined): Op => {
				return { op: "put", key: "counter", value: String(Number(kv?.value ?? 0) + (value as number)) };
			};
			return swap(target, "counter", next);
		},
	}),
	finish: { invocation: { f: "read" }, by: "first" },
	check: (history) =>
		checkCounter(
			history
				.filter((op) => op.f === "add")
				.map((op) => ({ ...timed(op), delta: op.value as number, status: op.type })),
			answered(history, "read").map(({ op, ...time }) => ({ ...time, value: op.result as number })),
		),
};

const accounts = ["0", "1", "2", "3", "4"];
const total = 100;

interface Transfer {
	readonly from: string;
	readonly to: string;
	readonly amount: number;
}

async function transfer(target: KvTarget, { from, to, amount }: Transfer): Promise<void> {
	const keys = [`bank/${from}`, `bank/${to}`];
	const success = keys.map((key): Op => ({ op: "range", key }));
	const { answers } = await readFirst(() => target.txn({ compare: [], success, failure: [] }));
	const kvs = answers.map(found);
	const [a = 0, b = 0] = kvs.map((kv) => Number(kv?.value));
	if (a < amount) throw new TargetError("no", "not enough money");
	const { succeeded } = await target.txn({
		compare: keys.map((key, i) => unchanged(key, kvs[i])),
		success: [a - amount, b + amount].map((value, i): Op => ({ op: "put", key: keys[i]!, value: String(value) })),
		failure: [],
	});
	if (!succeeded) throw new TargetError("no", "conflict");
}

export const bank: Workload<KvTarget> = {
	name: "bank",
	summary: "money moved between accounts; every read of all shows the same total",
	rate: 150,
	setup: async (target) => {
		const success = accounts.map(
			(name): Op => ({ op: "put", key: `bank/${name}`, value: String(total / accounts.length) }),
		);
		await target.txn({ compare: [], success, failure: [] });
	},
	actor: (target, { random }) => ({
		next: () => {
			if (random.int(2) === 0) return { f: "read" };
			const from = random.int(accounts.length);
			const to = (from + 1 + random.int(accounts.length - 1)) % accounts.length;
			return { f: "transfer", value: { from: accounts[from], to: accounts[to], amount: 1 + random.int(5) } };
		},
		perform: async ({ f, value }) => {
			if (f === "transfer") return transfer(target, value as Transfer);
			const { kvs } = await listPrefix(target, "bank/");
			return Object.fromEntries(kvs.map((kv) => [kv.key.slice("bank/".length), Number(kv.value)]));
		},
	}),
	finish: { invocation: { f: "read" }, by: "all" },
	check: (history) =>
		checkBank(
			accounts,
			total,
			answered(history, "read").map(({ op, ...time }) => ({ ...time, balances: op.result as Record<string, number> })),
		),
};

/** Takes out the oldest; null: there is none. */
async function dequeue(target: KvTarget): Promise<string | null> {
	const { kvs } = await readFirst(() => listPrefix(target, "queue/"));
	const [oldest] = kvs.toSorted((a, b) => a.createRevision - b.createRevision);
	if (oldest === undefined) return null;
	const { succeeded } = await target.txn({
		compare: [unchanged(oldest.key, oldest)],
		success: [{ op: "delete", key: oldest.key }],
		failure: [],
	});
	if (!succeeded) throw new TargetError("no", "conflict");
	return oldest.value;
}

/** Of `drain`: what came out, and how many more may have, unseen. */
interface Drained {
	readonly elements: string[];
	unsure: number;
}

/** One after the other. */
const maxDrainErrors = 50;

/** Takes out until there is nothing left. `drained` keeps what earlier attempts took, which nobody was told of. */
async function drain(target: KvTarget, drained: Drained): Promise<Drained> {
	for (let errors = 0; ; ) {
		try {
			const next = await dequeue(target);
			if (next === null) return drained;
			drained.elements.push(next);
			errors = 0;
		} catch (error) {
			if (!(error instanceof TargetError)) throw error;
			if (error.applied === "unknown") drained.unsure++;
			if (++errors > maxDrainErrors) throw error;
		}
	}
}

function toDequeues(op: Operation): Dequeue[] {
	if (op.type === "fail") return [];
	if (op.type === "info") return [{ ...timed(op), element: undefined, status: "info" }];
	if (op.f === "dequeue") return [{ ...timed(op), element: (op.result as string | null) ?? undefined, status: "ok" }];
	const { elements, unsure } = op.result as Drained;
	const unseen: Dequeue = { ...timed(op), element: undefined, status: "info" };
	return [
		...elements.map((element): Dequeue => ({ ...timed(op), element, status: "ok" })),
		...Array.from({ length: unsure }, () => unseen),
	];
}

export const queue: Workload<KvTarget> = {
	name: "queue",
	summary: "a queue of keys in the order of their creation; everything comes out once, in order",
	rate: 60,
	actor: (target, { random, name }) => {
		let put = 0;
		const drained: Drained = { elements: [], unsure: 0 };
		return {
			next: () => (random.int(2) === 0 ? { f: "dequeue" } : { f: "enqueue", value: `${name}.${++put}` }),
			perform: async ({ f, value }) => {
				if (f === "enqueue") return void (await target.put(`queue/${value as string}`, value as string));
				if (f === "dequeue") return dequeue(target);
				return drain(target, drained);
			},
		};
	},
	finish: { invocation: { f: "drain" }, by: "first" },
	check: (history, finished) =>
		checkQueue(
			history
				.filter((op) => op.f === "enqueue")
				.map((op) => ({ ...timed(op), element: op.value as string, status: op.type })),
			history.filter((op) => op.f !== "enqueue").flatMap(toDequeues),
			finished,
		),
};
