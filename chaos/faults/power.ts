/** Disks that lose at a power cut what was not synced: a real file system for each member, on a loop device. */
import { execFile } from "node:child_process";
import { access, constants, mkdir, readFile, rm, statfs, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { MissingToolError } from "../targets/place.ts";
import { removeFolder, temporaryFolder } from "./preload.ts";

const run = promisify(execFile);

const tools: readonly (readonly [tool: string, debianPackage: string])[] = [
	["mkfs.ext4", "e2fsprogs"],
	["xfs_io", "xfsprogs"],
	["losetup", "mount"],
	["mount", "mount"],
	["umount", "mount"],
	["fallocate", "util-linux"],
	["sync", "coreutils"],
];

/**
 * Nothing is written back behind the member's back: not every five seconds (commit), and not because a file is renamed
 * over another (auto_da_alloc). What the kernel still flushes after half a minute are bytes of files whose sizes and names
 * stay lost.
 */
const mountOptions = "commit=300,noauto_da_alloc,noatime";
const defaultBytes = 512 * 2 ** 20;
/** How long the last processes may hold a file system before it is an error. */
const busyMs = 15_000;
const busyRetryMs = 20;

interface Volume {
	readonly name: string;
	readonly image: string;
	readonly mount: string;
	/** /dev/loopN while attached. */
	device: string | undefined;
	isMounted: boolean;
}

export interface PowerDisksOptions {
	/** Of each member's disk; sparse. Default 512 MiB. */
	readonly bytes?: number | undefined;
}

/** Works for every program, since it is the kernel's own file system that loses. */
export class PowerDisks {
	readonly #folder: string;
	readonly #volumes = new Map<string, Volume>();

	/** Throws MissingToolError where that takes root, loop devices or a tool that is not there. */
	static async create(names: readonly string[], options: PowerDisksOptions = {}): Promise<PowerDisks> {
		await demandTools();
		const disks = new PowerDisks(await temporaryFolder("power"));
		try {
			for (const name of names) await disks.#add(name, options.bytes ?? defaultBytes);
		} catch (error) {
			await disks.close();
			throw error;
		}
		return disks;
	}

	private constructor(folder: string) {
		this.#folder = folder;
	}

	/** The member's folder on its disk, mode 0700. Its processes must not hold it open across `loseUnsynced`. */
	directory(name: string): string {
		return path.join(this.#volume(name).mount, "data");
	}

	/** What a kernel does by itself now and then: makes durable what was written so far. */
	async writeBack(names: readonly string[]): Promise<void> {
		await Promise.all(names.map((name) => run("sync", ["--file-system", this.#volume(name).mount])));
	}

	/**
	 * Cuts the power of all of them: from there on every write and sync of these members fails, then `kill` ends each, and
	 * the disks come back with what was synced. `kill` must resolve when the process is gone.
	 */
	async loseUnsynced(names: readonly string[], kill: (name: string) => Promise<void>): Promise<void> {
		const volumes = names.map((name) => this.#volume(name));
		await Promise.all(volumes.map(({ mount }) => run("xfs_io", ["-x", "-c", "shutdown", mount])));
		await Promise.all(names.map(kill));
		for (const volume of volumes) {
			await unmount(volume);
			await mountVolume(volume);
		}
	}

	/** Takes all free space of the member's disk. */
	async fill(name: string): Promise<void> {
		const { mount } = this.#volume(name);
		await mkdir(ballastFolder(mount), { recursive: true });
		let attempt = Number.POSITIVE_INFINITY;
		for (let part = 0; ; part++) {
			const { bavail, bsize } = await statfs(mount);
			const bytes = Math.min(bavail, attempt) * bsize;
			if (bytes === 0) return;
			const file = path.join(ballastFolder(mount), String(part));
			if (!(await allocate(file, bytes))) attempt = Math.floor(bytes / bsize / 2);
		}
	}

	/** Gives back what `fill` took. */
	async free(name: string): Promise<void> {
		await rm(ballastFolder(this.#volume(name).mount), { recursive: true, force: true });
	}

	/** Detaches and removes every disk. Members should be dead or dying. */
	async close(): Promise<void> {
		const errors: unknown[] = [];
		for (const volume of this.#volumes.values()) {
			try {
				await unmount(volume);
			} catch (error) {
				errors.push(error);
			}
		}
		if (errors.length > 0) throw new AggregateError(errors, `disks in ${this.#folder} stay: ${errors.join("; ")}`);
		await removeFolder(this.#folder);
	}

	#volume(name: string): Volume {
		const volume = this.#volumes.get(name);
		if (volume === undefined) throw new Error(`no disk of ${name}`);
		return volume;
	}

	async #add(name: string, bytes: number): Promise<void> {
		const mount = path.join(this.#folder, name);
		const volume: Volume = { name, image: `${mount}.img`, mount, device: undefined, isMounted: false };
		this.#volumes.set(name, volume);
		await mkdir(mount);
		await writeFile(volume.image, "", { mode: 0o600 });
		await truncate(volume.image, bytes);
		await run("mkfs.ext4", ["-q", "-F", "-m", "0", volume.image]);
		await mountVolume(volume);
		await mkdir(this.directory(name), { mode: 0o700 });
		await this.writeBack([name]);
	}
}

function ballastFolder(mount: string): string {
	return path.join(mount, "ballast");
}

/** Whether there was space for it. */
async function allocate(file: string, bytes: number): Promise<boolean> {
	try {
		await run("fallocate", ["--length", String(bytes), file]);
		return true;
	} catch (error) {
		if (/No space left/.test((error as { stderr?: string }).stderr ?? "")) return false;
		throw error;
	}
}

async function demandTools(): Promise<void> {
	if (process.platform !== "linux" || process.getuid?.() !== 0) {
		throw new MissingToolError("power loss takes file systems on loop devices: run as root, on Linux");
	}
	const missing: string[] = [];
	for (const [tool, debianPackage] of tools) if (!(await isOnPath(tool))) missing.push(`${tool} (${debianPackage})`);
	if (missing.length > 0) throw new MissingToolError(`power loss needs ${missing.join(", ")}: install the package`);
	if (!(await exists("/dev/loop-control"))) {
		throw new MissingToolError("power loss needs loop devices: /dev/loop-control is absent (modprobe loop)");
	}
}

async function isOnPath(tool: string): Promise<boolean> {
	const folders = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`.split(":");
	for (const folder of folders) if (await exists(path.join(folder, tool), constants.X_OK)) return true;
	return false;
}

async function exists(file: string, mode = constants.F_OK): Promise<boolean> {
	try {
		await access(file, mode);
		return true;
	} catch {
		// Whatever the reason, it cannot be used.
		return false;
	}
}

async function mountVolume(volume: Volume): Promise<void> {
	const { stdout } = await run("losetup", ["--find", "--show", volume.image]);
	volume.device = stdout.trim();
	await run("mount", ["-t", "ext4", "-o", mountOptions, volume.device, volume.mount]);
	volume.isMounted = true;
}

/** Waits for processes that still die. */
async function unmount(volume: Volume): Promise<void> {
	const deadline = performance.now() + busyMs;
	while (volume.isMounted) {
		try {
			await run("umount", [volume.mount]);
			volume.isMounted = false;
		} catch (error) {
			const why = (error as { stderr?: string }).stderr ?? String(error);
			if (!why.includes("busy") || performance.now() > deadline) {
				throw new Error(`cannot unmount the disk of ${volume.name}: ${why.trim()}`);
			}
			await delay(busyRetryMs);
		}
	}
	if (volume.device === undefined) return;
	await run("losetup", ["--detach", volume.device]);
	// Else the next mount would get the same dead file system.
	while (await isAttached(volume.device, volume.image)) {
		if (performance.now() > deadline) {
			throw new Error(`the disk of ${volume.name} (${volume.device}) is still mounted in another mount namespace`);
		}
		await delay(busyRetryMs);
	}
	volume.device = undefined;
}

async function isAttached(device: string, image: string): Promise<boolean> {
	try {
		const file = await readFile(`/sys/block/${path.basename(device)}/loop/backing_file`, "utf8");
		return file.trim() === image;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
		throw error;
	}
}
