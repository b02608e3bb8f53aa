/** Keeps each ReplicaSet's number of active pods at `spec.replicas`. */
import { keyOf, pods, replicaSets, splitKey } from "../../apiserver/client/resources.ts";
import { wouldChange } from "../../apiserver/client/written.ts";
import { controllerOf, deepEqual, formatTime, generateName, isControlledBy } from "../../apiserver/machinery/meta.ts";
import { fromLabelSelector, usableSelector } from "../../apiserver/machinery/selectors.ts";
import type { ReplicaSetCondition, ReplicaSetStatus } from "../../apiserver/scheme/types.gen.ts";
import { claim } from "./claim.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	errorText,
	isAlreadyExists,
	isNamespaceTerminating,
	isNotFound,
	type Pod,
	queueController,
	type ReplicaSet,
} from "./controller.ts";
import { Expectations } from "./expectations.ts";
import { compareForDeletion, isActive, isAvailable, isReady, PodControl, podFromTemplate, slowStart } from "./pods.ts";

/** Pods created or deleted in one go. */
const burst = 500;

/** The status the pods amount to. `failure`: what went wrong with creating or deleting. */
export function replicaSetStatus(
	rs: ReplicaSet,
	active: readonly Pod[],
	failure: unknown,
	now: number,
): ReplicaSetStatus {
	const template = Object.entries(rs.spec?.template?.metadata?.labels ?? {});
	const minReady = rs.spec?.minReadySeconds ?? 0;
	const fullyLabeled = active.filter((pod) => template.every(([key, value]) => pod.metadata.labels?.[key] === value));
	const diff = active.length - (rs.spec?.replicas ?? 1);
	let conditions = (rs.status?.conditions ?? []).filter((c) => c.type !== "ReplicaFailure");
	if (failure !== undefined) {
		const before = rs.status?.conditions?.find((c) => c.type === "ReplicaFailure");
		const reason = diff < 0 ? "FailedCreate" : diff > 0 ? "FailedDelete" : "";
		const next: ReplicaSetCondition = {
			type: "ReplicaFailure",
			status: "True",
			lastTransitionTime: formatTime(now),
			reason,
			message: errorText(failure),
		};
		// A failure already told stays as it was told first: its text may change with every try.
		conditions = [...conditions, before ?? next];
	}
	return {
		replicas: active.length,
		fullyLabeledReplicas: fullyLabeled.length,
		readyReplicas: active.filter(isReady).length,
		availableReplicas: active.filter((pod) => isAvailable(pod, minReady, now)).length,
		...(rs.metadata.generation === undefined ? {} : { observedGeneration: rs.metadata.generation }),
		...(conditions.length === 0 ? {} : { conditions }),
	};
}

/** The pods to delete, the least worth keeping first. `related`: pods of the same owner's other ReplicaSets too. */
export function podsToDelete(active: readonly Pod[], related: readonly Pod[], count: number, now: number): Pod[] {
	if (count >= active.length) return [...active];
	const perNode = new Map<string, number>();
	for (const pod of related.filter(isActive)) {
		const node = pod.spec?.nodeName ?? "";
		perNode.set(node, (perNode.get(node) ?? 0) + 1);
	}
	return active.toSorted((a, b) => compareForDeletion(a, b, perNode, now)).slice(0, count);
}

