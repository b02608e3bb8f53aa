import assert from "node:assert/strict";
import { configMaps, deployments, pods, replicaSets } from "../../../apiserver/client/resources.ts";
import { type Harness, harness } from "../testing/harness.ts";
import { createGarbageCollector } from "./controller.ts";

const metadata = (
	name: string,
	owner?: { kind: string; apiVersion: string; name: string; uid: string; block?: boolean },
) => ({
	name,
	namespace: "default",
	uid: `uid-${name}`,
	...(owner === undefined
		? {}
		: {
				ownerReferences: [
					{
						apiVersion: owner.apiVersion,
						kind: owner.kind,
						name: owner.name,
						uid: owner.uid,
						controller: true,
						blockOwnerDeletion: owner.block ?? true,
					},
				],
			}),
});

/** A deployment, its replica set, and two pods. */
function family(h: Harness) {
	h.client.add({ apiVersion: "apps/v1", kind: "Deployment", metadata: metadata("d") });
	const deployment = { apiVersion: "apps/v1", kind: "Deployment", name: "d", uid: "uid-d" };
	h.client.add({ apiVersion: "apps/v1", kind: "ReplicaSet", metadata: metadata("rs", deployment) });
	const set = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "uid-rs" };
	for (const name of ["p1", "p2"]) h.client.add({ apiVersion: "v1", kind: "Pod", metadata: metadata(name, set) });
}

const left = (h: Harness) =>
	[...h.client.all(deployments), ...h.client.all(replicaSets), ...h.client.all(pods)].map((o) => o.metadata.name);

describe("garbage collector", () => {
	it("deletes dependents in the background", async () => {
		const h = harness(createGarbageCollector);
		family(h);
		await h.start();
		await h.client.resource(deployments).delete("default", "d", { propagationPolicy: "Background" });
		await h.run(1000);
		assert.deepEqual(left(h), []);
		h.stop();
	});

	it("deletes dependents first in the foreground", async () => {
		const h = harness(createGarbageCollector);
		family(h);
		await h.start();
		const api = h.client.resource(pods);
		await api.patch("default", "p1", "merge", { metadata: { finalizers: ["x/hold"] } });
		await h.client.resource(deployments).delete("default", "d", { propagationPolicy: "Foreground" });
		await h.run(1000);
		assert.deepEqual(left(h), ["d", "rs", "p1"], "they wait for the pod that is held");
		await api.patch("default", "p1", "merge", { metadata: { finalizers: null } });
		await h.run(1000);
		assert.deepEqual(left(h), []);
		const deletions = h.client.actions
			.filter((a) => a.verb === "delete")
			.map((a) => `${a.name} ${a.options?.propagationPolicy}`);
		assert(deletions.includes("rs Foreground"));
		h.stop();
	});

	it("does not wait for dependents that do not block", async () => {
		const h = harness(createGarbageCollector);
		h.client.add({ apiVersion: "apps/v1", kind: "ReplicaSet", metadata: metadata("rs") });
		const set = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "uid-rs", block: false };
		h.client.add({ apiVersion: "v1", kind: "Pod", metadata: { ...metadata("p", set), finalizers: ["x/hold"] } });
		await h.start();
		await h.client.resource(replicaSets).delete("default", "rs", { propagationPolicy: "Foreground" });
		await h.run(1000);
		assert.deepEqual(left(h), ["p"]);
		h.stop();
	});

	it("orphans dependents", async () => {
		const h = harness(createGarbageCollector);
		family(h);
		await h.start();
		await h.client.resource(deployments).delete("default", "d", { propagationPolicy: "Orphan" });
		await h.run(1000);
		assert.deepEqual(left(h), ["rs", "p1", "p2"]);
		assert.deepEqual(h.client.peek(replicaSets, "default/rs")?.metadata.ownerReferences, []);
		h.stop();
	});

	it("deletes an object created after its owner was gone, and one whose owner's name was taken over", async () => {
		const h = harness(createGarbageCollector);
		h.client.add({ apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { ...metadata("rs"), uid: "uid-new" } });
		await h.start();
		const gone = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "uid-old" };
		h.client.add({ apiVersion: "v1", kind: "Pod", metadata: metadata("p", gone) });
		await h.run(1000);
		assert.deepEqual(left(h), ["rs"]);
		h.stop();
	});

	it("keeps an object with a living owner and only drops the reference to the gone one", async () => {
		const h = harness(createGarbageCollector);
		h.client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: metadata("a") });
		h.client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: metadata("b") });
		const reference = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", name, uid: `uid-${name}` });
		const both = { ...metadata("c"), ownerReferences: [reference("a"), reference("b")] };
		h.client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: both });
		await h.start();
		await h.client.resource(configMaps).delete("default", "a");
		await h.run(1000);
		const c = h.client.peek(configMaps, "default/c");
		assert.deepEqual(
			c?.metadata.ownerReferences?.map((r) => r.name),
			["b"],
		);
		h.stop();
	});

	it("breaks circles of foreground deletion", async () => {
		const h = harness(createGarbageCollector);
		const owner = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", name, uid: `uid-${name}` });
		h.client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: metadata("a", owner("b")) });
		h.client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: metadata("b", owner("a")) });
		await h.start();
		await h.client.resource(configMaps).delete("default", "a", { propagationPolicy: "Foreground" });
		await h.run(20_000);
		assert.equal(h.client.all(configMaps).length, 0);
		h.stop();
	});

	it("leaves objects alone whose owner's kind it does not know", async () => {
		const h = harness(createGarbageCollector);
		const owner = { apiVersion: "example.com/v1", kind: "Thing", name: "t", uid: "uid-t" };
		h.client.add({ apiVersion: "v1", kind: "Pod", metadata: metadata("p", owner) });
		await h.start();
		await h.run(60_000);
		assert.deepEqual(left(h), ["p"]);
		h.stop();
	});
});
