/** `startCluster`: a real cluster inside a test. Exported by the package. */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ApiClient } from "../apiserver/client/types.ts";
import {
	adminClient,
	bringDown,
	bringUp,
	killKubelet,
	killMaster,
	type Progress,
	prepare,
	purge,
	reviveKubelet,
	reviveMaster,
} from "./cluster.ts";
import type { Layout, MasterHost, Runtime } from "./layout.ts";
import type { Launch } from "./processes.ts";

export interface StartClusterOptions {
	/** 1, 3 or 5; default 3. */
	readonly masters?: 1 | 3 | 5;
	/** Default 2. */
	readonly nodes?: number;
	/** How kubelets run containers: as child processes (default) or simulated. */
	readonly runtime?: Runtime;
	/** Default: a new temporary directory, removed by `stop()`. A given one is kept. */
	readonly dir?: string;
	/** Default 0: free ports. */
	readonly port?: number;
	/** More command-line arguments for the parts, e.g. `{ "controller-manager": ["--node-monitor-grace-period=4s"] }`. */
	readonly extraArgs?: Layout["extraArgs"];
	/** How long the cluster's certificates are good for, each renewed when a third of it is left. Default 365; fractions allowed. */
	readonly certificateDays?: number;
	readonly onProgress?: Progress;
}

export interface Cluster {
	readonly dir: string;
	/** Path of the admin's kubeconfig file, for kubectl's `--kubeconfig`. */
	readonly kubeconfigFile: string;
	/** Its content. */
	readonly kubeconfig: string;
	/** Addresses and files of every part, as in `DIR/endpoints.json`. */
	readonly endpoints: Layout;
	/** An admin's client through the balancer. */
	readonly client: ApiClient;
	/** Admin's clients, one an apiserver, in the order of `endpoints.masters`. */
	readonly masterClients: readonly ApiClient[];
	/** SIGKILL to everything on `master-N`. */
	killMaster(name: string): Promise<void>;
	/** Starts it again and waits until its apiserver is ready. */
	reviveMaster(name: string): Promise<void>;
	killKubelet(node: string): Promise<void>;
	reviveKubelet(node: string): Promise<void>;
	/** Ends every process; removes the directory unless it was given. Safe to call twice. */
	stop(): Promise<void>;
}

/** Where masters run, and how parts are started there. */
export interface Placement {
	/** One for each master. */
	readonly masters: readonly MasterHost[];
	/** Also for the parts that belong to no master. */
	readonly launch: Launch;
}

/**
 * Starts a cluster with real processes, TLS and authentication on, and resolves when its nodes are Ready.
 * Rejects, leaving nothing behind, when a part does not come up; the error holds the end of its log.
 */
export function startCluster(options: StartClusterOptions = {}): Promise<Cluster> {
	return startClusterOn(undefined, options);
}

/** As `startCluster`, with masters on hosts of their own. */
export async function startClusterOn(placement: Placement | undefined, options: StartClusterOptions): Promise<Cluster> {
	const masters = options.masters ?? 3;
	if (![1, 3, 5].includes(masters)) throw new RangeError(`masters: ${masters} is not 1, 3 or 5`);
	const nodes = options.nodes ?? 2;
	if (!Number.isInteger(nodes) || nodes < 0) throw new RangeError(`nodes: ${nodes} is not a whole number from 0`);
	const dir = path.resolve(options.dir ?? (await mkdtemp(path.join(tmpdir(), "barque-"))));
	const cleanUp = async () => {
		if (options.dir === undefined) await purge(dir);
	};
	const progress = options.onProgress ?? (() => {});
	let layout: Layout | undefined;
	try {
		layout = await prepare(
			{
				dir,
				masters,
				nodes,
				port: options.port ?? 0,
				runtime: options.runtime ?? "process",
				masterHosts: placement?.masters,
				certificateDays: options.certificateDays,
				...(options.extraArgs === undefined ? {} : { extraArgs: options.extraArgs }),
			},
			progress,
		);
		await bringUp(dir, layout, progress, placement?.launch);
		return await handleOf(dir, layout, placement, cleanUp);
	} catch (error) {
		if (layout !== undefined) await bringDown(dir, layout, { graceMs: 0 });
		await cleanUp();
		throw error;
	}
}

/** Of a cluster that runs. */
async function handleOf(
	dir: string,
	layout: Layout,
	placement: Placement | undefined,
	cleanUp: () => Promise<void>,
): Promise<Cluster> {
	const kubeconfig = await readFile(layout.adminKubeconfig, "utf8");
	const client = adminClient(layout);
	const masterClients = layout.masters.map((master) => adminClient(layout, master.apiserver.url));
	let stopped: Promise<void> | undefined;
	const stop = async () => {
		await Promise.all([client, ...masterClients].map((each) => each.close()));
		await bringDown(dir, layout, { graceMs: 2_000 });
		await cleanUp();
	};
	return {
		dir,
		kubeconfigFile: layout.adminKubeconfig,
		kubeconfig,
		endpoints: layout,
		client,
		masterClients,
		async killMaster(name) {
			await killMaster(dir, layout, name);
		},
		reviveMaster: (name) => reviveMaster(dir, layout, name, placement?.launch),
		async killKubelet(node) {
			await killKubelet(dir, node);
		},
		reviveKubelet: (node) => reviveKubelet(dir, layout, node, placement?.launch),
		stop: () => (stopped ??= stop()),
	};
}
