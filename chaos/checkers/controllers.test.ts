/** The checker of controllers checked: worlds made by right controllers pass; each rule broken once is caught. */
import assert from "node:assert/strict";
import { type Random, seededRandom } from "../../kit/random.ts";
import { managerLease, randomWorld, record, settle, type World } from "../testing/controller-world.ts";
import { checkControllers, checkSettled, type SeenPod, type WorldRecording } from "./controllers.ts";
import { describeViolation } from "./violation.ts";

const seed = Number(process.env["BARQUE_SEED"] ?? Date.now() % 1_000_000);
const rounds = 60;
const name = "web";

/** A right world, then what `plant` does to it, and what the checker says: every violation's kind. */
function kinds(random: Random, recreate: boolean, plant: (world: World, random: Random) => void): Set<string> {
	const world = randomWorld(random, name, recreate);
	plant(world, random);
	return new Set(checkControllers(record(world, random)).map((each) => each.kind));
}

function caught(kind: string, recreate: boolean, plant: (world: World, random: Random) => void): void {
	for (let round = 0; round < rounds; round++) {
		const found = kinds(seededRandom(seed + round), recreate, plant);
		assert.ok(found.has(kind), `seed ${seed + round}: expected ${kind}, got ${[...found].join() || "nothing"}`);
	}
}

const specOf = (world: World) => world.deployments.get(name)!;
const deploy = (world: World, change: Partial<ReturnType<typeof specOf>>) => {
	const { replicas, surge, recreate, template } = specOf(world);
	world.deploy(name, { replicas, surge, recreate, template, ...change });
};

