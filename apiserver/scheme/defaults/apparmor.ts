/** AppArmor profiles were annotations before they were fields: what old clients say becomes what new ones read. */
import type { AppArmorProfile, Pod } from "../types.gen.ts";

const prefix = "container.apparmor.security.beta.kubernetes.io/";
const localhost = "localhost/";
/** A path's longest, less one (PATH_MAX). */
const maxProfile = 4095;

export const appArmorAnnotation = (container: string): string => prefix + container;

/** The field an annotation's value stands for; undefined where it stands for none. */
export function appArmorProfileOf(annotation: string): AppArmorProfile | undefined {
	if (annotation === "unconfined") return { type: "Unconfined" };
	if (annotation === "runtime/default") return { type: "RuntimeDefault" };
	if (!annotation.startsWith(localhost)) return undefined;
	const localhostProfile = annotation.slice(localhost.length);
	const valid = localhostProfile !== "" && localhostProfile.trim() === localhostProfile;
	return valid && localhostProfile.length <= maxProfile ? { type: "Localhost", localhostProfile } : undefined;
}

export const sameProfile = (a: AppArmorProfile | undefined, b: AppArmorProfile | undefined): boolean =>
	a?.type === b?.type && (a?.localhostProfile ?? "") === (b?.localhostProfile ?? "");

/** Containers with an annotation and no field: what becomes of each. */
function* takeovers(pod: Pod) {
	const { metadata = {}, spec = {} } = pod;
	if (spec.os?.name === "windows") return;
	for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
		const key = appArmorAnnotation(container.name ?? "");
		const annotation = metadata.annotations?.[key];
		if (annotation === undefined || container.securityContext?.appArmorProfile !== undefined) continue;
		const profile = appArmorProfileOf(annotation);
		// What the pod says for all needs no saying again.
		if (profile !== undefined && sameProfile(profile, spec.securityContext?.appArmorProfile)) continue;
		yield { key, container, profile };
	}
}

/** Sets the fields that the pod's annotations stand for. */
export function takeAppArmorAnnotations(pod: Pod): void {
	for (const { container, profile } of takeovers(pod)) {
		if (profile !== undefined) container.securityContext = { ...container.securityContext, appArmorProfile: profile };
	}
}

/** What the client is told of it, before it is done. */
export const appArmorWarnings = (pod: Pod): string[] =>
	[...takeovers(pod)].map(
		({ key }) => `metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`,
	);
