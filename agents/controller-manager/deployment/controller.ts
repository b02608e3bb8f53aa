/** Rolls each Deployment's template out over ReplicaSets. */
import { deployments, keyOf, pods, replicaSets } from "../../../apiserver/client/resources.ts";
import { wouldChange } from "../../../apiserver/client/written.ts";
import { controllerOf, controllerReference, deepEqual } from "../../../apiserver/machinery/meta.ts";
import { isFinished } from "../../../apiserver/machinery/pods.ts";
import { fromLabelSelector, usableSelector } from "../../../apiserver/machinery/selectors.ts";
import type { DeploymentStatus, ReplicaSet as ReplicaSetType } from "../../../apiserver/scheme/types.gen.ts";
import { claim } from "../claim.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	type Deployment,
	deleteSeen,
	errorText,
	ignoringNotFound,
	isAlreadyExists,
	isNamespaceTerminating,
	queueController,
	type ReplicaSet,
} from "../controller.ts";
import {
	maxRevision,
	newReplicaSetAnnotations,
	replicaAnnotations,
	revisionAnnotation,
	revisionOf,
} from "./revisions.ts";
import {
	calculateStatus,
	condition,
	isComplete,
	progressing,
	rolloutStatus,
	stuckAfter,
	withDeploymentCondition,
} from "./status.ts";
import {
	activeOrLatest,
	availableOf,
	desiredAnnotation,
	findNewReplicaSet,
	findOldReplicaSets,
	hasHistoryLimit,
	hashLabel,
	hasProgressDeadline,
	isRollingUpdate,
	isSaturated,
	largestThenNewest,
	largestThenOldest,
	maxSurge,
	maxUnavailable,
	newReplicaSetSize,
	oldestFirst,
	proportion,
	sameTemplate,
	sumActual,
	sumAvailable,
	sumWanted,
	templateHash,
	wanted,
	withPods,
} from "./util.ts";

/** One deployment while it is synced: what is known of it, kept up to date as it is written. */
interface Rollout {
	deployment: Deployment;
	/** All owned ReplicaSets by uid, as last read or written. */
	readonly sets: Map<string, ReplicaSet>;
	newSet: string | undefined;
}

const newSetOf = (r: Rollout): ReplicaSet | undefined => (r.newSet === undefined ? undefined : r.sets.get(r.newSet));
const allOf = (r: Rollout): ReplicaSet[] => [...r.sets.values()];
const oldOf = (r: Rollout): ReplicaSet[] => findOldReplicaSets(newSetOf(r), allOf(r));

/** Upstream makes no ReplicaSet where this is too long; ours then has the beginning of the name, up to where it may end. */
function setName(deployment: string, hash: string): string {
	let end = Math.min(deployment.length, 253 - hash.length - 1);
	while (end > 0 && ".-".includes(deployment[end - 1] ?? "")) end--;
	return `${deployment.slice(0, end)}-${hash}`;
}

