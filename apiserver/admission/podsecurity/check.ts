/** What a check of Pod Security looks at and says; words that checks share. */
import type { Container, EphemeralContainer, ObjectMeta, PodSpec, SecurityContext } from "../../scheme/types.gen.ts";

export interface Subject {
	readonly metadata: ObjectMeta;
	readonly spec: PodSpec;
}

/** Why a pod is forbidden; undefined: it is not. */
export interface Finding {
	/** `host ports`: told of every pod. */
	readonly reason: string;
	/** What exactly; told of one pod. */
	readonly detail: string;
}

export type Check = (subject: Subject) => Finding | undefined;

export type AnyContainer = Container | EphemeralContainer;

/** Init containers, containers, ephemeral containers. */
export const containersOf = ({ spec }: Subject): readonly AnyContainer[] => [
	...(spec.initContainers ?? []),
	...(spec.containers ?? []),
	...(spec.ephemeralContainers ?? []),
];

export const namesOf = (containers: readonly AnyContainer[]): string[] => containers.map((c) => c.name ?? "");

/** `"a", "b"`. */
export const quoted = (items: readonly string[]): string => (items.length === 0 ? "" : `"${items.join('", "')}"`);

export const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();

export const plural = (count: number, one: string, many = `${one}s`): string => (count === 1 ? one : many);

/** `container "a"`, `containers "a", "b"`. */
export const containersNamed = (names: readonly string[]): string =>
	`${plural(names.length, "container")} ${quoted(names)}`;

/** `pod and containers "a"`: who set what is forbidden, or "" where nobody did. */
export function setters(pod: boolean, containers: readonly AnyContainer[]): string {
	const named = containers.length === 0 ? [] : [containersNamed(namesOf(containers))];
	return [...(pod ? ["pod"] : []), ...named].join(" and ");
}

/** Pods in a user namespace of their own: root there is nobody on the host. */
export const hasOwnUsers = ({ spec }: Subject): boolean => spec.hostUsers === false;

export const isWindows = ({ spec }: Subject): boolean => spec.os?.name === "windows";

/** Not for pods that say they are for Windows. */
export const unlessWindows =
	(check: Check): Check =>
	(subject) =>
		isWindows(subject) ? undefined : check(subject);

/** Not for pods in a user namespace of their own. */
export const unlessOwnUsers =
	(check: Check): Check =>
	(subject) =>
		hasOwnUsers(subject) ? undefined : check(subject);

/** Containers whose security context has a field that is forbidden, as their names; undefined where there are none. */
export function offenders(
	subject: Subject,
	isForbidden: (context: SecurityContext) => boolean,
): readonly AnyContainer[] {
	return containersOf(subject).filter((c) => c.securityContext !== undefined && isForbidden(c.securityContext));
}
