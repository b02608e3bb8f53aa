import assert from "node:assert/strict";
import { userInfo } from "../authn/types.ts";
import { parseFieldSelector } from "../machinery/fieldselectors.ts";
import type { Pod } from "../scheme/types.gen.ts";
import { nodeRules } from "./bootstrap.ts";
import { NodeAuthorizer, nodeOf } from "./node.ts";
import { type Attributes, pathAttributes, resourceAttributes } from "./types.ts";

const kubelet = userInfo("system:node:n1", ["system:nodes"]);
const pod: Pod = {
	metadata: { name: "p", namespace: "ns" },
	spec: {
		nodeName: "n1",
		serviceAccountName: "sa",
		imagePullSecrets: [{ name: "pull" }],
		volumes: [
			{ name: "c", persistentVolumeClaim: { claimName: "claim" } },
			{ name: "proj", projected: { sources: [{ configMap: { name: "cm-proj" } }, { secret: { name: "s-proj" } }] } },
		],
		initContainers: [{ name: "i", env: [{ name: "X", valueFrom: { secretKeyRef: { name: "s-env", key: "k" } } }] }],
		containers: [{ name: "c", envFrom: [{ configMapRef: { name: "cm-env" } }] }],
	},
};
const mirror: Pod = {
	metadata: { name: "m", namespace: "ns", annotations: { "kubernetes.io/config.mirror": "x" } },
	spec: { nodeName: "n1", volumes: [{ name: "s", secret: { secretName: "s-mirror" } }] },
};

describe("node authorizer", () => {
	const authorizer = new NodeAuthorizer(
		{
			podsOnNode: (node) => (node === "n1" ? [pod, mirror] : []),
			volumeOfClaim: (namespace, claim) => (namespace === "ns" && claim === "claim" ? "pv1" : undefined),
		},
		nodeRules(),
	);
	const namespaced = (resource: string, name: string, more: Partial<Attributes> = {}) => ({
		namespace: "ns",
		resource,
		name,
		...more,
	});
	const lease = (name: string, namespace = "kube-node-lease") => ({
		apiGroup: "coordination.k8s.io",
		resource: "leases",
		namespace,
		name,
	});

	const cases: [string, Partial<Attributes>, true | string][] = [
		["get", namespaced("secrets", "pull"), true],
		["get", namespaced("secrets", "s-env"), true],
		["watch", namespaced("secrets", "s-proj"), true],
		["get", namespaced("secrets", "other"), "no relationship found between node 'n1' and this object"],
		["get", namespaced("secrets", "s-mirror"), "no relationship found between node 'n1' and this object"],
		[
			"get",
			{ ...namespaced("secrets", "pull"), namespace: "elsewhere" },
			"no relationship found between node 'n1' and this object",
		],
		["list", { resource: "secrets" }, "can only read namespaced object of this type"],
		["list", namespaced("secrets", ""), "No Object name found"],
		["create", namespaced("secrets", "pull"), "can only read resources of this type"],
		["get", namespaced("configmaps", "cm-env"), true],
		["list", namespaced("configmaps", "cm-proj"), true],
		["get", namespaced("persistentvolumeclaims", "claim"), true],
		["get", { resource: "persistentvolumes", name: "pv1" }, true],
		["get", { resource: "persistentvolumes", name: "pv2" }, "no relationship found between node 'n1' and this object"],
		["create", namespaced("serviceaccounts", "sa", { subresource: "token" }), true],
		[
			"create",
			namespaced("serviceaccounts", "other", { subresource: "token" }),
			"no relationship found between node 'n1' and this object",
		],
		["get", namespaced("serviceaccounts", "sa"), true],
		["list", namespaced("serviceaccounts", ""), "can only create tokens for individual service accounts"],
		["get", namespaced("pods", "p"), true],
		["get", namespaced("pods", "q"), "no relationship found between node 'n1' and this object"],
		["list", { resource: "pods", fieldSelector: parseFieldSelector("spec.nodeName=n1") }, true],
		[
			"watch",
			{ resource: "pods", fieldSelector: parseFieldSelector("spec.nodeName=n2") },
			"can only list/watch pods with spec.nodeName field selector",
		],
		["list", { resource: "pods" }, "can only list/watch pods with spec.nodeName field selector"],
		["patch", namespaced("pods", "p", { subresource: "status" }), true],
		["delete", namespaced("pods", "p"), true],
		["update", namespaced("pods", "p"), ""],
		["create", namespaced("pods", "p", { subresource: "eviction" }), true],
		["create", namespaced("pods", "p", { subresource: "exec" }), ""],
		["get", { resource: "nodes", name: "n1" }, true],
		["get", { resource: "nodes", name: "n2" }, "node 'n1' cannot read 'n2', only its own Node object"],
		["list", { resource: "nodes" }, "node 'n1' cannot read all nodes, only its own Node object"],
		["create", { resource: "nodes" }, true],
		["delete", { resource: "nodes", name: "n1" }, ""],
		["patch", { resource: "nodes", subresource: "status", name: "n1" }, true],
		["update", lease("n1"), true],
		["create", lease(""), true],
		["update", lease("n2"), "can only access node lease with the same name as the requesting node"],
		["get", lease("n1", "ns"), 'can only access leases in the "kube-node-lease" system namespace'],
		["list", lease(""), "can only get, create, update, patch, or delete a node lease"],
		["create", { resource: "events", namespace: "ns" }, true],
		["list", { resource: "services" }, true],
		["create", { apiGroup: "apps", resource: "deployments", namespace: "ns" }, ""],
	];
	for (const [verb, what, expected] of cases) {
		it(`${verb} ${JSON.stringify(what).slice(0, 110)}`, () => {
			const decision = authorizer.authorize(resourceAttributes(kubelet, verb, what));
			if (expected === true) assert.equal(decision.decision, "allow", decision.reason);
			else assert.deepEqual(decision, { decision: "no opinion", reason: expected });
		});
	}

	it("leaves others alone", () => {
		const asked = (name: string, groups: string[]) =>
			resourceAttributes(userInfo(name, groups), "get", namespaced("secrets", "pull"));
		assert.equal(authorizer.authorize(asked("system:node:n1", [])).decision, "no opinion");
		assert.equal(authorizer.authorize(asked("n1", ["system:nodes"])).decision, "no opinion");
		assert.equal(authorizer.authorize(asked("system:node:n2", ["system:nodes"])).decision, "no opinion");
		assert.equal(
			authorizer.authorize(asked("system:node:", ["system:nodes"])).reason,
			'unknown node for user "system:node:"',
		);
		assert.equal(authorizer.authorize(pathAttributes(kubelet, "get", "/metrics")).decision, "no opinion");
		assert.equal(nodeOf(userInfo("x")), undefined);
		assert.equal(authorizer.rulesFor(kubelet).incomplete, true);
	});
});
