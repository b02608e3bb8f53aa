/** Disks that lose at a power cut what was not synced: a real file system for each member, on a loop device. */
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isGone, ownerMark } from "./owner.ts";
import { MissingToolError } from "./place.ts";
import { removeFolder, temporaryFolder } from "./preload.ts";
import { requireRootAndTools, runTool } from "./tools.ts";

function run(program: string, ...args: readonly string[]): Promise<string> {
	return runTool({ program, args });
}

const tools = {
	"mkfs.ext4": "e2fsprogs",
	xfs_io: "xfsprogs",
	losetup: "mount",
	mount: "mount",
	umount: "mount",
	sync: "coreutils",
};

/**
 * Nothing is written back behind the member's back: not every five seconds (commit), and not because a file is renamed
 * over another (auto_da_alloc). What the kernel still flushes after half a minute are bytes of files whose sizes and names
 * stay lost.
 */
const mountOptions = "commit=300,noauto_da_alloc,noatime";
const folderPrefix = "barque-power-";
const ownerFile = "owner";
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
	/** Settles when the latest change of any disk is over: an interruption may close in the middle of a cut. */
	#busy: Promise<unknown> = Promise.resolve();
	#isClosed = false;
	readonly #volumes = new Map<string, Volume>();

	/** Throws MissingToolError where that takes root, loop devices or a tool that is not there. */
	static async create(names: readonly string[], options: PowerDisksOptions = {}): Promise<PowerDisks> {
		await demandTools();
		await removeOrphans();
		const disks = new PowerDisks(await temporaryFolder("power"));
		try {
			await writeFile(path.join(disks.#folder, ownerFile), ownerMark());
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
	writeBack(names: readonly string[]): Promise<void> {
		return this.#alone(async () => {
			await Promise.all(names.map((name) => run("sync", "--file-system", this.#volume(name).mount)));
		});
	}

	/**
	 * Cuts the power of all of them: each dies, its disk stops as it is and comes back with what was synced. `kill` must
	 * have sent SIGKILL when it returns its promise, and resolve when the process is gone. In that order, for a sync that
	 * is under way when the disk stops may return as if it had succeeded, of ext4 and XFS alike: nobody may hear of it.
	 */
	loseUnsynced(names: readonly string[], kill: (name: string) => Promise<void>): Promise<void> {
		return this.#alone(async () => {
			const volumes = names.map((name) => this.#volume(name));
			const dying = Promise.all(names.map(kill));
			const stopped = Promise.all(volumes.map(({ mount }) => run("xfs_io", "-x", "-c", "shutdown", mount)));
			await Promise.all([dying, stopped]);
			for (const volume of volumes) {
				await unmount(volume);
				await mountVolume(volume);
			}
		});
	}

	/** Detaches and removes every disk. Members should be dead or dying. */
	async close(): Promise<void> {
		this.#isClosed = true;
		await this.#busy.catch(() => {});
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

	/** One change at a time, and none once closed. */
	#alone(work: () => Promise<void>): Promise<void> {
		const turn = async () => {
			if (this.#isClosed) throw new Error("the disks are closed");
			await work();
		};
		const run = this.#busy.then(turn, turn);
		this.#busy = run;
		return run;
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
		await run("mkfs.ext4", "-q", "-F", "-m", "0", volume.image);
		await mountVolume(volume);
		await mkdir(this.directory(name), { mode: 0o700 });
		await run("sync", "--file-system", mount);
	}
}

async function demandTools(): Promise<void> {
	await requireRootAndTools("power cuts", tools);
	if (!existsSync("/dev/loop-control")) {
		throw new MissingToolError("power cuts need loop devices: /dev/loop-control is absent (modprobe loop)");
	}
}

async function mountVolume(volume: Volume): Promise<void> {
	volume.device = (await run("losetup", "--find", "--show", volume.image)).trim();
	await run("mount", "-t", "ext4", "-o", mountOptions, volume.device, volume.mount);
	volume.isMounted = true;
}

/** Waits for processes that still die. */
async function unmount(volume: Volume): Promise<void> {
	const deadline = performance.now() + busyMs;
	while (volume.isMounted) {
		try {
			await run("umount", volume.mount);
			volume.isMounted = false;
		} catch (error) {
			if (!(error as Error).message.includes("busy") || performance.now() > deadline) throw error;
			await delay(busyRetryMs);
		}
	}
	if (volume.device === undefined) return;
	await run("losetup", "--detach", volume.device);
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

/** Removes what runs left that were killed. */
async function removeOrphans(): Promise<void> {
	for (const name of await readdir(tmpdir())) {
		const folder = path.join(tmpdir(), name);
		if (name.startsWith(folderPrefix) && (await isOrphan(folder))) await removeOrphan(folder);
	}
}

/** Of this user, with a mark of a process that is no more. */
async function isOrphan(folder: string): Promise<boolean> {
	try {
		const { uid } = await lstat(folder);
		return uid === process.getuid?.() && isGone(await readFile(path.join(folder, ownerFile), "utf8"));
	} catch (error) {
		if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
		throw error;
	}
}

async function removeOrphan(folder: string): Promise<void> {
	const below = (listed: string) =>
		listed
			.split("\n")
			.map((line) => line.trim().split(/\s+/))
			.filter(([, file = ""]) => file.startsWith(`${folder}/`));
	const mounts = async () => below(await readFile("/proc/self/mounts", "utf8"));
	const devices = async () => below(await run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"));
	try {
		for (const [, mount = ""] of await mounts()) await run("umount", mount);
		for (const [device = ""] of await devices()) await run("losetup", "--detach", device);
	} catch (error) {
		// Another run may remove it, too.
		if ((await mounts()).length > 0 || (await devices()).length > 0) throw error;
	}
	await removeFolder(folder);
}
