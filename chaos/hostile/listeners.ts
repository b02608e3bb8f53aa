/** Every port a cluster listens on, and how one gets past its door. */
import { readFile } from "node:fs/promises";
import type { Layout } from "../../cluster/layout.ts";

export interface Listener {
	/** `master-1-store client`. */
	readonly name: string;
	readonly host: string;
	readonly port: number;
	/** What is spoken behind TLS or TCP. */
	readonly speaks: readonly Speech[];
	/** Absent: no TLS. A certificate is shown where it gets one further in. */
	readonly tls: { readonly cert?: Buffer; readonly key?: Buffer; readonly alpn?: readonly string[] } | undefined;
	/** The path that says that the process lives, and who may ask it. */
	readonly livez: string | undefined;
}

export type Speech = "http1" | "http2" | "native" | "peer";

export async function listenersOf(layout: Layout): Promise<Listener[]> {
	const { pki } = layout;
	const pair = async (cert: string, key: string) => ({ cert: await readFile(cert), key: await readFile(key) });
	const admin = await pair(pki.adminCert, pki.adminKey);
	const store = await pair(pki.storeClientCert, pki.storeClientKey);
	const at = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) });
	const tlsOf = <T extends object>(url: string, tls: T) => (url.startsWith("https") ? tls : undefined);
	const api = { ...admin, alpn: ["h2", "http/1.1"] };
	const list: Listener[] = [
		{ name: "balancer", ...at(layout.balancer.url), speaks: ["http1", "http2"], tls: api, livez: "/livez" },
	];
	for (const master of layout.masters) {
		const { clientUrl, peerUrl, metricsUrl } = master.store;
		const named = (part: string) => `${master.name}-${part}`;
		list.push(
			{
				name: named("store client"),
				...at(clientUrl),
				speaks: ["native", "http1"],
				tls: tlsOf(clientUrl, store),
				livez: "/livez",
			},
			{ name: named("store peer"), ...at(peerUrl), speaks: ["peer"], tls: tlsOf(peerUrl, {}), livez: undefined },
			{
				name: named("store metrics"),
				...at(metricsUrl),
				speaks: ["http1"],
				tls: tlsOf(metricsUrl, store),
				livez: "/livez",
			},
			{ name: named("apiserver"), ...at(master.apiserver.url), speaks: ["http1", "http2"], tls: api, livez: "/livez" },
			{
				name: named("controller-manager"),
				...at(master.controllerManager.url),
				speaks: ["http1"],
				tls: tlsOf(master.controllerManager.url, {}),
				livez: "/livez",
			},
			{
				name: named("scheduler"),
				...at(master.scheduler.url),
				speaks: ["http1"],
				tls: tlsOf(master.scheduler.url, {}),
				livez: "/livez",
			},
		);
	}
	for (const node of layout.nodes) {
		list.push({
			name: `${node.name}-kubelet`,
			...at(node.kubelet.url),
			speaks: ["http1"],
			tls: admin,
			livez: "/healthz",
		});
	}
	return list;
}
