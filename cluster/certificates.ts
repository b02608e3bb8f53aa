/**
 * The cluster's keys and certificates, made at the first `up` and renewed before they end: separate trust for members, store
 * clients and the cluster. Authorities last ten years and are not replaced.
 */
import { X509Certificate } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { loadKubeconfig } from "../apiserver/client/kubeconfig.ts";
import {
	type Authority,
	backdateMs,
	type CertificateRequest,
	createAuthority,
	createSigningKey,
	type KeyPair,
	loadAuthority,
	writeKeyPair,
	writeSecret,
} from "../kit/pki.ts";
import { startTimeOf, stillRuns } from "../kit/process-table.ts";
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

/** The kubeconfig of one component: `controller-manager` or `scheduler` of a master, `kubelet` of a node. */
export const componentKubeconfig = (dir: string, owner: string, part: string) =>
	path.join(dir, owner, `${part}.kubeconfig`);

/** Every name and address that a master's parts are reached by. */
function hostsOf({ name, store, apiserver }: MasterEndpoints): string[] {
	return [...new Set([...local, name, addressOf(store.clientUrl), addressOf(apiserver.url)])];
}

type AuthorityName = "store-peer" | "store-client" | "cluster";
const authorityNames: readonly AuthorityName[] = ["store-peer", "store-client", "cluster"];

/** A certificate of the cluster, and the one place where it lies: as NAME.crt and NAME.key, or within a kubeconfig. */
interface Certificate {
	readonly authority: AuthorityName;
	readonly request: CertificateRequest;
	readonly at:
		| { readonly pair: string }
		| { readonly kubeconfig: string; readonly server: string; readonly user: string };
}

function masterCertificates(dir: string, master: MasterEndpoints): Certificate[] {
	const hosts = hostsOf(master);
	const serving = (authority: AuthorityName, part: string, request: CertificateRequest): Certificate => ({
		authority,
		request: { hosts, ...request },
		at: { pair: `${master.name}-${part}` },
	});
	const user = (part: string): Certificate => ({
		authority: "cluster",
		request: { commonName: `system:kube-${part}`, usages: ["client"] },
		at: {
			kubeconfig: componentKubeconfig(dir, master.name, part),
			server: master.apiserver.url,
			user: `system:kube-${part}`,
		},
	});
	const server = { usages: ["server"] } as const;
	return [
		serving("store-peer", "store-peer", { commonName: master.name }),
		serving("store-client", "store-server", { commonName: master.name, ...server }),
		serving("cluster", "apiserver", { commonName: "kube-apiserver", hosts: [...hosts, ...serviceHosts], ...server }),
		serving("cluster", "controller-manager", { commonName: "kube-controller-manager", ...server }),
		serving("cluster", "scheduler", { commonName: "kube-scheduler", ...server }),
		user("controller-manager"),
		user("scheduler"),
	];
}

function nodeCertificates(dir: string, layout: Layout, name: string): Certificate[] {
	const user = `system:node:${name}`;
	const subject = { commonName: user, organizations: ["system:nodes"] };
	return [
		{
			authority: "cluster",
			request: { ...subject, hosts: [...local, name], usages: ["server"] },
			at: { pair: `${name}-kubelet` },
		},
		{
			authority: "cluster",
			request: { ...subject, usages: ["client"] },
			at: { kubeconfig: componentKubeconfig(dir, name, "kubelet"), server: layout.balancer.url, user },
		},
	];
}

/** Every certificate of the cluster but those of its authorities. */
function certificatesOf(dir: string, layout: Layout): Certificate[] {
	const client = { usages: ["client"] } as const;
	const admin = { commonName: "kubernetes-admin", organizations: ["system:masters"], ...client };
	return [
		{
			authority: "store-client",
			request: { commonName: "kube-apiserver", ...client },
			at: { pair: "apiserver-store-client" },
		},
		{
			authority: "cluster",
			request: { commonName: "kube-apiserver-kubelet-client", ...client },
			at: { pair: "apiserver-kubelet-client" },
		},
		{ authority: "cluster", request: admin, at: { pair: "admin" } },
		{
			authority: "cluster",
			request: admin,
			at: { kubeconfig: layout.adminKubeconfig, server: layout.balancer.url, user: "kubernetes-admin" },
		},
		...layout.masters.flatMap((master) => masterCertificates(dir, master)),
		...layout.nodes.flatMap(({ name }) => nodeCertificates(dir, layout, name)),
	];
}

type Authorities = Readonly<Record<AuthorityName, Authority>>;

async function issueTo(dir: string, layout: Layout, authorities: Authorities, certificate: Certificate): Promise<void> {
	const { authority, request, at } = certificate;
	const days = layout.certificateDays;
	const pair = await authorities[authority].issue({ ...request, ...(days === undefined ? {} : { days }) });
	if ("pair" in at) await writeKeyPair(pkiDirectory(dir), at.pair, pair);
	else await writeSecret(at.kubeconfig, kubeconfig(at.server, authorities[authority].cert, at.user, pair));
}

