/** Deployments that come, go, grow and roll while their controllers are harmed. */
import { deployments, leases, nodes, pods, replicaSets } from "../../apiserver/client/resources.ts";
import type { ResourceOf } from "../../apiserver/client/types.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Deployment, Lease, Pod, ReplicaSet } from "../../apiserver/scheme/types.gen.ts";
import { sleep } from "../../kit/clock.ts";
import {
	checkControllers,
	checkSettled,
	type FinalWorld,
	type SeenDeployment,
	type SeenLease,
	type SeenPod,
	type SeenReplicaSet,
	unsettled,
	type WorldRecording,
} from "../checkers/controllers.ts";
import type { Violation } from "../checkers/violation.ts";
import type { Operation } from "../history.ts";
import { type ApiTarget, askApi } from "./api.ts";
import { Follower, revisionOf } from "./follower.ts";
import { label, projectDeployment, projectLease, projectPod, projectReplicaSet, templateMark } from "./projections.ts";
import { type Actor, type ActorOptions, type Invocation, pick, type Workload } from "./workload.ts";

const names = Array.from({ length: 4 }, (_, i) => `chaos-web-${i}`);
const templates = ["a", "b", "c"];
const ofWorkload = { labelSelector: label };
/** A kubelet that has lost all apiservers for a while asks again up to a minute later, as client-go does; then all is rolled out. */
const settleMs = 120_000;
const watchMs = 15_000;
const pollMs = 250;

interface Wanted {
	readonly replicas: number;
	readonly template: string;
	readonly recreate: boolean;
	/** In pods; not both 0. */
	readonly surge: number;
	readonly unavailable: number;
}

/** What one client saw at the end; `recording` of those that watched. */
interface Collected {
	readonly recording: WorldRecording | undefined;
	readonly final: FinalWorld;
	readonly wrongClocks: boolean;
}

function deploymentOf(name: string, { replicas, template, recreate, surge, unavailable }: Wanted): Deployment {
	const labels = { [label]: name };
	return {
		apiVersion: "apps/v1",
		kind: "Deployment",
		metadata: { name, labels },
		spec: {
			replicas,
			revisionHistoryLimit: 2,
			selector: { matchLabels: labels },
			strategy: recreate
				? { type: "Recreate" }
				: { type: "RollingUpdate", rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
			template: {
				metadata: { labels, annotations: { [templateMark]: template } },
				spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "web", image: "pause" }] },
			},
		},
	};
}

/** Follows everything that the rules are about. */
class Watcher {
	readonly deployments: Follower<Deployment, SeenDeployment>;
	readonly replicaSets: Follower<ReplicaSet, SeenReplicaSet>;
	readonly pods: Follower<Pod, SeenPod>;
	readonly leases: Follower<Lease, SeenLease>;

	constructor(target: ApiTarget, { clock, index }: ActorOptions) {
		const common = { target, clock, index, namespace: target.namespace, selection: ofWorkload };
		this.deployments = new Follower({ ...common, resource: deployments, project: projectDeployment });
		this.replicaSets = new Follower({ ...common, resource: replicaSets, project: projectReplicaSet });
		this.pods = new Follower({ ...common, resource: pods, project: projectPod });
		const system = { ...common, namespace: "kube-system", selection: {} };
		this.leases = new Follower({ ...system, resource: leases, project: projectLease });
	}

	get all() {
		return [this.deployments, this.replicaSets, this.pods, this.leases];
	}

	get recording(): WorldRecording {
		return {
			deployments: this.deployments.stretches,
			replicaSets: this.replicaSets.stretches,
			pods: this.pods.stretches,
			leases: this.leases.stretches,
		};
	}
}

/** What a list shows now. */
async function list<T extends object>(
	target: ApiTarget,
	resource: ResourceOf<T>,
	namespace = target.namespace,
	selection: { readonly labelSelector?: string } = ofWorkload,
) {
	const { metadata, items } = await askApi(target, (api) => api.resource(resource).list(namespace, selection));
	return { revision: revisionOf(metadata), items };
}

function byName<T extends object, S>(items: readonly KubeObject<T>[], project: (object: KubeObject<T>) => S) {
	return Object.fromEntries(items.map((item) => [item.metadata.name ?? "", project(item)]));
}

