/**
 * What goes wrong in a run, and when. All by the seed; every fault has a number and randomness of its own, so that a run
 * can be repeated with some of them left out. Here: processes, clocks, and faults that follow from events.
 */
import { sleep } from "../../kit/clock.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import type { Message } from "../../store/raft/types.ts";
import type { CrashKind, SimNode } from "./cluster.ts";
import { diskDeed } from "./disk-faults.ts";
import { type Deed, downMs, type Ground, type NemesisOptions, names } from "./faults.ts";
import type { NodeName } from "./network.ts";
import { networkDeed } from "./network-faults.ts";
import type { PlannedKind, TriggerKind } from "./swarm.ts";

/** Faults that follow from an event have numbers from here. */
const firstTriggered = 100_000;
/** A rolling restart goes on with the next member when the last one has caught up, or after this long. */
const catchUpMs = 400;

/** How often a fault is tried that needs a leader or a quiet moment. */
const attempts = 12;
const attemptMs = 10;

export class Nemesis implements Ground {
	readonly options: NemesisOptions;
	readonly #planner: Random;
	readonly #triggers: Random;
	readonly #only: ReadonlySet<number> | undefined;
	/** What undoes the faults that last. */
	readonly #undo = new Set<() => void>();
	#number = 0;
	#triggered = firstTriggered;
	#rolling = false;
	stopped = false;
	/** Numbers of the faults that happened. */
	readonly happened: number[] = [];
	/** How often each kind happened. */
	readonly counts = new Map<string, number>();

	constructor(options: NemesisOptions) {
		this.options = options;
		this.#planner = seededRandom(options.seed * 31 + 2);
		this.#triggers = seededRandom(options.seed * 31 + 29);
		this.#only = options.reduction.faults === undefined ? undefined : new Set(options.reduction.faults);
		const { network } = options;
		network.onDatagram = (from, message) => this.#onDatagram(from, message);
	}

