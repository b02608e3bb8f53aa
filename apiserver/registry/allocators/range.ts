/**
 * A range of numbers handed out once each, shared by all replicas: a RangeAllocation object in the store, changed by
 * compare-and-swap.
 */
import type { Random } from "../../../kit/random.ts";
import type { ObjectStorage } from "../../storage/objects.ts";
import { Bitmap } from "./bitmap.ts";

export type Allocation = "ok" | "taken" | "out_of_range";

interface RangeAllocation {
	range?: string;
	data?: string;
}

export interface RangeOptions {
	readonly storage: ObjectStorage;
	readonly random: Random;
	/** `/registry/ranges/serviceips`. */
	readonly key: string;
	/** As stored, to notice another range: `10.96.0.0/16`, `30000-32767`. */
	readonly range: string;
	readonly size: number;
	/** How many of the lowest are kept for those who name theirs, while others are left. */
	readonly named: number;
}

/** Upstream's share of a range for those who name theirs: one of `parts`, within bounds; none of a small range. */
export function namedShare(size: number, parts: number, most: number): number {
	const least = 16;
	return size < least ? 0 : Math.min(most, Math.max(least, Math.floor(size / parts)));
}

/** Passes for which a number must be unused before it counts as leaked. */
const leakPasses = 3;

export class RangeAllocator {
	readonly #options: RangeOptions;
	readonly #unused = new Map<number, number>();

	constructor(options: RangeOptions) {
		this.#options = options;
	}

	get size(): number {
		return this.#options.size;
	}

	async allocate(offset: number, dryRun: boolean): Promise<Allocation> {
		if (offset < 0 || offset >= this.#options.size) return "out_of_range";
		let result: Allocation = "ok";
		await this.#change(dryRun, (bits) => {
			result = bits.has(offset) ? "taken" : "ok";
			bits.set(offset);
		});
		return result;
	}

	/** Undefined: the range is full. */
	async allocateNext(dryRun: boolean): Promise<number | undefined> {
		let found: number | undefined;
		await this.#change(dryRun, (bits) => {
			const { size, random } = this.#options;
			const low = this.#low();
			found = bits.free(low + random.int(Math.max(1, size - low)), size, low);
			if (found !== undefined) bits.set(found);
		});
		return found;
	}

	/**
	 * The search begins anywhere above the lowest numbers: those are for services that name theirs, the first for the
	 * kubernetes service, and are given to others last.
	 */
	#low(): number {
		return Math.max(1, Math.min(this.#options.named, this.#options.size - 1));
	}

	async release(offset: number): Promise<void> {
		await this.#change(false, (bits) => bits.clear(offset));
	}

	/** Sets what is in use, and frees what has been unused for several passes: a reservation may be waiting for its object. */
	async repair(used: ReadonlySet<number>): Promise<void> {
		await this.#change(false, (bits) => {
			for (const offset of used) if (offset >= 0 && offset < this.#options.size) bits.set(offset);
			for (const offset of [...bits.offsets()]) {
				if (used.has(offset)) {
					this.#unused.delete(offset);
					continue;
				}
				const passes = (this.#unused.get(offset) ?? 0) + 1;
				this.#unused.set(offset, passes);
				if (passes <= leakPasses) continue;
				bits.clear(offset);
				this.#unused.delete(offset);
			}
		});
	}

	async #change(dryRun: boolean, edit: (bits: Bitmap) => void): Promise<void> {
		const { storage, key } = this.#options;
		if (dryRun) {
			const current = await storage.get(key);
			edit(this.#decode(current?.bytes));
			return;
		}
		for (;;) {
			const outcome = await storage.update(key, undefined, async (current) => {
				const bits = this.#decode(current.bytes);
				edit(bits);
				return { kind: "put", bytes: this.#encode(bits) };
			});
			if (outcome !== undefined) return;
			const bits = this.#decode(undefined);
			edit(bits);
			if ((await storage.create(key, this.#encode(bits))) !== undefined) return;
		}
	}

	/** Another range than ours: the addresses in it mean nothing here, and repair fills in those in use. */
	#decode(bytes: Buffer | undefined): Bitmap {
		if (bytes === undefined) return new Bitmap(Buffer.alloc(0));
		const value = JSON.parse(bytes.toString("utf8")) as RangeAllocation;
		return new Bitmap(value.range === this.#options.range ? Buffer.from(value.data ?? "", "base64") : Buffer.alloc(0));
	}

	#encode(bits: Bitmap): Buffer {
		const { range } = this.#options;
		return Buffer.from(
			JSON.stringify({
				kind: "RangeAllocation",
				apiVersion: "v1",
				metadata: {},
				range,
				data: bits.toBuffer().toString("base64"),
			}),
		);
	}
}
