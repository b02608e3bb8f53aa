/** The cluster's keys and certificates, made once at the first `up`: separate trust for members, store clients and the cluster. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import {
	type Authority,
	createAuthority,
	createSigningKey,
	type KeyPair,
	writeKeyPair,
	writeSecret,
} from "../kit/pki.ts";
import { addressOf, type Layout, type MasterEndpoints, pkiDirectory } from "./layout.ts";

const local = ["localhost", "127.0.0.1"];
/** The `kubernetes` Service's address, first of the default service range, and its names. */
const serviceHosts = [
	"10.96.0.1",
	"kubernetes",
	"kubernetes.default",
	"kubernetes.default.svc",
	"kubernetes.default.svc.cluster.local",
];

/** A kubeconfig (clientcmd v1) with its secrets inside: mode 0600. */
export function kubeconfig(server: string, ca: string, user: string, pair: KeyPair): string {
	const data = (pem: string) => Buffer.from(pem).toString("base64");
	return `${JSON.stringify(
		{
			apiVersion: "v1",
			kind: "Config",
			"current-context": "barque",
			clusters: [{ name: "barque", cluster: { server, "certificate-authority-data": data(ca) } }],
			users: [{ name: user, user: { "client-certificate-data": data(pair.cert), "client-key-data": data(pair.key) } }],
			contexts: [{ name: "barque", context: { cluster: "barque", user } }],
		},
		null,
		2,
	)}\n`;
}

const partKubeconfig = (dir: string, owner: string, part: string) => path.join(dir, owner, `${part}.kubeconfig`);
/** The kubeconfig of one component: `controller-manager` or `scheduler` of a master, `kubelet` of a node. */
export const componentKubeconfig = partKubeconfig;

/** Every name and address that a master's parts are reached by. */
function hostsOf({ name, store, apiserver }: MasterEndpoints): string[] {
	return [...new Set([...local, name, addressOf(store.clientUrl), addressOf(apiserver.url)])];
}

async function masterCertificates(dir: string, layout: Layout, peer: Authority, store: Authority, cluster: Authority) {
	const pki = pkiDirectory(dir);
	for (const master of layout.masters) {
		const hosts = hostsOf(master);
		const write = async (part: string, pair: Promise<KeyPair>) =>
			writeKeyPair(pki, `${master.name}-${part}`, await pair);
		await Promise.all([
			write("store-peer", peer.issue({ commonName: master.name, hosts })),
			write("store-server", store.issue({ commonName: master.name, hosts, usages: ["server"] })),
			write(
				"apiserver",
				cluster.issue({ commonName: "kube-apiserver", hosts: [...hosts, ...serviceHosts], usages: ["server"] }),
			),
			write("controller-manager", cluster.issue({ commonName: "kube-controller-manager", hosts, usages: ["server"] })),
			write("scheduler", cluster.issue({ commonName: "kube-scheduler", hosts, usages: ["server"] })),
		]);
		for (const part of ["controller-manager", "scheduler"]) {
			const user = `system:kube-${part}`;
			const pair = await cluster.issue({ commonName: user, usages: ["client"] });
			const file = partKubeconfig(dir, master.name, part);
			await writeSecret(file, kubeconfig(master.apiserver.url, cluster.cert, user, pair));
		}
	}
}

async function nodeCertificates(dir: string, layout: Layout, cluster: Authority) {
	for (const node of layout.nodes) {
		const user = `system:node:${node.name}`;
		const [client, server] = await Promise.all([
			cluster.issue({ commonName: user, organizations: ["system:nodes"], usages: ["client"] }),
			cluster.issue({
				commonName: user,
				organizations: ["system:nodes"],
				hosts: [...local, node.name],
				usages: ["server"],
			}),
		]);
		await writeKeyPair(pkiDirectory(dir), `${node.name}-kubelet`, server);
		await writeSecret(
			partKubeconfig(dir, node.name, "kubelet"),
			kubeconfig(layout.balancer.url, cluster.cert, user, client),
		);
	}
}

/** Writes every key, certificate and kubeconfig of the cluster under `dir`. */
export async function makeCertificates(dir: string, layout: Layout): Promise<void> {
	const pki = pkiDirectory(dir);
	const [peer, store, cluster, signing] = await Promise.all([
		createAuthority("barque-store-peer-ca"),
		createAuthority("barque-store-client-ca"),
		createAuthority("barque-cluster-ca"),
		createSigningKey(),
	]);
	const [storeClient, admin, kubeletClient] = await Promise.all([
		store.issue({ commonName: "kube-apiserver", usages: ["client"] }),
		cluster.issue({ commonName: "kubernetes-admin", organizations: ["system:masters"], usages: ["client"] }),
		cluster.issue({ commonName: "kube-apiserver-kubelet-client", usages: ["client"] }),
	]);
	await Promise.all([
		writeKeyPair(pki, "store-peer-ca", peer),
		writeKeyPair(pki, "store-client-ca", store),
		writeKeyPair(pki, "cluster-ca", cluster),
		writeKeyPair(pki, "apiserver-store-client", storeClient),
		writeKeyPair(pki, "apiserver-kubelet-client", kubeletClient),
		writeKeyPair(pki, "admin", admin),
		writeSecret(layout.pki.serviceAccountKey, signing.privateKey),
	]);
	await writeFile(layout.pki.serviceAccountPublicKey, signing.publicKey);
	await masterCertificates(dir, layout, peer, store, cluster);
	await nodeCertificates(dir, layout, cluster);
	await writeSecret(layout.adminKubeconfig, kubeconfig(layout.balancer.url, cluster.cert, "kubernetes-admin", admin));
}

/** PEM files the commands themselves speak to the apiservers with. */
export async function adminTls(layout: Layout): Promise<{ ca: Buffer; cert: Buffer; key: Buffer }> {
	const [ca, cert, key] = await Promise.all([
		readFile(layout.pki.clusterCa),
		readFile(layout.pki.adminCert),
		readFile(layout.pki.adminKey),
	]);
	return { ca, cert, key };
}
