/** A system on the hosts of a place: members that can be harmed. */
import { setTimeout as delay } from "node:timers/promises";
import type { Disks } from "../places/disks.ts";
import type { Host, Place } from "../places/place.ts";
import { listPrefix, TargetError } from "../workloads/target.ts";
import { type Ended, type Members, rotated } from "./members.ts";
import { type ClientOptions, clientUrl, type System } from "./system.ts";

const readyMs = 30_000;
const pollMs = 50;
/** Readers of history may lag this much behind a compaction. */
const lagMs = 300;

/** Starts every member and resolves once they have a leader. Takes place and system over: they end with the members. */
export async function startMembers(place: Place, system: System, clients: ClientOptions): Promise<Members> {
	const cluster = new Cluster(place, system, clients);
	try {
		await cluster.startAll();
	} catch (error) {
		await cluster.close();
		throw error;
	}
	return cluster;
}

class Cluster implements Members {
	readonly #place: Place;
	readonly #system: System;
	readonly #clients: ClientOptions;
	#version = "";
	/** Those that were run and have no reason to end since then. */
	readonly #watched = new Set<string>();
	readonly #ended: Ended[] = [];
	readonly defragment: Members["defragment"];
	readonly disks: Disks | undefined;

	constructor(place: Place, system: System, clients: ClientOptions) {
		this.#place = place;
		this.#system = system;
		this.#clients = clients;
		this.disks = this.#excusing(place.disks?.((name) => this.#host(name).end("SIGKILL")));
		if (system.defragment !== undefined) {
			this.defragment = (name) => system.defragment!(clientUrl(this.#host(name)));
		}
	}

	get description(): string {
		const { hosts, description } = this.#place;
		return `${hosts.length} members of ${this.#system.name} ${this.#version} in ${description}`;
	}

	get names(): readonly string[] {
		return this.#place.hosts.map((host) => host.name);
	}

	get exactTerms(): boolean {
		return this.#system.exactTerms;
	}

	get network() {
		return this.#place.network;
	}

	get clocks() {
		return this.#place.clocks;
	}

	/** Members whose disks fail may end. */
	#excusing(disks: Disks | undefined): Disks | undefined {
		if (disks === undefined) return undefined;
		const { harm, loseUnsynced } = disks;
		return {
			...disks,
			...(harm && {
				harm: (name, fault) => {
					// A slow disk is no reason to end.
					if (fault !== "slow") this.#excuse(name);
					return harm(name, fault);
				},
			}),
			...(loseUnsynced && {
				loseUnsynced: (names) => {
					for (const name of names) this.#excuse(name);
					return loseUnsynced(names);
				},
			}),
		};
	}

	/** What it does from now on is no fault of its own, until it is run again. */
	#excuse(name: string): void {
		this.#notice(name);
		this.#watched.delete(name);
	}

	#notice(name: string): void {
		const { isRunning, output } = this.#host(name);
		if (isRunning || !this.#watched.delete(name)) return;
		this.#ended.push({ name, output });
	}

	async ended(): Promise<readonly Ended[]> {
		for (const name of this.names) this.#notice(name);
		return [...this.#ended];
	}

	#host(name: string): Host {
		const host = this.#place.hosts.find((each) => each.name === name);
		if (host === undefined) throw new RangeError(`no member ${name}; there are ${this.names.join(", ")}`);
		return host;
	}

	async startAll(): Promise<void> {
		await Promise.all(this.names.map((name) => this.start(name)));
		const deadline = performance.now() + readyMs;
		while ((await this.leader()) === undefined) {
			if (performance.now() > deadline) throw new Error(`no leader after ${readyMs / 1000} s:\n${this.#outputs()}`);
			await delay(pollMs);
		}
		// As if it had run for a while: one that loses its very beginning does not come up again, and shows nothing worse.
		await this.disks?.writeBack?.(this.names);
	}

	#outputs(): string {
		return this.#place.hosts.map((host) => `${host.name}:\n${host.output}`).join("\n");
	}

	async start(name: string): Promise<void> {
		const host = this.#host(name);
		this.#notice(name);
		const deadline = performance.now() + readyMs;
		for (let isOurs = false; ; ) {
			// One that ran until now may be just ending of what was done to it before.
			if (!host.isRunning && !isOurs) {
				await host.run(this.#system.command(host, this.#place));
				isOurs = true;
			}
			if (!host.isRunning) throw new Error(`${name} ended:\n${host.output}`);
			const version = await this.#system.version(clientUrl(host));
			if (version !== undefined) {
				this.#version = version;
				if (isOurs) this.#watched.add(name);
				return;
			}
			if (performance.now() > deadline) throw new Error(`${name} is not ready:\n${host.output}`);
			await delay(pollMs);
		}
	}

	kill(name: string): Promise<void> {
		this.#excuse(name);
		return this.#host(name).end("SIGKILL");
	}

	stop(name: string): Promise<void> {
		this.#excuse(name);
		return this.#host(name).end("SIGTERM");
	}

	pause(name: string): Promise<void> {
		return this.#host(name).pause();
	}

	resume(name: string): Promise<void> {
		return this.#host(name).resume();
	}

	leader() {
		return this.#system.leader(this.#place.hosts);
	}

	/** What a cluster without a leader cannot do is left for another time. */
	async compact(): Promise<void> {
		const urls = this.#place.hosts.map(clientUrl);
		const client = this.#system.connect(urls, { ...this.#clients, serializableReads: false });
		try {
			const { revision } = await listPrefix(client, "compact");
			await delay(lagMs);
			await this.#system.compact(urls, revision);
		} catch (error) {
			if (!(error instanceof TargetError)) throw error;
		} finally {
			await client.close();
		}
	}

	connect(index: number) {
		return this.#system.connect(rotated(this.#place.hosts.map(clientUrl), index), this.#clients);
	}

	async close(): Promise<void> {
		await this.#system.close();
		await this.#place.close();
	}
}
