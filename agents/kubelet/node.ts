/** The node's own object and its Lease: registration, status, heartbeats. */
import { cpus, hostname, release, totalmem } from "node:os";
import { leases, nodes } from "../../apiserver/client/resources.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { wouldChange } from "../../apiserver/client/written.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { findCondition, formatMicroTime, formatTime } from "../../apiserver/machinery/meta.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Lease, Node, NodeCondition, NodeStatus, Taint } from "../../apiserver/scheme/types.gen.ts";
import { type Clock, sleep, type Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";

const leaseNamespace = "kube-node-lease";
const firstRetryMs = 100;
const maxRetryMs = 7_000;

export interface NodeOptions {
	readonly client: ApiClient;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly name: string;
	readonly address: string;
	/** The kubelet's own server. */
	readonly port: number;
	readonly podCidr: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly taints: readonly Taint[];
	readonly maxPods: number;
	readonly runtimeVersion: string;
	readonly kubeletVersion: string;
	readonly bootId: string;
	readonly statusUpdateMs: number;
	/** An unchanged status is written at least this often. */
	readonly statusReportMs: number;
	readonly leaseDurationSeconds: number;
	/** Capacity given by hand, for hollow nodes. */
	readonly capacity: Readonly<Record<string, string>>;
}

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** What the node has to give: the machine, or what the flags say in its place. */
export function resources(options: Pick<NodeOptions, "capacity" | "maxPods">): Record<string, string> {
	return {
		cpu: String(cpus().length),
		memory: `${Math.floor(totalmem() / 1024)}Ki`,
		"ephemeral-storage": "104857600Ki",
		...options.capacity,
		pods: String(options.maxPods),
	};
}

interface HealthCondition {
	readonly type: string;
	readonly reason: string;
	readonly message: string;
	readonly status: "True" | "False";
}

const healthy: readonly HealthCondition[] = [
	{
		type: "MemoryPressure",
		status: "False",
		reason: "KubeletHasSufficientMemory",
		message: "kubelet has sufficient memory available",
	},
	{
		type: "DiskPressure",
		status: "False",
		reason: "KubeletHasNoDiskPressure",
		message: "kubelet has no disk pressure",
	},
	{
		type: "PIDPressure",
		status: "False",
		reason: "KubeletHasSufficientPID",
		message: "kubelet has sufficient PID available",
	},
	{ type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" },
];

function conditions(before: readonly NodeCondition[] | undefined, now: string): NodeCondition[] {
	const own = healthy.map((condition) => {
		const known = findCondition(before, condition.type);
		const since = known?.status === condition.status ? (known.lastTransitionTime ?? now) : now;
		return { ...condition, lastHeartbeatTime: now, lastTransitionTime: since };
	});
	return [...own, ...(before ?? []).filter((other) => !healthy.some((mine) => mine.type === other.type))];
}

function statusOf(options: NodeOptions, before: NodeStatus | undefined): NodeStatus {
	const capacity = resources(options);
	return {
		capacity,
		allocatable: capacity,
		conditions: conditions(before?.conditions, formatTime(options.clock.now())),
		addresses: [
			{ type: "InternalIP", address: options.address },
			{ type: "Hostname", address: options.name },
		],
		daemonEndpoints: { kubeletEndpoint: { Port: options.port } },
		nodeInfo: {
			machineID: hostname(),
			systemUUID: hostname(),
			bootID: options.bootId,
			kernelVersion: release(),
			osImage: process.platform,
			containerRuntimeVersion: options.runtimeVersion,
			kubeletVersion: options.kubeletVersion,
			kubeProxyVersion: "",
			operatingSystem: process.platform,
			architecture: architectures[process.arch] ?? process.arch,
		},
	};
}

function nodeObject(options: NodeOptions): Node {
	const arch = architectures[process.arch] ?? process.arch;
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: {
			name: options.name,
			labels: {
				"kubernetes.io/hostname": options.name,
				"kubernetes.io/os": process.platform,
				"kubernetes.io/arch": arch,
				"beta.kubernetes.io/os": process.platform,
				"beta.kubernetes.io/arch": arch,
				...options.labels,
			},
		},
		spec: {
			...(options.podCidr === "" ? {} : { podCIDR: options.podCidr, podCIDRs: [options.podCidr] }),
			...(options.taints.length === 0 ? {} : { taints: [...options.taints] }),
		},
		status: statusOf(options, undefined),
	};
}

/** Whether `status` says more than new heartbeats and texts, which alone call for no write. */
function saysMore(node: KubeObject<Node>, status: NodeStatus): boolean {
	const calm = (of: NodeStatus | undefined): KubeObject<Node> => {
		const conditions = (of?.conditions ?? []).map(({ type, status: value, reason }) => ({
			type,
			status: value,
			reason,
		}));
		return { ...node, status: { ...of, conditions } };
	};
	return wouldChange(calm(node.status), calm({ ...node.status, ...status }));
}

/** Keeps the Node object and its Lease alive until stopped. */
export class NodeReporter {
	readonly #options: NodeOptions;
	#node: KubeObject<Node> | undefined;
	#lease: KubeObject<Lease> | undefined;
	#timers: Timer[] = [];
	#writtenAt = Number.NEGATIVE_INFINITY;
	#stopped = false;

	constructor(options: NodeOptions) {
		this.#options = options;
	}

	/** Resolves once the node is registered and its first status written; keeps trying until then. */
	async start(): Promise<void> {
		const { clock, logger, statusUpdateMs, leaseDurationSeconds } = this.#options;
		for (let retry = firstRetryMs; !this.#stopped; retry = Math.min(maxRetryMs, retry * 2)) {
			try {
				await this.#register();
				await this.#renewLease();
				await this.#writeStatus();
				break;
			} catch (error) {
				logger.info("node not registered yet", { error });
				await sleep(clock, retry);
			}
		}
		if (this.#stopped) return;
		const quietly = (what: string, work: () => Promise<void>) => () => {
			work().catch((error: unknown) => logger.warn(`${what} failed`, { error }));
		};
		this.#timers = [
			clock.every(
				statusUpdateMs,
				quietly("node status", () => this.#writeStatus()),
			),
			clock.every(
				(leaseDurationSeconds * 1000) / 4,
				quietly("lease renewal", () => this.#renewLease()),
			),
		];
	}

	stop(): void {
		this.#stopped = true;
		for (const timer of this.#timers) timer.cancel();
	}

	async #register(): Promise<void> {
		const api = this.#options.client.resource<Node>(nodes);
		try {
			this.#node = await api.create("", nodeObject(this.#options));
		} catch (error) {
			if (!(error instanceof ApiError && error.code === 409)) throw error;
			this.#node = await api.get("", this.#options.name);
			const wanted = nodeObject(this.#options).metadata?.labels ?? {};
			const labels = this.#node.metadata.labels ?? {};
			if (Object.entries(wanted).some(([key, value]) => labels[key] !== value)) {
				this.#node = await api.patch("", this.#options.name, "merge", { metadata: { labels: wanted } });
			}
		}
	}

	/** Writes where something but the heartbeat changed, or the report interval is over. */
	async #writeStatus(): Promise<void> {
		const { client, clock, name, statusReportMs } = this.#options;
		const api = client.resource<Node>(nodes);
		if (Number.isFinite(this.#writtenAt)) {
			try {
				this.#node = await api.get("", name);
			} catch (error) {
				if (!(error instanceof ApiError && error.code === 404)) throw error;
				await this.#register();
			}
		}
		const current = this.#node?.status;
		const status = statusOf(this.#options, current);
		const due = clock.monotonic() - this.#writtenAt >= statusReportMs;
		if (!due && this.#node !== undefined && !saysMore(this.#node, status)) return;
		this.#node = await api.patch("", name, "strategic", { status }, "status");
		this.#writtenAt = clock.monotonic();
	}

	async #renewLease(): Promise<void> {
		const { client, clock, name, leaseDurationSeconds } = this.#options;
		const api = client.resource<Lease>(leases);
		const renewTime = formatMicroTime(clock.now());
		const spec = { holderIdentity: name, leaseDurationSeconds, renewTime };
		if (this.#lease !== undefined) {
			try {
				this.#lease = await api.update({ ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
				return;
			} catch (error) {
				if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error;
			}
		}
		this.#lease = await this.#findOrCreateLease(spec);
	}

	async #findOrCreateLease(spec: NonNullable<Lease["spec"]>): Promise<KubeObject<Lease>> {
		const { client, name } = this.#options;
		const api = client.resource<Lease>(leases);
		try {
			const found = await api.get(leaseNamespace, name);
			return await api.update({ ...found, spec: { ...found.spec, ...spec } });
		} catch (error) {
			if (!(error instanceof ApiError && error.code === 404)) throw error;
		}
		const uid = this.#node?.metadata.uid;
		const owner = uid === undefined ? [] : [{ apiVersion: "v1", kind: "Node", name, uid }];
		return api.create(leaseNamespace, {
			apiVersion: "coordination.k8s.io/v1",
			kind: "Lease",
			metadata: { name, namespace: leaseNamespace, ownerReferences: owner },
			spec,
		});
	}
}
