/** A real etcd as the system under test, through its JSON gateway. */

import type { Command, Host, Place } from "../places/place.ts";
import { type KvTarget, TargetError } from "../workloads/target.ts";
import { EtcdGateway } from "./etcd-gateway.ts";
import type { Leadership } from "./members.ts";
import {
	askMs,
	type ClientOptions,
	clientUrl,
	fetchJson,
	leaderMs,
	memberFlags,
	newest,
	type System,
} from "./system.ts";

export interface EtcdOptions {
	/** The program: a path, or a name on the place's PATH. */
	readonly program: string;
	/** Wrong on purpose: what is acknowledged may be in memory only. */
	readonly unsafeNoFsync: boolean;
}

export class EtcdSystem implements System {
	readonly name = "etcd";
	readonly exactTerms = false;
	readonly #options: EtcdOptions;

	constructor(options: EtcdOptions) {
		this.#options = options;
	}

	command(host: Host, place: Place): Command {
		const flags = [...memberFlags(host, place), "--snapshot-count=500"];
		if (this.#options.unsafeNoFsync) flags.push("--unsafe-no-fsync");
		return { program: this.#options.program, args: flags };
	}

	async version(url: string): Promise<string | undefined> {
		return (await fetchJson<{ etcdserver?: string }>(`${url}/version`))?.etcdserver;
	}

	async leader(hosts: readonly Host[]): Promise<Leadership | undefined> {
		const claims = hosts.map(async (host): Promise<Leadership | undefined> => {
			const gateway = new EtcdGateway({ endpoints: [clientUrl(host)], requestTimeoutMs: leaderMs });
			try {
				const { member, leader, term } = await gateway.status();
				return member === leader ? { name: host.name, term } : undefined;
			} catch (error) {
				if (error instanceof TargetError) return undefined;
				throw error;
			}
		});
		return newest(await Promise.all(claims));
	}

	connect(urls: readonly string[], { requestTimeoutMs, serializableReads }: ClientOptions): KvTarget {
		return new EtcdGateway({ endpoints: urls, requestTimeoutMs, serializableReads });
	}

	compact(urls: readonly string[], revision: number): Promise<void> {
		return new EtcdGateway({ endpoints: urls, requestTimeoutMs: askMs }).compact(revision);
	}

	defragment(url: string): Promise<void> {
		return new EtcdGateway({ endpoints: [url], requestTimeoutMs: 10 * askMs }).defragment();
	}

	async close(): Promise<void> {}
}
