/** Faults by name. */
import type { Members } from "../targets/members.ts";
import type { Fault, Need } from "./fault.ts";
import { machineFaults } from "./machines.ts";
import { maintenanceFaults } from "./maintenance.ts";
import { networkFaults } from "./partitions.ts";
import { processFaults } from "./processes.ts";

export const faults: ReadonlyMap<string, Fault> = new Map(
	[...processFaults, ...networkFaults, ...machineFaults, ...maintenanceFaults].map((each) => [each.name, each]),
);

const offers: Readonly<Record<Need, (members: Members<unknown>) => boolean>> = {
	kill: () => true,
	leader: () => true,
	stop: (members) => members.stop !== undefined,
	pause: (members) => members.pause !== undefined,
	agents: (members) => members.agents !== undefined,
	network: (members) => members.network !== undefined,
	clocks: (members) => members.clocks !== undefined,
	disks: (members) => members.disks?.harm !== undefined,
	powerLoss: (members) => members.disks?.loseUnsynced !== undefined,
	compact: (members) => members.compact !== undefined,
	defragment: (members) => members.defragment !== undefined,
};

/** What these members lack for the fault. */
export function lacks(members: Members<unknown>, fault: Fault): Need[] {
	return fault.needs.filter((need) => !offers[need](members));
}
