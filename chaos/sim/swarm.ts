/**
 * What a run is like, drawn from its seed: size, limits, how much of which trouble. Each run has only some kinds of
 * faults ("swarm testing", Groce et al. 2012): with all of them at once, many bugs would hide behind each other.
 */
import { type Random, seededRandom } from "../../kit/random.ts";

export const faultKinds = [
	"power loss",
	"kill",
	"power loss of the leader",
	"power loss of two",
	"power loss of all",
	"pause",
	"pause of the leader",
	"isolation",
	"isolation of the leader",
	"one-way cut",
	"cut between two",
	"halves",
	"the leader alone with a client",
	"client cut off",
	"clogged link",
	"bad weather",
	"slow disk",
	"blocked fsync",
	"failing write",
	"failing fsync",
	"failing read",
	"full disk",
	"bit flip",
	"misdirected write",
	"misdirected read",
	"slow engine",
	"failing engine",
	"wiped disk",
	"clock jump",
	"leadership transfer",
] as const;
export type PlannedKind = (typeof faultKinds)[number];

/** Power losses at the moments that matter, each shortly after the event it is named for. */
export const triggerKinds = [
	"after a vote",
	"after an acknowledgement",
	"after a mark",
	"while a snapshot travels",
] as const;
export type TriggerKind = (typeof triggerKinds)[number];

export interface Swarm {
	readonly members: number;
	readonly clients: number;
	/** How long faults and work last, virtual ms. */
	readonly stormMs: number;
	readonly heartbeatMs: number;
	readonly electionMs: number;
	readonly preVote: boolean;
	readonly snapshotCount: number;
	readonly catchUpEntries: number;
	readonly segmentBytes: number;
	readonly engineMs: number;
	/** Longest time between two operations of a client, ms. */
	readonly thinkMs: number;
	readonly requestTimeoutMs: number;
	readonly compacts: boolean;
	/** Compaction by the leader, ms of history kept; 0: none. */
	readonly autoCompactionMs: number;
	readonly leases: boolean;
	/** Bytes of machine state not yet in the engine above which nothing is applied. */
	readonly pendingBytes: number;
	readonly quotaBytes: number;
	/** Answers a session keeps. */
	readonly maxAnswers: number;
	/** Sessions the machine keeps. */
	readonly maxSessions: number;
	readonly faults: Readonly<Partial<Record<PlannedKind, number>>>;
	/** Longest time between two faults, ms. */
	readonly pauseMs: number;
	readonly triggers: Readonly<Partial<Record<TriggerKind, number>>>;
	/** Of datagrams, all along. */
	readonly loss: number;
	readonly duplicate: number;
}

/** Fixed parts of a run, to make a failing one smaller. */
export interface Reduction {
	/** Only these faults happen, by number. */
	readonly faults?: readonly number[] | undefined;
	readonly clients?: number | undefined;
	readonly untilMs?: number | undefined;
}

export function drawSwarm(seed: number, reduction: Reduction = {}): Swarm {
	const random = seededRandom(seed);
	const one = <T>(...choices: readonly T[]): T => choices[random.int(choices.length)]!;
	const chance = (of: number) => random.int(of) === 0;
	const swarm: Swarm = {
		members: one(3, 3, 3, 3, 3, 3, 3, 3, 5, 5, 1, 3),
		clients: 2 + random.int(2),
		stormMs: one(1000, 1500, 2000, 2500),
		heartbeatMs: 20,
		electionMs: 100 + random.int(3) * 50,
		preVote: !chance(4),
		snapshotCount: one(10, 20, 50, 50, 90),
		catchUpEntries: random.int(40),
		segmentBytes: 2048 << random.int(5),
		engineMs: one(0.2, 0.5, 5),
		thinkMs: one(4, 15, 30, 30),
		requestTimeoutMs: one(400, 1500, 1500),
		compacts: chance(3),
		autoCompactionMs: chance(5) ? 1000 : 0,
		leases: chance(3),
		pendingBytes: chance(6) ? 1500 : 64 << 20,
		quotaBytes: chance(8) ? 30_000 : 1 << 30,
		maxAnswers: chance(6) ? 2 : 4096,
		maxSessions: chance(8) ? 1 : 20_000,
		faults: drawFaults(random),
		pauseMs: one(60, 150, 150, 500),
		triggers: drawTriggers(random),
		loss: chance(4) ? random.float() * 0.1 : 0,
		duplicate: chance(4) ? random.float() * 0.2 : 0,
	};
	return {
		...swarm,
		clients: reduction.clients ?? swarm.clients,
		stormMs: reduction.untilMs ?? (swarm.leases ? swarm.stormMs + 3000 : swarm.stormMs),
	};
}

function drawFaults(random: Random): Swarm["faults"] {
	const faults: Partial<Record<PlannedKind, number>> = {};
	const rarity = 2 + random.int(4);
	for (const kind of faultKinds) if (random.int(rarity) === 0) faults[kind] = 1 + random.int(8);
	return faults;
}

function drawTriggers(random: Random): Swarm["triggers"] {
	const triggers: Partial<Record<TriggerKind, number>> = {};
	for (const kind of triggerKinds) {
		if (random.int(4) > 0) continue;
		triggers[kind] = kind === "after an acknowledgement" ? 0.01 : kind === "after a mark" ? 0.2 : 0.3;
	}
	return triggers;
}
