import assert from "node:assert/strict";
import { leases, nodes, pods } from "../../apiserver/client/resources.ts";
import { createNodeLifecycleController } from "./node-lifecycle.ts";
import { zoneState } from "./node-zones.ts";
import { createPodGcController, surplusTerminated } from "./pod-gc.ts";
import { createTaintEvictionController, toleratedMs } from "./taint-eviction.ts";
import { type Harness, harness } from "./testing/harness.ts";
import { leaseObject, nodeObject, podObject } from "./testing/world.ts";

const start = "2026-01-01T00:00:00Z";

/** Renews the leases of `alive` every 5 s for `ms`. */
async function live(h: Harness, ms: number, alive: readonly string[]) {
	for (let t = 0; t < ms; t += 5000) {
		for (const name of alive) {
			const renewTime = new Date(h.clock.now()).toISOString();
			await h.client.resource(leases).patch("kube-node-lease", name, "merge", { spec: { renewTime } });
		}
		await h.run(5000);
	}
}

function cluster(names: readonly string[]) {
	const h = harness((ctx) => createNodeLifecycleController(ctx), createTaintEvictionController);
	for (const name of names) {
		h.client.add(nodeObject(name, "True", start));
		h.client.add(leaseObject(name, start));
	}
	const taints = (name: string) => (h.client.peek(nodes, name)?.spec?.taints ?? []).map((t) => `${t.key}:${t.effect}`);
	const ready = (name: string) => h.client.peek(nodes, name)?.status?.conditions?.find((c) => c.type === "Ready");
	return { h, taints, ready };
}

describe("node-lifecycle controller", () => {
	it("a silent node becomes unknown, is tainted, and its pods are unready and then evicted", async () => {
		const { h, taints, ready } = cluster(["n1", "n2"]);
		const tolerations = [
			{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 30 },
		];
		h.client.add(podObject("p", { node: "n1", spec: { tolerations } }));
		h.client.add(podObject("q", { node: "n2", spec: { tolerations } }));
		await h.start();
		await live(h, 35_000, ["n2"]);
		assert.equal(ready("n1")?.status, "True");
		await live(h, 15_000, ["n2"]);
		assert.equal(ready("n1")?.status, "Unknown");
		assert.equal(ready("n1")?.reason, "NodeStatusUnknown");
		assert.equal(ready("n1")?.message, "Kubelet stopped posting node status.");
		assert.deepEqual(taints("n1").sort(), [
			"node.kubernetes.io/unreachable:NoExecute",
			"node.kubernetes.io/unreachable:NoSchedule",
		]);
		const podReady = h.client.peek(pods, "default/p")?.status?.conditions?.find((c) => c.type === "Ready");
		assert.equal(podReady?.status, "False");
		assert.equal(h.client.peek(pods, "default/p")?.metadata.deletionTimestamp, undefined);
		await live(h, 35_000, ["n2"]);
		assert(h.client.peek(pods, "default/p")?.metadata.deletionTimestamp !== undefined);
		assert.equal(h.client.peek(pods, "default/q")?.metadata.deletionTimestamp, undefined);
		const events = await h.events();
		assert(events.includes("NodeNotReady: Node n1 status is now: NodeNotReady"));
		assert(events.includes("NodeNotReady: Node is not ready"));
		assert(events.includes("TaintManagerEviction: Marking for deletion Pod default/p"));
		h.stop();
	});

	it("takes the taints back when the node reports again", async () => {
		const { h, taints, ready } = cluster(["n1", "n2"]);
		await h.start();
		await live(h, 50_000, ["n2"]);
		assert.equal(taints("n1").length, 2);
		const node = h.client.peek(nodes, "n1");
		assert(node !== undefined);
		const heartbeat = new Date(h.clock.now()).toISOString();
		const { status } = nodeObject("n1", "True", heartbeat);
		await h.client.resource(nodes).update({ ...node, status }, "status");
		await live(h, 10_000, ["n1", "n2"]);
		assert.equal(ready("n1")?.status, "True");
		assert.deepEqual(taints("n1"), []);
		h.stop();
	});

	it("evicts nobody when every node is silent", async () => {
		const { h, taints, ready } = cluster(["n1", "n2"]);
		await h.start();
		await live(h, 100_000, []);
		assert.deepEqual([ready("n1")?.status, ready("n2")?.status], ["Unknown", "Unknown"]);
		for (const name of ["n1", "n2"]) assert.deepEqual(taints(name), ["node.kubernetes.io/unreachable:NoSchedule"]);
		h.stop();
	});

	it("writes nothing once it is stopped, whatever it still sees", async () => {
		const { h, taints } = cluster(["n1", "n2"]);
		await h.start();
		await live(h, 10_000, ["n1", "n2"]);
		for (const controller of h.controllers) controller.stop();
		await h.controllers[0]?.settled?.();
		const node = h.client.peek(nodes, "n1");
		assert(node !== undefined);
		const { status } = nodeObject("n1", "False", new Date(h.clock.now()).toISOString());
		await h.client.resource(nodes).update({ ...node, status }, "status");
		await live(h, 10_000, ["n1", "n2"]);
		assert.deepEqual(taints("n1"), []);
		h.stop();
	});

	it("taints a cordoned and a pressed node", async () => {
		const { h, taints } = cluster(["n1"]);
		await h.start();
		await h.client.resource(nodes).patch("", "n1", "merge", { spec: { unschedulable: true } });
		await h.run();
		assert.deepEqual(taints("n1"), ["node.kubernetes.io/unschedulable:NoSchedule"]);
		await h.client.resource(nodes).patch("", "n1", "merge", { spec: { unschedulable: false } });
		await h.run();
		assert.deepEqual(taints("n1"), []);
		h.stop();
	});

	it("judges zones", () => {
		const zone = (unready: number, all: number) =>
			zoneState(
				Array.from({ length: all }, (_, i) => ({ zone: "", ready: i >= unready })),
				0.55,
			);
		assert.equal(zone(1, 2), "Normal");
		assert.equal(zone(2, 2), "FullDisruption");
		assert.equal(zone(3, 5), "PartialDisruption");
		assert.equal(zone(2, 3), "Normal");
	});

	it("knows how long a pod tolerates", () => {
		const taints = [
			{ key: "a", effect: "NoExecute" },
			{ key: "b", value: "x", effect: "NoExecute" },
		];
		assert.equal(toleratedMs([], taints), 0);
		assert.equal(toleratedMs([{ operator: "Exists" }], taints), Number.POSITIVE_INFINITY);
		assert.equal(
			toleratedMs(
				[
					{ key: "a", operator: "Exists", tolerationSeconds: 5 },
					{ key: "b", value: "x" },
				],
				taints,
			),
			5000,
		);
		assert.equal(
			toleratedMs(
				[
					{ key: "a", operator: "Exists" },
					{ key: "b", value: "y" },
				],
				taints,
			),
			0,
		);
	});
});

