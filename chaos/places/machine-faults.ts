/** What makes the clocks and disks of processes on this machine harmable, of which each place takes what it is asked for. */
import { DiskShim } from "./disk-shim.ts";
import type { Disks } from "./disks.ts";
import { FakeClocks } from "./fake-clocks.ts";
import type { PlaceOptions } from "./place.ts";
import { PowerDisks } from "./power.ts";
import { type Environment, mergeEnv } from "./preload.ts";

export class MachineFaults {
	#clocks: FakeClocks | undefined;
	#shim: DiskShim | undefined;
	#power: PowerDisks | undefined;

	/** Throws MissingToolError where this machine cannot do what is asked for; leaves nothing behind then. */
	static async create(names: readonly string[], options: Omit<PlaceOptions, "size">): Promise<MachineFaults> {
		const faults = new MachineFaults();
		try {
			if (options.clocks) faults.#clocks = await FakeClocks.create();
			if (options.disks) faults.#shim = await DiskShim.create();
			if (options.powerLoss) faults.#power = await PowerDisks.create(names);
		} catch (error) {
			await faults.close();
			throw error;
		}
		return faults;
	}

	/** Where the member's data must be for its disk to lose power; undefined: anywhere. */
	dataDir(name: string): string | undefined {
		return this.#power?.directory(name);
	}

	/** To be added to the member's environment. */
	env(name: string, dataDir: string): Environment {
		return mergeEnv(this.#clocks?.env(name) ?? {}, this.#shim?.env(name, dataDir) ?? {});
	}

	get clocks(): FakeClocks | undefined {
		return this.#clocks;
	}

	/** See `Place.disks`. undefined: disks cannot be harmed. */
	disks(kill: (name: string) => Promise<void>): Disks | undefined {
		const [shim, power] = [this.#shim, this.#power];
		if (shim === undefined && power === undefined) return undefined;
		return {
			...(shim && { harm: (name, fault) => shim.harm(name, fault), heal: (name) => shim.heal(name) }),
			...(power && {
				loseUnsynced: (names) => power.loseUnsynced(names, kill),
				writeBack: (names) => power.writeBack(names),
			}),
		};
	}

	/** To be called when no member runs any more. */
	async close(): Promise<void> {
		const results = await Promise.allSettled([this.#power?.close(), this.#shim?.close(), this.#clocks?.close()]);
		for (const result of results) if (result.status === "rejected") throw result.reason;
	}
}
