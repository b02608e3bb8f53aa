/**
 * Faults of links by packet filters in each member's own network namespace, where packets arrive: DROP in INPUT, and a queue
 * in which a program of ours holds them. Rules match the source addresses of members, so that clients are never touched;
 * ARP passes all along, since otherwise a cut of one direction would soon be one of both.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { isIPv4 } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { append } from "../../kit/lists.ts";
import { buildNative, type NativePart } from "./native/build.ts";
import type { Link, Network } from "./network.ts";
import type { Command } from "./place.ts";
import { runTool, type Tools, toolEnvironment } from "./tools.ts";

/** A member as seen by its links. */
export interface LinkEnd {
	readonly name: string;
	/** IPv4, from which its packets come to other members. */
	readonly address: string;
	/**
	 * What runs this command on this machine but in the member's network namespace, and becomes it under the same process
	 * id: `nsenter --net=… PROGRAM …`. undefined: there is no such namespace now; `restore` is called once there is.
	 */
	enter(command: Command): Command | undefined | Promise<Command | undefined>;
}

/** What `LinkRules` runs; `slow` compiles `packetDelay` besides. */
export const linkTools: Tools = { nsenter: "util-linux", iptables: "iptables", "iptables-restore": "iptables" };

export const packetDelay: NativePart = {
	source: "packet-delay.c",
	flags: ["-lnetfilter_queue"],
	packages: ["gcc", "libc6-dev", "libnetfilter-queue-dev"],
};

/** A chain of our own in each table. */
const chain = "BARQUE-CHAOS";
const tables = { filter: "INPUT", mangle: "PREROUTING" } as const;
type Table = keyof typeof tables;

const readyMs = 10_000;
const goneMs = 5_000;
/** Hours of delay are a cut, and the program that holds packets refuses them. */
const delayMaxMs = 3_600_000;

interface Slowness {
	readonly delayMs: number;
	readonly jitterMs: number;
}

/** What is wrong with the packets of one sender. */
interface Harm {
	isCut: boolean;
	/** 0 to 1. */
	loss: number;
	slowness: Slowness;
}

/** Holds packets of one queue. */
interface Holder {
	readonly queue: number;
	readonly child: ChildProcess;
	complaint: string;
}

/** One member's rules: those that should be there, and what is known to be. */
interface Receiver {
	readonly end: LinkEnd;
	/** By sender. */
	readonly harms: Map<string, Harm>;
	/** By what they do to packets: see `slownessKey`. */
	readonly holders: Map<string, Holder>;
	/** Tables that jump to our chain, and those that may do so, since an attempt failed. */
	readonly prepared: Set<Table>;
	readonly attempted: Set<Table>;
	/** Something of ours may be in its namespace. */
	isTouched: boolean;
	/** Of a holder that ended by itself, so that packets were not held. */
	failure: string | undefined;
}

export class LinkRules implements Network {
	readonly #receivers: ReadonlyMap<string, Receiver>;
	/** Strikes come one after another, so that the rules of a member are those of the latest. */
	#turn: Promise<void> = Promise.resolve();
	#compiled: Promise<string> | undefined;

	constructor(ends: readonly LinkEnd[]) {
		for (const { name, address } of ends) {
			if (!isIPv4(address)) throw new RangeError(`address of ${name}: ${JSON.stringify(address)} is not IPv4`);
		}
		this.#receivers = new Map(ends.map((end) => [end.name, receiver(end)]));
	}

