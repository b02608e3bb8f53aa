/** Faults of the machines below members: clocks and disks. */
import type { Random } from "../../kit/random.ts";
import type { DiskFault } from "../places/disks.ts";
import type { Members } from "../targets/members.ts";
import { all, type Fault, someMember } from "./fault.ts";

const dayMs = 86_400_000;

const clockJump: Fault = {
	name: "clock-jump",
	summary: "one member's wall clock jumps by up to a day, back or ahead, then returns",
	needs: ["clocks"],
	plan: async (members, random) => {
		const name = someMember(members, random);
		// From a second to a day, all sizes alike.
		const offsetMs = Math.round(1000 * (dayMs / 1000) ** random.float()) * (random.int(2) === 0 ? 1 : -1);
		return {
			value: { member: name, offsetMs },
			strike: () => members.clocks!.skew(name, offsetMs, 1),
			heal: () => members.clocks!.heal(),
		};
	},
};

const clockDrift: Fault = {
	name: "clock-drift",
	summary: "all members' wall clocks go at speeds of their own, from half to twice the right one",
	needs: ["clocks"],
	plan: async (members, random) => {
		const rates = members.names.map((name) => ({ name, rate: Math.round(100 * 2 ** (2 * random.float() - 1)) / 100 }));
		const strike = async () => {
			await Promise.all(rates.map(({ name, rate }) => members.clocks!.skew(name, 0, rate)));
		};
		return { value: rates, strike, heal: () => members.clocks!.heal() };
	},
};

function disk(kind: DiskFault, summary: string): Fault {
	return {
		name: `disk-${kind}`,
		summary,
		needs: ["disks"],
		plan: async (members, random) => {
			const name = someMember(members, random);
			const heal = async () => {
				await members.disks!.heal!(name);
				// A member whose disk failed may have ended itself.
				await members.start(name);
			};
			return { value: [name], strike: () => members.disks!.harm!(name, kind), heal };
		},
	};
}

function powerLoss(
	name: string,
	summary: string,
	choose: (members: Members<unknown>, random: Random) => readonly string[],
): Fault {
	return {
		name,
		summary,
		needs: ["powerLoss"],
		plan: async (members, random) => {
			const victims = choose(members, random);
			return {
				value: victims,
				strike: () => members.disks!.loseUnsynced!(victims),
				heal: () => all(victims, (each) => members.start(each)),
			};
		},
	};
}

export const machineFaults: readonly Fault[] = [
	clockJump,
	clockDrift,
	disk("slow", "one member's syncs take much longer"),
	disk("error", "one member's sync fails with EIO; it is started again on the healed disk"),
	disk("torn", "one member's write stops in its middle, and the member dies there"),
	disk("full", "one member's disk is full; it is started again once there is room"),
	powerLoss("power-loss", "one member dies, and its disk loses what was not synced", (members, random) => [
		someMember(members, random),
	]),
	powerLoss(
		"power-loss-all",
		"all members die at once, and their disks lose what was not synced",
		({ names }) => names,
	),
];
