/** What is valid in a pod and yet not what its author means: warnings, in upstream's words and order. */
import { isIPv4, isIPv6 } from "node:net";
import { dns1123LabelProblems, labelValueProblems } from "../../machinery/names.ts";
import { formatQuantity, parseQuantity, QuantityError, quantityMilliValue } from "../../machinery/quantity.ts";
import { appArmorAnnotation, appArmorProfileOf, sameProfile } from "../defaults/apparmor.ts";
import type {
	Container,
	ContainerPort,
	EphemeralContainer,
	NodeSelectorTerm,
	PersistentVolumeClaimSpec,
	PodAffinityTerm,
	PodSpec,
	PodTemplateSpec,
	Volume,
} from "../types.gen.ts";
import { overlappingPaths } from "./path-warnings.ts";

type AnyContainer = Container | EphemeralContainer;
type Amounts = Readonly<Record<string, string>> | undefined;

const labels: ReadonlyMap<string, string> = new Map([
	["beta.kubernetes.io/arch", 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
	["beta.kubernetes.io/os", 'deprecated since v1.14; use "kubernetes.io/os" instead'],
	["failure-domain.beta.kubernetes.io/region", 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
	["failure-domain.beta.kubernetes.io/zone", 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
	["beta.kubernetes.io/instance-type", 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
	["app.kubernetes.io/created-by", "deprecated since v1.9"],
	["scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"],
	["node-role.kubernetes.io/master", 'use "node-role.kubernetes.io/control-plane" instead'],
]);

const annotationTexts: readonly (readonly [string, string])[] = [
	["scheduler.alpha.kubernetes.io/critical-pod", 'non-functional in v1.16+; use the "priorityClassName" field instead'],
	["security.alpha.kubernetes.io/sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'],
	["security.alpha.kubernetes.io/unsafe-sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'],
];

const volumeTexts: readonly (readonly [keyof Volume, string, string?])[] = [
	["photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
	["gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
	["scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
	["flocker", "deprecated in v1.22, non-functional in v1.25+"],
	["storageos", "deprecated in v1.22, non-functional in v1.25+", "storageOS"],
	["quobyte", "deprecated in v1.22, non-functional in v1.25+"],
	["glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
	["ephemeral", ""],
	["cephfs", "deprecated in v1.28, non-functional in v1.31+"],
	["rbd", "deprecated in v1.28, non-functional in v1.31+"],
];

const seccompPod = "seccomp.security.alpha.kubernetes.io/pod";
const seccompContainer = "container.seccomp.security.alpha.kubernetes.io/";

const quote = (text: string | undefined) => JSON.stringify(text ?? "");

/** An amount of bytes that is no whole number. */
function fractional(path: string, amounts: Amounts, resource: string): string[] {
	const amount = amounts?.[resource];
	if (amount === undefined) return [];
	try {
		const quantity = parseQuantity(String(amount));
		if (quantityMilliValue(quantity) % 1000n === 0n) return [];
		return [
			`${path}[${resource}]: fractional byte value ${quote(formatQuantity(quantity))} is invalid, must be an integer`,
		];
	} catch (error) {
		// Validation says so.
		if (error instanceof QuantityError) return [];
		throw error;
	}
}

function claimWarnings(path: string, spec: PersistentVolumeClaimSpec | undefined): string[] {
	const { requests, limits } = spec?.resources ?? {};
	return [
		...fractional(`${path}.resources.requests`, requests as Amounts, "storage"),
		...fractional(`${path}.resources.limits`, limits as Amounts, "storage"),
	];
}

/** An address that is not written as RFC 5952 wants it. */
export function addressWarnings(path: string, address: string): string[] {
	if (isIPv4(address) || !isIPv6(address)) return [];
	const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
	if (mapped !== undefined)
		return [`${path}: non-standard IP address ${quote(address)} is invalid: use ${quote(mapped)}`];
	const canonical = new URL(`http://[${address.split("%", 1)[0]}]`).hostname.slice(1, -1);
	if (canonical === address) return [];
	return [`${path}: IPv6 address ${quote(address)} should be in RFC 5952 canonical format (${quote(canonical)})`];
}

function termWarnings(path: string, term: NodeSelectorTerm | undefined, checksValues: boolean): string[] {
	return (term?.matchExpressions ?? []).flatMap(({ key = "", values = [] }, i) => {
		const at = `${path}.matchExpressions[${i}]`;
		const text = labels.get(key);
		return [
			...(text === undefined ? [] : [`${at}.key: ${key} is ${text}`]),
			...(checksValues ? values : []).flatMap((value, j) =>
				labelValueProblems(value).map((why) => `${at}.values[${j}]: ${value} is invalid, ${why}`),
			),
		];
	});
}

function nodeWarnings(path: string, spec: PodSpec): string[] {
	const affinity = spec.affinity?.nodeAffinity;
	const at = `${path}.affinity.nodeAffinity`;
	const required = `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
	const preferred = `${at}.preferredDuringSchedulingIgnoredDuringExecution`;
	return [
		...Object.keys(spec.nodeSelector ?? {}).flatMap((key) => {
			const text = labels.get(key);
			return text === undefined ? [] : [`${path}.nodeSelector[${key}]: ${text}`];
		}),
		...(affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []).flatMap((term, i) =>
			termWarnings(`${required}[${i}]`, term, false),
		),
		...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((term, i) =>
			termWarnings(`${preferred}[${i}].preference`, term.preference, true),
		),
		...(spec.topologySpreadConstraints ?? []).flatMap(({ topologyKey = "", labelSelector }, i) => {
			const constraint = `${path}.topologySpreadConstraints[${i}]`;
			const text = labels.get(topologyKey);
			return [
				...(text === undefined ? [] : [`${constraint}.topologyKey: ${topologyKey} is ${text}`]),
				...(labelSelector === undefined
					? [`${constraint}.labelSelector: a null labelSelector results in matching no pod`]
					: []),
			];
		}),
	];
}

function volumeWarnings(path: string, volumes: readonly Volume[]): string[] {
	return volumes.flatMap((volume, i) =>
		volumeTexts.flatMap(([source, text, shown = source]) => {
			if (volume[source] === undefined) return [];
			const at = `${path}[${i}].${shown}`;
			if (source !== "ephemeral") return [`${at}: ${text}`];
			return claimWarnings(`${at}.volumeClaimTemplate.spec`, volume.ephemeral?.volumeClaimTemplate?.spec);
		}),
	);
}

/** Values that stood before in the list. */
function duplicates(path: string, what: string, values: readonly (string | undefined)[]): string[] {
	const seen = new Set<string>();
	return values.flatMap((value = "", i) => {
		if (seen.has(value)) return [`${path}[${i}].${what}: duplicate ${what} ${quote(value)}`];
		seen.add(value);
		return [];
	});
}

function environmentWarnings(path: string, { env = [] }: AnyContainer): string[] {
	const seen = new Set<string>();
	return env.flatMap(({ name = "", value = "", valueFrom }, i) => {
		if (!seen.has(name)) {
			seen.add(name);
			return [];
		}
		const reference = `$(${name})`;
		// Appending to the value before is what people do on purpose.
		if (valueFrom === undefined && value !== reference && value.includes(reference)) return [];
		return [`${path}.env[${i}]: hides previous definition of ${quote(name)}, which may be dropped when using apply`];
	});
}

function containerWarnings(path: string, container: AnyContainer, pod: PodTemplateSpec, metadata: string): string[] {
	const annotations = pod.metadata?.annotations ?? {};
	const { securityContext: context, resources = {} } = container;
	const name = container.name ?? "";
	const seccomp = seccompContainer + name;
	const appArmor = appArmorAnnotation(name);
	const bytes = ["memory", "ephemeral-storage"].flatMap((resource) => [
		...fractional(`${path}.resources.limits`, resources.limits as Amounts, resource),
		...fractional(`${path}.resources.requests`, resources.requests as Amounts, resource),
	]);
	const podProfile = pod.spec?.securityContext?.appArmorProfile;
	// Of a pod itself the annotation has become a field by now, and was told of before.
	const isOldAppArmor =
		metadata !== "metadata" &&
		context?.appArmorProfile === undefined &&
		Object.hasOwn(annotations, appArmor) &&
		(podProfile === undefined || !sameProfile(podProfile, appArmorProfileOf(annotations[appArmor] ?? "")));
	return [
		...(context?.seccompProfile === undefined && Object.hasOwn(annotations, seccomp)
			? [`${metadata}.annotations[${seccomp}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
			: []),
		...(isOldAppArmor
			? [`${metadata}.annotations[${appArmor}]: deprecated since v1.30; use the "appArmorProfile" field instead`]
			: []),
		...bytes,
		...environmentWarnings(path, container),
	];
}

interface Placed {
	readonly path: string;
	readonly port: ContainerPort;
}

const goPort = (p: ContainerPort) =>
	`{Name:${p.name ?? ""} HostPort:${p.hostPort ?? 0} ContainerPort:${p.containerPort ?? 0} Protocol:${p.protocol ?? ""} HostIP:${p.hostIP ?? ""}}`;

function clash(port: ContainerPort, other: ContainerPort): string | undefined {
	const [host, otherHost] = [port.hostPort ?? 0, other.hostPort ?? 0];
	const [ip, otherIp] = [port.hostIP ?? "", other.hostIP ?? ""];
	if (ip === otherIp && host === otherHost) return "duplicate";
	if (host === 0 || otherHost === 0) return "overlapping";
	return host === otherHost && (ip === "") !== (otherIp === "") ? "dangerously ambiguous" : undefined;
}

/** Ports looked at against others of the same number: a pod has few, and a client may send many. */
const maxCompared = 100;

function portWarnings(placed: readonly Placed[]): string[] {
	const byNumber = new Map<string, Placed[]>();
	const warnings: string[] = [];
	for (const { path, port } of placed) {
		if ((port.hostIP ?? "") !== "" && (port.hostPort ?? 0) === 0) {
			warnings.push(`${path}: hostIP set without hostPort: ${goPort(port)}`);
		}
		const key = `${port.containerPort}/${port.protocol}`;
		const others = byNumber.get(key) ?? [];
		for (const other of others) {
			const how = clash(port, other.port);
			if (how !== undefined) warnings.push(`${path}: ${how} port definition with ${other.path}`);
		}
		if (others.length < maxCompared) others.push({ path, port });
		byNumber.set(key, others);
	}
	const byName = new Map<string, string>();
	for (const { path, port } of placed) {
		const name = port.name ?? "";
		const other = byName.get(name);
		if (name === "") continue;
		if (other === undefined) byName.set(name, path);
		else {
			warnings.push(
				`${path}: duplicate port name ${quote(name)} with ${other}, services and probes that select ports by name will use ${other}`,
			);
		}
	}
	return warnings;
}

function affinityWarnings(path: string, spec: PodSpec): string[] {
	const silent = (at: string, terms: readonly (PodAffinityTerm | undefined)[], inner = "") =>
		terms.flatMap((term, i) =>
			term?.labelSelector === undefined
				? [`${at}[${i}]${inner}.labelSelector: a null labelSelector results in matching no pod`]
				: [],
		);
	return (["podAffinity", "podAntiAffinity"] as const).flatMap((kind) => {
		const affinity = spec.affinity?.[kind];
		const at = `${path}.affinity.${kind}`;
		return [
			...silent(
				`${at}.requiredDuringSchedulingIgnoredDuringExecution`,
				affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
			),
			...silent(
				`${at}.preferredDuringSchedulingIgnoredDuringExecution`,
				(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((t) => t.podAffinityTerm),
				".podAffinityTerm",
			),
		];
	});
}

/** Warnings about a pod ("" as `prefix`) or a template (`spec.template.`). */
export function podWarnings(prefix: string, pod: PodTemplateSpec): string[] {
	const spec = pod.spec ?? {};
	const [path, metadata] = [`${prefix}spec`, `${prefix}metadata`];
	const annotations = pod.metadata?.annotations ?? {};
	const containers: [string, AnyContainer][] = (
		["initContainers", "containers", "ephemeralContainers"] as const
	).flatMap((kind) => (spec[kind] ?? []).map((c, i): [string, AnyContainer] => [`${path}.${kind}[${i}]`, c]));
	const placed = containers.flatMap(([at, c]) =>
		(c.ports ?? []).map((port, i) => ({ path: `${at}.ports[${i}]`, port })),
	);
	const overhead = spec.overhead as Amounts;
	const pullSecrets = spec.imagePullSecrets ?? [];
	const hostAliases = spec.hostAliases ?? [];
	return [
		...nodeWarnings(path, spec),
		...annotationTexts.flatMap(([key, text]) =>
			Object.hasOwn(annotations, key) ? [`${metadata}.annotations[${key}]: ${text}`] : [],
		),
		...volumeWarnings(`${path}.volumes`, spec.volumes ?? []),
		...overlappingPaths(spec.volumes ?? []),
		...duplicates(
			`${path}.hostAliases`,
			"ip",
			hostAliases.map((h) => h.ip),
		),
		...duplicates(
			`${path}.imagePullSecrets`,
			"name",
			pullSecrets.map((s) => s.name),
		),
		...pullSecrets.flatMap((s, i) =>
			(s.name ?? "") === "" ? [`${path}.imagePullSecrets[${i}].name: invalid empty name ""`] : [],
		),
		...fractional(`${path}.overhead`, overhead, "memory"),
		...fractional(`${path}.overhead`, overhead, "ephemeral-storage"),
		...(spec.securityContext?.seccompProfile === undefined && Object.hasOwn(annotations, seccompPod)
			? [`${metadata}.annotations[${seccompPod}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
			: []),
		...containers.flatMap(([at, c]) => containerWarnings(at, c, pod, metadata)),
		...portWarnings(placed),
		...((spec.terminationGracePeriodSeconds ?? 0) < 0
			? [`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
			: []),
		...affinityWarnings(path, spec),
		...(spec.dnsConfig?.nameservers ?? []).flatMap((ip, i) =>
			addressWarnings(`${path}.dnsConfig.nameservers[${i}]`, ip),
		),
		...hostAliases.flatMap((h, i) => addressWarnings(`${path}.hostAliases[${i}].ip`, h.ip ?? "")),
	];
}

/** A name that makes no host name. `used`: where it ends up. */
export function hostnameWarnings(used: string, name: string): string[] {
	const problems = dns1123LabelProblems(name);
	if (problems.length === 0) return [];
	return [
		`metadata.name: this is used in ${used}, which can result in surprising behavior; a DNS label is recommended: [${problems.join(" ")}]`,
	];
}
