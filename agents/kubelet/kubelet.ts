/** The kubelet: watches the pods bound to its node and gives each a worker. */
import type { EventRecorder } from "../../apiserver/client/events.ts";
import { keyOf, pods, serviceAccounts, services } from "../../apiserver/client/resources.ts";
import type { ApiClient, Informer, InformerFactory } from "../../apiserver/client/types.ts";
import { wouldChange } from "../../apiserver/client/written.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { deepEqual } from "../../apiserver/machinery/meta.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { ConfigMap, Pod, PodStatus, Secret, Service, TokenRequest } from "../../apiserver/scheme/types.gen.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import { AddressPool } from "./addresses.ts";
import type { ReferenceLookup } from "./env.ts";
import { kubeletConditions } from "./pod-status.ts";
import { type PodHost, PodWorker } from "./pod-worker.ts";
import { podDirectory } from "./runtime/records.ts";
import type { Runtime, RuntimeContainer } from "./runtime/types.ts";
import type { ContainerOutput, NoOutput } from "./server.ts";

/** A token is renewed when this part of its life is over. */
const tokenRenewAt = 0.8;

export interface KubeletOptions {
	readonly client: ApiClient;
	readonly informers: InformerFactory;
	readonly recorder: EventRecorder;
	readonly runtime: Runtime;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly nodeName: string;
	readonly nodeIp: string;
	readonly podCidr: string;
	readonly rootDir: string;
	/** What the node has, by resource (`cpu`, `memory` ...). */
	readonly allocatable: Readonly<Record<string, string>>;
	readonly apiEnvironment: Readonly<Record<string, string>>;
}

interface CachedToken {
	readonly token: string;
	readonly renewAt: number;
}

/** Status fields that a patch must clear where the new status has none. */
const clearable = ["reason", "message", "initContainerStatuses", "podIP", "podIPs"] as const;

/** Whether another writer changed, after our write, status fields that the kubelet owns (conditions aside). */
function isOverwritten(pod: KubeObject<Pod>, status: PodStatus, version: number): boolean {
	if (!(Number(pod.metadata.resourceVersion) > version)) return false;
	const wanted = { ...pod.status, ...status, conditions: pod.status?.conditions ?? [] };
	for (const key of clearable) if (status[key] === undefined) delete wanted[key];
	return wouldChange(pod, { ...pod, status: wanted });
}

const pullReasons: Readonly<Record<string, string>> = {
	ErrImagePull: "image can't be pulled",
	ImagePullBackOff: "trying and failing to pull image",
};

/** Why a container that was never started waits, in the words of upstream's log endpoint. */
function waitingReason(pod: KubeObject<Pod>, container: string): string {
	const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
	const status = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === container);
	const reason = status?.state?.waiting?.reason ?? "ContainerCreating";
	return pullReasons[reason] ?? reason;
}

export class Kubelet {
	readonly #options: KubeletOptions;
	readonly #pods: Informer<Pod>;
	readonly #workers = new Map<string, PodWorker>();
	readonly #addresses: AddressPool | undefined;
	readonly #tokens = new Map<string, CachedToken>();
	/** By uid, the status last written, and the version that the pod then had. */
	readonly #written = new Map<string, { readonly status: PodStatus; readonly version: number }>();
	readonly #host: PodHost;
	#recovered: readonly RuntimeContainer[] = [];

	constructor(options: KubeletOptions) {
		this.#options = options;
		this.#addresses = options.podCidr === "" ? undefined : new AddressPool(options.podCidr);
		this.#pods = options.informers.informer(pods, { fieldSelector: `spec.nodeName=${options.nodeName}` });
		options.informers.informer(services);
		this.#host = this.#makeHost();
	}