	/** Established connections stand still rather than break. */
	async cut(links: readonly Link[]): Promise<void> {
		await this.#strike(links, (harm) => {
			harm.isCut = true;
		});
	}

	async lose(links: readonly Link[], percent: number): Promise<void> {
		if (!(percent >= 0 && percent <= 100)) throw new RangeError(`percent: ${percent} is not between 0 and 100`);
		await this.#strike(links, (harm) => {
			harm.loss = 1 - (1 - harm.loss) * (1 - percent / 100);
		});
	}

	/** Throws MissingToolError where the program that holds packets cannot be compiled. */
	async slow(links: readonly Link[], delayMs: number, jitterMs: number): Promise<void> {
		for (const [name, value] of Object.entries({ delayMs, jitterMs })) {
			if (!(value >= 0 && value <= delayMaxMs)) {
				throw new RangeError(`${name}: ${value} is not between 0 and ${delayMaxMs}`);
			}
		}
		await this.#strike(links, (harm) => {
			const { slowness } = harm;
			harm.slowness = {
				delayMs: Math.min(delayMaxMs, slowness.delayMs + Math.round(delayMs)),
				jitterMs: Math.min(delayMaxMs, slowness.jitterMs + Math.round(jitterMs)),
			};
		});
	}

	heal(): Promise<void> {
		return this.#inTurn(async () => {
			const touched = [...this.#receivers.values()].filter((each) => each.isTouched);
			for (const { harms } of touched) harms.clear();
			await forAll(touched, async (each) => {
				await this.#apply(each);
				each.isTouched = false;
				const { failure } = each;
				each.failure = undefined;
				if (failure !== undefined) throw new Error(failure);
			});
		});
	}

	/** The member has a new network namespace, with nothing of ours: what holds now is put there. */
	restore(name: string): Promise<void> {
		return this.#inTurn(async () => {
			const one = this.#receiver(name);
			await endHolders(one, new Set());
			one.prepared.clear();
			one.attempted.clear();
			if (one.harms.size > 0) await this.#apply(one);
		});
	}

	/** Ends what runs for it, and leaves the rules to vanish with their namespaces. */
	close(): Promise<void> {
		return this.#inTurn(() => forAll([...this.#receivers.values()], (each) => endHolders(each, new Set())));
	}

	async #strike(links: readonly Link[], change: (harm: Harm) => void): Promise<void> {
		for (const name of links.flat()) this.#receiver(name);
		await this.#inTurn(async () => {
			const affected = new Set<Receiver>();
			for (const [from, to] of links) {
				const one = this.#receiver(to);
				const harm = one.harms.get(from) ?? { isCut: false, loss: 0, slowness: { delayMs: 0, jitterMs: 0 } };
				one.harms.set(from, harm);
				change(harm);
				affected.add(one);
			}
			await forAll([...affected], (one) => this.#apply(one));
		});
	}

	async #inTurn(work: () => Promise<void>): Promise<void> {
		const mine = this.#turn.then(work);
		// Whoever asked learns of the failure; the next one's turn comes all the same.
		this.#turn = mine.catch(() => {});
		return mine;
	}

	#receiver(name: string): Receiver {
		const found = this.#receivers.get(name);
		if (found === undefined) throw new Error(`no member ${name}`);
		return found;
	}

	/** Compiled once, however many members need it at the same time. */
	#holderProgram(): Promise<string> {
		this.#compiled ??= buildNative(packetDelay);
		return this.#compiled;
	}

	/** Makes the namespace's rules those that should be there, all at once. */
	async #apply(one: Receiver): Promise<void> {
		const restore = { program: "iptables-restore", args: ["--noflush", "--wait"] };
		const command = await one.end.enter(restore);
		const wanted = new Set([...one.harms.values()].filter(isSlow).map(({ slowness }) => slownessKey(slowness)));
		if (command === undefined) return endHolders(one, new Set());
		one.isTouched = true;
		try {
			for (const key of wanted) await hold(one, key, await this.#holderProgram());
			for (const table of one.attempted) await findOut(one, table);
			const needed = (["filter", "mangle"] as const).filter((table) => isNeeded(one, table));
			for (const table of needed) if (!one.prepared.has(table)) one.attempted.add(table);
			await runTool(command, needed.map((table) => this.#render(one, table)).join(""));
			for (const table of needed) one.prepared.add(table);
			one.attempted.clear();
		} catch (error) {
			// A container that ended meanwhile has taken its rules along.
			if ((await one.end.enter(restore)) !== undefined) throw error;
		}
		await endHolders(one, wanted);
	}

	/** Input of iptables-restore: naming a chain of one's own empties it, or makes it. */
	#render(one: Receiver, table: Table): string {
		const lines = [`*${table}`, `:${chain} - [0:0]`];
		if (!one.prepared.has(table)) lines.push(`-I ${tables[table]} 1 -j ${chain}`);
		for (const [from, harm] of one.harms) {
			const source = `-A ${chain} -s ${this.#receiver(from).end.address}`;
			append(
				lines,
				(table === "filter" ? dropRules(harm) : holdRules(one, harm)).map((rule) => `${source} ${rule}`),
			);
		}
		return `${lines.join("\n")}\nCOMMIT\n`;
	}
}

function receiver(end: LinkEnd): Receiver {
	const state = { harms: new Map(), holders: new Map(), prepared: new Set<Table>(), attempted: new Set<Table>() };
	return { end, ...state, isTouched: false, failure: undefined };
}

