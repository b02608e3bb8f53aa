/** One object that cannot be read as its kind is parked with an event, and nobody else's work waits for it. */
import assert from "node:assert/strict";
import { deployments, endpoints, jobs, pods, replicaSets } from "../../apiserver/client/resources.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import { createClusterRoleAggregationController } from "./clusterrole-aggregation.ts";
import { createDeploymentController } from "./deployment/controller.ts";
import { createEndpointsController } from "./endpoints.ts";
import { createJobController } from "./job/controller.ts";
import { createReplicaSetController } from "./replicaset.ts";
import { type Harness, harness } from "./testing/harness.ts";
import { podObject } from "./testing/world.ts";

const labels = { app: "a" };
const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "x" }] } };
const unusable = { matchExpressions: [{ key: "app", operator: "Likes", values: ["a"] }] };
const good = { matchLabels: labels };

/** As others may have stored it: unread. */
function store(h: Harness, object: object): void {
	const { spec: _, ...bare } = object as KubeObject<{ spec?: unknown }>;
	h.client.add(bare);
	const { apiVersion, kind, metadata } = bare;
	h.client.store({
		...(object as KubeObject<object>),
		apiVersion,
		kind,
		metadata: { uid: `uid-${metadata.name}`, ...metadata },
	});
}

const object = (apiVersion: string, kind: string, name: string, spec: object) => ({
	apiVersion,
	kind,
	metadata: { name, namespace: "default", uid: `uid-${name}` },
	spec,
});

describe("controllers and objects that cannot be read", () => {
	it("park the one and work on the others", async () => {
		const h = harness(
			createReplicaSetController,
			createDeploymentController,
			createJobController,
			createEndpointsController,
			createClusterRoleAggregationController,
		);
		for (const [name, selector] of [
			["a-bad", unusable],
			["b-good", good],
		] as const) {
			store(h, object("apps/v1", "ReplicaSet", `${name}-rs`, { replicas: 1, selector, template }));
			store(h, object("apps/v1", "Deployment", `${name}-d`, { replicas: 1, selector, template, strategy: {} }));
			const own = selector === good ? { matchLabels: { app: "job" } } : selector;
			const work = { metadata: { labels: { app: "job" } }, spec: template.spec };
			store(
				h,
				object("batch/v1", "Job", `${name}-j`, { completions: 1, parallelism: 1, selector: own, template: work }),
			);
		}
		store(h, object("v1", "Service", "a-bad-s", { selector: labels, clusterIP: "10.0.0.1", ports: 7 }));
		store(h, object("v1", "Service", "b-good-s", { selector: labels, clusterIP: "10.0.0.2", ports: [{ port: 80 }] }));
		const rule = { clusterRoleSelectors: [unusable] };
		h.client.add({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "role" } });
		h.client.store({
			apiVersion: "rbac.authorization.k8s.io/v1",
			kind: "ClusterRole",
			metadata: { name: "role", uid: "uid-role" },
			aggregationRule: rule,
		} as KubeObject<object>);
		await h.start();
		// An orphan that good ones may adopt, though a bad one is asked first.
		h.client.add(podObject("orphan", { labels, ip: "10.1.0.1" }));
		await h.run(5000);
		assert.notEqual(h.client.peek(pods, "default/orphan")?.metadata.ownerReferences, undefined);
		assert.equal(h.client.peek(replicaSets, "default/b-good-rs")?.status?.replicas, 1);
		assert.equal(h.client.peek(deployments, "default/b-good-d")?.status?.replicas, 1);
		assert.equal(h.client.peek(jobs, "default/b-good-j")?.status?.active, 1);
		assert.notEqual(h.client.peek(endpoints, "default/b-good-s"), undefined);
		const told = (await h.events()).filter((text) => text.startsWith("FailedSync"));
		for (const part of ['"Likes" is not a valid label selector operator', "is not"]) {
			assert(
				told.some((text) => text.includes(part)),
				told.join("\n"),
			);
		}
		assert.equal(told.length, 5, told.join("\n"));
		const written = h.client.actions.length;
		await h.run(200_000);
		assert.equal(h.client.actions.filter((a) => a.resource !== "events").length <= written, true);
		h.stop();
	});
});
