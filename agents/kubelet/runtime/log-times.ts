/**
 * When which byte of a container's output was seen. Containers write straight into their log file; beside it grows a
 * list of (offset, time) pairs, 16 bytes each, from which `logs --timestamps` and `--since` are answered.
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import type { Clock } from "../../../kit/clock.ts";
import type { ContainerLog } from "./types.ts";

const entryBytes = 16;

export interface SeenAt {
	/** The log had this many bytes ... */
	readonly offset: number;
	/** ... at this time, ms since the epoch. */
	readonly time: number;
}

export class LogTimes {
	readonly #log: ContainerLog;
	readonly #clock: Clock;
	#watcher: FSWatcher | undefined;
	#size = 0;
	#writes: Promise<void> = Promise.resolve();

	static follow(log: ContainerLog, clock: Clock): LogTimes {
		const times = new LogTimes(log, clock);
		times.#watcher = watch(log.file, () => times.#note());
		times.#watcher.on("error", () => times.#watcher?.close());
		times.#note();
		return times;
	}

	private constructor(log: ContainerLog, clock: Clock) {
		this.#log = log;
		this.#clock = clock;
	}

	#note(): void {
		const size = statSync(this.#log.file, { throwIfNoEntry: false })?.size ?? 0;
		if (size <= this.#size) return;
		this.#size = size;
		const entry = Buffer.allocUnsafe(entryBytes);
		entry.writeBigUInt64BE(BigInt(size), 0);
		entry.writeBigUInt64BE(BigInt(Math.round(this.#clock.now())), 8);
		this.#writes = this.#writes
			.then(() => appendFile(this.#log.timesFile, entry, { mode: 0o600 }))
			// The pod's folder may be gone already; the times go with it.
			.catch(() => undefined);
	}

	async stop(): Promise<void> {
		this.#watcher?.close();
		this.#note();
		await this.#writes;
	}
}

/** The recorded times, oldest first; empty where none were. */
export async function readTimes(log: ContainerLog): Promise<SeenAt[]> {
	let bytes: Buffer;
	try {
		bytes = await readFile(log.timesFile);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
	const seen: SeenAt[] = [];
	for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
		seen.push({ offset: Number(bytes.readBigUInt64BE(at)), time: Number(bytes.readBigUInt64BE(at + 8)) });
	}
	return seen;
}

/** When the byte before `end` was seen: the first mark at or after it, else the last one. */
export function timeOf(seen: readonly SeenAt[], end: number, fallback: number): number {
	let low = 0;
	let high = seen.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if ((seen[middle]?.offset ?? 0) >= end) high = middle;
		else low = middle + 1;
	}
	return (seen[low] ?? seen.at(-1))?.time ?? fallback;
}
