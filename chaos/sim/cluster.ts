/** Members of the production store on simulated machines: each with its clock, disk, engine and place in the network. */
import type { Logger } from "../../kit/log.ts";
import { silentLogger } from "../../kit/log.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import type { ClockView, VirtualClock } from "../../kit/sim/clock.ts";
import { SimDisk } from "../../kit/sim/disk.ts";
import { MemoryEngine } from "../../store/engine/memory.ts";
import { type Machine, openMachine } from "../../store/machine/machine.ts";
import { defaultSessionLimits } from "../../store/machine/session-limits.ts";
import { askToBegin } from "../../store/member/bootstrap.ts";
import { DataLossError, Incarnations } from "../../store/member/incarnations.ts";
import { Member } from "../../store/member/member.ts";
import { Requests } from "../../store/member/requests.ts";
import { type MemberId, none } from "../../store/raft/types.ts";
import { NativeConnection } from "../../store/serve/native.ts";
import { recoverSegments } from "../../store/wal/recover.ts";
import { type Log, LogCorruptError } from "../../store/wal/types.ts";
import { createLog, logExists, openLog } from "../../store/wal/wal.ts";
import { createDiskWriter } from "../../store/wal/writer.ts";
import type { Ledger, MemberImage } from "./ledger.ts";
import type { NodeName, SimNetwork } from "./network.ts";
import type { Swarm } from "./swarm.ts";

const clusterId = 0xba59_0e00_0000_0001n;
const supervisorMs = 50;
/** A member that was asked to stop is killed after this long. */
const stopMs = 400;
const dataDirectory = "/data";
export const walDirectory = `${dataDirectory}/wal`;

export interface ClusterOptions {
	readonly clock: VirtualClock;
	readonly network: SimNetwork;
	readonly ledger: Ledger;
	readonly seed: number;
	readonly swarm: Swarm;
	readonly ids: ReadonlyMap<MemberId, NodeName>;
	readonly note: (line: string) => void;
	readonly violation: (what: string) => void;
	/** A named code path was taken. */
	readonly reached: (path: string) => void;
	/** A member made a mark. */
	readonly onMark: (node: SimNode) => void;
	/** A member's state was replaced by a snapshot. */
	readonly onInstall: (node: SimNode) => void;
	/** Who leads from now on, by the highest term; undefined: nobody. */
	readonly leads: (name: NodeName | undefined, term: number | undefined) => void;
}

export type CrashKind = "power" | "kill";

/** One machine of the cluster, over all lives of its process. */
export class SimNode {
	readonly id: MemberId;
	readonly name: NodeName;
	readonly disk: SimDisk;
	readonly random: Random;
	readonly image: MemberImage;
	/** The machine's own clock: disk operations end on it. Paused with the process. */
	readonly hardware: ClockView;
	engine: MemoryEngine;
	/** Counts processes. */
	life = 0;
	view: ClockView | undefined;
	member: Member | undefined;
	machine: Machine | undefined;
	/** Wall clock error at its process's start, ms. */
	wallOffset = 0;
	/** How fast its clock runs. */
	rate = 1;
	/** Added to every sync while it lasts, ms. */
	stallMs = 0;
	/** Added to every batch of the engine while it lasts, ms. */
	engineStallMs = 0;
	engineFails = false;
	/** A fault was injected into the machine during this life, so the process may end itself. */
	excused = false;
	/** It must not start again before its disk is repaired. */
	quarantined = false;
	/** It has begun its log. */
	begun = false;
	/** It got an empty disk; this puts the old one back. */
	putBack: (() => void) | undefined;
	/** Tells its clients that it is about to stop. */
	goAway: () => void = () => {};
	readonly #engineMs: number;

	constructor(id: MemberId, name: NodeName, image: MemberImage, clock: VirtualClock, seed: number, engineMs: number) {
		this.id = id;
		this.name = name;
		this.image = image;
		this.random = seededRandom(seed);
		this.hardware = clock.view();
		this.#engineMs = engineMs;
		const latency = (operation: string) => this.#latency(operation);
		this.disk = new SimDisk({ random: seededRandom(seed + 1), clock: this.hardware, latency });
		this.engine = this.newEngine();
	}

	get up(): boolean {
		return this.view !== undefined;
	}

	get paused(): boolean {
		return this.view?.paused === true;
	}

