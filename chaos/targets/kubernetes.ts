/** A whole cluster of ours: masters to be harmed, each with its store member, apiserver and agents, and nodes that are left alone. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createApiClient } from "../../apiserver/client/rest.ts";
import { adminTls } from "../../bin/cluster/certificates.ts";
import { type Layout, type MasterEndpoints, masterParts } from "../../bin/cluster/layout.ts";
import { knownParts, runningPid, signalPart, stopPart } from "../../bin/cluster/processes.ts";
import { type Cluster, startClusterOn } from "../../bin/cluster/start-cluster.ts";
import { type StoreClient, StoreError } from "../../store/api.ts";
import { connectStore } from "../../store/client/client.ts";
import type { Link, Network } from "../faults/network.ts";
import type { ApiTarget } from "../workloads/api.ts";
import { cleanUpOnInterrupt } from "./cleanup.ts";
import { type Agents, type Leadership, type Members, rotated } from "./members.ts";
import type { Place } from "./place.ts";
import { Tasks } from "./tasks.ts";

export interface ClusterMembersOptions {
	readonly masters: 1 | 3 | 5;
	/** Default 1; their pods are simulated. */
	readonly nodes?: number;
	/** One master on each host, with the network of that host. Ends with the cluster. Default: all on this machine. */
	readonly place?: Place | undefined;
}

/** Clients may not wait forever for an apiserver that stands still. */
const requestMs = 5000;
const askMs = 1000;
const graceMs = 15_000;
const agentParts = ["controller-manager", "scheduler"] as const;
const pollMs = 50;
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
	const { masters, nodes = 1, place } = options;
	let own: OwnCluster | undefined;
	try {
		const hosts = place === undefined ? undefined : hostsOf(place, masters);
		own = await OwnCluster.start(hosts, {
			masters,
			nodes,
			runtime: "hollow",
			extraArgs: { "controller-manager": election, scheduler: election },
		});
		const { endpoints } = own.cluster;
		return new ClusterMembers(own, await adminTls(endpoints), await storeTls(endpoints), place);
	} catch (error) {
		await own?.end();
		await place?.close();
		throw error;
	}
}

type Hosts = Parameters<typeof startClusterOn>[0];
type ClusterOptions = Parameters<typeof startClusterOn>[1];

/**
 * The cluster, its files, and whatever of it is being started: its parts are processes of sessions of their own, which
 * nothing ends but us, also when the run is interrupted.
 */
class OwnCluster {
	#dir: string | undefined;
	readonly #starting = new Tasks();
	readonly #forget = cleanUpOnInterrupt(() => this.end());
	#cluster: Cluster | undefined;
	#ended: Promise<void> | undefined;

	static async start(hosts: Hosts, options: ClusterOptions): Promise<OwnCluster> {
		const own = new OwnCluster();
		try {
			await own.#starting.do(async () => {
				own.#dir = await mkdtemp(path.join(tmpdir(), "barque-chaos-"));
				own.#cluster = await startClusterOn(hosts, { ...options, dir: own.#dir });
			});
			return own;
		} catch (error) {
			await own.end();
			throw error;
		}
	}

	get cluster(): Cluster {
		return this.#cluster!;
	}

	revive(master: string): Promise<void> {
		return this.#starting.do(() => this.cluster.reviveMaster(master));
	}

	/** Leaves nothing behind; once. */
	end(): Promise<void> {
		this.#ended ??= this.#end();
		return this.#ended;
	}

	async #end(): Promise<void> {
		const settled = this.#starting.close().then(() => true);
		// What waits for parts to be ready gives up once they have ended.
		while (!(await Promise.race([settled, delay(pollMs, false)]))) await killParts(this.#dir);
		await this.#cluster?.stop();
		if (this.#dir !== undefined) await rm(this.#dir, { recursive: true, force: true });
		this.#forget();
	}
}

async function killParts(dir: string | undefined): Promise<void> {
	if (dir === undefined) return;
	for (const part of await knownParts(dir)) await stopPart(dir, part, 0);
}

function hostsOf(place: Place, masters: number) {
	const { enter, hosts } = place;
	if (enter === undefined || hosts.length !== masters) {
		throw new RangeError(`${masters} masters do not fit ${place.description} with ${hosts.length} hosts`);
	}
	const hostOf = new Map(hosts.map(({ name }, i) => [masterName(i), name]));
	return {
		addresses: hosts.map(({ peerAddress, clientAddress }) => ({ peer: peerAddress, client: clientAddress })),
		enter: (master: string, command: { readonly program: string; readonly args: readonly string[] }) =>
			enter(hostOf.get(master)!, command),
	};
}

const masterName = (index: number) => `master-${index + 1}`;

