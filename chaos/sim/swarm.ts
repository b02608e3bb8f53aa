/**
 * What a run is like, drawn from its seed: size, limits, how much of which trouble. Each run has only some kinds of
 * faults ("swarm testing", Groce et al. 2012): with all of them at once, many bugs would hide behind each other.
 */
import { type Random, seededRandom } from "../../kit/random.ts";

/** Named as in `chaos/nemeses/` where the fault is the same. */
export const faultKinds = [
	"kill",
	"kill-leader",
	"kill-all",
	"power-loss",
	"power-loss-leader",
	"power-loss-two",
	"power-loss-all",
	"pause",
	"pause-leader",
	"pause-all",
	"rolling-restart",
	"transfer-leader",
	"isolate",
	"isolate-leader",
	"one-way",
	"cut-two",
	"halves",
	"majority-ring",
	"bridge",
	"leader-with-client",
	"client-cut-off",
	"clogged-link",
	"loss",
	"delay",
	"bad-weather",
	"disk-slow",
	"disk-blocked",
	"disk-error",
	"disk-error-write",
	"disk-error-read",
	"disk-full",
	"disk-torn",
	"disk-wiped",
	"bit-flip",
	"misdirected-write",
	"misdirected-read",
	"engine-slow",
	"engine-error",
	"lagging-member",
	"clock-jump",
	"clock-drift",
	"compact",
] as const;
export type PlannedKind = (typeof faultKinds)[number];

/** Power losses at the moments that matter, each shortly after the event it is named for. */
export const triggerKinds = [
	"power-loss-after-vote",
	"power-loss-after-acknowledgement",
	"power-loss-after-mark",
	"power-loss-in-snapshot",
	"power-loss-after-install",
] as const;
export type TriggerKind = (typeof triggerKinds)[number];

/**
 * Situations that some runs aim for, because they need several faults together, which seldom meet by chance. "behind":
 * members fall behind and are sent snapshots while their engines lag; "stale": leaders that do not know yet that they
 * are deposed; "leases": leases over changes of leaders; "damage": logs that lie.
 */
export type Theme = "behind" | "stale" | "leases" | "damage";

export interface Swarm {
	readonly theme: Theme | undefined;
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
	/** Number of clients that only read. */
	readonly readers: number;
	/** Bytes of machine state not yet in the engine above which nothing is applied. */
	readonly pendingBytes: number;
	readonly quotaBytes: number;
	/** Answers a session keeps. */
	readonly maxAnswers: number;
	/** Sessions the machine keeps. */
	readonly maxSessions: number;
	/** Clocks run at rates from 1 - drift to 1 + drift. */
	readonly drift: number;
	/** Of the members' clocks at the start. */
	readonly rates: readonly number[];
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
	const members = one(3, 3, 3, 3, 3, 3, 3, 5, 5, 5, 1, 3);
	const drawn: Swarm = {
		theme: undefined,
		members,
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
		autoCompactionMs: chance(4) ? 1000 : 0,
		leases: chance(3),
		readers: 0,
		pendingBytes: chance(6) ? 1500 : 64 << 20,
		quotaBytes: chance(6) ? 20_000 : 1 << 30,
		maxAnswers: chance(6) ? 2 : 4096,
		maxSessions: chance(8) ? 1 : 20_000,
		drift: one(0, 0, 0.01, 0.1),
		rates: [],
		faults: drawFaults(members, random),
		pauseMs: one(60, 150, 150, 500),
		triggers: drawTriggers(random),
		loss: chance(4) ? random.float() * 0.1 : 0,
		duplicate: chance(4) ? random.float() * 0.2 : 0,
	};
	const swarm = { ...drawn, ...bend(drawn, random) };
	const { drift, stormMs } = swarm;
	return {
		...swarm,
		rates: Array.from({ length: members }, () => 1 + (2 * random.float() - 1) * drift),
		clients: reduction.clients ?? swarm.clients,
		stormMs: reduction.untilMs ?? (swarm.leases ? stormMs + 3000 : stormMs),
	};
}

