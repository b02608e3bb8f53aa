/** client-go's rate-limited work queue with its workers: a key waits in it once and is never processed twice at a time. */
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import { createTokenBucket } from "./limiter.ts";
import type { WorkQueue } from "./types.ts";

const itemBaseMs = 5;
const itemMaxMs = 1_000_000;
const overallQps = 10;
const overallBurst = 100;

/** What processing may ask for: the key once more, later. */
export interface Requeue {
	readonly requeueAfterMs: number;
}

export interface WorkQueueOptions {
	readonly name: string;
	/** Keys processed at the same time. Default 1. */
	readonly workers?: number | undefined;
	readonly clock: Clock;
	readonly logger: Logger;
	/** What to do for a key. A rejection is logged and repeats the key with its back-off; a result may ask for it again later. */
	readonly process: (key: string) => Promise<Requeue | undefined> | Promise<void>;
	/** False: keys wait until `start`. Default true. */
	readonly autoStart?: boolean | undefined;
	/** The longest back-off of one key, ms. Default 1,000 s. */
	readonly maxBackoffMs?: number | undefined;
	/** The first back-off of one key, ms. Default 5. */
	readonly baseBackoffMs?: number | undefined;
	/** A key that failed this often is given up. Default: never. */
	readonly maxRetries?: number | undefined;
	/** An error that is expected (a lost race) is logged at debug level only. */
	readonly expected?: ((error: unknown) => boolean) | undefined;
}

/** Totals since the start; `depth` is now. */
export interface WorkQueueMetrics {
	readonly depth: number;
	readonly adds: number;
	readonly retries: number;
	readonly processed: number;
	readonly failed: number;
	/** Keys being processed now. */
	readonly active: number;
	/** How long the active keys have been processed: the sum, and the longest. */
	readonly unfinishedSeconds: number;
	readonly longestRunningSeconds: number;
}

/** Told how long keys waited for a worker, and how long their processing took, in seconds. */
export interface WorkQueueObserver {
	waited(seconds: number): void;
	worked(seconds: number): void;
}

export interface RunningWorkQueue extends WorkQueue {
	readonly name: string;
	/** Begins to process, when made with `autoStart: false`. */
	start(): void;
	/** How often the key failed since it was last forgotten. */
	retries(key: string): number;
	readonly metrics: WorkQueueMetrics;
	/** One observer, from now on. */
	observe(observer: WorkQueueObserver): void;
	/** Resolves when nothing is queued (timers aside) or being processed. */
	idle(): Promise<void>;
	/** Resolves when nothing is being processed; for after `stop`, which does not wait for it. */
	settled(): Promise<void>;
}

interface Waiting {
	readonly due: number;
	readonly timer: Timer;
}

