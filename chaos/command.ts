/** `barque chaos`: clients, faults and checkers against real processes. */
import { writeFile } from "node:fs/promises";
import { parseCommand } from "../kit/flags.ts";
import { describeViolation } from "./checkers/violation.ts";
import { type Execution, execute, nothingTested, nothingTestedText, say } from "./execute.ts";
import { type Flags, objection, spec, systemOf } from "./flags.ts";
import { formatHistory } from "./history.ts";
import { matrixPairs, runMatrix } from "./matrix-command.ts";
import { faults } from "./nemeses/all.ts";
import { unlessInterrupted } from "./places/cleanup.ts";
import { renderReport } from "./report/html.ts";
import type { Progress, RunOutcome } from "./run.ts";
import { kvWorkloads } from "./workloads/all.ts";
import { kubernetesWorkloads } from "./workloads/kubernetes.ts";

/** Resolves to the exit code: 0 nothing wrong, 1 a violation, 2 wrong flags, 3 the run itself failed. */
export async function runChaos(argv: readonly string[]): Promise<number> {
	if (argv[0] === "hostile") return (await import("./hostile/command.ts")).runHostile(argv.slice(1));
	const parsed = parseCommand(spec, argv);
	if ("exit" in parsed) return parsed.exit;
	const flags = parsed.values;
	if (flags.list === true) return list();
	const complaint = objection(flags, parsed.given);
	if (complaint !== undefined) {
		process.stderr.write(`barque chaos: ${complaint}\n`);
		return 2;
	}
	try {
		if (needsEngine(flags)) {
			const { withEngine } = await import("./places/docker-engine.ts");
			const code = await withEngine(argv);
			if (code !== undefined) return code;
		}
		if (flags.matrix !== undefined) return await runMatrix(flags, flags.matrix);
		return await runOnce(flags, flags.seed ?? 1 + Math.floor(Math.random() * 1_000_000));
	} catch (error) {
		await unlessInterrupted();
		process.stderr.write(`barque chaos: the run failed: ${(error as Error).message}\n`);
		return 3;
	} finally {
		await unlessInterrupted();
	}
}

function needsEngine(flags: Flags): boolean {
	if (flags.matrix === undefined) return flags.target === "docker";
	return matrixPairs(flags).some(({ target }) => target === "docker");
}

function list(): number {
	const all = [...kvWorkloads.values(), ...kubernetesWorkloads.values()];
	const line = ({ name, summary }: { readonly name: string; readonly summary: string }) =>
		`  ${name.padEnd(16)} ${summary}\n`;
	process.stdout.write(`Workloads:\n${all.map(line).join("")}\nFaults:\n${[...faults.values()].map(line).join("")}`);
	return 0;
}

async function runOnce(flags: Flags, seed: number): Promise<number> {
	const replay = replayCommand(flags, seed);
	say(`seed ${seed}; again: ${replay}`);
	const execution = await execute(flags, seed, (progress) => say(progressLine(progress)));
	const { outcome } = execution;
	// First: a file that cannot be written must not cost the verdict.
	process.stdout.write(
		flags.output === "json" ? jsonResult(flags, seed, replay, execution) : textResult(outcome, replay),
	);
	await writeFiles(flags, seed, replay, execution);
	if (nothingTested(outcome)) throw new Error(nothingTestedText);
	return outcome.violations.length === 0 ? 0 : 1;
}

/** The operations and faults drawn are the same; when exactly they meet is the machine's. */
function replayCommand(flags: Flags, seed: number): string {
	const parts = [`barque chaos --target ${flags.target}`];
	if (flags.system !== undefined) parts.push(`--system ${flags.system}`);
	if (flags.etcd !== "etcd") parts.push(`--etcd ${flags.etcd}`);
	if (flags["unsafe-no-fsync"] === true) parts.push("--unsafe-no-fsync");
	parts.push(`--workload ${flags.workload} --time ${flags.time / 1000}s`);
	if (flags.nemesis.length > 0) parts.push(`--nemesis ${flags.nemesis.join(",")}`);
	if (flags.endpoints.length > 0) parts.push(`--api ${flags.api} --endpoints ${flags.endpoints.join(",")}`);
	for (const hook of ["kill-hook", "start-hook"] as const) {
		const command = flags[hook];
		if (command !== undefined) parts.push(`--${hook} '${command.replaceAll("'", "'\\''")}'`);
	}
	if (flags["serializable-reads"] === true) parts.push("--serializable-reads");
	if (flags.rate !== undefined) parts.push(`--rate ${flags.rate}`);
	if (flags["request-timeout"] !== 1000) parts.push(`--request-timeout ${flags["request-timeout"]}ms`);
	parts.push(`--clients ${flags.clients}`);
	if (flags.target !== "endpoints") parts.push(`--members ${flags.members}`);
	parts.push(`--seed ${seed}`);
	return parts.join(" ");
}

function progressLine({ elapsedMs, ok, fail, info, faults: struck, lastFault, phase }: Progress): string {
	const at = `${(elapsedMs / 1000).toFixed(0).padStart(4)} s ${phase.padEnd(6)}`;
	return `${at} ${ok} ok, ${fail} failed, ${info} unknown; ${struck} faults${lastFault === "" ? "" : `, last: ${lastFault}`}`;
}

async function writeFiles(flags: Flags, seed: number, replay: string, execution: Execution): Promise<void> {
	const { outcome, members, description: target } = execution;
	if (flags.history !== undefined) await writeFile(flags.history, formatHistory(outcome.events));
	if (flags.report === undefined) return;
	const { workload, nemesis } = flags;
	await writeFile(flags.report, renderReport({ workload, nemesis, seed, replay, target, members, outcome }));
}

/** Of one kind, and in all: the rest is told by its number. */
const shownOfKind = 8;
const shownInAll = 40;

function textResult({ violations, counts, faults: struck }: RunOutcome, replay: string): string {
	const ofKind = new Map<string, number>();
	const shown = violations.filter(({ kind }) => {
		ofKind.set(kind, (ofKind.get(kind) ?? 0) + 1);
		return ofKind.get(kind)! <= shownOfKind;
	});
	const lines = shown.slice(0, shownInAll).map((violation) => `${describeViolation(violation)}\n`);
	if (lines.length < violations.length) {
		const kinds = [...ofKind].map(([kind, count]) => `${count} ${kind}`).join(", ");
		lines.push(`(${lines.length} of ${violations.length} violations are shown: ${kinds}; --output json has all)\n`);
	}
	const { ok, fail, info } = counts;
	const verdict =
		violations.length === 0 ? "nothing wrong" : `${violations.length} violation${violations.length === 1 ? "" : "s"}`;
	lines.push(`${verdict}: ${ok} ok, ${fail} failed, ${info} unknown operations; ${struck} faults\n`);
	if (violations.length > 0) lines.push(`again: ${replay}\n`);
	return lines.join("");
}

function jsonResult(flags: Flags, seed: number, replay: string, execution: Execution): string {
	const { target, workload, nemesis } = flags;
	const { description, members, outcome } = execution;
	const { counts, violations, leaders, finished } = outcome;
	const run = { target, system: systemOf(flags), workload, nemesis, seed, replay, description, members };
	const durationMs = outcome.events.at(-1)?.time ?? 0;
	return `${JSON.stringify({ ...run, ...counts, faults: outcome.faults, finished, durationMs, leaders, violations })}\n`;
}
