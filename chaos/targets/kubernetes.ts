/** A whole cluster of ours: masters to be harmed, each with its store member, apiserver and agents, and nodes that are left alone. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { createApiClient } from "../../apiserver/client/rest.ts";
import { adminTls } from "../../cluster/certificates.ts";
import type { Layout, MasterEndpoints } from "../../cluster/layout.ts";
import type { Cluster } from "../../cluster/start-cluster.ts";
import { type StoreClient, StoreError } from "../../store/api.ts";
import { connectStore } from "../../store/client/client.ts";
import type { Clocks } from "../places/clocks.ts";
import type { Disks } from "../places/disks.ts";
import type { Link, Network } from "../places/network.ts";
import type { Place } from "../places/place.ts";
import type { ApiTarget } from "../workloads/api.ts";
import { type Agents, type Ended, type Leadership, type Members, rotated } from "./members.ts";
import { masterName, OwnCluster } from "./own-cluster.ts";

export interface ClusterMembersOptions {
	/** Default 1; their pods are simulated. */
	readonly nodes?: number;
	/** One master on each host (1, 3 or 5), with its network, clock and disk. Ends with the cluster. */
	readonly place: Place;
}

/** Clients may not wait forever for an apiserver that stands still. */
const requestMs = 5000;
const askMs = 1000;
const agentParts = ["controller-manager", "scheduler"] as const;
/** Readers of history may lag this much behind a compaction. */
const lagMs = 300;
/** Short terms, so that agents change their leader within a run. */
const election = [
	"--leader-elect-lease-duration=6s",
	"--leader-elect-renew-deadline=4s",
	"--leader-elect-retry-period=1s",
];

/** Resolves when every master and node is ready. Takes the place over. */
export async function startClusterMembers(
	options: ClusterMembersOptions,
): Promise<Members<ApiTarget & { close(): Promise<void> }>> {
	const { nodes = 1, place } = options;
	let members: ClusterMembers | undefined;
	try {
		const extraArgs = { "controller-manager": election, scheduler: election };
		const own = await OwnCluster.start(place, { nodes, runtime: "hollow", extraArgs });
		const { endpoints } = own.cluster;
		members = new ClusterMembers(own, await adminTls(endpoints), await storeTls(endpoints), place);
		// As if it had run for a while: one that loses its very beginning does not come up again, and shows nothing worse.
		await members.disks?.writeBack?.(members.names);
		return members;
	} catch (error) {
		await (members ?? place).close();
		throw error;
	}
}

async function storeTls({ pki }: Layout) {
	const files = [pki.storeClientCa, pki.storeClientCert, pki.storeClientKey];
	const [ca = "", cert = "", key = ""] = await Promise.all(files.map((file) => readFile(file, "utf8")));
	return { ca, cert, key };
}

/** The place knows hosts; masters are told by their own names. */
class HostNames {
	readonly #names: readonly string[];

	constructor({ hosts }: Place) {
		this.#names = hosts.map(({ name }) => name);
	}

	of(master: string): string {
		const host = this.#names.find((_, i) => masterName(i) === master);
		if (host === undefined) throw new RangeError(`no master ${master}; there are ${this.#names.length}`);
		return host;
	}

	masterOn(host: string): string {
		return masterName(this.#names.indexOf(host));
	}
}

type ApiTls = Awaited<ReturnType<typeof adminTls>>;
type StoreTls = Awaited<ReturnType<typeof storeTls>>;

class ClusterMembers implements Members<ApiTarget & { close(): Promise<void> }> {
	readonly description: string;
	readonly names: readonly string[];
	readonly network: Network | undefined;
	readonly clocks: Clocks | undefined;
	readonly disks: Disks | undefined;
	readonly agents: Agents;
	readonly #own: OwnCluster;
	readonly #cluster: Cluster;
	readonly #place: Place;
	readonly #hosts: HostNames;
	readonly #apiTls: ApiTls;
	readonly #storeTls: StoreTls;
	/** For questions to one store member each. */
	readonly #stores: readonly StoreClient[];

	constructor(own: OwnCluster, apiTls: ApiTls, tls: StoreTls, place: Place) {
		const { masters, nodes } = own.cluster.endpoints;
		this.#own = own;
		this.#cluster = own.cluster;
		this.#place = place;
		this.#hosts = new HostNames(place);
		this.description = `a cluster of ${masters.length} masters and ${nodes.length} nodes in ${place.description}`;
		this.names = masters.map(({ name }) => name);
		this.network = place.network === undefined ? undefined : this.#mastersNetwork(place.network);
		this.clocks = place.clocks === undefined ? undefined : this.#mastersClocks(place.clocks);
		this.disks = this.#mastersDisks();
		this.agents = {
			pause: (master) => own.signal(master, "SIGSTOP", agentParts),
			resume: (master) => own.signal(master, "SIGCONT", agentParts),
		};
		this.#apiTls = apiTls;
		this.#storeTls = tls;
		this.#stores = masters.map(({ store }) => this.#connectStore([store.clientUrl]));
	}

