/** What controllers change or delete is the very object they looked at, never another that took its name. */
import assert from "node:assert/strict";
import { jobs, pods } from "../../apiserver/client/resources.ts";
import { deleteSeen, isNotFound } from "./controller.ts";
import { createJobController } from "./job/controller.ts";
import { createReplicaSetController } from "./replicaset.ts";
import { harness } from "./testing/harness.ts";
import { podObject } from "./testing/world.ts";

const tracking = "batch.kubernetes.io/job-tracking";

describe("identity of what controllers delete", () => {
	it("leaves an object alone that took the name of the one that was seen", async () => {
		const h = harness(createReplicaSetController);
		const seen = h.client.add(podObject("p"));
		await h.client.resource(pods).delete("default", "p");
		h.client.add(podObject("p"));
		await assert.rejects(deleteSeen(h.client, pods, seen), isNotFound);
		assert.equal(h.client.all(pods).length, 1);
		h.stop();
	});

	it("names the uid in every deletion of a ReplicaSet's surplus pods", async () => {
		const h = harness(createReplicaSetController);
		const labels = { app: "a" };
		const rs = h.client.add({
			apiVersion: "apps/v1",
			kind: "ReplicaSet",
			metadata: { name: "rs", namespace: "default", uid: "uid-rs" },
			spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: {} } },
		});
		const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: rs.metadata.uid, controller: true };
		const pod = podObject("p", { labels });
		h.client.add({ ...pod, metadata: { ...pod.metadata, uid: "uid-p", ownerReferences: [owner] } });
		await h.start();
		await h.run(1000);
		const deletions = h.client.actions.filter((action) => action.verb === "delete");
		assert.deepEqual(
			deletions.map(({ name, options }) => [name, options?.preconditions?.uid]),
			[["p", "uid-p"]],
		);
		h.stop();
	});

	it("takes the tracking finalizer from pods of jobs that are gone, and of pods let go, not of another's Job", async () => {
		const h = harness(createJobController);
		const tracked = (name: string, apiVersion?: string) => {
			const pod = podObject(name);
			const owner = { apiVersion, kind: "Job", name: "j", uid: `uid-${name}-owner`, controller: true };
			const metadata = { ...pod.metadata, finalizers: [tracking] };
			return { ...pod, metadata: apiVersion === undefined ? metadata : { ...metadata, ownerReferences: [owner] } };
		};
		h.client.add(tracked("ours", "batch/v1"));
		h.client.add(tracked("theirs", "batch.example.com/v1"));
		h.client.add(tracked("free"));
		await h.start();
		await h.run(1000);
		const held = h.client.all(pods).filter((pod) => (pod.metadata.finalizers ?? []).length > 0);
		assert.deepEqual(
			held.map((pod) => pod.metadata.name),
			["theirs"],
		);
		assert.equal(h.client.all(jobs).length, 0);
		h.stop();
	});
});
