/**
 * One simulated run: members of the production store and a few of its clients, in one process, on virtual time.
 * Everything random comes from the seed, so that a seed gives the same transcript, byte for byte, every time.
 *
 * Phase one is the storm: safety is checked all along. Phase two heals a random majority and demands that it serves every
 * client; then the rest is healed, all must agree, and the clients' history is judged.
 */
import { append } from "../../kit/lists.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { WatchEvent } from "../../store/api.ts";
import type { Completion } from "../history.ts";
import type { RunOutcome } from "../run.ts";
import {
	type Account,
	accountedFor,
	leasesKept,
	linearizable,
	realTimeOrder,
	sameAccounts,
	watchesComplete,
	wellFormed,
} from "./checks.ts";
import { SimCluster, type SimNode } from "./cluster.ts";
import { shuffled } from "./faults.ts";
import { History, seen } from "./history.ts";
import { Ledger } from "./ledger.ts";
import { Nemesis } from "./nemesis.ts";
import { SimNetwork } from "./network.ts";
import { drawSwarm, type Reduction, type Swarm } from "./swarm.ts";
import { registers, WorkloadClient } from "./workload.ts";

export interface RunResult {
	readonly seed: number;
	/** Lines, each with its virtual time. */
	readonly transcript: string;
	/** Each `kind: what`. Empty: the run is good. */
	readonly violations: readonly string[];
	/** Virtual ms. */
	readonly took: number;
	readonly swarm: Swarm;
	/** Numbers of the faults that happened, in order. */
	readonly faults: readonly number[];
	readonly faultCounts: ReadonlyMap<string, number>;
	/** Named code paths that were taken, with how often. */
	readonly reached: ReadonlyMap<string, number>;
	/** Operations, faults and leaders in the form of all testers; `finished`: every client was served in the end. */
	readonly outcome: RunOutcome;
}

const allIds = [
	[0x1111_1111_1111_1111n, "n1"],
	[0x2222_2222_2222_2222n, "n2"],
	[0x3333_3333_3333_3333n, "n3"],
	[0x4444_4444_4444_4444n, "n4"],
	[0x5555_5555_5555_5555n, "n5"],
] as const;
/** Once everything is healed, all must be well within this time. */
const livenessMs = 12_000;
/** A good run needs a few thousand events; members in an endless loop would produce them for hours. */
const maxEvents = 200_000;
/** TTL of the clients' leases by the slowest clock, and time for the leader to see that they are over. */
const leaseEndMs = 2000 + 4000;

class Run {
	readonly #seed: number;
	readonly #swarm: Swarm;
	readonly #lines: string[] = [];
	readonly #violations: string[] = [];
	readonly #reached = new Map<string, number>();
	readonly #clock = new VirtualClock();
	readonly #history = new History(() => this.#clock.time);
	#finished = false;
	readonly #ledger: Ledger;
	readonly #network: SimNetwork;
	readonly #cluster: SimCluster;
	readonly #nemesis: Nemesis;
	readonly #clients: readonly WorkloadClient[];

