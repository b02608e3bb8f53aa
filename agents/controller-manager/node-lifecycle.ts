/**
 * Watches over nodes: one whose lease and status stop being renewed becomes Ready=Unknown; conditions become taints; pods of
 * an unready node are marked unready. Taints that evict are rationed by zone, and withheld when everything looks dead.
 */
import { keyOf, leases, nodes, pods } from "../../apiserver/client/resources.ts";
import { findCondition, formatTime, isConditionTrue } from "../../apiserver/machinery/meta.ts";
import type { NodeCondition, Taint } from "../../apiserver/scheme/types.gen.ts";
import type { Timer } from "../../kit/clock.ts";
import {
	type Controller,
	type ControllerContext,
	controllerQueue,
	isConflict,
	isNotFound,
	type Node,
	type Pod,
	timeOf,
} from "./controller.ts";
import { createZones } from "./node-zones.ts";

export interface NodeLifecycleOptions {
	/** How often nodes are looked at. Default 5 s. */
	readonly monitorPeriodMs?: number | undefined;
	/** How long a node may be silent. Default 40 s. */
	readonly gracePeriodMs?: number | undefined;
	/** How long a node may take to say anything at all. Default 60 s. */
	readonly startupGracePeriodMs?: number | undefined;
	/** Nodes a second whose pods are evicted, in a healthy zone. Default 0.1. */
	readonly evictionRate?: number | undefined;
	/** The same in a zone that is largely unhealthy. Default 0.01; none in a small one. */
	readonly secondaryEvictionRate?: number | undefined;
	/** From how many nodes a zone is large. Default 50. */
	readonly largeClusterSize?: number | undefined;
	/** From which share of unready nodes (at least three) a zone is unhealthy. Default 0.55. */
	readonly unhealthyZoneThreshold?: number | undefined;
}

const notReady = "node.kubernetes.io/not-ready";
const unreachable = "node.kubernetes.io/unreachable";
const watched = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;
const leaseNamespace = "kube-node-lease";
const podWorkers = 20;

