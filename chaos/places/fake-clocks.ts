/** Wall clocks that are wrong: `chaos/places/native/clock-fault.c` between the member and libc. */
import { closeSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import type { Clocks } from "./clocks.ts";
import { buildPreload, type Environment, removeFolder, type SeenPaths, temporaryFolder } from "./preload.ts";

/** What the library reads: which of two slots holds, then each slot's since (ns), offset (ns) and rate, 64 bits each. */
const controlWords = 7;
const slotWords = 3;
const wordBytes = 8;
const nsPerMs = 1_000_000;

interface Control {
	readonly descriptor: number;
	slot: 0 | 1;
}

/**
 * As libfaketime does it, which could not serve here: it counts a rate from the start of the process, so that a new rate
 * also jumps; a rate makes timers wrong, too; and where the clock may change while the process runs, each look reads a
 * file (4 µs instead of 50 ns). Here timers, monotonic clocks and times of files stay right, and a look costs 70 ns.
 *
 * For programs that ask libc for the time, as Node does; Go's programs (etcd) ask the kernel's page themselves and see
 * the true time.
 */
export class FakeClocks implements Clocks {
	/** The compiled library, and the folder of control files; members in containers need both mounted. */
	readonly library: string;
	readonly directory: string;
	readonly #controls = new Map<string, Control>();

	/** Throws MissingToolError where there is no compiler. */
	static async create(): Promise<FakeClocks> {
		const library = await buildPreload("clock-fault.c");
		return new FakeClocks(library, await temporaryFolder("clock"));
	}

	private constructor(library: string, directory: string) {
		this.library = library;
		this.directory = directory;
	}

	/** For the member's process; `seen` as that process sees it. The right time at first. */
	env(name: string, seen: SeenPaths = this): Environment {
		this.#control(name);
		return { LD_PRELOAD: seen.library, BARQUE_CLOCK_FILE: path.join(seen.directory, name) };
	}

	/** `rate` 1 is right, 0 stands still; below 0 would run backwards and is refused. */
	async skew(name: string, offsetMs: number, rate: number): Promise<void> {
		if (!(rate >= 0 && rate <= 1000)) throw new RangeError(`rate ${rate} is not within 0 and 1000`);
		if (!Number.isFinite(offsetMs)) throw new RangeError(`offset ${offsetMs} ms is not a number`);
		this.#set(this.#control(name), offsetMs, rate);
	}

	async heal(): Promise<void> {
		for (const control of this.#controls.values()) this.#set(control, 0, 1);
	}

	#set(control: Control, offsetMs: number, rate: number): void {
		const since = BigInt(Date.now()) * BigInt(nsPerMs);
		const bytes = new DataView(new ArrayBuffer(slotWords * wordBytes));
		bytes.setBigInt64(0, since, littleEndian);
		bytes.setBigInt64(wordBytes, BigInt(Math.round(offsetMs * nsPerMs)), littleEndian);
		bytes.setFloat64(2 * wordBytes, rate, littleEndian);
		const slot = control.slot === 0 ? 1 : 0;
		writeSync(control.descriptor, bytes, 0, bytes.byteLength, (1 + slot * slotWords) * wordBytes);
		const choice = new DataView(new ArrayBuffer(wordBytes));
		choice.setBigUint64(0, BigInt(slot), littleEndian);
		writeSync(control.descriptor, choice, 0, choice.byteLength, 0);
		control.slot = slot;
	}

	#control(name: string): Control {
		let control = this.#controls.get(name);
		if (control === undefined) {
			const descriptor = openSync(path.join(this.directory, name), "w+");
			control = { descriptor, slot: 0 };
			writeSync(descriptor, new Uint8Array(controlWords * wordBytes));
			this.#set(control, 0, 1);
			this.#controls.set(name, control);
		}
		return control;
	}

	async close(): Promise<void> {
		for (const { descriptor } of this.#controls.values()) closeSync(descriptor);
		this.#controls.clear();
		await removeFolder(this.directory);
	}
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
