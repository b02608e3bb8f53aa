import assert from "node:assert/strict";
import { createFakeClient } from "../../apiserver/client/fake.ts";
import { nodes } from "../../apiserver/client/resources.ts";
import { silentLogger } from "../../kit/log.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { type NodeOptions, NodeReporter } from "./node.ts";

function reporter() {
	const clock = new VirtualClock({ turns: 8 });
	const client = createFakeClient({ clock });
	const options: NodeOptions = {
		client,
		clock,
		logger: silentLogger,
		name: "n1",
		address: "127.0.0.1",
		port: 10250,
		podCidr: "10.0.0.0/24",
		labels: {},
		taints: [],
		maxPods: 110,
		kubeletVersion: "v1.33.0",
		runtimeVersion: "process://1",
		bootId: "b",
		statusUpdateMs: 10_000,
		statusReportMs: 300_000,
		leaseDurationSeconds: 40,
		capacity: {},
	};
	const writes = () => client.actions.filter((action) => action.subresource === "status").length;
	return { clock, client, writes, node: new NodeReporter(options) };
}

describe("node status", () => {
	it("is written again when its interval is over, and not before while nothing but the heartbeat changes", async () => {
		const { clock, writes, node } = reporter();
		void node.start();
		await clock.runFor(1000);
		assert.equal(writes(), 1);
		await clock.runFor(280_000);
		assert.equal(writes(), 1);
		await clock.runFor(30_000);
		assert.equal(writes(), 2);
		node.stop();
	});

	it("is put right within its update time where somebody else changed it", async () => {
		const { clock, client, node } = reporter();
		void node.start();
		await clock.runFor(1000);
		const condition = { type: "Ready", status: "Unknown", reason: "NodeStatusUnknown" };
		await client.resource(nodes).patch("", "n1", "strategic", { status: { conditions: [condition] } }, "status");
		await clock.runFor(11_000);
		const ready = client.peek(nodes, "n1")?.status?.conditions?.find((c) => c.type === "Ready");
		assert.equal(ready?.status, "True");
		node.stop();
	});
});
