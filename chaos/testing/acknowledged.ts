/** A load of puts that remembers what was acknowledged, to be looked for after harm. */
import { setTimeout as delay } from "node:timers/promises";
import { TargetError } from "../workloads/target.ts";

/** What the load needs of a store's client. */
export interface PutTarget {
	put(key: string, value: string): Promise<unknown>;
}

const prefix = "acknowledged/";
const value = "x".repeat(300);

export class AcknowledgedPuts {
	readonly keys: string[] = [];
	errors = 0;
	#stopped = false;
	readonly #done: Promise<unknown>;

	constructor(target: PutTarget, writers: number) {
		this.#done = Promise.all(Array.from({ length: writers }, (_, i) => this.#write(target, i)));
	}

	async #write(target: PutTarget, writer: number): Promise<void> {
		for (let n = 0; !this.#stopped; n++) {
			const key = `${prefix}${writer}/${n}`;
			try {
				await target.put(key, value);
				this.keys.push(key);
			} catch (error) {
				if (!(error instanceof TargetError)) throw error;
				this.errors++;
				await delay(20);
			}
		}
	}

	/** Resolves when that many more are acknowledged; `alive` says whether to go on waiting. */
	async more(count: number, alive: () => boolean = () => true): Promise<void> {
		const goal = this.keys.length + count;
		while (this.keys.length < goal && alive()) await delay(10);
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await this.#done;
	}

	/** Acknowledged keys that are not in `found`. */
	lost(found: readonly { readonly key: string }[]): string[] {
		const there = new Set(found.map((kv) => kv.key));
		return this.keys.filter((key) => !there.has(key));
	}

	static readonly prefix = prefix;
}