/** The deployment controller. */
export function createDeploymentController(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const recorder = ctx.recorder("deployment-controller");
	const deploymentApi = client.resource(deployments);
	const setApi = client.resource(replicaSets);
	const cache = ctx.informers.informer(deployments);
	const setCache = ctx.informers.informer(replicaSets);
	const podCache = ctx.informers.informer(pods);
	const queue = controllerQueue(ctx, "deployment", sync, 5, cache);

	const ownerOf = (rs: ReplicaSet): Deployment | undefined => {
		const reference = controllerOf(rs);
		if (reference?.kind !== "Deployment") return undefined;
		const d = cache.get(`${rs.metadata.namespace}/${reference.name}`);
		return d?.metadata.uid === reference.uid ? d : undefined;
	};
	const enqueueMatching = (rs: ReplicaSet) => {
		for (const d of cache.list(rs.metadata.namespace)) {
			if (usableSelector(d.spec?.selector)?.matches(rs.metadata.labels) === true) queue.add(keyOf(d));
		}
	};
	const enqueueOwner = (rs: ReplicaSet) => {
		const d = ownerOf(rs);
		if (d !== undefined) queue.add(keyOf(d));
	};

	cache.addHandlers({
		onAdd: (d) => queue.add(keyOf(d)),
		onUpdate: (_, d) => queue.add(keyOf(d)),
		onDelete: (d) => queue.add(keyOf(d)),
	});
	setCache.addHandlers({
		onAdd: (rs) => (controllerOf(rs) === undefined ? enqueueMatching(rs) : enqueueOwner(rs)),
		onUpdate(previous, rs) {
			const changed = controllerOf(previous)?.uid !== controllerOf(rs)?.uid;
			if (changed) enqueueOwner(previous);
			if (controllerOf(rs) !== undefined) enqueueOwner(rs);
			else if (changed || !deepEqual(previous.metadata.labels, rs.metadata.labels)) enqueueMatching(rs);
		},
		onDelete: enqueueOwner,
	});
	podCache.addHandlers({
		// Recreate waits for the last old pod to be gone.
		onDelete(pod) {
			const reference = controllerOf(pod);
			if (reference?.kind !== "ReplicaSet") return;
			const rs = setCache.get(`${pod.metadata.namespace}/${reference.name}`);
			const d = rs === undefined ? undefined : ownerOf(rs);
			if (d !== undefined && !isRollingUpdate(d)) queue.add(keyOf(d));
		},
	});

	async function sync(key: string): Promise<void> {
		const deployment = cache.get(key);
		if (deployment === undefined) return;
		const selector = fromLabelSelector(deployment.spec?.selector);
		if (selector.empty) return refuseEmptySelector(deployment);
		const owned = await claim(
			{ client, owner: deployment, ownerResource: deployments, selector, resource: replicaSets },
			setCache.list(deployment.metadata.namespace),
		);
		const sets = new Map(owned.map((rs) => [rs.metadata.uid ?? "", rs]));
		const r: Rollout = { deployment, sets, newSet: undefined };
		if (deployment.metadata.deletionTimestamp !== undefined) {
			r.newSet = findNewReplicaSet(deployment, owned)?.metadata.uid;
			return writeStatus(r, calculateStatus(deployment, allOf(r), newSetOf(r), clock.now()));
		}
		await checkPaused(r);
		if (r.deployment.spec?.paused === true || isScalingEvent(r)) return syncScale(r);
		return isRollingUpdate(r.deployment) ? rollout(r) : recreate(r);
	}

	async function refuseEmptySelector(d: Deployment): Promise<void> {
		const text = "This deployment is selecting all pods. A non-empty selector is required.";
		recorder.event(d, "Warning", "SelectingAll", text);
		const { generation } = d.metadata;
		if (generation === undefined || (d.status?.observedGeneration ?? 0) >= generation) return;
		await deploymentApi.update({ ...d, status: { ...d.status, observedGeneration: generation } }, "status");
	}

	async function writeStatus(r: Rollout, status: DeploymentStatus): Promise<void> {
		if (!wouldChange(r.deployment, { ...r.deployment, status })) return;
		r.deployment = await deploymentApi.update({ ...r.deployment, status }, "status");
	}

	const setProgress = (r: Rollout, status: string, reason: string, message: string) => {
		const next = condition("Progressing", status, reason, message, clock.now());
		const conditions = withDeploymentCondition(r.deployment.status?.conditions, next);
		return writeStatus(r, { ...r.deployment.status, conditions });
	};

	/** Pausing stops the progress deadline's clock, resuming starts it anew. */
	async function checkPaused(r: Rollout): Promise<void> {
		const { deployment } = r;
		const current = progressing(deployment.status);
		if (!hasProgressDeadline(deployment) || current?.reason === "ProgressDeadlineExceeded") return;
		const told = current?.reason === "DeploymentPaused";
		const paused = deployment.spec?.paused === true;
		if (paused && !told) await setProgress(r, "Unknown", "DeploymentPaused", "Deployment is paused");
		else if (!paused && told) await setProgress(r, "Unknown", "DeploymentResumed", "Deployment is resumed");
	}

	/** The deployment's size changed since a ReplicaSet with pods was last sized. */
	function isScalingEvent(r: Rollout): boolean {
		return withPods(allOf(r)).some((rs) => {
			const desired = rs.metadata.annotations?.[desiredAnnotation];
			return desired !== undefined && Number(desired) !== wanted(r.deployment);
		});
	}

	async function updateSet(r: Rollout, rs: ReplicaSet): Promise<ReplicaSet> {
		const updated = await setApi.update(rs);
		r.sets.set(updated.metadata.uid ?? "", updated);
		return updated;
	}

	/** Gives true when the size changed. */
	async function scaleSet(r: Rollout, rs: ReplicaSet, size: number): Promise<boolean> {
		const annotations = replicaAnnotations(r.deployment);
		const resized = wanted(rs) !== size;
		const noted = Object.entries(annotations).every(([key, value]) => rs.metadata.annotations?.[key] === value);
		if (!resized && noted) return false;
		const metadata = { ...rs.metadata, annotations: { ...rs.metadata.annotations, ...annotations } };
		await updateSet(r, { ...rs, metadata, spec: { ...rs.spec, replicas: size } });
		if (!resized) return false;
		const direction = wanted(rs) < size ? "up" : "down";
		const text = `Scaled ${direction} replica set ${rs.metadata.name} from ${wanted(rs)} to ${size}`;
		recorder.event(r.deployment, "Normal", "ScalingReplicaSet", text);
		return true;
	}

	/** Finds the new ReplicaSet, keeps revisions in order, and with `create` makes it where it does not exist yet. */
	async function syncRevision(r: Rollout, create: boolean): Promise<void> {
		const existing = findNewReplicaSet(r.deployment, allOf(r));
		const old = findOldReplicaSets(existing, allOf(r));
		const revision = maxRevision(old) + 1;
		if (existing !== undefined) await useExisting(r, existing, revision);
		else if (create) await createNew(r, old, revision);
	}

	async function useExisting(r: Rollout, rs: ReplicaSet, revision: number): Promise<void> {
		r.newSet = rs.metadata.uid;
		const annotations = newReplicaSetAnnotations(r.deployment, rs.metadata.annotations ?? {}, revision, true);
		const minReadySeconds = r.deployment.spec?.minReadySeconds ?? 0;
		const next = { ...rs, metadata: { ...rs.metadata, annotations }, spec: { ...rs.spec, minReadySeconds } };
		const current = wouldChange(rs, next) ? await updateSet(r, next) : rs;
		await noteRevision(r, revisionOf(current));
		if (hasProgressDeadline(r.deployment) && progressing(r.deployment.status) === undefined) {
			await setProgress(r, "True", "FoundNewReplicaSet", `Found new replica set "${rs.metadata.name}"`);
		}
	}

	async function noteRevision(r: Rollout, revision: number): Promise<void> {
		const { metadata } = r.deployment;
		if (metadata.annotations?.[revisionAnnotation] === String(revision)) return;
		const annotations = { ...metadata.annotations, [revisionAnnotation]: String(revision) };
		const { status } = r.deployment;
		const updated = await deploymentApi.update({ ...r.deployment, metadata: { ...metadata, annotations } });
		// A status computed but not yet written stays.
		r.deployment = { ...updated, ...(status === undefined ? {} : { status }) };
	}

	async function createNew(r: Rollout, old: readonly ReplicaSet[], revision: number): Promise<void> {
		const { deployment } = r;
		const built = buildSet(deployment, old, revision);
		const size = built.spec?.replicas ?? 0;
		let created: ReplicaSet;
		try {
			created = await setApi.create(deployment.metadata.namespace ?? "", built);
		} catch (error) {
			if (isNamespaceTerminating(error)) return;
			if (isAlreadyExists(error)) return onCollision(r, built.metadata?.name ?? "", revision, error);
			const text = `Failed to create new replica set "${built.metadata?.name}": ${errorText(error)}`;
			recorder.event(deployment, "Warning", "ReplicaSetCreateError", text);
			if (hasProgressDeadline(deployment)) await setProgress(r, "False", "ReplicaSetCreateError", text);
			throw error;
		}
		r.sets.set(created.metadata.uid ?? "", created);
		r.newSet = created.metadata.uid;
		const name = created.metadata.name;
		if (size > 0) {
			recorder.event(deployment, "Normal", "ScalingReplicaSet", `Scaled up replica set ${name} from 0 to ${size}`);
		}
		await noteRevision(r, revision);
		if (hasProgressDeadline(deployment)) {
			await setProgress(r, "True", "NewReplicaSetCreated", `Created new replica set "${name}"`);
		}
	}

	function buildSet(d: Deployment, old: readonly ReplicaSet[], revision: number): ReplicaSetType {
		const hash = templateHash(d.spec?.template, d.status?.collisionCount);
		const template = d.spec?.template ?? {};
		const labels = { ...template.metadata?.labels, [hashLabel]: hash };
		const matchLabels = { ...d.spec?.selector?.matchLabels, [hashLabel]: hash };
		const minReadySeconds = d.spec?.minReadySeconds;
		return {
			apiVersion: "apps/v1",
			kind: "ReplicaSet",
			metadata: {
				name: setName(d.metadata.name ?? "", hash),
				namespace: d.metadata.namespace ?? "",
				labels,
				annotations: newReplicaSetAnnotations(d, {}, revision, false),
				ownerReferences: [controllerReference(d)],
			},
			spec: {
				replicas: newReplicaSetSize(d, old, { replicas: 0 }),
				...(minReadySeconds === undefined ? {} : { minReadySeconds }),
				selector: { ...d.spec?.selector, matchLabels },
				template: { ...template, metadata: { ...template.metadata, labels } },
			},
		};
	}

	/** The name is taken: by our own ReplicaSet that the cache does not show yet, or by another with the same hash. */
	async function onCollision(r: Rollout, name: string, revision: number, error: unknown): Promise<void> {
		const { deployment } = r;
		const taken = await setApi.get(deployment.metadata.namespace ?? "", name);
		const ours = controllerOf(taken)?.uid === deployment.metadata.uid;
		if (ours && sameTemplate(taken.spec?.template, deployment.spec?.template)) {
			r.sets.set(taken.metadata.uid ?? "", taken);
			r.newSet = taken.metadata.uid;
			return noteRevision(r, revision);
		}
		await writeStatus(r, { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 });
		throw error;
	}

	/** Paused or resized: sizes follow, the template does not roll. */
	async function syncScale(r: Rollout): Promise<void> {
		await syncRevision(r, false);
		await scale(r);
		if (r.deployment.spec?.paused === true) await cleanUp(r);
		return writeStatus(r, calculateStatus(r.deployment, allOf(r), newSetOf(r), clock.now()));
	}

	async function scale(r: Rollout): Promise<void> {
		const d = r.deployment;
		const only = activeOrLatest(newSetOf(r), oldOf(r));
		if (only !== undefined) {
			if (wanted(only) !== wanted(d)) await scaleSet(r, only, wanted(d));
			else await scaleSet(r, only, wanted(only)); // its annotations may be behind
			return;
		}
		if (isSaturated(d, newSetOf(r))) {
			for (const rs of withPods(oldOf(r))) await scaleSet(r, rs, 0);
			return;
		}
		if (isRollingUpdate(d)) await scaleInProportion(r);
	}

	async function scaleInProportion(r: Rollout): Promise<void> {
		const d = r.deployment;
		const active = withPods(allOf(r));
		const allowed = wanted(d) > 0 ? wanted(d) + maxSurge(d) : 0;
		const toAdd = allowed - sumWanted(active);
		const ordered = active.toSorted(toAdd > 0 ? largestThenNewest : largestThenOldest);
		let added = 0;
		const sizes = ordered.map((rs) => {
			const change = proportion(rs, d, toAdd, added);
			added += change;
			return wanted(rs) + change;
		});
		// What rounding leaves goes to the largest.
		if (sizes.length > 0) sizes[0] = Math.max(0, (sizes[0] ?? 0) + toAdd - added);
		for (const [i, rs] of ordered.entries()) await scaleSet(r, rs, sizes[i] ?? 0);
	}

	async function rollout(r: Rollout): Promise<void> {
		await syncRevision(r, true);
		const moved = (await scaleNew(r)) || (await scaleOld(r));
		if (!moved && isComplete(r.deployment, r.deployment.status)) await cleanUp(r);
		return finish(r);
	}

	async function scaleNew(r: Rollout): Promise<boolean> {
		const rs = newSetOf(r);
		if (rs === undefined || wanted(rs) === wanted(r.deployment)) return false;
		if (wanted(rs) > wanted(r.deployment)) return scaleSet(r, rs, wanted(r.deployment));
		return scaleSet(r, rs, newReplicaSetSize(r.deployment, allOf(r), { replicas: wanted(rs) }));
	}

	/** Takes pods from old ReplicaSets: unhealthy ones first, healthy ones as far as availability allows. */
	async function scaleOld(r: Rollout): Promise<boolean> {
		const d = r.deployment;
		const newSet = newSetOf(r);
		if (sumWanted(oldOf(r)) === 0 || newSet === undefined) return false;
		const minAvailable = wanted(d) - maxUnavailable(d);
		const limit = sumWanted(allOf(r)) - minAvailable - (wanted(newSet) - availableOf(newSet));
		if (limit <= 0) return false;
		const cleaned = await takeFrom(r, limit, (rs) => wanted(rs) - availableOf(rs));
		const available = sumAvailable(allOf(r));
		const taken = available > minAvailable ? await takeFrom(r, available - minAvailable, wanted) : 0;
		return cleaned + taken > 0;
	}

	/** Scales old ReplicaSets down by up to `limit` in all, the oldest first, each by at most `from`. */
	async function takeFrom(r: Rollout, limit: number, from: (rs: ReplicaSet) => number): Promise<number> {
		let total = 0;
		for (const rs of withPods(oldOf(r)).sort(oldestFirst)) {
			const count = Math.min(limit - total, from(rs), wanted(rs));
			if (count <= 0) continue;
			await scaleSet(r, rs, wanted(rs) - count);
			total += count;
		}
		return total;
	}

	async function recreate(r: Rollout): Promise<void> {
		await syncRevision(r, false);
		let moved = false;
		for (const rs of withPods(oldOf(r))) moved = (await scaleSet(r, rs, 0)) || moved;
		if (moved || hasOldPods(r)) return finish(r);
		if (r.newSet === undefined) await syncRevision(r, true);
		await scaleNew(r);
		if (isComplete(r.deployment, r.deployment.status)) await cleanUp(r);
		return finish(r);
	}

	/** Old pods still run, or are still stopping. */
	function hasOldPods(r: Rollout): boolean {
		const old = oldOf(r);
		if (sumActual(old) > 0) return true;
		const uids = new Set(old.map((rs) => rs.metadata.uid));
		return podCache
			.list(r.deployment.metadata.namespace)
			.some((pod) => uids.has(controllerOf(pod)?.uid) && !isFinished(pod));
	}

	/** Old ReplicaSets beyond the history limit go, the oldest revisions first, once they hold nothing. */
	async function cleanUp(r: Rollout): Promise<void> {
		const d = r.deployment;
		if (!hasHistoryLimit(d)) return;
		const alive = oldOf(r).filter((rs) => rs.metadata.deletionTimestamp === undefined);
		const excess = alive.length - (d.spec?.revisionHistoryLimit ?? 0);
		if (excess <= 0) return;
		const byRevision = alive.sort((a, b) => revisionOf(a) - revisionOf(b) || oldestFirst(a, b));
		for (const rs of byRevision.slice(0, excess)) {
			const settled = (rs.metadata.generation ?? 0) <= (rs.status?.observedGeneration ?? 0);
			if ((rs.status?.replicas ?? 0) !== 0 || wanted(rs) !== 0 || !settled) continue;
			await ignoringNotFound(deleteSeen(client, replicaSets, rs));
		}
	}

	async function finish(r: Rollout): Promise<void> {
		const status = rolloutStatus(r.deployment, allOf(r), newSetOf(r), clock.now());
		await writeStatus(r, status);
		const after = stuckAfter(r.deployment, status, clock.now());
		if (after !== undefined) queue.addAfter(keyOf(r.deployment), after);
	}

	return queueController("deployment", queue);
}
