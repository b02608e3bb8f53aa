/** A member's data directory: its engine and machine, its log, and what is known of whose data is whose. */
import { mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { realDisk } from "../../kit/disk-real.ts";
import type { Logger } from "../../kit/log.ts";
import { systemRandom } from "../../kit/random.ts";
import { openLevelEngine } from "../engine/level.ts";
import type { Engine } from "../engine/types.ts";
import { type Machine, openMachine } from "../machine/machine.ts";
import { ClusterConfigError, type InitialCluster, memberNames } from "../member/cluster.ts";
import { Incarnations } from "../member/incarnations.ts";
import { readMembership, writeMembership } from "../member/membership.ts";
import type { StoreMetrics } from "../serve/metrics.ts";
import { createThreadWriter } from "../wal/thread-writer.ts";
import { createLog, logExists, type OpenedLog, openLog } from "../wal/wal.ts";
import type { LogWriter } from "../wal/writer.ts";
import { shareDescriptors } from "./descriptors.ts";

export interface DataOptions {
	readonly dataDir: string;
	readonly cluster: InitialCluster;
	readonly clusterState: "new" | "existing";
	/** True: the log is not synced; a power cut loses acknowledged writes. */
	readonly unsafeNoFsync?: boolean | undefined;
	readonly logger: Logger;
}

export interface OpenedData {
	readonly machine: Machine;
	readonly incarnations: Incarnations;
	/** The log, begun when there is none: not before the others allow it. */
	log(): Promise<OpenedLog>;
	/** Once there is a log: from now on the flags do not say who this member is. */
	keepMembership(): Promise<void>;
	close(): Promise<void>;
}

/** How long applied commands wait for others to share an engine batch with; answers do not wait for it. */
const engineGatherMs = 10;

/** What the data directory knows of its member and the others; undefined where there is none, or none that has begun. */
export async function knownMembership(dataDir: string): Promise<InitialCluster | undefined> {
	try {
		return await readMembership(realDisk, join(dataDir, "member"));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

/** The engine's own lock makes the directory ours alone; it is taken before anything else is read or written. */
export async function openData(
	options: DataOptions,
	metrics: StoreMetrics,
	fatal: (error: unknown) => void,
): Promise<OpenedData> {
	const { cluster, logger } = options;
	const directory = join(options.dataDir, "member");
	const identity = { clusterId: cluster.id, memberId: cluster.self.id };
	const wal = join(directory, "wal");
	const begun = await logExists(realDisk, wal);
	if (!begun && options.clusterState === "existing") {
		throw new ClusterConfigError(
			`--initial-cluster-state is existing, but ${options.dataDir} holds no member: a member that lost its data cannot come back under its old id`,
		);
	}
	await makeDirectories(directory);
	const engine = await openEngine(join(directory, "data"));
	let machine: Machine | undefined;
	let log: OpenedLog | undefined;
	let writer: LogWriter | undefined;
	const close = async () => {
		await (log?.log ?? writer)?.close();
		await (machine ?? engine).close();
	};
	try {
		// The log's thread takes a while to load: it does so while the engine is opened and the others are asked.
		const logOptions = { writer: timed(createThreadWriter({ sync: options.unsafeNoFsync !== true }), metrics) };
		writer = logOptions.writer;
		machine = await openMachine(engine, {
			logger,
			gather: () => new Promise((resolve) => setTimeout(resolve, engineGatherMs)),
			turn: () => new Promise((resolve) => setImmediate(resolve)),
			onFatal: (error) => fatal(error),
		});
		if (!begun && machine.appliedIndex > 0) {
			throw new ClusterConfigError(`${options.dataDir} holds a state but no log: ${wal} is missing`);
		}
		if (begun) log = await openLog(realDisk, wal, identity, logOptions);
		const repaired = log?.recovered.repaired;
		if (repaired !== undefined) {
			logger.warn("cut a torn tail of the log: an unfinished write of the last run", repaired);
		}
		const incarnations = await Incarnations.open({
			disk: realDisk,
			directory,
			identity,
			random: systemRandom,
			log: log?.recovered.hardState,
			nameOf: memberNames(cluster),
		});
		return {
			machine,
			incarnations,
			async log() {
				if (log === undefined) {
					log = await createLog(realDisk, wal, identity, logOptions);
					await incarnations.markBegun();
				}
				return log;
			},
			keepMembership: () => writeMembership(realDisk, directory, cluster),
			close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}

/** Their names are durable, or a power cut could take the whole directory, and the member with it, for a new one. */
async function makeDirectories(directory: string): Promise<void> {
	const first = await mkdir(join(directory, "snap"), { recursive: true, mode: 0o700 });
	if (first === undefined) return;
	for (let made = resolve(directory, "snap"); made.length >= resolve(first).length; made = dirname(made)) {
		await realDisk.syncDirectory(dirname(made));
	}
}

/** Bytes of the engine's files in a data directory. */
export async function engineFileBytes(dataDir: string): Promise<number> {
	const path = join(dataDir, "member", "data");
	let bytes = 0;
	for (const name of await readdir(path)) {
		// Compaction may remove it meanwhile.
		bytes += (await stat(join(path, name)).catch(() => undefined))?.size ?? 0;
	}
	return bytes;
}

async function openEngine(path: string): Promise<Engine> {
	try {
		return await openLevelEngine(path, { maxOpenFiles: shareDescriptors().engineFiles });
	} catch (error) {
		const cause = (error as { cause?: { code?: string; message?: string } }).cause;
		// By the code alone: the message of any failure may hold the word, as the lock's file or a directory is named so.
		if (cause?.code === "LEVEL_LOCKED") {
			throw new ClusterConfigError(`${path}: in use by another process`);
		}
		throw new Error(`${path}: ${cause?.message ?? (error as Error).message}`, { cause: error });
	}
}

function timed(writer: LogWriter, metrics: StoreMetrics): LogWriter {
	return {
		allocate: (bytes) => writer.allocate(bytes),
		free: (buffer) => writer.free(buffer),
		create: (path, data) => writer.create(path, data),
		open: (...from) => writer.open(...from),
		async write(...write) {
			const before = performance.now();
			await writer.write(...write);
			metrics.observeFsync((performance.now() - before) / 1000);
		},
		close: () => writer.close(),
	};
}