	newEngine(): MemoryEngine {
		return new MemoryEngine({ delay: () => this.#engineDelay() });
	}

	#latency(operation: string): number {
		if (operation === "sync") return 0.1 + this.random.float() * 0.8 + this.stallMs;
		return operation === "write" ? 0.01 : 0.05;
	}

	/** The delay runs on the process's clock, so that batches of a dead process never reach the engine. */
	async #engineDelay(): Promise<void> {
		const view = this.view;
		if (view === undefined) return new Promise(() => {});
		const ms = 0.05 + this.random.float() * this.#engineMs + this.engineStallMs;
		await new Promise<void>((resolve) => view.after(ms, resolve));
		if (this.engineFails) throw new Error("EIO: the engine cannot write");
	}
}

/** Damage was done to its disk, and this start would hide what is lost. */
class DamageError extends Error {
	override name = "DamageError";
}

export class SimCluster {
	readonly nodes: readonly SimNode[];
	readonly #options: ClusterOptions;
	/** Faults are over: a node that finds its disk damaged gets it repaired. */
	healing = false;

	constructor(options: ClusterOptions) {
		this.#options = options;
		const { ids, ledger, clock, seed, swarm } = options;
		this.nodes = [...ids].map(
			([id, name], i) => new SimNode(id, name, ledger.add(name, id), clock, seed * 1009 + 17 * (i + 1), swarm.engineMs),
		);
		for (const [i, node] of this.nodes.entries()) node.rate = swarm.rates[i]!;
	}

	get leader(): SimNode | undefined {
		const leads = ({ member }: SimNode) => member?.status.role === "leader" && !member.status.stopped;
		return this.nodes.filter(leads).sort((a, b) => b.member!.term - a.member!.term)[0];
	}