/** Condition, the status of it that taints, and the taint. */
const conditionTaints: ReadonlyArray<readonly [type: string, status: string, key: string]> = [
	["Ready", "False", notReady],
	["Ready", "Unknown", unreachable],
	["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
	["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
	["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
	["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
];
const unschedulable = "node.kubernetes.io/unschedulable";
const ownNoSchedule: ReadonlySet<string> = new Set([...conditionTaints.map(([, , key]) => key), unschedulable]);

const readyOf = (node: Node): NodeCondition | undefined => findCondition(node.status?.conditions, "Ready");

/** The node's taints with those of effect NoSchedule that its conditions call for, and no other of ours. */
export function noScheduleTaints(node: Node, now: number): Taint[] {
	const wanted = conditionTaints
		.filter(([type, status]) => findCondition(node.status?.conditions, type)?.status === status)
		.map(([, , key]) => key);
	if (node.spec?.unschedulable === true) wanted.push(unschedulable);
	return swapTaints(node.spec?.taints ?? [], "NoSchedule", ownNoSchedule, wanted, now);
}

/** The node's taints with `evicting` (not-ready, unreachable or none) as the only one of ours of effect NoExecute. */
export function noExecuteTaints(node: Node, evicting: string | undefined, now: number): Taint[] {
	const wanted = evicting === undefined ? [] : [evicting];
	return swapTaints(node.spec?.taints ?? [], "NoExecute", new Set([notReady, unreachable]), wanted, now);
}

function swapTaints(
	taints: readonly Taint[],
	effect: string,
	own: ReadonlySet<string>,
	wanted: readonly string[],
	now: number,
): Taint[] {
	const kept = taints.filter((t) => t.effect !== effect || !own.has(t.key ?? "") || wanted.includes(t.key ?? ""));
	const missing = wanted.filter((key) => !kept.some((t) => t.key === key && t.effect === effect));
	return [...kept, ...missing.map((key) => ({ key, effect, timeAdded: formatTime(now) }))];
}

const sameTaints = (a: readonly Taint[], b: readonly Taint[]): boolean =>
	a.length === b.length && a.every((t, i) => t.key === b[i]?.key && t.effect === b[i]?.effect);

/** The conditions of a node that has been silent for too long; undefined when they say so already. */
export function silentConditions(node: Node, now: number): NodeCondition[] | undefined {
	const time = formatTime(now);
	const conditions = [...(node.status?.conditions ?? [])];
	let changed = false;
	for (const type of watched) {
		const at = conditions.findIndex((c) => c.type === type);
		const current = conditions[at];
		if (current === undefined) {
			conditions.push({
				type,
				status: "Unknown",
				reason: "NodeStatusNeverUpdated",
				message: "Kubelet never posted node status.",
				lastHeartbeatTime: node.metadata.creationTimestamp,
				lastTransitionTime: time,
			});
			changed = true;
		} else if (current.status !== "Unknown") {
			const message = "Kubelet stopped posting node status.";
			conditions[at] = {
				...current,
				status: "Unknown",
				reason: "NodeStatusUnknown",
				message,
				lastTransitionTime: time,
			};
			changed = true;
		}
	}
	return changed ? conditions : undefined;
}

/** What we last saw of a node's signs of life, and when by our own clock: the node's clock is not trusted. */
interface Health {
	readonly signs: string;
	seenAt: number;
	ready: string;
}

/** The node-lifecycle controller. */
export function createNodeLifecycleController(ctx: ControllerContext, options: NodeLifecycleOptions = {}): Controller {
	const { client, clock } = ctx;
	const logger = ctx.logger.with({ controller: "node-lifecycle" });
	const recorder = ctx.recorder("node-controller");
	const monitorPeriodMs = options.monitorPeriodMs ?? 5000;
	const gracePeriodMs = options.gracePeriodMs ?? 40_000;
	const startupGracePeriodMs = Math.max(options.startupGracePeriodMs ?? 60_000, gracePeriodMs);
	const cache = ctx.informers.informer(nodes);
	const podCache = ctx.informers.informer(pods);
	const leaseCache = ctx.informers.informer(leases, { namespace: leaseNamespace });
	podCache.addIndex("node", (pod) => [pod.spec?.nodeName ?? ""]);
	const healths = new Map<string, Health>();
	const zones = createZones({
		clock,
		rate: options.evictionRate ?? 0.1,
		secondaryRate: options.secondaryEvictionRate ?? 0.01,
		largeSize: options.largeClusterSize ?? 50,
		unhealthyShare: options.unhealthyZoneThreshold ?? 0.55,
	});
	const taintQueue = controllerQueue(ctx, "node-taints", syncNoSchedule, 8, cache);
	const podQueue = controllerQueue(ctx, "node-pods", syncPod, podWorkers, podCache);
	let monitoring: Timer | undefined;
	let evicting: Timer | undefined;
	let started = false;
	let stopped = false;
	const underWay = new Set<Promise<void>>();

	cache.addHandlers({
		onAdd: (node) => taintQueue.add(keyOf(node)),
		onUpdate(previous, node) {
			taintQueue.add(keyOf(node));
			// Not at the next look but now: pods wait to be moved, or nodes to be used again.
			if (started && readyOf(previous)?.status !== readyOf(node)?.status) void guarded(ration);
		},
		onDelete(node) {
			healths.delete(keyOf(node));
			zones.forget(keyOf(node));
			const name = node.metadata.name;
			recorder.event(node, "Normal", "RemovingNode", `Node ${name} event: Removing Node ${name} from Controller`);
		},
	});
	podCache.addHandlers({ onAdd: checkPod, onUpdate: (_, pod) => checkPod(pod) });

	/** A pod that says it is ready on a node that is not must be put right, also when it got there later. */
	function checkPod(pod: Pod): void {
		const node = cache.get(pod.spec?.nodeName ?? "");
		if (node !== undefined && health(node)?.ready === "Unknown" && isConditionTrue(pod.status?.conditions, "Ready")) {
			podQueue.add(keyOf(pod));
		}
	}

	function health(node: Node): Health | undefined {
		return healths.get(keyOf(node));
	}

	async function syncNoSchedule(key: string): Promise<void> {
		const node = cache.get(key);
		if (node !== undefined) await writeTaints(node, noScheduleTaints(node, clock.now()));
	}

	async function writeTaints(node: Node, taints: Taint[]): Promise<void> {
		if (sameTaints(node.spec?.taints ?? [], taints)) return;
		const { name = "", resourceVersion } = node.metadata;
		const patch = { metadata: { resourceVersion }, spec: { taints: taints.length === 0 ? null : taints } };
		await client.resource(nodes).patch("", name, "merge", patch);
	}

	async function syncPod(key: string): Promise<void> {
		const pod = podCache.get(key);
		const condition = findCondition(pod?.status?.conditions, "Ready");
		if (pod === undefined || condition?.status !== "True") return;
		const node = cache.get(pod.spec?.nodeName ?? "");
		if (node === undefined || readyOf(node)?.status === "True") return;
		const { namespace = "", name = "", uid } = pod.metadata;
		const next = { type: "Ready", status: "False", lastTransitionTime: formatTime(clock.now()) };
		const patch = { metadata: { uid }, status: { conditions: [next] } };
		try {
			await client.resource(pods).patch(namespace, name, "strategic", patch, "status");
		} catch (error) {
			if (isNotFound(error)) return;
			throw error;
		}
		recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready");
	}

	async function monitor(): Promise<void> {
		const all = cache.list();
		for (const node of all) {
			if (stopped) return;
			try {
				await look(node);
			} catch (error) {
				if (!isConflict(error) && !isNotFound(error)) logger.warn("cannot update node", { node: keyOf(node), error });
			}
		}
		await ration();
	}

	/** Notes signs of life, and writes the status of a node that gives none. */
	async function look(node: Node): Promise<void> {
		const name = keyOf(node);
		const lease = leaseCache.get(`${leaseNamespace}/${name}`);
		const ready = readyOf(node);
		// A condition we wrote ourselves is no sign of life; what we write over the node's own keeps its heartbeat.
		const heartbeat = ready?.reason === "NodeStatusNeverUpdated" ? undefined : ready?.lastHeartbeatTime;
		const signs = JSON.stringify([lease?.spec?.renewTime, heartbeat]);
		const now = clock.monotonic();
		let known = healths.get(name);
		if (known === undefined) {
			recorder.event(node, "Normal", "RegisteredNode", `Node ${name} event: Registered Node ${name} in Controller`);
			// A node that was never heard of is given time from its creation on, others from now.
			const age = Math.max(0, clock.now() - timeOf(node.metadata.creationTimestamp));
			const seenAt = ready === undefined && !Number.isNaN(age) ? now - age : now;
			healths.set(name, (known = { signs, seenAt, ready: ready?.status ?? "Unknown" }));
		} else if (known.signs !== signs) {
			healths.set(name, (known = { signs, seenAt: now, ready: known.ready }));
		}
		const grace = ready === undefined ? startupGracePeriodMs : gracePeriodMs;
		const before = known.ready;
		if (now - known.seenAt > grace) await silence(node);
		const current = cache.get(name) ?? node;
		known.ready = now - known.seenAt > grace ? "Unknown" : (readyOf(current)?.status ?? "Unknown");
		if (before === "True" && known.ready !== "True") {
			recorder.event(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
		}
		if (known.ready !== "True") for (const pod of podCache.byIndex("node", name)) checkUnready(pod);
	}

	function checkUnready(pod: Pod): void {
		if (isConditionTrue(pod.status?.conditions, "Ready")) podQueue.add(keyOf(pod));
	}

	async function silence(node: Node): Promise<void> {
		const conditions = silentConditions(node, clock.now());
		if (conditions === undefined) return;
		await client.resource(nodes).update({ ...node, status: { ...node.status, conditions } }, "status");
	}

	/** Decides, zone by zone, which nodes may be given or must lose the taint that evicts. */
	async function ration(): Promise<void> {
		const states = cache.list().map((node) => {
			const silent = healths.get(keyOf(node))?.ready === "Unknown";
			return { zone: zoneOf(node), ready: !silent && readyOf(node)?.status === "True" };
		});
		zones.assess(states);
		for (const node of cache.list()) {
			if (stopped) return;
			const key = wantedTaint(node);
			if (key === undefined || zones.withheld) {
				zones.forget(keyOf(node));
				await tryTaint(node, zones.withheld ? undefined : key);
			} else if (!hasNoExecute(node, key)) {
				// Already evicting for the other reason: no new ration is needed.
				const other = key === notReady ? unreachable : notReady;
				if (hasNoExecute(node, other)) await tryTaint(node, key);
				else zones.request(keyOf(node), zoneOf(node));
			}
		}
		await evict();
	}

	function wantedTaint(node: Node): string | undefined {
		const ready = readyOf(node)?.status;
		if (ready === "False") return notReady;
		return ready === "Unknown" ? unreachable : undefined;
	}

	const hasNoExecute = (node: Node, key: string): boolean =>
		node.spec?.taints?.some((t) => t.key === key && t.effect === "NoExecute") === true;

	async function tryTaint(node: Node, key: string | undefined): Promise<boolean> {
		try {
			await writeTaints(node, noExecuteTaints(node, key, clock.now()));
			return true;
		} catch (error) {
			if (isNotFound(error)) return true;
			if (!isConflict(error)) logger.warn("cannot taint node", { node: keyOf(node), error });
			return false;
		}
	}

	/** Taints the nodes whose turn has come. */
	async function evict(): Promise<void> {
		for (const name of zones.due()) {
			if (stopped) return;
			const node = cache.get(name);
			const key = node === undefined ? undefined : wantedTaint(node);
			if (node === undefined || key === undefined) continue;
			if (!(await tryTaint(node, key))) zones.retry(name, zoneOf(node));
		}
		evicting?.cancel();
		const next = zones.nextDue();
		if (next !== undefined && !stopped) evicting = clock.after(Math.max(next, 100), () => void guarded(evict));
	}

	async function guarded(run: () => Promise<void>): Promise<void> {
		if (stopped) return;
		const work = run().catch((error: unknown) => logger.error("monitoring failed", { error }));
		underWay.add(work);
		await work;
		underWay.delete(work);
	}

	async function loop(): Promise<void> {
		await guarded(monitor);
		if (!stopped) monitoring = clock.after(monitorPeriodMs, () => void loop());
	}

	return {
		name: "node-lifecycle",
		queues: [taintQueue, podQueue],
		start() {
			started = true;
			taintQueue.start();
			podQueue.start();
			void loop();
		},
		stop() {
			stopped = true;
			monitoring?.cancel();
			evicting?.cancel();
			taintQueue.stop();
			podQueue.stop();
		},
		settled: () => Promise.all(underWay),
	};
}

/** Region and zone of a node, as upstream joins them. */
export function zoneOf(node: Node): string {
	const labels = node.metadata.labels ?? {};
	const region = labels["topology.kubernetes.io/region"] ?? "";
	const zone = labels["topology.kubernetes.io/zone"] ?? "";
	return region === "" && zone === "" ? "" : `${region}:\u0000:${zone}`;
}
