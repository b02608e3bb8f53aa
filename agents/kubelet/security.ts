/**
 * What a pod's security contexts ask of a runtime that has no images and no containers of the kernel's: as whom a
 * program runs and what it gives up. What the runtime cannot enforce is refused, never ignored (ConfigError: the
 * container waits with CreateContainerConfigError and an event that names the field).
 */
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Container, Pod } from "../../apiserver/scheme/types.gen.ts";
import { ConfigError } from "./env.ts";
import type { Abilities, Privileges, User } from "./runtime/types.ts";

type PodContext = NonNullable<NonNullable<Pod["spec"]>["securityContext"]>;
type ContainerContext = NonNullable<Container["securityContext"]>;

/** capabilities(7), without `CAP_`, as of Linux 6.1. */
const capabilityNames = new Set(
	`AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER
	FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE
	NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE
	SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`.split(/\s+/),
);

const refuse = (field: string, why: string): never => {
	throw new ConfigError(`${field} is not supported by this runtime: ${why}`);
};
const needsRoot = "it needs a kubelet that runs as root on Linux and may mount";

/** The runtime's default profile is empty, so it is accepted; profiles that would have to be loaded are refused. */
function checkProfiles(of: PodContext | ContainerContext): void {
	for (const field of ["seccompProfile", "appArmorProfile"] as const) {
		if (of[field]?.type === "Localhost") refuse(`securityContext.${field}`, "profiles of the node are not loaded");
	}
	const labels = of.seLinuxOptions;
	if (labels !== undefined && Object.values(labels).some(Boolean)) {
		refuse("securityContext.seLinuxOptions", "processes are not labelled");
	}
	if (of.windowsOptions !== undefined) refuse("securityContext.windowsOptions", "this is no Windows node");
}

function checkPod(pod: KubeObject<Pod>, abilities: Abilities): void {
	const { securityContext = {}, hostUsers } = pod.spec ?? {};
	checkProfiles(securityContext);
	if ((securityContext.sysctls ?? []).length > 0)
		refuse("securityContext.sysctls", "pods share the node's kernel settings");
	if (hostUsers === false) refuse("hostUsers: false", "pods share the node's users");
	if (abilities.isolation) return;
	if (securityContext.fsGroup !== undefined) refuse("securityContext.fsGroup", needsRoot);
	if ((securityContext.supplementalGroups ?? []).length > 0) refuse("securityContext.supplementalGroups", needsRoot);
}

function checkMounts(container: Container, volumes: NonNullable<Pod["spec"]>["volumes"], abilities: Abilities): void {
	if ((container.volumeDevices ?? []).length > 0) refuse("volumeDevices", "there are no block volumes");
	for (const mount of container.volumeMounts ?? []) {
		const { mountPropagation = "None", recursiveReadOnly = "Disabled" } = mount;
		if (mountPropagation !== "None")
			refuse(`mountPropagation: ${mountPropagation}`, "mounts stay as they were at the start");
		if (recursiveReadOnly === "Enabled") refuse("recursiveReadOnly: Enabled", "only the mount itself can be read-only");
		const onNode = volumes?.find((volume) => volume.name === mount.name)?.hostPath !== undefined;
		if (mount.readOnly === true && onNode && !abilities.isolation) refuse("readOnly of a hostPath volume", needsRoot);
	}
}

const who = (pod: KubeObject<Pod>, container: string) =>
	`(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container})`;

