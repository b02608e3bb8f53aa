/** The machine's disk: node:fs promises behind the `Disk` interface. */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import type { Disk, DiskFile } from "./disk.ts";

const fileMode = 0o600;
const directoryMode = 0o700;

class RealFile implements DiskFile {
	readonly #handle: FileHandle;
	readonly #path: string;

	constructor(handle: FileHandle, path: string) {
		this.#handle = handle;
		this.#path = path;
	}

	/** Node names the file only where a path was given, and "no space left on device" asks: which one? */
	async #named<T>(work: Promise<T>): Promise<T> {
		try {
			return await work;
		} catch (error) {
			if (error instanceof Error) error.message += ` '${this.#path}'`;
			throw error;
		}
	}

	async read(target: Buffer, position: number): Promise<number> {
		let done = 0;
		while (done < target.length) {
			const { bytesRead } = await this.#named(this.#handle.read(target, done, target.length - done, position + done));
			if (bytesRead === 0) break;
			done += bytesRead;
		}
		return done;
	}

	async write(data: Buffer, position: number): Promise<void> {
		let done = 0;
		while (done < data.length) {
			const { bytesWritten } = await this.#named(this.#handle.write(data, done, data.length - done, position + done));
			done += bytesWritten;
		}
	}

	sync(): Promise<void> {
		return this.#named(this.#handle.datasync());
	}

	truncate(size: number): Promise<void> {
		return this.#named(this.#handle.truncate(size));
	}

	async size(): Promise<number> {
		return (await this.#handle.stat()).size;
	}

	close(): Promise<void> {
		return this.#handle.close();
	}
}

export const realDisk: Disk = {
	async open(path, options) {
		const flags = constants.O_RDWR | (options?.create === true ? constants.O_CREAT : 0);
		return new RealFile(await open(path, flags, fileMode), path);
	},
	async list(path) {
		return (await readdir(path)).sort();
	},
	async makeDirectory(path) {
		await mkdir(path, { recursive: true, mode: directoryMode });
	},
	rename,
	remove: unlink,
	async syncDirectory(path) {
		// Windows cannot open a directory; its file systems journal names by themselves.
		if (process.platform === "win32") return;
		const handle = await open(path, constants.O_RDONLY);
		try {
			await handle.sync();
		} finally {
			await handle.close();
		}
	},
};