	async run(): Promise<void> {
		const { clock, swarm } = this.options;
		const kinds = Object.entries(swarm.faults) as [PlannedKind, number][];
		if (kinds.length === 0) return;
		for (;;) {
			await sleep(clock, 20 + this.#planner.float() * swarm.pauseMs);
			if (this.stopped) return;
			const kind = pick(kinds, this.#planner);
			const number = ++this.#number;
			const random = seededRandom(this.#planner.int(2 ** 32));
			if (this.#only?.has(number) !== false) this.#execute(number, kind, random);
		}
	}

	/** Ends all faults: networks, disks and clocks are good again, but nodes that are down stay down. */
	stop(): void {
		const { network, cluster, ledger } = this.options;
		this.stopped = true;
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
			node.disk.tear = undefined;
		}
	}

	/** The node is up, on a good disk. */
	restore(node: SimNode): void {
		const { cluster } = this.options;
		cluster.repair(node);
		cluster.boot(node);
	}

	// ---- triggered ----

	#onDatagram(from: NodeName, message: Message): void {
		const { cluster, ledger } = this.options;
		const node = cluster.named(from);
		if (node === undefined) return;
		ledger.sent(node.image, message);
		if (message.type === "vote_response" && !message.reject) this.#trigger("power-loss-after-vote", node);
		else if (message.type === "append_response" && !message.reject) {
			this.#trigger("power-loss-after-acknowledgement", node);
		} else if (message.type === "snapshot") {
			const receiver = cluster.nodes.find((each) => each.id === message.to);
			this.#trigger("power-loss-in-snapshot", this.#triggers.int(3) === 0 || receiver === undefined ? node : receiver);
		}
	}

	onMark(node: SimNode): void {
		this.#trigger("power-loss-after-mark", node);
	}

	/** A snapshot was installed; the log's mark of it is not durable yet. */
	onInstall(node: SimNode): void {
		this.#trigger("power-loss-after-install", node, 0.5);
	}

	#trigger(kind: TriggerKind, node: SimNode, withinMs = 4): void {
		const chance = this.options.swarm.triggers[kind];
		if (chance === undefined || this.stopped || this.#triggers.float() >= chance) return;
		const number = ++this.#triggered;
		const [wait, down] = [this.#triggers.float() * withinMs, 1 + this.#triggers.float() * 12];
		if (this.#only?.has(number) === false) return;
		this.options.clock.after(wait, () => {
			if (this.stopped || !node.up) return;
			this.crashFor(node, "power", down, this.#did(number, kind, [node.name]));
		});
	}

	// ---- planned ----

	/** Records the fault. Returns a function that records its end. */
	#did(number: number, kind: string, hits: readonly string[]): () => void {
		const { note, history } = this.options;
		this.happened.push(number);
		this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
		note(`fault ${number}: ${kind}${hits.length === 0 ? "" : ` ${hits.join(" ")}`}`);
		const heal = history.fault(kind, hits);
		let over = false;
		return () => {
			if (over) return;
			over = true;
			note(`fault ${number} is over`);
			heal();
		};
	}

	/** Makes the fault; if that is not possible now, tries again a little later. */
	#execute(number: number, kind: PlannedKind, random: Random, attempt = 1): void {
		if (this.stopped) return;
		const deed = this.#deed(kind, random);
		if (deed !== undefined) deed.strike(this.#did(number, kind, deed.hits));
		else if (attempt < attempts) {
			this.options.clock.after(attemptMs, () => this.#execute(number, kind, random, attempt + 1));
		}
	}

	/** Undefined: it cannot be done now. */
	#deed(kind: PlannedKind, random: Random): Deed | undefined {
		const { cluster } = this.options;
		const { nodes, leader } = cluster;
		const node = nodes[random.int(nodes.length)]!;
		const other = nodes[random.int(nodes.length)]!;
		switch (kind) {
			case "kill":
			case "power-loss":
				return this.#crash([node], kind === "kill" ? "kill" : "power", random);
			case "kill-leader":
			case "power-loss-leader":
				return leader && this.#crash([leader], kind === "kill-leader" ? "kill" : "power", random);
			case "power-loss-two":
				return this.#crash([node, other], "power", random);
			case "kill-all":
			case "power-loss-all":
				return this.#crash(nodes, kind === "kill-all" ? "kill" : "power", random);
			case "pause":
				return this.#pause([node], random);
			case "pause-leader":
				return leader && this.#pause([leader], random);
			case "pause-all":
				return this.#pause(nodes, random);
			case "rolling-restart":
				return this.#rollingRestart(random);
			case "transfer-leader":
				return leader && once([leader], () => void leader.member?.transferLeadership());
			case "compact":
				return leader && once([leader], () => this.#compact(leader, random));
			case "clock-jump":
				return once([node], () => this.#jumpClock(node, random));
			case "clock-drift":
				return this.#drift(node, random);
			default:
				return networkDeed(this, kind, node, other, random) ?? diskDeed(this, kind, node, random);
		}
	}

	lasts(random: Random, over: () => void, ...undo: readonly (() => void)[]): void {
		this.options.clock.after(50 + random.float() * 500, this.untilHealed(over, ...undo));
	}

	untilHealed(over: () => void, ...undo: readonly (() => void)[]): () => void {
		const end = () => {
			if (!this.#undo.delete(end)) return;
			for (const each of undo) each();
			over();
		};
		this.#undo.add(end);
		return end;
	}

	// ---- processes ----

	#crash(victims: readonly SimNode[], kind: CrashKind, random: Random): Deed | undefined {
		const alive = [...new Set(victims)].filter((node) => node.up);
		if (alive.length === 0) return undefined;
		return {
			hits: names(alive),
			strike: (over) => {
				let down = alive.length;
				for (const node of alive) this.crashFor(node, kind, downMs(random), () => --down === 0 && over());
			},
		};
	}

	crashFor(node: SimNode, kind: CrashKind, ms: number, over: () => void = () => {}): void {
		const { cluster, clock } = this.options;
		if (this.stopped || !node.up) {
			over();
			return;
		}
		cluster.crash(node, kind);
		clock.after(ms, () => {
			over();
			if (!this.stopped) this.restoreLater(node, ms);
		});
	}

	restoreLater(node: SimNode, ms: number): void {
		const { cluster, clock } = this.options;
		cluster.boot(node);
		const isOut = () => node.quarantined || node.putBack !== undefined;
		if (node.image.damaged) clock.after(300 + ms, () => isOut() && !this.stopped && this.restore(node));
	}

	#pause(victims: readonly SimNode[], random: Random): Deed | undefined {
		const { cluster } = this.options;
		const running = victims.filter((node) => node.up && !node.paused);
		if (running.length === 0) return undefined;
		return {
			hits: names(running),
			strike: (over) => {
				for (const node of running) cluster.pause(node);
				// bounded: a cluster's members.
				this.lasts(random, over, ...running.map((node) => () => cluster.resume(node)));
			},
		};
	}

	/** As an operator updates a cluster: one member after the other, each stopped in order or killed. */
	#rollingRestart(random: Random): Deed | undefined {
		const { nodes } = this.options.cluster;
		if (this.#rolling) return undefined;
		return {
			hits: names(nodes),
			strike: (over) => {
				this.#rolling = true;
				void this.#restartEach(random).then(() => {
					this.#rolling = false;
					over();
				});
			},
		};
	}

	async #restartEach(random: Random): Promise<void> {
		const { cluster, clock, ledger } = this.options;
		for (const node of cluster.nodes) {
			const [inOrder, ms] = [random.int(3) > 0, 1 + random.float() * 30];
			if (this.stopped) return;
			if (!node.up) continue;
			if (inOrder) await cluster.stop(node);
			else cluster.crash(node, "kill");
			await sleep(clock, ms);
			// Also after faults have ended: this node went down with the intent to come back.
			this.restoreLater(node, ms);
			const goal = ledger.committed;
			for (let waited = 0; waited < catchUpMs && !this.stopped; waited += 10) {
				if ((node.machine?.appliedIndex ?? -1) >= goal && cluster.leader !== undefined) break;
				await sleep(clock, 10);
			}
		}
	}

	/** History goes up to a revision among the newest. */
	#compact(leader: SimNode, random: Random): void {
		const { note } = this.options;
		const revision = Math.max(1, (leader.machine?.revision ?? 1) - random.int(20));
		leader.member
			?.propose({ kind: "compact", revision })
			.catch((error: Error) => note(`compaction at ${revision} is not proposed: ${error.message}`));
	}

	// ---- clocks ----

	#jumpClock(node: SimNode, random: Random): void {
		node.wallOffset = Math.round((random.float() - 0.5) * 20_000);
		if (node.view !== undefined) node.view.wallOffset = node.wallOffset;
	}

