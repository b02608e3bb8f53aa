import assert from "node:assert/strict";
import { createEventRecorder } from "../../apiserver/client/events.ts";
import { createFakeClient } from "../../apiserver/client/fake.ts";
import { createInformerFactory } from "../../apiserver/client/informer.ts";
import { events, nodes, pods } from "../../apiserver/client/resources.ts";
import { tolerates } from "../../apiserver/machinery/pods.ts";
import type { KubeObject } from "../../apiserver/scheme/object.ts";
import type { Node, NodeSpec, Pod, PodSpec } from "../../apiserver/scheme/types.gen.ts";
import { silentLogger } from "../../kit/log.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { decide } from "./decide.ts";
import type { Snapshot } from "./framework.ts";
import { NodeInfo, podRequests } from "./node-info.ts";
import { Scheduler } from "./scheduler.ts";

const random = seededRandom(1);
let nextUid = 0;

function makeNode(name: string, spec: NodeSpec = {}, labels: Record<string, string> = {}, cpu = "4"): KubeObject<Node> {
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
		spec,
		status: { allocatable: { cpu, memory: "8Gi", pods: "110" } },
	};
}

function makePod(name: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): KubeObject<Pod> {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace: "default", uid: `uid-${nextUid++}`, labels },
		spec: { containers: [{ name: "c", image: "echo" }], ...spec },
	};
}

const asking = (cpu: string): Partial<PodSpec> => ({
	containers: [{ name: "c", image: "echo", resources: { requests: { cpu } } }],
});

function snapshot(...infos: NodeInfo[]): Snapshot {
	return { nodes: infos, namespaceLabels: () => ({}), defaultSelectors: () => [] };
}

const infos = (...list: KubeObject<Node>[]) => list.map((node) => new NodeInfo(node));

describe("scheduler: decision", () => {
	it("sums requests of containers, sidecars and the largest init container", () => {
		const pod = makePod("p", {
			initContainers: [
				{ name: "side", restartPolicy: "Always", resources: { requests: { cpu: "100m" } } },
				{ name: "init", resources: { requests: { cpu: "2" } } },
			],
			containers: [
				{ name: "a", resources: { requests: { cpu: "500m", memory: "1Gi" } } },
				{ name: "b", resources: { requests: { cpu: "500m" } } },
			],
		});
		assert.deepEqual(
			[...podRequests(pod)],
			[
				["cpu", 2100],
				["memory", 2 ** 30],
			],
		);
	});

	it("says why no node fits, as upstream words it", () => {
		const [small, cordoned, tainted] = infos(
			makeNode("small", {}, {}, "1"),
			makeNode("cordoned", { unschedulable: true }),
			makeNode("tainted", { taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] }),
		);
		assert.ok(small && cordoned && tainted);
		const decision = decide(makePod("p", asking("2")), snapshot(small, cordoned, tainted), random);
		assert.deepEqual(decision, {
			node: undefined,
			message:
				"0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable.",
		});
		assert.deepEqual(decide(makePod("p"), snapshot(), random), {
			node: undefined,
			message: "no nodes available to schedule pods",
		});
	});

	it("honours node selectors, affinity and tolerations", () => {
		const all = infos(
			makeNode("a", {}, { disk: "ssd" }),
			makeNode("b", { taints: [{ key: "k", value: "v", effect: "NoExecute" }] }),
			makeNode("c", {}, { zone: "z1" }),
		);
		const place = (spec: Partial<PodSpec>) => decide(makePod("p", spec), snapshot(...all), random).node;
		assert.equal(place({ nodeSelector: { disk: "ssd" } }), "a");
		const only = (key: string, operator: string, values?: string[]): Partial<PodSpec> => ({
			affinity: {
				nodeAffinity: {
					requiredDuringSchedulingIgnoredDuringExecution: {
						nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
					},
				},
			},
		});
		assert.equal(place(only("zone", "In", ["z1", "z2"])), "c");
		assert.equal(place(only("kubernetes.io/hostname", "In", ["b"])), undefined);
		assert.equal(
			place({ ...only("kubernetes.io/hostname", "In", ["b"]), tolerations: [{ key: "k", operator: "Exists" }] }),
			"b",
		);
		assert.ok(tolerates({ operator: "Exists" }, { key: "x", effect: "NoExecute" }));
		assert.ok(!tolerates({ key: "x", value: "1" }, { key: "x", value: "2", effect: "NoExecute" }));
	});

	it("spreads over topology domains, and keeps pods apart or together as asked", () => {
		const [a, b] = infos(makeNode("a"), makeNode("b"));
		assert.ok(a && b);
		const labels = { app: "web" };
		a.addPod(makePod("w1", {}, labels));
		const hostname = "kubernetes.io/hostname";
		const spread: Partial<PodSpec> = {
			topologySpreadConstraints: [
				{
					topologyKey: hostname,
					maxSkew: 1,
					whenUnsatisfiable: "DoNotSchedule",
					labelSelector: { matchLabels: labels },
				},
			],
		};
		assert.equal(decide(makePod("w2", spread, labels), snapshot(a, b), random).node, "b");
		const term = { topologyKey: hostname, labelSelector: { matchLabels: labels } };
		const apart = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
		const together = { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
		assert.equal(decide(makePod("x", apart), snapshot(a, b), random).node, "b");
		assert.equal(decide(makePod("y", together), snapshot(a, b), random).node, "a");
		// A running pod's anti-affinity binds newcomers too.
		b.addPod(
			makePod("hermit", { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }),
		);
		assert.equal(decide(makePod("z", spread, labels), snapshot(a, b), random).node, undefined);
	});

	it("refuses a host port that is taken", () => {
		const [a, b] = infos(makeNode("a"), makeNode("b"));
		assert.ok(a && b);
		const port: Partial<PodSpec> = { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] };
		a.addPod(makePod("p", port));
		assert.equal(decide(makePod("q", port), snapshot(a, b), random).node, "b");
	});
});

