/** Workloads over the Kubernetes API against one in memory: right, and wrong in ways they must notice. */
import assert from "node:assert/strict";
import { createFakeClient } from "../../apiserver/client/fake.ts";
import { configMaps } from "../../apiserver/client/resources.ts";
import { ConnectionError } from "../../apiserver/client/rest.ts";
import type { ApiClient, ResourceClient } from "../../apiserver/client/types.ts";
import { ApiError, expired } from "../../apiserver/machinery/errors.ts";
import type { ConfigMap } from "../../apiserver/scheme/types.gen.ts";
import { sleep } from "../../kit/clock.ts";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import { describeViolation } from "../checkers/violation.ts";
import { type RunOutcome, runWorkload } from "../run.ts";
import { kubernetesWorkloads } from "./kubernetes.ts";

const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1_000_000);
const clients = 3;

type Maps = ResourceClient<ConfigMap>;

interface World {
	readonly clock: VirtualClock;
	readonly fake: ReturnType<typeof createFakeClient>;
}

/** Each answer takes some virtual time; a broken watch is told as over a real connection. `wrap` changes what clients get. */
async function run(
	name: string,
	options: {
		readonly wrap?: (maps: Maps, world: World) => Maps;
		readonly during?: (world: World) => Promise<void>;
	} = {},
): Promise<RunOutcome> {
	const clock = new VirtualClock({ turns: 8 });
	const random = seededRandom(seed);
	const fake = createFakeClient({ clock });
	const world = { clock, fake };
	const late = async <T>(answer: () => Promise<T>): Promise<T> => {
		await sleep(clock, 5 * random.float());
		try {
			return await answer();
		} finally {
			await sleep(clock, 5 * random.float());
		}
	};
	const maps: Maps = fake.resource(configMaps);
	const slow: Maps = {
		...maps,
		get: (...args) => late(() => maps.get(...args)),
		list: (...args) => late(() => maps.list(...args)),
		create: (...args) => late(() => maps.create(...args)),
		update: (...args) => late(() => maps.update(...args)),
		patch: (...args) => late(() => maps.patch(...args)),
		delete: (...args) => late(() => maps.delete(...args)),
		watch: async function* (...args) {
			try {
				yield* maps.watch(...args);
			} catch (error) {
				throw error instanceof ApiError ? error : new ConnectionError("broken", "ECONNRESET", error);
			}
		},
	};
	const wrapped = options.wrap?.(slow, world) ?? slow;
	const api = { ...fake, resource: () => wrapped } as unknown as ApiClient;
	const running = runWorkload({
		workload: kubernetesWorkloads.get(name)!,
		connect: () => ({ apis: [api], namespace: "default", close: async () => {} }),
		clock,
		seed,
		clients,
		workMs: 5000,
	});
	let ended = false;
	const over = () => {
		ended = true;
	};
	running.then(over, over);
	void options.during?.(world);
	assert.ok(await clock.runUntilTrue(() => ended, 120_000), "the run never ended");
	return running;
}

describe("chaos/workloads on a Kubernetes API in memory", function () {
	this.timeout(30_000);
	before(() => console.log(`      seed ${seed}; replay with BARQUE_SEED=${seed}`));

	for (const name of ["k8s-create", "k8s-update", "k8s-list-watch"]) {
		it(`${name}: finds nothing wrong`, async () => {
			const { violations, counts } = await run(name);
			assert.deepEqual(violations.map(describeViolation), []);
			assert.ok(counts.ok > 50, JSON.stringify(counts));
		});
	}

	it("k8s-create: what was created and is gone at the end is lost, though nobody asked for it again", async () => {
		const name = "chaos-create-0";
		const during = async ({ clock, fake }: World) => {
			// All have moved on to other names by then.
			await sleep(clock, 4500);
			await fake.resource(configMaps).delete("default", name);
		};
		const { violations } = await run("k8s-create", { during });
		assert.deepEqual(
			violations.map(({ kind, message }) => [kind, message]),
			[["lost", `${name} was there, and a later get did not find it`]],
		);
	});

	it("k8s-update: an update that ignores the resource version is a lost one", async () => {
		const blind = (maps: Maps): Maps => ({
			...maps,
			update: ({ metadata: { resourceVersion: _, ...metadata }, ...object }) => maps.update({ ...object, metadata }),
		});
		const { violations } = await run("k8s-update", { wrap: blind });
		assert.ok(violations.some(({ kind }) => kind === "lost-update"));
	});

	it("k8s-list-watch: lists anew where the watch itself is refused, also when the first list after it fails", async () => {
		const during = async ({ clock, fake }: World) => {
			await sleep(clock, 2000);
			fake.failNext("list", "configmaps", new ConnectionError("down", "ECONNRESET", undefined));
			fake.failNext("watch", "configmaps", expired("too old resource version"), clients);
			fake.breakWatches();
		};
		const { violations, events } = await run("k8s-list-watch", { during });
		assert.deepEqual(violations.map(describeViolation), []);
		const collected = events.filter(({ f, type }) => f === "collect" && type === "ok");
		assert.equal(collected.length, clients);
		for (const { value } of collected) assert.equal((value as { stretches: unknown[] }).stretches.length, 2);
	});

	it("k8s-list-watch: a delete that lands while the last list is read is no lost event, however late it is told", async () => {
		const name = "chaos-watched-0";
		let isLate = false;
		const wrap = (maps: Maps, { clock, fake }: World): Maps => ({
			...maps,
			list: async (...args) => {
				if (clock.time > 5000) {
					isLate = true;
					await fake
						.resource(configMaps)
						.delete("default", name)
						.catch(() => undefined);
				}
				return maps.list(...args);
			},
			watch: async function* (...args) {
				for await (const event of maps.watch(...args)) {
					if (isLate) await sleep(clock, 100);
					yield event;
				}
			},
		});
		const { violations } = await run("k8s-list-watch", { wrap });
		assert.deepEqual(violations.map(describeViolation), []);
	});

	it("k8s-list-watch: an event that never comes is missed", async () => {
		let left = 1;
		const wrap = (maps: Maps): Maps => ({
			...maps,
			watch: async function* (...args) {
				for await (const event of maps.watch(...args)) if (event.type !== "DELETED" || left-- <= 0) yield event;
			},
		});
		const { violations } = await run("k8s-list-watch", { wrap });
		assert.ok(violations.some(({ kind }) => kind === "watch-gap"));
	});
});
