/**
 * What the log needs of its medium: one request at a time, each answered when durable. In production a thread of its
 * own performs them (thread-writer.ts), so that a slow or hung disk holds up neither the event loop nor the file
 * operations of others; in simulation a `Disk` does.
 */
import { dirname } from "node:path";
import type { Disk, DiskFile } from "../../kit/disk.ts";
import type { BufferSource } from "./format.ts";

export interface LogWriter extends BufferSource {
	/**
	 * Makes the file `path` with `data`, durably and at once, and writes to it from now on. The file written so far is
	 * trimmed to what was written and closed.
	 */
	create(path: string, data: Buffer): Promise<void>;
	/**
	 * Writes from now on to an existing file that ends with `last` at `position`; bytes after that are cut. Writes `last`
	 * once more and syncs, so that it and all before it are durable when this resolves: the process before us may have died
	 * before its last sync, or because that failed, and then the system may hold the bytes for clean though the medium
	 * never got them ("fsyncgate").
	 */
	open(path: string, last: Buffer, position: number): Promise<void>;
	/** `data` lies at the beginning of a buffer from `allocate`, which `write` frees. */
	write(data: Buffer, position: number): Promise<void>;
	close(): Promise<void>;
}

/** Grows files ahead of the log, so that the usual sync has no new size to record: a third less time on ext4. */
export const defaultPreallocateBytes = 256 * 1024;

export function temporaryPath(path: string): string {
	return `${path}.tmp`;
}

export interface DiskWriterOptions {
	readonly preallocateBytes?: number | undefined;
	/** False: writes are not waited for to reach the medium, and a power cut loses what was acknowledged. */
	readonly sync?: boolean | undefined;
}

class DiskWriter implements LogWriter {
	readonly #disk: Disk;
	readonly #step: number;
	#file: DiskFile | undefined;
	#end = 0;
	#size = 0;

	constructor(disk: Disk, options: DiskWriterOptions) {
		this.#disk = disk;
		this.#step = options.preallocateBytes ?? defaultPreallocateBytes;
	}

	allocate(bytes: number): Buffer {
		return Buffer.allocUnsafe(bytes);
	}

	/** The garbage collector's. */
	free(): void {}

	async create(path: string, data: Buffer): Promise<void> {
		await this.#finish();
		const temporary = temporaryPath(path);
		const file = await this.#disk.open(temporary, { create: true });
		await file.truncate(0);
		await file.write(data, 0);
		await file.sync();
		await this.#disk.rename(temporary, path);
		await this.#disk.syncDirectory(dirname(path));
		this.#file = file;
		this.#end = data.length;
		this.#size = data.length;
	}

	async open(path: string, last: Buffer, position: number): Promise<void> {
		await this.#finish();
		const file = await this.#disk.open(path);
		const end = position + last.length;
		await file.truncate(end);
		await file.write(last, position);
		await file.sync();
		await this.#disk.syncDirectory(dirname(path));
		this.#file = file;
		this.#end = end;
		this.#size = end;
	}

	async write(data: Buffer, position: number): Promise<void> {
		const file = this.#file;
		if (file === undefined) throw new Error("log writer: no file is open");
		const end = position + data.length;
		if (end > this.#size) {
			this.#size = Math.ceil(end / this.#step) * this.#step;
			await file.truncate(this.#size);
		}
		await file.write(data, position);
		await file.sync();
		this.#end = end;
	}

	async close(): Promise<void> {
		await this.#finish();
	}

	async #finish(): Promise<void> {
		const file = this.#file;
		if (file === undefined) return;
		this.#file = undefined;
		if (this.#size > this.#end) await file.truncate(this.#end);
		await file.close();
	}
}

export function createDiskWriter(disk: Disk, options: DiskWriterOptions = {}): LogWriter {
	return new DiskWriter(disk, options);
}
