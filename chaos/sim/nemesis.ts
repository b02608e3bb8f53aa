/**
 * What goes wrong in a run: crashes, pauses, cuts, bad weather, slow, failing and lying disks, clocks that jump. All by
 * the seed; every fault has a number and randomness of its own, so that a run can be repeated with some of them left out.
 *
 * The atlas: data may be damaged or lost for good only where a quorum keeps good copies of all that was acknowledged. So
 * at most a minority of disks is damaged at a time, a damaged member whose log lost something stays down until it is
 * repaired, and a disk is replaced by an empty one only at a moment when all others hold everything.
 */
import { sleep } from "../../kit/clock.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import type { VirtualClock } from "../../kit/sim/clock.ts";
import type { Message } from "../../store/raft/types.ts";
import { type CrashKind, type SimCluster, type SimNode, walDirectory } from "./cluster.ts";
import type { Ledger } from "./ledger.ts";
import type { NodeName, SimNetwork } from "./network.ts";
import type { PlannedKind, Reduction, Swarm, TriggerKind } from "./swarm.ts";

export interface NemesisOptions {
	readonly clock: VirtualClock;
	readonly network: SimNetwork;
	readonly cluster: SimCluster;
	readonly ledger: Ledger;
	readonly seed: number;
	readonly swarm: Swarm;
	readonly reduction: Reduction;
	readonly clients: readonly NodeName[];
	readonly note: (line: string) => void;
}

/** Faults that follow from an event have numbers from here. */
const firstTriggered = 100_000;

export class Nemesis {
	readonly #options: NemesisOptions;
	readonly #planner: Random;
	readonly #triggers: Random;
	readonly #only: ReadonlySet<number> | undefined;
	/** What undoes the faults that last. */
	readonly #undo = new Set<() => void>();
	#number = 0;
	#triggered = firstTriggered;
	#stopped = false;
	/** Numbers of the faults that happened. */
	readonly happened: number[] = [];
	/** How often each kind happened. */
	readonly counts = new Map<string, number>();

	constructor(options: NemesisOptions) {
		this.#options = options;
		this.#planner = seededRandom(options.seed * 31 + 2);
		this.#triggers = seededRandom(options.seed * 31 + 29);
		this.#only = options.reduction.faults === undefined ? undefined : new Set(options.reduction.faults);
		const { network } = options;
		network.onDatagram = (from, message) => this.#onDatagram(from, message);
	}

