/** Faults of processes on a seeded schedule: some time whole, then one fault for some time, and so on. */
import { type Clock, sleep } from "../../kit/clock.ts";
import type { Random } from "../../kit/random.ts";
import type { Nemesis } from "../run.ts";
import type { Members } from "../targets/members.ts";

export const faultKinds = ["kill", "kill-leader", "kill-all", "pause", "pause-leader", "pause-all"] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface NemesisOptions {
	readonly members: Members<unknown>;
	readonly kinds: readonly FaultKind[];
	readonly random: Random;
	readonly clock: Clock;
}

/** Between faults, and how long one lasts: at least, and at most that much more. */
const calmMs = [500, 2000] as const;
const faultMs = [500, 2500] as const;

export function createNemesis({ members, kinds, random, clock }: NemesisOptions): Nemesis {
	const span = ([least, more]: readonly [number, number]) => least + random.float() * more;
	return {
		run: async (signal, note) => {
			for (;;) {
				// All of a fault is drawn before it, so that what a seed plans does not hang on how long things take.
				const plan = { calm: span(calmMs), kind: kinds[random.int(kinds.length)]!, lasts: span(faultMs) };
				const chance = members.names[random.int(members.names.length)]!;
				if (!(await pause(clock, plan.calm, signal))) return;
				const victims = await choose(members, plan.kind, chance);
				note(plan.kind, victims);
				await strike(members, plan.kind, victims);
				await pause(clock, plan.lasts, signal);
				await heal(members, plan.kind, victims);
				note(`heal ${plan.kind}`, victims);
			}
		},
	};
}

/** Whether there was time for it all. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
	try {
		await sleep(clock, ms, signal);
		return true;
	} catch (error) {
		if (signal.aborted) return false;
		throw error;
	}
}

async function choose(members: Members<unknown>, kind: FaultKind, chance: string): Promise<readonly string[]> {
	if (kind.endsWith("-all")) return members.names;
	if (kind.endsWith("-leader")) return [(await members.leader()) ?? chance];
	return [chance];
}

async function strike(members: Members<unknown>, kind: FaultKind, victims: readonly string[]): Promise<void> {
	if (kind.startsWith("kill")) await Promise.all(victims.map((name) => members.kill(name)));
	else for (const name of victims) members.pause?.(name);
}

async function heal(members: Members<unknown>, kind: FaultKind, victims: readonly string[]): Promise<void> {
	if (kind.startsWith("kill")) await Promise.all(victims.map((name) => members.start(name)));
	else for (const name of victims) members.resume?.(name);
}
