// Fields of services that depend on their type; how each change ends is in the differential table of services.
import assert from "node:assert/strict";
import type { ServiceSpec } from "../../scheme/types.gen.ts";
import { dropOfOldType, portsOf } from "./service-fields.ts";

describe("registry/service-fields", () => {
	it("takes away what an earlier version kept of a type that the service no longer had", () => {
		const stale: ServiceSpec = {
			type: "ClusterIP",
			allocateLoadBalancerNodePorts: true,
			externalTrafficPolicy: "Local",
			healthCheckNodePort: 31_000,
			ports: [{ port: 80, nodePort: 31_001 }],
		};
		const spec = structuredClone(stale);
		dropOfOldType(spec, stale);
		assert.deepEqual(spec, { type: "ClusterIP", ports: [{ port: 80 }] });
		assert.deepEqual([...portsOf(stale)], [], "and it holds no numbers any more: repair gives them to others");
	});

	it("leaves what the client changed to be refused", () => {
		const old: ServiceSpec = {
			type: "LoadBalancer",
			loadBalancerClass: "a/b",
			ports: [{ port: 80, nodePort: 31_001 }],
		};
		const spec: ServiceSpec = { type: "ClusterIP", loadBalancerClass: "a/c", ports: [{ port: 80, nodePort: 31_002 }] };
		const asked = structuredClone(spec);
		dropOfOldType(spec, old);
		assert.deepEqual(spec, asked);
	});
});
