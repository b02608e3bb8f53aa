/**
 * What Kubernetes' controllers promise about Deployments, ReplicaSets and pods, judged at every state of the watched
 * world in the order of revisions. Controllers act on what their caches show, so a bound holds for every generation of an
 * object from the newest that its controller has reported to have seen (`status.observedGeneration`) on.
 */
import { greatest } from "../../kit/lists.ts";
import { type AgentLease, agentLeases, type ClockTrust, checkLease, type SeenLease } from "./leadership.ts";
import type { Violation } from "./violation.ts";
import { joinStretches, type Step, type Stretch, type Timeline } from "./world.ts";

export type { AgentLease, SeenLease } from "./leadership.ts";
export type { Change, Stretch } from "./world.ts";

export interface SeenDeployment {
	readonly uid: string;
	readonly generation: number;
	readonly observedGeneration: number;
	readonly replicas: number;
	/** In pods; 0 for Recreate. */
	readonly surge: number;
	readonly recreate: boolean;
	/** Tells templates apart. */
	readonly template: string;
}

export interface SeenReplicaSet {
	readonly uid: string;
	/** uid of its controller; "": none. */
	readonly owner: string;
	readonly generation: number;
	readonly observedGeneration: number;
	readonly replicas: number;
	readonly template: string;
}

export interface SeenPod {
	readonly uid: string;
	/** Name of the Deployment it was made for, by its label. */
	readonly deployment: string;
	/** uids of its controllers. */
	readonly controllers: readonly string[];
	/** Of its template. */
	readonly template: string;
	readonly terminating: boolean;
	/** Succeeded or failed. */
	readonly finished: boolean;
	readonly ready: boolean;
	/** "": not bound. */
	readonly node: string;
}

/** What one client listed and watched; objects by name. */
export interface WorldRecording {
	readonly deployments: readonly Stretch<SeenDeployment>[];
	readonly replicaSets: readonly Stretch<SeenReplicaSet>[];
	readonly pods: readonly Stretch<SeenPod>[];
	readonly leases: readonly Stretch<SeenLease>[];
}

/** What lists found once everything was healed and has settled. */
export interface FinalWorld {
	readonly deployments: Readonly<Record<string, SeenDeployment>>;
	readonly pods: Readonly<Record<string, SeenPod>>;
}

type Resource = keyof WorldRecording;
type Changed = { readonly resource: Resource; readonly step: Step<unknown> };

/** Bounds by generation: how many pods each version of an object allowed. */
interface Tracked<T> {
	object: T;
	readonly bounds: Map<number, number>;
}

const witnessLines = 14;

/** All rules over the whole time. */
export function checkControllers(recordings: readonly WorldRecording[], trust: ClockTrust = {}): Violation[] {
	const found: Violation[] = [];
	const join = <R extends Resource>(resource: R) =>
		joinStretches(
			resource,
			recordings.flatMap((each) => each[resource] as readonly Stretch<unknown>[]),
			found,
		);
	const timelines: Record<Resource, Timeline<unknown>> = {
		deployments: join("deployments"),
		replicaSets: join("replicaSets"),
		pods: join("pods"),
		leases: join("leases"),
	};
	const order: readonly Resource[] = ["leases", "deployments", "replicaSets", "pods"];
	const steps = order
		.flatMap((resource) => timelines[resource].steps.map((step): Changed => ({ resource, step })))
		.sort((a, b) => a.step.revision - b.step.revision);
	const replay = new Replay(timelines, found);
	for (const { resource, step } of steps) replay.apply(resource, step);
	const leases = timelines.leases as Timeline<SeenLease>;
	return [...found, ...agentLeases.flatMap((name) => checkLease(name, leases, trust))];
}

class Replay {
	readonly #timelines: Readonly<Record<Resource, Timeline<unknown>>>;
	readonly #found: Violation[];
	/** By name. */
	readonly #deployments = new Map<string, Tracked<SeenDeployment>>();
	readonly #replicaSets = new Map<string, Tracked<SeenReplicaSet>>();
	readonly #pods = new Map<string, SeenPod>();
	readonly #leases = new Map<string, SeenLease>();
	/** Of everything that happened to each Deployment, by its name. */
	readonly #story: { readonly about: string; readonly line: string }[] = [];