	#tellLeader(): void {
		const { leader } = this;
		this.#options.leads(leader?.name, leader?.member?.term);
	}

	named(name: NodeName): SimNode | undefined {
		return this.nodes.find((node) => node.name === name);
	}

	/** Starts the node's process; it is up at once, and answers when it has recovered. */
	boot(node: SimNode): void {
		if (node.up || node.quarantined) return;
		const life = ++node.life;
		node.view = this.#options.clock.view(node.wallOffset, node.rate);
		node.excused = false;
		node.engineFails = false;
		this.#options.network.up(node.name, node.view);
		this.#options.note(`${node.name} starts, life ${life}`);
		this.#start(node, life).catch((error: Error) => {
			// An error of a process that was killed while it started is ignored: the process is gone already.
			if (node.life === life && node.up) this.#died(node, life, error);
		});
	}

	crash(node: SimNode, kind: CrashKind): void {
		if (!node.up) return;
		this.#options.note(`${node.name} ${kind === "power" ? "loses power" : "is killed"}`);
		this.resume(node);
		node.member?.crash();
		node.view?.stop();
		node.view = undefined;
		node.member = undefined;
		node.machine = undefined;
		this.#tellLeader();
		node.disk.fault = undefined;
		node.disk.misdirect = undefined;
		node.disk.tear = undefined;
		this.#options.network.down(node.name);
		if (kind === "power") node.disk.crash();
		else node.disk.kill();
		// A killed process's unsynced batches are in the page cache; without power any number of the last may be lost.
		const all: Random = { ...node.random, int: (bound) => bound - 1 };
		node.engine = node.engine.crash(kind === "power" ? node.random : all);
	}

	/** As a service manager does: asks the process to end, and kills it when it takes too long. Resolves when it is down. */
	async stop(node: SimNode): Promise<void> {
		const { member, life } = node;
		const { note, reached, clock } = this.#options;
		let how = "a member that is asked to stop is killed";
		if (member !== undefined) {
			note(`${node.name} is asked to stop`);
			node.goAway();
			const end = async () => {
				await member.transferLeadership();
				await member.close();
				how = "a member stops in order";
			};
			const limit = Promise.withResolvers<void>();
			const timer = clock.after(stopMs, limit.resolve);
			const failed = (error: Error) => note(`${node.name} does not stop in order: ${error.message}`);
			await Promise.race([end().catch(failed), limit.promise]);
			timer.cancel();
		}
		if (node.life !== life || !node.up) return;
		reached(how);
		this.crash(node, "kill");
	}

	pause(node: SimNode): void {
		node.view?.pause();
		node.hardware.pause();
	}

	resume(node: SimNode): void {
		node.view?.resume();
		node.hardware.resume();
	}

	/** The machine gets an empty disk. It must not take part until it has its own again. */
	wipe(node: SimNode): void {
		this.crash(node, "power");
		const { engine } = node;
		const putBack = node.disk.wipe();
		node.engine = node.newEngine();
		node.image.damaged = true;
		node.putBack = () => {
			putBack();
			node.engine = engine;
		};
	}

	/** Undoes damage of the disk, so that the node may start again. */
	repair(node: SimNode): void {
		if (!node.image.damaged) return;
		// A node with an empty disk may be running, waiting to begin.
		if (node.putBack !== undefined) this.crash(node, "kill");
		if (node.up) return;
		this.#options.note(`${node.name}'s disk is repaired`);
		node.putBack?.();
		node.putBack = undefined;
		node.disk.repair();
		node.image.damaged = false;
		node.quarantined = false;
	}

	#died(node: SimNode, life: number, error: Error): void {
		if (node.life !== life || !node.up) return;
		const { note, violation, clock, reached } = this.#options;
		note(`${node.name} ended itself: ${error.message}`);
		if (error instanceof LogCorruptError) reached("a damaged log is refused");
		if (error instanceof DamageError) reached("damage that cannot be told from a torn write");
		const excused = node.excused || node.image.damaged || node.disk.capacity !== undefined;
		if (excused) reached("a member ends itself");
		else violation(`crash: ${node.name} ended itself: ${error.name}: ${error.message}`);
		if (node.image.damaged) node.quarantined = true;
		// In a later event, not inside the failing code's own call. After a disk error a supervisor starts the process
		// again.
		clock.after(0, () => {
			if (node.life !== life) return;
			this.crash(node, "kill");
			if (!excused) return;
			clock.after(supervisorMs, () => {
				if (this.healing) this.repair(node);
				this.boot(node);
			});
		});
	}

	async #start(node: SimNode, life: number): Promise<void> {
		const { network, note, reached, swarm, ledger } = this.#options;
		const view = node.view!;
		const opened = await this.#openData(node, life, view);
		if (opened === undefined) return;
		const { log, recovered, incarnations, transport } = opened;
		const onFatal = (error: unknown) => this.#died(node, life, error as Error);
		const machine = await openMachine(node.engine, {
			recentBytes: 8192,
			cacheBytes: 16384,
			onFatal,
		});
		if (node.life !== life || !node.up) return;
		note(
			`${node.name} recovered term ${recovered.hardState.term} mark ${recovered.snapshot.index} entries ${recovered.entries.length} applied ${machine.appliedIndex}${recovered.repaired === undefined ? "" : ` cut ${recovered.repaired.bytes}`}`,
		);
		if (recovered.repaired !== undefined) reached("a torn end of the log is cut");
		const last = recovered.entries.at(-1)?.index ?? recovered.snapshot.index;
		if (machine.appliedIndex > last) reached("a snapshot was installed but not marked");
		this.#spyMachine(node, machine);
		const connections = new Set<NativeConnection>();
		node.goAway = () => {
			for (const connection of connections) connection.goingAway("server is stopping");
		};
		const member = await Member.open({
			config: {
				id: node.id,
				clusterId,
				name: node.name,
				voters: [...this.#options.ids.keys()],
				heartbeatMs: swarm.heartbeatMs,
				electionMs: swarm.electionMs,
				preVote: swarm.preVote,
				snapshotCount: swarm.snapshotCount,
				catchUpEntries: swarm.catchUpEntries,
				autoCompaction:
					swarm.autoCompactionMs === 0 ? undefined : { mode: "periodic", retention: swarm.autoCompactionMs },
			},
			limits: { machinePendingBytes: swarm.pendingBytes },
			clock: view,
			random: node.random,
			logger: this.#logger(node),
			log: this.#spyLog(node, life, log),
			recovered,
			machine,
			transport,
			onFatal,
			observer: {
				onSoftState: (leader, role, term) => {
					note(`${node.name} ${role} term ${term} leader ${leader === none ? "none" : this.#options.ids.get(leader)}`);
					this.#tellLeader();
					if (role === "leader") ledger.leader(node.image, term, node.member?.status.commitIndex ?? 0);
					for (const connection of connections) connection.leaderChanged(leader);
				},
				onSnapshotMark: (index) => {
					note(`${node.name} mark ${index}`);
					this.#options.onMark(node);
				},
				onSnapshotSent: (_to, ok) => reached(ok ? "a snapshot is delivered" : "a snapshot is not delivered"),
				onSnapshotInstalled: (index) => {
					note(`${node.name} installed snapshot ${index}`);
					reached("a snapshot is installed");
					ledger.installed(node.image, machine);
					this.#options.onInstall(node);
				},
			},
		});
		if (node.life !== life || !node.up) return;
		node.member = member;
		node.machine = machine;
		incarnations.term = () => member.term;
		incarnations.onExpelled = (error) => member.fail(error);
		const requests = new Requests(member, {
			// Lists have several pages.
			rangePageKeys: 2,
			quotaBytes: swarm.quotaBytes,
			usedBytes: () => machine.stats.trackedBytes,
			quotaCheckEvery: 4,
			sessionLimits: { ...defaultSessionLimits, maxAnswers: swarm.maxAnswers, maxSessions: swarm.maxSessions },
		});
		network.listen(node.name, (channel) => {
			const connection = new NativeConnection(channel, {
				requests,
				clock: view,
				logger: this.#logger(node),
				serverVersion: "simulated",
				leader: () => member.leader,
				limits: { pauseAbove: 4096 },
			});
			connections.add(connection);
		});
	}

	/** As `store/process/data.ts` and `store/process/server.ts` do; undefined when the process ended meanwhile. */
	async #openData(node: SimNode, life: number, view: ClockView) {
		const { network, ids, swarm, reached } = this.#options;
		const { disk } = node;
		const identity = { clusterId, memberId: node.id };
		const ended = () => node.life !== life || !node.up;
		if (node.image.damaged && node.putBack === undefined) await this.#lookAtDamage(node);
		await disk.makeDirectory(dataDirectory);
		const begun = await logExists(disk, walDirectory);
		const options = {
			clock: view,
			random: node.random,
			segmentBytes: swarm.segmentBytes,
			writer: createDiskWriter(disk, { preallocateBytes: 4096 }),
		};
		let opened = begun ? await openLog(disk, walDirectory, identity, options) : undefined;
		const incarnations = await Incarnations.open({
			disk,
			directory: dataDirectory,
			identity,
			random: node.random,
			log: opened?.recovered.hardState,
			nameOf: (id) => ids.get(id) ?? "a stranger",
		});
		if (ended()) return undefined;
		const transport = network.transport(node.name, incarnations);
		if (opened === undefined) {
			await askToBegin({
				clock: view,
				logger: silentLogger,
				others: [...ids.keys()].filter((id) => id !== node.id),
				nameOf: (id) => ids.get(id) ?? "a stranger",
				incarnations,
				transport,
				askEveryMs: swarm.electionMs / 2,
			}).catch((error: unknown) => {
				if (error instanceof DataLossError) reached("a member that lost its data is refused");
				throw error;
			});
			if (ended()) return undefined;
			if (node.putBack !== undefined) this.#forgets(node);
			opened = await createLog(disk, walDirectory, identity, options);
			await incarnations.markBegun();
			transport.greet();
		}
		node.begun = true;
		this.#recovered(node, opened.recovered);
		return { ...opened, incarnations, transport };
	}

	/** Before anything is written: after this the damage could not be repaired. */
	async #lookAtDamage(node: SimNode): Promise<void> {
		const { disk, image, id } = node;
		if (!(await logExists(disk, walDirectory))) throw new DamageError("no log");
		const { recovered } = await recoverSegments(disk, walDirectory, { clusterId, memberId: id });
		if (!this.#options.ledger.recovered(image, recovered)) throw new DamageError("the log lost what it held");
	}

	/** The member took an empty disk for a new member's. */
	#forgets(node: SimNode): void {
		this.#options.note(`${node.name} begins anew and has forgotten everything`);
		node.putBack = undefined;
		node.image.damaged = false;
		this.#options.ledger.wiped(node.image);
	}

	#recovered(node: SimNode, recovered: Parameters<Ledger["recovered"]>[1]): void {
		if (this.#options.ledger.recovered(node.image, recovered)) return;
		const what = `entries up to ${recovered.entries.at(-1)?.index ?? recovered.snapshot.index}, term ${recovered.hardState.term}`;
		this.#options.violation(
			`durability: ${node.name}'s log comes back with ${what}; durable was ${node.image.durable.last}, term ${node.image.durable.hard.term}`,
		);
	}

	/** Writes the member's log into the ledger. */
	#spyLog(node: SimNode, life: number, log: Log): Log {
		const { ledger } = this.#options;
		return {
			append: (record) => {
				const pending = ledger.append(node.image, record);
				return log.append(record).then(() => {
					if (node.life === life && node.up) ledger.durable(node.image, pending);
				});
			},
			release: (index) => log.release(index),
			close: () => log.close(),
		};
	}

	/** Reports everything that the machine applies to the ledger. */
	#spyMachine(node: SimNode, machine: Machine): void {
		const apply = machine.apply.bind(machine);
		machine.apply = (entries, confAfter) =>
			this.#options.ledger.apply(node.image, entries, machine, () => apply(entries, confAfter));
	}

	/** What production code logs as an error is worth a line of the transcript. */
	#logger(node: SimNode): Logger {
		const error: Logger["error"] = (message, fields) =>
			this.#options.note(`${node.name} error: ${message} ${fields?.["error"] ?? ""}`);
		const logger: Logger = { ...silentLogger, error, with: () => logger };
		return logger;
	}
}
