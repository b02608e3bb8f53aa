/** A whole cluster of ours on this machine: masters to be killed, each with its store member, apiserver and agents. */
import { startCluster } from "../../bin/cluster/start-cluster.ts";
import type { ApiTarget } from "../workloads/kubernetes.ts";
import { type Members, rotated } from "./members.ts";

export async function startClusterMembers(
	masters: 1 | 3 | 5,
): Promise<Members<ApiTarget & { close(): Promise<void> }>> {
	const cluster = await startCluster({ masters, nodes: 0 });
	return {
		description: `a cluster of ${masters} masters`,
		names: cluster.endpoints.masters.map((master) => master.name),
		kill: (name) => cluster.killMaster(name),
		start: (name) => cluster.reviveMaster(name),
		leader: async () => undefined,
		// Clients are the cluster's own and end with it.
		connect: (index) => ({
			apis: rotated(cluster.masterClients, index),
			namespace: "default",
			close: async () => {},
		}),
		close: () => cluster.stop(),
	};
}
