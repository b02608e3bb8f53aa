import assert from "node:assert/strict";
import { configMaps, deployments, namespaces, pods, serviceAccounts } from "../../apiserver/client/resources.ts";
import { createNamespaceController } from "./namespace.ts";
import { createRootCaController } from "./root-ca.ts";
import { createServiceAccountController } from "./serviceaccount.ts";
import { harness } from "./testing/harness.ts";
import { namespaceObject, podObject } from "./testing/world.ts";

describe("namespace controller", () => {
	it("empties a deleted namespace, pods first, and finalizes it", async () => {
		const h = harness(createNamespaceController);
		h.client.add(namespaceObject("default"));
		h.client.add(podObject("p", { node: "node-1" }));
		h.client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "default" } });
		h.client.add({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d", namespace: "default" } });
		await h.start();
		await h.client.resource(namespaces).delete("", "default");
		await h.run(4000);
		assert(h.client.peek(pods, "default/p")?.metadata.deletionTimestamp === undefined, "it waits 5 s");
		await h.run(1500);
		assert(h.client.peek(pods, "default/p")?.metadata.deletionTimestamp !== undefined);
		assert(h.client.peek(configMaps, "default/c") !== undefined, "pods go first");
		const condition = (type: string) =>
			h.client.peek(namespaces, "default")?.status?.conditions?.find((c) => c.type === type);
		assert.equal(
			condition("NamespaceContentRemaining")?.message,
			"Some resources are remaining: pods. has 1 resource instances",
		);
		assert.equal(condition("NamespaceDeletionDiscoveryFailure")?.reason, "ResourcesDiscovered");
		await h.client.resource(pods).delete("default", "p", { gracePeriodSeconds: 0 });
		await h.run(20_000);
		assert.equal(h.client.all(deployments).length, 0);
		assert.equal(h.client.peek(namespaces, "default"), undefined);
		h.stop();
	});

	it("says which finalizers hold the namespace's content", async () => {
		const h = harness(createNamespaceController);
		h.client.add(namespaceObject("default"));
		const metadata = { name: "c", namespace: "default", finalizers: ["example.com/held"] };
		h.client.add({ apiVersion: "v1", kind: "ConfigMap", metadata });
		await h.start();
		await h.client.resource(namespaces).delete("", "default");
		await h.run(30_000);
		const conditions = h.client.peek(namespaces, "default")?.status?.conditions ?? [];
		const held = conditions.find((c) => c.type === "NamespaceFinalizersRemaining");
		assert.deepEqual([held?.status, held?.reason], ["True", "SomeFinalizersRemain"]);
		assert.match(held?.message ?? "", /example.com\/held in 1 resource instances$/);
		await h.client.resource(configMaps).patch("default", "c", "merge", { metadata: { finalizers: null } });
		await h.run(30_000);
		assert.equal(h.client.peek(namespaces, "default"), undefined);
		h.stop();
	});
});

describe("serviceaccount and root CA controllers", () => {
	it("give every active namespace its default account and the CA, and give them back", async () => {
		const h = harness(createServiceAccountController, (ctx) => createRootCaController(ctx, "PEM"));
		h.client.add(namespaceObject("a"));
		await h.start();
		h.client.add(namespaceObject("b"));
		await h.run();
		assert.deepEqual(
			h.client.all(serviceAccounts).map((o) => `${o.metadata.namespace}/${o.metadata.name}`),
			["a/default", "b/default"],
		);
		assert.equal(h.client.peek(configMaps, "b/kube-root-ca.crt")?.data?.["ca.crt"], "PEM");
		await h.client.resource(serviceAccounts).delete("a", "default");
		await h.client.resource(configMaps).patch("a", "kube-root-ca.crt", "merge", { data: { "ca.crt": "other" } });
		await h.client.resource(configMaps).delete("b", "kube-root-ca.crt");
		await h.run();
		assert.equal(h.client.all(serviceAccounts).length, 2);
		assert.deepEqual(
			h.client.all(configMaps).map((o) => o.data?.["ca.crt"]),
			["PEM", "PEM"],
		);
		h.stop();
	});
});
