/**
 * Removes in the background what compactions made unreadable, a slice of keys at a time: between slices the event loop
 * turns and the engine takes the removals. Begins anew after a restart until a pass is complete.
 */
import type { KeySpace } from "../mvcc/keyspace.ts";
import type { EngineWriter } from "./writer.ts";

const keysPerSlice = 1000;

export interface CompactorOptions {
	readonly turn: () => Promise<void>;
	/** Everything a compaction at `revision` made unreadable is removed. */
	readonly done: (revision: number) => void;
	readonly failed: (error: unknown) => void;
}

export class Compactor {
	readonly #space: KeySpace;
	readonly #writer: EngineWriter;
	readonly #options: CompactorOptions;
	#done: number;
	#target: number;
	#running = false;
	#stopped = false;
	#failed = false;
	#pins = 0;
	#unpinned: (() => void)[] = [];
	#waiters: { readonly revision: number; readonly resolve: () => void }[] = [];

	/** `done`: the last complete pass. */
	constructor(space: KeySpace, writer: EngineWriter, done: number, options: CompactorOptions) {
		this.#space = space;
		this.#writer = writer;
		this.#done = done;
		this.#target = done;
		this.#options = options;
	}

	compactTo(revision: number): void {
		this.#target = Math.max(this.#target, revision);
		if (this.#running || this.#target <= this.#done) return;
		this.#running = true;
		this.#run()
			.catch((error: unknown) => {
				this.#failed = true;
				if (!this.#writer.failed) this.#options.failed(error);
			})
			.finally(() => {
				this.#running = false;
				// A request may have come between the end of the last pass and here.
				if (!this.#stopped && !this.#failed) this.compactTo(this.#target);
			});
	}

	/** Nothing is removed until the function returned is called: readers of the engine need what they saw in the index. */
	pin(): () => void {
		this.#pins++;
		let held = true;
		return () => {
			if (!held) return;
			held = false;
			if (--this.#pins > 0) return;
			for (const resolve of this.#unpinned.splice(0)) resolve();
		};
	}

	async #mayGoOn(): Promise<boolean> {
		while (this.#pins > 0 && !this.#stopped) {
			await new Promise<void>((resolve) => {
				this.#unpinned.push(resolve);
			});
		}
		return !this.#stopped;
	}

	async #run(): Promise<void> {
		while (this.#done < this.#target) {
			const goal = this.#target;
			let at: string | undefined = "";
			while (at !== undefined) {
				if (!(await this.#mayGoOn())) return;
				at = this.#space.compactSlice(goal, at, keysPerSlice);
				await this.#writer.flushed(false);
				await this.#options.turn();
			}
			if (this.#stopped) return;
			this.#done = goal;
			this.#options.done(goal);
			await this.#writer.flushed(false);
			this.#settle();
		}
	}

	#settle(): void {
		const due = this.#waiters.filter((waiter) => waiter.revision <= this.#done);
		this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#done);
		for (const waiter of due) waiter.resolve();
	}

	/** Resolves once a pass at or beyond `revision` is complete, or the compactor is stopped. */
	whenDone(revision: number): Promise<void> {
		if (revision <= this.#done || this.#stopped) return Promise.resolve();
		return new Promise((resolve) => {
			this.#waiters.push({ revision, resolve });
		});
	}

	stop(): void {
		this.#stopped = true;
		for (const resolve of this.#unpinned.splice(0)) resolve();
		for (const waiter of this.#waiters.splice(0)) waiter.resolve();
	}
}
