/**
 * The scheduler's loop: takes a pod from the queue, decides on a snapshot, assumes it there, binds through the API
 * while the next is decided. Several schedulers may run; only the leader's loop does.
 */

import type { EventRecorder } from "../../apiserver/client/events.ts";
import { keyOf, namespaces, nodes, pods, replicaSets, services, splitKey } from "../../apiserver/client/resources.ts";
import { ConnectionError } from "../../apiserver/client/rest.ts";
import type { ApiClient, InformerFactory } from "../../apiserver/client/types.ts";
import { ApiError } from "../../apiserver/machinery/errors.ts";
import { findCondition, formatTime, withCondition } from "../../apiserver/machinery/meta.ts";
import { isFinished } from "../../apiserver/machinery/pods.ts";
import { usableSelector } from "../../apiserver/machinery/selectors.ts";
import type { PodCondition } from "../../apiserver/scheme/types.gen.ts";
import type { Clock, Timer } from "../../kit/clock.ts";
import type { Logger } from "../../kit/log.ts";
import type { Random } from "../../kit/random.ts";
import { SchedulerCache } from "./cache.ts";
import { decide } from "./decide.ts";
import type { Snapshot } from "./framework.ts";
import { type NodeObject, type PodObject, problemOfPod } from "./node-info.ts";
import { SchedulingQueue } from "./queue.ts";

const maxBindingsInFlight = 64;
const expireEveryMs = 30_000;

export interface SchedulerOptions {
	readonly client: ApiClient;
	readonly informers: InformerFactory;
	readonly recorder: EventRecorder;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: Logger;
	/** Pods with this `spec.schedulerName` are ours. */
	readonly schedulerName?: string | undefined;
}

export interface SchedulerMetrics {
	readonly scheduled: number;
	readonly unschedulable: number;
	readonly errors: number;
	readonly pending: number;
}

const isGated = (pod: PodObject) => (pod.spec?.schedulingGates ?? []).length > 0;

export class Scheduler {
	readonly #options: SchedulerOptions;
	readonly #name: string;
	readonly #cache: SchedulerCache;
	readonly #queue: SchedulingQueue;
	#active = false;
	#pumping = false;
	#inFlight = 0;
	#start = 0;
	#expiry: Timer | undefined;
	#scheduled = 0;
	#unschedulable = 0;
	#errors = 0;
	/** By uid, what was told of objects that cannot be read in full. */
	readonly #told = new Map<string, string>();
	#settlers: (() => void)[] = [];

	constructor(options: SchedulerOptions) {
		this.#options = options;
		this.#name = options.schedulerName ?? "default-scheduler";
		this.#cache = new SchedulerCache(options.clock);
		this.#queue = new SchedulingQueue(options.clock, () => this.#pump());
		this.#watch();
	}

	get metrics(): SchedulerMetrics {
		return {
			scheduled: this.#scheduled,
			unschedulable: this.#unschedulable,
			errors: this.#errors,
			pending: this.#queue.length,
		};
	}

	/** Begins to bind; call once the informers are synced. */
	start(): void {
		this.#active = true;
		this.#expiry = this.#options.clock.every(expireEveryMs, () => this.#cache.dropExpired());
		this.#pump();
	}

	stop(): void {
		this.#active = false;
		this.#expiry?.cancel();
		this.#queue.stop();
	}

	/** After `stop`: resolves when no binding is under way. */
	settled(): Promise<void> {
		if (this.#inFlight === 0) return Promise.resolve();
		return new Promise((resolve) => this.#settlers.push(resolve));
	}

	#watch(): void {
		const { informers } = this.#options;
		informers.informer(nodes).addHandlers({
			onAdd: (node) => this.#changed(() => this.#tellProblem(node, this.#cache.setNode(node).problem)),
			onUpdate: (before, node) => {
				this.#tellProblem(node, this.#cache.setNode(node).problem);
				// Heartbeats change only conditions' times: nothing that makes room.
				const relevant = (n: typeof node) => JSON.stringify([n.spec, n.metadata.labels, n.status?.allocatable]);
				if (relevant(before) !== relevant(node)) this.#queue.moveAll();
			},
			onDelete: (node) => {
				this.#cache.removeNode(node.metadata.name ?? "");
				this.#told.delete(node.metadata.uid ?? "");
			},
		});
		informers.informer(pods).addHandlers({
			onAdd: (pod) => this.#seen(pod),
			onUpdate: (_, pod) => this.#seen(pod),
			onDelete: (pod) => {
				this.#told.delete(pod.metadata.uid ?? "");
				this.#queue.remove(keyOf(pod));
				this.#changed(() => this.#cache.removePod(pod));
			},
		});
		informers.informer(services);
		informers.informer(replicaSets);
		informers.informer(namespaces);
	}

	/** An object that cannot be read in full is told once for each text, and counts as far as it can be read. */
	#tellProblem(object: NodeObject | PodObject, problem: string | undefined): void {
		const uid = object.metadata.uid ?? "";
		if (problem === undefined) this.#told.delete(uid);
		else if (this.#told.get(uid) !== problem) {
			this.#told.set(uid, problem);
			this.#options.logger.error("an object cannot be read in full", { object: keyOf(object), problem });
			this.#options.recorder.event(object, "Warning", "FailedDecode", problem);
		}
	}

