import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { expired, serviceUnavailable } from "../machinery/errors.ts";
import { createFakeClient } from "./fake.ts";
import { createInformerFactory } from "./informer.ts";
import { configMaps } from "./resources.ts";

function setup() {
	const clock = new VirtualClock({ turns: 5 });
	const client = createFakeClient({ clock });
	const factory = createInformerFactory({ client, clock, random: seededRandom(1), logger: silentLogger });
	const log: string[] = [];
	const informer = factory.informer(configMaps);
	informer.addHandlers({
		onAdd: (o) => log.push(`add ${o.metadata.name}`),
		onUpdate: (p, o) =>
			log.push(`update ${o.metadata.name} ${p.metadata.resourceVersion}->${o.metadata.resourceVersion}`),
		onDelete: (o) => log.push(`delete ${o.metadata.name}`),
	});
	const api = client.resource(configMaps);
	const put = (name: string) => api.create("default", { metadata: { name, labels: { color: name } } });
	return { clock, client, factory, informer, log, api, put };
}

describe("informer", () => {
	it("lists, then watches, and tells handlers in order", async () => {
		const { clock, factory, informer, log, api, put } = setup();
		const a = await put("a");
		informer.addIndex("color", (o) => [o.metadata.labels?.["color"] ?? ""]);
		factory.start();
		await factory.whenSynced();
		await put("b");
		await api.update({ ...a, data: { x: "1" } });
		await api.delete("default", "b");
		await clock.settle();
		assert.deepEqual(log, ["add a", "add b", "update a 2->4", "delete b"]);
		assert.equal(informer.byIndex("color", "a").length, 1);
		assert.equal(informer.byIndex("color", "b").length, 0);
		assert.deepEqual(
			informer.list("default").map((o) => o.metadata.name),
			["a"],
		);
		factory.stop();
	});

	it("resumes from its version after a broken connection", async () => {
		const { clock, client, factory, log, put } = setup();
		factory.start();
		await factory.whenSynced();
		await put("a");
		await clock.settle();
		client.breakWatches();
		await clock.settle();
		await put("b");
		await clock.settle();
		assert.deepEqual(log, ["add a"]);
		await clock.runFor(2000);
		assert.deepEqual(log, ["add a", "add b"]);
		factory.stop();
	});

	it("lists again after 410 and tells only the difference", async () => {
		const { clock, client, factory, log, api, put } = setup();
		await put("a");
		await put("b");
		factory.start();
		await factory.whenSynced();
		await clock.settle();
		client.breakWatches();
		await clock.settle();
		await api.delete("default", "a");
		await put("c");
		client.compact();
		await clock.runFor(10_000);
		assert.deepEqual(log.slice(2).sort(), ["add c", "delete a"]);
		factory.stop();
	});

	it("sees a name whose object was replaced as a deletion and an addition", async () => {
		const { clock, client, factory, log, api, put } = setup();
		await put("a");
		factory.start();
		await factory.whenSynced();
		await clock.settle();
		client.breakWatches();
		await clock.settle();
		await api.delete("default", "a");
		await put("a");
		client.compact();
		await clock.runFor(10_000);
		assert.deepEqual(log, ["add a", "delete a", "add a"]);
		factory.stop();
	});

	it("backs off while the list fails, and asks for the newest state when its version is refused", async () => {
		const { clock, client, factory, informer, put } = setup();
		await put("a");
		client.failNext("list", "configmaps", serviceUnavailable("starting"), 2);
		client.failNext("list", "configmaps", expired("too old resource version: 0 (9)"));
		factory.start();
		await clock.settle();
		assert.equal(informer.synced, false);
		await clock.runFor(20_000);
		assert.equal(informer.synced, true);
		assert.equal(informer.get("default/a")?.metadata.name, "a");
		factory.stop();
	});
});
