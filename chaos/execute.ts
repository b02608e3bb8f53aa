/** One run as the flags ask for it: starts the members, runs the workload under the faults, ends the members. */
import { systemClock } from "../kit/clock.ts";
import { seededRandom } from "../kit/random.ts";
import type { Violation } from "./checkers/violation.ts";
import { choiceOf, type Flags } from "./flags.ts";
import { faults } from "./nemeses/all.ts";
import { createNemesis } from "./nemeses/nemesis.ts";
import { type Progress, type RunOutcome, runWorkload } from "./run.ts";
import { startKubernetesTarget, startStoreTarget } from "./start.ts";
import { type Ended, lastLines, type Members } from "./targets/members.ts";
import { kvWorkloads } from "./workloads/all.ts";
import { kubernetesWorkloads } from "./workloads/kubernetes.ts";
import type { Workload } from "./workloads/workload.ts";

export const say = (line: string) => void process.stderr.write(`${line}\n`);

export interface Execution {
	/** What was tested. */
	readonly description: string;
	readonly members: readonly string[];
	readonly outcome: RunOutcome;
}

export async function execute(
	flags: Flags,
	seed: number,
	onProgress: (progress: Progress) => void,
): Promise<Execution> {
	const kubernetes = kubernetesWorkloads.get(flags.workload);
	if (kubernetes !== undefined) {
		const members = await startKubernetesTarget(choiceOf(flags), flags.members as 1 | 3 | 5, faultsOf(flags));
		return executeOn(flags, seed, kubernetes, members, onProgress);
	}
	const members = await startStoreTarget(choiceOf(flags), {
		size: flags.members,
		requestTimeoutMs: flags["request-timeout"],
		serializableReads: flags["serializable-reads"] === true,
		faults: faultsOf(flags),
		etcd: flags.etcd,
		unsafeNoFsync: flags["unsafe-no-fsync"] === true,
		endpoints: flags.endpoints,
		api: flags.api as "native" | "etcd",
		killHook: flags["kill-hook"],
		startHook: flags["start-hook"],
	});
	return executeOn(flags, seed, kvWorkloads.get(flags.workload)!, members, onProgress);
}

function faultsOf(flags: Flags) {
	return flags.nemesis.map((name) => faults.get(name)!);
}

/** Whether a run says nothing, good or bad: nobody was there to answer any of its operations, from first to last. */
export function nothingTested({ counts, violations }: RunOutcome): boolean {
	return counts.ok === 0 && violations.every(({ kind }) => kind === "liveness");
}

export const nothingTestedText = "no operation was answered, so nothing was tested";

/** The others may go on as if nothing had happened, and then nobody else tells. */
function endedByItself({ name, output }: Ended): Violation {
	const witness = output.trimEnd().split("\n").slice(-lastLines);
	return { kind: "ended", message: `${name} ended, though nothing was done to it; it printed last:`, witness };
}

/** Ends the members. */
async function executeOn<T>(
	flags: Flags,
	seed: number,
	workload: Workload<T>,
	members: Members<T & { close(): Promise<void> }>,
	onProgress: (progress: Progress) => void,
): Promise<Execution> {
	try {
		const { description } = members;
		const chosen = faultsOf(flags);
		const harm = chosen.length === 0 ? "no faults" : flags.nemesis.join(",");
		say(`${description}; workload ${workload.name}; ${harm}; ${flags.time / 1000} s`);
		const clock = systemClock;
		const nemesis = { members, faults: chosen, random: seededRandom(seed), clock };
		const outcome = await runWorkload({
			workload,
			connect: (index) => members.connect(index),
			nemesis: chosen.length === 0 ? undefined : createNemesis(nemesis),
			clock,
			seed,
			clients: flags.clients,
			workMs: flags.time,
			rate: flags.rate,
			leader: () => members.leader(),
			exactTerms: members.exactTerms,
			onProgress,
		});
		const violations = [...outcome.violations, ...((await members.ended?.()) ?? []).map(endedByItself)];
		return { description, members: members.names, outcome: { ...outcome, violations } };
	} finally {
		await members.close();
	}
}