	constructor(timelines: Readonly<Record<Resource, Timeline<unknown>>>, found: Violation[]) {
		this.#timelines = timelines;
		this.#found = found;
	}

	apply(resource: Resource, step: Step<unknown>): void {
		if (step.kind === "relist") {
			this.#relist(resource, step.listed);
			return;
		}
		const { revision, name, object } = step;
		if (resource === "leases") this.#change(this.#leases, name, object as SeenLease | null);
		else if (resource === "deployments") this.#deployment(revision, name, object as SeenDeployment | null);
		else if (resource === "replicaSets") this.#replicaSet(revision, name, object as SeenReplicaSet | null);
		else this.#pod(revision, name, object as SeenPod | null);
	}

	#change<T>(map: Map<string, T>, name: string, object: T | null): void {
		if (object === null) map.delete(name);
		else map.set(name, object);
	}

	#relist(resource: Resource, listed: ReadonlyMap<string, unknown>): void {
		if (resource === "leases") refill(this.#leases, listed as ReadonlyMap<string, SeenLease>);
		else if (resource === "pods") refill(this.#pods, listed as ReadonlyMap<string, SeenPod>);
		else if (resource === "deployments") {
			refillTracked(this.#deployments, listed as ReadonlyMap<string, SeenDeployment>, allowed);
		} else refillTracked(this.#replicaSets, listed as ReadonlyMap<string, SeenReplicaSet>, wanted);
	}

	#deployment(revision: number, name: string, object: SeenDeployment | null): void {
		this.#tell(revision, name, object === null ? "is gone" : describeDeployment(object));
		if (object === null) this.#deployments.delete(name);
		else track(this.#deployments, name, object, allowed);
	}

	#replicaSet(revision: number, name: string, object: SeenReplicaSet | null): void {
		const before = this.#replicaSets.get(name)?.object;
		const owner = this.#ownerName(object?.owner ?? before?.owner ?? "");
		this.#tell(revision, owner, `ReplicaSet ${name} ${object === null ? "is gone" : describeReplicaSet(object)}`);
		if (object === null) return void this.#replicaSets.delete(name);
		track(this.#replicaSets, name, object, wanted);
		const old = before?.uid === object.uid ? before.replicas : 0;
		if (object.replicas > old) this.#checkWanted(revision, owner);
		if (before?.uid !== object.uid)
			this.#checkLed(revision, "kube-controller-manager", `ReplicaSet ${name} was created`);
	}

	#pod(revision: number, name: string, object: SeenPod | null): void {
		const before = this.#pods.get(name);
		const about = object?.deployment ?? before?.deployment ?? "";
		if (object === null) this.#tell(revision, about, `pod ${name} is gone`);
		else if (before === undefined || describePod(before) !== describePod(object)) {
			this.#tell(revision, about, `pod ${name} ${describePod(object)}`);
		}
		this.#change(this.#pods, name, object);
		if (object === null) return;
		if (object.controllers.length !== 1) {
			this.#report("owners", `pod ${name} has ${object.controllers.length} controllers`, about);
		}
		const known = before?.uid === object.uid;
		if (known && before.controllers.join() === object.controllers.join()) {
			if (before.node === "" && object.node !== "") {
				this.#checkLed(revision, "kube-scheduler", `pod ${name} was bound to ${object.node}`);
			} else if (before.node !== "" && before.node !== object.node) {
				this.#report("bound-twice", `pod ${name} went from node ${before.node} to ${object.node || "none"}`, about);
			}
			return;
		}
		if (!known) this.#checkLed(revision, "kube-controller-manager", `pod ${name} was created`);
		if (isActive(object)) this.#checkCreated(revision, name, object);
	}

	/** A ReplicaSet was made larger: all of the Deployment's together must not exceed what it allows. */
	#checkWanted(revision: number, name: string): void {
		const deployment = this.#deployments.get(name);
		if (deployment === undefined || !this.#timelines.deployments.covers(revision)) return;
		const total = this.#setsOf(deployment.object).reduce((sum, { object }) => sum + object.replicas, 0);
		const limit = bound(deployment);
		if (total <= limit) return;
		this.#report(
			"surge",
			`Deployment ${name}: its ReplicaSets want ${total} pods, and at most ${limit} are allowed`,
			name,
		);
	}

	/** A pod began to be: its ReplicaSet must have wanted it, and a Recreate must have ended all others. */
	#checkCreated(revision: number, name: string, pod: SeenPod): void {
		const covered = (resource: Resource) => this.#timelines[resource].covers(revision);
		const [controller = ""] = pod.controllers;
		const set = [...this.#replicaSets.entries()].find(([, { object }]) => object.uid === controller);
		const siblings = [...this.#pods.values()].filter((each) => each.deployment === pod.deployment);
		if (set !== undefined && covered("replicaSets")) {
			const [setName, tracked] = set;
			const active = siblings.filter((each) => isActive(each) && each.controllers.includes(controller)).length;
			const limit = bound(tracked);
			if (active > limit) {
				const message = `ReplicaSet ${setName} has ${active} pods with ${name}, and wanted at most ${limit}`;
				this.#report("too-many-pods", message, pod.deployment);
			}
		}
		const deployment = this.#deployments.get(pod.deployment);
		if (deployment === undefined || !covered("deployments") || !covered("replicaSets")) return;
		this.#checkTotal(pod.deployment, deployment, siblings);
		if (!deployment.object.recreate) return;
		const own = this.#setsOf(deployment.object).map(({ object }) => object.uid);
		// The ReplicaSet of an earlier Deployment of the name replaces its pods until it is collected.
		if (!own.includes(controller)) return;
		const other = siblings.find(
			(each) =>
				!each.finished && !each.controllers.includes(controller) && each.controllers.some((uid) => own.includes(uid)),
		);
		if (other === undefined) return;
		const message = `Deployment ${pod.deployment}: pod ${name} of template ${pod.template} beside one of template ${other.template}, with Recreate`;
		this.#report("recreate-overlap", message, pod.deployment);
	}

	/** Pods that no ReplicaSet is about to delete must fit into what the Deployment allows. */
	#checkTotal(name: string, deployment: Tracked<SeenDeployment>, pods: readonly SeenPod[]): void {
		const active = pods.filter(isActive);
		const sets = this.#setsOf(deployment.object);
		const surplus = sets.reduce((sum, { object }) => {
			const has = active.filter((pod) => pod.controllers.includes(object.uid)).length;
			return sum + Math.max(0, has - object.replicas);
		}, 0);
		const own = active.filter((pod) => sets.some(({ object }) => pod.controllers.includes(object.uid)));
		const limit = bound(deployment);
		if (own.length - surplus <= limit) return;
		const message = `Deployment ${name} has ${own.length} pods, ${surplus} of them to be deleted, and at most ${limit} are allowed`;
		this.#report("surge", message, name);
	}

	/** Somebody acted as the leader does, so there must be one. */
	#checkLed(revision: number, agent: AgentLease, what: string): void {
		if (!this.#timelines.leases.covers(revision)) return;
		const lease = this.#leases.get(agent);
		if (lease !== undefined && lease.holder !== "") return;
		const how = lease === undefined ? "nobody ever held the lease" : "the lease was released";
		this.#found.push({
			kind: "no-leader-acted",
			message: `${what} at ${revision} though ${agent}: ${how}`,
			witness: [],
		});
	}

	/** Those of an earlier Deployment of the same name are on their way out, and not meant. */
	#setsOf({ uid }: SeenDeployment): Tracked<SeenReplicaSet>[] {
		return [...this.#replicaSets.values()].filter(({ object }) => object.owner === uid);
	}

	#ownerName(uid: string): string {
		for (const [name, { object }] of this.#deployments) if (object.uid === uid) return name;
		return "";
	}

	#tell(revision: number, about: string, what: string): void {
		this.#story.push({ about, line: `@${revision} ${what}` });
	}

	#report(kind: string, message: string, about: string): void {
		const story = this.#story.filter((each) => each.about === about).slice(-witnessLines);
		this.#found.push({ kind, message, witness: story.map((each) => each.line) });
	}
}

