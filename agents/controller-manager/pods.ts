/** What controllers ask of pods, and how they create and delete them. */

import type { EventRecorder } from "../../apiserver/client/events.ts";
import { pods as podResource } from "../../apiserver/client/resources.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { controllerReference, findCondition } from "../../apiserver/machinery/meta.ts";
import { isFinished } from "../../apiserver/machinery/pods.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type * as api from "../../apiserver/scheme/types.gen.ts";
import { greatest } from "../../kit/lists.ts";
import { deleteSeen, errorText, isNamespaceTerminating, isNotFound, type Pod, timeOf } from "./controller.ts";

export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
/** Neither finished nor on its way out. */
export const isActive = (pod: Pod): boolean => !isFinished(pod) && !isTerminating(pod);

export const readyCondition = (pod: Pod): api.PodCondition | undefined =>
	findCondition(pod.status?.conditions, "Ready");
export const isReady = (pod: Pod): boolean => readyCondition(pod)?.status === "True";

/** Ready for at least `minReadySeconds` at `now` (ms since the epoch). */
export function isAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
	if (!isReady(pod)) return false;
	if (minReadySeconds === 0) return true;
	const since = timeOf(readyCondition(pod)?.lastTransitionTime);
	return !Number.isNaN(since) && since + minReadySeconds * 1000 <= now;
}

/** The pod a template describes, controlled by `owner`; its name is given, or the server's choice: `prefix` and a random suffix. */
export function podFromTemplate(
	owner: KubeObject<object>,
	template: api.PodTemplateSpec,
	naming: { readonly prefix: string; readonly name?: string } | { readonly name: string },
): api.Pod {
	const { labels, annotations, finalizers } = template.metadata ?? {};
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			...("prefix" in naming ? { generateName: naming.prefix } : {}),
			...(naming.name === undefined ? {} : { name: naming.name }),
			...(labels === undefined ? {} : { labels: { ...labels } }),
			...(annotations === undefined ? {} : { annotations: { ...annotations } }),
			...(finalizers === undefined ? {} : { finalizers: [...finalizers] }),
			ownerReferences: [controllerReference(owner)],
		},
		spec: structuredClone(template.spec ?? {}),
	};
}

/** Creates pods of `owner` and says so in events. */
export class PodControl {
	readonly #client: ApiClient;
	readonly #recorder: EventRecorder;

	constructor(client: ApiClient, recorder: EventRecorder) {
		this.#client = client;
		this.#recorder = recorder;
	}

	async create(owner: KubeObject<object>, pod: api.Pod): Promise<Pod> {
		try {
			const created = await this.#client.resource(podResource).create(owner.metadata.namespace ?? "", pod);
			this.#recorder.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
			return created;
		} catch (error) {
			if (!isNamespaceTerminating(error)) {
				this.#recorder.event(owner, "Warning", "FailedCreate", `Error creating: ${errorText(error)}`);
			}
			throw error;
		}
	}

	/** Rejects with "not found" where the pod is gone already, though there be another of its name. */
	async delete(owner: KubeObject<object>, pod: Pod): Promise<void> {
		const { name = "" } = pod.metadata;
		try {
			await deleteSeen(this.#client, podResource, pod);
			this.#recorder.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
		} catch (error) {
			if (!isNotFound(error)) {
				this.#recorder.event(owner, "Warning", "FailedDelete", `Error deleting: ${errorText(error)}`);
			}
			throw error;
		}
	}
}

/**
 * Calls `create` `count` times in batches of 1, 2, 4 …, so that a mistake common to all fails once and not `count` times.
 * Gives how many succeeded and the first failure.
 */
export async function slowStart(
	count: number,
	create: (index: number) => Promise<unknown>,
): Promise<{ readonly succeeded: number; readonly failure: unknown }> {
	let succeeded = 0;
	let failure: unknown;
	for (let done = 0, batch = 1; done < count && failure === undefined; batch *= 2) {
		const size = Math.min(batch, count - done);
		const results = await Promise.allSettled(Array.from({ length: size }, (_, i) => create(done + i)));
		for (const result of results) {
			if (result.status === "fulfilled") succeeded++;
			else failure ??= result.reason ?? new Error("creation failed");
		}
		done += size;
	}
	return { succeeded, failure };
}

const phaseOrder: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const deletionCost = (pod: Pod): number => {
	const cost = Number(pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? "0");
	return Number.isInteger(cost) ? cost : 0;
};
const restarts = (pod: Pod): number =>
	greatest(
		(pod.status?.containerStatuses ?? []).map((status) => status.restartCount ?? 0),
		0,
	);

/** Ages fall into buckets by power of two, so that among about equally old pods the choice is spread, not always the newest. */
function compareAge(a: string | undefined, b: string | undefined, now: number): number {
	const bucket = (time: string | undefined) => {
		const age = (now - timeOf(time)) * 1e6;
		return age > 0 ? Math.round(Math.log2(age)) : -1;
	};
	return bucket(a) - bucket(b);
}

/** Which of two pods goes first when some must go: negative for `a`. `related`: active pods of the same kind on each pod's node. */
export function compareForDeletion(a: Pod, b: Pod, related: ReadonlyMap<string, number>, now: number): number {
	const assigned = (pod: Pod) => ((pod.spec?.nodeName ?? "") === "" ? 0 : 1);
	const phase = (pod: Pod) => phaseOrder[pod.status?.phase ?? "Pending"] ?? 0;
	const onNode = (pod: Pod) => related.get(pod.spec?.nodeName ?? "") ?? 0;
	const simple =
		assigned(a) - assigned(b) ||
		phase(a) - phase(b) ||
		Number(isReady(a)) - Number(isReady(b)) ||
		deletionCost(a) - deletionCost(b) ||
		onNode(b) - onNode(a);
	if (simple !== 0) return simple;
	const byUid = (a.metadata.uid ?? "") < (b.metadata.uid ?? "") ? -1 : 1;
	const readyA = readyCondition(a)?.lastTransitionTime;
	const readyB = readyCondition(b)?.lastTransitionTime;
	if (isReady(a) && isReady(b) && readyA !== readyB) return compareAge(readyA, readyB, now) || byUid;
	if (restarts(a) !== restarts(b)) return restarts(b) - restarts(a);
	const created = [a.metadata.creationTimestamp, b.metadata.creationTimestamp] as const;
	if (created[0] !== created[1]) return compareAge(created[0], created[1], now) || byUid;
	return 0;
}
