/** The scheduler's view of nodes and of the pods on them, including those it assumed and has not yet seen bound. */
import { isFinished } from "../../apiserver/machinery/pods.ts";
import type { Clock } from "../../kit/clock.ts";
import { identityOf, NodeInfo, type NodeObject, type PodObject } from "./node-info.ts";

/** An assumed pod whose binding was not seen is forgotten after this long. */
const assumedMs = 15 * 60_000;

interface Placed {
	readonly pod: PodObject;
	readonly node: string;
	/** Monotonic ms at which the assumption ends; undefined: seen bound. */
	readonly until: number | undefined;
}

export class SchedulerCache {
	readonly #clock: Clock;
	readonly #nodes = new Map<string, NodeInfo>();
	readonly #placed = new Map<string, Placed>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Nodes in a stable order. */
	get nodes(): NodeInfo[] {
		return [...this.#nodes.values()];
	}

	setNode(node: NodeObject): NodeInfo {
		const name = node.metadata.name ?? "";
		const info = this.#nodes.get(name);
		if (info !== undefined) {
			info.setNode(node);
			return info;
		}
		const created = new NodeInfo(node);
		this.#nodes.set(name, created);
		for (const placed of this.#placed.values()) {
			if (placed.node === name) created.addPod(placed.pod);
		}
		return created;
	}

	removeNode(name: string): void {
		this.#nodes.delete(name);
	}

	/** A pod seen with a node: bound. Finished pods hold nothing. */
	setPod(pod: PodObject): void {
		const node = pod.spec?.nodeName ?? "";
		if (node === "" || isFinished(pod)) this.removePod(pod);
		else this.#place(pod, node, undefined);
	}

	/** Counts the pod on the node before its binding is written, so that the next decision sees it. */
	assume(pod: PodObject, node: string): void {
		this.#place(pod, node, this.#clock.monotonic() + assumedMs);
	}

	/** Takes back an assumption (binding failed); a pod seen bound stays. */
	forget(pod: PodObject): void {
		if (this.#placed.get(identityOf(pod))?.until !== undefined) this.removePod(pod);
	}

	removePod(pod: PodObject): void {
		const placed = this.#placed.get(identityOf(pod));
		if (placed === undefined) return;
		this.#placed.delete(identityOf(pod));
		this.#nodes.get(placed.node)?.removePod(placed.pod);
	}

	isAssumed(pod: PodObject): boolean {
		return this.#placed.has(identityOf(pod));
	}

	dropExpired(): void {
		const now = this.#clock.monotonic();
		for (const placed of this.#placed.values()) {
			if (placed.until !== undefined && placed.until < now) this.removePod(placed.pod);
		}
	}

	#place(pod: PodObject, node: string, until: number | undefined): void {
		this.removePod(pod);
		this.#placed.set(identityOf(pod), { pod, node, until });
		this.#nodes.get(node)?.addPod(pod);
	}
}