const authorityFile = (dir: string, name: AuthorityName, kind: "crt" | "key") =>
	path.join(pkiDirectory(dir), `${name}-ca.${kind}`);

/** Writes every key, certificate and kubeconfig of the cluster under `dir`. */
export async function makeCertificates(dir: string, layout: Layout): Promise<void> {
	const [signing, ...made] = await Promise.all([
		createSigningKey(),
		...authorityNames.map(async (name) => {
			const authority = await createAuthority(`barque-${name}-ca`);
			await writeKeyPair(pkiDirectory(dir), `${name}-ca`, authority);
			return [name, authority] as const;
		}),
	]);
	await writeSecret(layout.pki.serviceAccountKey, signing.privateKey);
	await writeFile(layout.pki.serviceAccountPublicKey, signing.publicKey);
	const authorities = Object.fromEntries(made) as Record<AuthorityName, Authority>;
	await Promise.all(certificatesOf(dir, layout).map((each) => issueTo(dir, layout, authorities, each)));
}

/** The certificate as it lies there; undefined where there is none that can be read. */
async function presentCertificate(dir: string, { at }: Certificate): Promise<X509Certificate | undefined> {
	try {
		if ("pair" in at) return new X509Certificate(await readFile(path.join(pkiDirectory(dir), `${at.pair}.crt`)));
		const { cert } = loadKubeconfig(at.kubeconfig);
		return cert === undefined ? undefined : new X509Certificate(cert);
	} catch {
		return undefined;
	}
}

/** A certificate is renewed when less than a third of its time is left, as kubelets do with 10 to 30 %. */
function isDue(certificate: X509Certificate | undefined, now: number): boolean {
	if (certificate === undefined) return true;
	const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
	return to - now < (to - from - backdateMs) / 3;
}

export interface Renewal {
	/** How many certificates were made anew. */
	readonly renewed: number;
	/** Authorities that end within a year: barque renews what they sign, not them. */
	readonly endingAuthorities: readonly { readonly file: string; readonly ends: Date }[];
}

const yearMs = 365 * 24 * 3_600_000;

/**
 * Makes anew the certificates under `dir` that are near their end, or past it. Every part takes them up by itself. What is
 * being renewed by another process is left to it.
 */
export async function renewCertificates(dir: string, layout: Layout, now: number): Promise<Renewal> {
	const endingAuthorities = [];
	for (const name of authorityNames) {
		const file = authorityFile(dir, name, "crt");
		const ends = new Date(new X509Certificate(await readFile(file)).validTo);
		if (ends.getTime() - now < yearMs) endingAuthorities.push({ file, ends });
	}
	const all = await Promise.all(
		certificatesOf(dir, layout).map(async (each) => ({ each, due: isDue(await presentCertificate(dir, each), now) })),
	);
	const due = all.filter((one) => one.due).map(({ each }) => each);
	if (due.length === 0) return { renewed: 0, endingAuthorities };
	const renewed = await underLock(path.join(pkiDirectory(dir), "renewing"), async () => {
		const authorities = await loadAuthorities(dir);
		for (const each of due) await issueTo(dir, layout, authorities, each);
		return due.length;
	});
	return { renewed: renewed ?? 0, endingAuthorities };
}

async function loadAuthorities(dir: string): Promise<Authorities> {
	const loaded = authorityNames.map(async (name) => {
		const [cert, key] = await Promise.all(
			(["crt", "key"] as const).map((kind) => readFile(authorityFile(dir, name, kind), "utf8")),
		);
		return [name, await loadAuthority({ cert: cert!, key: key! })] as const;
	});
	return Object.fromEntries(await Promise.all(loaded)) as Record<AuthorityName, Authority>;
}

/** `work`, unless a process that lives does it already: two of them would mix one's keys with the other's certificates. */
async function underLock<T>(file: string, work: () => Promise<T>): Promise<T | undefined> {
	const own = `${file}.${process.pid}`;
	await writeFile(own, `${process.pid} ${startTimeOf(process.pid) ?? ""}`);
	try {
		while (!(await linked(own, file))) {
			const [pid = "", started = ""] = (await readFile(file, "utf8").catch(() => "")).split(" ");
			if (stillRuns(Number(pid), started)) return undefined;
			await rm(file, { force: true });
		}
		try {
			return await work();
		} finally {
			await rm(file, { force: true });
		}
	} finally {
		await rm(own, { force: true });
	}
}

/** Whether `file` was free and is `own` now, content and all. */
async function linked(own: string, file: string): Promise<boolean> {
	try {
		await link(own, file);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
		throw error;
	}
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
