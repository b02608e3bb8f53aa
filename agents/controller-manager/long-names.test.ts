// What controllers make out of names and labels that the server let through must get through its checks itself.
import assert from "node:assert/strict";
import { endpointSlices, pods, replicaSets } from "../../apiserver/client/resources.ts";
import { applyDefaults } from "../../apiserver/scheme/defaults/defaults.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import { validateCreate } from "../../apiserver/scheme/validation/validation.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import { createDeploymentController } from "./deployment/controller.ts";
import { createEndpointsController } from "./endpoints.ts";
import { createEndpointSliceController } from "./endpointslice.ts";
import { createJobController } from "./job/controller.ts";
import { createReplicaSetController } from "./replicaset.ts";
import { harness } from "./testing/harness.ts";
import { podObject } from "./testing/world.ts";

/** A name of DNS labels: as long as allowed, its dots and dashes anywhere. */
function subdomain(random: Random, length: number): string {
	const chars = Array.from({ length }, () => ".--a1"[random.int(5)] ?? "a");
	chars[0] = chars[length - 1] = "a";
	for (let i = 1; i < length; i++) {
		const [before, here] = [chars[i - 1] ?? "", chars[i] ?? ""];
		if ((before === "." && here !== "a") || (here === "." && before === "-")) chars[i] = "a";
	}
	return chars.join("");
}

const labelName = (random: Random, length: number) => subdomain(random, length).replaceAll(".", "-");

const isAccepted = (object: object): boolean => {
	const copy = structuredClone(object) as KubeObject;
	applyDefaults(copy);
	return validateCreate(copy).length === 0;
};

const meta = (name: string, labels: Record<string, string> = {}) => ({ name, namespace: "default", labels });
const template = (labels: Record<string, string>, spec: object = {}) => ({
	metadata: { labels },
	spec: { containers: [{ name: "c", image: "i" }], ...spec },
});

describe("controllers and long names", () => {
	const first = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1_000_000_000);
	const seeds = Array.from({ length: 25 }, (_, i) => first + i);

	it("makes ReplicaSets and Pods of a deployment of any name", async () => {
		for (const seed of seeds) {
			const random = seededRandom(seed);
			const h = harness(createDeploymentController, createReplicaSetController);
			const labels = { [`${subdomain(random, 253)}/${"k".repeat(63)}`]: labelName(random, 63) };
			const deployment = {
				apiVersion: "apps/v1",
				kind: "Deployment",
				metadata: meta(subdomain(random, 200 + random.int(54)), labels),
				spec: { replicas: 1, selector: { matchLabels: labels }, template: template(labels) },
			};
			assert.ok(isAccepted(deployment), `BARQUE_SEED=${seed}: the test's own object`);
			h.client.add(deployment);
			await h.start();
			await h.run(1000);
			assert.deepEqual(h.client.refused, [], `BARQUE_SEED=${seed}`);
			assert.equal(h.client.all(replicaSets).length, 1);
			assert.equal(h.client.all(pods).length, 1, `BARQUE_SEED=${seed}`);
			h.stop();
		}
	});

	it("makes Pods of a job of any name that is accepted, with indexes too", async () => {
		for (const seed of seeds) {
			const random = seededRandom(seed);
			const h = harness(createJobController);
			const name = random.int(2) === 0 ? labelName(random, 61) : subdomain(random, 50 + random.int(14));
			const labels = { "batch.kubernetes.io/job-name": name };
			const job = {
				apiVersion: "batch/v1",
				kind: "Job",
				metadata: meta(name),
				spec: {
					completions: 3,
					parallelism: 3,
					completionMode: random.int(3) === 0 ? "NonIndexed" : "Indexed",
					selector: { matchLabels: labels },
					template: template(labels, { restartPolicy: "Never" }),
				},
			};
			if (!isAccepted(job)) continue;
			h.client.add(job);
			await h.start();
			await h.run(1000);
			assert.deepEqual(h.client.refused, [], `BARQUE_SEED=${seed}`);
			assert.equal(h.client.all(pods).length, 3, `BARQUE_SEED=${seed}`);
			h.stop();
		}
	});

	it("makes Endpoints and EndpointSlices of every name of a service's port", async () => {
		const ports = ["80-8080", "1", "a", "p".repeat(63), `${"1".repeat(31)}-${"2".repeat(31)}`];
		for (const seed of seeds) {
			const random = seededRandom(seed);
			const h = harness(createEndpointsController, (ctx) => createEndpointSliceController(ctx));
			const selector = { app: labelName(random, 63) };
			const service = {
				apiVersion: "v1",
				kind: "Service",
				metadata: meta(labelName(random, 63), { [`${subdomain(random, 253)}/x`]: "" }),
				spec: {
					type: "ClusterIP",
					clusterIP: "10.0.0.1",
					clusterIPs: ["10.0.0.1"],
					ipFamilies: ["IPv4"],
					ipFamilyPolicy: "SingleStack",
					selector,
					ports: [...ports, labelName(random, 1 + random.int(63))].map((name, i) => ({
						name,
						port: i + 1,
						targetPort: i + 1,
						appProtocol: `${subdomain(random, 253)}/${"A".repeat(63)}`,
					})),
				},
			};
			const unique = new Set(service.spec.ports.map((p) => p.name)).size === service.spec.ports.length;
			if (!unique) continue;
			assert.ok(isAccepted(service), `BARQUE_SEED=${seed}: the test's own object`);
			h.client.add(service);
			const spec = { hostname: labelName(random, 63), subdomain: service.metadata.name };
			const pod = podObject(subdomain(random, 253), { node: "n", ip: "10.1.0.1", labels: selector });
			h.client.add({ ...pod, spec: { ...pod.spec, ...spec } });
			await h.start();
			await h.run(2000);
			assert.deepEqual(h.client.refused, [], `BARQUE_SEED=${seed}`);
			const [slice] = h.client.all(endpointSlices);
			assert.equal(slice?.ports?.length, service.spec.ports.length);
			assert.equal(slice?.endpoints?.length, 1);
			h.stop();
		}
	});
});
