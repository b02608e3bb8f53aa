/** Faults of the network between members. Topologies are pure functions: which directions are cut. */
import type { Random } from "../../kit/random.ts";
import type { Link, Network } from "../places/network.ts";
import type { Members } from "../targets/members.ts";
import { type Fault, leadingMember, shuffled, someMember } from "./fault.ts";

/** Every direction between two different members. */
export function allLinks(names: readonly string[]): Link[] {
	return names.flatMap((from) => names.filter((to) => to !== from).map((to): Link => [from, to]));
}

/** No packet passes between the two groups. */
export function between(left: readonly string[], right: readonly string[]): Link[] {
	return left.flatMap((a) =>
		right.flatMap((b): Link[] => [
			[a, b],
			[b, a],
		]),
	);
}

/** A minority, and all others. */
export function halves(order: readonly string[]): Link[] {
	const middle = Math.floor(order.length / 2);
	return between(order.slice(0, middle), order.slice(middle));
}

/** Two halves that only the first member can reach both of. */
export function bridge([, ...others]: readonly string[]): Link[] {
	return halves(others);
}

/**
 * Everyone hears a majority, and no two the same one (Jepsen's majorities ring): each member hears only those that follow
 * it on a ring, as many as make a majority with itself, on both sides of it where they are even.
 */
export function majorityRing(order: readonly string[]): Link[] {
	const n = order.length;
	const heard = Math.floor(n / 2);
	const first = heard % 2 === 0 ? -heard / 2 : 1;
	return order.flatMap((to, i) => {
		const near = new Set(Array.from({ length: heard + (first < 0 ? 1 : 0) }, (_, k) => order[(i + first + k + n) % n]));
		return order.filter((from) => from !== to && !near.has(from)).map((from): Link => [from, to]);
	});
}

interface Harm {
	readonly links: readonly Link[];
	/** For the history, where the links say it all: nothing. */
	readonly how?: object;
	apply(network: Network, links: readonly Link[]): Promise<void>;
}

function fault(
	name: string,
	summary: string,
	choose: (members: Members<unknown>, random: Random) => Promise<Harm> | Harm,
	more: Partial<Fault> = {},
): Fault {
	return {
		name,
		summary,
		needs: ["network"],
		members: 3,
		...more,
		plan: async (members, random) => {
			const network = members.network!;
			const { links, how, apply } = await choose(members, random);
			const value = how ?? links.map(([from, to]) => `${from}>${to}`);
			return { value, strike: () => apply(network, links), heal: () => network.heal() };
		},
	};
}

function cut(links: readonly Link[]): Harm {
	return { links, apply: (network, which) => network.cut(which) };
}

const others = (members: Members<unknown>, name: string) => members.names.filter((each) => each !== name);
const alone = (members: Members<unknown>, name: string) => cut(between([name], others(members, name)));

export const networkFaults: readonly Fault[] = [
	fault("isolate", "one member cut off from all others", (members, random) =>
		alone(members, someMember(members, random)),
	),
	fault(
		"isolate-leader",
		"the leader cut off from all others",
		async (members, random) => alone(members, await leadingMember(members, random)),
		{ needs: ["network", "leader"] },
	),
	fault("halves", "a minority and a majority that do not hear each other", (members, random) =>
		cut(halves(shuffled(members.names, random))),
	),
	fault("majority-ring", "everyone hears a majority, and no two the same", (members, random) =>
		cut(majorityRing(shuffled(members.names, random))),
	),
	fault("bridge", "two halves that only one member can reach both of", (members, random) =>
		cut(bridge(shuffled(members.names, random))),
	),
	fault("one-way", "one member hears no other, or no other hears it", (members, random) => {
		const name = someMember(members, random);
		const deaf = random.int(2) === 0;
		return cut(others(members, name).map((other): Link => (deaf ? [other, name] : [name, other])));
	}),
	fault(
		"loss",
		"10 to 50 % of all packets between members are lost",
		({ names }, random) => {
			const percent = 10 + random.int(41);
			return { links: allLinks(names), how: { percent }, apply: (network, links) => network.lose(links, percent) };
		},
		{ members: 2 },
	),
	fault(
		"delay",
		"packets between members wait 20 to 300 ms, and overtake each other",
		({ names }, random) => {
			const [delayMs, jitterMs] = [20 + random.int(131), 1 + random.int(150)];
			const apply = (network: Network, links: readonly Link[]) => network.slow(links, delayMs, jitterMs);
			return { links: allLinks(names), how: { delayMs, jitterMs }, apply };
		},
		{ members: 2 },
	),
];
