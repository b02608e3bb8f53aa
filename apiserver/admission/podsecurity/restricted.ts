/** The checks that level restricted has beside those of baseline: what a hardened pod must say of itself. */
import type { Volume } from "../../scheme/types.gen.ts";
import { addedCapabilities, isSeccompAllowed, seccompProfileBaseline } from "./baseline.ts";
import {
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

export const allowPrivilegeEscalation: Check = (subject) => {
	const containers = containersOf(subject).filter((c) => c.securityContext?.allowPrivilegeEscalation !== false);
	if (containers.length === 0) return undefined;
	return {
		reason: "allowPrivilegeEscalation != false",
		detail: `${containersNamed(namesOf(containers))} must set securityContext.allowPrivilegeEscalation=false`,
	};
};

const mayAdd: ReadonlySet<string> = new Set(["NET_BIND_SERVICE"]);

export const capabilitiesRestricted: Check = (subject) => {
	const keeping = containersOf(subject).filter((c) => c.securityContext?.capabilities?.drop?.includes("ALL") !== true);
	const added = addedCapabilities(subject, mayAdd);
	const details = [
		...(keeping.length === 0
			? []
			: [`${containersNamed(namesOf(keeping))} must set securityContext.capabilities.drop=["ALL"]`]),
		...(added === undefined ? [] : [added]),
	];
	return details.length === 0 ? undefined : { reason: "unrestricted capabilities", detail: details.join("; ") };
};

const allowedVolumes: readonly (keyof Volume)[] = [
	"configMap",
	"csi",
	"downwardAPI",
	"emptyDir",
	"ephemeral",
	"image",
	"persistentVolumeClaim",
	"projected",
	"secret",
];
const restrictedVolumeTypes: readonly (keyof Volume)[] = [
	"hostPath",
	"gcePersistentDisk",
	"awsElasticBlockStore",
	"gitRepo",
	"nfs",
	"iscsi",
	"glusterfs",
	"rbd",
	"flexVolume",
	"cinder",
	"cephfs",
	"flocker",
	"fc",
	"azureFile",
	"vsphereVolume",
	"quobyte",
	"azureDisk",
	"photonPersistentDisk",
	"portworxVolume",
	"scaleIO",
	"storageos",
];

export const restrictedVolumes: Check = ({ spec }) => {
	const volumes = (spec.volumes ?? []).filter((v) => allowedVolumes.every((type) => v[type] === undefined));
	if (volumes.length === 0) return undefined;
	const types = sorted(volumes.map((v) => restrictedVolumeTypes.find((type) => v[type] !== undefined) ?? "unknown"));
	const names = volumes.map((v) => v.name ?? "");
	const uses = `${plural(names.length, "uses", "use")} ${plural(types.length, "restricted volume type")}`;
	return {
		reason: "restricted volume types",
		detail: `${plural(names.length, "volume")} ${quoted(names)} ${uses} ${quoted(types)}`,
	};
};

export const runAsNonRoot: Check = (subject) => {
	const reason = "runAsNonRoot != true";
	const pod = subject.spec.securityContext?.runAsNonRoot;
	const who = setters(
		pod === false,
		offenders(subject, (c) => c.runAsNonRoot === false),
	);
	if (who !== "") return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
	const silent = containersOf(subject).filter((c) => c.securityContext?.runAsNonRoot === undefined);
	if (pod === true || silent.length === 0) return undefined;
	return { reason, detail: `pod or ${containersNamed(namesOf(silent))} must set securityContext.runAsNonRoot=true` };
};

export const runAsUser: Check = (subject) => {
	const pod = subject.spec.securityContext?.runAsUser === 0;
	const who = setters(
		pod,
		offenders(subject, (c) => c.runAsUser === 0),
	);
	return who === "" ? undefined : { reason: "runAsUser=0", detail: `${who} must not set runAsUser=0` };
};

export const seccompProfileRestricted: Check = (subject) => {
	const bad = seccompProfileBaseline(subject);
	if (bad !== undefined) return bad;
	const silent = containersOf(subject).filter((c) => c.securityContext?.seccompProfile === undefined);
	if (isSeccompAllowed(subject.spec.securityContext?.seccompProfile?.type) || silent.length === 0) return undefined;
	return {
		reason: "seccompProfile",
		detail: `pod or ${containersNamed(namesOf(silent))} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
	};
};