class ControllersActor implements Actor {
	readonly #target: ApiTarget;
	readonly #options: ActorOptions;
	/** One client for each apiserver watches. */
	readonly #watcher: Watcher | undefined;

	constructor(target: ApiTarget, options: ActorOptions) {
		this.#target = target;
		this.#options = options;
		if (options.index < target.apis.length) this.#watcher = new Watcher(target, options);
	}

	next(): Invocation {
		const { random } = this.#options;
		const key = pick(random, names);
		const dice = random.int(10);
		if (dice < 3) return { f: "create", key, value: this.#draw() };
		if (dice < 6) return { f: "scale", key, value: random.int(5) };
		if (dice < 9) return { f: "roll", key, value: pick(random, templates) };
		return { f: "delete", key };
	}

	#draw(): Wanted {
		const { random } = this.#options;
		const surge = random.int(3);
		const unavailable = surge === 0 ? 1 + random.int(2) : random.int(2);
		const recreate = random.int(4) === 0;
		return { replicas: 1 + random.int(4), template: pick(random, templates), recreate, surge, unavailable };
	}

	async perform({ f, key = "", value }: Invocation): Promise<unknown> {
		if (f === "collect") return this.#collect();
		const { namespace } = this.#target;
		await askApi(this.#target, async (api) => {
			const client = api.resource(deployments);
			if (f === "create") await client.create(namespace, deploymentOf(key, value as Wanted));
			else if (f === "delete") await client.delete(namespace, key, { propagationPolicy: "Background" });
			else if (f === "scale") await client.patch(namespace, key, "merge", { spec: { replicas: value } });
			else {
				const metadata = { annotations: { [templateMark]: value } };
				await client.patch(namespace, key, "merge", { spec: { template: { metadata } } });
			}
		});
		return undefined;
	}

	/** Waits until everything is as it should be; in vain, it tells what is. */
	async #collect(): Promise<Collected> {
		const { clock } = this.#options;
		const deadline = clock.monotonic() + settleMs;
		let final = await this.#world();
		while (unsettled(final).length > 0 && clock.monotonic() < deadline) {
			await sleep(clock, pollMs);
			final = await this.#world();
		}
		const watcher = this.#watcher;
		const wrongClocks = this.#target.wrongClocks === true;
		if (watcher === undefined) return { recording: undefined, final, wrongClocks };
		for (const follower of watcher.all) await this.#catchUp(follower);
		return { recording: watcher.recording, final, wrongClocks };
	}

	async #world(): Promise<FinalWorld> {
		const [sets, running] = [await list(this.#target, deployments), await list(this.#target, pods)];
		return { deployments: byName(sets.items, projectDeployment), pods: byName(running.items, projectPod) };
	}

	async #catchUp(follower: Watcher["all"][number]): Promise<void> {
		const { resource, namespace, selection } = follower.scope;
		const { revision, items } = await list(this.#target, resource, namespace, selection);
		const present = new Map(items.map(({ metadata }) => [metadata.name ?? "", revisionOf(metadata)]));
		await follower.catchUp({ revision, present }, watchMs);
	}

	close(): void {
		for (const follower of this.#watcher?.all ?? []) follower.stop();
	}
}

function check(history: readonly Operation[]): Violation[] {
	const collected = history.flatMap((op) => (op.f === "collect" && op.type === "ok" ? [op.result as Collected] : []));
	const recordings = collected.flatMap(({ recording }) => recording ?? []);
	const [last] = collected.slice(-1);
	const wrongClocks = collected.some((each) => each.wrongClocks);
	return [...checkControllers(recordings, { wrongClocks }), ...(last === undefined ? [] : checkSettled(last.final))];
}

export const controllerInvariants: Workload<ApiTarget> = {
	name: "k8s-controllers",
	summary:
		"Deployments made, scaled, rolled and deleted; never more pods than wanted and the allowed surge, one leader acting",
	rate: 8,
	setup: async (target) => {
		const { items } = await list(target, nodes, "", {});
		if (items.length === 0) throw new Error("the k8s-controllers workload needs a node on which pods become ready");
	},
	actor: (target, options) => new ControllersActor(target, options),
	finish: { invocation: { f: "collect" }, by: "all" },
	check,
};
