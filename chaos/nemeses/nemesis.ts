/** Faults on a seeded schedule: some time whole, then one fault for some time, and so on. */
import { type Clock, sleep } from "../../kit/clock.ts";
import { type Random, seededRandom } from "../../kit/random.ts";
import type { Nemesis } from "../run.ts";
import type { Members } from "../targets/members.ts";
import { lacks } from "./all.ts";
import type { Fault } from "./fault.ts";

export interface NemesisOptions {
	readonly members: Members<unknown>;
	/** At least one. */
	readonly faults: readonly Fault[];
	readonly random: Random;
	readonly clock: Clock;
}

/** Between faults, and how long one lasts: at least, and at most that much more. */
const calmMs = [500, 2000] as const;
const faultMs = [500, 2500] as const;

/** Throws RangeError naming a fault that these members cannot be given. */
export function createNemesis({ members, faults, random, clock }: NemesisOptions): Nemesis {
	for (const fault of faults) {
		const missing = lacks(members, fault);
		if (missing.length > 0)
			throw new RangeError(`${fault.name}: ${members.description} cannot do ${missing.join(", ")}`);
		const least = fault.members ?? 1;
		if (members.names.length < least) throw new RangeError(`${fault.name} needs at least ${least} members`);
	}
	const span = ([least, more]: readonly [number, number]) => least + random.float() * more;
	return {
		run: async (signal, note) => {
			for (;;) {
				// All of a fault is drawn before it, so that what a seed plans does not hang on how long things take.
				const [calm, fault] = [span(calmMs), faults[random.int(faults.length)]!];
				const plan = { calm, fault, lasts: span(fault.lasts ?? faultMs) };
				const own = seededRandom(random.int(2 ** 31));
				if (!(await pause(clock, plan.calm, signal))) return;
				const { name } = plan.fault;
				const { value, strike, heal } = await plan.fault.plan(members, own);
				note(name, value);
				await strike();
				if (heal !== undefined) {
					await pause(clock, plan.lasts, signal);
					await heal();
				}
				note(`heal ${name}`, value);
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