async function storeTls({ pki }: Layout) {
	const files = [pki.storeClientCa, pki.storeClientCert, pki.storeClientKey];
	const [ca = "", cert = "", key = ""] = await Promise.all(files.map((file) => readFile(file, "utf8")));
	return { ca, cert, key };
}

type ApiTls = Awaited<ReturnType<typeof adminTls>>;
type StoreTls = Awaited<ReturnType<typeof storeTls>>;

class ClusterMembers implements Members<ApiTarget & { close(): Promise<void> }> {
	readonly description: string;
	readonly names: readonly string[];
	readonly network: Network | undefined;
	readonly agents: Agents;
	readonly #own: OwnCluster;
	readonly #cluster: Cluster;
	readonly #place: Place | undefined;
	readonly #apiTls: ApiTls;
	readonly #storeTls: StoreTls;
	/** For questions to one store member each. */
	readonly #stores: readonly StoreClient[];

	constructor(own: OwnCluster, apiTls: ApiTls, tls: StoreTls, place: Place | undefined) {
		const { masters, nodes } = own.cluster.endpoints;
		const where = place === undefined ? "processes on this machine" : place.description;
		this.description = `a cluster of ${masters.length} masters and ${nodes.length} nodes in ${where}`;
		this.names = masters.map(({ name }) => name);
		this.network = place?.network === undefined ? undefined : this.#mastersNetwork(place.network, place);
		const signalAgents = async (master: string, signal: NodeJS.Signals) => {
			await Promise.all(agentParts.map((part) => signalPart(own.cluster.dir, `${master}-${part}`, signal)));
		};
		this.agents = {
			pause: (master) => signalAgents(master, "SIGSTOP"),
			resume: (master) => signalAgents(master, "SIGCONT"),
		};
		this.#own = own;
		this.#cluster = own.cluster;
		this.#place = place;
		this.#apiTls = apiTls;
		this.#storeTls = tls;
		this.#stores = masters.map(({ store }) => this.#connectStore([store.clientUrl]));
	}

	/** The place knows hosts; masters are told by their own names. */
	#mastersNetwork(network: Network, { hosts }: Place): Network {
		const host = new Map(hosts.map(({ name }, i) => [masterName(i), name]));
		const onHosts = (links: readonly Link[]) => links.map(([from, to]): Link => [host.get(from)!, host.get(to)!]);
		return {
			cut: (links) => network.cut(onHosts(links)),
			lose: (links, percent) => network.lose(onHosts(links), percent),
			slow: (links, delayMs, jitterMs) => network.slow(onHosts(links), delayMs, jitterMs),
			heal: () => network.heal(),
		};
	}

	#connectStore(endpoints: readonly string[]): StoreClient {
		return connectStore({ endpoints, tls: this.#storeTls, requestTimeoutMs: askMs });
	}

	async #eachPart(master: string, act: (part: string) => Promise<unknown>): Promise<void> {
		await Promise.all(masterParts.map((part) => act(`${master}-${part}`)));
	}

	kill(name: string): Promise<void> {
		return this.#cluster.killMaster(name);
	}

	async start(name: string): Promise<void> {
		await this.resume(name);
		await this.#own.revive(name);
	}

	/** As a machine that is shut down does: SIGTERM to all at once, SIGKILL to what still runs a while later. */
	async stop(name: string): Promise<void> {
		const { dir } = this.#cluster;
		await this.resume(name);
		await this.#eachPart(name, (part) => stopPart(dir, part, graceMs));
	}

	async pause(name: string): Promise<void> {
		await this.#eachPart(name, (part) => signalPart(this.#cluster.dir, part, "SIGSTOP"));
	}

	async resume(name: string): Promise<void> {
		await this.#eachPart(name, (part) => signalPart(this.#cluster.dir, part, "SIGCONT"));
	}

	/** The master whose store member leads. */
	async leader(): Promise<Leadership | undefined> {
		const { masters } = this.#cluster.endpoints;
		const claims = await Promise.all(masters.map((master, i) => this.#leads(master, this.#stores[i]!)));
		const known = claims.filter((claim) => claim !== undefined);
		return known.sort((a, b) => b.term - a.term)[0];
	}

	async #leads({ name, store }: MasterEndpoints, client: StoreClient): Promise<Leadership | undefined> {
		if ((await runningPid(this.#cluster.dir, `${name}-store`)) === undefined) return undefined;
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
			close: async () => {
				await Promise.all(apis.map((api) => api.close()));
			},
		};
	}

	async close(): Promise<void> {
		// What stands still sees no SIGTERM.
		await Promise.all(this.names.map((name) => this.resume(name)));
		await Promise.all(this.#stores.map((client) => client.close()));
		await this.#own.end();
		await this.#place?.close();
	}
}

async function termOf(client: StoreClient): Promise<number> {
	const { header } = await client.range({ key: Buffer.from([0]), serializable: true, limit: 1 });
	return header.raftTerm;
}
