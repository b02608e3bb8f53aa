import assert from "node:assert/strict";
import { systemClock } from "../../kit/clock.ts";
import { silentLogger } from "../../kit/log.ts";
import { type StoreClient, StoreError, type WatchHandler } from "../../store/api.ts";
import { memoryStore } from "../../store/client/memory.ts";
import { Cacher } from "./cacher.ts";

const readFacts = () => ({ labels: {}, fields: {} });

describe("cache/cacher", () => {
	let store: StoreClient;
	let handler: WatchHandler | undefined;
	let cacher: Cacher;
	const put = (key: string, value = "{}") => store.put({ key: Buffer.from(key), value: Buffer.from(value) });

	before(async () => {
		const memory = memoryStore();
		store = new Proxy(memory, {
			get(target, key) {
				if (key === "watch") {
					return (...args: Parameters<StoreClient["watch"]>) => {
						handler = args[1];
						return target.watch(...args);
					};
				}
				const value = Reflect.get(target, key);
				return typeof value === "function" ? value.bind(target) : value;
			},
		});
		for (let i = 0; i < 25; i++) await put(`/registry/pods/a/${i}`);
		await put("/registry/services/specs/a/s");
		await put("/registry/services/endpoints/a/s");
		await put("/registry/unknown/a/s");
		await put("/other");
		cacher = new Cacher({
			store,
			root: "/registry/",
			resources: [
				{ storagePrefix: "pods", readFacts },
				{ storagePrefix: "services/specs", readFacts },
				{ storagePrefix: "services/endpoints", readFacts },
			],
			clock: systemClock,
			log: silentLogger,
			pageSize: 7,
		});
		cacher.start();
		await cacher.whenReady();
	});
	after(async () => {
		cacher.stop();
		await store.close();
	});

	it("fills page by page, each key into its resource's cache", () => {
		assert.equal(cacher.resource("pods").size, 25);
		assert.equal(cacher.resource("services/specs").size, 1);
		assert.equal(cacher.resource("services/endpoints").get("a/s")?.bytes.toString(), "{}");
	});

	it("has what was acknowledged before a consistent read, also when nothing of its own changed", async () => {
		for (let i = 0; i < 30; i++) {
			await put(i % 2 === 0 ? "/registry/pods/a/new" : "/elsewhere", String(i));
			assert.equal(await cacher.waitConsistent(), true);
			const expected = String(i % 2 === 0 ? i : i - 1);
			assert.equal(cacher.resource("pods").get("a/new")?.bytes.toString(), expected);
		}
	});

	it("does not wait longer than told for a revision that does not come", async () => {
		assert.equal(await cacher.waitFor(1_000_000, 30), false);
		assert.equal(await cacher.waitFor(cacher.revision, 0), true);
	});

	it("starts over when the store has compacted what it missed", async () => {
		const changes: string[] = [];
		const stop = cacher
			.resource("pods")
			.listen(({ path, current }) => changes.push(`${path} ${current?.bytes ?? "gone"}`));
		const lost = handler;
		lost?.onEnd(new StoreError("compacted", "compacted", { compactRevision: 1 }));
		assert.equal(cacher.ready, false);
		await store.deleteRange({ key: Buffer.from("/registry/pods/a/1") });
		await put("/registry/pods/a/2", "changed");
		await cacher.whenReady();
		assert.equal(await cacher.waitConsistent(), true);
		assert.equal(cacher.resource("pods").get("a/1"), undefined);
		assert.equal(cacher.resource("pods").get("a/2")?.bytes.toString(), "changed");
		assert.ok(changes.includes("a/1 gone") && changes.includes("a/2 changed"), changes.join());
		stop();
	});

	it("follows on after falling behind", async () => {
		handler?.onEnd(new StoreError("slow_watcher", "slow"));
		await put("/registry/pods/a/3", "later");
		assert.equal(await cacher.waitConsistent(), true);
		assert.equal(cacher.resource("pods").get("a/3")?.bytes.toString(), "later");
	});
});