	constructor(seed: number, reduction: Reduction) {
		this.#seed = seed;
		const swarm = drawSwarm(seed, reduction);
		this.#swarm = swarm;
		const clock = this.#clock;
		const note = (line: string) => this.#note(line);
		const violation = (what: string) => this.#violation(what);
		const reached = (path: string) => void this.#reached.set(path, (this.#reached.get(path) ?? 0) + 1);
		this.#lines.push(`seed ${seed} ${JSON.stringify(swarm)}`);
		const ids = new Map<bigint, string>(allIds.slice(0, swarm.members));
		const climate = { loss: swarm.loss, duplicate: swarm.duplicate, slow: 0, slowMs: 0 };
		const network = new SimNetwork(clock, seededRandom(seed * 31 + 1), ids, climate);
		this.#network = network;
		const ledger = new Ledger({ now: () => clock.time, violation, reached });
		this.#ledger = ledger;
		this.#cluster = new SimCluster({
			clock,
			network,
			ledger,
			seed,
			swarm,
			ids,
			note,
			violation,
			reached,
			onMark: (node) => this.#nemesis.onMark(node),
			onInstall: (node) => this.#nemesis.onInstall(node),
			leads: (name, term) => this.#history.leads(name, term),
		});
		const cluster = this.#cluster;
		const clients = Array.from({ length: swarm.clients }, (_, i) => `c${i + 1}`);
		const history = this.#history;
		this.#nemesis = new Nemesis({ clock, network, cluster, ledger, history, seed, swarm, reduction, clients, note });
		const workload = { ...swarm, clock, network, note, reached, history, members: [...ids.values()] };
		this.#clients = clients.map(
			(name, i) =>
				new WorkloadClient(name, {
					...workload,
					onlyReads: i < swarm.readers,
					random: seededRandom(seed * 31 + 3 + i),
				}),
		);
	}

	#note(line: string): void {
		this.#lines.push(`${this.#clock.time.toFixed(3)} ${line}`);
	}

	#violation(what: string): void {
		this.#violations.push(what);
		this.#note(`VIOLATION ${what}`);
	}

	get #bad(): boolean {
		return this.#violations.length > 0;
	}

	async run(): Promise<RunResult> {
		const clock = this.#clock;
		for (const node of this.#cluster.nodes) this.#cluster.boot(node);
		let working = this.#clients.length;
		for (const client of this.#clients) void client.run().then(() => working--);
		void this.#nemesis.run();
		await clock.runUntilTrue(() => this.#bad, this.#swarm.stormMs);
		this.#nemesis.stop();
		for (const client of this.#clients) client.stop();
		if (!this.#bad) await this.#heal(() => working === 0);
		if (!this.#bad) await this.#finish();
		for (const client of this.#clients) void client.close();
		await clock.runFor(1000);
		const took = clock.time;
		for (const node of this.#cluster.nodes) this.#cluster.crash(node, "kill");
		return this.#result(took);
	}

	#result(took: number): RunResult {
		const { operations, events, leaders } = this.#history;
		const count = (type: Completion) => operations.filter((each) => (each.outcome?.type ?? "info") === type).length;
		const counts = { ok: count("ok"), fail: count("fail"), info: count("info") };
		if (this.#ledger.elections > 1) this.#reached.set("leadership changes", this.#ledger.elections - 1);
		if (this.#swarm.theme !== undefined) this.#reached.set(`a run bent on "${this.#swarm.theme}"`, 1);
		this.#note(`end: ${counts.ok} ok, ${counts.fail} failed, ${counts.info} unknown`);
		const violations = this.#violations.map((what) => {
			const [, kind = what, message = ""] = /^([^:]*): (.*)$/s.exec(what) ?? [];
			return { kind, message, witness: [] };
		});
		const faults = this.#nemesis.happened.length;
		return {
			seed: this.#seed,
			transcript: `${this.#lines.join("\n")}\n`,
			violations: this.#violations,
			took,
			swarm: this.#swarm,
			faults: this.#nemesis.happened,
			faultCounts: this.#nemesis.counts,
			reached: this.#reached,
			outcome: { events, violations, counts, faults, leaders, finished: this.#finished },
		};
	}

	async #until(condition: () => boolean, complaint: string): Promise<boolean> {
		const limit = this.#clock.fired + maxEvents;
		const reached = () => this.#bad || condition() || this.#clock.fired > limit;
		if ((await this.#clock.runUntilTrue(reached, livenessMs)) && condition()) return true;
		if (!this.#bad) this.#violation(`liveness: ${complaint}`);
		return false;
	}

	/** Phase two: a majority is healed and the others are cut off; that must be enough for every client. */
	async #heal(workDone: () => boolean): Promise<void> {
		const { nodes } = this.#cluster;
		const drawn = shuffled(nodes, seededRandom(this.#seed * 31 + 53));
		// A member that starts late may have to wait for members that are cut off (`store/member/bootstrap.ts`).
		const order = [...drawn.filter(({ begun }) => begun), ...drawn.filter(({ begun }) => !begun)];
		const majority = order.slice(0, Math.floor(nodes.length / 2) + 1);
		const others = order.slice(majority.length);
		const cuts = others.flatMap((a) =>
			majority.flatMap((b) => [this.#network.cut(a.name, b.name), this.#network.cut(b.name, a.name)]),
		);
		for (const node of majority) this.#nemesis.restore(node);
		this.#note(`healed: ${majority.map((node) => node.name).join(", ")}`);
		const live = await this.#until(workDone, "the clients' last operations were not answered");
		if (live) await this.#readAll("a majority does not answer reads");
		for (const undo of cuts) undo();
		for (const node of others) this.#nemesis.restore(node);
		this.#note("healed: all");
	}

	async #readAll(complaint: string): Promise<boolean> {
		let left = this.#clients.length;
		// Reads may fail while a leader is found: each client asks until it gets its answer.
		const read = async (client: WorkloadClient) => {
			for (;;) {
				const operation = await client.readAll();
				if (operation.outcome?.type === "ok" || this.#bad) break;
			}
			left--;
		};
		for (const client of this.#clients) void read(client);
		return this.#until(() => left === 0, complaint);
	}

	/** Last reads, agreement of the members, and the judgement. */
	async #finish(): Promise<void> {
		if (!(await this.#until(() => this.#agreed(), "the members did not catch up with each other"))) return;
		if (!(await this.#readAll("the last reads were not answered"))) return;
		this.#finished = true;
		if (this.#history.leases.length > 0 && !(await this.#leasesOver())) return;
		if (!(await this.#until(() => this.#agreed(), "the members did not come to rest"))) return;
		const accounts = await this.#lastAccounts();
		if (accounts !== undefined) this.#judge(accounts);
	}

	/** The accounts that all watches have caught up with. A write whose client got no answer may still take effect meanwhile. */
	async #lastAccounts(): Promise<readonly Account[] | undefined> {
		for (let attempt = 0; attempt < 20; attempt++) {
			const accounts = await this.#accounts();
			if (accounts === undefined) return undefined;
			const { revision } = accounts[0]!;
			if (!(await this.#watchesCaughtUp(revision))) return undefined;
			if (this.#cluster.nodes.every(({ machine }) => machine?.revision === revision)) return accounts;
			if (!(await this.#until(() => this.#agreed(), "the members did not come to rest"))) return undefined;
		}
		this.#violation("liveness: writes without an answer keep taking effect");
		return undefined;
	}

	#judge(accounts: readonly Account[]): void {
		const account = accounts[0]!;
		const judgements: readonly (readonly [kind: string, faults: readonly string[]])[] = [
			["history", accounts.flatMap(wellFormed)],
			["equal state", sameAccounts(accounts)],
			["effects", accountedFor(this.#history, account)],
			["real time", realTimeOrder(this.#history)],
			["watch", watchesComplete(this.#history, account)],
			["linearizability", linearizable(this.#history, account, registers)],
			["lease", leasesKept(this.#history, this.#ledger.leaseEnds, 1 + this.#swarm.drift)],
		];
		for (const [kind, faults] of judgements) for (const what of faults) this.#violation(`${kind}: ${what}`);
		this.#note(`revision ${account.revision} hash ${account.hash.toString(16)} base ${account.baseRevision}`);
	}

	/** Nobody renews any more: all leases expire, and their keys go with them. */
	async #leasesOver(): Promise<boolean> {
		const over = () => this.#cluster.nodes.every((node) => node.machine?.leases().length === 0);
		await this.#clock.runUntilTrue(() => this.#bad || over(), leaseEndMs);
		if (over() || this.#bad) return !this.#bad;
		this.#violation("lease: a lease that nobody renews does not expire");
		return false;
	}

	#agreed(): boolean {
		const states = this.#cluster.nodes.map((node) => node.member?.status);
		const [first] = states;
		return (
			first !== undefined &&
			states.every((each) => each?.appliedIndex === first.lastIndex && each.lastIndex === first.lastIndex)
		);
	}

	/** All members' accounts at the same applied index. */
	async #accounts(): Promise<Account[] | undefined> {
		for (let attempt = 0; attempt < 20; attempt++) {
			const before = this.#cluster.nodes.map((node) => node.machine?.appliedIndex);
			const collected = this.#cluster.nodes.map((node) => new AccountCollector(node));
			const done = () => collected.every((each) => each.account !== undefined);
			if (!(await this.#until(done, "a member does not tell its history"))) return undefined;
			const after = this.#cluster.nodes.map((node) => node.machine?.appliedIndex);
			if (before.join() === after.join() && new Set(after).size === 1) return collected.map((each) => each.account!);
			await this.#clock.runFor(50);
		}
		this.#violation("liveness: the members do not come to rest at one index");
		return undefined;
	}

	async #watchesCaughtUp(revision: number): Promise<boolean> {
		const behind = () =>
			this.#history.watches.filter(
				(record) => record.ended === undefined && Math.max(record.coveredTo, record.startRevision - 1) < revision,
			);
		for (let attempt = 0; attempt < 40 && behind().length > 0; attempt++) {
			for (const client of this.#clients) client.askProgress();
			await this.#clock.runFor(100);
		}
		const left = behind();
		if (left.length > 0)
			this.#violation(`liveness: watches do not catch up: ${left.map((each) => each.name).join(", ")}`);
		return left.length === 0;
	}
}

/** Reads a member's whole history through its own watch. */
class AccountCollector {
	account: Account | undefined;

	constructor(node: SimNode) {
		const machine = node.machine!;
		const { compactRevision, revision } = machine;
		const everything = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };
		const base = compactRevision > 0 ? machine.range({ ...everything, revision: compactRevision }).kvs.map(seen) : [];
		const events: WatchEvent[] = [];
		const finish = async () => {
			const { hash } = await machine.hash(revision);
			this.account = { member: node.name, baseRevision: Math.max(0, compactRevision), base, events, revision, hash };
		};
		const cursor = machine.watch(
			{ ...everything, startRevision: Math.max(1, compactRevision + 1) },
			{
				onBatch: (batch) => {
					append(events, batch.events);
					if (batch.revision < revision || this.account !== undefined) return;
					cursor.cancel();
					void finish();
				},
				onEnd: () => {},
			},
		);
		cursor.requestProgress();
	}
}

/** Runs a seed, or a smaller form of it. */
export function runSeed(seed: number, reduction: Reduction = {}): Promise<RunResult> {
	return new Run(seed, reduction).run();
}