/** What must hold of the world that has settled. */
export function checkSettled({ deployments, pods }: FinalWorld): Violation[] {
	const found: Violation[] = [];
	for (const problem of unsettled({ deployments, pods })) {
		found.push({ kind: "not-converged", message: problem, witness: [] });
	}
	return found;
}

/** What is not yet as the Deployments want it; empty: everything is. */
export function unsettled({ deployments, pods }: FinalWorld): string[] {
	const all = Object.values(pods);
	const problems = Object.entries(deployments).flatMap(([name, deployment]) => {
		if (deployment.observedGeneration < deployment.generation) return [`Deployment ${name} was not looked at`];
		const own = all.filter((pod) => pod.deployment === name);
		const newest = own.filter((pod) => isActive(pod) && pod.ready && pod.template === deployment.template);
		if (own.length === deployment.replicas && newest.length === own.length) return [];
		return [
			`Deployment ${name} wants ${deployment.replicas} pods and has ${own.length}, ${newest.length} of them ready and of template ${deployment.template}`,
		];
	});
	const orphans = all.filter((pod) => deployments[pod.deployment] === undefined).length;
	return orphans === 0 ? problems : [...problems, `${orphans} pods are left of Deployments that are gone`];
}

const isActive = (pod: SeenPod) => !pod.terminating && !pod.finished;
const allowed = (deployment: SeenDeployment) => deployment.replicas + deployment.surge;
const wanted = (set: SeenReplicaSet) => set.replicas;

