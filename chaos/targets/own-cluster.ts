/** A whole cluster of ours on the hosts of a place, one master on each, and what of it ended by itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type MasterPart, masterParts } from "../../cluster/layout.ts";
import { knownParts, logTail, runningPid, signalPart, stopPart } from "../../cluster/processes.ts";
import { type Cluster, type StartClusterOptions, startClusterOn } from "../../cluster/start-cluster.ts";
import type { Place } from "../places/place.ts";
import { untilOurEnd } from "../places/process-host.ts";
import { Tasks } from "../places/tasks.ts";
import { type Ended, lastLines } from "./members.ts";

const pollMs = 50;
const graceMs = 15_000;

export const masterName = (index: number) => `master-${index + 1}`;
const partName = (master: string, part: MasterPart) => `${master}-${part}`;

/** Its parts are processes of sessions of their own. They end with the place, and with this process at the latest. */
export class OwnCluster {
	readonly #place: Place;
	readonly #starting = new Tasks();
	#dir: string | undefined;
	#cluster: Cluster | undefined;
	#end: Promise<void> | undefined;
	/** Parts that were started and have no reason to end since then. */
	readonly #watched = new Set<string>();
	readonly #ended: Ended[] = [];

	static async start(
		place: Place,
		options: Pick<StartClusterOptions, "nodes" | "runtime" | "extraArgs">,
	): Promise<OwnCluster> {
		const own = new OwnCluster(place);
		place.beforeClose(() => own.end());
		await own.#starting.do(() => own.#begin(options));
		return own;
	}

	private constructor(place: Place) {
		this.#place = place;
	}

	async #begin(options: StartClusterOptions): Promise<void> {
		const { hosts, disks } = this.#place;
		const hostOf = new Map(hosts.map(({ name }, i) => [masterName(i), name]));
		// Only of a place with disks the folders are this machine's.
		const masters = hosts.map(({ peerAddress, clientAddress, dataDir }) => {
			return { peer: peerAddress, client: clientAddress, storeDir: disks === undefined ? undefined : dataDir };
		});
		this.#dir = await mkdtemp(path.join(tmpdir(), "barque-chaos-"));
		this.#cluster = await startClusterOn(
			{
				masters,
				launch: ({ master }, command) =>
					master === undefined ? untilOurEnd(command) : this.#place.enter(hostOf.get(master)!, command),
			},
			{ ...options, dir: this.#dir, masters: masters.length as 1 | 3 | 5 },
		);
		for (const part of await knownParts(this.#dir)) this.#watched.add(part);
	}

	get cluster(): Cluster {
		return this.#cluster!;
	}

	/** What parts of the master do from now on is no fault of their own, until they are started again. */
	async excuse(master: string, parts: readonly MasterPart[] = masterParts): Promise<void> {
		await this.#noticeAll(master);
		for (const part of parts) this.#watched.delete(partName(master, part));
	}

	async #noticeAll(master: string): Promise<void> {
		for (const part of masterParts) await this.#notice(partName(master, part));
	}

	async #notice(part: string): Promise<void> {
		const { dir } = this.cluster;
		if (!this.#watched.has(part) || (await runningPid(dir, part)) !== undefined) return;
		const output = await logTail(dir, part, lastLines);
		if (this.#watched.delete(part)) this.#ended.push({ name: part, output });
	}

	async ended(): Promise<readonly Ended[]> {
		await Promise.all([...this.#watched].map((part) => this.#notice(part)));
		return [...this.#ended];
	}

	/** As a machine that is shut down does: SIGTERM to all at once, SIGKILL to what still runs a while later. */
	async stop(master: string): Promise<void> {
		await Promise.all(masterParts.map((part) => stopPart(this.cluster.dir, partName(master, part), graceMs)));
	}

	/** Sent when it resolves. */
	async signal(
		master: string,
		name: "SIGSTOP" | "SIGCONT" | "SIGKILL",
		parts: readonly MasterPart[] = masterParts,
	): Promise<void> {
		await Promise.all(parts.map((part) => signalPart(this.cluster.dir, partName(master, part), name)));
	}

	async isRunning(master: string, part: MasterPart): Promise<boolean> {
		return (await runningPid(this.cluster.dir, partName(master, part))) !== undefined;
	}

	/** Resolves when all of the master runs and is ready. */
	revive(master: string): Promise<void> {
		return this.#starting.do(async () => {
			const before = await this.#running(master);
			try {
				await this.cluster.reviveMaster(master);
			} catch (error) {
				// One that ran until now may have been just ending of what was done to its disk before.
				if (this.#starting.isClosed || !before.delete("store") || (await this.isRunning(master, "store"))) throw error;
				await this.#noticeAll(master);
				await this.cluster.reviveMaster(master);
			}
			// What runs since before has the reason to end that it had then.
			for (const part of masterParts) if (!before.has(part)) this.#watched.add(partName(master, part));
		});
	}

	async #running(master: string): Promise<Set<MasterPart>> {
		await this.#noticeAll(master);
		const running = new Set<MasterPart>();
		for (const part of masterParts) if (await this.isRunning(master, part)) running.add(part);
		return running;
	}

	/** Leaves nothing behind; once. */
	end(): Promise<void> {
		this.#end ??= this.#endAll();
		return this.#end;
	}

	async #endAll(): Promise<void> {
		const settled = this.#starting.close().then(() => true);
		// What waits for parts to be ready gives up once they have ended.
		while (!(await Promise.race([settled, delay(pollMs, false)]))) await killParts(this.#dir);
		await this.#cluster?.stop();
		await killParts(this.#dir);
		if (this.#dir !== undefined) await rm(this.#dir, { recursive: true, force: true });
	}
}

async function killParts(dir: string | undefined): Promise<void> {
	if (dir === undefined) return;
	for (const part of await knownParts(dir)) await stopPart(dir, part, 0);
}
