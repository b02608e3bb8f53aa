/** NodeResourcesFit (scoring LeastAllocated), NodeResourcesBalancedAllocation and NodePorts. */
import { type FilterPlugin, maxNodeScore, type Rejection, rejected, type ScorePlugin } from "../framework.ts";
import { type HostPort, hostPorts, nonZeroRequests, podRequests } from "../node-info.ts";

export const nodeResourcesFit: FilterPlugin & ScorePlugin = {
	name: "NodeResourcesFit",
	weight: 1,
	prepare(pod) {
		const wanted = [...podRequests(pod)].filter(([, value]) => value > 0);
		return (node): Rejection | undefined => {
			const reasons: string[] = [];
			const room = node.allocatable.get("pods");
			if (room !== undefined && node.pods.size + 1 > room) reasons.push("Too many pods");
			for (const [name, value] of wanted) {
				const free = (node.allocatable.get(name) ?? 0) - (node.requested.get(name) ?? 0);
				if (value > free) reasons.push(`Insufficient ${name}`);
			}
			// bounded: one for each resource a pod may ask for.
			return reasons.length === 0 ? undefined : rejected(...reasons);
		};
	},
	/** LeastAllocated: the more is free after the pod, the better; cpu and memory weigh the same. */
	score(pod, nodes) {
		const own = nonZeroRequests(pod);
		const free = (capacity: number, used: number) =>
			capacity === 0 || used > capacity ? 0 : ((capacity - used) * maxNodeScore) / capacity;
		return nodes.map((node) => {
			const cpu = free(node.allocatable.get("cpu") ?? 0, node.nonZeroMilliCpu + own.milliCpu);
			const memory = free(node.allocatable.get("memory") ?? 0, node.nonZeroMemory + own.memory);
			return Math.floor((Math.floor(cpu) + Math.floor(memory)) / 2);
		});
	},
};

export const balancedAllocation: ScorePlugin = {
	name: "NodeResourcesBalancedAllocation",
	weight: 1,
	score(pod, nodes) {
		const own = podRequests(pod);
		if ((own.get("cpu") ?? 0) === 0 && (own.get("memory") ?? 0) === 0) return undefined;
		return nodes.map((node) => {
			const fraction = (name: string) => {
				const capacity = node.allocatable.get(name) ?? 0;
				return capacity === 0 ? 1 : Math.min(1, ((node.requested.get(name) ?? 0) + (own.get(name) ?? 0)) / capacity);
			};
			const deviation = Math.abs(fraction("cpu") - fraction("memory")) / 2;
			return Math.floor((1 - deviation) * maxNodeScore);
		});
	},
};

const wildcard = (ip: string) => ip === "0.0.0.0" || ip === "::";
const clash = (a: HostPort, b: HostPort) =>
	a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || wildcard(a.ip) || wildcard(b.ip));

export const nodePorts: FilterPlugin = {
	name: "NodePorts",
	prepare(pod) {
		const wanted = hostPorts(pod);
		if (wanted.length === 0) return undefined;
		return (node) => {
			for (const used of node.usedPorts()) {
				if (wanted.some((port) => clash(port, used))) {
					return rejected("node(s) didn't have free ports for the requested pod ports");
				}
			}
			return undefined;
		};
	},
};
