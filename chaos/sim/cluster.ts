/** Members of the production store on simulated machines: each with its clock, disk, engine and place in the network. */
import { crc32c } from "../../kit/crc32c.ts";
import type { Logger } from "../../kit/log.ts";
import { silentLogger } from "../../kit/log.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import type { ClockView, VirtualClock } from "../../kit/sim/clock.ts";
import { SimDisk } from "../../kit/sim/disk.ts";
import { MemoryEngine } from "../../store/engine/memory.ts";
import { type Machine, openMachine } from "../../store/machine/machine.ts";
import { Member } from "../../store/member/member.ts";
import { Requests } from "../../store/member/requests.ts";
import { type Entry, type MemberId, none } from "../../store/raft/types.ts";
import { NativeConnection } from "../../store/serve/native.ts";
import { createLog, logExists, openLog } from "../../store/wal/wal.ts";
import { createDiskWriter } from "../../store/wal/writer.ts";
import type { NodeName, SimNetwork } from "./network.ts";

const clusterId = 0xba59_0e00_0000_0001n;
const supervisorMs = 50;
const walDirectory = "/data/wal";

export interface ClusterOptions {
	readonly clock: VirtualClock;
	readonly network: SimNetwork;
	readonly seed: number;
	readonly ids: ReadonlyMap<MemberId, NodeName>;
	readonly heartbeatMs: number;
	readonly electionMs: number;
	readonly preVote: boolean;
	readonly snapshotCount: number;
	readonly catchUpEntries: number;
	readonly segmentBytes: number;
	readonly note: (line: string) => void;
	readonly violation: (what: string) => void;
}

export type CrashKind = "power" | "kill";

/** One machine of the cluster, over all lives of its process. */
export class SimNode {
	readonly id: MemberId;
	readonly name: NodeName;
	readonly disk: SimDisk;
	readonly random: Random;
	engine: MemoryEngine;
	/** Counts processes. */
	life = 0;
	view: ClockView | undefined;
	member: Member | undefined;
	machine: Machine | undefined;
	/** Wall clock error, ms. */
	wallOffset = 0;
	/** Added to every sync while it lasts, ms. */
	stallMs = 0;
	/** This life was given a disk error: it may end itself. */
	excused = false;

	constructor(id: MemberId, name: NodeName, clock: VirtualClock, seed: number) {
		this.id = id;
		this.name = name;
		this.random = seededRandom(seed);
		const latency = (operation: string) => this.#latency(operation);
		this.disk = new SimDisk({ random: seededRandom(seed + 1), clock, latency });
		this.engine = new MemoryEngine({ delay: () => this.#engineDelay() });
	}

	get up(): boolean {
		return this.view !== undefined;
	}

	#latency(operation: string): number {
		if (operation === "sync") return 0.1 + this.random.float() * 0.8 + this.stallMs;
		return operation === "write" ? 0.01 : 0.05;
	}

	/** On the process's clock: a dead process's batches never arrive. */
	#engineDelay(): Promise<void> {
		const view = this.view;
		if (view === undefined) return new Promise(() => {});
		return new Promise((resolve) => view.after(0.05 + this.random.float() * 0.4, resolve));
	}
}

/** What all lives of all members must agree on, recorded as it happens. */
class Ledger {
	readonly #options: ClusterOptions;
	readonly #entries = new Map<number, string>();
	readonly #revisions = new Map<number, number>();
	readonly #leaders = new Map<number, MemberId>();

	constructor(options: ClusterOptions) {
		this.#options = options;
	}

	/** State-machine safety (paper figure 3): no two members apply different entries at one index. */
	entry(node: SimNode, entry: Entry): void {
		const print = `term ${entry.term} ${entry.kind} ${entry.data.length} bytes crc ${crc32c(entry.data).toString(16)}`;
		const known = this.#entries.get(entry.index);
		if (known === undefined) this.#entries.set(entry.index, print);
		else if (known !== print) {
			this.#options.violation(`${node.name} applies at index ${entry.index} ${print}, where another applied ${known}`);
		}
	}

	/** The same entries give the same state: by the cheapest of its prints. */
	revision(node: SimNode, index: number, revision: number): void {
		const known = this.#revisions.get(index);
		if (known === undefined) this.#revisions.set(index, revision);
		else if (known !== revision) {
			this.#options.violation(`${node.name} is at revision ${revision} after index ${index}, another was at ${known}`);
		}
	}

	/** Election safety: at most one leader a term. */
	leader(node: SimNode, term: number): void {
		const known = this.#leaders.get(term);
		if (known === undefined) this.#leaders.set(term, node.id);
		else if (known !== node.id) this.#options.violation(`term ${term} has two leaders, the second is ${node.name}`);
	}
}

export class SimCluster {
	readonly nodes: readonly SimNode[];
	readonly #options: ClusterOptions;
	readonly #ledger: Ledger;

	constructor(options: ClusterOptions) {
		this.#options = options;
		this.#ledger = new Ledger(options);
		this.nodes = [...options.ids].map(
			([id, name], i) => new SimNode(id, name, options.clock, options.seed * 1009 + 17 * (i + 1)),
		);
	}