	#changed(change: () => void): void {
		change();
		this.#queue.moveAll();
	}

	#seen(pod: PodObject): void {
		if (pod.spec?.nodeName) {
			this.#queue.remove(keyOf(pod));
			this.#cache.setPod(pod);
			this.#tellProblem(pod, problemOfPod(pod));
			if (isFinished(pod)) this.#queue.moveAll();
			return;
		}
		const ours = (pod.spec?.schedulerName ?? "default-scheduler") === this.#name;
		if (!ours || isFinished(pod) || isGated(pod) || pod.metadata.deletionTimestamp !== undefined) {
			this.#queue.remove(keyOf(pod));
			this.#cache.forget(pod);
		} else if (!this.#cache.isAssumed(pod)) this.#queue.add(pod);
	}

	/** Runs decisions until the queue is empty or too many bindings are under way; one at a time. */
	#pump(): void {
		if (!this.#active || this.#pumping) return;
		this.#pumping = true;
		queueMicrotask(() => {
			this.#pumping = false;
			while (this.#active && this.#inFlight < maxBindingsInFlight) {
				const pod = this.#queue.pop();
				if (pod === undefined) return;
				this.#schedule(pod);
			}
		});
	}

	#snapshot(): Snapshot {
		const { informers } = this.#options;
		const namespaceInformer = informers.informer(namespaces);
		return {
			nodes: this.#cache.nodes,
			namespaceLabels: (name) => namespaceInformer.get(name)?.metadata.labels ?? {},
			defaultSelectors: (pod) => this.#defaultSelectors(pod),
		};
	}

	#defaultSelectors(pod: PodObject) {
		const { informers } = this.#options;
		const namespace = pod.metadata.namespace ?? "";
		const labels = pod.metadata.labels ?? {};
		const ofServices = informers
			.informer(services)
			.list(namespace)
			.filter((service) => Object.keys(service.spec?.selector ?? {}).length > 0)
			.map((service) => usableSelector({ matchLabels: service.spec?.selector }));
		const ofReplicaSets = informers
			.informer(replicaSets)
			.list(namespace)
			.filter((set) => set.metadata.uid === pod.metadata.ownerReferences?.find((owner) => owner.controller)?.uid)
			.map((set) => usableSelector(set.spec?.selector));
		return [...ofServices, ...ofReplicaSets]
			.filter((selector) => selector?.matches(labels) === true)
			.map((selector) => (other: Readonly<Record<string, string>>) => selector?.matches(other) === true);
	}

	#schedule(pod: PodObject): void {
		const snapshot = this.#snapshot();
		this.#start = snapshot.nodes.length === 0 ? 0 : (this.#start + 1) % snapshot.nodes.length;
		let work: Promise<void>;
		this.#inFlight++;
		try {
			const decision = decide(pod, snapshot, this.#options.random, this.#start);
			work = decision.node === undefined ? this.#reject(pod, decision.message) : this.#bind(pod, decision.node);
		} catch (error) {
			// What this pod asks for cannot be read: that is for whoever made it to mend, and no reason for others to wait.
			this.#options.logger.error("a pod cannot be scheduled as it is", { pod: keyOf(pod), error });
			work = this.#reject(pod, `parsing pod: ${(error as Error).message}`, "SchedulerError");
		}
		void work.finally(() => {
			this.#inFlight--;
			if (this.#inFlight === 0) for (const done of this.#settlers.splice(0)) done();
			this.#pump();
		});
	}

	async #bind(pod: PodObject, node: string): Promise<void> {
		const { client, recorder, logger } = this.#options;
		this.#cache.assume(pod, node);
		const { namespace = "", name = "", uid } = pod.metadata;
		try {
			await client.resource<object>(pods).create(
				namespace,
				{
					apiVersion: "v1",
					kind: "Binding",
					metadata: { namespace, name, ...(uid === undefined ? {} : { uid }) },
					target: { apiVersion: "v1", kind: "Node", name: node },
				},
				{ name: "binding", of: name },
			);
			this.#scheduled++;
			this.#queue.remove(keyOf(pod));
			recorder.event(pod, "Normal", "Scheduled", `Successfully assigned ${namespace}/${name} to ${node}`);
		} catch (error) {
			this.#errors++;
			this.#cache.forget(pod);
			if (error instanceof ApiError && error.code === 404) {
				this.#queue.remove(keyOf(pod));
				return;
			}
			// A conflict or a lost connection may hide a binding that took place: the watch will tell; till then, back off.
			const level = error instanceof ConnectionError || error instanceof ApiError ? "info" : "error";
			logger[level]("binding failed", { pod: keyOf(pod), node, error });
			this.#queue.failed(pod, false);
		}
	}

	async #reject(pod: PodObject, message: string, reason = "Unschedulable"): Promise<void> {
		const { recorder, logger } = this.#options;
		if (reason === "Unschedulable") this.#unschedulable++;
		else this.#errors++;
		this.#queue.failed(pod, true);
		recorder.event(pod, "Warning", "FailedScheduling", message);
		try {
			await this.#markUnschedulable(pod, message, reason);
		} catch (error) {
			if (!(error instanceof ApiError && error.code === 404)) {
				logger.info("status of an unschedulable pod not written", { pod: keyOf(pod), error });
			}
		}
	}

	async #markUnschedulable(pod: PodObject, message: string, reason: string): Promise<void> {
		const { client, clock } = this.#options;
		const known = findCondition(pod.status?.conditions, "PodScheduled");
		if (known?.status === "False" && known.reason === reason && known.message === message) return;
		const condition: PodCondition = { type: "PodScheduled", status: "False", reason, message };
		const { namespace, name } = splitKey(keyOf(pod));
		const all = withCondition(pod.status?.conditions, condition, formatTime(clock.now()));
		// Conditions are merged by type: none but our own is sent, so that nobody else's is turned back.
		const conditions = all.filter(({ type }) => type === condition.type);
		const patch = { metadata: { uid: pod.metadata.uid }, status: { conditions } };
		await client.resource(pods).patch(namespace, name, "strategic", patch, "status");
	}
}
