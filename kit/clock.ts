/** Time as a dependency: production code takes a `Clock` and never reads the system's directly, so it runs unchanged under simulated time. */
export interface Timer {
	/** Idempotent; the callback never runs afterwards. */
	cancel(): void;
}

export interface Clock {
	/** Wall time, ms since the epoch. May jump. */
	now(): number;
	/** Monotonic time in ms from an arbitrary origin; fractions are meaningful. */
	monotonic(): number;
	/** Runs `callback` once, `ms` from now. Timers do not keep the process alive unless `keepAlive`. */
	after(ms: number, callback: () => void, options?: { keepAlive?: boolean }): Timer;
	/** Runs `callback` every `ms`, first after `ms`. */
	every(ms: number, callback: () => void): Timer;
}

export const systemClock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	after(ms, callback, options) {
		const handle = setTimeout(callback, ms);
		if (options?.keepAlive !== true) handle.unref();
		return { cancel: () => clearTimeout(handle) };
	},
	every(ms, callback) {
		const handle = setInterval(callback, ms);
		handle.unref();
		return { cancel: () => clearInterval(handle) };
	},
};

/** Resolves after `ms` of the clock's time; keeps the process alive; rejects with the signal's reason when aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		if (signal?.aborted === true) return reject(signal.reason as Error);
		const onAbort = () => {
			timer.cancel();
			reject(signal?.reason as Error);
		};
		const timer = clock.after(
			ms,
			() => {
				signal?.removeEventListener("abort", onAbort);
				resolve();
			},
			{ keepAlive: true },
		);
		signal?.addEventListener("abort", onAbort, { once: true });
	});
}
