/** What is kept of Kubernetes' objects for the checker of controllers. */
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Deployment, Lease, Pod, PodTemplateSpec, ReplicaSet } from "../../apiserver/scheme/types.gen.ts";
import type { SeenDeployment, SeenLease, SeenPod, SeenReplicaSet } from "../checkers/controllers.ts";
import { agentLeases } from "../checkers/leadership.ts";

/** On everything of the workload; its value is the Deployment's name. */
export const label = "barque-chaos/deployment";
/** An annotation of pod templates that tells them apart. */
export const templateMark = "barque-chaos/template";

function controllersOf(object: KubeObject<object>): string[] {
	const references = object.metadata.ownerReferences ?? [];
	return references.filter(({ controller }) => controller === true).map(({ uid = "" }) => uid);
}

const templateOf = (object: Pick<PodTemplateSpec, "metadata"> | undefined) =>
	object?.metadata?.annotations?.[templateMark] ?? "";

export function projectDeployment(object: KubeObject<Deployment>): SeenDeployment {
	const { metadata, spec, status } = object;
	const surge = spec?.strategy?.rollingUpdate?.maxSurge ?? 0;
	return {
		uid: metadata.uid ?? "",
		generation: metadata.generation ?? 0,
		observedGeneration: status?.observedGeneration ?? 0,
		replicas: spec?.replicas ?? 1,
		// The workload gives whole numbers only.
		surge: Number(surge),
		recreate: spec?.strategy?.type === "Recreate",
		template: templateOf(spec?.template),
	};
}

export function projectReplicaSet(object: KubeObject<ReplicaSet>): SeenReplicaSet {
	const { metadata, spec, status } = object;
	return {
		uid: metadata.uid ?? "",
		owner: controllersOf(object)[0] ?? "",
		generation: metadata.generation ?? 0,
		observedGeneration: status?.observedGeneration ?? 0,
		replicas: spec?.replicas ?? 1,
		template: templateOf(spec?.template),
	};
}

export function projectPod(object: KubeObject<Pod>): SeenPod {
	const { metadata, spec, status } = object;
	return {
		uid: metadata.uid ?? "",
		deployment: metadata.labels?.[label] ?? "",
		controllers: controllersOf(object),
		template: templateOf(object),
		terminating: metadata.deletionTimestamp !== undefined,
		finished: status?.phase === "Succeeded" || status?.phase === "Failed",
		ready: (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True"),
		node: spec?.nodeName ?? "",
	};
}

/** undefined: not the lease of an elected agent. */
export function projectLease({ metadata, spec }: KubeObject<Lease>): SeenLease | undefined {
	if (!agentLeases.some((name) => name === metadata.name)) return undefined;
	return {
		holder: spec?.holderIdentity ?? "",
		acquired: Date.parse(spec?.acquireTime ?? ""),
		renewed: Date.parse(spec?.renewTime ?? ""),
		durationSeconds: spec?.leaseDurationSeconds ?? 0,
		transitions: spec?.leaseTransitions ?? 0,
	};
}
