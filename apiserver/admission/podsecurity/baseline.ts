/** The checks of level baseline: known ways from a container to its host. */
import type { LifecycleHandler, Probe, SELinuxOptions } from "../../scheme/types.gen.ts";
import {
	type AnyContainer,
	type Check,
	containersNamed,
	containersOf,
	namesOf,
	offenders,
	plural,
	quoted,
	setters,
	sorted,
} from "./check.ts";

const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

export const appArmorProfile: Check = (subject) => {
	const { metadata, spec } = subject;
	const isBad = (type: string | undefined) => type !== undefined && type !== "RuntimeDefault" && type !== "Localhost";
	const podType = spec.securityContext?.appArmorProfile && (spec.securityContext.appArmorProfile.type ?? "");
	const typeOf = (c: AnyContainer) =>
		c.securityContext?.appArmorProfile && (c.securityContext.appArmorProfile.type ?? "");
	const containers = containersOf(subject).filter((c) => isBad(typeOf(c)));
	const annotations = Object.entries(metadata.annotations ?? {})
		.filter(([key, value]) => key.startsWith(appArmorPrefix) && !isAllowedProfile(value))
		.map(([key, value]) => `${key}=${JSON.stringify(value)}`)
		.sort();
	const types = sorted([...(isBad(podType) ? [podType ?? ""] : []), ...containers.map((c) => typeOf(c) ?? "")]);
	const values = [...types, ...annotations];
	const by = [
		setters(isBad(podType), containers),
		...(annotations.length > 0 ? [plural(annotations.length, "annotation")] : []),
	];
	const who = by.filter((b) => b !== "").join(" and ");
	if (who === "") return undefined;
	return {
		reason: plural(values.length, "forbidden AppArmor profile"),
		detail: `${who} must not set AppArmor profile type to ${quoted(values)}`,
	};
};

const isAllowedProfile = (value: string) => ["", "runtime/default"].includes(value) || value.startsWith("localhost/");

const defaultCapabilities: ReadonlySet<string> = new Set([
	"AUDIT_WRITE",
	"CHOWN",
	"DAC_OVERRIDE",
	"FOWNER",
	"FSETID",
	"KILL",
	"MKNOD",
	"NET_BIND_SERVICE",
	"SETFCAP",
	"SETGID",
	"SETPCAP",
	"SETUID",
	"SYS_CHROOT",
]);

/** Containers that add more than `allowed`, and what they add. */
export function addedCapabilities(subject: Parameters<Check>[0], allowed: ReadonlySet<string>) {
	const excess = (c: AnyContainer) =>
		(c.securityContext?.capabilities?.add ?? []).filter((capability) => !allowed.has(capability));
	const containers = containersOf(subject).filter((c) => excess(c).length > 0);
	if (containers.length === 0) return undefined;
	const capabilities = sorted(containers.flatMap(excess));
	return `${containersNamed(namesOf(containers))} must not include ${quoted(capabilities)} in securityContext.capabilities.add`;
}

export const capabilitiesBaseline: Check = (subject) => {
	const detail = addedCapabilities(subject, defaultCapabilities);
	return detail === undefined ? undefined : { reason: "non-default capabilities", detail };
};

export const hostNamespaces: Check = ({ spec }) => {
	const used = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field] === true);
	if (used.length === 0) return undefined;
	return { reason: "host namespaces", detail: used.map((field) => `${field}=true`).join(", ") };
};

export const hostPathVolumes: Check = ({ spec }) => {
	const volumes = (spec.volumes ?? []).filter((v) => v.hostPath !== undefined).map((v) => v.name ?? "");
	if (volumes.length === 0) return undefined;
	return { reason: "hostPath volumes", detail: `${plural(volumes.length, "volume")} ${quoted(volumes)}` };
};

export const hostPorts: Check = (subject) => {
	const portsOf = (c: AnyContainer) => (c.ports ?? []).map((p) => p.hostPort ?? 0).filter((port) => port !== 0);
	const containers = containersOf(subject).filter((c) => portsOf(c).length > 0);
	if (containers.length === 0) return undefined;
	const ports = sorted(containers.flatMap(portsOf).map(String));
	const uses = `${plural(containers.length, "uses", "use")} ${plural(ports.length, "hostPort")}`;
	return { reason: "hostPort", detail: `${containersNamed(namesOf(containers))} ${uses} ${ports.join(", ")}` };
};

const hostsOf = (handlers: readonly (Probe | LifecycleHandler | undefined)[]): string[] =>
	handlers.flatMap((h) => [h?.httpGet?.host ?? "", h?.tcpSocket?.host ?? ""]).filter((host) => host !== "");