/** The replicaset controller. */
export function createReplicaSetController(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const logger = ctx.logger.with({ controller: "replicaset" });
	const recorder = ctx.recorder("replicaset-controller");
	const podControl = new PodControl(client, recorder);
	const expectations = new Expectations(clock);
	const doubtful = new DoubtfulNames();
	const sets = ctx.informers.informer(replicaSets);
	const podCache = ctx.informers.informer(pods);
	sets.addIndex("owner", (rs) => [controllerOf(rs)?.uid ?? ""]);
	const queue = controllerQueue(ctx, "replicaset", sync, 5, sets);

	const ownerOf = (pod: Pod): ReplicaSet | undefined => {
		const reference = controllerOf(pod);
		if (reference?.kind !== "ReplicaSet") return undefined;
		const rs = sets.get(`${pod.metadata.namespace}/${reference.name}`);
		return rs?.metadata.uid === reference.uid ? rs : undefined;
	};
	const enqueueMatching = (pod: Pod) => {
		for (const rs of sets.list(pod.metadata.namespace)) {
			if (usableSelector(rs.spec?.selector)?.matches(pod.metadata.labels) === true) queue.add(keyOf(rs));
		}
	};
	const onPodGone = (pod: Pod) => {
		const rs = ownerOf(pod);
		if (rs === undefined) return;
		expectations.deletionObserved(keyOf(rs), podKey(pod));
		queue.add(keyOf(rs));
	};

	sets.addHandlers({
		onAdd: (rs) => queue.add(keyOf(rs)),
		onUpdate(previous, rs) {
			if (previous.metadata.uid !== rs.metadata.uid) expectations.forget(keyOf(previous));
			queue.add(keyOf(rs));
		},
		onDelete(rs) {
			expectations.forget(keyOf(rs));
			queue.add(keyOf(rs));
		},
	});
	podCache.addHandlers({
		onAdd(pod) {
			if (pod.metadata.deletionTimestamp !== undefined) return onPodGone(pod);
			if (controllerOf(pod) === undefined) return enqueueMatching(pod);
			const rs = ownerOf(pod);
			if (rs === undefined) return;
			// One whose creation seemed to fail is expected no more.
			if (!doubtful.settle(rs, pod.metadata.name ?? "")) expectations.creationObserved(keyOf(rs));
			queue.add(keyOf(rs));
		},
		onUpdate(previous, pod) {
			if (pod.metadata.deletionTimestamp !== undefined) {
				onPodGone(pod);
				// A change of labels on the way out concerns whom it belonged to, too.
				if (!deepEqual(previous.metadata.labels, pod.metadata.labels)) onPodGone(previous);
				return;
			}
			const changedOwner = controllerOf(previous)?.uid !== controllerOf(pod)?.uid;
			if (changedOwner) {
				const old = ownerOf(previous);
				if (old !== undefined) queue.add(keyOf(old));
			}
			if (controllerOf(pod) !== undefined) {
				const rs = ownerOf(pod);
				if (rs === undefined) return;
				queue.add(keyOf(rs));
				const minReady = rs.spec?.minReadySeconds ?? 0;
				if (!isReady(previous) && isReady(pod) && minReady > 0) queue.addAfter(keyOf(rs), minReady * 1000 + 1000);
			} else if (changedOwner || !deepEqual(previous.metadata.labels, pod.metadata.labels)) {
				enqueueMatching(pod);
			}
		},
		onDelete: onPodGone,
	});

	async function sync(key: string): Promise<void> {
		const rs = sets.get(key);
		if (rs === undefined) {
			expectations.forget(key);
			doubtful.forget(key);
			return;
		}
		const mayManage = expectations.satisfied(key);
		const selector = fromLabelSelector(rs.spec?.selector);
		const claimed = await claim(
			{ client, owner: rs, ownerResource: replicaSets, selector, resource: pods },
			podCache.list(rs.metadata.namespace),
			(pod) => isActive(pod),
		);
		const active = claimed.filter(isActive);
		let failure: unknown;
		if (mayManage && rs.metadata.deletionTimestamp === undefined) failure = await manage(rs, active);
		await updateStatus(rs, active, failure);
		if (failure !== undefined) throw failure;
	}

	/** Creates or deletes pods towards the wanted number; gives the first failure. */
	async function manage(rs: ReplicaSet, active: readonly Pod[]): Promise<unknown> {
		const diff = active.length - (rs.spec?.replicas ?? 1);
		if (diff < 0) return createPods(rs, Math.min(-diff, burst));
		return diff > 0 ? deletePods(rs, active, Math.min(diff, burst)) : undefined;
	}

	async function createPods(rs: ReplicaSet, count: number): Promise<unknown> {
		const key = keyOf(rs);
		expectations.expectCreations(key, count);
		logger.debug("too few replicas", { key, need: rs.spec?.replicas, creating: count });
		const isSeen = (name: string) => podCache.get(`${rs.metadata.namespace}/${name}`) !== undefined;
		const doubted = doubtful.take(rs, count, isSeen);
		let tried = 0;
		const { succeeded, failure } = await slowStart(count, (i) => {
			tried = i + 1;
			return createPod(rs, doubted[i], isSeen);
		});
		// An event that came meanwhile has met its expectation, whether its pod was asked for or not.
		const untried = doubted.slice(tried).filter((name) => !isSeen(name));
		for (const name of untried) doubtful.add(rs, name);
		const seen = Math.max(0, doubted.length - tried) - untried.length;
		if (succeeded + seen < count) expectations.creationObserved(key, count - succeeded - seen);
		return isNamespaceTerminating(failure) ? undefined : failure;
	}

	/** `doubted`: the name of one whose creation failed, or so it seemed. */
	async function createPod(rs: ReplicaSet, doubted: string | undefined, isSeen: (name: string) => boolean) {
		const prefix = `${rs.metadata.name}-`;
		const name = doubted ?? generateName(prefix, ctx.random);
		try {
			await podControl.create(rs, podFromTemplate(rs, rs.spec?.template ?? {}, { prefix, name }));
		} catch (error) {
			// It was made after all, and its event is still to come; a name drawn just now is taken by another.
			if (isAlreadyExists(error)) {
				if (doubted !== undefined) return;
				throw error;
			}
			if (isSeen(name)) return;
			doubtful.add(rs, name);
			throw error;
		}
	}

	async function deletePods(rs: ReplicaSet, active: readonly Pod[], count: number): Promise<unknown> {
		const key = keyOf(rs);
		const chosen = podsToDelete(active, relatedPods(rs), count, clock.now());
		expectations.expectDeletions(key, chosen.map(podKey));
		logger.debug("too many replicas", { key, need: rs.spec?.replicas, deleting: count });
		let failure: unknown;
		const deleteOne = async (pod: Pod) => {
			try {
				await podControl.delete(rs, pod);
			} catch (error) {
				expectations.deletionObserved(key, podKey(pod));
				if (!isNotFound(error)) failure ??= error;
			}
		};
		await Promise.all(chosen.map(deleteOne));
		return failure;
	}

	/** Pods of all ReplicaSets of the same owner: their spread over nodes decides which pod is one too many. */
	function relatedPods(rs: ReplicaSet): Pod[] {
		const owner = controllerOf(rs)?.uid;
		const siblings = owner === undefined ? [rs] : sets.byIndex("owner", owner);
		return podCache
			.list(rs.metadata.namespace)
			.filter((pod) => siblings.some((sibling) => isControlledBy(pod, sibling)));
	}

	async function updateStatus(rs: ReplicaSet, active: readonly Pod[], failure: unknown): Promise<void> {
		const status = replicaSetStatus(rs, active, failure, clock.now());
		let updated = rs;
		if (wouldChange(rs, { ...rs, status })) {
			const apiSets = client.resource(replicaSets);
			try {
				updated = await apiSets.update({ ...rs, status }, "status");
			} catch (error) {
				if (isNotFound(error)) return;
				const { namespace, name } = splitKey(keyOf(rs));
				const fresh = await apiSets.get(namespace, name);
				if (fresh.metadata.uid !== rs.metadata.uid) return;
				updated = fresh;
				if (wouldChange(fresh, { ...fresh, status })) updated = await apiSets.update({ ...fresh, status }, "status");
			}
		}
		const minReady = rs.spec?.minReadySeconds ?? 0;
		const waiting =
			status.readyReplicas === (rs.spec?.replicas ?? 1) && status.availableReplicas !== status.readyReplicas;
		if (minReady > 0 && waiting) queue.addAfter(keyOf(updated), minReady * 1000);
	}

	return queueController("replicaset", queue);
}