describe("pod garbage collector", () => {
	it("removes pods of nodes that are gone, and deleted pods never placed", async () => {
		const h = harness((ctx) => createPodGcController(ctx));
		h.client.add(nodeObject("n1", "True", start));
		h.client.add(podObject("stays", { node: "n1" }));
		h.client.add(podObject("orphan", { node: "gone" }));
		h.client.add({
			...podObject("unplaced"),
			metadata: { name: "unplaced", namespace: "default", finalizers: ["x/y"] },
		});
		await h.start();
		await h.client.resource(pods).delete("default", "unplaced");
		await h.run(30_000);
		assert.equal(h.client.peek(pods, "default/unplaced")?.status?.phase, "Failed");
		assert(h.client.peek(pods, "default/orphan") !== undefined, "the node may come back");
		await h.run(40_000);
		assert.equal(h.client.peek(pods, "default/orphan"), undefined);
		assert(h.client.peek(pods, "default/stays") !== undefined);
		h.stop();
	});

	it("has settled when what it had begun when it was stopped has ended, and begins nothing more", async () => {
		const goOn = Promise.withResolvers<void>();
		let deletions = 0;
		const h = harness((ctx) => {
			const resource = ctx.client.resource.bind(ctx.client);
			const waiting = (of: Parameters<typeof resource>[0]) => {
				const client = resource(of);
				const remove: typeof client.delete = async (...args) => {
					deletions++;
					await goOn.promise;
					await client.delete(...args);
				};
				return { ...client, delete: remove };
			};
			Object.assign(ctx.client, { resource: waiting });
			return createPodGcController(ctx);
		});
		const deletionTimestamp = start;
		for (let n = 0; n < 25; n++) {
			const metadata = { name: `p${n}`, namespace: "default", finalizers: ["x/y"], deletionTimestamp };
			h.client.add({ ...podObject(`p${n}`), metadata });
		}
		await h.start();
		await h.run(30_000);
		const begun = deletions;
		assert.ok(begun > 0 && begun < 25, String(begun));
		h.controllers[0]?.stop();
		let settled = false;
		void h.controllers[0]?.settled?.().then(() => {
			settled = true;
		});
		await h.run(1000);
		assert.equal(settled, false);
		goOn.resolve();
		await h.run(1000);
		assert.deepEqual([settled, deletions], [true, begun]);
		h.stop();
	});

	it("chooses evicted and then the oldest of too many ended pods", () => {
		const ended = (name: string, hour: number, reason?: string) => ({
			apiVersion: "v1",
			kind: "Pod",
			metadata: { name, creationTimestamp: `2026-01-01T0${hour}:00:00Z` },
			status: { phase: "Failed", ...(reason === undefined ? {} : { reason }) },
		});
		const all = [ended("new", 5), ended("old", 1), ended("evicted", 9, "Evicted")];
		assert.deepEqual(
			surplusTerminated(all, 1).map((p) => p.metadata.name),
			["evicted", "old"],
		);
		assert.deepEqual(surplusTerminated(all, 3), []);
	});
});
