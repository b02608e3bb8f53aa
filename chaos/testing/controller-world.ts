/** Worlds of Deployments as right controllers make them, seen by several watchers, for tests of the checker. */

import type { Random } from "../../kit/random.ts";
import type {
	Change,
	SeenDeployment,
	SeenLease,
	SeenPod,
	SeenReplicaSet,
	Stretch,
	WorldRecording,
} from "../checkers/controllers.ts";
import type { AgentLease } from "../checkers/leadership.ts";

type Resource = keyof WorldRecording;
type Seen = SeenDeployment | SeenReplicaSet | SeenPod | SeenLease;

interface Recorded extends Change<Seen> {
	readonly resource: Resource;
}

const durationSeconds = 15;
export const managerLease: AgentLease = "kube-controller-manager";

/** Everything written to it is recorded; nothing is checked. */
export class World {
	readonly changes: Recorded[] = [];
	readonly deployments = new Map<string, SeenDeployment>();
	readonly replicaSets = new Map<string, SeenReplicaSet>();
	readonly pods = new Map<string, SeenPod>();
	readonly leases = new Map<string, SeenLease>();
	#uids = 0;
	now = 1_000_000;

	/** null: it is deleted. Reports the revision. */
	write<R extends Resource>(resource: R, name: string, object: Seen | null): number {
		const revision = 10 + this.changes.length;
		this.changes.push({ resource, revision, name, object });
		const map = this[resource] as Map<string, Seen>;
		if (object === null) map.delete(name);
		else map.set(name, object);
		return revision;
	}

	uid(kind: string): string {
		return `${kind}-${++this.#uids}`;
	}

	/** The holder takes it (whenever, by whatever right), or renews it. */
	lead(holder: string, name: AgentLease = managerLease): void {
		const old = this.leases.get(name);
		const mine = old?.holder === holder;
		this.write("leases", name, {
			holder,
			acquired: mine ? old.acquired : this.now,
			renewed: this.now,
			durationSeconds,
			transitions: old === undefined ? 0 : old.transitions + (mine ? 0 : 1),
		});
	}

	release(name: AgentLease = managerLease): void {
		const old = this.leases.get(name)!;
		this.write("leases", name, { ...old, holder: "", acquired: this.now, renewed: this.now, durationSeconds: 1 });
	}

	/** By a user. */
	deploy(name: string, spec: Pick<SeenDeployment, "replicas" | "surge" | "recreate" | "template">): void {
		const old = this.deployments.get(name);
		const generation = (old?.generation ?? 0) + 1;
		const status = old ?? { uid: this.uid("d"), observedGeneration: 0 };
		this.write("deployments", name, {
			uid: status.uid,
			observedGeneration: status.observedGeneration,
			...spec,
			generation,
		});
	}

	observe(name: string): void {
		const old = this.deployments.get(name)!;
		this.write("deployments", name, { ...old, observedGeneration: old.generation });
	}

	/** Makes the ReplicaSet of a template, or sizes it. */
	size(deployment: string, template: string, replicas: number): void {
		const { uid: owner } = this.deployments.get(deployment)!;
		const name = `${deployment}-${template}`;
		const old = this.replicaSets.get(name);
		if (old?.replicas === replicas) return;
		const base = old ?? { uid: this.uid("rs"), owner, generation: 0, observedGeneration: 0, template };
		this.write("replicaSets", name, { ...base, replicas, generation: base.generation + 1 });
	}

	observeSet(name: string): void {
		const old = this.replicaSets.get(name)!;
		if (old.observedGeneration < old.generation) {
			this.write("replicaSets", name, { ...old, observedGeneration: old.generation });
		}
	}

	createPod(deployment: string, template: string, controllers?: readonly string[]): string {
		const set = this.replicaSets.get(`${deployment}-${template}`)!;
		const uid = this.uid("pod");
		const name = `${deployment}-${template}-${uid}`;
		const state = { terminating: false, finished: false, ready: false, node: "" };
		this.write("pods", name, { uid, deployment, controllers: controllers ?? [set.uid], template, ...state });
		return name;
	}

	changePod(name: string, change: Partial<SeenPod>): void {
		this.write("pods", name, { ...this.pods.get(name)!, ...change });
	}

	podsOf(deployment: string, template?: string): string[] {
		return [...this.pods]
			.filter(([, pod]) => pod.deployment === deployment && (template === undefined || pod.template === template))
			.map(([name]) => name);
	}
}

