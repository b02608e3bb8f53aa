/** successPolicy (KEP-3998): an Indexed job may succeed before all its indexes have; pure. */
import type { Job } from "../controller.ts";
import type { Verdict } from "./decide.ts";
import { parseIndexes } from "./indexes.ts";

/** The first rule that the succeeded indexes fulfil decides. */
export function matchSuccessPolicy(job: Job, succeeded: ReadonlySet<number>): Verdict | undefined {
	const completions = job.spec?.completions ?? 0;
	for (const [i, { succeededIndexes, succeededCount }] of (job.spec?.successPolicy?.rules ?? []).entries()) {
		const among = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions);
		const reached = among === undefined ? succeeded.size : [...among].filter((index) => succeeded.has(index)).length;
		const wanted = succeededCount ?? among?.size;
		if (wanted === undefined || reached < wanted) continue;
		return { type: "Complete", reason: "SuccessPolicy", message: `Matched rules at index ${i}` };
	}
	return undefined;
}
