/** What operators do while clients work. */
import { type Fault, shuffled } from "./fault.ts";

export const maintenanceFaults: readonly Fault[] = [
	{
		name: "compact",
		summary: "history up to a moment ago is discarded",
		needs: ["compact"],
		plan: async (members) => ({ value: [], strike: () => members.compact!() }),
	},
	{
		name: "defragment",
		summary: "one member after the other gives freed space back",
		needs: ["defragment"],
		plan: async (members, random) => {
			const order = shuffled(members.names, random);
			const strike = async () => {
				for (const name of order) await members.defragment!(name);
			};
			return { value: order, strike };
		},
	},
];
