/**
 * The `kubernetes` service of the default namespace, its Endpoints and EndpointSlice: the addresses of the apiservers that
 * are alive, each of which keeps a lease under `/registry/masterleases/`. Keys are ADDRESS:PORT, since several may share a
 * machine.
 */
import type { Clock, Timer } from "../../../kit/clock.ts";
import type { StoreClient } from "../../../store/api.ts";
import { prefixEnd } from "../../cache/ordered.ts";
import { deepEqual } from "../../machinery/meta.ts";
import { decodeStored } from "../../scheme/codec/stored.ts";
import type { KubeObject } from "../../scheme/object.ts";
import type { EndpointSubset, Service, ServiceSpec } from "../../scheme/types.gen.ts";
import { stored } from "../../storage/errors.ts";
import type { Cidr } from "../allocators/cidr.ts";
import type { RangeAllocator } from "../allocators/range.ts";
import type { Services } from "../context.ts";
import { remove } from "../delete.ts";
import { waitConsistent } from "../read.ts";
import { addressOf } from "../strategies/service-fields.ts";
import { apiserverUser, ensure, find, reconcile, resourceNamed } from "./ensure.ts";

const leaseTtlSeconds = 15;
const intervalMs = 10_000;
const servicePort = 443;
const triesBeforeFreeing = 4;

export interface MasterOptions {
	readonly services: Services;
	readonly store: StoreClient;
	readonly clock: Clock;
	readonly address: string;
	readonly port: number;
	readonly cidr: Cidr;
	readonly addresses: RangeAllocator;
}

interface Master {
	readonly ip: string;
	readonly port: number;
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Addresses by port, as Endpoints group them. */
export function subsetsOf(masters: readonly Master[]): EndpointSubset[] {
	const byPort = new Map<number, string[]>();
	for (const { ip, port } of masters) byPort.set(port, [...(byPort.get(port) ?? []), ip]);
	return [...byPort]
		.sort(([a], [b]) => a - b)
		.map(([port, ips]) => ({
			addresses: [...new Set(ips)].sort(byText).map((ip) => ({ ip })),
			ports: [{ name: "https", port, protocol: "TCP" }],
		}));
}

export class KubernetesService {
	readonly #options: MasterOptions;
	readonly #prefix: string;
	#timer: Timer | undefined;
	#lease: bigint | undefined;
	#stopped = false;
	#failures = 0;
	#running: Promise<void> = Promise.resolve();

	constructor(options: MasterOptions) {
		this.#options = options;
		this.#prefix = `${options.services.root}masterleases/`;
	}

	/** First round, then one every ten seconds. Rejects for what a later try may bring about. */
	async start(): Promise<void> {
		try {
			await this.#ensureService();
		} catch (error) {
			await this.#freeOrphanedAddress();
			throw error;
		}
		await this.#round();
		this.#schedule();
	}

	/** Withdraws this server's address, so that nobody is sent to it any more. */
	async stop(): Promise<void> {
		this.#stopped = true;
		this.#timer?.cancel();
		await this.#running;
		try {
			if (this.#lease !== undefined) await this.#options.store.leaseRevoke(this.#lease);
			await this.#reconcile(await this.#masters());
		} catch (error) {
			this.#options.services.log.debug("could not withdraw this server's address; its lease will end by itself", {
				error,
			});
		}
	}