interface Generational {
	readonly uid: string;
	readonly generation: number;
	readonly observedGeneration: number;
}

/** The most that any generation allowed which the controller may still be looking at. */
function bound<T extends Generational>({ object, bounds }: Tracked<T>): number {
	const open = [...bounds].filter(([generation]) => generation >= object.observedGeneration);
	return greatest(open.map(([, limit]) => limit));
}

function track<T extends Generational>(
	map: Map<string, Tracked<T>>,
	name: string,
	object: T,
	limit: (object: T) => number,
): void {
	const before = map.get(name);
	const same = before?.object.uid === object.uid ? before : undefined;
	const bounds = same?.bounds ?? new Map<number, number>();
	// Its creation is known only from generation 1 on; before that, and between two that were seen, anything was allowed.
	const last = greatest(bounds.keys(), 0);
	if (object.generation > last + 1) bounds.set(object.generation - 1, Number.POSITIVE_INFINITY);
	bounds.set(object.generation, limit(object));
	for (const generation of bounds.keys()) if (generation < object.observedGeneration) bounds.delete(generation);
	map.set(name, { object, bounds });
}

function refillTracked<T extends Generational>(
	map: Map<string, Tracked<T>>,
	listed: ReadonlyMap<string, T>,
	limit: (object: T) => number,
): void {
	for (const name of map.keys()) if (!listed.has(name)) map.delete(name);
	for (const [name, object] of listed) track(map, name, object, limit);
}

function refill<T>(map: Map<string, T>, listed: ReadonlyMap<string, T>): void {
	map.clear();
	for (const [name, object] of listed) map.set(name, object);
}

function describeDeployment({ generation, observedGeneration, replicas, surge, recreate, template }: SeenDeployment) {
	const how = recreate ? "Recreate" : `surge ${surge}`;
	return `wants ${replicas} of template ${template}, ${how} (generation ${generation}, observed ${observedGeneration})`;
}

function describeReplicaSet({ generation, observedGeneration, replicas, template }: SeenReplicaSet): string {
	return `wants ${replicas} of template ${template} (generation ${generation}, observed ${observedGeneration})`;
}

function describePod({ terminating, finished, node, ready, template }: SeenPod): string {
	const state = terminating ? "terminating" : finished ? "finished" : ready ? "ready" : "not ready";
	return `of template ${template}, ${state}, ${node === "" ? "not bound" : `on ${node}`}`;
}