	get leader(): SimNode | undefined {
		const leaders = this.nodes.filter((node) => node.member?.status.role === "leader");
		return leaders.sort((a, b) => b.member!.term - a.member!.term)[0];
	}

	/** Starts the node's process; it is up at once, and answers when it has recovered. */
	boot(node: SimNode): void {
		if (node.up) return;
		const life = ++node.life;
		node.view = this.#options.clock.view(node.wallOffset);
		node.excused = false;
		this.#options.note(`${node.name} starts, life ${life}`);
		this.#start(node, life).catch((error: Error) => {
			// A process that was killed while it started takes its errors with it.
			if (node.life === life && node.up) this.#died(node, life, error);
		});
	}

	crash(node: SimNode, kind: CrashKind): void {
		if (!node.up) return;
		this.#options.note(`${node.name} ${kind === "power" ? "loses power" : "is killed"}`);
		node.member?.crash();
		node.view?.stop();
		node.view = undefined;
		node.member = undefined;
		node.machine = undefined;
		node.disk.fault = undefined;
		this.#options.network.down(node.name);
		if (kind === "power") node.disk.crash();
		else node.disk.kill();
		// A killed process's unsynced batches are in the page cache; without power any number of the last may be lost.
		const all: Random = { ...node.random, int: (bound) => bound - 1 };
		node.engine = node.engine.crash(kind === "power" ? node.random : all);
	}

	#died(node: SimNode, life: number, error: Error): void {
		if (node.life !== life || !node.up) return;
		const { note, violation, clock } = this.#options;
		note(`${node.name} ended itself: ${error.message}`);
		if (!node.excused) violation(`${node.name} ended itself: ${error.name}: ${error.message}`);
		// Outside of the dying code's own call. After a disk error a supervisor starts it again.
		clock.after(0, () => {
			if (node.life !== life) return;
			this.crash(node, "kill");
			if (node.excused) clock.after(supervisorMs, () => this.boot(node));
		});
	}

	async #start(node: SimNode, life: number): Promise<void> {
		const { network, note, heartbeatMs, electionMs, preVote, snapshotCount, catchUpEntries } = this.#options;
		const view = node.view!;
		const { log, recovered } = await this.#openLog(node, view);
		const onFatal = (error: unknown) => this.#died(node, life, error as Error);
		const machine = await openMachine(node.engine, { recentBytes: 8192, cacheBytes: 16384, onFatal });
		if (node.life !== life || !node.up) return;
		note(
			`${node.name} recovered term ${recovered.hardState.term} mark ${recovered.snapshot.index} entries ${recovered.entries.length} applied ${machine.appliedIndex}${recovered.repaired === undefined ? "" : ` cut ${recovered.repaired.bytes}`}`,
		);
		this.#spy(node, machine);
		const member = await Member.open({
			config: {
				id: node.id,
				clusterId,
				name: node.name,
				voters: [...this.#options.ids.keys()],
				heartbeatMs,
				electionMs,
				preVote,
				snapshotCount,
				catchUpEntries,
			},
			clock: view,
			random: node.random,
			logger: this.#logger(node),
			log,
			recovered,
			machine,
			transport: network.transport(node.name),
			onFatal,
			observer: {
				onSoftState: (leader, role, term) => {
					note(`${node.name} ${role} term ${term} leader ${leader === none ? "none" : this.#options.ids.get(leader)}`);
					if (role === "leader") this.#ledger.leader(node, term);
				},
				onApplied: (index, revision) => this.#ledger.revision(node, index, revision),
				onSnapshotMark: (index) => note(`${node.name} mark ${index}`),
				onSnapshotInstalled: (index) => note(`${node.name} installed snapshot ${index}`),
			},
		});
		if (node.life !== life || !node.up) return;
		node.member = member;
		node.machine = machine;
		const requests = new Requests(member);
		network.listen(node.name, (channel) => {
			new NativeConnection(channel, {
				requests,
				clock: view,
				logger: this.#logger(node),
				serverVersion: "simulated",
				leader: () => member.leader,
			});
		});
	}

	async #openLog(node: SimNode, view: ClockView) {
		const { disk } = node;
		const identity = { clusterId, memberId: node.id };
		const options = {
			clock: view,
			random: node.random,
			segmentBytes: this.#options.segmentBytes,
			writer: createDiskWriter(disk, { preallocateBytes: 4096 }),
		};
		if (await logExists(disk, walDirectory)) return openLog(disk, walDirectory, identity, options);
		await disk.makeDirectory("/data");
		return createLog(disk, walDirectory, identity, options);
	}

	/** Reads along with what is applied. */
	#spy(node: SimNode, machine: Machine): void {
		const apply = machine.apply.bind(machine);
		machine.apply = (entries, confAfter) => {
			for (const entry of entries) this.#ledger.entry(node, entry);
			return apply(entries, confAfter);
		};
	}

	/** What production code logs as an error is worth a line of the transcript. */
	#logger(node: SimNode): Logger {
		const error: Logger["error"] = (message, fields) =>
			this.#options.note(`${node.name} error: ${message} ${fields?.["error"] ?? ""}`);
		const logger: Logger = { ...silentLogger, error, with: () => logger };
		return logger;
	}
}
