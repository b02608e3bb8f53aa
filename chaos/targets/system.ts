/** What members run: our store, or a real etcd. */
import { setTimeout as delay } from "node:timers/promises";
import type { Command, Host, Place } from "../places/place.ts";
import type { KvTarget } from "../workloads/target.ts";
import type { Leadership } from "./members.ts";

export interface ClientOptions {
	readonly requestTimeoutMs: number;
	/** Wrong on purpose: reads may be stale. */
	readonly serializableReads: boolean;
}

export interface System {
	readonly name: string;
	/** What starts the member of `host` in a cluster of all hosts of `place`. */
	command(host: Host, place: Place): Command;
	/** The version of the member at this address once it answers; undefined: not yet. */
	version(url: string): Promise<string | undefined>;
	/** See `Members`. */
	readonly exactTerms: boolean;
	/** Who leads as the members of these hosts say, and the term. */
	leader(hosts: readonly Host[]): Promise<Leadership | undefined>;
	/** The nearest member first. */
	connect(urls: readonly string[], options: ClientOptions): KvTarget;
	/** Discards history before this revision. */
	compact(urls: readonly string[], revision: number): Promise<void>;
	/** Absent where the system has no such thing. */
	defragment?(url: string): Promise<void>;
	close(): Promise<void>;
}

/** How long a question about a member may take. */
export const askMs = 1000;
/** How long a member may take to say that it leads: one that stands still must not hold up what the others say. */
export const leaderMs = 300;

export function clientUrl(host: Host): string {
	return `http://${host.clientAddress}:${host.clientPort}`;
}

export function peerUrl(host: Host): string {
	return `http://${host.peerAddress}:${host.peerPort}`;
}

/** Flags that our store shares with etcd. */
export function memberFlags(host: Host, { hosts }: Place): string[] {
	return [
		`--name=${host.name}`,
		`--data-dir=${host.dataDir}`,
		`--listen-client-urls=${clientUrl(host)}`,
		`--advertise-client-urls=${clientUrl(host)}`,
		`--listen-peer-urls=${peerUrl(host)}`,
		`--initial-advertise-peer-urls=${peerUrl(host)}`,
		`--initial-cluster=${hosts.map((each) => `${each.name}=${peerUrl(each)}`).join(",")}`,
	];
}

/** undefined: no answer, or none in JSON. */
export async function fetchJson<T>(url: string): Promise<T | undefined> {
	try {
		const answer = await fetch(url, { signal: AbortSignal.timeout(askMs) });
		return (await answer.json()) as T;
	} catch {
		// Not there, not yet there, or standing still: all the same to whoever asks.
		return undefined;
	}
}

/** undefined where it takes longer. */
export async function within<T>(ms: number, answer: Promise<T | undefined>): Promise<T | undefined> {
	const timer = new AbortController();
	const late = delay(ms, undefined, { signal: timer.signal }).catch(() => undefined);
	try {
		return await Promise.race([answer, late]);
	} finally {
		timer.abort();
	}
}

/** A deposed leader may not know yet: who claims the highest term leads. */
export function newest(claims: readonly (Leadership | undefined)[]): Leadership | undefined {
	return claims.reduce((best, each) => ((each?.term ?? -1) > (best?.term ?? -1) ? each : best), undefined);
}