function drawFaults(members: number, random: Random): Swarm["faults"] {
	const faults: Partial<Record<PlannedKind, number>> = {};
	const rarity = 2 + random.int(5);
	for (const kind of faultKinds) if (random.int(rarity) === 0) faults[kind] = 1 + random.int(8);
	// Only five can form one.
	if (members === 5 && random.int(3) === 0) faults["majority-ring"] = 4;
	return faults;
}

function drawTriggers(random: Random): Swarm["triggers"] {
	const triggers: Partial<Record<TriggerKind, number>> = {};
	for (const kind of triggerKinds) {
		if (random.int(kind === "power-loss-after-install" ? 2 : 4) > 0) continue;
		triggers[kind] = triggerChance[kind];
	}
	return triggers;
}

const triggerChance: Readonly<Record<TriggerKind, number>> = {
	"power-loss-after-vote": 0.3,
	"power-loss-after-acknowledgement": 0.01,
	"power-loss-after-mark": 0.2,
	"power-loss-in-snapshot": 0.3,
	"power-loss-after-install": 0.5,
};

/** Whatever is not named here stays as it was drawn. */
function bend(drawn: Swarm, random: Random): Partial<Swarm> {
	const theme = ([undefined, undefined, undefined, "behind", "stale", "leases", "damage"] as const)[random.int(7)];
	if (theme === undefined) return clocksOf(drawn);
	const weight = (...kinds: readonly PlannedKind[]) => {
		const faults: Partial<Record<PlannedKind, number>> = {};
		for (const kind of kinds) if (random.int(2) === 0) faults[kind] = 1 + random.int(2);
		return faults;
	};
	switch (theme) {
		case "behind":
			return {
				theme,
				snapshotCount: 10,
				catchUpEntries: random.int(6),
				pendingBytes: 300,
				quotaBytes: 1 << 30,
				thinkMs: 4,
				duplicate: random.float() * 0.5,
				preVote: true,
				pauseMs: 300,
				loss: 0,
				faults: {
					"lagging-member": 8,
					...weight("engine-slow", "isolate", "clogged-link", "power-loss", "kill", "disk-wiped", "power-loss-leader"),
				},
				triggers: [{}, { "power-loss-in-snapshot": 0.2 }, { "power-loss-after-install": 0.5 }][random.int(3)]!,
			};
		case "stale":
			return {
				theme,
				thinkMs: 4,
				electionMs: 100,
				// A client that writes to an isolated leader would only wait, and never see a stale read.
				readers: random.int(2),
				drift: 0.1,
				requestTimeoutMs: 1500,
				faults: {
					"leader-with-client": 4,
					...weight("isolate-leader", "pause-leader", "clock-drift", "clogged-link", "bridge", "one-way", "cut-two"),
				},
			};
		case "damage":
			return {
				theme,
				...clocksOf(drawn),
				stormMs: 2500,
				faults: {
					"misdirected-write": 4,
					"bit-flip": 3,
					...weight("power-loss", "disk-torn", "misdirected-read", "disk-error", "isolate-leader", "transfer-leader"),
				},
			};
		case "leases": {
			// `lost`: an early loss of all power leaves members with a log and nothing applied.
			// `slow`: commits are slow, so a renewal may be in the log but not applied when its lease seems to be over.
			const [lost, slow] = [
				weight("power-loss-all", "kill-all", "power-loss-leader", "isolate-leader", "clock-jump", "clock-drift"),
				weight("disk-slow", "disk-blocked", "delay", "isolate-leader", "cut-two", "transfer-leader"),
			];
			const faults = { ...lost, ...slow };
			const some = random.int(2) === 0 ? { faults, snapshotCount: 90, pauseMs: 500, engineMs: 5 } : {};
			return { theme, ...some, ...clocksOf({ ...drawn, ...some }), leases: true, quotaBytes: 1 << 30 };
		}
	}
}

/** Clocks that change their rate need a bound to stay within. */
function clocksOf({ drift, faults }: Swarm): Partial<Swarm> {
	return { drift: faults["clock-drift"] === undefined ? drift : Math.max(drift, 0.1) };
}
