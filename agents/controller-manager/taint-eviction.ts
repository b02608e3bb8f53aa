/** Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer tolerate. */
import { keyOf, nodes, pods } from "../../apiserver/client/resources.ts";
import type { Requeue } from "../../apiserver/client/workqueue.ts";
import { formatTime } from "../../apiserver/machinery/meta.ts";
import { isFinished, tolerates } from "../../apiserver/machinery/pods.ts";
import type { ObjectReference, Taint, Toleration } from "../../apiserver/scheme/types.gen.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	deleteSeen,
	ignoringNotFound,
	type Node,
	type Pod,
	queueController,
} from "./controller.ts";

const executing = (node: Node): Taint[] => (node.spec?.taints ?? []).filter((taint) => taint.effect === "NoExecute");

/** How long the pod may stay, ms: 0 not at all, Infinity for ever. */
export function toleratedMs(tolerations: readonly Toleration[], taints: readonly Taint[]): number {
	let least = Number.POSITIVE_INFINITY;
	for (const taint of taints) {
		const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
		if (matching.length === 0) return 0;
		for (const { tolerationSeconds } of matching) {
			if (tolerationSeconds !== undefined) least = Math.min(least, Math.max(0, tolerationSeconds) * 1000);
		}
	}
	return least;
}

/** The taint-eviction controller. */
export function createTaintEvictionController(ctx: ControllerContext): Controller {
	const { client, clock } = ctx;
	const recorder = ctx.recorder("taint-eviction-controller");
	const nodeCache = ctx.informers.informer(nodes);
	const podCache = ctx.informers.informer(pods);
	podCache.addIndex("node", (pod) => [pod.spec?.nodeName ?? ""]);
	/** When each pod's time began to run, on our own clock. */
	const since = new Map<string, { readonly uid: string; readonly at: number }>();
	const queue = controllerQueue(ctx, "taint-eviction", sync, 8, podCache);
	const enqueueNode = (node: Node) => {
		for (const pod of podCache.byIndex("node", keyOf(node))) queue.add(keyOf(pod));
	};
	nodeCache.addHandlers({
		onAdd: enqueueNode,
		onUpdate(previous, node) {
			if (JSON.stringify(executing(previous)) !== JSON.stringify(executing(node))) enqueueNode(node);
		},
		onDelete: enqueueNode,
	});
	podCache.addHandlers({
		onAdd: (pod) => queue.add(keyOf(pod)),
		onUpdate(previous, pod) {
			const placed = previous.spec?.nodeName !== pod.spec?.nodeName;
			const changed = JSON.stringify(previous.spec?.tolerations) !== JSON.stringify(pod.spec?.tolerations);
			if (placed || changed) queue.add(keyOf(pod));
		},
		onDelete: (pod) => void since.delete(keyOf(pod)),
	});

	async function sync(key: string): Promise<Requeue | undefined> {
		const pod = podCache.get(key);
		const node = nodeCache.get(pod?.spec?.nodeName ?? "");
		const taints = node === undefined ? [] : executing(node);
		const allowed = toleratedMs(pod?.spec?.tolerations ?? [], taints);
		if (pod === undefined || pod.metadata.deletionTimestamp !== undefined || isFinished(pod) || allowed === Infinity) {
			cancel(key, pod);
			return undefined;
		}
		const uid = pod.metadata.uid ?? "";
		let began = since.get(key);
		if (began === undefined || began.uid !== uid) since.set(key, (began = { uid, at: clock.monotonic() }));
		const left = began.at + allowed - clock.monotonic();
		if (left > 0) return { requeueAfterMs: left };
		await evict(pod);
		since.delete(key);
		return undefined;
	}

	function cancel(key: string, pod: Pod | undefined): void {
		if (!since.delete(key) || pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
		recorder.event(pod, "Normal", "TaintManagerEviction", `Cancelling deletion of Pod ${key}`);
	}

	async function evict(pod: Pod): Promise<void> {
		const { namespace = "", name = "", uid = "" } = pod.metadata;
		const reference: ObjectReference = { apiVersion: "v1", kind: "Pod", namespace, name, uid };
		recorder.event(reference, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${keyOf(pod)}`);
		const condition = {
			type: "DisruptionTarget",
			status: "True",
			reason: "DeletionByTaintManager",
			message: "Taint manager: deleting due to NoExecute taint",
			lastTransitionTime: formatTime(clock.now()),
		};
		const patch = { metadata: { uid }, status: { conditions: [condition] } };
		await ignoringNotFound(client.resource(pods).patch(namespace, name, "strategic", patch, "status"));
		await ignoringNotFound(deleteSeen(client, pods, pod));
	}

	return queueController("taint-eviction", queue);
}
