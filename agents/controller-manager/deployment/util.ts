/** Numbers and relations of a deployment's ReplicaSets; pure. */
import { scaledIntOrPercent } from "../../../apiserver/machinery/intorstring.ts";
import { safeEncode, semanticEqual } from "../../../apiserver/machinery/meta.ts";
import type { PodTemplateSpec } from "../../../apiserver/scheme/types.gen.ts";
import type { Deployment, ReplicaSet } from "../controller.ts";

export const hashLabel = "pod-template-hash";
/** `progressDeadlineSeconds` of this value means none. */
const noDeadline = 2 ** 31 - 1;
const noHistoryLimit = 2 ** 31 - 1;

export const wanted = (object: Deployment | ReplicaSet): number => object.spec?.replicas ?? 1;
export const availableOf = (rs: ReplicaSet): number => rs.status?.availableReplicas ?? 0;

const sum = (sets: readonly ReplicaSet[], value: (rs: ReplicaSet) => number) =>
	sets.reduce((total, rs) => total + value(rs), 0);
export const sumWanted = (sets: readonly ReplicaSet[]): number => sum(sets, wanted);
export const sumActual = (sets: readonly ReplicaSet[]): number => sum(sets, (rs) => rs.status?.replicas ?? 0);
export const sumReady = (sets: readonly ReplicaSet[]): number => sum(sets, (rs) => rs.status?.readyReplicas ?? 0);
export const sumAvailable = (sets: readonly ReplicaSet[]): number => sum(sets, availableOf);

/** ReplicaSets that want pods. */
export const withPods = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.filter((rs) => wanted(rs) > 0);

export const isRollingUpdate = (d: Deployment): boolean =>
	(d.spec?.strategy?.type ?? "RollingUpdate") === "RollingUpdate";
export const hasProgressDeadline = (d: Deployment): boolean =>
	(d.spec?.progressDeadlineSeconds ?? noDeadline) !== noDeadline;
export const hasHistoryLimit = (d: Deployment): boolean =>
	(d.spec?.revisionHistoryLimit ?? noHistoryLimit) !== noHistoryLimit;

/** maxSurge and maxUnavailable as numbers of pods; never both zero, or nothing could ever move. */
function fenceposts(d: Deployment): { surge: number; unavailable: number } {
	const rolling = d.spec?.strategy?.rollingUpdate;
	const replicas = wanted(d);
	const surge = scaledIntOrPercent(rolling?.maxSurge ?? 0, replicas, true);
	const unavailable = scaledIntOrPercent(rolling?.maxUnavailable ?? 0, replicas, false);
	return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

export const maxSurge = (d: Deployment): number => (isRollingUpdate(d) ? fenceposts(d).surge : 0);

export function maxUnavailable(d: Deployment): number {
	if (!isRollingUpdate(d) || wanted(d) === 0) return 0;
	return Math.min(fenceposts(d).unavailable, wanted(d));
}

const created = (rs: ReplicaSet) => Date.parse(rs.metadata.creationTimestamp ?? "");
const byName = (a: ReplicaSet, b: ReplicaSet) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1);
export const oldestFirst = (a: ReplicaSet, b: ReplicaSet): number => created(a) - created(b) || byName(a, b);
/** The larger first; of equal ones the older, when scaling down. */
export const largestThenOldest = (a: ReplicaSet, b: ReplicaSet): number => wanted(b) - wanted(a) || oldestFirst(a, b);
/** The larger first; of equal ones the newer, when scaling up. */
export const largestThenNewest = (a: ReplicaSet, b: ReplicaSet): number => wanted(b) - wanted(a) || oldestFirst(b, a);

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec {
	const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
	return { ...template, metadata: { ...template?.metadata, labels } };
}

export const sameTemplate = (a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean =>
	semanticEqual(withoutHash(a), withoutHash(b));

/** The ReplicaSet of the deployment's present template: the oldest, should there be several. */
export function findNewReplicaSet(d: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
	return sets.toSorted(oldestFirst).find((rs) => sameTemplate(rs.spec?.template, d.spec?.template));
}

/** All others. */
export const findOldReplicaSets = (newSet: ReplicaSet | undefined, sets: readonly ReplicaSet[]): ReplicaSet[] =>
	sets.filter((rs) => newSet === undefined || rs.metadata.uid !== newSet.metadata.uid);

function stable(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(stable).join(",")}]`;
	if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
	const entries = Object.entries(value).filter(([, v]) => v !== undefined);
	entries.sort(([a], [b]) => (a < b ? -1 : 1));
	return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${stable(v)}`).join(",")}}`;
}

/** FNV-1a, 32 bits, of the template and the collision count, in upstream's safe alphabet. */
export function templateHash(template: PodTemplateSpec | undefined, collisionCount: number | undefined): string {
	let hash = 0x811c9dc5;
	const bytes = Buffer.from(stable(template ?? {}) + (collisionCount === undefined ? "" : `#${collisionCount}`));
	for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
	return safeEncode(String(hash));
}

/** How many pods the new ReplicaSet should have now, given what the old ones still hold. */
export function newReplicaSetSize(
	d: Deployment,
	all: readonly ReplicaSet[],
	newSet: { readonly replicas: number },
): number {
	if (!isRollingUpdate(d)) return wanted(d);
	const limit = wanted(d) + maxSurge(d);
	const current = sumWanted(all);
	if (current >= limit) return newSet.replicas;
	return newSet.replicas + Math.min(limit - current, wanted(d) - newSet.replicas);
}

/** The only ReplicaSet with pods, or the newest when none has any; undefined while several have. */
export function activeOrLatest(newSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): ReplicaSet | undefined {
	const active = withPods([...old, ...(newSet === undefined ? [] : [newSet])]);
	if (active.length === 1) return active[0];
	if (active.length > 1) return undefined;
	return newSet ?? old.toSorted(oldestFirst).at(-1);
}

/** The new ReplicaSet alone carries the deployment. */
export function isSaturated(d: Deployment, newSet: ReplicaSet | undefined): boolean {
	if (newSet === undefined) return false;
	const desired = Number(newSet.metadata.annotations?.[desiredAnnotation] ?? Number.NaN);
	return wanted(newSet) === wanted(d) && desired === wanted(d) && availableOf(newSet) === wanted(d);
}

export const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxAnnotation = "deployment.kubernetes.io/max-replicas";

/** How `rs` changes when the deployment was scaled amid a rollout: in proportion to its size, within what is left. */
export function proportion(rs: ReplicaSet, d: Deployment, toAdd: number, added: number): number {
	if (wanted(rs) === 0 || toAdd === 0 || toAdd === added) return 0;
	const share = fraction(rs, d);
	return toAdd > 0 ? Math.min(share, toAdd - added) : Math.max(share, toAdd - added);
}

function fraction(rs: ReplicaSet, d: Deployment): number {
	if (wanted(d) === 0) return -wanted(rs);
	const before = Number(rs.metadata.annotations?.[maxAnnotation] ?? 0) || (d.status?.replicas ?? 0);
	if (before === 0) return 0;
	return Math.round((wanted(rs) * (wanted(d) + maxSurge(d))) / before) - wanted(rs);
}
