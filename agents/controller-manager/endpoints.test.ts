import assert from "node:assert/strict";
import { endpointSlices, endpoints, pods, services } from "../../apiserver/client/resources.ts";
import type { Service, ServiceSpec } from "../../apiserver/scheme/types.gen.ts";
import { createEndpointsController } from "./endpoints.ts";
import { createEndpointSliceController } from "./endpointslice.ts";
import { harness } from "./testing/harness.ts";
import { nodeObject, podObject } from "./testing/world.ts";

const service = (spec: ServiceSpec = {}): Service => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { name: "web", namespace: "default", labels: { team: "a" } },
	spec: {
		selector: { app: "web" },
		clusterIP: "10.96.0.10",
		ipFamilies: ["IPv4"],
		ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
		...spec,
	},
});
const labels = { app: "web" };

describe("endpoints controller", () => {
	it("lists ready and unready addresses with their ports", async () => {
		const h = harness(createEndpointsController);
		h.client.add(service());
		h.client.add(podObject("a", { labels, ip: "10.0.0.2", node: "n1" }));
		h.client.add(podObject("b", { labels, ip: "10.0.0.1", node: "n2" }));
		h.client.add(podObject("c", { labels, ip: "10.0.0.3", ready: false }));
		h.client.add(podObject("d", { labels: { app: "other" }, ip: "10.0.0.4" }));
		h.client.add(podObject("e", { labels }));
		await h.start();
		const subsets = h.client.peek(endpoints, "default/web")?.subsets ?? [];
		assert.equal(subsets.length, 1);
		assert.deepEqual(
			subsets[0]?.addresses?.map((a) => [a.ip, a.nodeName, a.targetRef?.name]),
			[
				["10.0.0.1", "n2", "b"],
				["10.0.0.2", "n1", "a"],
			],
		);
		assert.deepEqual(
			subsets[0]?.notReadyAddresses?.map((a) => a.ip),
			["10.0.0.3"],
		);
		assert.deepEqual(subsets[0]?.ports, [{ name: "http", port: 8080, protocol: "TCP" }]);
		assert.equal(h.client.peek(endpoints, "default/web")?.metadata.labels?.["team"], "a");
		const writes = h.client.actions.length;
		await h.client.resource(pods).patch("default", "d", "merge", { metadata: { annotations: { x: "y" } } });
		await h.run();
		assert.equal(h.client.actions.length, writes + 1, "what changes nothing is not written");
		await h.client.resource(services).delete("default", "web");
		await h.run();
		assert.equal(h.client.peek(endpoints, "default/web"), undefined);
		h.stop();
	});

	for (const publishNotReadyAddresses of [true, false]) {
		const verb = publishNotReadyAddresses ? "keeps" : "drops";
		it(`${verb} a pod on its way out of a Service that ${publishNotReadyAddresses ? "publishes" : "hides"} the unready`, async () => {
			const h = harness(createEndpointsController);
			h.client.add(service({ publishNotReadyAddresses }));
			h.client.add(podObject("a", { labels, ip: "10.0.0.1", node: "n1" }));
			await h.start();
			await h.client.resource(pods).delete("default", "a");
			await h.run();
			const subsets = h.client.peek(endpoints, "default/web")?.subsets ?? [];
			const listed = subsets.flatMap((subset) => subset.addresses ?? []).map(({ ip }) => ip);
			assert.deepEqual(listed, publishNotReadyAddresses ? ["10.0.0.1"] : []);
			h.stop();
		});
	}

	it("separates pods whose named port differs", async () => {
		const h = harness(createEndpointsController);
		h.client.add(service({ ports: [{ port: 80, targetPort: "web" }] }));
		const at = (port: number) => ({ containers: [{ name: "c", ports: [{ name: "web", containerPort: port }] }] });
		h.client.add(podObject("a", { labels, ip: "10.0.0.1", spec: at(1) }));
		h.client.add(podObject("b", { labels, ip: "10.0.0.2", spec: at(2) }));
		await h.start();
		const subsets = h.client.peek(endpoints, "default/web")?.subsets ?? [];
		assert.deepEqual(
			subsets.map((s) => [s.addresses?.[0]?.ip, s.ports?.[0]?.port]),
			[
				["10.0.0.1", 1],
				["10.0.0.2", 2],
			],
		);
		h.stop();
	});
});

describe("endpointslice controller", () => {
	it("keeps slices full and changes as few as possible", async () => {
		const h = harness((ctx) => createEndpointSliceController(ctx, 3));
		h.client.add(nodeObject("n1", "True", "2026-01-01T00:00:00Z", { "topology.kubernetes.io/zone": "z1" }));
		h.client.add(service());
		await h.start();
		const slices = () => h.client.all(endpointSlices);
		assert.equal(slices().length, 1, "a service without pods has one empty slice");
		assert.equal(slices()[0]?.endpoints, undefined);
		for (let i = 0; i < 7; i++) h.client.add(podObject(`p${i}`, { labels, ip: `10.0.0.${i}`, node: "n1" }));
		await h.run();
		assert.deepEqual(
			slices()
				.map((s) => s.endpoints?.length)
				.sort(),
			[1, 3, 3],
		);
		const [slice] = slices();
		assert.match(slice?.metadata.name ?? "", /^web-\w{5}$/);
		assert.deepEqual(slice?.metadata.labels, {
			team: "a",
			"kubernetes.io/service-name": "web",
			"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
		});
		assert.equal(slice?.metadata.ownerReferences?.[0]?.kind, "Service");
		assert.deepEqual(slice?.ports, [{ name: "http", protocol: "TCP", port: 8080 }]);
		assert.equal(slice?.endpoints?.[0]?.zone, "z1");
		const names = new Set(slices().map((s) => s.metadata.name));
		h.client.clearActions();
		await h.client.resource(pods).delete("default", "p0", { gracePeriodSeconds: 0 });
		h.client.add(podObject("p9", { labels, ip: "10.0.0.9" }));
		await h.run();
		const total = slices().reduce((n, s) => n + (s.endpoints?.length ?? 0), 0);
		assert.equal(total, 7);
		assert(
			slices().every((s) => names.has(s.metadata.name)),
			"no slice was replaced",
		);
		h.stop();
	});

	it("tells ready, serving and terminating apart", async () => {
		const h = harness((ctx) => createEndpointSliceController(ctx));
		h.client.add(service());
		h.client.add(podObject("a", { labels, ip: "10.0.0.1", node: "n1" }));
		h.client.add(podObject("b", { labels, ip: "10.0.0.2", node: "n1", ready: false }));
		await h.start();
		await h.client.resource(pods).delete("default", "a");
		await h.run();
		const conditions = Object.fromEntries(
			(h.client.all(endpointSlices)[0]?.endpoints ?? []).map((e) => [e.targetRef?.name, e.conditions]),
		);
		assert.deepEqual(conditions, {
			a: { ready: false, serving: true, terminating: true },
			b: { ready: false, serving: false, terminating: false },
		});
		h.stop();
	});
});
