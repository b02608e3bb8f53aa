import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { dns1123SubdomainProblems } from "../machinery/names.ts";
import { createEventRecorder } from "./events.ts";
import { createFakeClient } from "./fake.ts";
import { events } from "./resources.ts";

function setup() {
	const clock = new VirtualClock({ turns: 5 });
	const client = createFakeClient({ clock });
	const random = seededRandom(1);
	const recorder = createEventRecorder({ client, clock, random, logger: silentLogger, component: "test-controller" });
	const pod = client.add({ apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "ns" } });
	return { clock, client, recorder, pod };
}

describe("event recorder", () => {
	it("counts repetitions in one event", async () => {
		const { clock, client, recorder, pod } = setup();
		for (let i = 0; i < 3; i++) {
			recorder.event(pod, "Normal", "Pulled", "Image is there");
			await recorder.flush();
			await clock.runFor(60_000);
		}
		const [event, ...rest] = client.all(events);
		assert.equal(rest.length, 0);
		assert.equal(event?.count, 3);
		assert.equal(event?.metadata.namespace, "ns");
		assert.match(event?.metadata.name ?? "", /^p\.[0-9a-f]+$/);
		assert.equal(event?.involvedObject?.uid, pod.metadata.uid);
		assert.equal(event?.source?.component, "test-controller");
		assert.notEqual(event?.firstTimestamp, event?.lastTimestamp);
	});

	it("combines many similar messages and cuts floods", async () => {
		const { client, recorder, pod } = setup();
		for (let i = 0; i < 40; i++) recorder.event(pod, "Warning", "Failed", `attempt ${i}`);
		await recorder.flush();
		const all = client.all(events);
		assert.equal(all.length, 10);
		const combined = all.filter((e) => e.message?.startsWith("(combined from similar events): attempt"));
		assert.equal(combined.length, 1);
		assert.equal(combined[0]?.count, 25 - 9);
	});

	it("names events of objects whose own names would make none", async () => {
		const { client, recorder } = setup();
		const names = ["a".repeat(253), "system:controller:x", "Upper", "a"];
		for (const name of names) recorder.event({ kind: "X", name, uid: name }, "Normal", "Done", "it is");
		await recorder.flush();
		const made = client.all(events).map((event) => event.metadata.name ?? "");
		assert.equal(new Set(made).size, names.length);
		for (const name of made) assert.deepEqual(dns1123SubdomainProblems(name), []);
	});

	it("tries again after a failed connection", async () => {
		const { clock, client, recorder, pod } = setup();
		client.failNext("create", "events", new Error("refused"), 2);
		recorder.event(pod, "Normal", "Done", "it is");
		await clock.runFor(60_000);
		assert.equal(client.all(events).length, 1);
	});
});
