/** The command line of every part of the cluster. */
import path from "node:path";
import { componentKubeconfig } from "./certificates.ts";
import {
	addressOf,
	hostPort,
	type Layout,
	type MasterEndpoints,
	type NodeEndpoints,
	pkiDirectory,
	portOf,
} from "./layout.ts";
import type { Part } from "./processes.ts";

const serviceCidr = "10.96.0.0/16";
const issuer = "https://kubernetes.default.svc.cluster.local";

function storePart(dir: string, layout: Layout, master: MasterEndpoints): Part {
	const pki = (name: string) => path.join(pkiDirectory(dir), name);
	const { store } = master;
	return {
		name: `${master.name}-store`,
		master: master.name,
		command: "store",
		args: [
			`--name=${master.name}`,
			`--data-dir=${store.dataDir ?? path.join(dir, master.name, "store")}`,
			`--initial-cluster=${layout.masters.map((m) => `${m.name}=${m.store.peerUrl}`).join(",")}`,
			`--initial-cluster-token=${layout.token}`,
			`--initial-advertise-peer-urls=${store.peerUrl}`,
			`--listen-peer-urls=${store.peerUrl}`,
			`--listen-client-urls=${store.clientUrl}`,
			`--advertise-client-urls=${store.clientUrl}`,
			`--listen-metrics-urls=${store.metricsUrl}`,
			`--cert-file=${pki(`${master.name}-store-server.crt`)}`,
			`--key-file=${pki(`${master.name}-store-server.key`)}`,
			"--client-cert-auth",
			`--trusted-ca-file=${layout.pki.storeClientCa}`,
			`--peer-cert-file=${pki(`${master.name}-store-peer.crt`)}`,
			`--peer-key-file=${pki(`${master.name}-store-peer.key`)}`,
			"--peer-client-cert-auth",
			`--peer-trusted-ca-file=${layout.pki.storePeerCa}`,
			...(layout.extraArgs.store ?? []),
		],
	};
}

function apiserverPart(dir: string, layout: Layout, master: MasterEndpoints): Part {
	const pki = (name: string) => path.join(pkiDirectory(dir), name);
	// Its own master's member first: the client prefers near endpoints and fails over to the others.
	const stores = [master, ...layout.masters.filter((other) => other !== master)].map((m) => m.store.clientUrl);
	return {
		name: `${master.name}-apiserver`,
		master: master.name,
		command: "apiserver",
		args: [
			`--etcd-servers=${stores.join(",")}`,
			`--etcd-cafile=${layout.pki.storeClientCa}`,
			`--etcd-certfile=${layout.pki.storeClientCert}`,
			`--etcd-keyfile=${layout.pki.storeClientKey}`,
			`--bind-address=${addressOf(master.apiserver.url)}`,
			`--advertise-address=${addressOf(master.apiserver.url)}`,
			`--secure-port=${portOf(master.apiserver.url)}`,
			`--tls-cert-file=${pki(`${master.name}-apiserver.crt`)}`,
			`--tls-private-key-file=${pki(`${master.name}-apiserver.key`)}`,
			`--client-ca-file=${layout.pki.clusterCa}`,
			`--service-account-issuer=${issuer}`,
			`--service-account-key-file=${layout.pki.serviceAccountPublicKey}`,
			`--service-account-signing-key-file=${layout.pki.serviceAccountKey}`,
			`--service-cluster-ip-range=${serviceCidr}`,
			"--allow-privileged=true",
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			`--kubelet-certificate-authority=${layout.pki.clusterCa}`,
			`--kubelet-client-certificate=${pki("apiserver-kubelet-client.crt")}`,
			`--kubelet-client-key=${pki("apiserver-kubelet-client.key")}`,
			...(layout.extraArgs.apiserver ?? []),
		],
	};
}

function agentPart(
	dir: string,
	layout: Layout,
	master: MasterEndpoints,
	command: "controller-manager" | "scheduler",
): Part {
	const pki = (name: string) => path.join(pkiDirectory(dir), name);
	const url = command === "scheduler" ? master.scheduler.url : master.controllerManager.url;
	return {
		name: `${master.name}-${command}`,
		master: master.name,
		command,
		args: [
			`--kubeconfig=${componentKubeconfig(dir, master.name, command)}`,
			`--bind-address=${addressOf(url)}`,
			`--secure-port=${portOf(url)}`,
			`--tls-cert-file=${pki(`${master.name}-${command}.crt`)}`,
			`--tls-private-key-file=${pki(`${master.name}-${command}.key`)}`,
			...(command === "controller-manager" ? [`--root-ca-file=${layout.pki.clusterCa}`] : []),
			...(layout.extraArgs[command] ?? []),
		],
	};
}

export function kubeletPart(dir: string, layout: Layout, node: NodeEndpoints): Part {
	const pki = (name: string) => path.join(pkiDirectory(dir), name);
	return {
		name: `${node.name}-kubelet`,
		command: "kubelet",
		args: [
			`--kubeconfig=${componentKubeconfig(dir, node.name, "kubelet")}`,
			`--hostname-override=${node.name}`,
			`--root-dir=${path.join(dir, node.name)}`,
			`--runtime=${layout.runtime}`,
			`--pod-cidr=${node.podCidr}`,
			"--node-ip=127.0.0.1",
			"--address=127.0.0.1",
			`--port=${portOf(node.kubelet.url)}`,
			`--tls-cert-file=${pki(`${node.name}-kubelet.crt`)}`,
			`--tls-private-key-file=${pki(`${node.name}-kubelet.key`)}`,
			`--client-ca-file=${layout.pki.clusterCa}`,
			...(layout.extraArgs.kubelet ?? []),
		],
	};
}

/** Everything that runs on one master. */
export function masterPartsOf(dir: string, layout: Layout, master: MasterEndpoints): Part[] {
	return [
		storePart(dir, layout, master),
		apiserverPart(dir, layout, master),
		agentPart(dir, layout, master, "controller-manager"),
		agentPart(dir, layout, master, "scheduler"),
	];
}

/** Besides its own work it renews the certificates: it is the one part that a cluster has once. */
export function balancerPart(dir: string, layout: Layout): Part {
	return {
		name: "balancer",
		command: "balancer",
		args: [
			`--listen=${hostPort(layout.balancer.url)}`,
			`--backends=${layout.masters.map((master) => hostPort(master.apiserver.url)).join(",")}`,
			`--ca-file=${layout.pki.clusterCa}`,
			`--cluster-dir=${dir}`,
		],
	};
}

/** Every part of the cluster, in starting order. */
export function allParts(dir: string, layout: Layout): Part[] {
	return [
		...layout.masters.flatMap((master) => masterPartsOf(dir, layout, master)),
		balancerPart(dir, layout),
		...layout.nodes.map((node) => kubeletPart(dir, layout, node)),
	];
}