/** A queue whose workers run until `stop`. */
export function createWorkQueue(options: WorkQueueOptions): RunningWorkQueue {
	const { clock, process, name } = options;
	const logger = options.logger.with({ queue: name });
	const workers = options.workers ?? 1;
	const bucket = createTokenBucket(clock, overallQps, overallBurst);
	/** Waiting keys in order of arrival, each with the time it arrived. */
	const queue = new Map<string, number>();
	/** Keys being processed, each with the time it began. */
	const active = new Map<string, number>();
	let observer: WorkQueueObserver | undefined;
	/** Added again while being processed. */
	const dirty = new Set<string>();
	const waiting = new Map<string, Waiting>();
	const failures = new Map<string, number>();
	let idlers: (() => void)[] = [];
	let settlers: (() => void)[] = [];
	let running = options.autoStart !== false;
	let stopped = false;
	let scheduled = false;
	let adds = 0;
	let retries = 0;
	let processed = 0;
	let failed = 0;

	/** Starts workers after the current turn, so that a burst of handlers adds all its keys first. */
	function pump() {
		if (scheduled || !running || stopped) return;
		scheduled = true;
		queueMicrotask(() => {
			scheduled = false;
			for (const [key, since] of queue) {
				if (stopped || active.size >= workers) break;
				queue.delete(key);
				const now = clock.monotonic();
				observer?.waited((now - since) / 1000);
				active.set(key, now);
				void run(key);
			}
			if (queue.size === 0 && active.size === 0) {
				for (const done of idlers) done();
				idlers = [];
			}
		});
	}

	async function run(key: string) {
		try {
			const result = (await process(key)) as Requeue | undefined;
			processed++;
			failures.delete(key);
			if (result !== undefined) addAfter(key, result.requeueAfterMs);
		} catch (error) {
			failed++;
			onFailure(key, error);
		} finally {
			observer?.worked((clock.monotonic() - (active.get(key) ?? 0)) / 1000);
			active.delete(key);
			if (active.size === 0) {
				for (const done of settlers) done();
				settlers = [];
			}
			if (dirty.delete(key)) queue.set(key, clock.monotonic());
			pump();
		}
	}

	function onFailure(key: string, error: unknown) {
		const tries = failures.get(key) ?? 0;
		if (options.maxRetries !== undefined && tries >= options.maxRetries) {
			logger.error("giving up on key", { key, error, tries });
			failures.delete(key);
			return;
		}
		if (options.expected?.(error) === true) logger.debug("will try again", { key, error });
		else
			logger.warn("processing failed", { key, error, ...(error instanceof TypeError ? { stack: error.stack } : {}) });
		addRateLimited(key);
	}

	function add(key: string) {
		if (stopped) return;
		if (active.has(key)) {
			if (!dirty.has(key)) adds++;
			dirty.add(key);
			return;
		}
		if (queue.has(key)) return;
		adds++;
		queue.set(key, clock.monotonic());
		pump();
	}

	/** The earliest of several delays counts. */
	function addAfter(key: string, ms: number) {
		if (stopped) return;
		if (ms <= 0) return add(key);
		const due = clock.monotonic() + ms;
		const before = waiting.get(key);
		if (before !== undefined) {
			if (before.due <= due) return;
			before.timer.cancel();
		}
		const timer = clock.after(Math.min(ms, 2 ** 31 - 1), () => {
			waiting.delete(key);
			if (clock.monotonic() < due) addAfter(key, due - clock.monotonic());
			else add(key);
		});
		waiting.set(key, { due, timer });
	}

	function addRateLimited(key: string) {
		const tries = failures.get(key) ?? 0;
		failures.set(key, tries + 1);
		retries++;
		const item = Math.min(options.maxBackoffMs ?? itemMaxMs, (options.baseBackoffMs ?? itemBaseMs) * 2 ** tries);
		addAfter(key, Math.max(item, bucket.reserve()));
	}

	return {
		name,
		add,
		addAfter,
		addRateLimited,
		forget: (key) => void failures.delete(key),
		retries: (key) => failures.get(key) ?? 0,
		get length() {
			return queue.size;
		},
		get metrics() {
			const now = clock.monotonic();
			let unfinishedSeconds = 0;
			let longestRunningSeconds = 0;
			for (const began of active.values()) {
				unfinishedSeconds += (now - began) / 1000;
				longestRunningSeconds = Math.max(longestRunningSeconds, (now - began) / 1000);
			}
			const times = { unfinishedSeconds, longestRunningSeconds };
			return { depth: queue.size, adds, retries, processed, failed, active: active.size, ...times };
		},
		observe(next) {
			observer = next;
		},
		start() {
			running = true;
			pump();
		},
		idle() {
			if (queue.size === 0 && active.size === 0) return Promise.resolve();
			return new Promise((resolve) => idlers.push(resolve));
		},
		settled() {
			if (active.size === 0) return Promise.resolve();
			return new Promise((resolve) => settlers.push(resolve));
		},
		stop() {
			stopped = true;
			for (const { timer } of waiting.values()) timer.cancel();
			waiting.clear();
			queue.clear();
			dirty.clear();
			for (const done of idlers) done();
			idlers = [];
		},
	};
}
