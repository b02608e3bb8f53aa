/**
 * Where everything of one cluster lives: addresses, files, process ids. Written to `DIR/endpoints.json` at the first
 * `up` and read by every later command, so that ports and keys survive `kill`, `revive`, `down` and another `up`.
 */
import { randomInt } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { claimFreePorts, claimPort } from "./ports.ts";

export type Runtime = "process" | "hollow";
export type MasterPart = "store" | "apiserver" | "controller-manager" | "scheduler";
export const masterParts: readonly MasterPart[] = ["store", "apiserver", "controller-manager", "scheduler"];

export interface MasterEndpoints {
	readonly name: string;
	readonly store: {
		readonly clientUrl: string;
		readonly peerUrl: string;
		readonly metricsUrl: string;
		/** Absent: in the cluster's folder. */
		readonly dataDir?: string | undefined;
	};
	readonly apiserver: { readonly url: string };
	readonly controllerManager: { readonly url: string };
	readonly scheduler: { readonly url: string };
}

export interface NodeEndpoints {
	readonly name: string;
	readonly kubelet: { readonly url: string };
	readonly podCidr: string;
}

export interface PkiFiles {
	/** Signs members' certificates, for links between members. */
	readonly storePeerCa: string;
	/** Signs the store's server certificates and its clients'. */
	readonly storeClientCa: string;
	/** Signs the cluster's: apiservers, kubelets, users. */
	readonly clusterCa: string;
	readonly storeClientCert: string;
	readonly storeClientKey: string;
	readonly adminCert: string;
	readonly adminKey: string;
	readonly serviceAccountKey: string;
	readonly serviceAccountPublicKey: string;
}

export interface Layout {
	readonly formatVersion: 1;
	readonly runtime: Runtime;
	readonly port: number;
	/** Names this store cluster; two clusters never talk to each other by mistake. */
	readonly token: string;
	readonly balancer: { readonly url: string };
	readonly masters: readonly MasterEndpoints[];
	readonly nodes: readonly NodeEndpoints[];
	readonly pki: PkiFiles;
	readonly adminKubeconfig: string;
	/** How long certificates are good for; absent: 365. They are renewed when a third of it is left. */
	readonly certificateDays?: number | undefined;
	/** Extra arguments by part, given at the first `up` (`--apiserver-arg` and its like). */
	readonly extraArgs: Readonly<Partial<Record<MasterPart | "kubelet", readonly string[]>>>;
}

/** What a master is given: where its parts listen (addresses without ports), and a folder. */
export interface MasterHost {
	/** For store members, and for apiservers that ask them. */
	readonly peer: string;
	/** For everybody else. */
	readonly client: string;
	/** For its store's data; by default in the cluster's folder. */
	readonly storeDir?: string | undefined;
}

export interface LayoutOptions {
	readonly dir: string;
	readonly masters: number;
	readonly nodes: number;
	/** 0: a free block of ports is chosen. */
	readonly port: number;
	readonly runtime: Runtime;
	readonly extraArgs?: Layout["extraArgs"];
	/** One for each master; by default all are on 127.0.0.1. */
	readonly masterHosts?: readonly MasterHost[] | undefined;
	/** See `Layout`. */
	readonly certificateDays?: number | undefined;
}

const host = "127.0.0.1";

async function apiPorts(dir: string, port: number, masters: number): Promise<number[]> {
	if (port === 0) return claimFreePorts(dir, masters + 1, true);
	const ports = Array.from({ length: masters + 1 }, (_, i) => port + i);
	for (const wanted of ports) {
		if (!(await claimPort(dir, wanted))) {
			throw new Error(
				`port ${wanted} on ${host} is taken (the balancer listens on --port, master N's apiserver on --port + N): choose another with --port, or end what listens there`,
			);
		}
	}
	return ports;
}

