/** Taking back what a place has set up, in the opposite order, also when it is interrupted in the middle. */
import { cleanUpOnInterrupt } from "./cleanup.ts";

/** What `start` has added to be undone is undone where it fails or is interrupted; else by whoever it gave its `undo` to. */
export async function withUndo<T>(start: (undo: Undo) => Promise<T>): Promise<T> {
	const undo = new Undo();
	try {
		return await undo.after(start(undo));
	} catch (error) {
		await undo.run();
		throw error;
	}
}

/** What takes back what was done, the latest first; once, and also when the run is interrupted. */
export class Undo {
	readonly #steps: (() => Promise<void>)[] = [];
	readonly #forget = cleanUpOnInterrupt(() => this.run());
	#work: Promise<unknown> | undefined;
	#result: Promise<void> | undefined;
	#isTaking = false;

	/** Nothing is taken back before this has come to its end, well or not. */
	after<T>(work: Promise<T>): Promise<T> {
		this.#work = work;
		return work;
	}

	/** Throws where it is being taken back already: nobody would take this step. */
	add(step: () => Promise<void>): void {
		if (this.#isTaking) throw new Error("it is being taken back");
		this.#steps.unshift(step);
	}

	/** Every step is taken, whatever became of those before; then it rejects with the first failure. */
	run(): Promise<void> {
		this.#result ??= this.#take();
		return this.#result;
	}

	async #take(): Promise<void> {
		await Promise.allSettled([this.#work]);
		this.#isTaking = true;
		const failures: unknown[] = [];
		for (const step of this.#steps) await step().catch((error: unknown) => failures.push(error));
		this.#forget();
		if (failures.length > 0) throw failures[0];
	}
}
