/** Records Events about objects (client-go's record.EventRecorder): similar ones are combined, repeated ones counted, floods cut. */
import { type Clock, sleep } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import { ApiError } from "../machinery/errors.ts";
import { formatTime } from "../machinery/meta.ts";
import { dns1123SubdomainProblems } from "../machinery/names.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { Event, ObjectReference } from "../scheme/types.gen.ts";
import { createTokenBucket, type TokenBucket } from "./limiter.ts";
import { events } from "./resources.ts";
import type { ApiClient } from "./types.ts";

const maxQueued = 1000;
const cacheSize = 4096;
const maxSimilar = 10;
const similarWindowMs = 600_000;
const sourceBurst = 25;
const sourceQps = 1 / 300;
const maxTries = 12;
const retryMs = 10_000;
const maxMessageBytes = 1024;

/**
 * An event name that begins with the object's name where that gives a valid name: it may be too long, or have
 * characters not allowed in event names.
 */
function eventName(object: string, suffix: string): string {
	const name = `${object}.${suffix}`;
	return dns1123SubdomainProblems(name).length === 0 ? name : `event.${suffix}`;
}

export interface EventRecorder {
	/** Queues an event about `object` (or about a reference, when the object itself is gone). Never throws or waits. */
	event(
		object: KubeObject<object> | ObjectReference,
		type: "Normal" | "Warning",
		reason: string,
		message: string,
	): void;
	/** Resolves when everything queued is written or given up. */
	flush(): Promise<void>;
	stop(): void;
}

export interface EventRecorderOptions {
	readonly client: ApiClient;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/** `replicaset-controller`. */
	readonly component: string;
	/** The node's name for kubelets. */
	readonly host?: string | undefined;
}

/** A map that forgets the least recently used. */
class LruMap<V> {
	readonly #map = new Map<string, V>();
	readonly #limit: number;

	constructor(limit: number) {
		this.#limit = limit;
	}

	get(key: string): V | undefined {
		const value = this.#map.get(key);
		if (value !== undefined) {
			this.#map.delete(key);
			this.#map.set(key, value);
		}
		return value;
	}

	set(key: string, value: V): void {
		this.#map.delete(key);
		this.#map.set(key, value);
		if (this.#map.size > this.#limit) {
			const oldest = this.#map.keys().next();
			if (oldest.done !== true) this.#map.delete(oldest.value);
		}
	}
}

interface Similar {
	readonly messages: Set<string>;
	lastAt: number;
}

interface Seen {
	name: string;
	namespace: string;
	count: number;
	firstTimestamp: string;
}

/** What an Event's `involvedObject` says of `object`. */
export function referenceTo(object: KubeObject<object>): ObjectReference {
	const { namespace, name, uid, resourceVersion } = object.metadata;
	return {
		kind: object.kind,
		...(namespace === undefined ? {} : { namespace }),
		name,
		uid,
		apiVersion: object.apiVersion,
		...(resourceVersion === undefined ? {} : { resourceVersion }),
	};
}

const isObject = (o: KubeObject<object> | ObjectReference): o is KubeObject<object> => "metadata" in o;

function truncated(message: string): string {
	const bytes = Buffer.from(message);
	return bytes.length <= maxMessageBytes ? message : `${bytes.toString("utf8", 0, maxMessageBytes - 4)}...`;
}