	async run(): Promise<void> {
		const { clock, swarm } = this.#options;
		const kinds = Object.entries(swarm.faults) as [PlannedKind, number][];
		if (kinds.length === 0) return;
		for (;;) {
			await sleep(clock, 20 + this.#planner.float() * swarm.pauseMs);
			if (this.#stopped) return;
			const kind = pick(kinds, this.#planner);
			const number = ++this.#number;
			const random = seededRandom(this.#planner.int(2 ** 32));
			if (this.#only?.has(number) !== false) this.#execute(number, kind, random);
		}
	}

	/** No more faults; networks and disks are good again, but who is down stays down. */
	stop(): void {
		const { network, cluster, ledger } = this.#options;
		this.#stopped = true;
		cluster.healing = true;
		network.onDatagram = (from, message) => {
			const node = cluster.named(from);
			if (node !== undefined) ledger.sent(node.image, message);
		};
		for (const undo of [...this.#undo]) undo();
		this.#undo.clear();
		network.weather = { loss: 0, duplicate: 0, slow: 0, slowMs: 0 };
		for (const node of cluster.nodes) {
			cluster.resume(node);
			node.engineFails = false;
			node.disk.fault = undefined;
			node.disk.misdirect = undefined;
		}
	}

	/** The node is up, on a good disk. */
	restore(node: SimNode): void {
		const { cluster } = this.#options;
		cluster.repair(node);
		cluster.boot(node);
	}

	// ---- triggered ----

	#onDatagram(from: NodeName, message: Message): void {
		const { cluster, ledger } = this.#options;
		const node = cluster.named(from);
		if (node === undefined) return;
		ledger.sent(node.image, message);
		if (message.type === "vote_response" && !message.reject) this.#trigger("after a vote", node);
		else if (message.type === "append_response" && !message.reject) this.#trigger("after an acknowledgement", node);
		else if (message.type === "snapshot") {
			const receiver = cluster.nodes.find((each) => each.id === message.to);
			this.#trigger(
				"while a snapshot travels",
				this.#triggers.int(3) === 0 || receiver === undefined ? node : receiver,
			);
		}
	}

	onMark(node: SimNode): void {
		this.#trigger("after a mark", node);
	}

	#trigger(kind: TriggerKind, node: SimNode): void {
		const chance = this.#options.swarm.triggers[kind];
		if (chance === undefined || this.#stopped || this.#triggers.float() >= chance) return;
		const number = ++this.#triggered;
		const [wait, down] = [this.#triggers.float() * 4, 1 + this.#triggers.float() * 12];
		if (this.#only?.has(number) === false) return;
		this.#options.clock.after(wait, () => {
			if (this.#stopped || !node.up) return;
			this.#did(number, kind);
			this.#crashFor(node, "power", down);
		});
	}

	// ---- planned ----

	#did(number: number, kind: string): void {
		this.happened.push(number);
		this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
		this.#options.note(`fault ${number}: ${kind}`);
	}

	#execute(number: number, kind: PlannedKind, random: Random): void {
		const deed = this.#deed(kind, random);
		if (deed === undefined) return;
		this.#did(number, kind);
		deed();
	}

	/** Undefined: it cannot be done now. */
	#deed(kind: PlannedKind, random: Random): (() => void) | undefined {
		const { cluster } = this.#options;
		const node = cluster.nodes[random.int(cluster.nodes.length)]!;
		const leader = cluster.leader;
		const other = cluster.nodes[random.int(cluster.nodes.length)]!;
		switch (kind) {
			case "power loss":
			case "kill":
				return node.up ? () => this.#crashFor(node, kind === "kill" ? "kill" : "power", downMs(random)) : undefined;
			case "power loss of the leader":
				return leader && (() => this.#crashFor(leader, "power", downMs(random)));
			case "power loss of two":
			case "power loss of all": {
				const victims = kind === "power loss of two" ? [node, other] : cluster.nodes;
				return () => {
					for (const victim of victims) this.#crashFor(victim, "power", downMs(random));
				};
			}
			case "pause":
				return this.#pause(node, random);
			case "pause of the leader":
				return leader && this.#pause(leader, random);
			case "isolation":
				return this.#cutAll([node], random);
			case "isolation of the leader":
				return leader && this.#cutAll([leader], random);
			case "halves":
				return this.#cutAll(
					cluster.nodes.filter(() => random.int(2) === 0),
					random,
				);
			case "the leader alone with a client":
				return leader && this.#aloneWithClient(leader, random);
			case "one-way cut":
				return node === other ? undefined : () => this.#last(random, this.#options.network.cut(node.name, other.name));
			case "cut between two":
				return node === other ? undefined : () => this.#last(random, ...this.#cutBoth(node.name, other.name));
			case "client cut off":
				return this.#clientCut(node, random);
			case "clogged link":
				return node === other ? undefined : () => this.#last(random, this.#options.network.clog(node.name, other.name));
			case "bad weather":
				return () => this.#badWeather(random);
			case "clock jump":
				return () => this.#jumpClock(node, random);
			case "leadership transfer":
				return leader && (() => void leader.member?.transferLeadership());
			case "wiped disk":
				return this.#wipe(node, random);
			default:
				return this.#diskDeed(kind, node, random);
		}
	}

	#diskDeed(kind: PlannedKind, node: SimNode, random: Random): (() => void) | undefined {
		switch (kind) {
			case "slow disk":
				return () => this.#stall(node, random.float() * 150, random);
			case "blocked fsync":
				return () => this.#stall(node, 3000, random);
			case "failing write":
				return this.#failingDisk(node, "write", "EIO", random);
			case "failing fsync":
				return this.#failingDisk(node, "sync", "EIO", random);
			case "failing read":
				return this.#badStart(node, random, () => {
					node.disk.fault = (at) => (at === "read" ? "EIO" : undefined);
				});
			case "misdirected read":
				return this.#badStart(node, random, () => {
					node.disk.misdirect = (at, _path, position) => (at === "read" ? position + 512 : position);
				});
			case "full disk":
				return this.#fullDisk(node, random);
			case "bit flip":
				return this.#flipBit(node, random);
			case "misdirected write":
				return this.#misdirectWrite(node, random);
			case "slow engine":
				return () => {
					node.engineStallMs = random.float() * 100;
					this.#last(random, () => {
						node.engineStallMs = 0;
					});
				};
			case "failing engine":
				return !node.up
					? undefined
					: () => {
							node.excused = true;
							node.engineFails = true;
						};
			default:
				return undefined;
		}
	}

	/** The fault ends after a while, or when everything is healed. */
	#last(random: Random, ...undo: readonly (() => void)[]): void {
		const end = () => {
			if (!this.#undo.delete(end)) return;
			for (const each of undo) each();
			if (!this.#stopped) this.#options.note("a fault ends");
		};
		this.#undo.add(end);
		this.#options.clock.after(50 + random.float() * 500, end);
	}

	#crashFor(node: SimNode, kind: CrashKind, ms: number): void {
		const { cluster, clock } = this.#options;
		if (this.#stopped || !node.up) return;
		cluster.crash(node, kind);
		clock.after(ms, () => {
			if (!this.#stopped) this.restoreLater(node, ms);
		});
	}

	/** A quarantined node waits for the repair of its disk. */
	restoreLater(node: SimNode, ms: number): void {
		const { cluster, clock } = this.#options;
		cluster.boot(node);
		if (node.image.damaged) clock.after(300 + ms, () => node.quarantined && !this.#stopped && this.restore(node));
	}

	#pause(node: SimNode, random: Random): (() => void) | undefined {
		if (!node.up || node.paused) return undefined;
		const { cluster, note } = this.#options;
		return () => {
			note(`${node.name} stands still`);
			cluster.pause(node);
			this.#last(random, () => {
				note(`${node.name} goes on`);
				cluster.resume(node);
			});
		};
	}

	#cutBoth(a: NodeName, b: NodeName): (() => void)[] {
		const { network, note } = this.#options;
		note(`${a} and ${b} are cut from each other`);
		return [network.cut(a, b), network.cut(b, a)];
	}

	#cutAll(some: readonly SimNode[], random: Random): (() => void) | undefined {
		const { cluster } = this.#options;
		const others = cluster.nodes.filter((node) => !some.includes(node));
		if (some.length === 0 || others.length === 0) return undefined;
		return () => this.#last(random, ...some.flatMap((a) => others.flatMap((b) => this.#cutBoth(a.name, b.name))));
	}

	#clientCut(node: SimNode, random: Random): () => void {
		const { clients } = this.#options;
		const client = clients[random.int(clients.length)]!;
		return () => this.#last(random, ...this.#cutBoth(client, node.name));
	}

	/** Both sides have clients: what one side acknowledges, the other must not contradict. */
	#aloneWithClient(leader: SimNode, random: Random): () => void {
		const { cluster, clients } = this.#options;
		const alone = clients[random.int(clients.length)]!;
		const others = cluster.nodes.filter((node) => node !== leader);
		// With a disk that hangs as well, what it writes alone is under way still when the others come back.
		const stallMs = random.int(3) === 0 ? 300 : 0;
		return () => {
			leader.stallMs = Math.max(leader.stallMs, stallMs);
			this.#last(
				random,
				() => {
					leader.stallMs = 0;
				},
				...others.flatMap((node) => [...this.#cutBoth(leader.name, node.name), ...this.#cutBoth(alone, node.name)]),
				...clients.filter((client) => client !== alone).flatMap((client) => this.#cutBoth(client, leader.name)),
			);
		};
	}

	#badWeather(random: Random): void {
		const { network } = this.#options;
		network.weather = {
			loss: random.float() * 0.3,
			duplicate: random.float() * 0.3,
			slow: random.float() * 0.5,
			slowMs: random.float() * 80,
		};
		this.#last(random, () => {
			network.weather = network.climate;
		});
	}

	#jumpClock(node: SimNode, random: Random): void {
		node.wallOffset = Math.round((random.float() - 0.5) * 20_000);
		if (node.view !== undefined) node.view.wallOffset = node.wallOffset;
	}

	// ---- disks ----

	#stall(node: SimNode, ms: number, random: Random): void {
		node.stallMs = ms;
		this.#last(random, () => {
			node.stallMs = 0;
		});
	}

	/** Operations of the log fail; the member must end itself before it answers anything wrongly. */
	#failingDisk(node: SimNode, operation: "write" | "sync", code: string, random: Random): (() => void) | undefined {
		if (!node.up) return undefined;
		return () => {
			node.excused = true;
			node.disk.fault = (at) => (at === operation ? code : undefined);
			this.#last(random, () => {
				node.disk.fault = undefined;
			});
		};
	}

	#fullDisk(node: SimNode, random: Random): (() => void) | undefined {
		if (!node.up) return undefined;
		return () => {
			node.disk.capacity = node.disk.used() + random.int(4096);
			this.#last(random, () => {
				node.disk.capacity = undefined;
			});
		};
	}

	/** Its next start meets the fault. */
	#badStart(node: SimNode, random: Random, fault: () => void): (() => void) | undefined {
		if (!node.up) return undefined;
		return () => {
			const { cluster, clock } = this.#options;
			cluster.crash(node, random.int(2) === 0 ? "power" : "kill");
			clock.after(downMs(random), () => {
				if (this.#stopped || node.up) return;
				fault();
				cluster.boot(node);
				node.excused = true;
			});
		};
	}

	/** Whether one more disk may be damaged. */
	#mayDamage(node: SimNode): boolean {
		const { nodes } = this.#options.cluster;
		const damaged = nodes.filter((each) => each.image.damaged || each === node).length;
		return node.up && !node.image.damaged && 2 * damaged < nodes.length;
	}

	#flipBit(node: SimNode, random: Random): (() => void) | undefined {
		if (!this.#mayDamage(node)) return undefined;
		return () => {
			const { cluster, clock, note } = this.#options;
			cluster.crash(node, "power");
			const segments = node.disk.paths().filter((path) => path.endsWith(".wal"));
			const path = segments[random.int(Math.max(1, segments.length))];
			const size = path === undefined ? 0 : node.disk.contents(path).length;
			if (path !== undefined && size > 0) {
				const [offset, bit] = [random.int(size), random.int(8)];
				node.image.damaged = true;
				node.disk.flipBit(path, offset, bit);
				note(`${node.name}: bit ${bit} at ${offset} of ${path} flips`);
			}
			const ms = downMs(random);
			clock.after(ms, () => !this.#stopped && this.restoreLater(node, ms));
		};
	}

	/** One write of the log goes elsewhere; soon after it the power goes. */
	#misdirectWrite(node: SimNode, random: Random): (() => void) | undefined {
		if (!this.#mayDamage(node)) return undefined;
		return () => {
			const { clock, note } = this.#options;
			const life = node.life;
			const distance = 512 * (1 + random.int(8));
			const crashAfter = random.float() * 100;
			node.disk.misdirect = (operation, path, position) => {
				if (operation === "read" || !path.startsWith(walDirectory) || !this.#mayDamage(node)) return position;
				node.disk.misdirect = undefined;
				node.image.damaged = true;
				note(`${node.name}: a write to ${position} of ${path} goes ${distance} too far`);
				clock.after(crashAfter, () => node.life === life && this.#crashFor(node, "power", downMs(random)));
				return position + distance;
			};
		};
	}

	/**
	 * An empty disk under the same name forgets votes and entries, which Raft allows to nobody. Nobody misses them when all
	 * others follow one leader and hold everything there is; the leader is restarted because it knows what the old disk had.
	 */
	#wipe(node: SimNode, random: Random): (() => void) | undefined {
		const { cluster, clock, ledger } = this.#options;
		const others = cluster.nodes.filter((each) => each !== node);
		const leader = others.find((each) => each.member?.status.role === "leader");
		if (leader === undefined || !node.up || node.image.damaged) return undefined;
		const term = leader.member!.term;
		const settled = others.every((each) => {
			const status = each.member?.status;
			const good = each.up && !each.paused && !each.image.damaged && each.image.durable.hard.term === term;
			return good && status?.term === term && status.leader === leader.id && status.lastIndex === ledger.committed;
		});
		const known = node.member === undefined || node.member.term <= term;
		if (!settled || !known || !ledger.sameAndCommitted(others.map((each) => each.image))) return undefined;
		return () => {
			cluster.wipe(node);
			this.#crashFor(leader, "kill", 1 + random.float() * 10);
			clock.after(60 + random.float() * 100, () => !this.#stopped && cluster.boot(node));
		};
	}
}

function downMs(random: Random): number {
	return random.int(2) === 0 ? random.float() * 15 : random.float() * 500;
}

function pick(weighted: readonly (readonly [PlannedKind, number])[], random: Random): PlannedKind {
	let dice = random.int(weighted.reduce((sum, [, weight]) => sum + weight, 0));
	for (const [kind, weight] of weighted) {
		if (dice < weight) return kind;
		dice -= weight;
	}
	throw new Error("weights do not add up");
}
