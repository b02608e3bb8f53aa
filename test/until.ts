/** Waiting in tests for what comes about by itself. */
import { setTimeout as delay } from "node:timers/promises";

const stepMs = 100;

/** Polls until `find` gives something; an error counts as "not yet" and is named when patience ends. */
export async function eventually<T>(
	what: string,
	find: () => Promise<T | undefined | false>,
	patienceMs = 60_000,
): Promise<T> {
	const deadline = performance.now() + patienceMs;
	let last: unknown;
	while (performance.now() < deadline) {
		try {
			const found = await find();
			if (found !== undefined && found !== false) return found;
		} catch (error) {
			last = error;
		}
		await delay(stepMs);
	}
	throw new Error(`never happened: ${what}${last instanceof Error ? ` (${last.message})` : ""}`);
}
