import assert from "node:assert/strict";
import { humanDuration } from "../../machinery/duration.ts";
import type { KubeObject } from "../object.ts";
import { allResources, findResource } from "../resources.ts";
import { toTable } from "./table.ts";

const now = Date.parse("2024-01-01T12:00:00Z");
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString().replace(/\.\d+Z/, "Z");

function cells(group: string, resource: string, object: object, wide = false): unknown[] {
	const info = findResource(group, "v1", resource);
	assert.ok(info);
	const metadata = { name: "a", creationTimestamp: ago(300), ...(object as { metadata?: object }).metadata };
	const table = toTable(info, [{ ...object, metadata } as KubeObject], { includeObject: "None", now });
	assert.equal(table.columnDefinitions?.length, table.rows[0]?.cells.length);
	return (table.rows[0]?.cells ?? []).filter((_, i) => wide || table.columnDefinitions?.[i]?.priority === 0);
}

const running = (name: string, restartCount = 0, extra: object = {}) => ({
	name,
	ready: true,
	restartCount,
	state: { running: { startedAt: ago(10) } },
	...extra,
});

describe("scheme/printers/table", () => {
	it("shortens durations as kubectl does", () => {
		const s = 1000;
		const expected: [number, string][] = [
			[-5 * s, "<invalid>"],
			[-500, "0s"],
			[119 * s, "119s"],
			[120 * s, "2m"],
			[130 * s, "2m10s"],
			[600 * s, "10m"],
			[3 * 3600 * s, "3h"],
			[3 * 3600 * s + 61 * s, "3h1m"],
			[47 * 3600 * s, "47h"],
			[49 * 3600 * s, "2d1h"],
			[30 * 86400 * s, "30d"],
			[800 * 86400 * s, "2y70d"],
			[9 * 365 * 86400 * s, "9y"],
		];
		for (const [ms, text] of expected) assert.equal(humanDuration(ms), text);
	});

	it("sums a pod up", () => {
		const pod = (rest: object, metadata: object = {}) => cells("", "pods", { metadata, ...rest });
		const spec = { containers: [{ name: "a" }, { name: "b" }] };
		assert.deepEqual(pod({ spec, status: { phase: "Pending" } }), ["a", "0/2", "Pending", "0", "5m"]);
		assert.deepEqual(
			pod({
				spec,
				status: {
					phase: "Running",
					containerStatuses: [running("a", 2, { lastState: { terminated: { finishedAt: ago(300) } } }), running("b")],
				},
			}),
			["a", "2/2", "Running", "2 (5m ago)", "5m"],
		);
		assert.equal(
			pod({
				spec,
				status: {
					phase: "Running",
					containerStatuses: [{ name: "a", state: { waiting: { reason: "CrashLoopBackOff" } } }, running("b")],
				},
			})[2],
			"CrashLoopBackOff",
		);
		assert.equal(
			pod({
				spec,
				status: { phase: "Failed", containerStatuses: [{ name: "a", state: { terminated: { exitCode: 3 } } }] },
			})[2],
			"ExitCode:3",
		);
		assert.equal(pod({ spec, status: { phase: "Running" } }, { deletionTimestamp: ago(1) })[2], "Terminating");
		assert.equal(pod({ spec, status: { phase: "Failed", reason: "Evicted" } })[2], "Evicted");
		const init = { ...spec, initContainers: [{ name: "i" }, { name: "j" }] };
		assert.equal(
			pod({
				spec: init,
				status: {
					phase: "Pending",
					initContainerStatuses: [
						{ name: "i", state: { terminated: { exitCode: 0 } } },
						{ name: "j", state: { running: {} } },
					],
				},
			})[2],
			"Init:1/2",
		);
		assert.deepEqual(
			cells(
				"",
				"pods",
				{ spec: { ...spec, nodeName: "n1" }, status: { phase: "Running", podIP: "10.0.0.1" } },
				true,
			).slice(5),
			["10.0.0.1", "n1", "<none>", "<none>"],
		);
	});

	it("shows workloads", () => {
		const template = { spec: { containers: [{ name: "c", image: "i:1" }] } };
		const selector = {
			matchLabels: { app: "a" },
			matchExpressions: [{ key: "t", operator: "In", values: ["y", "x"] }],
		};
		assert.deepEqual(
			cells(
				"apps",
				"deployments",
				{ spec: { replicas: 3, template, selector }, status: { readyReplicas: 1, updatedReplicas: 2 } },
				true,
			),
			["a", "1/3", 2, 0, "5m", "c", "i:1", "app=a,t in (x,y)"],
		);
		assert.deepEqual(cells("apps", "replicasets", { spec: { replicas: 3 }, status: { replicas: 2 } }), [
			"a",
			3,
			2,
			0,
			"5m",
		]);
		assert.deepEqual(
			cells("batch", "jobs", { spec: { completions: 2 }, status: { succeeded: 1, startTime: ago(65) } }),
			["a", "Running", "1/2", "65s", "5m"],
		);
	});

	it("shows services, nodes, events and the rest", () => {
		const service = {
			spec: { type: "NodePort", clusterIP: "10.0.0.1", ports: [{ port: 80, nodePort: 30000, protocol: "TCP" }] },
		};
		assert.deepEqual(cells("", "services", service, true), [
			"a",
			"NodePort",
			"10.0.0.1",
			"<none>",
			"80:30000/TCP",
			"5m",
			"<none>",
		]);
		const node = {
			metadata: { labels: { "node-role.kubernetes.io/worker": "" } },
			spec: { unschedulable: true },
			status: { conditions: [{ type: "Ready", status: "True" }], nodeInfo: { kubeletVersion: "v1.33.0" } },
		};
		assert.deepEqual(cells("", "nodes", node), ["a", "Ready,SchedulingDisabled", "worker", "5m", "v1.33.0"]);
		const event = {
			type: "Normal",
			reason: "Started",
			involvedObject: { kind: "Pod", name: "p" },
			message: "hi\n",
			eventTime: ago(7),
		};
		assert.deepEqual(cells("", "events", event), ["7s", "Normal", "Started", "pod/p", "hi"]);
		assert.deepEqual(
			cells("events.k8s.io", "events", {
				...event,
				message: undefined,
				involvedObject: undefined,
				regarding: { kind: "Pod", name: "p" },
				note: "hi",
			}),
			["7s", "Normal", "Started", "pod/p", "hi"],
		);
		const subsets = [{ addresses: [{ ip: "1.1.1.1" }, { ip: "1.1.1.2" }], ports: [{ port: 1 }, { port: 2 }] }];
		assert.equal(cells("", "endpoints", { subsets })[1], "1.1.1.1:1,1.1.1.2:1,1.1.1.1:2 + 1 more...");
		const binding = {
			roleRef: { kind: "Role", name: "r" },
			subjects: [{ kind: "ServiceAccount", name: "s", namespace: "n" }],
		};
		assert.deepEqual(cells("rbac.authorization.k8s.io", "rolebindings", binding, true), [
			"a",
			"Role/r",
			"5m",
			"",
			"",
			"n/s",
		]);
	});

	it("shows something of every resource, even of an empty object", () => {
		for (const resource of allResources) {
			const table = toTable(resource, [{ kind: resource.kind, apiVersion: "v1", metadata: {} }], {
				includeObject: "Metadata",
				now,
				resourceVersion: "7",
			});
			assert.equal(table.metadata.resourceVersion, "7");
			for (const cell of table.rows[0]?.cells ?? []) assert.notEqual(cell, undefined, resource.resource);
		}
	});
});
