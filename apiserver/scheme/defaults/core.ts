/** Defaults of the kinds that hold no pods. */
import { externallyAccessible } from "../service-types.ts";
import type {
	ClusterRoleBinding,
	EndpointSlice,
	Endpoints,
	Namespace,
	Node,
	RoleBinding,
	Secret,
	Service,
	ServiceSpec,
	TokenRequest,
} from "../types.gen.ts";
import { roundUpResources } from "./pod.ts";

const rbacGroup = "rbac.authorization.k8s.io";
const defaultAffinitySeconds = 10_800;
const defaultTokenSeconds = 3_600;

/** The label by which namespace selectors name a namespace. */
export const namespaceNameLabel = "kubernetes.io/metadata.name";

export function defaultNamespace(namespace: Namespace): void {
	const name = namespace.metadata?.name;
	// A generated name is not known yet; the label is put when it is.
	if (namespace.metadata !== undefined && name !== undefined && name !== "") {
		namespace.metadata.labels = { ...namespace.metadata.labels, [namespaceNameLabel]: name };
	}
	namespace.status ??= {};
	namespace.status.phase ??= "Active";
}

export function defaultNode(node: Node): void {
	const status = node.status;
	if (status === undefined) return;
	roundUpResources(status.capacity);
	if (status.allocatable === undefined && status.capacity !== undefined) status.allocatable = { ...status.capacity };
	roundUpResources(status.allocatable);
}

/** stringData is a way to write data, never a way to read it. */
export function defaultSecret(secret: Secret): void {
	if (secret.stringData !== undefined) {
		const data = (secret.data ??= {});
		for (const [key, value] of Object.entries(secret.stringData)) {
			Object.defineProperty(data, key, {
				value: Buffer.from(value, "utf8").toString("base64"),
				writable: true,
				enumerable: true,
				configurable: true,
			});
		}
		delete secret.stringData;
	}
	secret.type ??= "Opaque";
}

function defaultAffinity(spec: ServiceSpec): void {
	spec.sessionAffinity ??= "None";
	if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
	if (spec.sessionAffinity === "ClientIP" && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
		spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: defaultAffinitySeconds } };
	}
}

export function defaultService(service: Service): void {
	const spec = service.spec;
	if (spec === undefined) return;
	defaultAffinity(spec);
	spec.type ??= "ClusterIP";
	for (const port of spec.ports ?? []) {
		port.protocol ??= "TCP";
		if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") port.targetPort = port.port;
	}
	if (externallyAccessible(spec)) spec.externalTrafficPolicy ??= "Cluster";
	if (spec.type !== "ExternalName") spec.internalTrafficPolicy ??= "Cluster";
	if (spec.type !== "LoadBalancer") return;
	spec.allocateLoadBalancerNodePorts ??= true;
	for (const ingress of service.status?.loadBalancer?.ingress ?? []) {
		if (ingress.ip !== undefined) ingress.ipMode ??= "VIP";
	}
}

export function defaultEndpoints(endpoints: Endpoints): void {
	for (const subset of endpoints.subsets ?? []) {
		for (const port of subset.ports ?? []) port.protocol ??= "TCP";
	}
}

export function defaultEndpointSlice(slice: EndpointSlice): void {
	for (const port of slice.ports ?? []) {
		port.name ??= "";
		port.protocol ??= "TCP";
	}
}

export function defaultRoleBinding(binding: RoleBinding | ClusterRoleBinding): void {
	if (binding.roleRef !== undefined) binding.roleRef.apiGroup ??= rbacGroup;
	for (const subject of binding.subjects ?? []) {
		if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ??= rbacGroup;
	}
}

export function defaultTokenRequest(request: TokenRequest): void {
	request.spec ??= {};
	request.spec.expirationSeconds ??= defaultTokenSeconds;
}
