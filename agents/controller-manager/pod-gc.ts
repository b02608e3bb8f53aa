/** Removes pods nobody else will: ended ones beyond a number, those of nodes that are gone, and deleted ones never placed. */
import { keyOf, nodes, pods } from "../../apiserver/client/resources.ts";
import { formatTime, isConditionTrue } from "../../apiserver/machinery/meta.ts";
import { isFinished } from "../../apiserver/machinery/pods.ts";
import type { Timer } from "../../kit/clock.ts";
import {
	type Controller,
	type ControllerContext,
	deleteSeen,
	forEachLimited,
	ignoringNotFound,
	isNotFound,
	type Node,
	type Pod,
} from "./controller.ts";

const periodMs = 20_000;
/** A node is looked up past the cache only after it has been missing this long. */
const quarantineMs = 40_000;
const deletesAtOnce = 10;

export interface PodGcOptions {
	/** Ended pods that may stay; 0 or less: all. Default 12,500. */
	readonly terminatedThreshold?: number | undefined;
}

const evicted = (pod: Pod) => (pod.status?.phase === "Failed" && pod.status.reason === "Evicted" ? 0 : 1);
const created = (pod: Pod) => Date.parse(pod.metadata.creationTimestamp ?? "");

/** The ended pods beyond `threshold`, evicted ones and then the oldest first. */
export function surplusTerminated(all: readonly Pod[], threshold: number): Pod[] {
	const ended = all.filter(isFinished);
	if (ended.length <= threshold) return [];
	ended.sort((a, b) => evicted(a) - evicted(b) || created(a) - created(b) || (keyOf(a) < keyOf(b) ? -1 : 1));
	return ended.slice(0, ended.length - threshold);
}

function isOutOfService(node: Node | undefined): boolean {
	const tainted = node?.spec?.taints?.some((t) => t.key === "node.kubernetes.io/out-of-service") === true;
	return tainted && !isConditionTrue(node?.status?.conditions, "Ready");
}

/** The pod-garbage-collector controller. */
export function createPodGcController(ctx: ControllerContext, options: PodGcOptions = {}): Controller {
	const { client, clock } = ctx;
	const logger = ctx.logger.with({ controller: "pod-garbage-collector" });
	const threshold = options.terminatedThreshold ?? 12_500;
	const podCache = ctx.informers.informer(pods);
	const nodeCache = ctx.informers.informer(nodes);
	/** Missing nodes and since when. */
	const missing = new Map<string, number>();
	let timer: Timer | undefined;
	let stopped = false;
	let running = Promise.resolve();

	async function collect(): Promise<void> {
		const all = podCache.list();
		if (threshold > 0) await removeAll(surplusTerminated(all, threshold), undefined);
		const outOfService = (pod: Pod) => isOutOfService(nodeCache.get(pod.spec?.nodeName ?? ""));
		const lost = all.filter((pod) => pod.metadata.deletionTimestamp !== undefined && outOfService(pod));
		await removeAll(lost, undefined);
		await removeOrphans(all);
		const unplaced = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined && (pod.spec?.nodeName ?? "") === "";
		await removeAll(all.filter(unplaced), undefined);
	}

	async function removeOrphans(all: readonly Pod[]): Promise<void> {
		const gone = new Set<string>();
		const names = new Set(all.map((pod) => pod.spec?.nodeName ?? "").filter((name) => name !== ""));
		const now = clock.monotonic();
		for (const name of missing.keys()) if (!names.has(name) || nodeCache.get(name) !== undefined) missing.delete(name);
		for (const name of names) {
			if (nodeCache.get(name) !== undefined) continue;
			const since = missing.get(name) ?? now;
			missing.set(name, since);
			if (now - since >= quarantineMs && (await isGone(name))) gone.add(name);
		}
		const orphans = all.filter((pod) => gone.has(pod.spec?.nodeName ?? ""));
		await removeAll(orphans, { reason: "DeletionByPodGC", message: "PodGC: node no longer exists" });
	}

	async function isGone(node: string): Promise<boolean> {
		try {
			await client.resource(nodes).get("", node);
			return false;
		} catch (error) {
			if (isNotFound(error)) return true;
			throw error;
		}
	}

	async function removeAll(
		chosen: readonly Pod[],
		disruption: { readonly reason: string; readonly message: string } | undefined,
	): Promise<void> {
		await forEachLimited(chosen, deletesAtOnce, async (pod) => {
			if (stopped) return;
			await end(pod, disruption);
			await ignoringNotFound(deleteSeen(client, pods, pod, { gracePeriodSeconds: 0 }));
			logger.info("deleted pod", { pod: keyOf(pod), ...disruption });
		});
	}

	/** No kubelet will report this pod's end: without a final phase its owner would wait for it. */
	async function end(pod: Pod, disruption: { readonly reason: string; readonly message: string } | undefined) {
		if (isFinished(pod)) return;
		const { namespace = "", name = "", uid } = pod.metadata;
		const condition = {
			type: "DisruptionTarget",
			status: "True",
			...disruption,
			lastTransitionTime: formatTime(clock.now()),
		};
		const status = { phase: "Failed", ...(disruption === undefined ? {} : { conditions: [condition] }) };
		const patch = { metadata: { uid }, status };
		await ignoringNotFound(client.resource(pods).patch(namespace, name, "strategic", patch, "status"));
	}

	async function loop(): Promise<void> {
		try {
			await collect();
		} catch (error) {
			logger.warn("collection failed", { error });
		}
		if (!stopped) timer = clock.after(periodMs, begin);
	}

	function begin(): void {
		running = loop();
	}

	return {
		name: "pod-garbage-collector",
		queues: [],
		start: begin,
		settled: () => running,
		stop() {
			stopped = true;
			timer?.cancel();
		},
	};
}