describe("chaos/checkers: controllers with planted anomalies", function () {
	this.timeout(60_000);
	before(() => console.log(`      seed ${seed}; replay with BARQUE_SEED=${seed}`));

	it("pass what right controllers do", () => {
		for (let round = 0; round < rounds; round++) {
			const random = seededRandom(seed + round);
			const world = randomWorld(random, name, round % 2 === 0);
			const said = checkControllers(record(world, random)).map(describeViolation);
			assert.deepEqual(said, [], `seed ${seed + round}`);
		}
	});

	it("pass a controller that acts on an older generation which it may still be looking at", () => {
		for (let round = 0; round < rounds; round++) {
			const found = kinds(seededRandom(seed + round), false, (world) => {
				const { replicas, template } = specOf(world);
				deploy(world, { replicas: replicas + 3 });
				deploy(world, { replicas: 1 });
				world.size(name, template, replicas + 3);
				world.size(name, template, 1);
				while (world.podsOf(name).length < replicas + 3) world.createPod(name, template);
			});
			assert.deepEqual([...found], [], `seed ${seed + round}`);
		}
	});

	it("pass a world whose middle nobody watched", () => {
		for (let round = 0; round < rounds; round++) {
			const random = seededRandom(seed + round);
			const world = randomWorld(random, name, false);
			const [whole] = record(world, random, 1);
			const halves = halve(whole!, 10 + Math.floor(world.changes.length / 3), 10 + random.int(world.changes.length));
			assert.deepEqual(checkControllers([halves]).map(describeViolation), [], `seed ${seed + round}`);
		}
	});

	it("a pod too many for its ReplicaSet", () => {
		caught("too-many-pods", false, (world) => world.createPod(name, specOf(world).template));
	});

	it("a pod for a size that the controller has moved on from", () => {
		caught("too-many-pods", false, (world, random) => {
			const { replicas } = specOf(world);
			deploy(world, { replicas: replicas + 2 });
			settle(world, name, random);
			deploy(world, { replicas });
			settle(world, name, random);
			world.createPod(name, specOf(world).template);
		});
	});

	it("ReplicaSets that together want more than the surge allows", () => {
		caught("surge", false, (world) => {
			const { replicas, surge } = specOf(world);
			deploy(world, { template: "next" });
			world.observe(name);
			world.size(name, "next", Math.max(surge, replicas) + 1);
		});
	});

	it("a size taken from a generation that was left behind", () => {
		caught("surge", false, (world, random) => {
			const { replicas, surge, template } = specOf(world);
			deploy(world, { replicas: replicas + surge + 1 });
			settle(world, name, random);
			deploy(world, { replicas });
			settle(world, name, random);
			world.size(name, template, replicas + surge + 1);
		});
	});

	it("with Recreate, a new pod before the last old one has ended", () => {
		caught("recreate-overlap", true, (world, random) => {
			const { replicas, template } = specOf(world);
			const [old] = world.podsOf(name);
			world.changePod(old!, { terminating: true });
			world.size(name, template, 0);
			for (const pod of world.podsOf(name)) if (pod !== old) world.write("pods", pod, null);
			deploy(world, { template: "next" });
			world.size(name, "next", replicas);
			world.createPod(name, "next");
			void random;
		});
	});

	it("pass a Recreate beside the pods of an earlier Deployment of its name", () => {
		for (let round = 0; round < rounds; round++) {
			const found = kinds(seededRandom(seed + round), true, (world, random) => {
				const { replicas, surge, recreate } = specOf(world);
				world.write("deployments", name, null);
				world.deploy(name, { replicas, surge, recreate, template: "anew" });
				settle(world, name, random);
			});
			assert.deepEqual([...found], [], `seed ${seed + round}`);
		}
	});

	it("pass a pod that an earlier Deployment's ReplicaSet replaces before it is collected", () => {
		for (let round = 0; round < rounds; round++) {
			const found = kinds(seededRandom(seed + round), true, (world, random) => {
				const { replicas, surge, recreate, template } = specOf(world);
				world.write("deployments", name, null);
				world.deploy(name, { replicas, surge, recreate, template: "anew" });
				settle(world, name, random);
				world.write("pods", world.podsOf(name, template)[0]!, null);
				world.createPod(name, template);
			});
			assert.deepEqual([...found], [], `seed ${seed + round}`);
		}
	});

	it("a pod with two controllers, and one with none", () => {
		caught("owners", false, (world) => {
			const [pod] = world.podsOf(name);
			world.changePod(pod!, { controllers: [...world.pods.get(pod!)!.controllers, "another"] });
		});
		caught("owners", false, (world) => {
			world.changePod(world.podsOf(name)[0]!, { controllers: [] });
		});
	});

	it("a pod bound to one node and then to another", () => {
		caught("bound-twice", false, (world) => world.changePod(world.podsOf(name)[0]!, { node: "elsewhere" }));
	});

	it("a lease taken before it ran out", () => {
		caught("lease-taken", false, (world, random) => {
			world.now += random.int(14_900);
			world.lead("m3");
		});
	});

	it("takes no times of holders whose clocks may be wrong for an early taking, and all else for what it is", () => {
		for (let round = 0; round < rounds; round++) {
			const random = seededRandom(seed + round);
			const world = randomWorld(random, name, false);
			world.now += random.int(14_900);
			world.lead("m3");
			assert.deepEqual(checkControllers(record(world, random), { wrongClocks: true }), [], `seed ${seed + round}`);
			world.lead("m2");
			const found = checkControllers(record(world, random), { wrongClocks: true });
			assert.ok(
				found.some(({ kind }) => kind === "two-leaders"),
				`seed ${seed + round}`,
			);
		}
	});

	it("a lease that goes back to who lost it, and two that renew in turns", () => {
		caught("two-leaders", false, (world) => {
			world.now += 16_000;
			world.lead("m3");
			world.now += 16_000;
			world.lead("m2");
		});
	});

	it("a change of holder that is not counted, and a count without a change", () => {
		caught("transitions", false, (world) => {
			const old = world.leases.get(managerLease)!;
			const taken = world.now + 16_000;
			world.write("leases", managerLease, { ...old, holder: "m3", acquired: taken, renewed: taken });
		});
		caught("transitions", false, (world) => {
			const old = world.leases.get(managerLease)!;
			world.write("leases", managerLease, { ...old, transitions: old.transitions + 1 });
		});
	});

	it("a lease released and taken at once is right; a pod made or bound in between is not", () => {
		for (let round = 0; round < rounds; round++) {
			const found = kinds(seededRandom(seed + round), false, (world) => {
				world.release();
				world.lead("m3");
			});
			assert.deepEqual([...found], []);
		}
		const unbound = (world: World) => {
			const { replicas, template } = specOf(world);
			deploy(world, { replicas: replicas + 1 });
			world.observe(name);
			world.size(name, template, replicas + 1);
		};
		caught("no-leader-acted", false, (world) => {
			unbound(world);
			world.release();
			world.createPod(name, specOf(world).template);
		});
		caught("no-leader-acted", false, (world) => {
			unbound(world);
			const pod = world.createPod(name, specOf(world).template);
			world.release("kube-scheduler");
			world.changePod(pod, { node: "node-0" });
		});
	});

	it("two watchers that saw one change differently", () => {
		const random = seededRandom(seed);
		const [a, b] = record(randomWorld(random, name, false), random, 2);
		const stretches = b!.pods.map((each) => ({
			...each,
			changes: each.changes.map((change) => ({ ...change, object: change.object && { ...change.object, node: "x" } })),
		}));
		const found = checkControllers([a!, { ...b!, pods: stretches }]).map((each) => each.kind);
		assert.ok(found.includes("watchers-differ"));
	});

	it("a world that has not settled: too few, too many, old or left behind", () => {
		const random = seededRandom(seed);
		const world = randomWorld(random, name, false);
		const deployments = Object.fromEntries(world.deployments);
		const settled = () => Object.fromEntries(world.pods);
		const say = (pods: Record<string, SeenPod>) => checkSettled({ deployments, pods }).map((each) => each.kind);
		assert.deepEqual(say(settled()), []);
		const [first] = Object.entries(settled());
		const [key, pod] = first!;
		assert.deepEqual(say({ ...settled(), more: pod }), ["not-converged"]);
		assert.deepEqual(say({ ...settled(), [key]: { ...pod, template: "old" } }), ["not-converged"]);
		assert.deepEqual(say({ ...settled(), [key]: { ...pod, ready: false } }), ["not-converged"]);
		assert.deepEqual(say({ ...settled(), left: { ...pod, deployment: "gone" } }), ["not-converged"]);
		const { [key]: _, ...fewer } = settled();
		assert.deepEqual(say(fewer), ["not-converged"]);
	});
});

/** Two stretches with a hole between them, which a list ends. */
function halve(whole: WorldRecording, a: number, b: number): WorldRecording {
	const [from, to] = [Math.min(a, b), Math.max(a, b)];
	const cut = <T>(stretches: WorldRecording[keyof WorldRecording]) =>
		stretches.flatMap((stretch) => {
			const listed: Record<string, unknown> = { ...stretch.listed };
			for (const { revision, name: object, object: value } of stretch.changes) {
				if (revision > to) break;
				if (value === null) delete listed[object];
				else listed[object] = value;
			}
			const before = stretch.changes.filter(({ revision }) => revision <= from);
			const after = stretch.changes.filter(({ revision }) => revision > to);
			return [
				{ ...stretch, changes: before, coveredTo: from },
				{ revision: to, listed, changes: after, coveredTo: stretch.coveredTo },
			];
		}) as unknown as T;
	return {
		deployments: cut(whole.deployments),
		replicaSets: cut(whole.replicaSets),
		pods: cut(whole.pods),
		leases: cut(whole.leases),
	};
}
