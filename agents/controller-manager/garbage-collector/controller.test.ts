import assert from "node:assert/strict";
import { configMaps, deployments, nodes, pods, replicaSets } from "../../../apiserver/client/resources.ts";
import { ApiError } from "../../../apiserver/machinery/errors.ts";
import type { OwnerReference } from "../../../apiserver/scheme/types.gen.ts";
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
		assert.equal(h.client.peek(replicaSets, "default/rs")?.metadata.ownerReferences, undefined);
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

	/** A ConfigMap's reference; `more` is what is wrong with it. */
	const mapReference = (name: string, more: Partial<OwnerReference> = {}): OwnerReference => ({
		apiVersion: "v1",
		kind: "ConfigMap",
		name,
		uid: `uid-${name}`,
		...more,
	});
	const map = (namespace: string, name: string, ...ownerReferences: OwnerReference[]) => ({
		apiVersion: "v1",
		kind: "ConfigMap",
		metadata: { namespace, name, uid: `uid-${name}`, ...(ownerReferences.length === 0 ? {} : { ownerReferences }) },
	});
	const maps = (h: Harness) => h.client.all(configMaps).map((o) => `${o.metadata.namespace}/${o.metadata.name}`);

	it("keeps a child whose owner lives, whatever an object of another namespace says of that owner's uid", async () => {
		const h = harness(createGarbageCollector);
		for (const name of ["own", "own2"]) h.client.add(map("gc1", name));
		h.client.add(map("gc1", "good", mapReference("own"), mapReference("own2")));
		h.client.add(map("gc2", "own3"));
		h.client.add(map("gc2", "bad", mapReference("own"), mapReference("own3")));
		await h.start();
		await h.client.resource(configMaps).delete("gc2", "own3");
		await h.run(60_000);
		await h.client.resource(configMaps).delete("gc1", "own2");
		await h.run(60_000);
		assert.deepEqual(maps(h), ["gc1/good", "gc1/own"]);
		h.stop();
	});

	it("keeps a child whose owner's kind does not resolve, also when an object of that uid was there and is gone", async () => {
		const h = harness(createGarbageCollector);
		h.client.add(map("gc1", "own"));
		h.client.add(map("gc1", "good", mapReference("own")));
		h.client.add(map("gc1", "child", mapReference("own", { apiVersion: "example.com/v1", kind: "Thing" })));
		await h.start();
		await h.client.resource(configMaps).delete("gc1", "own");
		await h.run(120_000);
		assert.deepEqual(maps(h), ["gc1/child"]);
		h.stop();
	});

	for (const order of ["owner", "child"]) {
		it(`collects a child whose only owner is in another namespace, and says so (${order} first)`, async () => {
			const h = harness(createGarbageCollector);
			const child = map("gc2", "child", mapReference("own"));
			if (order === "owner") h.client.add(map("gc1", "own"));
			else h.client.add(child);
			await h.start();
			h.client.add(order === "owner" ? child : map("gc1", "own"));
			await h.run(60_000);
			assert.deepEqual(maps(h), ["gc1/own"]);
			if (order === "owner") {
				// As upstream's, to the letter.
				const owner = "[v1/ConfigMap, namespace: gc2, name: own, uid: uid-own]";
				assert.deepEqual(await h.events(), [
					`OwnerRefInvalidNamespace: ownerRef ${owner} does not exist in namespace "gc2"`,
				]);
			}
			h.stop();
		});
	}

	it("keeps an object without a namespace whose owner is in one, and says so", async () => {
		const h = harness(createGarbageCollector);
		h.client.add(map("gc1", "own"));
		await h.start();
		const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n", ownerReferences: [mapReference("own")] } };
		h.client.add(node);
		await h.run(60_000);
		assert.equal(h.client.all(nodes).length, 1);
		const owner = "[v1/ConfigMap, namespace: , name: own, uid: uid-own]";
		assert.deepEqual(await h.events(), [`OwnerRefInvalidNamespace: ownerRef ${owner} does not exist in namespace ""`]);
		h.stop();
	});

	it("collects a child whose reference names its owner's uid with another kind or name", async () => {
		const h = harness(createGarbageCollector);
		h.client.add(map("gc1", "own"));
		await h.start();
		h.client.add(map("gc1", "kind", mapReference("own", { kind: "Secret" })));
		h.client.add(map("gc1", "name", mapReference("own", { name: "other" })));
		h.client.add(map("gc1", "both", mapReference("own"), mapReference("own", { name: "other" })));
		await h.run(60_000);
		assert.deepEqual(maps(h), ["gc1/both", "gc1/own"]);
		const both = h.client.peek(configMaps, "gc1/both");
		assert.deepEqual(both?.metadata.ownerReferences, [mapReference("own")], "the reference that fits stays");
		h.stop();
	});

	it("ends foreground deletions that wait for themselves, or for one another", async () => {
		const h = harness(createGarbageCollector);
		h.client.add(map("gc1", "self", mapReference("self", { blockOwnerDeletion: true })));
		h.client.add(map("gc1", "a", mapReference("b", { blockOwnerDeletion: true })));
		h.client.add(map("gc1", "b", mapReference("a", { blockOwnerDeletion: true })));
		await h.start();
		for (const name of ["self", "a", "b"]) {
			await h.client.resource(configMaps).delete("gc1", name, { propagationPolicy: "Foreground" });
		}
		await h.run(60_000);
		assert.deepEqual(maps(h), []);
		h.stop();
	});

	it("does not let a stranger's reference hold up a foreground deletion", async () => {
		const h = harness(createGarbageCollector);
		h.client.add(map("gc1", "own"));
		h.client.add(map("gc2", "live"));
		const stranger = mapReference("own", { apiVersion: "example.com/v1", kind: "Thing", blockOwnerDeletion: true });
		h.client.add(map("gc2", "stranger", stranger, mapReference("live")));
		await h.start();
		await h.client.resource(configMaps).delete("gc1", "own", { propagationPolicy: "Foreground" });
		await h.run(60_000);
		assert.deepEqual(maps(h), ["gc2/live", "gc2/stranger"]);
		h.stop();
	});

	it("collects nothing before the owner's kind was listed, and orphans nothing before all kinds were", async () => {
		const h = harness(createGarbageCollector);
		const set = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "uid-rs" };
		h.client.add({ apiVersion: "v1", kind: "Pod", metadata: metadata("p", set) });
		h.client.add(map("gc1", "own"));
		h.client.add(map("gc1", "child", mapReference("own")));
		for (const verb of ["list", "watch"]) {
			h.client.failNext(verb, "replicasets", new ApiError(500, "InternalError", "conversion failed"), 1000);
		}
		await h.start();
		await h.client.resource(configMaps).delete("gc1", "own", { propagationPolicy: "Orphan" });
		await h.run(120_000);
		assert.deepEqual(left(h), ["p"]);
		assert.deepEqual(maps(h), ["gc1/child", "gc1/own"]);
		h.client.clearFailures();
		await h.run(120_000);
		assert.deepEqual(left(h), []);
		assert.deepEqual(maps(h), ["gc1/child"]);
		h.stop();
	});

	it("takes a 404 that is not about the owner itself for no answer", async () => {
		const h = harness(createGarbageCollector);
		h.client.add(map("gc1", "own"));
		h.client.add(map("gc1", "own2"));
		await h.start();
		const gone = new ApiError(404, "NotFound", "the server could not find the requested resource");
		h.client.add(map("gc1", "child", mapReference("own2"), mapReference("own")));
		await h.run(1000);
		await h.client.resource(configMaps).delete("gc1", "own2");
		h.client.failNext("get", "configmaps", gone, 3);
		await h.run(60_000);
		assert.deepEqual(maps(h), ["gc1/child", "gc1/own"]);
		h.stop();
	});
});
