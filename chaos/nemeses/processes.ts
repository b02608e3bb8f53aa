/** Faults of processes: death, standing still, restarts. */
import type { Random } from "../../kit/random.ts";
import type { Members } from "../targets/members.ts";
import { all, type Fault, leadingMember, shuffled, someMember } from "./fault.ts";

type Choose = (members: Members<unknown>, random: Random) => Promise<readonly string[]>;

const anyone: Choose = async (members, random) => [someMember(members, random)];
const theLeader: Choose = async (members, random) => [await leadingMember(members, random)];
const everyone: Choose = async (members) => members.names;

/** Agents of a cluster under test lead for 6 s, locks live for 2 s. */
const longMs = [8000, 2000] as const;

function kill(name: string, summary: string, choose: Choose): Fault {
	return {
		name,
		summary,
		needs: choose === theLeader ? ["kill", "leader"] : ["kill"],
		plan: async (members, random) => {
			const victims = await choose(members, random);
			return {
				value: victims,
				strike: () => all(victims, (each) => members.kill(each)),
				heal: () => all(victims, (each) => members.start(each)),
			};
		},
	};
}

function pause(name: string, summary: string, choose: Choose, lasts?: Fault["lasts"]): Fault {
	return {
		name,
		summary,
		...(lasts === undefined ? {} : { lasts }),
		needs: choose === theLeader ? ["pause", "leader"] : ["pause"],
		plan: async (members, random) => {
			const victims = await choose(members, random);
			return {
				value: victims,
				strike: () => all(victims, (each) => members.pause?.(each)),
				heal: () => all(victims, (each) => members.resume?.(each)),
			};
		},
	};
}

/** Whoever led goes on with what it knew, beside a store and an apiserver that never stood still. */
const pauseAgents: Fault = {
	name: "pause-agents",
	summary: "SIGSTOP to the agents of all masters but one for longer than they lead, then SIGCONT",
	needs: ["agents"],
	members: 2,
	lasts: longMs,
	plan: async (members, random) => {
		const victims = shuffled(members.names, random).slice(1);
		return {
			value: victims,
			strike: () => all(victims, (each) => members.agents?.pause(each)),
			heal: () => all(victims, (each) => members.agents?.resume(each)),
		};
	},
};

const rollingRestart: Fault = {
	name: "rolling-restart",
	summary: "SIGTERM to one member after the other, each started again and ready before the next",
	needs: ["stop"],
	plan: async (members, random) => {
		const order = shuffled(members.names, random);
		const strike = async () => {
			for (const name of order) {
				await members.stop?.(name);
				await members.start(name);
			}
		};
		return { value: order, strike };
	},
};

export const processFaults: readonly Fault[] = [
	kill("kill", "SIGKILL to one member, started again", anyone),
	kill("kill-leader", "SIGKILL to the leader, started again", theLeader),
	kill("kill-all", "SIGKILL to all members, started again", everyone),
	pause("pause", "SIGSTOP to one member, then SIGCONT", anyone),
	pause("pause-leader", "SIGSTOP to the leader, then SIGCONT", theLeader),
	pause("pause-long", "SIGSTOP to one member for longer than leases live, then SIGCONT", anyone, longMs),
	pauseAgents,
	pause("pause-all", "SIGSTOP to all members, then SIGCONT", everyone),
	rollingRestart,
];
