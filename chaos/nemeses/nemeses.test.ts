/** Topologies are what their names say; a nemesis does what its seed plans and undoes it. */
import assert from "node:assert/strict";
import { seededRandom } from "../../kit/random.ts";
import { VirtualClock } from "../../kit/sim/clock.ts";
import type { Link } from "../places/network.ts";
import type { Members } from "../targets/members.ts";
import { faults } from "./all.ts";
import type { Fault } from "./fault.ts";
import { createNemesis } from "./nemesis.ts";
import { allLinks, bridge, halves, majorityRing } from "./partitions.ts";

const names = (n: number) => Array.from({ length: n }, (_, i) => `m${i + 1}`);

/** Whom each member still hears, itself included. */
function heard(members: readonly string[], cut: readonly Link[]): Map<string, Set<string>> {
	const isCut = new Set(cut.map(([from, to]) => `${from} ${to}`));
	return new Map(members.map((to) => [to, new Set(members.filter((from) => !isCut.has(`${from} ${to}`)))]));
}

describe("chaos/nemeses: topologies", () => {
	for (const n of [3, 4, 5, 6, 7]) {
		const members = names(n);
		const majority = Math.floor(n / 2) + 1;

		it(`majority-ring of ${n}: everyone hears a majority, and no two the same`, () => {
			const views = [...heard(members, majorityRing(members)).values()].map((set) => [...set].sort());
			for (const view of views) assert.ok(view.length >= majority && view.length < n, view.join());
			assert.equal(new Set(views.map(String)).size, n);
			// Where it can be, hearing goes both ways.
			const cut = new Set(majorityRing(members).map(String));
			if (majority % 2 === 1) for (const link of cut) assert.ok(cut.has(link.split(",").reverse().join()), link);
		});

		it(`halves of ${n}: only one side is a majority, or none, and nothing passes`, () => {
			const sides = [...heard(members, halves(members)).values()].map((set) => set.size);
			assert.deepEqual(new Set(sides), new Set([Math.floor(n / 2), n - Math.floor(n / 2)]));
		});

		it(`bridge of ${n}: one hears all, the others all but the other half`, () => {
			const [first, ...others] = [...heard(members, bridge(members)).values()].map((set) => set.size);
			assert.equal(first, n);
			for (const size of others) assert.ok(size < n && size >= 2, `${size} of ${n}`);
		});
	}

	it("every direction once", () => {
		assert.equal(allLinks(names(3)).length, 6);
		assert.equal(new Set(allLinks(names(5)).map(String)).size, 20);
	});
});

/** Writes down what is done to it. */
function witness(deeds: string[]): Members<unknown> {
	const does =
		(what: string) =>
		async (...args: readonly unknown[]) =>
			void deeds.push([what, ...args.map((each) => JSON.stringify(each))].join(" "));
	return {
		description: "members that write down",
		names: names(3),
		kill: does("kill"),
		start: does("start"),
		stop: does("stop"),
		agents: { pause: does("pause agents"), resume: does("resume agents") },
		pause: does("pause"),
		resume: does("resume"),
		network: { cut: does("cut"), lose: does("lose"), slow: does("slow"), heal: does("mend") },
		clocks: { skew: does("skew"), heal: does("set right") },
		disks: { harm: does("harm"), heal: does("repair"), loseUnsynced: does("cut power") },
		compact: does("compact"),
		defragment: does("defragment"),
		leader: async () => ({ name: "m2", term: 3 }),
		connect: () => undefined,
		close: async () => {},
	};
}

interface Run {
	readonly deeds: readonly string[];
	readonly notes: readonly (readonly [string, unknown])[];
}

async function run(chosen: readonly Fault[], seed: number, ms: number): Promise<Run> {
	const clock = new VirtualClock();
	const deeds: string[] = [];
	const notes: [string, unknown][] = [];
	const nemesis = createNemesis({ members: witness(deeds), faults: chosen, random: seededRandom(seed), clock });
	const over = new AbortController();
	clock.after(ms, () => over.abort());
	const ended = nemesis.run(over.signal, (f, value) => void notes.push([f, value]));
	await clock.runUntil(ms + 1000);
	await ended;
	return { deeds, notes };
}

describe("chaos/nemeses: faults", () => {
	for (const fault of faults.values()) {
		it(`${fault.name}: planned by its seed, done, and undone`, async () => {
			const one = await run([fault], 7, 100_000);
			assert.deepEqual(await run([fault], 7, 100_000), one);
			const begun = one.notes.filter(([f]) => f === fault.name);
			const ended = one.notes.filter(([f]) => f === `heal ${fault.name}`);
			assert.ok(begun.length > 3 && begun.length === ended.length, JSON.stringify(one.notes));
			assert.ok(one.deeds.length >= begun.length);
			const count = (word: string) => one.deeds.filter((deed) => deed.startsWith(word)).length;
			assert.equal(count("pause"), count("resume"));
			assert.equal(count("harm"), count("repair"));
			assert.ok(count("start") >= count("kill") + count("stop"));
			assert.equal(count("mend"), count("cut [") + count("lose") + count("slow"));
			if (fault.needs.includes("leader")) assert.ok(JSON.stringify(begun[0]).includes("m2"), JSON.stringify(begun[0]));
		});
	}

	it("refuses members that cannot be given a fault, naming what is missing", () => {
		const { network: _, ...members } = witness([]);
		const options = { random: seededRandom(1), clock: new VirtualClock(), faults: [faults.get("halves")!] };
		assert.throws(() => createNemesis({ members, ...options }), /halves: members that write down cannot do network/);
		assert.throws(
			() => createNemesis({ members: { ...witness([]), names: names(2) }, ...options }),
			/halves needs at least 3 members/,
		);
	});
});
