import assert from "node:assert/strict";
import { createFakeClient } from "../../apiserver/client/fake.ts";
import { configMaps } from "../../apiserver/client/resources.ts";
import { ConnectionError } from "../../apiserver/client/rest.ts";
import type { ApiClient } from "../../apiserver/client/types.ts";
import { ApiError, serviceUnavailable } from "../../apiserver/machinery/errors.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { Violation } from "../checkers/violation.ts";
import { joinStretches } from "../checkers/world.ts";
import { Follower, revisionOf } from "./follower.ts";

function setup() {
	const clock = new VirtualClock({ turns: 8 });
	const client = createFakeClient({ clock });
	const maps = client.resource(configMaps);
	/** A broken watch, as it is told over a real connection. */
	const resource: ApiClient["resource"] = (of) => {
		const real = client.resource(of);
		const watch: typeof real.watch = async function* (...args) {
			try {
				yield* real.watch(...args);
			} catch (error) {
				throw error instanceof ApiError ? error : new ConnectionError("broken", "ECONNRESET", error);
			}
		};
		return { ...real, watch };
	};
	const follow = (index = 0) =>
		new Follower({
			target: { apis: [{ ...client, resource }], namespace: "default" },
			resource: configMaps,
			namespace: "default",
			selection: {},
			project: ({ data }) => data?.["n"],
			index,
			clock,
		});
	const write = async (name: string, n: string) => {
		const found = await maps.get("default", name).catch(() => undefined);
		if (found === undefined) await maps.create("default", { metadata: { name }, data: { n } });
		else await maps.update({ ...found, data: { n } });
		await clock.runFor(5);
	};
	const present = async () => {
		const list = await maps.list("default");
		return {
			revision: revisionOf(list.metadata),
			present: new Map(list.items.map(({ metadata }) => [metadata.name ?? "", revisionOf(metadata)])),
		};
	};
	return { clock, client, maps, follow, write, present };
}

describe("chaos/workloads: what a client follows", () => {
	it("is listed once and then every change, also over a connection that broke", async () => {
		const { clock, client, maps, follow, write } = setup();
		await write("a", "1");
		const follower = follow();
		await clock.runFor(50);
		await write("b", "1");
		client.breakWatches();
		await write("a", "2");
		await maps.delete("default", "b");
		await clock.runFor(1000);
		const [stretch, more] = follower.stretches;
		assert.equal(more, undefined);
		assert.deepEqual(stretch?.listed, { a: "1" });
		const seen = stretch?.changes.map(({ name, object }) => `${name}=${object}`);
		assert.deepEqual(seen, ["b=1", "a=2", "b=null"]);
		follower.stop();
	});

	it("is listed anew when the server has forgotten what came since, and the gap is known", async () => {
		const { clock, client, follow, write } = setup();
		const follower = follow();
		await clock.runFor(50);
		await write("a", "1");
		client.breakWatches();
		await write("a", "2");
		client.compact();
		await clock.runFor(1000);
		await write("a", "3");
		const { stretches } = follower;
		assert.equal(stretches.length, 2);
		assert.deepEqual(stretches[1]?.listed, { a: "2" });
		const found: Violation[] = [];
		const timeline = joinStretches("configmaps", stretches, found);
		const steps = timeline.steps.map((step) =>
			step.kind === "change" ? step.object : Object.fromEntries(step.listed),
		);
		assert.deepEqual(steps, [{}, "1", { a: "2" }, "3"]);
		assert.deepEqual(found, []);
		follower.stop();
	});

	it("has caught up once it saw what a list shows, and says so when it does not", async () => {
		const { clock, client, follow, write, present } = setup();
		const follower = follow();
		await clock.runFor(50);
		await write("a", "1");
		await follower.catchUp(await present(), 1000);
		assert.equal(follower.stretches[0]?.coveredTo, (await present()).revision);
		client.failNext("watch", "configmaps", serviceUnavailable("down"), 1000);
		client.breakWatches();
		await clock.runFor(10);
		await write("a", "2");
		const late = assert.rejects(follower.catchUp(await present(), 1000), /is behind/);
		await clock.runFor(2000);
		await late;
		follower.stop();
	});
});
