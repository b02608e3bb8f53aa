/** Revisions: annotations by which `kubectl rollout history` and `undo` read a deployment's past; pure. */
import { greatest } from "../../../kit/lists.ts";
import type { Deployment, ReplicaSet } from "../controller.ts";
import { desiredAnnotation, maxAnnotation, maxSurge, wanted } from "./util.ts";

export const revisionAnnotation = "deployment.kubernetes.io/revision";
const historyAnnotation = "deployment.kubernetes.io/revision-history";
const maxHistoryChars = 2000;

/** Annotations of the deployment that mean nothing on a ReplicaSet. */
const notCopied = new Set([
	"kubectl.kubernetes.io/last-applied-configuration",
	revisionAnnotation,
	historyAnnotation,
	desiredAnnotation,
	maxAnnotation,
	"deprecated.deployment.rollback.to",
]);

type Annotations = Readonly<Record<string, string>>;

/** 0 where there is none. */
export function revisionOf(object: Deployment | ReplicaSet): number {
	const revision = Number(object.metadata.annotations?.[revisionAnnotation] ?? "0");
	return Number.isSafeInteger(revision) ? revision : 0;
}

export const maxRevision = (sets: readonly ReplicaSet[]): number => greatest(sets.map(revisionOf), 0);

export const replicaAnnotations = (d: Deployment): Annotations => ({
	[desiredAnnotation]: String(wanted(d)),
	[maxAnnotation]: String(wanted(d) + maxSurge(d)),
});

/** `rs`'s annotations with the deployment's own copied over. */
function copied(d: Deployment, annotations: Annotations): Record<string, string> {
	const result = { ...annotations };
	for (const [key, value] of Object.entries(d.metadata.annotations ?? {})) {
		if (!notCopied.has(key)) result[key] = value;
	}
	return result;
}

/** A revision that is given up for a newer one is remembered, the oldest forgotten first. */
function remembered(history: string, old: string): string | undefined {
	if (old.length > maxHistoryChars) return undefined;
	const kept = history === "" ? [] : history.split(",");
	while (kept.length > 0 && [...kept, old].join(",").length > maxHistoryChars) kept.shift();
	return [...kept, old].join(",");
}

/** What the annotations of the ReplicaSet of revision `revision` must be. `exists`: it is served already. */
export function newReplicaSetAnnotations(
	d: Deployment,
	annotations: Annotations,
	revision: number,
	exists: boolean,
): Record<string, string> {
	const result = copied(d, annotations);
	const old = annotations[revisionAnnotation];
	if (old === undefined || Number(old) < revision) {
		result[revisionAnnotation] = String(revision);
		const history = old === undefined ? undefined : remembered(annotations[historyAnnotation] ?? "", old);
		if (history !== undefined) result[historyAnnotation] = history;
	}
	return exists ? result : { ...result, ...replicaAnnotations(d) };
}
