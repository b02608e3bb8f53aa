/** What the two endpoint controllers share: which pods a service has, and at which ports; pure. */

import { isFinished } from "../../apiserver/machinery/pods.ts";
import { selectorFromLabels } from "../../apiserver/machinery/selectors.ts";
import type { ServicePort } from "../../apiserver/scheme/types.gen.ts";
import type { Pod, Service } from "./controller.ts";

export const headlessLabel = "service.kubernetes.io/headless";

export const isHeadless = (service: Service): boolean =>
	service.spec?.clusterIP === "None" || service.spec?.clusterIP === undefined || service.spec.clusterIP === "";

/** The controllers leave services alone whose endpoints are managed by hand, or that are only a name. */
export const isManaged = (service: Service): boolean =>
	Object.keys(service.spec?.selector ?? {}).length > 0 && service.spec?.type !== "ExternalName";

/** Pods with an address that have not ended; those being deleted only with `terminating`. */
export function podsOf(service: Service, pods: readonly Pod[], terminating: boolean): Pod[] {
	const selector = selectorFromLabels(service.spec?.selector);
	return pods.filter(
		(pod) =>
			selector.matches(pod.metadata.labels) &&
			!isFinished(pod) &&
			addressesOf(pod).length > 0 &&
			(terminating || pod.metadata.deletionTimestamp === undefined),
	);
}

/** All the pod's addresses. */
export function addressesOf(pod: Pod): string[] {
	const all = (pod.status?.podIPs ?? []).map(({ ip = "" }) => ip).filter((ip) => ip !== "");
	if (all.length > 0) return all;
	return (pod.status?.podIP ?? "") === "" ? [] : [pod.status?.podIP ?? ""];
}

export const familyOf = (ip: string): "IPv4" | "IPv6" => (ip.includes(":") ? "IPv6" : "IPv4");

/** The families the service has, its main one first. */
export function familiesOf(service: Service): ("IPv4" | "IPv6")[] {
	const families = service.spec?.ipFamilies ?? [];
	if (families.length > 0) return families as ("IPv4" | "IPv6")[];
	const ip = service.spec?.clusterIP ?? "";
	return [ip === "" || ip === "None" ? "IPv4" : familyOf(ip)];
}

/** The pod's port number for a service port; undefined when the pod has none of that name. */
export function targetPort(pod: Pod, port: ServicePort): number | undefined {
	const target = port.targetPort ?? port.port ?? 0;
	if (typeof target === "number") return target === 0 ? port.port : target;
	const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === "Always");
	for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
		const found = container.ports?.find((p) => p.name === target && (p.protocol ?? "TCP") === (port.protocol ?? "TCP"));
		if (found?.containerPort !== undefined) return found.containerPort;
	}
	return undefined;
}

/** The host name under which the pod is known within the service, if it asked for one. */
export function hostnameOf(pod: Pod, service: Service): string | undefined {
	const { hostname = "", subdomain } = pod.spec ?? {};
	return hostname !== "" && subdomain === service.metadata.name ? hostname : undefined;
}

export const targetRef = (pod: Pod) => ({
	kind: "Pod",
	namespace: pod.metadata.namespace,
	name: pod.metadata.name,
	uid: pod.metadata.uid,
});

/** Whether an update of a pod can change anything its services say about it. */
export function endpointChanged(previous: Pod, pod: Pod): boolean {
	const ready = (p: Pod) => p.status?.conditions?.find((c) => c.type === "Ready")?.status;
	const seen = (p: Pod) =>
		JSON.stringify([
			p.metadata.labels,
			p.metadata.deletionTimestamp,
			addressesOf(p),
			ready(p),
			isFinished(p),
			p.spec?.nodeName,
			p.spec?.hostname,
			p.spec?.subdomain,
		]);
	return seen(previous) !== seen(pod);
}
