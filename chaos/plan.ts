/** What can be run where: which faults each target offers each workload. Nothing is started to know it. */
import type { Pair } from "./matrix.ts";
import { faults } from "./nemeses/all.ts";
import type { Fault, Need } from "./nemeses/fault.ts";
import type { PlaceOptions } from "./places/place.ts";
import { kvWorkloads } from "./workloads/all.ts";
import { kubernetesWorkloads } from "./workloads/kubernetes.ts";

export const targets = ["processes", "netns", "docker", "etcd", "endpoints"] as const;
export type TargetName = (typeof targets)[number];
export const systems = ["store", "etcd"] as const;
export type SystemName = (typeof systems)[number];

export interface Choice {
	readonly target: TargetName;
	readonly system: SystemName;
	readonly workload: string;
}

/** What a choice lacks, with the reason a person is told. */
function refusal({ target, system, workload }: Choice, need: Need): string | undefined {
	switch (need) {
		case "kill":
			return undefined;
		case "agents":
			return kubernetesWorkloads.has(workload) ? undefined : "only masters have agents: choose a k8s workload";
		case "network":
			return target === "netns" || target === "docker"
				? undefined
				: "networks can be harmed with --target netns or docker";
		case "clocks":
		case "disks":
			if (system === "etcd") return `${need} cannot be harmed below etcd, whose calls do not go through libc`;
			return machineRefusal(target, `${need} can be harmed`);
		case "powerLoss":
			return machineRefusal(target, "power can be cut");
		case "defragment":
			return system === "etcd" && target !== "endpoints" ? undefined : "only etcd is defragmented";
		default:
			return target === "endpoints" ? "endpoints can only be killed (kill, kill-all), by hooks" : undefined;
	}
}

function machineRefusal(target: TargetName, what: string): string | undefined {
	return target === "docker" || target === "endpoints" ? `${what} with --target processes or netns` : undefined;
}

/** Why the fault cannot be had there; undefined: it can. */
export function faultRefusal(choice: Choice, fault: Fault): string | undefined {
	for (const need of fault.needs) {
		const why = refusal(choice, need);
		if (why !== undefined) return why;
	}
	return undefined;
}

/** Why the workload cannot be run there; undefined: it can. */
export function workloadRefusal({ target, system, workload }: Choice): string | undefined {
	if (kubernetesWorkloads.has(workload) && (target === "endpoints" || system === "etcd"))
		return `the ${workload} workload runs only on a cluster of ours`;
	if (workload === "kv" && target === "endpoints") return "the kv workload needs a store that nobody else writes to";
	return undefined;
}

/** What the place must be prepared for, given the faults to come. */
export function preparation(chosen: readonly Fault[]): Omit<PlaceOptions, "size"> {
	const needed = new Set(chosen.flatMap((fault) => fault.needs));
	return { clocks: needed.has("clocks"), disks: needed.has("disks"), powerLoss: needed.has("powerLoss") };
}

export interface PlannedPair extends Pair {
	readonly target: TargetName;
}

/** Every workload under every one of these faults: on this machine's processes, and where the network is harmed on `network`. */
export function allPairs(
	choice: Omit<Choice, "workload">,
	network: TargetName,
	names: readonly string[],
): PlannedPair[] {
	return [...kvWorkloads.keys(), ...kubernetesWorkloads.keys()].flatMap((workload) =>
		names.flatMap((nemesis): PlannedPair[] => {
			const fault = faults.get(nemesis)!;
			const target = fault.needs.includes("network") ? network : choice.target;
			const here: Choice = { ...choice, target, workload };
			const why = workloadRefusal(here) ?? faultRefusal(here, fault);
			return why === undefined ? [{ target, workload, nemesis }] : [];
		}),
	);
}
