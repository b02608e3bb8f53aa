import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { randomMessage } from "../scheme/codec/random-object.ts";
import { messageOfKind } from "../scheme/kinds.ts";
import type { KubeObject } from "../scheme/object.ts";
import type { Deployment } from "../scheme/types.gen.ts";
import { createFakeClient } from "./fake.ts";
import { apiVersionOf, builtinResources, deployments, keyOf } from "./resources.ts";
import { asStored, wouldChange } from "./written.ts";

const deployment = (status: object): KubeObject<Deployment> => ({
	apiVersion: "apps/v1",
	kind: "Deployment",
	metadata: { name: "d", namespace: "default" },
	spec: { replicas: 1, selector: { matchLabels: { a: "b" } }, template: {} },
	status,
});

describe("what a write changes", () => {
	it("counts zeros, empty values and unknown fields as absent where the server leaves them out, and only there", () => {
		const stored = deployment({ replicas: 1 });
		assert(!wouldChange(stored, deployment({ replicas: 1, readyReplicas: 0, conditions: [], unknown: 1 })));
		assert(wouldChange(stored, deployment({ replicas: 1, readyReplicas: 1 })));
		assert(wouldChange(stored, deployment({ replicas: 1, collisionCount: 0 })), "a pointer: zero is not absent");
		assert(wouldChange(stored, deployment({})));
	});

	it("takes a custom resource, and what the server will refuse, as they are", () => {
		const custom = { apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "t" }, status: { n: 0 } };
		assert.deepEqual(asStored(custom), custom);
		assert(wouldChange(deployment({}), deployment({ replicas: "many" })));
	});

	it("agrees with the fake server on random objects of every kind", async () => {
		const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1e9);
		console.log(`      BARQUE_SEED=${seed}`);
		const random = seededRandom(seed);
		for (const resource of builtinResources) {
			const message = messageOfKind(resource, resource.kind);
			assert(message !== undefined, resource.kind);
			const client = createFakeClient({ clock: new VirtualClock() });
			const metadata = { name: "x", ...(resource.namespaced ? { namespace: "default" } : {}) };
			const make = () => {
				const object = randomMessage(random, message) as unknown as KubeObject<object>;
				return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
			};
			const before = client.add(make());
			const next = { ...before, ...make(), metadata: before.metadata };
			const { status: _, ...written } = next as KubeObject<{ status?: unknown }>;
			const kept = (before as { status?: unknown }).status;
			const asked = kept === undefined ? written : { ...written, status: kept };
			client.clearActions();
			await client.resource<object>(resource).update(asked);
			const changed = client.actions[0]?.idle === false;
			assert.equal(wouldChange(before, asked), changed, `${resource.kind} ${keyOf(before)}`);
			const same = client.peek(resource, keyOf(before)) as KubeObject<object>;
			assert(!wouldChange(same, same));
		}
	});

	it("is told by the fake client, which brings no event for a write that changes nothing", async () => {
		const client = createFakeClient({ clock: new VirtualClock() });
		const stored = client.add(deployment({}));
		const after = await client.resource(deployments).update({ ...stored, status: { replicas: 0 } }, "status");
		assert.equal(after.metadata.resourceVersion, stored.metadata.resourceVersion);
		assert.deepEqual(
			client.actions.map(({ idle }) => idle),
			[true],
		);
	});
});
