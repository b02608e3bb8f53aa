/**
 * What a run has set up on the machine must not stay when the run is interrupted: clean-ups are registered while there is
 * something to clean up, and SIGINT, SIGTERM and SIGHUP run them before they end the process as they would have anyway.
 */

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Longer than any clean-up takes; then the process ends all the same. */
const patienceMs = 30_000;

const cleanups = new Set<() => Promise<void>>();
let isEnding = false;

/**
 * Registers a clean-up for an interruption; it is called at most once, together with all others. Returns what takes it
 * back, for when everything was cleaned up in the ordinary way. Throws where the interruption has begun: to be called
 * before there is anything to clean up, since nobody would do it any more.
 */
export function cleanUpOnInterrupt(cleanup: () => Promise<void>): () => void {
	if (isEnding) throw new Error("the run was interrupted");
	if (cleanups.size === 0) for (const signal of signals) process.on(signal, onSignal);
	cleanups.add(cleanup);
	return () => {
		cleanups.delete(cleanup);
		if (cleanups.size === 0 && !isEnding) stopListening();
	};
}

/**
 * What an interruption broke must not end the process, by an error or an exit code, before all is cleaned up: resolves at
 * once, or never, since then the process ends by its signal.
 */
export async function unlessInterrupted(): Promise<void> {
	if (isEnding) await new Promise<never>(() => {});
}

function stopListening(): void {
	for (const signal of signals) process.off(signal, onSignal);
}

/** A terminal sends one signal to all processes of a group, and a parent may pass it on once more: only the first counts. */
function onSignal(signal: NodeJS.Signals): void {
	if (isEnding) return;
	isEnding = true;
	process.stderr.write(`barque: ${signal}, cleaning up\n`);
	const patience = setTimeout(() => endBy(signal), patienceMs);
	void Promise.allSettled([...cleanups].map((cleanup) => cleanup())).then((results) => {
		clearTimeout(patience);
		for (const result of results) {
			if (result.status === "rejected") process.stderr.write(`barque: cleaning up: ${String(result.reason)}\n`);
		}
		endBy(signal);
	});
}

/** Libraries listen, too (testcontainers' locks do), and then the signal would only wake them. */
function endBy(signal: NodeJS.Signals): void {
	stopListening();
	process.removeAllListeners(signal);
	process.kill(process.pid, signal);
}
