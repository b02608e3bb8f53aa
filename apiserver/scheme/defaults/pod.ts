/** Defaults of pods and pod templates. */
import {
	canonicalQuantity,
	formatQuantity,
	parseQuantity,
	quantityMilliValue,
	quantityOfMilli,
} from "../../machinery/quantity.ts";
import type {
	Container,
	EnvVar,
	EphemeralContainer,
	Lifecycle,
	Pod,
	PodSpec,
	PodTemplateSpec,
	Probe,
	ResourceRequirements,
	Volume,
	VolumeProjection,
} from "../types.gen.ts";

const maxServiceAccountTokenSeconds = 3600;
const defaultFileMode = 0o644;

/** The tag an image name means: `latest` where it has neither tag nor digest, "" where it has only a digest. */
export function imageTag(image: string): string {
	const [name = "", digest] = image.split("@");
	const last = name.slice(name.lastIndexOf("/") + 1);
	const colon = last.indexOf(":");
	if (colon >= 0) return last.slice(colon + 1);
	return digest === undefined && image !== "" ? "latest" : "";
}

const pullPolicy = (image: string | undefined): string =>
	imageTag(image ?? "") === "latest" ? "Always" : "IfNotPresent";

/** Upstream keeps no amounts finer than thousandths: they are rounded up. */
export function roundUpResources(list: Record<string, string> | undefined): void {
	if (list === undefined) return;
	for (const [name, text] of Object.entries(list)) {
		if (!/[nu]$/.test(text)) continue;
		const quantity = parseQuantity(text);
		list[name] = formatQuantity(quantityOfMilli(quantityMilliValue(quantity), quantity.format));
	}
}

function defaultResources(resources: ResourceRequirements | undefined): void {
	roundUpResources(resources?.limits);
	roundUpResources(resources?.requests);
}

interface Handler {
	httpGet?: { path?: string | undefined; scheme?: string | undefined } | undefined;
}

function defaultHandler(handler: Handler | undefined): void {
	const get = handler?.httpGet;
	if (get === undefined) return;
	get.path ??= "/";
	get.scheme ??= "HTTP";
}

function defaultProbe(probe: Probe | undefined): void {
	if (probe === undefined) return;
	probe.timeoutSeconds ??= 1;
	probe.periodSeconds ??= 10;
	probe.successThreshold ??= 1;
	probe.failureThreshold ??= 3;
	if (probe.grpc !== undefined) probe.grpc.service ??= "";
	defaultHandler(probe);
}

function defaultLifecycle(lifecycle: Lifecycle | undefined): void {
	defaultHandler(lifecycle?.postStart);
	defaultHandler(lifecycle?.preStop);
}

function defaultEnv(env: EnvVar[] | undefined): void {
	for (const variable of env ?? []) {
		const from = variable.valueFrom;
		if (from?.fieldRef !== undefined) from.fieldRef.apiVersion ??= "v1";
		if (from?.resourceFieldRef !== undefined) from.resourceFieldRef.divisor ??= canonicalQuantity("0");
	}
}

function defaultContainer(container: Container | EphemeralContainer): void {
	container.imagePullPolicy ??= pullPolicy(container.image);
	container.terminationMessagePath ??= "/dev/termination-log";
	container.terminationMessagePolicy ??= "File";
	for (const port of container.ports ?? []) port.protocol ??= "TCP";
	defaultEnv(container.env);
	defaultResources(container.resources);
	defaultProbe(container.livenessProbe);
	defaultProbe(container.readinessProbe);
	defaultProbe(container.startupProbe);
	defaultLifecycle(container.lifecycle);
}

interface DownwardItems {
	items?:
		| Array<{
				fieldRef?: { apiVersion?: string | undefined } | undefined;
				resourceFieldRef?: { divisor?: string | undefined } | undefined;
		  }>
		| undefined;
}

function defaultDownward(source: DownwardItems | undefined): void {
	for (const item of source?.items ?? []) {
		if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= "v1";
		if (item.resourceFieldRef !== undefined) item.resourceFieldRef.divisor ??= "0";
	}
}

function defaultProjection(projection: VolumeProjection): void {
	if (projection.serviceAccountToken !== undefined) {
		projection.serviceAccountToken.expirationSeconds ??= maxServiceAccountTokenSeconds;
	}
	defaultDownward(projection.downwardAPI);
}

function defaultVolume(volume: Volume): void {
	if (Object.keys(volume).every((key) => key === "name")) volume.emptyDir = {};
	for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected]) {
		if (source !== undefined) source.defaultMode ??= defaultFileMode;
	}
	defaultDownward(volume.downwardAPI);
	for (const projection of volume.projected?.sources ?? []) defaultProjection(projection);
	if (volume.hostPath !== undefined) volume.hostPath.type ??= "";
	if (volume.image !== undefined) volume.image.pullPolicy ??= pullPolicy(volume.image.reference);
	if (volume.iscsi !== undefined) volume.iscsi.iscsiInterface ??= "default";
	if (volume.ephemeral?.volumeClaimTemplate?.spec !== undefined) {
		volume.ephemeral.volumeClaimTemplate.spec.volumeMode ??= "Filesystem";
	}
	if (volume.rbd !== undefined) {
		volume.rbd.pool ??= "rbd";
		volume.rbd.user ??= "admin";
		volume.rbd.keyring ??= "/etc/ceph/keyring";
	}
}

/** Defaults of a pod's spec wherever it stands. */
export function defaultPodSpec(spec: PodSpec): void {
	spec.dnsPolicy ??= "ClusterFirst";
	spec.restartPolicy ??= "Always";
	spec.securityContext ??= {};
	spec.terminationGracePeriodSeconds ??= 30;
	spec.schedulerName ??= "default-scheduler";
	// One fact under two names, the older of which is deprecated.
	spec.serviceAccountName ??= spec.serviceAccount;
	if (spec.serviceAccountName !== undefined) spec.serviceAccount = spec.serviceAccountName;
	else delete spec.serviceAccountName;
	for (const volume of spec.volumes ?? []) defaultVolume(volume);
	for (const container of spec.initContainers ?? []) defaultContainer(container);
	for (const container of spec.containers ?? []) defaultContainer(container);
	for (const container of spec.ephemeralContainers ?? []) defaultContainer(container);
	roundUpResources(spec.overhead);
	defaultResources(spec.resources);
	if (spec.hostNetwork) defaultHostPorts(spec);
}

/** On the host's network a container's port is the host's. */
function defaultHostPorts(spec: PodSpec): void {
	for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
		for (const port of container.ports ?? []) port.hostPort ??= port.containerPort;
	}
}

export function defaultPodTemplate(template: PodTemplateSpec | undefined): void {
	if (template?.spec !== undefined) defaultPodSpec(template.spec);
}

/** Requests default to limits in pods, not in templates. */
function defaultRequests(container: Container): void {
	const limits = container.resources?.limits;
	if (limits === undefined || container.resources === undefined) return;
	container.resources.requests = { ...limits, ...container.resources.requests };
}

export function defaultPod(pod: Pod): void {
	const spec = pod.spec;
	if (spec === undefined) return;
	// Upstream reads a negative grace as one second, in pods alone: templates keep it, and are warned of.
	if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1;
	defaultPodSpec(spec);
	for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) defaultRequests(container);
	spec.enableServiceLinks ??= true;
}
