/** Makes a failing run smaller, as long as it fails in the same way: fewer faults, fewer clients, less time. */
import { type RunResult, runSeed } from "./run.ts";
import type { Reduction } from "./swarm.ts";

export interface Shrunk {
	readonly reduction: Reduction;
	readonly result: RunResult;
	readonly runs: number;
}

/** What kind of violation it is: the text before the colon. */
export function violationKind(result: RunResult): string | undefined {
	return result.violations[0]?.split(":")[0];
}

/** Delta debugging over the faults that happened; at most `maxRuns` runs. */
export async function shrink(failed: RunResult, start: Reduction = {}, maxRuns = 150): Promise<Shrunk> {
	const shrinker = new Shrinker(failed, start, maxRuns);
	await shrinker.run();
	return { reduction: shrinker.best, result: shrinker.result, runs: shrinker.runs };
}

class Shrinker {
	readonly #kind: string | undefined;
	readonly #maxRuns: number;
	best: Reduction;
	result: RunResult;
	runs = 0;

	constructor(failed: RunResult, start: Reduction, maxRuns: number) {
		this.#kind = violationKind(failed);
		this.#maxRuns = maxRuns;
		this.best = start;
		this.result = failed;
	}

	/** Takes the smaller form when it still fails. */
	async #try(change: Reduction): Promise<boolean> {
		if (this.runs >= this.#maxRuns) return false;
		this.runs++;
		const reduction = { ...this.best, ...change };
		const result = await runSeed(this.result.seed, reduction);
		if (violationKind(result) !== this.#kind) return false;
		this.best = reduction;
		this.result = result;
		return true;
	}

	async run(): Promise<void> {
		await this.#shorten();
		await this.#lessFaults();
		for (let clients = 1; clients < this.result.swarm.clients; clients++) if (await this.#try({ clients })) break;
		await this.#shorten();
		await this.#lessFaults();
	}

	/** Ends the storm earlier. */
	async #shorten(): Promise<void> {
		for (const part of [0.25, 0.5, 0.75]) {
			const untilMs = Math.ceil(this.result.swarm.stormMs * part);
			if (untilMs > 50 && (await this.#try({ untilMs }))) return this.#shorten();
		}
	}

	async #lessFaults(): Promise<void> {
		if (!(await this.#try({ faults: this.result.faults }))) return;
		for (let parts = 2; this.result.faults.length > 0; ) {
			const faults = this.result.faults;
			const size = Math.ceil(faults.length / parts);
			let smaller = false;
			for (let at = 0; at < faults.length && !smaller; at += size) {
				smaller = await this.#try({ faults: [...faults.slice(0, at), ...faults.slice(at + size)] });
			}
			if (smaller) parts = Math.max(2, parts - 1);
			else if (size === 1) return;
			else parts *= 2;
			if (this.runs >= this.#maxRuns) return;
		}
	}
}