	#mastersNetwork(network: Network): Network {
		const onHosts = (links: readonly Link[]) =>
			links.map(([from, to]): Link => [this.#hosts.of(from), this.#hosts.of(to)]);
		return {
			cut: (links) => network.cut(onHosts(links)),
			lose: (links, percent) => network.lose(onHosts(links), percent),
			slow: (links, delayMs, jitterMs) => network.slow(onHosts(links), delayMs, jitterMs),
			heal: () => network.heal(),
		};
	}

	#mastersClocks(clocks: Clocks): Clocks {
		return {
			skew: (master, offsetMs, rate) => clocks.skew(this.#hosts.of(master), offsetMs, rate),
			heal: () => clocks.heal(),
		};
	}

	/** Under each master's store, which is all that writes; power takes the whole master. */
	#mastersDisks(): Disks | undefined {
		// That sends its signals late, so stores have been sent theirs before (`loseUnsynced`).
		const disks = this.#place.disks?.((host) => this.#cluster.killMaster(this.#hosts.masterOn(host)));
		if (disks === undefined) return undefined;
		const { harm, heal, loseUnsynced, writeBack } = disks;
		const onHosts = (masters: readonly string[]) => masters.map((master) => this.#hosts.of(master));
		return {
			...(harm && {
				harm: async (master, fault) => {
					// A slow disk is no reason to end.
					if (fault !== "slow") await this.#own.excuse(master, ["store"]);
					await harm(this.#hosts.of(master), fault);
				},
			}),
			...(heal && { heal: (master) => heal(this.#hosts.of(master)) }),
			...(loseUnsynced && {
				loseUnsynced: async (masters) => {
					for (const master of masters) await this.#own.excuse(master);
					// Nobody may hear of a sync that the dying disk lets pass.
					await Promise.all(masters.map((master) => this.#own.signal(master, "SIGKILL", ["store"])));
					await loseUnsynced(onHosts(masters));
				},
			}),
			...(writeBack && { writeBack: (masters) => writeBack(onHosts(masters)) }),
		};
	}

	ended(): Promise<readonly Ended[]> {
		return this.#own.ended();
	}

	#connectStore(endpoints: readonly string[]): StoreClient {
		return connectStore({ endpoints, tls: this.#storeTls, requestTimeoutMs: askMs });
	}

	async kill(name: string): Promise<void> {
		await this.#own.excuse(name);
		await this.#cluster.killMaster(name);
	}

	async start(name: string): Promise<void> {
		await this.resume(name);
		await this.#own.revive(name);
	}

	async stop(name: string): Promise<void> {
		await this.resume(name);
		await this.#own.excuse(name);
		await this.#own.stop(name);
	}

	pause(name: string): Promise<void> {
		return this.#own.signal(name, "SIGSTOP");
	}

	resume(name: string): Promise<void> {
		return this.#own.signal(name, "SIGCONT");
	}

	/** The master whose store member leads. */
	async leader(): Promise<Leadership | undefined> {
		const { masters } = this.#cluster.endpoints;
		const claims = await Promise.all(masters.map((master, i) => this.#leads(master, this.#stores[i]!)));
		const known = claims.filter((claim) => claim !== undefined);
		return known.sort((a, b) => b.term - a.term)[0];
	}

	async #leads({ name, store }: MasterEndpoints, client: StoreClient): Promise<Leadership | undefined> {
		if (!(await this.#own.isRunning(name, "store"))) return undefined;
		try {
			// One term before and after: its role in between is that of this term.
			const before = await termOf(client);
			const answer = await fetch(`${store.metricsUrl}/metrics`, { signal: AbortSignal.timeout(askMs) });
			const leads = /^etcd_server_is_leader(\{.*\})? 1$/m.test(await answer.text());
			return leads && (await termOf(client)) === before ? { name, term: before } : undefined;
		} catch {
			// Down or standing still: it does not lead, as far as anybody can tell.
			return undefined;
		}
	}

	/** What a store without a leader cannot do is left for another time. */
	async compact(): Promise<void> {
		const { masters } = this.#cluster.endpoints;
		const client = this.#connectStore(masters.map(({ store }) => store.clientUrl));
		try {
			const { header } = await client.range({ key: Buffer.from([0]), limit: 1 });
			await delay(lagMs);
			await client.compact({ revision: header.revision });
		} catch (error) {
			if (!(error instanceof StoreError)) throw error;
		} finally {
			await client.close();
		}
	}

	connect(index: number): ApiTarget & { close(): Promise<void> } {
		const urls = this.#cluster.endpoints.masters.map(({ apiserver }) => apiserver.url);
		const apis = rotated(urls, index).map((server) =>
			createApiClient({ server, ...this.#apiTls, userAgent: "barque-chaos", timeoutMs: requestMs }),
		);
		return {
			apis,
			namespace: "default",
			wrongClocks: this.clocks !== undefined,
			close: async () => {
				await Promise.all(apis.map((api) => api.close()));
			},
		};
	}

	async close(): Promise<void> {
		try {
			// What stands still sees no SIGTERM.
			await Promise.all(this.names.map((name) => this.resume(name)));
			await Promise.all(this.#stores.map((client) => client.close()));
		} finally {
			// The cluster goes first.
			await this.#place.close();
		}
	}
}

async function termOf(client: StoreClient): Promise<number> {
	const { header } = await client.range({ key: Buffer.from([0]), serializable: true, limit: 1 });
	return header.raftTerm;
}