/** The deployment's controllers bring it all the way, in an order of their own. */
export function settle(world: World, name: string, random: Random): void {
	world.lead(world.leases.get(managerLease)!.holder);
	world.observe(name);
	for (let round = 0; round < 100; round++) {
		const moved = rollOut(world, name);
		for (const [setName, set] of world.replicaSets) {
			if (setName.startsWith(`${name}-`)) syncSet(world, name, setName, set.template, random);
		}
		if (!moved && round > 0) return;
	}
	throw new Error("it never settled");
}

function rollOut(world: World, name: string): boolean {
	const { uid, replicas, surge, recreate, template } = world.deployments.get(name)!;
	const sets = [...world.replicaSets.values()].filter(({ owner }) => owner === uid);
	const total = sets.reduce((sum, set) => sum + set.replicas, 0);
	const newest = sets.find((set) => set.template === template)?.replicas ?? 0;
	const oldest = sets.find((set) => set.template !== template && set.replicas > 0);
	if (newest > replicas) world.size(name, template, replicas);
	else if (recreate && oldest !== undefined) world.size(name, oldest.template, 0);
	else if (newest < replicas && total < replicas + surge) {
		world.size(name, template, newest + Math.min(replicas + surge - total, replicas - newest));
	} else if (oldest !== undefined) world.size(name, oldest.template, oldest.replicas - 1);
	else return false;
	return true;
}

function syncSet(world: World, deployment: string, setName: string, template: string, random: Random): void {
	const wanted = world.replicaSets.get(setName)!.replicas;
	const pods = world.podsOf(deployment, template);
	for (let have = pods.length; have < wanted; have++) {
		const pod = world.createPod(deployment, template);
		world.changePod(pod, { node: `node-${random.int(2)}` });
		if (random.int(8) > 0) world.changePod(pod, { ready: true });
	}
	for (const pod of pods.slice(wanted)) {
		world.changePod(pod, { terminating: true, ready: false });
		world.write("pods", pod, null);
	}
	world.observeSet(setName);
	for (const pod of world.podsOf(deployment, template)) {
		if (!world.pods.get(pod)!.ready) world.changePod(pod, { ready: true });
	}
}

const templates = ["a", "b", "c"];

/** A user at work on `name` some times, everything settled after each. */
export function randomWorld(random: Random, name: string, recreate: boolean): World {
	const world = new World();
	world.lead("m1");
	world.lead("s1", "kube-scheduler");
	const surge = recreate ? 0 : 1 + random.int(2);
	for (let round = 0; round < 4; round++) {
		world.deploy(name, { replicas: 1 + random.int(4), surge, recreate, template: templates[random.int(3)]! });
		settle(world, name, random);
		if (round === 1) {
			world.now += durationSeconds * 1000 + random.int(5000);
			world.lead("m2");
		}
		world.now += 2000;
		world.lead(round < 1 ? "m1" : round === 1 ? "m2" : world.leases.get(managerLease)!.holder);
	}
	return world;
}

/** What watchers saw of it, each with one or two stretches between which it may have missed things. */
export function record(world: World, random: Random, watchers = 3): WorldRecording[] {
	const end = 10 + world.changes.length;
	return Array.from({ length: watchers }, (_, i) => {
		const cut = 10 + random.int(end - 10);
		// One of them saw everything.
		const pieces =
			i === 0
				? [[0, end]]
				: [
						[0, cut],
						[Math.min(end, cut + random.int(20)), end],
					];
		const stretches = <T extends Seen>(resource: Resource) =>
			pieces.map(([from = 0, to = 0]) => stretch<T>(world, resource, from, to));
		return {
			deployments: stretches<SeenDeployment>("deployments"),
			replicaSets: stretches<SeenReplicaSet>("replicaSets"),
			pods: stretches<SeenPod>("pods"),
			leases: stretches<SeenLease>("leases"),
		};
	});
}

function stretch<T extends Seen>(world: World, resource: Resource, from: number, to: number): Stretch<T> {
	const mine = world.changes.filter((change) => change.resource === resource);
	const listed: Record<string, T> = {};
	for (const { revision, name, object } of mine) {
		if (revision > from) break;
		if (object === null) delete listed[name];
		else listed[name] = object as T;
	}
	const changes = mine
		.filter(({ revision }) => revision > from && revision <= to)
		.map(({ revision, name, object }) => ({ revision, name, object: object as T | null }));
	return { revision: from, listed, changes, coveredTo: to };
}
