import assert from "node:assert/strict";
import { silentLogger } from "../../kit/log.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { ApiError, expired, serviceUnavailable } from "../machinery/errors.ts";
import { createFakeClient, type FakeClient } from "./fake.ts";
import { createInformerFactory } from "./informer.ts";
import { configMaps } from "./resources.ts";
import type { WatchOptions } from "./types.ts";

type WatchLists = "yes" | "refused" | "ignored";

function recording(client: FakeClient, asked: string[]): FakeClient {
	const note = (verb: string, o: WatchOptions) => {
		const { limit, resourceVersion, resourceVersionMatch, sendInitialEvents } = o;
		asked.push(
			JSON.stringify([verb, { limit, resourceVersion, resourceVersionMatch, sendInitialEvents, next: o.continue }]),
		);
	};
	return {
		...client,
		resource(resource) {
			const inner = client.resource(resource);
			return {
				...inner,
				list(namespace, options = {}) {
					note("list", options);
					return inner.list(namespace, options);
				},
				watch(namespace, options, signal) {
					note("watch", options);
					return inner.watch(namespace, options, signal);
				},
			};
		},
	};
}

/** An informer that asks for the newest state. */
function informerOf(client: FakeClient, clock: VirtualClock, asked: string[]) {
	const recorded = recording(client, asked);
	const world = { onList: () => {} };
	const hooked: FakeClient = {
		...recorded,
		resource(resource) {
			const inner = recorded.resource(resource);
			return {
				...inner,
				list(namespace, options) {
					world.onList();
					return inner.list(namespace, options);
				},
			};
		},
	};
	const options = { client: hooked, clock, random: seededRandom(1), logger: silentLogger, newest: true };
	const factory = createInformerFactory(options);
	return Object.assign(world, { informer: factory.informer(configMaps), start: factory.start, stop: factory.stop });
}

function setup(watchLists: WatchLists = "yes") {
	const clock = new VirtualClock({ turns: 5 });
	const client = createFakeClient({ clock, watchLists });
	/** What was asked of the server, in short. */
	const asked: string[] = [];
	const parked: string[] = [];
	const factory = createInformerFactory({
		client: recording(client, asked),
		clock,
		random: seededRandom(1),
		logger: silentLogger,
		onParked: ({ namespace, name }, why) => void parked.push(`${namespace}/${name}: ${why}`),
	});
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
	return { clock, client, factory, informer, log, api, put, asked, parked };
}

for (const watchLists of ["yes", "refused"] as const) {
	describe(`informer, watch-lists: ${watchLists}`, () => {
		it("lists, then watches, and tells handlers in order", async () => {
			const { clock, factory, informer, log, api, put } = setup(watchLists);
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
			const { clock, client, factory, log, put } = setup(watchLists);
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
			const { clock, client, factory, log, api, put } = setup(watchLists);
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
			const { clock, client, factory, log, api, put } = setup(watchLists);
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
			const { clock, client, factory, informer, put } = setup(watchLists);
			await put("a");
			const verb = watchLists === "yes" ? "watch" : "list";
			client.failNext(verb, "configmaps", serviceUnavailable("starting"), 2);
			client.failNext(verb, "configmaps", expired("too old resource version: 0 (9)"));
			factory.start();
			await clock.settle();
			assert.equal(informer.synced, false);
			await clock.runFor(20_000);
			assert.equal(informer.synced, true);
			assert.equal(informer.get("default/a")?.metadata.name, "a");
			factory.stop();
		});

		it("leaves an object that is none as it was known, says so, and goes on", async () => {
			const { clock, client, factory, informer, log, put, parked } = setup(watchLists);
			const a = await put("a");
			await put("b");
			const broken = { labels: ["not", "a", "map"] } as unknown as Record<string, string>;
			client.store({ ...a, metadata: { ...a.metadata, labels: broken } });
			informer.addIndex("color", (o) => [(o.metadata.labels as Record<string, string>)["color"] as string]);
			factory.start();
			await clock.settle();
			assert(informer.synced);
			assert.deepEqual(log, ["add b"]);
			client.store(a);
			await clock.settle();
			client.store({ ...a, metadata: { ...a.metadata, finalizers: "x" as unknown as string[] } });
			await put("c");
			await clock.settle();
			assert.deepEqual(log, ["add b", "add a", "add c"]);
			client.compact();
			client.breakWatches();
			await clock.runFor(10_000);
			assert.deepEqual(log, ["add b", "add a", "add c"], "and a new list does not take it for deleted");
			assert.equal(parked[0], "default/a: metadata.labels is no map of strings");
			assert(parked.slice(1).every((text) => text === "default/a: metadata.finalizers is no list of strings"));
			factory.stop();
		});

		it("keeps an object out of an index that cannot read it, and only out of that", async () => {
			const { clock, factory, informer, put } = setup(watchLists);
			informer.addIndex("color", (o) => [o.metadata.labels?.["color"] ?? ""]);
			informer.addIndex("broken", (o) => {
				if (o.metadata.name === "a") throw new TypeError("unreadable");
				return ["x"];
			});
			await put("a");
			factory.start();
			await clock.settle();
			await put("b");
			await clock.settle();
			assert.equal(informer.list().length, 2);
			assert.equal(informer.byIndex("color", "a").length, 1);
			assert.equal(informer.byIndex("broken", "x").length, 1);
			factory.stop();
		});
	});
}

