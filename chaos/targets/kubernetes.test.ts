import assert from "node:assert/strict";
import { configMaps } from "../../apiserver/client/resources.ts";
import { systemClock } from "../../kit/clock.ts";
import { describeViolation } from "../checkers/violation.ts";
import { runWorkload } from "../run.ts";
import { kubernetesWorkloads } from "../workloads/kubernetes.ts";
import { startClusterMembers } from "./kubernetes.ts";

describe("chaos/targets: a whole cluster", function () {
	this.timeout(120_000);
	let members: Awaited<ReturnType<typeof startClusterMembers>>;

	before(async () => {
		members = await startClusterMembers({ masters: 3 });
	});
	after(() => members?.close());

	it("tells who leads, and another once the leader has stopped", async () => {
		const first = await untilLed();
		await members.stop?.(first.name);
		const second = await untilLed();
		assert.notEqual(second.name, first.name);
		assert.ok(second.term > first.term);
		await members.start(first.name);
		await members.start(first.name);
	});

	it("pauses all that runs on a master, and compacts history", async () => {
		const [name = ""] = members.names;
		await members.pause?.(name);
		const client = members.connect(0);
		try {
			await assert.rejects(client.apis[0]!.resource(configMaps).list("default"), { name: "ConnectionError" });
			await client.apis[1]!.resource(configMaps).list("default");
			await members.resume?.(name);
			await client.apis[0]!.resource(configMaps).list("default");
			await members.compact?.();
		} finally {
			await client.close();
		}
	});

	it("keeps what controllers promise while nothing is harmed", async () => {
		const outcome = await runWorkload({
			workload: kubernetesWorkloads.get("k8s-controllers")!,
			connect: (index) => members.connect(index),
			clock: systemClock,
			seed: 1,
			clients: 4,
			workMs: 4000,
		});
		assert.deepEqual(outcome.violations.map(describeViolation), []);
		assert.ok(outcome.finished && outcome.counts.ok > 4);
	});

	async function untilLed() {
		for (;;) {
			const leadership = await members.leader();
			if (leadership !== undefined) return leadership;
		}
	}
});
