/** Our own store as the system under test. */
import type { StoreClient } from "../../store/api.ts";
import { connectStore } from "../../store/client/client.ts";
import type { Command, Host, Place } from "../places/place.ts";
import type { KvTarget } from "../workloads/target.ts";
import type { Leadership } from "./members.ts";
import { attempt, storeTarget } from "./store.ts";
import {
	askMs,
	type ClientOptions,
	clientUrl,
	fetchJson,
	leaderMs,
	memberFlags,
	newest,
	type System,
	within,
} from "./system.ts";

/** Small limits, so that snapshots and new segments happen within a run. */
const limits = ["--snapshot-count=500"];

export class StoreSystem implements System {
	readonly name = "barque store";
	readonly exactTerms = true;
	/** For questions to one member each. */
	readonly #clients = new Map<string, StoreClient>();

	command(host: Host, place: Place): Command {
		return { program: place.node, args: [place.launcher, "store", ...memberFlags(host, place), ...limits] };
	}

	async version(url: string): Promise<string | undefined> {
		return (await fetchJson<{ barque?: string }>(`${url}/version`))?.barque;
	}

	async leader(hosts: readonly Host[]): Promise<Leadership | undefined> {
		return newest(await Promise.all(hosts.map((host) => within(leaderMs, this.#leads(host)))));
	}

	async #leads(host: Host): Promise<Leadership | undefined> {
		const url = clientUrl(host);
		try {
			// One term before and after: its role in between is that of this term.
			const before = await this.#term(url);
			const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(leaderMs) });
			const leads = /^etcd_server_is_leader(\{.*\})? 1$/m.test(await answer.text());
			return leads && (await this.#term(url)) === before ? { name: host.name, term: before } : undefined;
		} catch {
			// Down or standing still: it does not lead, as far as anybody can tell.
			return undefined;
		}
	}

	async #term(url: string): Promise<number> {
		const { header } = await this.#client(url).range({ key: Buffer.from([0]), serializable: true, limit: 1 });
		return header.raftTerm;
	}

	#client(url: string): StoreClient {
		let client = this.#clients.get(url);
		if (client === undefined) {
			client = connectStore({ endpoints: [url], requestTimeoutMs: leaderMs });
			this.#clients.set(url, client);
		}
		return client;
	}

	connect(urls: readonly string[], { requestTimeoutMs, serializableReads }: ClientOptions): KvTarget {
		return storeTarget(connectStore({ endpoints: urls, requestTimeoutMs }), { serializableReads });
	}

	async compact(urls: readonly string[], revision: number): Promise<void> {
		const client = connectStore({ endpoints: urls, requestTimeoutMs: askMs });
		try {
			await attempt(client.compact({ revision }));
		} finally {
			await client.close();
		}
	}

	async close(): Promise<void> {
		await Promise.all([...this.#clients.values()].map((client) => client.close()));
	}
}
