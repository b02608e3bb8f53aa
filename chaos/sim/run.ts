/**
 * One simulated run: three members of the production store and a few of its clients, in one process, on virtual time.
 * Everything random comes from the seed, so that a seed gives the same transcript, byte for byte, every time.
 */

import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { WatchEvent } from "../../store/api.ts";
import {
	type Account,
	accountedFor,
	linearizable,
	realTimeOrder,
	sameAccounts,
	watchesComplete,
	wellFormed,
} from "./checks.ts";
import { SimCluster, type SimNode } from "./cluster.ts";
import { History, seen } from "./history.ts";
import { Nemesis } from "./nemesis.ts";
import { SimNetwork } from "./network.ts";
import { registers, WorkloadClient } from "./workload.ts";

export interface RunResult {
	readonly seed: number;
	/** Lines, each with its virtual time. */
	readonly transcript: string;
	/** Empty: the run is good. */
	readonly violations: readonly string[];
	readonly operations: { readonly ok: number; readonly failed: number; readonly unknown: number };
	/** Virtual ms. */
	readonly took: number;
}

const ids = new Map([
	[0x1111_1111_1111_1111n, "n1"],
	[0x2222_2222_2222_2222n, "n2"],
	[0x3333_3333_3333_3333n, "n3"],
]);
/** Once everything is healed, all must be well within this time. */
const livenessMs = 12_000;
const stormMs = 2000;
/** A good run needs a few thousand; members that go round in circles would fill hours with them. */
const maxEvents = 100_000;

/** Drawn from the seed; small limits, so that rare paths are common. */
function drawOptions(seed: number) {
	const random = seededRandom(seed);
	const electionMs = 100 + random.int(3) * 50;
	return {
		clients: 2 + random.int(2),
		heartbeatMs: 20,
		electionMs,
		preVote: random.int(4) > 0,
		snapshotCount: 10 + random.int(80),
		catchUpEntries: random.int(40),
		segmentBytes: 2048 << random.int(5),
		compacts: random.int(4) === 0,
		voteCrash: random.int(3) === 0 ? 0.3 : 0,
		pauseMs: random.int(2) === 0 ? 150 : 500,
	};
}

class Run {
	readonly #seed: number;
	readonly #lines: string[] = [];
	readonly #violations: string[] = [];
	readonly #clock = new VirtualClock();
	readonly #history = new History();
	readonly #cluster: SimCluster;
	readonly #nemesis: Nemesis;
	readonly #clients: readonly WorkloadClient[];

	constructor(seed: number) {
		this.#seed = seed;
		const options = drawOptions(seed);
		const clock = this.#clock;
		const note = (line: string) => this.#note(line);
		const violation = (what: string) => this.#violation(what);
		this.#lines.push(`seed ${seed} ${JSON.stringify(options)}`);
		const network = new SimNetwork(clock, seededRandom(seed * 31 + 1), ids);
		this.#cluster = new SimCluster({ ...options, clock, network, seed, ids, note, violation });
		const random = seededRandom(seed * 31 + 2);
		this.#nemesis = new Nemesis({ ...options, clock, network, cluster: this.#cluster, random, note });
		const workload = { clock, network, note, history: this.#history, members: [...ids.values()] };
		this.#clients = Array.from(
			{ length: options.clients },
			(_, i) =>
				new WorkloadClient(`c${i + 1}`, {
					...workload,
					random: seededRandom(seed * 31 + 3 + i),
					requestTimeoutMs: 1500,
					compacts: options.compacts,
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

	async run(): Promise<RunResult> {
		const clock = this.#clock;
		for (const node of this.#cluster.nodes) this.#cluster.boot(node);
		let working = this.#clients.length;
		for (const client of this.#clients) void client.run().then(() => working--);
		void this.#nemesis.run();
		await clock.runUntil(stormMs);
		this.#nemesis.heal();
		for (const client of this.#clients) client.stop();
		const live = await this.#until(() => working === 0, "the clients' last operations were not answered");
		if (live && this.#violations.length === 0) await this.#finish();
		for (const client of this.#clients) void client.close();
		await clock.runFor(1000);
		const took = clock.time;
		for (const node of this.#cluster.nodes) this.#cluster.crash(node, "kill");
		return this.#result(took);
	}

	#result(took: number): RunResult {
		const count = (status: string) => this.#history.operations.filter((each) => each.outcome?.status === status).length;
		const operations = { ok: count("ok"), failed: count("failed"), unknown: count("unknown") };
		this.#note(`end: ${operations.ok} ok, ${operations.failed} failed, ${operations.unknown} unknown`);
		const transcript = `${this.#lines.join("\n")}\n`;
		return { seed: this.#seed, transcript, violations: this.#violations, operations, took };
	}

	async #until(condition: () => boolean, complaint: string): Promise<boolean> {
		const limit = this.#clock.fired + maxEvents;
		const reached = () => condition() || this.#clock.fired > limit;
		if ((await this.#clock.runUntilTrue(reached, livenessMs)) && condition()) return true;
		this.#violation(`liveness: ${complaint}`);
		return false;
	}

	/** Last reads, agreement of the members, and the judgement. */
	async #finish(): Promise<void> {
		let reads = 0;
		for (const client of this.#clients) {
			void client.readAll().then((operation) => {
				if (operation.outcome?.status === "ok") reads++;
			});
		}
		if (!(await this.#until(() => reads === this.#clients.length, "the last reads were not answered"))) return;
		if (!(await this.#until(() => this.#agreed(), "the members did not catch up with each other"))) return;
		const accounts = await this.#accounts();
		if (accounts === undefined || !(await this.#watchesCaughtUp(accounts[0]!.revision))) return;
		for (const account of accounts) for (const what of wellFormed(account)) this.#violation(what);
		for (const what of sameAccounts(accounts)) this.#violation(what);
		const [account] = accounts as [Account];
		const faults = [
			...accountedFor(this.#history, account),
			...realTimeOrder(this.#history),
			...watchesComplete(this.#history, account),
			...linearizable(this.#history, account, registers),
		];
		for (const what of faults) this.#violation(what);
		this.#note(`revision ${account.revision} hash ${account.hash.toString(16)} base ${account.baseRevision}`);
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
					events.push(...batch.events);
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

export function runSeed(seed: number): Promise<RunResult> {
	return new Run(seed).run();
}