	/** One clock changes its speed, or the leader's becomes as slow as any may be and all others as fast. */
	#drift(node: SimNode, random: Random): Deed {
		const { cluster, swarm } = this.options;
		const { leader } = cluster;
		const to = (each: SimNode, rate: number) => {
			each.rate = rate;
			if (each.view !== undefined) each.view.rate = rate;
		};
		const { drift } = swarm;
		if (leader === undefined || random.int(2) === 0) {
			const rate = 1 + (2 * random.float() - 1) * drift;
			return once([node], () => to(node, rate));
		}
		return once(cluster.nodes, () => {
			for (const each of cluster.nodes) to(each, each === leader ? 1 - drift : 1 + drift);
		});
	}
}

/** A fault without duration: it is over as soon as it strikes. */
function once(nodes: readonly SimNode[], work: () => void): Deed {
	return {
		hits: names(nodes),
		strike: (over) => {
			work();
			over();
		},
	};
}

function pick(weighted: readonly (readonly [PlannedKind, number])[], random: Random): PlannedKind {
	let dice = random.int(weighted.reduce((sum, [, weight]) => sum + weight, 0));
	for (const [kind, weight] of weighted) {
		if (dice < weight) return kind;
		dice -= weight;
	}
	throw new Error("weights do not add up");
}
