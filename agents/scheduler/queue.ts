/**
 * Pods waiting to be scheduled (upstream's PriorityQueue): ready ones by priority and age, failed ones in back-off or
 * parked until something in the cluster changes that could help them.
 */
import { keyOf } from "../../apiserver/client/resources.ts";
import type { Clock, Timer } from "../../kit/clock.ts";
import type { PodObject } from "./node-info.ts";

const initialBackoffMs = 1_000;
const maxBackoffMs = 10_000;
/** A parked pod is tried again after this long even when nothing was seen to change. */
const parkedMs = 300_000;

interface Waiting {
	pod: PodObject;
	readonly since: number;
	attempts: number;
	/** Monotonic ms before which it is not tried again. */
	notBefore: number;
	parkedAt: number | undefined;
}

const priority = (waiting: Waiting) => waiting.pod.spec?.priority ?? 0;

export class SchedulingQueue {
	readonly #clock: Clock;
	readonly #onReady: () => void;
	readonly #waiting = new Map<string, Waiting>();
	#timer: Timer | undefined;

	/** `onReady` is called when `pop` may have something. */
	constructor(clock: Clock, onReady: () => void) {
		this.#clock = clock;
		this.#onReady = onReady;
	}

	get length(): number {
		return this.#waiting.size;
	}

	/** Adds or replaces a pod; one that changed leaves its parking. */
	add(pod: PodObject): void {
		const known = this.#waiting.get(keyOf(pod));
		if (known === undefined || known.pod.metadata.uid !== pod.metadata.uid) {
			const since = this.#clock.monotonic();
			this.#waiting.set(keyOf(pod), { pod, since, attempts: 0, notBefore: 0, parkedAt: undefined });
		} else {
			if (JSON.stringify(known.pod.spec) !== JSON.stringify(pod.spec)) known.parkedAt = undefined;
			known.pod = pod;
		}
		this.#onReady();
	}

	remove(key: string): void {
		this.#waiting.delete(key);
	}

	/** The next pod to try, or undefined. It stays known until `remove`; `failed` puts it aside. */
	pop(): PodObject | undefined {
		const now = this.#clock.monotonic();
		let best: Waiting | undefined;
		for (const waiting of this.#waiting.values()) {
			if (waiting.parkedAt !== undefined && now - waiting.parkedAt < parkedMs) continue;
			if (waiting.notBefore > now) continue;
			if (best === undefined || priority(waiting) > priority(best)) best = waiting;
			else if (priority(waiting) === priority(best) && waiting.since < best.since) best = waiting;
		}
		if (best === undefined) return undefined;
		best.attempts++;
		best.parkedAt = undefined;
		best.notBefore = Number.POSITIVE_INFINITY;
		return best.pod;
	}

	/** A try failed: back-off, and with `park` also until `moveAll`. */
	failed(pod: PodObject, park: boolean): void {
		const waiting = this.#waiting.get(keyOf(pod));
		if (waiting === undefined) return;
		const now = this.#clock.monotonic();
		waiting.notBefore = now + Math.min(maxBackoffMs, initialBackoffMs * 2 ** (waiting.attempts - 1));
		waiting.parkedAt = park ? now : undefined;
		this.#wake();
	}

	/** Something changed that may make room: parked pods are tried again after their back-off. */
	moveAll(): void {
		for (const waiting of this.#waiting.values()) waiting.parkedAt = undefined;
		this.#wake();
	}

	stop(): void {
		this.#timer?.cancel();
		this.#waiting.clear();
	}

	#wake(): void {
		this.#timer?.cancel();
		this.#timer = undefined;
		const now = this.#clock.monotonic();
		let soonest = Number.POSITIVE_INFINITY;
		for (const waiting of this.#waiting.values()) {
			const parkedUntil = waiting.parkedAt === undefined ? 0 : waiting.parkedAt + parkedMs;
			soonest = Math.min(soonest, Math.max(waiting.notBefore, parkedUntil));
		}
		if (soonest <= now) this.#onReady();
		else if (Number.isFinite(soonest)) {
			this.#timer = this.#clock.after(soonest - now, () => {
				this.#timer = undefined;
				this.#onReady();
				this.#wake();
			});
		}
	}
}
