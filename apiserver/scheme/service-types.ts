/** What each type of service has, as its defaults, its checks and its allocation ask it. */
import type { ServiceSpec } from "./types.gen.ts";

/** The clusterIP of a service that wants none. */
export const headless = "None";

export const isHeadless = (spec: ServiceSpec): boolean =>
	spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === headless;

/** "None" counts as an address. */
export const needsAddress = (spec: ServiceSpec): boolean => spec.type !== "ExternalName";

/** May have node ports, whether they are allocated or only kept where they are named. */
export const mayHaveNodePorts = (spec: ServiceSpec): boolean =>
	spec.type === "NodePort" || spec.type === "LoadBalancer";

/** Gets a node port for each port that names none. */
export const allocatesNodePorts = (spec: ServiceSpec): boolean =>
	spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);

export const needsHealthPort = (spec: ServiceSpec): boolean =>
	spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";

export const externallyAccessible = (spec: ServiceSpec): boolean =>
	mayHaveNodePorts(spec) || (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0);
