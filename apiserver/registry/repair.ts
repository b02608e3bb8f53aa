/** Brings the allocators back in line with the services that exist, at start and every three minutes. */
import type { Timer } from "../../kit/clock.ts";
import { decodeStored } from "../scheme/codec/stored.ts";
import type { Service } from "../scheme/types.gen.ts";
import type { Services } from "./context.ts";
import { waitConsistent } from "./read.ts";
import { addressOf, portsOf } from "./strategies/service-fields.ts";
import type { ServiceRanges } from "./strategies/services.ts";

const intervalMs = 180_000;

export class RangeRepair {
	readonly #services: Services;
	readonly #ranges: ServiceRanges;
	#timer: Timer | undefined;
	#stopped = false;

	constructor(services: Services, ranges: ServiceRanges) {
		this.#services = services;
		this.#ranges = ranges;
	}

	/** One pass now, later ones by the clock. */
	async start(): Promise<void> {
		await this.#pass();
		this.#schedule();
	}

	stop(): void {
		this.#stopped = true;
		this.#timer?.cancel();
	}

	#schedule(): void {
		if (this.#stopped) return;
		this.#timer = this.#services.clock.after(intervalMs, () => {
			void this.#pass()
				.catch((error: unknown) => this.#services.log.warn("service addresses: repair failed", { error }))
				.then(() => this.#schedule());
		});
	}

	async #pass(): Promise<void> {
		await waitConsistent(this.#services);
		const { cidr, addresses, nodePorts } = this.#ranges;
		const usedAddresses = new Set<number>();
		const usedPorts = new Set<number>();
		for (const entry of this.#services.cacher.resource("services/specs").select()) {
			const { spec } = decodeStored<Service>(entry.bytes, entry.revision);
			const address = addressOf(spec);
			const offset = address === undefined ? undefined : cidr.offset(address);
			if (offset !== undefined) usedAddresses.add(offset);
			for (const port of portsOf(spec)) usedPorts.add(port - nodePorts.first);
		}
		await addresses.repair(usedAddresses);
		await nodePorts.allocator.repair(usedPorts);
	}
}