function harness() {
	const clock = new VirtualClock();
	const client = createFakeClient({ clock });
	const world = { client, clock, random: seededRandom(7), logger: silentLogger };
	const informers = createInformerFactory(world);
	const recorder = createEventRecorder({ ...world, component: "default-scheduler" });
	const scheduler = new Scheduler({ ...world, informers, recorder });
	return { clock, client, informers, scheduler };
}

describe("scheduler: loop", () => {
	it("binds every pod within capacity, parks the rest and places it when room appears", async () => {
		const { clock, client, informers, scheduler } = harness();
		client.add(makeNode("n1", {}, {}, "2"));
		client.add(makeNode("n2", {}, {}, "2"));
		for (let i = 0; i < 5; i++) client.add(makePod(`p${i}`, asking("1")));
		informers.start();
		await clock.runFor(10);
		scheduler.start();
		await clock.runFor(2_000);
		const placed = () => client.all(pods, "default").filter((pod) => pod.spec?.nodeName);
		assert.equal(placed().length, 4);
		for (const name of ["n1", "n2"]) assert.equal(placed().filter((pod) => pod.spec?.nodeName === name).length, 2);
		const left = client.all(pods, "default").find((pod) => !pod.spec?.nodeName);
		const condition = left?.status?.conditions?.find((candidate) => candidate.type === "PodScheduled");
		assert.equal(condition?.reason, "Unschedulable");
		assert.equal(condition?.message, "0/2 nodes are available: 2 Insufficient cpu.");
		assert.ok(client.all(events, "default").some((event) => event.reason === "FailedScheduling"));
		client.add(makeNode("n3"));
		await clock.runFor(15_000);
		assert.equal(placed().length, 5);
		assert.equal(client.peek(nodes, "n3")?.metadata.name, "n3");
		scheduler.stop();
		informers.stop();
	});

	it("tries again after a failed binding and forgets the assumption", async () => {
		const { clock, client, informers, scheduler } = harness();
		client.add(makeNode("n1", {}, {}, "1"));
		client.add(makePod("p", asking("1")));
		client.failNext("create", "pods", new Error("broken pipe"));
		informers.start();
		await clock.runFor(10);
		scheduler.start();
		await clock.runFor(100);
		assert.equal(client.peek(pods, "default/p")?.spec?.nodeName, undefined);
		await clock.runFor(3_000);
		assert.equal(client.peek(pods, "default/p")?.spec?.nodeName, "n1");
		scheduler.stop();
		informers.stop();
	});

	it("leaves gated pods and other schedulers' pods alone", async () => {
		const { clock, client, informers, scheduler } = harness();
		client.add(makeNode("n1"));
		client.add(makePod("gated", { schedulingGates: [{ name: "wait" }] }));
		client.add(makePod("foreign", { schedulerName: "other" }));
		informers.start();
		await clock.runFor(10);
		scheduler.start();
		await clock.runFor(1_000);
		assert.ok(client.all(pods, "default").every((pod) => !pod.spec?.nodeName));
		scheduler.stop();
		informers.stop();
	});

	it("parks, with an event, each pod that cannot be read, and schedules the others", async () => {
		const { clock, client, informers, scheduler } = harness();
		const selector = { matchExpressions: [{ key: "a", operator: "Likes", values: ["b"] }] };
		const term = { topologyKey: "kubernetes.io/hostname", labelSelector: selector };
		const terms = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
		const bad: Record<string, Partial<PodSpec>> = {
			affinity: { affinity: { podAffinity: terms } },
			anti: { affinity: { podAntiAffinity: terms } },
			spread: {
				topologySpreadConstraints: [
					{ maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "DoNotSchedule", labelSelector: selector },
				],
			},
			quantity: asking("many"),
			number: {
				affinity: {
					nodeAffinity: {
						requiredDuringSchedulingIgnoredDuringExecution: {
							nodeSelectorTerms: [{ matchExpressions: [{ key: "n", operator: "Gt", values: ["x"] }] }],
						},
					},
				},
			},
			shape: { containers: 7 as unknown as [] },
		};
		const store = (object: KubeObject<object>) => {
			client.add({ apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata });
			client.store(object);
		};
		client.add(makeNode("n1", {}, { n: "5" }));
		store(makeNode("n2", {}, { n: "5" }, "lots"));
		store({ ...makeNode("n3"), status: { allocatable: 5 } } as unknown as KubeObject<object>);
		// What runs already may be unreadable, too.
		for (const [name, spec] of Object.entries(bad)) store(makePod(`placed-${name}`, { ...spec, nodeName: "n1" }));
		for (const [name, spec] of Object.entries(bad)) store(makePod(name, spec));
		const set = {
			apiVersion: "apps/v1",
			kind: "ReplicaSet",
			metadata: { name: "rs", namespace: "default", uid: "rs" },
		};
		store({ ...set, spec: { selector } } as KubeObject<object>);
		const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "rs", controller: true };
		for (const name of ["good", "owned"]) {
			const pod = makePod(name, asking("1"), { a: "b" });
			client.add(name === "good" ? pod : { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } });
		}
		informers.start();
		await clock.runFor(10);
		scheduler.start();
		await clock.runFor(5_000);
		for (const name of ["good", "owned"])
			assert.equal(client.peek(pods, `default/${name}`)?.spec?.nodeName, "n1", name);
		const told = client.all(events).map(({ reason, involvedObject }) => `${reason} ${involvedObject?.name}`);
		for (const name of Object.keys(bad)) {
			assert(told.includes(`FailedScheduling ${name}`), name);
			const { conditions } = client.peek(pods, `default/${name}`)?.status ?? {};
			assert.equal(conditions?.find(({ type }) => type === "PodScheduled")?.reason, "SchedulerError", name);
		}
		for (const name of ["n2", "placed-quantity", "placed-shape"]) assert(told.includes(`FailedDecode ${name}`), name);
		assert.equal(scheduler.metrics.scheduled, 2);
		// What was counted of them is taken back as it was counted.
		await client.resource(pods).delete("default", "placed-quantity", { gracePeriodSeconds: 0 });
		await clock.runFor(1000);
		scheduler.stop();
		informers.stop();
	});
});
