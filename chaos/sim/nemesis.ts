/** What goes wrong in a run: crashes, cuts, bad weather, slow and failing disks, clocks that jump. All by the seed. */
import { sleep } from "../../kit/clock.ts";
import type { Random } from "../../kit/random.ts";
import type { VirtualClock } from "../../kit/sim/clock.ts";
import type { CrashKind, SimCluster, SimNode } from "./cluster.ts";
import type { SimNetwork } from "./network.ts";

export interface NemesisOptions {
	readonly clock: VirtualClock;
	readonly network: SimNetwork;
	readonly cluster: SimCluster;
	readonly random: Random;
	readonly note: (line: string) => void;
	/** Probability that a member dies right after it sent a vote. */
	readonly voteCrash: number;
	/** Longest pause between two deeds, ms. */
	readonly pauseMs: number;
}

type Deed = readonly [weight: number, name: string, act: (nemesis: Nemesis) => void];

const deeds: readonly Deed[] = [
	[20, "crash", (n) => n.crashOne("power")],
	[8, "kill", (n) => n.crashOne("kill")],
	[8, "crash the leader", (n) => n.crashLeader()],
	[10, "crash all", (n) => n.crashAll()],
	[6, "crash two", (n) => n.crashSome(2)],
	[14, "isolate", (n) => n.isolate()],
	[8, "cut one way", (n) => n.cutOneWay()],
	[10, "weather", (n) => n.badWeather()],
	[8, "slow disk", (n) => n.slowDisk()],
	[4, "failing disk", (n) => n.failingDisk()],
	[4, "clock", (n) => n.jumpClock()],
	[4, "transfer", (n) => n.transfer()],
];

export class Nemesis {
	readonly #options: NemesisOptions;
	#stopped = false;

	constructor(options: NemesisOptions) {
		this.#options = options;
		const { network, random, voteCrash, clock } = options;
		if (voteCrash === 0) return;
		network.onDatagram = (from, type) => {
			if (type !== "vote_response" || this.#stopped || random.float() >= voteCrash) return;
			const node = this.#named(from);
			clock.after(random.float() * 3, () => this.#crashFor(node, "power", 1 + random.float() * 10));
		};
	}

	async run(): Promise<void> {
		const { clock, random, pauseMs } = this.#options;
		for (;;) {
			await sleep(clock, 20 + random.float() * pauseMs);
			if (this.#stopped) return;
			this.#pick()(this);
		}
	}

	/** No more deeds, and all of them are undone. */
	heal(): void {
		const { network, cluster, note } = this.#options;
		this.#stopped = true;
		network.onDatagram = undefined;
		network.heal();
		for (const node of cluster.nodes) {
			node.stallMs = 0;
			node.disk.fault = undefined;
			cluster.boot(node);
		}
		note("healed");
	}

	#pick(): (nemesis: Nemesis) => void {
		let dice = this.#options.random.int(deeds.reduce((sum, [weight]) => sum + weight, 0));
		for (const [weight, , act] of deeds) {
			if (dice < weight) return act;
			dice -= weight;
		}
		throw new Error("weights do not add up");
	}

	#named(name: string): SimNode {
		return this.#options.cluster.nodes.find((node) => node.name === name)!;
	}

	#any(): SimNode {
		const { cluster, random } = this.#options;
		return cluster.nodes[random.int(cluster.nodes.length)]!;
	}

	#crashFor(node: SimNode, kind: CrashKind, ms: number): void {
		const { cluster, clock } = this.#options;
		if (this.#stopped || !node.up) return;
		cluster.crash(node, kind);
		clock.after(ms, () => cluster.boot(node));
	}

	#downMs(): number {
		const { random } = this.#options;
		return random.int(2) === 0 ? random.float() * 15 : random.float() * 500;
	}

	crashOne(kind: CrashKind): void {
		this.#crashFor(this.#any(), kind, this.#downMs());
	}

	crashLeader(): void {
		const { cluster } = this.#options;
		if (cluster.leader !== undefined) this.#crashFor(cluster.leader, "power", this.#downMs());
	}

	crashSome(count: number): void {
		const spared = this.#any();
		const victims = this.#options.cluster.nodes.filter((node) => count === 3 || node !== spared);
		for (const node of victims) this.#crashFor(node, "power", this.#downMs());
	}

	crashAll(): void {
		this.crashSome(3);
	}

	isolate(): void {
		const { cluster, network, random, note } = this.#options;
		const victim = random.int(2) === 0 ? (cluster.leader ?? this.#any()) : this.#any();
		note(`${victim.name} is isolated`);
		for (const other of cluster.nodes) {
			if (other === victim) continue;
			network.cut(victim.name, other.name);
			network.cut(other.name, victim.name);
		}
		this.#healLater();
	}

	cutOneWay(): void {
		const { network, note } = this.#options;
		const [from, to] = [this.#any(), this.#any()];
		note(`${from.name} is cut from ${to.name}, one way`);
		network.cut(from.name, to.name);
		this.#healLater();
	}

	badWeather(): void {
		const { network, random, note } = this.#options;
		network.weather = {
			loss: random.float() * 0.3,
			duplicate: random.float() * 0.3,
			slow: random.float() * 0.5,
			slowMs: random.float() * 80,
		};
		note(`weather: loss ${network.weather.loss.toFixed(2)}, slow ${network.weather.slow.toFixed(2)}`);
		this.#healLater();
	}

	#healLater(): void {
		const { clock, network, random, note } = this.#options;
		clock.after(50 + random.float() * 500, () => {
			if (this.#stopped) return;
			network.heal();
			note("the network heals");
		});
	}

	slowDisk(): void {
		const { clock, random, note } = this.#options;
		const node = this.#any();
		node.stallMs = random.float() * 150;
		note(`${node.name} has a slow disk, ${node.stallMs.toFixed(1)} ms`);
		clock.after(100 + random.float() * 300, () => {
			node.stallMs = 0;
		});
	}

	/** One operation of the log fails; the member must end itself before it answers anything wrongly. */
	failingDisk(): void {
		const { clock, random, note } = this.#options;
		const node = this.#any();
		if (!node.up) return;
		const [operation, code] = random.int(2) === 0 ? (["sync", "EIO"] as const) : (["write", "ENOSPC"] as const);
		note(`${node.name} has a failing disk: ${code}`);
		node.excused = true;
		node.disk.fault = (at) => (at === operation ? code : undefined);
		clock.after(200 + random.float() * 200, () => {
			node.disk.fault = undefined;
		});
	}

	jumpClock(): void {
		const { random, note } = this.#options;
		const node = this.#any();
		node.wallOffset = Math.round((random.float() - 0.5) * 20_000);
		if (node.view !== undefined) node.view.wallOffset = node.wallOffset;
		note(`${node.name} has a clock off by ${node.wallOffset} ms`);
	}

	transfer(): void {
		const leader = this.#options.cluster.leader;
		this.#options.note(`leadership of ${leader?.name ?? "nobody"} is to move`);
		void leader?.member?.transferLeadership();
	}
}
