/** Members as processes on loopback. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launcher } from "../../bin/cluster/launcher.ts";
import { DiskShim } from "../faults/disk-shim.ts";
import type { Disks } from "../faults/disks.ts";
import { FakeClocks } from "../faults/faketime.ts";
import { PowerDisks } from "../faults/power.ts";
import { mergeEnv } from "../faults/preload.ts";
import { freePorts } from "../kills/store-processes.ts";
import { cleanUpOnInterrupt } from "./cleanup.ts";
import type { Place, PlaceOptions } from "./place.ts";
import { ProcessHost } from "./process-host.ts";

/** Throws MissingToolError where this machine cannot do what is asked for. */
export async function startProcessPlace(options: PlaceOptions): Promise<Place> {
	const place = new ProcessPlace();
	try {
		await place.setUp(options);
	} catch (error) {
		await place.close();
		throw error;
	}
	return place;
}

class ProcessPlace implements Place {
	readonly description = "processes on this machine";
	readonly node = process.execPath;
	readonly launcher = launcher;
	hosts: readonly ProcessHost[] = [];
	clocks: FakeClocks | undefined;
	disks: Disks | undefined;
	#shim: DiskShim | undefined;
	#power: PowerDisks | undefined;
	#directory: string | undefined;
	readonly #forget = cleanUpOnInterrupt(() => this.#cleanUp());

	async setUp({ size, clocks, disks, powerLoss }: PlaceOptions): Promise<void> {
		const names = Array.from({ length: size }, (_, i) => `m${i + 1}`);
		const ports = await freePorts(size * 2);
		this.#directory = await mkdtemp(path.join(tmpdir(), "barque-chaos-"));
		if (clocks) this.clocks = await FakeClocks.create();
		if (disks) this.#shim = await DiskShim.create();
		if (powerLoss) this.#power = await PowerDisks.create(names);
		this.hosts = names.map((name, i) => {
			const dataDir = this.#power?.directory(name) ?? path.join(this.#directory!, name);
			return new ProcessHost({
				name,
				peerAddress: "127.0.0.1",
				clientAddress: "127.0.0.1",
				peerPort: ports[2 * i]!,
				clientPort: ports[2 * i + 1]!,
				dataDir,
				env: () => ({
					...process.env,
					...mergeEnv(this.clocks?.env(name) ?? {}, this.#shim?.env(name, dataDir) ?? {}),
				}),
			});
		});
		this.disks = this.#diskFaults();
	}

	#diskFaults(): Disks {
		const [shim, power] = [this.#shim, this.#power];
		const kill = (name: string) => this.hosts.find((host) => host.name === name)!.end("SIGKILL");
		return {
			...(shim && { harm: (name, fault) => shim.harm(name, fault), heal: (name) => shim.heal(name) }),
			...(power && { loseUnsynced: (names) => power.loseUnsynced(names, kill) }),
		};
	}

	async #cleanUp(): Promise<void> {
		await Promise.all(this.hosts.map((host) => host.end("SIGKILL")));
		await Promise.all([this.#power?.close(), this.#shim?.close(), this.clocks?.close()]);
		if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
	}

	async close(): Promise<void> {
		await this.#cleanUp();
		this.#forget();
	}
}