describe("informer, how it asks", () => {
	it("asks for a watch that begins with all objects, and follows the same", async () => {
		const { clock, factory, put, asked, informer } = setup();
		await put("a");
		factory.start();
		await factory.whenSynced();
		await put("b");
		await clock.settle();
		assert.equal(informer.list().length, 2);
		assert.deepEqual(asked, [
			'["watch",{"resourceVersion":"0","resourceVersionMatch":"NotOlderThan","sendInitialEvents":true}]',
		]);
		factory.stop();
	});

	it("is not synced, and deletes nothing, before a watch-list has ended; one that breaks off begins anew", async () => {
		const { clock, client, factory, informer, put, log } = setup();
		await put("a");
		factory.start();
		await factory.whenSynced();
		client.breakWatches();
		await clock.settle();
		client.holdBookmarks(true);
		await put("b");
		client.compact();
		await clock.runFor(20_000);
		assert.deepEqual(log, ["add a"], "nothing is known to be all there is");
		client.breakWatches();
		client.holdBookmarks(false);
		await clock.runFor(60_000);
		assert.deepEqual(log, ["add a", "add b"]);
		assert.equal(informer.list().length, 2);
		factory.stop();
	});

	it("lists in pages where the server refuses watch-lists, or never says that it has sent all", async () => {
		for (const watchLists of ["refused", "ignored"] as const) {
			const { clock, client, factory, informer, asked } = setup(watchLists);
			for (let i = 0; i < 1200; i++) client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: `m${i}` } });
			const second = informerOf(client, clock, asked);
			asked.length = 0;
			second.start();
			await clock.runFor(40_000);
			assert(second.informer.synced, watchLists);
			assert.equal(second.informer.list().length, 1200);
			const pages = asked.filter((text) => text.startsWith('["list"')).map((text) => JSON.parse(text)[1]);
			assert.deepEqual(
				pages.map(({ limit, next }) => [limit, next !== undefined]),
				[
					[500, false],
					[500, true],
					[500, true],
				],
				watchLists,
			);
			assert.equal(informer.synced, false);
			factory.stop();
			second.stop();
		}
	});

	it("has the whole list where a page's token has expired meanwhile", async () => {
		const { clock, client, factory, asked } = setup("refused");
		for (let i = 0; i < 1200; i++) client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: `m${i}` } });
		const second = informerOf(client, clock, asked);
		let pages = 0;
		second.onList = () => {
			if (++pages !== 2) return;
			client.add({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late" } });
			client.compact();
		};
		second.start();
		await clock.runFor(5000);
		assert.equal(second.informer.list().length, 1201);
		assert.equal(pages, 3);
		factory.stop();
		second.stop();
	});

	it("names the rule beside version and limit, which would mean exactly that version without one", async () => {
		const { clock, client, factory, asked, put } = setup("refused");
		await put("a");
		factory.start();
		await factory.whenSynced();
		asked.length = 0;
		client.breakWatches();
		client.failNext("watch", "configmaps", new ApiError(500, "InternalError", "x"));
		await clock.runFor(20_000);
		assert.match(
			asked.find((text) => text.startsWith('["list"')) ?? "",
			/"limit":500,"resourceVersion":"2","resourceVersionMatch":"NotOlderThan"/,
		);
		factory.stop();
	});
});
