/** Network faults: partitions between nodes, and bad or slow links. */
import type { Random } from "../../kit/random.ts";
import type { SimNode } from "./cluster.ts";
import { type Deed, type Ground, names, shuffled } from "./faults.ts";
import type { NodeName, Weather } from "./network.ts";
import type { PlannedKind } from "./swarm.ts";

/** Both ends, in both directions. */
type Pair = readonly [NodeName, NodeName];

/** Undefined: the fault is of another kind, or cannot be made now. */
export function networkDeed(
	ground: Ground,
	kind: PlannedKind,
	node: SimNode,
	other: SimNode,
	random: Random,
): Deed | undefined {
	const { cluster, clients, network } = ground.options;
	const { nodes, leader } = cluster;
	switch (kind) {
		case "isolate":
			return apart(ground, [node], random);
		case "isolate-leader":
			return leader && apart(ground, [leader], random);
		case "halves":
			return apart(
				ground,
				nodes.filter(() => random.int(2) === 0),
				random,
			);
		case "majority-ring":
			return nodes.length < 5 ? undefined : cutPairs(ground, ringGaps(names(shuffled(nodes, random))), random);
		case "bridge":
			return nodes.length < 3 ? undefined : cutPairs(ground, bridgeGaps(names(shuffled(nodes, random))), random);
		case "cut-two":
			return node === other ? undefined : cutPairs(ground, [[node.name, other.name]], random);
		case "one-way":
			return oneWay(ground, node, other, random, (a, b) => network.cut(a, b));
		case "clogged-link":
			return oneWay(ground, node, other, random, (a, b) => network.clog(a, b));
		case "client-cut-off":
			return cutPairs(ground, [[clients[random.int(clients.length)]!, node.name]], random);
		case "leader-with-client":
			return leader && leaderWithClient(ground, leader, random);
		case "loss":
			return weather(ground, random, { loss: random.float() * 0.3 });
		case "delay":
			return weather(ground, random, { slow: random.float(), slowMs: random.float() * 80 });
		case "bad-weather":
			return weather(ground, random, {
				loss: random.float() * 0.3,
				duplicate: random.float() * 0.3,
				slow: random.float() * 0.5,
				slowMs: random.float() * 80,
			});
		default:
			return undefined;
	}
}

/** Each sees a majority, but no two the same: itself and its neighbours on a ring. */
function ringGaps(ring: readonly NodeName[]): Pair[] {
	const reach = Math.floor(ring.length / 4);
	return pairsOf(ring).filter(([a, b]) => {
		const distance = Math.abs(ring.indexOf(a) - ring.indexOf(b));
		return Math.min(distance, ring.length - distance) > reach;
	});
}

/** Two halves that only one member sees both of. */
function bridgeGaps([, ...others]: readonly NodeName[]): Pair[] {
	const half = others.slice(0, others.length >> 1);
	return pairsOf(others).filter(([a, b]) => half.includes(a) !== half.includes(b));
}

function pairsOf(all: readonly NodeName[]): Pair[] {
	return all.flatMap((a, i) => all.slice(i + 1).map((b): Pair => [a, b]));
}

function cutPairs(ground: Ground, pairs: readonly Pair[], random: Random): Deed {
	const { network } = ground.options;
	return {
		hits: pairs.flatMap(([a, b]) => [`${a}>${b}`, `${b}>${a}`]),
		// bounded: pairs of a cluster's members.
		strike: (over) => ground.lasts(random, over, ...pairs.flatMap(([a, b]) => [network.cut(a, b), network.cut(b, a)])),
	};
}

function apart(ground: Ground, some: readonly SimNode[], random: Random): Deed | undefined {
	const others = ground.options.cluster.nodes.filter((node) => !some.includes(node));
	if (some.length === 0 || others.length === 0) return undefined;
	return cutPairs(
		ground,
		some.flatMap((a) => others.map((b): Pair => [a.name, b.name])),
		random,
	);
}

function oneWay(
	ground: Ground,
	from: SimNode,
	to: SimNode,
	random: Random,
	close: (from: NodeName, to: NodeName) => () => void,
): Deed | undefined {
	if (from === to) return undefined;
	return {
		hits: [`${from.name}>${to.name}`],
		strike: (over) => ground.lasts(random, over, close(from.name, to.name)),
	};
}

/** Both sides have clients: what one side acknowledges, the other must not contradict. */
function leaderWithClient(ground: Ground, leader: SimNode, random: Random): Deed {
	const { cluster, clients, swarm } = ground.options;
	const alone = swarm.readers > 0 ? clients[0]! : clients[random.int(clients.length)]!;
	const others = cluster.nodes.filter((node) => node !== leader);
	// If its disk hangs as well, the writes it made alone are still under way when the others come back.
	const stallMs = random.int(3) === 0 ? 300 : 0;
	const { hits, strike } = cutPairs(
		ground,
		[
			...others.flatMap((node): Pair[] => [
				[leader.name, node.name],
				[alone, node.name],
			]),
			...clients.filter((client) => client !== alone).map((client): Pair => [client, leader.name]),
		],
		random,
	);
	return {
		hits,
		strike: (over) => {
			leader.stallMs = Math.max(leader.stallMs, stallMs);
			strike(() => {
				leader.stallMs = 0;
				over();
			});
		},
	};
}

function weather(ground: Ground, random: Random, change: Partial<Weather>): Deed {
	const { network } = ground.options;
	return {
		hits: [],
		strike: (over) => {
			network.weather = { ...network.climate, ...change };
			ground.lasts(random, over, () => {
				network.weather = network.climate;
			});
		},
	};
}
