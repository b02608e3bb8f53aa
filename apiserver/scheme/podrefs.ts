/** The objects a pod's spec refers to, by name in its own namespace. */
import type { EnvFromSource, EnvVar, Pod, Volume } from "./types.gen.ts";

export interface PodReferences {
	readonly secrets: ReadonlySet<string>;
	readonly configMaps: ReadonlySet<string>;
	readonly persistentVolumeClaims: ReadonlySet<string>;
}

interface Collector {
	readonly secrets: Set<string>;
	readonly configMaps: Set<string>;
	readonly persistentVolumeClaims: Set<string>;
}

const add = (set: Set<string>, name: string | undefined) => {
	if (name !== undefined && name !== "") set.add(name);
};

function fromEnvironment(
	to: Collector,
	env: readonly EnvVar[] | undefined,
	envFrom: readonly EnvFromSource[] | undefined,
): void {
	for (const variable of env ?? []) {
		add(to.secrets, variable.valueFrom?.secretKeyRef?.name);
		add(to.configMaps, variable.valueFrom?.configMapKeyRef?.name);
	}
	for (const source of envFrom ?? []) {
		add(to.secrets, source.secretRef?.name);
		add(to.configMaps, source.configMapRef?.name);
	}
}

function fromVolume(to: Collector, volume: Volume, podName: string): void {
	add(to.configMaps, volume.configMap?.name);
	add(to.persistentVolumeClaims, volume.persistentVolumeClaim?.claimName);
	if (volume.ephemeral !== undefined) add(to.persistentVolumeClaims, `${podName}-${volume.name}`);
	for (const source of volume.projected?.sources ?? []) {
		add(to.secrets, source.secret?.name);
		add(to.configMaps, source.configMap?.name);
	}
	add(to.secrets, volume.secret?.secretName);
	add(to.secrets, volume.azureFile?.secretName);
	add(to.secrets, volume.cephfs?.secretRef?.name);
	add(to.secrets, volume.cinder?.secretRef?.name);
	add(to.secrets, volume.flexVolume?.secretRef?.name);
	add(to.secrets, volume.rbd?.secretRef?.name);
	add(to.secrets, volume.scaleIO?.secretRef?.name);
	add(to.secrets, volume.iscsi?.secretRef?.name);
	add(to.secrets, volume.storageos?.secretRef?.name);
	add(to.secrets, volume.csi?.nodePublishSecretRef?.name);
}

/** Everything `pod` refers to. */
export function podReferences(pod: Pod): PodReferences {
	const to: Collector = { secrets: new Set(), configMaps: new Set(), persistentVolumeClaims: new Set() };
	const spec = pod.spec ?? {};
	for (const container of [
		...(spec.containers ?? []),
		...(spec.initContainers ?? []),
		...(spec.ephemeralContainers ?? []),
	]) {
		fromEnvironment(to, container.env, container.envFrom);
	}
	for (const volume of spec.volumes ?? []) fromVolume(to, volume, pod.metadata?.name ?? "");
	for (const secret of spec.imagePullSecrets ?? []) add(to.secrets, secret.name);
	return to;
}

/** Pods the kubelet made from files carry this; their spec is not the API server's to change. */
export const mirrorPodAnnotation = "kubernetes.io/config.mirror";

export const isMirrorPod = (pod: Pod): boolean => pod.metadata?.annotations?.[mirrorPodAnnotation] !== undefined;
