/** NodeRestriction: a kubelet writes only its own Node, its Lease, and the pods bound to it. */

import { nodeLeaseNamespace, nodeOf } from "../authz/node.ts";
import { type Authorizer, resourceAttributes } from "../authz/types.ts";
import { notFound } from "../machinery/errors.ts";
import { deepEqual, semanticEqual } from "../machinery/meta.ts";
import { mirrorPodAnnotation, podReferences } from "../scheme/podrefs.ts";
import type { Node, Pod, TokenRequest, Volume, VolumeProjection } from "../scheme/types.gen.ts";
import { type AdmissionAttributes, type AdmissionLookups, type AdmissionPlugin, refuse } from "./types.ts";

type Labels = Readonly<Record<string, string>>;

/** Labels in Kubernetes' own namespaces that a kubelet may set on its Node. */
const kubeletLabels: ReadonlySet<string> = new Set([
	"kubernetes.io/hostname",
	"kubernetes.io/os",
	"kubernetes.io/arch",
	"topology.kubernetes.io/zone",
	"topology.kubernetes.io/region",
	"failure-domain.beta.kubernetes.io/zone",
	"failure-domain.beta.kubernetes.io/region",
	"node.kubernetes.io/instance-type",
	"node.kubernetes.io/windows-build",
	"beta.kubernetes.io/instance-type",
	"beta.kubernetes.io/os",
	"beta.kubernetes.io/arch",
]);
const kubeletLabelNamespaces = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const restrictedNamespace = "node-restriction.kubernetes.io";

const quote = (text: string | undefined) => JSON.stringify(text ?? "");
const isWithin = (namespace: string, parent: string) => namespace === parent || namespace.endsWith(`.${parent}`);

function isForbiddenLabel(key: string): boolean {
	const slash = key.indexOf("/");
	const namespace = slash < 0 ? "" : key.slice(0, slash);
	if (isWithin(namespace, restrictedNamespace)) return true;
	if (!isWithin(namespace, "kubernetes.io") && !isWithin(namespace, "k8s.io")) return false;
	return !kubeletLabels.has(key) && !kubeletLabelNamespaces.some((n) => isWithin(namespace, n));
}

/** Forbidden labels that differ between the two, in order. */
function forbiddenChanges(before: Labels | undefined, after: Labels | undefined): string[] {
	const keys = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
	return [...keys].filter((k) => before?.[k] !== after?.[k] && isForbiddenLabel(k)).sort();
}

async function admitPod(a: AdmissionAttributes, node: string, lookups: AdmissionLookups): Promise<void> {
	if (a.operation === "CREATE") return admitMirrorPod(a, node, lookups);
	if (a.operation !== "DELETE") {
		throw refuse(
			a,
			`unexpected operation ${quote(a.operation)}, node ${quote(node)} can only create and delete mirror pods`,
		);
	}
	const pod = await existingPod(a, a.name, lookups);
	if (pod.spec?.nodeName !== node) {
		throw refuse(a, `node ${quote(node)} can only delete pods with spec.nodeName set to itself`);
	}
}

async function existingPod(a: AdmissionAttributes, name: string, lookups: AdmissionLookups): Promise<Pod> {
	// A collection's items come with their object.
	const pod = (a.oldObject as Pod | undefined) ?? (await lookups.pod(a.namespace, name));
	if (pod === undefined) throw notFound({ group: "", resource: "pods" }, name);
	return pod;
}

async function admitMirrorPod(a: AdmissionAttributes, node: string, lookups: AdmissionLookups): Promise<void> {
	const pod = (a.object ?? {}) as Pod;
	const self = `node ${quote(node)}`;
	if (pod.metadata?.annotations?.[mirrorPodAnnotation] === undefined) {
		throw refuse(a, `pod does not have ${quote(mirrorPodAnnotation)} annotation, ${self} can only create mirror pods`);
	}
	if (pod.spec?.nodeName !== node) throw refuse(a, `${self} can only create pods with spec.nodeName set to itself`);
	await requireOwnedBy(a, pod, node, lookups);
	const reference = apiReference(pod);
	if (reference !== undefined) throw refuse(a, `${self} can not create pods that reference ${reference}`);
}

/** Volumes that upstream looks at by the object behind them; every other kind must be one that needs no object. */
const volumeReferences: readonly (readonly [keyof Volume, string])[] = [
	["configMap", "configmaps (via configmap volumes)"],
	["secret", "secrets (via secret volumes)"],
	["csi", "csidrivers (via CSI volumes)"],
	["glusterfs", "endpoints (via glusterFS volumes)"],
	["persistentVolumeClaim", "persistentvolumeclaims"],
	["ephemeral", "persistentvolumeclaims (via ephemeral volumes)"],
	["azureFile", "secrets (via azureFile volumes)"],
];
const projectedReferences: readonly (readonly [keyof VolumeProjection, string])[] = [
	["configMap", "configmaps (via projected volumes)"],
	["secret", "secrets (via projected volumes)"],
	["serviceAccountToken", "serviceaccounts (via projected volumes)"],
	["clusterTrustBundle", "clustertrustbundles"],
	["podCertificate", "podcertificates"],
];

