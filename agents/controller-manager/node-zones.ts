/** How many unready nodes a second may be evicted, by zone: the more of a zone is unready, the likelier the fault is ours. */

import { createTokenBucket, type TokenBucket } from "../../apiserver/client/limiter.ts";
import type { Clock } from "../../kit/clock.ts";
import { append } from "../../kit/lists.ts";

export interface ZonesOptions {
	readonly clock: Clock;
	/** Nodes a second. */
	readonly rate: number;
	readonly secondaryRate: number;
	readonly largeSize: number;
	readonly unhealthyShare: number;
}

export interface NodeState {
	readonly zone: string;
	readonly ready: boolean;
}

export type ZoneState = "Normal" | "PartialDisruption" | "FullDisruption";

export interface Zones {
	/** Judges every zone anew. */
	assess(nodes: readonly NodeState[]): void;
	/** Every zone is entirely unready: nothing is evicted, and what was is taken back. */
	readonly withheld: boolean;
	/** Queues a node for eviction. */
	request(node: string, zone: string): void;
	/** Queues it again, at the front, without taking a further ration. */
	retry(node: string, zone: string): void;
	forget(node: string): void;
	/** Takes the nodes whose turn it is. */
	due(): string[];
	/** Ms until the next turn; undefined when none waits for one. */
	nextDue(): number | undefined;
}

/** A zone's state by its nodes. */
export function zoneState(nodes: readonly NodeState[], unhealthyShare: number): ZoneState {
	const unready = nodes.filter((node) => !node.ready).length;
	if (unready > 0 && unready === nodes.length) return "FullDisruption";
	return unready > 2 && unready / nodes.length >= unhealthyShare ? "PartialDisruption" : "Normal";
}

interface Zone {
	rate: number;
	bucket: TokenBucket;
	readonly waiting: Set<string>;
	readonly free: Set<string>;
}

export function createZones(options: ZonesOptions): Zones {
	const { clock } = options;
	const zones = new Map<string, Zone>();
	let withheld = false;

	function zoneOf(name: string): Zone {
		let zone = zones.get(name);
		if (zone === undefined) {
			const bucket = createTokenBucket(clock, options.rate, 1);
			zones.set(name, (zone = { rate: options.rate, bucket, waiting: new Set(), free: new Set() }));
		}
		return zone;
	}

	function setRate(zone: Zone, rate: number): void {
		if (zone.rate === rate) return;
		zone.rate = rate;
		zone.bucket = createTokenBucket(clock, rate, 1);
	}

	return {
		get withheld() {
			return withheld;
		},
		assess(nodes) {
			const byZone = Map.groupBy(nodes, (node) => node.zone);
			const states = new Map([...byZone].map(([zone, list]) => [zone, zoneState(list, options.unhealthyShare)]));
			withheld = nodes.length > 0 && [...states.values()].every((state) => state === "FullDisruption");
			for (const [name, state] of states) {
				const size = byZone.get(name)?.length ?? 0;
				const reduced = size > options.largeSize ? options.secondaryRate : 0;
				// One zone that is gone entirely is evicted at the usual rate, as long as others are well.
				setRate(zoneOf(name), withheld ? 0 : state === "PartialDisruption" ? reduced : options.rate);
			}
		},
		request(node, zone) {
			zoneOf(zone).waiting.add(node);
		},
		retry(node, zone) {
			zoneOf(zone).free.add(node);
		},
		forget(node) {
			for (const zone of zones.values()) {
				zone.waiting.delete(node);
				zone.free.delete(node);
			}
		},
		due() {
			const due: string[] = [];
			for (const zone of zones.values()) {
				append(due, zone.free);
				zone.free.clear();
				for (const node of zone.waiting) {
					if (zone.rate === 0 || !zone.bucket.tryTake()) break;
					zone.waiting.delete(node);
					due.push(node);
				}
			}
			return due;
		},
		nextDue() {
			let next: number | undefined;
			for (const zone of zones.values()) {
				if (zone.free.size > 0) return 0;
				if (zone.waiting.size > 0 && zone.rate > 0) next = Math.min(next ?? Number.POSITIVE_INFINITY, 1000 / zone.rate);
			}
			return next === undefined ? undefined : Math.min(next, 1000);
		},
	};
}
