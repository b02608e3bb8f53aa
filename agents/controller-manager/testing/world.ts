/** Objects as tests need them. */
import type * as api from "../../../apiserver/scheme/types.gen.ts";

export const namespaceObject = (name: string): api.Namespace => ({
	apiVersion: "v1",
	kind: "Namespace",
	metadata: { name },
	spec: { finalizers: ["kubernetes"] },
	status: { phase: "Active" },
});

export const nodeObject = (
	name: string,
	ready: string,
	heartbeat: string,
	labels: Record<string, string> = {},
): api.Node => ({
	apiVersion: "v1",
	kind: "Node",
	metadata: { name, labels },
	spec: {},
	status: {
		conditions: [
			{ type: "MemoryPressure", status: "False", lastHeartbeatTime: heartbeat },
			{ type: "DiskPressure", status: "False", lastHeartbeatTime: heartbeat },
			{ type: "PIDPressure", status: "False", lastHeartbeatTime: heartbeat },
			{ type: "Ready", status: ready, lastHeartbeatTime: heartbeat, lastTransitionTime: heartbeat },
		],
	},
});

export const leaseObject = (name: string, renewTime: string): api.Lease => ({
	apiVersion: "coordination.k8s.io/v1",
	kind: "Lease",
	metadata: { name, namespace: "kube-node-lease" },
	spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime },
});

export const podObject = (
	name: string,
	more: { node?: string; labels?: Record<string, string>; ip?: string; ready?: boolean; spec?: api.PodSpec } = {},
): api.Pod => ({
	apiVersion: "v1",
	kind: "Pod",
	metadata: { name, namespace: "default", labels: more.labels ?? {} },
	spec: {
		...(more.node === undefined ? {} : { nodeName: more.node }),
		containers: [{ name: "c", image: "x" }],
		...more.spec,
	},
	status: {
		phase: "Running",
		...(more.ip === undefined ? {} : { podIP: more.ip, podIPs: [{ ip: more.ip }] }),
		conditions: [{ type: "Ready", status: more.ready === false ? "False" : "True" }],
	},
});