/** What of the API a pod needs, in upstream's words; undefined: nothing. What a kubelet makes by itself must need nothing. */
function apiReference(pod: Pod): string | undefined {
	if ((pod.spec?.serviceAccountName ?? "") !== "") return "serviceaccounts";
	const { secrets, configMaps } = podReferences(pod);
	if (secrets.size > 0) return "secrets";
	if (configMaps.size > 0) return "configmaps";
	if ((pod.spec?.resourceClaims ?? []).length > 0) return "resourceclaims";
	for (const volume of pod.spec?.volumes ?? []) {
		const found = volumeReferences.find(([source]) => volume[source] !== undefined);
		if (found !== undefined) return found[1];
		for (const source of volume.projected?.sources ?? []) {
			const projected = projectedReferences.find(([kind]) => source[kind] !== undefined);
			if (projected !== undefined) return projected[1];
		}
	}
	return undefined;
}

async function requireOwnedBy(
	a: AdmissionAttributes,
	pod: Pod,
	node: string,
	lookups: AdmissionLookups,
): Promise<void> {
	const self = `node ${quote(node)}`;
	const owners = pod.metadata?.ownerReferences ?? [];
	const [owner] = owners;
	if (owners.length > 1) throw refuse(a, `${self} can only create pods with a single owner reference set to itself`);
	if (owner === undefined || owner.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node) {
		throw refuse(a, `${self} can only create pods with an owner reference set to itself`);
	}
	if (owner.controller !== true) {
		throw refuse(a, `${self} can only create pods with a controller owner reference set to itself`);
	}
	if (owner.blockOwnerDeletion === true)
		throw refuse(a, `${self} must not set blockOwnerDeletion on an owner reference`);
	const found = await lookups.node(node);
	if (found === undefined) throw notFound({ group: "", resource: "nodes" }, node);
	if (owner.uid !== found.metadata?.uid) {
		throw refuse(a, `node ${node} UID mismatch: expected ${owner.uid} got ${found.metadata?.uid}`);
	}
}

function admitPodStatus(a: AdmissionAttributes, node: string): void {
	if (a.operation !== "UPDATE") throw refuse(a, `unexpected operation ${quote(a.operation)}`);
	const [before, after] = [(a.oldObject ?? {}) as Pod, (a.object ?? {}) as Pod];
	const self = `node ${quote(node)}`;
	if (before.spec?.nodeName !== node) {
		throw refuse(a, `${self} can only update pod status for pods with spec.nodeName set to itself`);
	}
	if (!semanticEqual(before.metadata?.labels, after.metadata?.labels)) {
		throw refuse(a, `${self} cannot update labels through pod status`);
	}
	if (!semanticEqual(before.status?.resourceClaimStatuses, after.status?.resourceClaimStatuses)) {
		throw refuse(a, `${self} cannot update resource claim statues`);
	}
}

async function admitEviction(a: AdmissionAttributes, node: string, lookups: AdmissionLookups): Promise<void> {
	if (a.operation !== "CREATE") throw refuse(a, `unexpected operation ${a.operation}`);
	const name = a.name || a.object?.metadata.name || "";
	if (name === "") throw refuse(a, "could not determine pod from request data");
	const pod = await lookups.pod(a.namespace, name);
	if (pod === undefined) throw notFound({ group: "", resource: "pods" }, name);
	if (pod.spec?.nodeName !== node) throw refuse(a, `node ${node} can only evict pods with spec.nodeName set to itself`);
}

function admitNode(a: AdmissionAttributes, node: string): void {
	const self = `node ${quote(node)}`;
	const requested = a.name || a.object?.metadata.name || "";
	if (requested !== node) throw refuse(a, `${self} is not allowed to modify node ${quote(requested)}`);
	if (a.operation === "DELETE" || a.object === undefined) return;
	const after = a.object as Node;
	if (a.operation === "CREATE") {
		if (after.spec?.configSource !== undefined) {
			throw refuse(a, `${self} is not allowed to create pods with a non-nil configSource`);
		}
		const labels = forbiddenChanges(undefined, after.metadata?.labels);
		if (labels.length > 0) {
			throw refuse(a, `${self} is not allowed to set the following labels: ${labels.join(", ")}`);
		}
		return;
	}
	const before = (a.oldObject ?? {}) as Node;
	if (after.spec?.configSource !== undefined && !deepEqual(after.spec.configSource, before.spec?.configSource)) {
		throw refuse(a, `${self} is not allowed to update configSource to a new non-nil configSource`);
	}
	if (!semanticEqual(before.spec?.taints, after.spec?.taints)) {
		throw refuse(a, `${self} is not allowed to modify taints`);
	}
	if (!semanticEqual(before.metadata?.ownerReferences, after.metadata?.ownerReferences)) {
		throw refuse(a, `${self} is not allowed to modify ownerReferences`);
	}
	const labels = forbiddenChanges(before.metadata?.labels, after.metadata?.labels);
	if (labels.length > 0) throw refuse(a, `is not allowed to modify labels: ${labels.join(", ")}`);
}