	#schedule(): void {
		if (this.#stopped) return;
		this.#timer = this.#options.clock.after(intervalMs, () => {
			this.#running = this.#round()
				.catch((error: unknown) =>
					this.#options.services.log.warn("kubernetes service: not brought up to date", { error }),
				)
				.then(() => this.#schedule());
		});
	}

	async #round(): Promise<void> {
		await this.#keepLease();
		if (this.#stopped) return;
		await this.#reconcile(await this.#masters());
	}

	async #keepLease(): Promise<void> {
		const { store, address, port } = this.#options;
		if (this.#lease !== undefined) {
			const { ttl } = await stored(store.leaseKeepAlive(this.#lease));
			if (ttl > 0) return;
		}
		const { id } = await stored(store.leaseGrant({ id: 0n, ttl: leaseTtlSeconds }));
		this.#lease = id;
		const value = JSON.stringify(subsetsOf([{ ip: address, port }])[0]);
		await stored(
			store.put({ key: Buffer.from(`${this.#prefix}${address}:${port}`), value: Buffer.from(value), lease: id }),
		);
	}

	async #masters(): Promise<Master[]> {
		const { store } = this.#options;
		const found = await stored(
			store.range({ key: Buffer.from(this.#prefix), rangeEnd: Buffer.from(prefixEnd(this.#prefix) as string) }),
		);
		return found.kvs.flatMap((kv) => {
			const { addresses = [], ports = [] } = JSON.parse(kv.value.toString("utf8")) as EndpointSubset;
			return addresses.flatMap((a) => ports.map((p) => ({ ip: a.ip ?? "", port: p.port ?? 0 })));
		});
	}

	async #ensureService(): Promise<void> {
		const { services, cidr } = this.#options;
		const resource = resourceNamed("v1", "services");
		const address = cidr.address(0);
		const existing = await find(services, resource, "default", "kubernetes");
		if (existing !== undefined && (existing["spec"] as ServiceSpec | undefined)?.clusterIP !== address) {
			// Another range than the one it was made for: the address cannot be changed in place.
			await remove(services, {
				resource,
				namespace: "default",
				name: "kubernetes",
				user: apiserverUser,
				options: {},
				warnings: [],
			});
		}
		await ensure(services, resource, {
			apiVersion: "v1",
			kind: "Service",
			metadata: {
				name: "kubernetes",
				namespace: "default",
				labels: { component: "apiserver", provider: "kubernetes" },
			},
			spec: {
				type: "ClusterIP",
				clusterIP: address,
				clusterIPs: [address],
				ipFamilies: ["IPv4"],
				ipFamilyPolicy: "SingleStack",
				internalTrafficPolicy: "Cluster",
				sessionAffinity: "None",
				ports: [{ name: "https", protocol: "TCP", port: servicePort, targetPort: this.#options.port }],
			},
		});
	}

	/**
	 * The address may be taken by a replica that died before it wrote the service. One that lives writes it soon, so only
	 * an address that stays taken without an owner is freed.
	 */
	async #freeOrphanedAddress(): Promise<void> {
		if (++this.#failures < triesBeforeFreeing) return;
		const { services, cidr, addresses } = this.#options;
		await waitConsistent(services);
		for (const entry of services.cacher.resource("services/specs").select()) {
			const service = decodeStored<Service>(entry.bytes, entry.revision);
			if (addressOf(service.spec) === cidr.address(0)) return;
		}
		await addresses.release(0);
	}

	async #reconcile(masters: readonly Master[]): Promise<void> {
		const { services } = this.#options;
		const labels = { "endpointslice.kubernetes.io/skip-mirror": "true" };
		await reconcile(
			services,
			resourceNamed("v1", "endpoints"),
			{
				apiVersion: "v1",
				kind: "Endpoints",
				metadata: { name: "kubernetes", namespace: "default", labels },
				subsets: subsetsOf(masters),
			},
			(existing, desired) => replaced(existing, desired, ["subsets"]),
		);
		await this.#reconcileSlices(masters);
	}

	/** A slice has one list of ports: one slice for each port, the first under upstream's name. */
	async #reconcileSlices(masters: readonly Master[]): Promise<void> {
		const { services } = this.#options;
		const resource = resourceNamed("discovery.k8s.io/v1", "endpointslices");
		const wanted = new Map<string, KubeObject>();
		for (const [index, subset] of subsetsOf(masters).entries()) {
			const name = index === 0 ? "kubernetes" : `kubernetes-${subset.ports?.[0]?.port}`;
			wanted.set(name, {
				apiVersion: "discovery.k8s.io/v1",
				kind: "EndpointSlice",
				metadata: { name, namespace: "default", labels: { "kubernetes.io/service-name": "kubernetes" } },
				addressType: "IPv4",
				endpoints: (subset.addresses ?? []).map((a) => ({ addresses: [a.ip], conditions: { ready: true } })),
				ports: subset.ports,
			});
		}
		for (const object of wanted.values()) {
			await reconcile(services, resource, object, (existing, desired) =>
				replaced(existing, desired, ["endpoints", "ports"]),
			);
		}
		for (const entry of services.cacher.resource("endpointslices").select({
			scope: "default/kubernetes",
			exact: false,
			matches: (facts) => facts.labels["kubernetes.io/service-name"] === "kubernetes",
		})) {
			const name = entry.key.slice(entry.key.lastIndexOf("/") + 1);
			if (wanted.has(name) || !/^kubernetes(-\d+)?$/.test(name)) continue;
			try {
				await remove(services, {
					resource,
					namespace: "default",
					name,
					user: apiserverUser,
					options: {},
					warnings: [],
				});
			} catch (error) {
				if ((error as { reason?: string }).reason !== "NotFound") throw error;
			}
		}
	}
}

/** The existing object with these fields of the desired one; undefined when they are the same. */
function replaced(existing: KubeObject, desired: KubeObject, fields: readonly string[]): KubeObject | undefined {
	if (fields.every((field) => deepEqual(existing[field] ?? [], desired[field] ?? []))) return undefined;
	const next = { ...existing };
	for (const field of fields) next[field] = desired[field];
	return next;
}
