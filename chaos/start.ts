/** Starts what the flags ask for. */
import type { Fault } from "./nemeses/fault.ts";
import type { Place, PlaceOptions } from "./places/place.ts";
import { startProcessPlace } from "./places/processes.ts";
import { type Choice, preparation, type SystemName, type TargetName } from "./plan.ts";
import { startMembers } from "./targets/cluster.ts";
import { endpointMembers } from "./targets/endpoints.ts";
import { EtcdSystem } from "./targets/etcd-system.ts";
import { startClusterMembers } from "./targets/kubernetes.ts";
import type { Members } from "./targets/members.ts";
import { StoreSystem } from "./targets/store-system.ts";
import type { ClientOptions, System } from "./targets/system.ts";

export interface StartOptions extends ClientOptions {
	readonly size: number;
	/** The faults to come: places are prepared for them. */
	readonly faults: readonly Fault[];
	/** The program of etcd. */
	readonly etcd: string;
	readonly unsafeNoFsync: boolean;
	readonly endpoints: readonly string[];
	readonly api: "native" | "etcd";
	readonly killHook: string | undefined;
	readonly startHook: string | undefined;
}

/** For the workloads over a key-value store. */
export async function startStoreTarget(choice: Choice, options: StartOptions): Promise<Members> {
	const { requestTimeoutMs, serializableReads } = options;
	const clients = { requestTimeoutMs, serializableReads };
	if (choice.target === "endpoints") {
		return endpointMembers({ ...options, prefix: `barque-chaos/${Date.now().toString(36)}/` });
	}
	const place = await startPlace(choice, options);
	return startMembers(place, createSystem(choice.system, options), clients);
}

/** For the workloads over the Kubernetes API: one master on each host. */
export async function startKubernetesTarget({ target }: Choice, size: 1 | 3 | 5, faults: readonly Fault[]) {
	const options = { size, programs: [], ...preparation(faults) };
	const place = await placeStarters[target as "processes" | "netns" | "docker"](options);
	return startClusterMembers({ place });
}

interface StarterOptions extends PlaceOptions {
	/** Beside our own, what must be there to be run. */
	readonly programs: readonly string[];
}

type Starter = (options: StarterOptions) => Promise<Place>;

/** What most runs do not need is not loaded. */
const placeStarters: Readonly<Record<Exclude<TargetName, "endpoints">, Starter>> = {
	processes: startProcessPlace,
	etcd: startProcessPlace,
	netns: async (options) => (await import("./places/netns.ts")).startNetnsPlace(options),
	docker: async (options) => (await import("./places/docker.ts")).startDockerPlace(options),
};

function startPlace({ target, system }: Choice, { size, faults, etcd }: StartOptions): Promise<Place> {
	const programs = system === "etcd" ? [etcd] : [];
	return placeStarters[target as Exclude<TargetName, "endpoints">]({ size, programs, ...preparation(faults) });
}

function createSystem(system: SystemName, { etcd, unsafeNoFsync }: StartOptions): System {
	return system === "store" ? new StoreSystem() : new EtcdSystem({ program: etcd, unsafeNoFsync });
}