async function admitToken(
	a: AdmissionAttributes,
	node: string,
	lookups: AdmissionLookups,
	authorizer: Authorizer,
): Promise<void> {
	if (a.operation !== "CREATE" || a.subresource !== "token") return;
	const spec = ((a.object ?? {}) as TokenRequest).spec ?? {};
	const ref = spec.boundObjectRef;
	if (ref === undefined || ref.apiVersion !== "v1" || ref.kind !== "Pod" || (ref.name ?? "") === "") {
		throw refuse(a, "node requested token not bound to a pod");
	}
	if ((ref.uid ?? "") === "") throw refuse(a, "node requested token with a pod binding without a uid");
	const pod = await lookups.pod(a.namespace, ref.name ?? "");
	if (pod === undefined) throw notFound({ group: "", resource: "pods" }, ref.name ?? "");
	if (ref.uid !== pod.metadata?.uid) {
		throw refuse(
			a,
			`the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
		);
	}
	if (pod.spec?.nodeName !== node) throw refuse(a, "node requested token bound to a pod scheduled on a different node");
	const problem = audienceProblem(a, spec.audiences ?? [], pod, authorizer);
	if (problem !== undefined) throw refuse(a, problem);
}

/** A kubelet asks for tokens for whom the pod's volumes name, or for whom it is allowed to by name. */
function audienceProblem(
	a: AdmissionAttributes,
	audiences: readonly string[],
	pod: Pod,
	authorizer: Authorizer,
): string | undefined {
	if (audiences.length > 1) return "node may only request 0 or 1 audiences";
	const [audience = ""] = audiences;
	const mounted = pod.spec?.volumes?.some((v) =>
		v.projected?.sources?.some(
			(s) => s.serviceAccountToken !== undefined && (s.serviceAccountToken.audience ?? "") === audience,
		),
	);
	if (mounted === true) return undefined;
	const attributes = resourceAttributes(a.user, "request-serviceaccounts-token-audience", {
		namespace: a.namespace,
		apiVersion: "v1",
		resource: audience,
		name: a.name,
	});
	if (authorizer.authorize(attributes).decision === "allow") return undefined;
	return `audience ${quote(audience)} not found in pod spec volume, ${a.user.username} is not authorized to request tokens for this audience`;
}

function admitLease(a: AdmissionAttributes, node: string): void {
	if (a.namespace !== nodeLeaseNamespace) {
		throw refuse(a, `can only access leases in the ${quote(nodeLeaseNamespace)} system namespace`);
	}
	const name = a.operation === "CREATE" ? a.object?.metadata.name : a.name;
	if (name !== node) throw refuse(a, "can only access node lease with the same name as the requesting node");
}

async function restrict(a: AdmissionAttributes, lookups: AdmissionLookups, authorizer: Authorizer): Promise<void> {
	if (a.operation === "CONNECT") return;
	const node = nodeOf(a.user);
	if (node === undefined) return;
	if (node === "") throw refuse(a, `could not determine node from user ${quote(a.user.username)}`);
	switch (a.resource.group === "" ? a.resource.resource : `${a.resource.resource}.${a.resource.group}`) {
		case "pods":
			if (a.subresource === "") return admitPod(a, node, lookups);
			if (a.subresource === "status") return admitPodStatus(a, node);
			if (a.subresource === "eviction") return admitEviction(a, node, lookups);
			throw refuse(a, `unexpected pod subresource ${quote(a.subresource)}, only 'status' and 'eviction' are allowed`);
		case "nodes":
			return admitNode(a, node);
		case "serviceaccounts":
			return admitToken(a, node, lookups, authorizer);
		case "leases.coordination.k8s.io":
			return admitLease(a, node);
	}
}

/** `authorizer`: whether a kubelet may ask for tokens beyond those its pods mount. */
export const nodeRestriction = (authorizer: Authorizer): AdmissionPlugin => ({
	name: "NodeRestriction",
	mutate: (a, lookups) => restrict(a, lookups, authorizer),
});
