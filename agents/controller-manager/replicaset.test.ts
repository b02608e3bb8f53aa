import assert from "node:assert/strict";
import { pods, replicaSets } from "../../apiserver/client/resources.ts";
import { ConnectionError } from "../../apiserver/client/rest.ts";
import { badRequest } from "../../apiserver/machinery/errors.ts";
import type { ReplicaSet as ReplicaSetType } from "../../apiserver/scheme/types.gen.ts";
import type { Pod } from "./controller.ts";
import { createReplicaSetController, podsToDelete } from "./replicaset.ts";
import { harness } from "./testing/harness.ts";

const set = (replicas: number, extra: object = {}): ReplicaSetType => ({
	apiVersion: "apps/v1",
	kind: "ReplicaSet",
	metadata: { name: "web", namespace: "default" },
	spec: {
		replicas,
		selector: { matchLabels: { app: "web" } },
		template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "pause" }] } },
		...extra,
	},
});

describe("replicaset controller", () => {
	it("creates the pods, replaces deleted ones and follows the scale", async () => {
		const h = harness(createReplicaSetController);
		h.client.add(set(3));
		await h.start();
		assert.equal(h.client.all(pods).length, 3);
		const [first] = h.client.all(pods);
		assert.match(first?.metadata.name ?? "", /^web-[a-z0-9]{5}$/);
		assert.equal(first?.metadata.ownerReferences?.[0]?.controller, true);
		await h.client.resource(pods).delete("default", first?.metadata.name ?? "");
		await h.run();
		assert.equal(h.client.all(pods).length, 3);
		const rs = h.client.peek(replicaSets, "default/web");
		assert(rs !== undefined);
		await h.client.resource(replicaSets).update({ ...rs, spec: { ...rs.spec, replicas: 1 } });
		await h.run();
		assert.equal(h.client.all(pods).length, 1);
		assert.equal(h.client.peek(replicaSets, "default/web")?.status?.replicas, 1);
		const events = await h.events();
		assert.equal(events.filter((e) => /^SuccessfulCreate: Created pod: web-/.test(e)).length, 4);
		assert.equal(events.filter((e) => /^SuccessfulDelete: Deleted pod: web-/.test(e)).length, 2);
		h.stop();
	});

	it("makes no pod twice when the answer to its creation is lost", async () => {
		const h = harness(createReplicaSetController);
		const resource = h.client.checked.resource.bind(h.client.checked);
		let lost = 0;
		const losing = (of: Parameters<typeof resource>[0]) => {
			const client = resource(of);
			if (of.resource !== "pods" || lost >= 4) return client;
			const create: typeof client.create = async (...args) => {
				// Every other one is made, and nobody hears of it, the watch least of all.
				h.client.breakWatches();
				if (lost++ % 2 === 0) await client.create(...args);
				throw new ConnectionError("broken", "ECONNRESET", undefined);
			};
			return { ...client, create };
		};
		Object.assign(h.client.checked, { resource: losing });
		const made = new Set<string>();
		h.client.add(set(3));
		await h.start();
		for (let i = 0; i < 100; i++) {
			for (const pod of h.client.all(pods)) made.add(pod.metadata.name ?? "");
			await h.run(20);
		}
		assert.equal(lost, 4);
		assert.equal(made.size, 3);
		assert.equal(h.client.all(pods).length, 3);
		const rs = resource(replicaSets).get("default", "web");
		await resource(replicaSets).update({ ...(await rs), spec: { ...(await rs).spec, replicas: 5 } });
		await h.run();
		assert.equal(h.client.all(pods).length, 5);
		h.stop();
	});

	type Create = () => Promise<Pod>;
	/** Whether events of pods are held back. */
	interface Watch {
		held: boolean;
	}
	/** Runs a set of `replicas` whose n-th creation goes as `planned[n]` does it; gives the names of all pods ever made. */
	async function createdBy(
		replicas: number,
		planned: readonly ((create: Create, watch: Watch) => Promise<Pod>)[],
	): Promise<Set<string>> {
		const watch: Watch = { held: false };
		const made = new Set<string>();
		let n = 0;
		async function* heldBack<E>(events: AsyncIterable<E>) {
			for await (const event of events) {
				while (watch.held) await turns();
				yield event;
			}
		}
		const h = harness((ctx) => {
			const resource = ctx.client.resource.bind(ctx.client);
			const planning = (of: Parameters<typeof resource>[0]) => {
				const client = resource(of);
				if (of.resource !== "pods") return client;
				const create: typeof client.create = (...args) => {
					const really = async () => {
						const pod = (await client.create(...args)) as Pod;
						made.add(pod.metadata.name ?? "");
						return pod;
					};
					return (planned[n++]?.(really, watch) ?? really()) as ReturnType<typeof client.create>;
				};
				return {
					...client,
					create,
					watch: (...args: Parameters<typeof client.watch>) => heldBack(client.watch(...args)),
				};
			};
			Object.assign(ctx.client, { resource: planning });
			return createReplicaSetController(ctx);
		});
		h.client.add(set(replicas));
		await h.start();
		for (let i = 0; i < 20; i++) await h.run(100);
		watch.held = false;
		for (let i = 0; i < 20; i++) await h.run(100);
		assert.ok(n >= planned.length);
		assert.equal(h.client.all(pods).length, replicas);
		h.stop();
		return made;
	}
	const turns = async () => {
		for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
	};
	const unheard = async (create: Create, watch: Watch) => {
		watch.held = true;
		await create();
		throw new ConnectionError("broken", "ECONNRESET", undefined);
	};
	const seen = async (create: Create) => {
		const pod = await create();
		await turns();
		return pod;
	};

	it("keeps the names of pods that may have been made until it has come to ask for them again", async () => {
		// When the first is asked for again in vain, the other one is not even tried.
		const down = () => Promise.reject(new ConnectionError("down", "ECONNREFUSED", undefined));
		const made = await createdBy(4, [seen, unheard, unheard, down]);
		assert.equal(made.size, 4);
	});

	it("does not count a pod twice that it sees while it asks for it again", async () => {
		const made = await createdBy(3, [
			unheard,
			async (create, watch) => {
				watch.held = false;
				await turns();
				return create();
			},
			seen,
			async (create, watch) => {
				await turns();
				watch.held = true;
				return create();
			},
		]);
		assert.equal(made.size, 3);
	});

	it("counts on the pod that was answered, not on the one before it whose answer was lost", async () => {
		const made = await createdBy(3, [seen, unheard, (create) => create()]);
		assert.equal(made.size, 3);
	});

	it("does not take a pod that was seen before its answer was lost for another one", async () => {
		const made = await createdBy(3, [
			seen,
			async (create) => {
				await seen(create);
				throw new ConnectionError("broken", "ECONNRESET", undefined);
			},
			async (create, watch) => {
				for (let i = 0; i < 3; i++) await turns();
				watch.held = true;
				return create();
			},
		]);
		assert.equal(made.size, 3);
	});

	it("counts ready and, after minReadySeconds, available pods", async () => {
		const h = harness(createReplicaSetController);
		h.client.add(set(2, { minReadySeconds: 10 }));
		await h.start();
		for (const pod of h.client.all(pods)) await h.setPod(pod, "Running");
		await h.run(1000);
		const status = () => h.client.peek(replicaSets, "default/web")?.status;
		assert.deepEqual([status()?.readyReplicas, status()?.availableReplicas ?? 0], [2, 0]);
		await h.run(11_000);
		assert.deepEqual([status()?.readyReplicas, status()?.availableReplicas], [2, 2]);
		h.stop();
	});

	it("adopts matching orphans and releases pods whose labels no longer match", async () => {
		const h = harness(createReplicaSetController);
		h.client.add({ apiVersion: "v1", kind: "Pod", metadata: { name: "orphan", labels: { app: "web" } } });
		h.client.add(set(2));
		await h.start();
		assert.equal(h.client.all(pods).length, 2);
		const orphan = h.client.peek(pods, "default/orphan");
		assert.equal(orphan?.metadata.ownerReferences?.[0]?.name, "web");
		await h.client.resource(pods).patch("default", "orphan", "merge", { metadata: { labels: { app: "other" } } });
		await h.run();
		assert.equal(h.client.all(pods).length, 3);
		assert.equal(h.client.peek(pods, "default/orphan")?.metadata.ownerReferences, undefined);
		h.stop();
	});

	it("stops a batch at the first refusal and reports ReplicaFailure", async () => {
		const h = harness(createReplicaSetController);
		h.client.add(set(8));
		h.client.failNext("create", "pods", badRequest("no"), 1);
		await h.start();
		const failed = h.client.actions.filter((a) => a.resource === "replicasets").map((a) => a.object);
		assert.match(JSON.stringify(failed[0]), /"reason":"FailedCreate","message":"no"/);
		await h.run(1000);
		assert.equal(h.client.all(pods).length, 8);
		assert.equal(h.client.peek(replicaSets, "default/web")?.status?.conditions, undefined);
		h.stop();
	});

	it("does not act twice on a cache that lags", async () => {
		const h = harness(createReplicaSetController);
		await h.start();
		h.client.add(set(5));
		for (let i = 0; i < 5; i++) {
			await h.client.resource(replicaSets).patch("default", "web", "merge", { metadata: { labels: { i: String(i) } } });
		}
		await h.run();
		assert.equal(h.client.actions.filter((a) => a.verb === "create" && a.resource === "pods").length, 5);
		h.stop();
	});

	it("deletes unassigned, unready, costless, doubled and young pods first", () => {
		const pod = (name: string, more: { node?: string; ready?: boolean; cost?: string; created?: string }): Pod => ({
			apiVersion: "v1",
			kind: "Pod",
			metadata: {
				name,
				uid: name,
				creationTimestamp: more.created ?? "2026-01-01T00:00:00Z",
				annotations: { "controller.kubernetes.io/pod-deletion-cost": more.cost ?? "0" },
			},
			spec: { nodeName: more.node ?? "n1" },
			status: {
				phase: "Running",
				conditions: [
					{
						type: "Ready",
						status: more.ready === false ? "False" : "True",
						lastTransitionTime: "2026-01-01T00:00:10Z",
					},
				],
			},
		});
		const now = Date.parse("2026-01-02T00:00:00Z");
		const order = (all: Pod[]) => podsToDelete(all, all, all.length - 1, now).map((p) => p.metadata.name);
		const old = pod("old", { node: "n2" });
		assert.deepEqual(order([old, pod("unready", { node: "n3", ready: false })]), ["unready"]);
		assert.deepEqual(order([old, pod("unassigned", { node: "" })]), ["unassigned"]);
		assert.deepEqual(order([old, pod("cheap", { node: "n3", cost: "-5" })]), ["cheap"]);
		assert.deepEqual(order([old, pod("a", {}), pod("b", {})]).slice(0, 2), ["a", "b"]);
		const young = pod("young", { node: "n3", created: "2026-01-01T23:59:00Z" });
		assert.deepEqual(order([old, young]), ["young"]);
	});
});