export const pkiDirectory = (dir: string) => path.join(dir, "pki");
export const layoutFile = (dir: string) => path.join(dir, "endpoints.json");
export const pidFile = (dir: string, part: string) => path.join(dir, "run", `${part}.pid`);
/** Says that this part's store member has begun its log: from then on an empty data directory is one that lost it. */
export const begunFile = (dir: string, part: string) => path.join(dir, "begun", part);
export const logFile = (dir: string, part: string) => path.join(dir, "logs", `${part}.log`);

/** Chooses ports and names; writes nothing. The ports are kept for `dir` until `releasePorts(dir)`. */
export async function planLayout(options: LayoutOptions): Promise<Layout> {
	const { dir } = options;
	const [balancerPort = 0, ...serverPorts] = await apiPorts(dir, options.port, options.masters);
	const others = await claimFreePorts(dir, options.masters * 5 + options.nodes, false);
	const next = () => others.pop() ?? 0;
	const pki = (name: string) => path.join(pkiDirectory(dir), name);
	return {
		formatVersion: 1,
		runtime: options.runtime,
		port: balancerPort,
		token: `barque-${randomInt(2 ** 47).toString(36)}`,
		balancer: { url: `https://${host}:${balancerPort}` },
		masters: serverPorts.map((port, i) => {
			const { peer, client, storeDir }: MasterHost = options.masterHosts?.[i] ?? { peer: host, client: host };
			return {
				name: `master-${i + 1}`,
				store: {
					clientUrl: `https://${peer}:${next()}`,
					peerUrl: `https://${peer}:${next()}`,
					metricsUrl: `http://${client}:${next()}`,
					...(storeDir !== undefined && { dataDir: storeDir }),
				},
				apiserver: { url: `https://${client}:${port}` },
				controllerManager: { url: `https://${client}:${next()}` },
				scheduler: { url: `https://${client}:${next()}` },
			};
		}),
		nodes: Array.from({ length: options.nodes }, (_, i) => ({
			name: `node-${i + 1}`,
			kubelet: { url: `https://${host}:${next()}` },
			podCidr: `127.${64 + Math.floor(i / 250)}.${(i % 250) + 1}.0/24`,
		})),
		pki: {
			storePeerCa: pki("store-peer-ca.crt"),
			storeClientCa: pki("store-client-ca.crt"),
			clusterCa: pki("cluster-ca.crt"),
			storeClientCert: pki("apiserver-store-client.crt"),
			storeClientKey: pki("apiserver-store-client.key"),
			adminCert: pki("admin.crt"),
			adminKey: pki("admin.key"),
			serviceAccountKey: pki("service-account.key"),
			serviceAccountPublicKey: pki("service-account.pub"),
		},
		adminKubeconfig: path.join(dir, "admin.kubeconfig"),
		...(options.certificateDays === undefined ? {} : { certificateDays: options.certificateDays }),
		extraArgs: options.extraArgs ?? {},
	};
}

export async function saveLayout(dir: string, layout: Layout): Promise<void> {
	const temporary = `${layoutFile(dir)}.new`;
	await writeFile(temporary, `${JSON.stringify(layout, null, 2)}\n`, { mode: 0o600 });
	await rename(temporary, layoutFile(dir));
}

/** The cluster's layout, or undefined where `dir` has none yet. */
export async function findLayout(dir: string): Promise<Layout | undefined> {
	let text: string;
	try {
		text = await readFile(layoutFile(dir), "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
	const layout = JSON.parse(text) as Layout;
	if (layout.formatVersion !== 1) {
		throw new Error(`${layoutFile(dir)}: format version ${String(layout.formatVersion)} is not known to this barque`);
	}
	return layout;
}

/** As `findLayout`, but its absence is the user's error, with what to do next. */
export async function loadLayout(dir: string): Promise<Layout> {
	const layout = await findLayout(dir);
	if (layout === undefined) throw new Error(`no cluster in ${dir}: start one with "barque up --dir ${dir}"`);
	return layout;
}

/** "127.0.0.1:2379" of a URL. */
export const hostPort = (url: string) => new URL(url).host;
export const portOf = (url: string) => Number(new URL(url).port);
/** "127.0.0.1". */
export const addressOf = (url: string) => new URL(url).hostname;
