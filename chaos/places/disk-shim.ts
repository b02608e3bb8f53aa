/** Disk faults of single calls: `chaos/places/native/disk-fault.c` between the member and libc. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import path from "node:path";
import type { DiskFault, Disks } from "./disks.ts";
import { buildPreload, type Environment, removeFolder, type SeenPaths, temporaryFolder } from "./preload.ts";

/** What the library reads: the fault, how slow, and calls harmed, 32 bits each in the machine's order. */
const codes: Readonly<Record<DiskFault, number>> = { slow: 1, error: 2, torn: 3, full: 4 };
const hitsAt = 8;
const controlBytes = 12;

export interface DiskShimOptions {
	/** How much longer a sync takes on a slow disk, ms. Default 300. */
	readonly slowMs?: number | undefined;
}

/**
 * For programs that make their calls through libc, as Node and LevelDB do; Go's programs (etcd) make them by themselves
 * and are out of reach: `PowerDisks` has faults for them.
 *
 * slow and full last until healed. So does error: a disk that fails once seldom recovers. torn hits one write, of which
 * some sectors are written, the first ones; then the process is gone and its disk is good again. full refuses also writes that would only overwrite, and new files.
 */
export class DiskShim implements Required<Pick<Disks, "harm" | "heal">> {
	/** The compiled library, and the folder of control files; members in containers need both mounted, writable. */
	readonly library: string;
	readonly directory: string;
	readonly #slowMs: number;
	readonly #controls = new Map<string, number>();

	/** Throws MissingToolError where there is no compiler. */
	static async create(options: DiskShimOptions = {}): Promise<DiskShim> {
		const library = await buildPreload("disk-fault.c");
		return new DiskShim(library, await temporaryFolder("disk"), options.slowMs ?? 300);
	}

	private constructor(library: string, directory: string, slowMs: number) {
		this.library = library;
		this.directory = directory;
		this.#slowMs = slowMs;
	}

	/** For the member's process; `dataDir` and `seen` as that process sees them. A good disk at first. */
	env(name: string, dataDir: string, seen: SeenPaths = this): Environment {
		this.#control(name);
		return {
			LD_PRELOAD: seen.library,
			BARQUE_FAULT_FILE: path.join(seen.directory, name),
			BARQUE_FAULT_PATH: dataDir,
			// By way of io_uring calls would not pass through libc.
			UV_USE_IO_URING: "0",
		};
	}

	async harm(name: string, fault: DiskFault): Promise<void> {
		const control = this.#control(name);
		const bytes = words(this.#slowMs, 0);
		writeSync(control, bytes, 0, bytes.length, 4);
		this.#command(control, codes[fault]);
	}

	async heal(name: string): Promise<void> {
		this.#command(this.#control(name), 0);
	}

	/** Calls harmed since the latest `harm`. */
	hits(name: string): number {
		const bytes = new Uint32Array(1);
		readSync(this.#control(name), bytes, 0, bytes.byteLength, hitsAt);
		return bytes[0]!;
	}

	#command(control: number, code: number): void {
		const bytes = words(code);
		writeSync(control, bytes, 0, bytes.length, 0);
	}

	#control(name: string): number {
		let control = this.#controls.get(name);
		if (control === undefined) {
			control = openSync(path.join(this.directory, name), "w+");
			writeSync(control, new Uint8Array(controlBytes));
			this.#controls.set(name, control);
		}
		return control;
	}

	async close(): Promise<void> {
		for (const control of this.#controls.values()) closeSync(control);
		this.#controls.clear();
		await removeFolder(this.directory);
	}
}

function words(...values: readonly number[]): Uint8Array {
	return new Uint8Array(Uint32Array.from(values).buffer);
}