/** Writes through `client` one event at a time, in order. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
	const { client, clock, random, component } = options;
	const logger = options.logger.with({ component });
	const api = client.resource<Event>(events);
	const similar = new LruMap<Similar>(cacheSize);
	const seen = new LruMap<Seen>(cacheSize);
	const buckets = new LruMap<TokenBucket>(cacheSize);
	const queue: Event[] = [];
	const stopping = new AbortController();
	let working: Promise<void> | undefined;
	let dropped = 0;

	function build(ref: ObjectReference, type: string, reason: string, message: string): Event {
		const now = clock.now();
		// Upstream's suffix is the time in nanoseconds, in hex; ours gets its last digits from the random source.
		const suffix = (BigInt(now) * 1_000_000n + BigInt(random.int(1_000_000))).toString(16);
		const source = { component, ...(options.host === undefined ? {} : { host: options.host }) };
		return {
			apiVersion: "v1",
			kind: "Event",
			metadata: { name: eventName(ref.name ?? "", suffix), namespace: ref.namespace || "default" },
			involvedObject: ref,
			reason,
			message: truncated(message),
			source,
			firstTimestamp: formatTime(now),
			lastTimestamp: formatTime(now),
			count: 1,
			type,
			reportingComponent: component,
			reportingInstance: options.host ?? "",
		};
	}

	const groupKey = (e: Event) => {
		const o = e.involvedObject ?? {};
		return JSON.stringify([o.kind, o.namespace, o.name, o.uid, o.apiVersion, o.fieldPath, e.type, e.reason]);
	};

	function allowed(event: Event): boolean {
		const o = event.involvedObject ?? {};
		const key = JSON.stringify([o.kind, o.namespace, o.name, o.uid, o.apiVersion]);
		let bucket = buckets.get(key);
		if (bucket === undefined) buckets.set(key, (bucket = createTokenBucket(clock, sourceQps, sourceBurst)));
		return bucket.tryTake();
	}

	/** The key under which repetitions are counted; many similar messages become one. */
	function aggregate(event: Event): string {
		const group = groupKey(event);
		const now = clock.monotonic();
		let record = similar.get(group);
		if (record === undefined || now - record.lastAt > similarWindowMs) {
			similar.set(group, (record = { messages: new Set(), lastAt: now }));
		}
		record.lastAt = now;
		record.messages.add(event.message ?? "");
		if (record.messages.size < maxSimilar) return `${group}\0${event.message ?? ""}`;
		const oldest = record.messages.values().next();
		if (oldest.done !== true) record.messages.delete(oldest.value);
		event.message = `(combined from similar events): ${event.message ?? ""}`;
		return group;
	}

	async function write(event: Event, key: string): Promise<void> {
		const before = seen.get(key);
		if (before !== undefined) {
			before.count++;
			const patch = { count: before.count, lastTimestamp: event.lastTimestamp, message: event.message };
			try {
				await api.patch(before.namespace, before.name, "merge", patch);
				return;
			} catch (error) {
				// The event object has expired on the server: create it anew, with its count.
				if (!(error instanceof ApiError) || error.code !== 404) {
					before.count--;
					throw error;
				}
			}
			event.count = before.count;
			event.firstTimestamp = before.firstTimestamp;
		}
		const namespace = event.metadata?.namespace ?? "default";
		await api.create(namespace, event);
		seen.set(key, {
			name: event.metadata?.name ?? "",
			namespace,
			count: event.count ?? 1,
			firstTimestamp: event.firstTimestamp ?? "",
		});
	}

	/** Connection failures are retried; a refusal by the server is final. */
	async function writeWithRetries(event: Event): Promise<void> {
		const key = aggregate(event);
		if (!allowed(event)) return;
		for (let tries = 1; ; tries++) {
			try {
				return await write(event, key);
			} catch (error) {
				if (error instanceof ApiError) {
					const expected = error.reason === "AlreadyExists" || /being terminated/.test(error.message);
					if (!expected) logger.warn("event rejected", { reason: event.reason, error });
					return;
				}
				if (tries >= maxTries || stopping.signal.aborted) {
					logger.warn("event not written", { reason: event.reason, error, tries });
					return;
				}
				await sleep(clock, tries === 1 ? retryMs * random.float() : retryMs, stopping.signal).catch(() => undefined); // stopped
			}
		}
	}

	async function work(): Promise<void> {
		for (let event = queue.shift(); event !== undefined; event = queue.shift()) await writeWithRetries(event);
		working = undefined;
	}

	return {
		event(object, type, reason, message) {
			if (stopping.signal.aborted) return;
			if (queue.length >= maxQueued) {
				if (dropped++ % 1000 === 0) logger.warn("event queue is full, dropping events", { limit: maxQueued, dropped });
				return;
			}
			queue.push(build(isObject(object) ? referenceTo(object) : object, type, reason, message));
			working ??= Promise.resolve().then(work);
		},
		async flush() {
			await working;
		},
		stop() {
			stopping.abort(new Error("stopping"));
			queue.length = 0;
		},
	};
}
