import assert from "node:assert/strict";
import { clusterRoles } from "../../apiserver/client/resources.ts";
import { createClusterRoleAggregationController } from "./clusterrole-aggregation.ts";
import { controllerNames, selectControllers } from "./manager.ts";
import { harness } from "./testing/harness.ts";

describe("controller manager", () => {
	it("selects controllers as upstream's flag does", () => {
		assert.deepEqual(selectControllers(["*"]), controllerNames);
		assert.deepEqual(selectControllers(["job-controller"]), ["job-controller"]);
		assert(!selectControllers(["*", "-garbagecollector"]).includes("garbage-collector-controller"));
		assert.throws(() => selectControllers(["*", "-bogus"]), /"bogus" is not in the list of known controllers/);
	});
});

describe("clusterrole-aggregation controller", () => {
	it("keeps the union of the matching roles' rules", async () => {
		const h = harness(createClusterRoleAggregationController);
		const apiVersion = "rbac.authorization.k8s.io/v1";
		const rule = (resource: string) => ({ verbs: ["get"], apiGroups: [""], resources: [resource] });
		const role = (name: string, labels: Record<string, string>, ...resources: string[]) =>
			h.client.add({ apiVersion, kind: "ClusterRole", metadata: { name, labels }, rules: resources.map(rule) });
		role("b", { to: "view" }, "pods", "services");
		role("a", { to: "view" }, "nodes", "pods");
		role("c", { to: "edit" }, "secrets");
		const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { to: "view" } }] };
		h.client.add({ apiVersion, kind: "ClusterRole", metadata: { name: "view" }, aggregationRule, rules: [] });
		await h.start();
		const rules = () => h.client.peek(clusterRoles, "view")?.rules?.map((r) => r.resources?.[0]);
		assert.deepEqual(rules(), ["nodes", "pods", "services"]);
		await h.client.resource(clusterRoles).delete("", "a");
		await h.run();
		assert.deepEqual(rules(), ["pods", "services"]);
		h.stop();
	});
});
