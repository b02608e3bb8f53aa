/** Real members in one process on loopback, with data in a temporary directory: what tests of the store stand on. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, silentLogger } from "../kit/log.ts";
import type { KeyPair } from "../kit/pki.ts";
import type { StoreClient } from "./api.ts";
import { type ConnectOptions, connectStore } from "./client/client.ts";
import { initialCluster, parseUrl } from "./member/cluster.ts";
import type { PeerGate } from "./member/incarnations.ts";
import { StoreServer, type StoreServerOptions } from "./process/server.ts";

export interface TestClusterOptions {
	readonly size?: number;
	/** One key pair for all sides and its authority: members and clients then speak TLS and must show a certificate. */
	readonly tls?: { readonly ca: string; readonly pair: KeyPair };
	readonly server?: Partial<StoreServerOptions>;
	readonly logger?: Logger;
}

export async function freePorts(count: number): Promise<number[]> {
	const servers = Array.from({ length: count }, () => createServer());
	const ports = await Promise.all(
		servers.map(
			(server) =>
				new Promise<number>((resolve, reject) => {
					server.once("error", reject);
					server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
				}),
		),
	);
	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}

export class TestCluster {
	readonly names: readonly string[];
	readonly directory: string;
	readonly servers: (StoreServer | undefined)[];
	readonly fatal: Error[] = [];
	readonly #options: TestClusterOptions;
	readonly #peerPorts: readonly number[];
	readonly #clientPorts: readonly number[];
	readonly #clients: StoreClient[] = [];

	private constructor(options: TestClusterOptions, directory: string, ports: readonly number[]) {
		const size = options.size ?? 3;
		this.#options = options;
		this.directory = directory;
		this.names = Array.from({ length: size }, (_, i) => `m${i + 1}`);
		this.#peerPorts = ports.slice(0, size);
		this.#clientPorts = ports.slice(size);
		this.servers = this.names.map(() => undefined);
	}

	static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
		const directory = await mkdtemp(join(tmpdir(), "barque-store-"));
		const cluster = new TestCluster(options, directory, await freePorts(2 * (options.size ?? 3)));
		await Promise.all(cluster.names.map((_, i) => cluster.startMember(i)));
		return cluster;
	}

	get #scheme(): string {
		return this.#options.tls === undefined ? "http" : "https";
	}

	get endpoints(): string[] {
		return this.#clientPorts.map((port) => `${this.#scheme}://127.0.0.1:${port}`);
	}

	dataDir(i: number): string {
		return join(this.directory, this.names[i] ?? "");
	}

	serverOptions(i: number): StoreServerOptions {
		const peer = (n: number) => `${this.#scheme}://127.0.0.1:${this.#peerPorts[n]}`;
		const { tls } = this.#options;
		return {
			dataDir: this.dataDir(i),
			cluster: initialCluster({
				name: this.names[i] ?? "",
				initialCluster: this.names.map((name, n) => `${name}=${peer(n)}`).join(","),
				token: "test",
				advertisePeerUrls: [peer(i)],
			}),
			clusterState: "new",
			listenPeer: [parseUrl("listen-peer-urls", peer(i))],
			listenClient: [parseUrl("listen-client-urls", this.endpoints[i] ?? "")],
			peerTls: tls === undefined ? undefined : { ...tls.pair, ca: tls.ca, clientCertAuth: true },
			clientTls: tls === undefined ? undefined : { ...tls.pair, ca: tls.ca, clientCertAuth: true },
			heartbeatMs: 50,
			electionMs: 500,
			snapshotCount: 10_000,
			catchUpEntries: 5000,
			maxRequestBytes: 1.5 * 1024 * 1024,
			maxTxnOps: 128,
			quotaBytes: 2 * 2 ** 30,
			preVote: true,
			progressEveryMs: 600_000,
			version: "test",
			logger: this.#options.logger ?? silentLogger,
			onFatal: (error) => void this.fatal.push(error),
			...this.#options.server,
		};
	}

	async startMember(i: number): Promise<StoreServer> {
		const server = await StoreServer.start(this.serverOptions(i));
		this.servers[i] = server;
		return server;
	}

	/** Cuts it off in mid-air: peers and clients see broken connections, and nothing is flushed on its behalf. */
	async killMember(i: number): Promise<void> {
		const server = this.servers[i];
		this.servers[i] = undefined;
		await server?.kill();
	}

	/** Index of the leader as a majority sees it. */
	async leader(): Promise<number> {
		return eventually("a leader", () => {
			for (const [i, server] of this.servers.entries()) {
				const status = server?.member.status;
				if (status === undefined || status.role !== "leader") continue;
				const agree = this.servers.filter((other) => other?.member.leader === status.id).length;
				if (agree > this.servers.length / 2) return i;
			}
			return undefined;
		});
	}

	/** Closed with the cluster. */
	client(options: Partial<ConnectOptions> = {}): StoreClient {
		const { tls } = this.#options;
		const client = connectStore({
			endpoints: this.endpoints,
			...(tls === undefined ? {} : { tls: { ...tls.pair, ca: tls.ca } }),
			...options,
		});
		this.#clients.push(client);
		return client;
	}

	async stop(): Promise<void> {
		await Promise.all(this.#clients.map((client) => client.close()));
		await Promise.all(this.servers.map((_, i) => this.killMember(i)));
		await rm(this.directory, { recursive: true, force: true });
	}
}

/** For links alone: who greets is let in. */
export const openGate: PeerGate = {
	standing: () => ({ data: 1n, starts: 1, nonce: 1n, begun: true, term: 1 }),
	meet: () => Promise.resolve(undefined),
	answered: () => {},
	expelled: () => {},
};

/** Polls until `probe` gives something other than undefined or false. Generous, since it only bounds a hang. */
export async function eventually<T>(
	what: string,
	probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
	const until = performance.now() + 30_000;
	for (;;) {
		const found = await probe();
		if (found !== undefined && found !== false) return found;
		if (performance.now() > until) throw new Error(`not in time: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}