	/** Takes over what runs already, then follows the API. */
	async start(): Promise<void> {
		const { runtime, informers } = this.#options;
		this.#recovered = await runtime.recover();
		runtime.onExit((id) => {
			const container = runtime.get(id);
			if (container !== undefined) this.#workers.get(container.podUid)?.kick();
		});
		this.#pods.addHandlers({
			onAdd: (pod) => this.#seen(pod),
			onUpdate: (_, pod) => this.#seen(pod),
			onDelete: (pod) => this.#gone(pod),
		});
		informers.start();
		await informers.whenSynced();
		await this.#removeStrangers();
	}

	/** Stops following; containers keep running for the next kubelet. */
	stop(): void {
		for (const worker of this.#workers.values()) worker.detach();
	}

	get podCount(): number {
		return this.#workers.size;
	}

	/** Every pod of this node as last seen. */
	listPods(): readonly KubeObject<Pod>[] {
		return this.#pods.list();
	}

	/** A container's output for the log endpoint, or why there is none. */
	output(namespace: string, podName: string, container: string, previous: boolean): ContainerOutput | NoOutput {
		const pod = this.#pods.get(`${namespace}/${podName}`);
		if (pod === undefined) return { status: 404, message: `pod "${podName}" not found` };
		const known = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
		if (!known.some((candidate) => candidate.name === container)) {
			return { status: 404, message: `container "${container}" not found in pod "${podName}_${namespace}"` };
		}
		const id = this.#workers.get(pod.metadata.uid ?? "")?.containerId(container, previous);
		const log = id === undefined ? undefined : this.#options.runtime.log(id);
		if (id === undefined || log === undefined) {
			const who = `container "${container}" in pod "${podName}"`;
			if (previous) return { status: 400, message: `previous terminated ${who} not found` };
			const why = id === undefined ? `waiting to start: ${waitingReason(pod, container)}` : "not available";
			return { status: 400, message: `${who} is ${why}` };
		}
		const { runtime } = this.#options;
		return { log, ended: () => runtime.get(id)?.state.phase !== "running" };
	}

	#seen(pod: KubeObject<Pod>): void {
		const uid = pod.metadata.uid ?? "";
		const known = this.#workers.get(uid);
		if (known !== undefined) {
			known.update(pod);
			return;
		}
		const worker = new PodWorker(this.#host, pod);
		this.#workers.set(uid, worker);
		if (pod.status?.podIP !== undefined) this.#addresses?.reserve(uid, pod.status.podIP);
		worker.adopt(this.#recovered.filter((container) => container.podUid === uid));
		void worker.done.then(() => {
			this.#workers.delete(uid);
			this.#written.delete(uid);
			for (const key of this.#tokens.keys()) if (key.startsWith(`${uid}/`)) this.#tokens.delete(key);
		});
		worker.kick();
	}

	#gone(pod: KubeObject<Pod>): void {
		this.#workers.get(pod.metadata.uid ?? "")?.orphan();
	}

	/** Containers of pods that the API no longer knows. */
	async #removeStrangers(): Promise<void> {
		const { runtime, logger } = this.#options;
		const strangers = this.#recovered.filter((container) => !this.#workers.has(container.podUid));
		this.#recovered = [];
		for (const container of strangers) {
			logger.info("ending a container of a pod that is gone", { id: container.id });
			await runtime.stop(container.id, 0);
		}
		for (const uid of new Set(strangers.map((container) => container.podUid))) await runtime.removePod(uid);
	}

	#makeHost(): PodHost {
		const { runtime, recorder, clock, logger, nodeIp, apiEnvironment, rootDir, informers } = this.#options;
		return {
			runtime,
			recorder,
			clock,
			logger,
			hostIp: nodeIp,
			allocatable: this.#options.allocatable,
			apiEnvironment,
			podDirectory: (uid) => podDirectory(rootDir, uid),
			acquireIp: (pod) =>
				pod.spec?.hostNetwork === true || this.#addresses === undefined
					? nodeIp
					: this.#addresses.acquire(pod.metadata.uid ?? ""),
			releaseIp: (uid) => this.#addresses?.release(uid),
			references: (namespace) => this.#references(namespace),
			token: (pod, audience, seconds) => this.#token(pod, audience, seconds),
			services: (namespace) => this.#servicesOf(namespace, informers.informer<Service>(services)),
			writeStatus: (pod, status) => this.#writeStatus(pod, status),
			deletePod: (pod) => this.#deletePod(pod),
		};
	}

	#servicesOf(namespace: string, informer: Informer<Service>): readonly KubeObject<Service>[] {
		const kubernetes = informer.get("default/kubernetes");
		// Pods get the node's own API address instead of this Service's, which only works through a service proxy.
		return informer.list(namespace).filter((service) => service !== kubernetes);
	}

	#references(namespace: string): ReferenceLookup {
		const { client } = this.#options;
		const find = async <T extends object>(resource: string, name: string) => {
			try {
				return await client.resource<T>({ group: "", version: "v1", resource }).get(namespace, name);
			} catch (error) {
				if (error instanceof ApiError && error.code === 404) return undefined;
				throw error;
			}
		};
		const bytes = (data: Readonly<Record<string, string>> | undefined, encoding: BufferEncoding) =>
			Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)]));
		return {
			async configMap(name) {
				const found = await find<ConfigMap>("configmaps", name);
				return found === undefined ? undefined : { ...bytes(found.binaryData, "base64"), ...bytes(found.data, "utf8") };
			},
			async secret(name) {
				const found = await find<Secret>("secrets", name);
				return found === undefined ? undefined : bytes(found.data, "base64");
			},
		};
	}

	async #token(pod: KubeObject<Pod>, audience: string | undefined, expirationSeconds: number): Promise<string> {
		const { client, clock } = this.#options;
		const { uid = "", name = "", namespace = "" } = pod.metadata;
		const key = `${uid}/${audience ?? ""}/${expirationSeconds}`;
		const cached = this.#tokens.get(key);
		if (cached !== undefined && clock.now() < cached.renewAt) return cached.token;
		const account = pod.spec?.serviceAccountName ?? "default";
		const answer = (await client.resource<object>(serviceAccounts).create(
			namespace,
			{
				apiVersion: "authentication.k8s.io/v1",
				kind: "TokenRequest",
				spec: {
					audiences: audience === undefined || audience === "" ? [] : [audience],
					expirationSeconds,
					boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
				},
			},
			{ name: "token", of: account },
		)) as TokenRequest;
		const token = answer.status?.token ?? "";
		const expires = Date.parse(answer.status?.expirationTimestamp ?? "") || clock.now();
		this.#tokens.set(key, { token, renewAt: clock.now() + (expires - clock.now()) * tokenRenewAt });
		return token;
	}

	async #writeStatus(pod: KubeObject<Pod>, status: PodStatus): Promise<void> {
		const { client } = this.#options;
		const { uid = "", name = "", namespace = "" } = pod.metadata;
		const written = this.#written.get(uid);
		if (written !== undefined && deepEqual(written.status, status) && !isOverwritten(pod, status, written.version))
			return;
		const cleared = Object.fromEntries(clearable.filter((key) => status[key] === undefined).map((key) => [key, null]));
		try {
			// Conditions are merged by type, so that nobody else's is lost or turned back: only our own are sent.
			const conditions = (status.conditions ?? []).filter((c) => kubeletConditions.includes(c.type ?? ""));
			const patch = { metadata: { uid }, status: { ...cleared, ...status, conditions } };
			const { metadata } = await client.resource<Pod>(pods).patch(namespace, name, "strategic", patch, "status");
			this.#written.set(uid, { status, version: Number(metadata.resourceVersion) });
		} catch (error) {
			// Gone, or replaced by another pod of that name: the watch tells its worker.
			if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error;
		}
	}

	async #deletePod(pod: KubeObject<Pod>): Promise<void> {
		const { uid = "", name = "", namespace = "" } = pod.metadata;
		try {
			await this.#options.client
				.resource<Pod>(pods)
				.delete(namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } });
		} catch (error) {
			if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error;
			this.#options.logger.debug("pod gone already", { pod: keyOf(pod) });
		}
	}
}