/**
 * Pods whose creation failed may have been made all the same: the answer was lost, or the store did not say in time. They
 * are asked for once more by the same names, so that none is made twice. A name is either here or expected, never both:
 * every event of a pod settles its doubt or meets its expectation.
 */
class DoubtfulNames {
	readonly #names = new Map<string, { readonly uid: string | undefined; readonly names: Set<string> }>();

	add(rs: ReplicaSet, name: string): void {
		const known = this.#names.get(keyOf(rs));
		if (known === undefined || known.uid !== rs.metadata.uid) {
			this.#names.set(keyOf(rs), { uid: rs.metadata.uid, names: new Set([name]) });
		} else if (known.names.size < burst) known.names.add(name);
	}

	/** Its pod was seen. False: there was no doubt. */
	settle(rs: ReplicaSet, name: string): boolean {
		return this.#of(rs)?.delete(name) === true;
	}

	/** Takes out up to `count` to be asked for again, oldest first; what was seen is settled. */
	take(rs: ReplicaSet, count: number, isSeen: (name: string) => boolean): string[] {
		const names = this.#of(rs);
		for (const name of names ?? []) if (isSeen(name)) names?.delete(name);
		const taken = [...(names ?? [])].slice(0, count);
		for (const name of taken) names?.delete(name);
		return taken;
	}

	#of(rs: ReplicaSet): Set<string> | undefined {
		const known = this.#names.get(keyOf(rs));
		return known?.uid === rs.metadata.uid ? known?.names : undefined;
	}

	forget(key: string): void {
		this.#names.delete(key);
	}
}

const podKey = (pod: Pod): string => `${keyOf(pod)}/${pod.metadata.uid}`;