function userOf(pod: KubeObject<Pod>, container: Container, abilities: Abilities): User | undefined {
	const podContext = pod.spec?.securityContext ?? {};
	const own = container.securityContext ?? {};
	const asked = own.runAsUser ?? podContext.runAsUser;
	const group = own.runAsGroup ?? podContext.runAsGroup;
	const uid = asked ?? abilities.uid;
	if ((own.runAsNonRoot ?? podContext.runAsNonRoot) === true && uid === 0) {
		throw new ConfigError(
			asked === undefined
				? `container has runAsNonRoot and image will run as root ${who(pod, container.name ?? "")}`
				: `container's runAsUser breaks non-root policy ${who(pod, container.name ?? "")}`,
		);
	}
	const groups = [...new Set([podContext.supplementalGroups ?? [], podContext.fsGroup ?? []].flat())];
	if (!abilities.isolation) {
		if (uid !== abilities.uid) refuse(`securityContext.runAsUser: ${uid}`, needsRoot);
		if (group !== undefined && group !== abilities.gid) refuse(`securityContext.runAsGroup: ${group}`, needsRoot);
		return undefined;
	}
	if (asked === undefined && group === undefined && groups.length === 0) return undefined;
	// Without a group of its own a user has group 0, as in a container whose image names no such user.
	return { uid, gid: group ?? 0, groups };
}

/** The bounding set in setpriv's words; undefined: as it is. */
function capabilitiesOf(own: ContainerContext, abilities: Abilities): string | undefined {
	const names = (list: readonly string[] | undefined) =>
		(list ?? []).map((given) => {
			const name = given.toUpperCase().replace(/^CAP_/, "");
			if (name !== "ALL" && !capabilityNames.has(name))
				refuse(`capability ${JSON.stringify(given)}`, "it is not known");
			return name;
		});
	const add = names(own.capabilities?.add);
	const drop = names(own.capabilities?.drop);
	if (!abilities.isolation) {
		// A program of an ordinary user has none to drop.
		if (add.length > 0) refuse(`capabilities.add: ${add.join(", ")}`, needsRoot);
		if (drop.length > 0 && abilities.uid === 0) refuse("capabilities.drop", needsRoot);
		return undefined;
	}
	if (drop.length === 0 || add.includes("ALL")) return undefined;
	const words = [
		...drop.map((name) => `-${name.toLowerCase()}`),
		...(drop.includes("ALL") ? add.map((name) => `+${name.toLowerCase()}`) : []),
	];
	return words.join(",");
}

/** Whose a pod's volumes are. */
export interface VolumeOwner {
	/** The user that all its containers run as. */
	readonly uid?: number;
	/** fsGroup: may read, and write where the volume can be written. */
	readonly gid?: number;
}

export function volumeOwnerOf(pod: KubeObject<Pod>): VolumeOwner {
	const { securityContext, containers = [], initContainers = [] } = pod.spec ?? {};
	const users = [...containers, ...initContainers].map(
		(container) => container.securityContext?.runAsUser ?? securityContext?.runAsUser,
	);
	const [uid] = users;
	const gid = securityContext?.fsGroup;
	return {
		...(uid !== undefined && users.every((user) => user === uid) ? { uid } : {}),
		...(gid === undefined ? {} : { gid }),
	};
}

/** As whom a container runs and with what rights. Throws ConfigError. */
export function privilegesOf(pod: KubeObject<Pod>, container: Container, abilities: Abilities): Privileges {
	const own = container.securityContext ?? {};
	checkPod(pod, abilities);
	checkProfiles(own);
	checkMounts(container, pod.spec?.volumes, abilities);
	const privileged = own.privileged === true;
	const readOnlyRoot = own.readOnlyRootFilesystem === true;
	const noNewPrivileges = own.allowPrivilegeEscalation === false;
	if (!abilities.isolation) {
		if (privileged && abilities.uid !== 0) refuse("securityContext.privileged", needsRoot);
		if (readOnlyRoot) refuse("securityContext.readOnlyRootFilesystem", needsRoot);
		if (noNewPrivileges && !abilities.noNewPrivileges) {
			refuse("securityContext.allowPrivilegeEscalation: false", "it needs setpriv of Linux");
		}
	}
	return {
		user: userOf(pod, container, abilities),
		noNewPrivileges,
		capabilities: privileged ? undefined : capabilitiesOf(own, abilities),
		readOnlyRoot,
		privileged,
	};
}
