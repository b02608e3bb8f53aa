/** The controllers against the real apiserver: defaults, validation, RBAC, patches and watches as they are in production. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import {
	clusterRoles,
	configMaps,
	deployments,
	endpointSlices,
	endpoints,
	events,
	jobs,
	namespaces,
	nodes,
	pods,
	replicaSets,
	serviceAccounts,
	services,
} from "../../apiserver/client/resources.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Pod } from "../../apiserver/scheme/types.gen.ts";
import { type ControllerCluster, startControllerCluster } from "./cluster.ts";

/** Tries until `check` no longer throws, for up to 15 s. */
async function eventually<T>(check: () => Promise<T>): Promise<T> {
	for (let tries = 0; ; tries++) {
		try {
			return await check();
		} catch (error) {
			if (tries >= 300) throw error;
		}
		await delay(50);
	}
}

const template = (app: string, image: string) => ({
	metadata: { labels: { app } },
	spec: { containers: [{ name: "c", image }] },
});

describe("controllers against the apiserver", function () {
	this.timeout(60_000);
	let cluster: ControllerCluster;
	let playing: AbortController;

	/** Plays scheduler and kubelet: places pods, reports them running, and ends those being deleted. */
	async function play(signal: AbortSignal): Promise<void> {
		const api = cluster.admin.resource(pods);
		while (!signal.aborted) {
			const { items } = await api.list("");
			for (const pod of items) await tend(pod).catch(() => undefined); // changed under our hands: the next round sees it
			await delay(30);
		}
	}

	async function tend(pod: KubeObject<Pod>): Promise<void> {
		const api = cluster.admin.resource(pods);
		const { namespace = "", name = "", uid = "" } = pod.metadata;
		if (pod.metadata.deletionTimestamp !== undefined) {
			await api.delete(namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } });
		} else if ((pod.spec?.nodeName ?? "") === "") {
			const target = { apiVersion: "v1", kind: "Node", name: "n1" };
			const binding = { apiVersion: "v1", kind: "Binding", metadata: { name }, target };
			await api.create(namespace, binding as never, { name: "binding", of: name });
		} else if (pod.status?.phase === "Pending") {
			const ends = pod.metadata.labels?.["ends"];
			const now = new Date().toISOString().replace(/\.\d+Z/, "Z");
			const ip = `10.1.0.${Number.parseInt(uid.slice(0, 2), 16)}`;
			const conditions = [{ type: "Ready", status: ends === undefined ? "True" : "False", lastTransitionTime: now }];
			const status = { phase: ends ?? "Running", podIP: ip, podIPs: [{ ip }], conditions };
			await api.update({ ...pod, status }, "status");
		}
	}

	before(async () => {
		cluster = await startControllerCluster();
		const now = new Date().toISOString().replace(/\.\d+Z/, "Z");
		const api = cluster.admin.resource(nodes);
		await api.create("", { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } });
		const conditions = [{ type: "Ready", status: "True", lastHeartbeatTime: now, lastTransitionTime: now }];
		await api.patch("", "n1", "strategic", { status: { conditions } }, "status");
		playing = new AbortController();
		void play(playing.signal);
	});

	after(async () => {
		playing?.abort();
		await delay(100);
		await cluster?.stop();
	});

	it("gives every namespace its account and the CA", async () => {
		await cluster.admin
			.resource(namespaces)
			.create("", { apiVersion: "v1", kind: "Namespace", metadata: { name: "fresh" } });
		await eventually(() => cluster.admin.resource(serviceAccounts).get("fresh", "default"));
		await eventually(() => cluster.admin.resource(configMaps).get("fresh", "kube-root-ca.crt"));
	});

	it("fills aggregated roles", async () => {
		await eventually(async () => {
			const view = await cluster.admin.resource(clusterRoles).get("", "view");
			assert((view.rules ?? []).length > 0);
		});
	});

	it("rolls a deployment out, over and back, and serves it", async () => {
		const api = cluster.admin.resource(deployments);
		const { admin } = cluster;
		const selector = { matchLabels: { app: "web" } };
		await admin.resource(services).create("default", {
			apiVersion: "v1",
			kind: "Service",
			metadata: { name: "web" },
			spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
		});
		await api.create("default", {
			apiVersion: "apps/v1",
			kind: "Deployment",
			metadata: { name: "web" },
			spec: { replicas: 3, selector, template: template("web", "v1") },
		});
		const rolledOut = (revision: string) =>
			eventually(async () => {
				const d = await api.get("default", "web");
				assert.equal(d.metadata.annotations?.["deployment.kubernetes.io/revision"], revision);
				assert.equal(d.status?.observedGeneration, d.metadata.generation);
				assert.deepEqual([d.status?.updatedReplicas, d.status?.availableReplicas, d.status?.replicas], [3, 3, 3]);
				assert.equal(d.status?.conditions?.find((c) => c.type === "Progressing")?.reason, "NewReplicaSetAvailable");
				return d;
			});
		await rolledOut("1");
		await api.patch("default", "web", "strategic", { spec: { template: template("web", "v2") } });
		await rolledOut("2");
		await api.patch("default", "web", "strategic", { spec: { template: template("web", "v1") } });
		await rolledOut("3");
		const sets = await admin.resource(replicaSets).list("default");
		assert.deepEqual(sets.items.map((rs) => rs.spec?.replicas).sort(), [0, 3]);
		await eventually(async () => {
			const found = await admin.resource(endpoints).get("default", "web");
			assert.equal(found.subsets?.[0]?.addresses?.length, 3);
			const slices = await admin.resource(endpointSlices).list("default", {
				labelSelector: "kubernetes.io/service-name=web",
			});
			const ready = slices.items.flatMap((s) => s.endpoints ?? []).filter((e) => e.conditions?.ready === true);
			assert.equal(ready.length, 3);
		});
		const told = (await admin.resource(events).list("default")).items.map((e) => `${e.reason} ${e.message}`);
		assert(told.some((text) => /^ScalingReplicaSet Scaled up replica set web-\w+ from 0 to 3$/.test(text)));
		assert(told.some((text) => /^SuccessfulCreate Created pod: web-\w+-\w{5}$/.test(text)));
	});

	it("runs jobs to completion and to failure", async () => {
		const api = cluster.admin.resource(jobs);
		const job = (name: string, ends: string, spec: object) => ({
			apiVersion: "batch/v1",
			kind: "Job",
			metadata: { name },
			spec: {
				template: {
					metadata: { labels: { ends } },
					spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x" }] },
				},
				...spec,
			},
		});
		await api.create("default", job("good", "Succeeded", { completions: 4, parallelism: 2 }));
		await api.create("default", job("bad", "Failed", { backoffLimit: 0 }));
		await api.create("default", job("each", "Succeeded", { completions: 3, completionMode: "Indexed" }));
		const ended = (name: string, type: string) =>
			eventually(async () => {
				const found = await api.get("default", name);
				const condition = found.status?.conditions?.find((c) => c.type === type);
				assert.equal(condition?.status, "True", JSON.stringify(found.status));
				return found.status;
			});
		assert.equal((await ended("good", "Complete"))?.succeeded, 4);
		const failed = await ended("bad", "Failed");
		assert.equal(failed?.failed, 1);
		assert.equal(failed?.conditions?.find((c) => c.type === "Failed")?.reason, "BackoffLimitExceeded");
		assert.equal((await ended("each", "Complete"))?.completedIndexes, "0-2");
		await api.delete("default", "good", { propagationPolicy: "Background" });
		await eventually(async () => {
			const left = await cluster.admin.resource(pods).list("default", { labelSelector: "job-name=good" });
			assert.equal(left.items.length, 0);
		});
	});

	it("deletes what a deployment owns, in each of the three ways", async () => {
		const { admin } = cluster;
		const api = admin.resource(deployments);
		const make = async (name: string) => {
			await api.create("default", {
				apiVersion: "apps/v1",
				kind: "Deployment",
				metadata: { name },
				spec: { replicas: 2, selector: { matchLabels: { app: name } }, template: template(name, "v1") },
			});
			await eventually(async () => assert.equal((await api.get("default", name)).status?.availableReplicas, 2));
		};
		const owned = async (name: string) => {
			const labelSelector = `app=${name}`;
			const sets = await admin.resource(replicaSets).list("default", { labelSelector });
			const all = await admin.resource(pods).list("default", { labelSelector });
			return [sets.items.length, all.items.length];
		};
		for (const propagationPolicy of ["Background", "Foreground"] as const) {
			const name = propagationPolicy.toLowerCase();
			await make(name);
			await api.delete("default", name, { propagationPolicy });
			await eventually(async () => assert.deepEqual(await owned(name), [0, 0]));
			await eventually(() => assert.rejects(api.get("default", name)));
		}
		await make("orphan");
		await api.delete("default", "orphan", { propagationPolicy: "Orphan" });
		await eventually(() => assert.rejects(api.get("default", "orphan")));
		assert.deepEqual(await owned("orphan"), [1, 2]);
		const [set] = (await admin.resource(replicaSets).list("default", { labelSelector: "app=orphan" })).items;
		assert.deepEqual(set?.metadata.ownerReferences ?? [], []);
	});

	it("collects by the whole reference: what lives stays, whoever names its owner's uid from elsewhere", async () => {
		const { admin } = cluster;
		const api = admin.resource(configMaps);
		for (const name of ["gc1", "gc2"]) await admin.resource(namespaces).create("", { metadata: { name } });
		const make = async (namespace: string, name: string, ...owners: KubeObject<object>[]) => {
			const ownerReferences = owners.map(({ metadata }) => ({
				apiVersion: "v1",
				kind: "ConfigMap",
				name: metadata.name ?? "",
				uid: metadata.uid ?? "",
			}));
			return api.create(namespace, { metadata: { name, ownerReferences } });
		};
		const own = await make("gc1", "own");
		const own2 = await make("gc1", "own2");
		const own3 = await make("gc2", "own3");
		await make("gc1", "good", own, own2);
		await make("gc2", "bad", own, own3);
		await make("gc2", "stranger", own);
		await eventually(() => assert.rejects(api.get("gc2", "stranger")));
		const text = `ownerRef [v1/ConfigMap, namespace: gc2, name: own, uid: ${own.metadata.uid}] does not exist in namespace "gc2"`;
		await eventually(async () => {
			const { items } = await admin.resource(events).list("gc2");
			assert(items.some(({ reason, message }) => reason === "OwnerRefInvalidNamespace" && message === text));
		});
		await api.delete("gc2", "own3");
		await eventually(() => assert.rejects(api.get("gc2", "bad")));
		await api.delete("gc1", "own2");
		await eventually(async () => {
			const references = (await api.get("gc1", "good")).metadata.ownerReferences ?? [];
			assert.deepEqual(
				references.map(({ name }) => name),
				["own"],
			);
		});
	});

	it("empties and removes a namespace", async () => {
		const { admin } = cluster;
		await admin.resource(namespaces).create("", { apiVersion: "v1", kind: "Namespace", metadata: { name: "leaving" } });
		await eventually(() => admin.resource(serviceAccounts).get("leaving", "default"));
		await admin.resource(deployments).create("leaving", {
			apiVersion: "apps/v1",
			kind: "Deployment",
			metadata: { name: "d" },
			spec: { replicas: 2, selector: { matchLabels: { app: "d" } }, template: template("d", "v1") },
		});
		await eventually(async () => assert.equal((await admin.resource(pods).list("leaving")).items.length, 2));
		await admin.resource(namespaces).delete("", "leaving");
		await eventually(() => assert.rejects(admin.resource(namespaces).get("", "leaving")));
		assert.equal((await admin.resource(pods).list("leaving")).items.length, 0);
	});
});