function isSlow({ slowness }: Harm): boolean {
	return slowness.delayMs > 0 || slowness.jitterMs > 0;
}

function slownessKey({ delayMs, jitterMs }: Slowness): string {
	return `${delayMs} ${jitterMs}`;
}

/** Not every kernel has every table: only those that are used are touched. */
function isNeeded(one: Receiver, table: Table): boolean {
	if (one.prepared.has(table) || one.attempted.has(table)) return true;
	const harms = [...one.harms.values()];
	return table === "mangle" ? harms.some(isSlow) : harms.some(({ isCut, loss }) => isCut || loss > 0);
}

/** Whether a failed attempt has left a jump to our chain. Where that cannot be found out either, a second one does no harm. */
async function findOut(one: Receiver, table: Table): Promise<void> {
	const args = ["--wait", "--table", table, "--check", tables[table], "--jump", chain];
	const command = await one.end.enter({ program: "iptables", args });
	if (command === undefined) return;
	const isThere = await runTool(command).then(
		() => true,
		() => false,
	);
	if (isThere) one.prepared.add(table);
}

function dropRules({ isCut, loss }: Harm): string[] {
	if (isCut || loss === 1) return ["-j DROP"];
	return loss === 0 ? [] : [`-m statistic --mode random --probability ${loss.toFixed(6)} -j DROP`];
}

/** Where nobody holds packets any more, they pass. */
function holdRules({ holders }: Receiver, harm: Harm): string[] {
	if (!isSlow(harm)) return [];
	return [`-j NFQUEUE --queue-num ${holders.get(slownessKey(harm.slowness))!.queue} --queue-bypass`];
}

/** Something holds packets so from now on. */
async function hold(one: Receiver, key: string, program: string): Promise<void> {
	if (one.holders.has(key)) return;
	const used = new Set([...one.holders.values()].map(({ queue }) => queue));
	let queue = 0;
	while (used.has(queue)) queue++;
	const command = await one.end.enter({ program, args: [String(queue), ...key.split(" ")] });
	if (command === undefined) throw new Error(`${one.end.name} has no network any more`);
	const child = spawn(command.program, command.args, { stdio: "pipe", env: toolEnvironment() });
	const holder: Holder = { queue, child, complaint: "" };
	one.holders.set(key, holder);
	child.stdin.on("error", () => {});
	child.stderr.on("data", (chunk: Buffer) => {
		holder.complaint += chunk.toString("utf8").slice(0, 1000);
	});
	child.once("exit", (code, signal) => {
		if (one.holders.get(key) !== holder) return;
		one.holders.delete(key);
		one.failure = `what held packets to ${one.end.name} ended with ${code ?? signal} ${holder.complaint}`;
	});
	try {
		// It prints one thing only: that the queue is its own.
		const ready = once(child.stdout, "data", { signal: AbortSignal.timeout(readyMs) });
		await Promise.race([ready, endOf(child)]);
	} catch (error) {
		one.holders.delete(key);
		child.kill("SIGKILL");
		throw new Error(`cannot hold packets to ${one.end.name}: ${holder.complaint}`, { cause: error });
	}
}

/** Rejects when it ends. */
async function endOf(child: ChildProcess): Promise<never> {
	const [code, signal] = (await once(child, "close")) as [number | null, string | null];
	throw new Error(`ended with ${code ?? signal}`);
}

/** Those not wanted any more let go of their packets and end. */
async function endHolders(one: Receiver, wanted: ReadonlySet<string>): Promise<void> {
	const ends = [...one.holders].filter(([key]) => !wanted.has(key));
	for (const [key] of ends) one.holders.delete(key);
	await Promise.all(ends.map(([, { child }]) => endHolder(child)));
}

async function endHolder(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const gone = once(child, "exit");
	child.stdin?.end();
	const timer = new AbortController();
	const late = delay(goneMs, true, timer).catch(() => false);
	if (await Promise.race([gone.then(() => false), late])) child.kill("SIGKILL");
	timer.abort();
	await gone;
}

/** Whatever happens to one, the others get their turn; then the first failure is everybody's. */
async function forAll<T>(list: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
	const results = await Promise.allSettled(list.map(work));
	const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
	if (failures.length > 1) throw new AggregateError(failures, failures.map(({ message }) => message).join("; "));
	if (failures[0] !== undefined) throw failures[0];
}