export const hostProbesAndHostLifecycle: Check = (subject) => {
	const hosts = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: AnyContainer) =>
		hostsOf([livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop]);
	const containers = containersOf(subject).filter((c) => hosts(c).length > 0);
	if (containers.length === 0) return undefined;
	const names = sorted(namesOf(containers));
	const forbidden = sorted(containers.flatMap(hosts));
	const uses = `${plural(names.length, "uses", "use")} ${plural(forbidden.length, "probe or lifecycle host")}`;
	return { reason: "probe or lifecycle host", detail: `${containersNamed(names)} ${uses} ${quoted(forbidden)}` };
};

export const privileged: Check = (subject) => {
	const containers = offenders(subject, (c) => c.privileged === true);
	if (containers.length === 0) return undefined;
	return {
		reason: "privileged",
		detail: `${containersNamed(namesOf(containers))} must not set securityContext.privileged=true`,
	};
};

export const procMount: Check = (subject) => {
	const containers = offenders(subject, (c) => c.procMount !== undefined && c.procMount !== "Default");
	if (containers.length === 0) return undefined;
	const types = sorted(containers.map((c) => c.securityContext?.procMount ?? ""));
	return {
		reason: "procMount",
		detail: `${containersNamed(namesOf(containers))} must not set securityContext.procMount to ${quoted(types)}`,
	};
};

const seLinuxTypes = ["", "container_t", "container_init_t", "container_kvm_t"];

/** `allowed`: types beside the first ones. */
export const seLinuxOptions =
	(...more: readonly string[]): Check =>
	(subject) => {
		const allowed: readonly string[] = [...seLinuxTypes, ...more];
		const isBad = (o: SELinuxOptions | undefined): o is SELinuxOptions =>
			o !== undefined && (!allowed.includes(o.type ?? "") || (o.user ?? "") !== "" || (o.role ?? "") !== "");
		const pod = subject.spec.securityContext?.seLinuxOptions;
		const containers = offenders(subject, (c) => isBad(c.seLinuxOptions));
		const who = setters(isBad(pod), containers);
		if (who === "") return undefined;
		const bad = [pod, ...containers.map((c) => c.securityContext?.seLinuxOptions)].filter(isBad);
		const types = sorted(bad.map((o) => o.type ?? "").filter((type) => !allowed.includes(type)));
		const what = [
			...(types.length > 0 ? [`${plural(types.length, "type")} ${quoted(types)}`] : []),
			...(bad.some((o) => (o.user ?? "") !== "") ? ["user may not be set"] : []),
			...(bad.some((o) => (o.role ?? "") !== "") ? ["role may not be set"] : []),
		];
		return {
			reason: "seLinuxOptions",
			detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join("; ")}`,
		};
	};

const seccompPod = "seccomp.security.alpha.kubernetes.io/pod";
const seccompContainer = "container.seccomp.security.alpha.kubernetes.io/";

/** Before 1.19, when annotations were what counted. */
export const seccompAnnotations: Check = (subject) => {
	const { annotations = {} } = subject.metadata;
	const isAllowed = (value: string) =>
		["runtime/default", "docker/default"].includes(value) || value.startsWith("localhost/");
	const keys = [seccompPod, ...namesOf(containersOf(subject)).map((name) => seccompContainer + name)];
	const forbidden = sorted(
		keys
			.filter((key) => Object.hasOwn(annotations, key) && !isAllowed(annotations[key] ?? ""))
			.map((key) => `${key}=${JSON.stringify(annotations[key])}`),
	);
	if (forbidden.length === 0) return undefined;
	return {
		reason: "seccompProfile",
		detail: `forbidden ${plural(forbidden.length, "annotation")} ${forbidden.join(", ")}`,
	};
};

export const isSeccompAllowed = (type: string | undefined): boolean =>
	type === "Localhost" || type === "RuntimeDefault";

export const seccompProfileBaseline: Check = (subject) => {
	const pod = subject.spec.securityContext?.seccompProfile;
	const podIsBad = pod !== undefined && !isSeccompAllowed(pod.type);
	const containers = offenders(
		subject,
		(c) => c.seccompProfile !== undefined && !isSeccompAllowed(c.seccompProfile.type),
	);
	const who = setters(podIsBad, containers);
	if (who === "") return undefined;
	const types = [
		...(podIsBad ? [pod.type ?? ""] : []),
		...containers.map((c) => c.securityContext?.seccompProfile?.type ?? ""),
	];
	return {
		reason: "seccompProfile",
		detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(sorted(types))}`,
	};
};

export const sysctls =
	(allowed: readonly string[]): Check =>
	({ spec }) => {
		const names = (spec.securityContext?.sysctls ?? []).map((s) => s.name ?? "");
		const forbidden = names.filter((name) => !allowed.includes(name));
		return forbidden.length === 0 ? undefined : { reason: "forbidden sysctls", detail: forbidden.join(", ") };
	};

export const windowsHostProcess: Check = (subject) => {
	const pod = subject.spec.securityContext?.windowsOptions?.hostProcess === true;
	const who = setters(
		pod,
		offenders(subject, (c) => c.windowsOptions?.hostProcess === true),
	);
	if (who === "") return undefined;
	return { reason: "hostProcess", detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
};
