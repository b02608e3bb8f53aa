/** `barque chaos`: clients, faults and checkers against real processes. */
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { systemClock } from "../kit/clock.ts";
import { parseCommand } from "../kit/flags.ts";
import { seededRandom } from "../kit/random.ts";
import { describeViolation } from "./checkers/violation.ts";
import { formatHistory } from "./history.ts";
import { type Pair, type PairResult, parseResults, pendingPairs, renderTable } from "./matrix.ts";
import { createNemesis, type FaultKind, faultKinds } from "./nemeses/nemesis.ts";
import { renderReport } from "./report/html.ts";
import { type Progress, type RunOutcome, runWorkload } from "./run.ts";
import { endpointMembers } from "./targets/endpoints.ts";
import { startEtcdMembers } from "./targets/etcd.ts";
import { startClusterMembers } from "./targets/kubernetes.ts";
import type { Members } from "./targets/members.ts";
import { startStoreMembers } from "./targets/processes.ts";
import { kvWorkloads } from "./workloads/all.ts";
import { kubernetesWorkloads } from "./workloads/kubernetes.ts";
import type { Workload } from "./workloads/workload.ts";

const spec = {
	name: "barque chaos",
	summary:
		"Runs clients against a cluster while processes are killed and paused, and judges what the clients saw. Exit code 0: nothing wrong; 1: a violation; 2: wrong flags; 3: the run itself failed.",
	flags: {
		target: {
			type: "string",
			default: "processes",
			choices: ["processes", "etcd", "endpoints"],
			help: "processes: members of our store on this machine, or masters of a whole cluster for the k8s workloads; etcd: members of a real etcd; endpoints: what --endpoints names",
		},
		workload: {
			type: "string",
			default: "register",
			choices: [...kvWorkloads.keys(), ...kubernetesWorkloads.keys()],
			help: "what clients do (see --list)",
		},
		nemesis: {
			type: "list",
			default: [],
			choices: [...faultKinds],
			help: "faults, combined with commas; none by default",
		},
		time: { type: "duration", default: 20_000, help: "how long clients work and faults happen" },
		seed: { type: "integer", min: 1, help: "plans operations and faults; by default drawn and printed" },
		clients: { type: "integer", min: 1, max: 200, default: 8, help: "concurrent clients" },
		rate: {
			type: "integer",
			min: 1,
			max: 10_000,
			help: "operations a second of all clients; by default the workload's",
		},
		members: { type: "integer", min: 1, max: 7, default: 3, help: "members of the cluster that is started" },
		"request-timeout": { type: "duration", default: 1000, help: "how long a client waits for one answer" },
		"serializable-reads": {
			type: "boolean",
			help: "wrong on purpose: reads may be stale; the register workload must notice",
		},
		endpoints: { type: "list", default: [], help: "URLs of --target endpoints" },
		api: {
			type: "string",
			default: "native",
			choices: ["native", "etcd"],
			help: "what the endpoints speak: our own protocol, or etcd v3's JSON gateway",
		},
		"kill-hook": {
			type: "string",
			placeholder: "COMMAND",
			help: "for --target endpoints: a shell command that kills the member at $BARQUE_CHAOS_ENDPOINT",
		},
		"start-hook": {
			type: "string",
			placeholder: "COMMAND",
			help: "one that starts it again, and ends once it is ready",
		},
		etcd: { type: "string", default: "etcd", help: "the program of --target etcd" },
		output: {
			type: "string",
			default: "text",
			choices: ["text", "json"],
			help: "form of the result on standard output",
		},
		report: { type: "string", placeholder: "FILE.html", help: "write a self-contained page about the run" },
		history: { type: "string", placeholder: "FILE.jsonl", help: "write the history, a JSON line an event" },
		matrix: {
			type: "string",
			placeholder: "FILE.jsonl",
			help: "run every workload of the target under each of the faults of --nemesis (by default all), keep results in the file, and go on where it ends",
		},
		list: { type: "boolean", help: "list workloads and faults" },
	},
	examples: [
		"barque chaos --workload register --nemesis kill,pause --time 60s",
		"barque chaos --target etcd --workload append --nemesis kill-leader --report run.html",
		"barque chaos --target etcd --workload register --serializable-reads --nemesis pause   # must be caught",
		"barque chaos --matrix results.jsonl --time 20s",
		"barque chaos --target endpoints --api etcd --endpoints http://127.0.0.1:2379 --workload bank",
	],
} as const;

type Flags = Extract<ReturnType<typeof parseCommand<(typeof spec)["flags"]>>, { values: unknown }>["values"];

/** Resolves to the exit code: 0 nothing wrong, 1 a violation, 2 wrong flags, 3 the run itself failed. */
export async function runChaos(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(spec, argv);
	if ("exit" in parsed) return parsed.exit;
	const flags = parsed.values;
	if (flags.list === true) return list();
	const complaint = objection(flags);
	if (complaint !== undefined) {
		process.stderr.write(`barque chaos: ${complaint}\n`);
		return 2;
	}
	try {
		if (flags.matrix !== undefined) return await runMatrix(flags, flags.matrix);
		return await runOnce(flags, flags.seed ?? 1 + Math.floor(Math.random() * 1_000_000));
	} catch (error) {
		process.stderr.write(`barque chaos: the run failed: ${(error as Error).message}\n`);
		return 3;
	}
}

function list(): number {
	const all = [...kvWorkloads.values(), ...kubernetesWorkloads.values()];
	const lines = all.map(({ name, summary }) => `  ${name.padEnd(14)} ${summary}`);
	process.stdout.write(`Workloads:\n${lines.join("\n")}\n\nFaults:\n  ${faultKinds.join("\n  ")}\n`);
	return 0;
}

function objection(flags: Flags): string | undefined {
	if (flags.matrix !== undefined && flags.target === "endpoints") return "--matrix needs processes that it can harm";
	if (kubernetesWorkloads.has(flags.workload)) return kubernetesObjection(flags);
	if (flags.target !== "endpoints") {
		return flags.endpoints.length === 0 ? undefined : "--endpoints is for --target endpoints";
	}
	if (flags.endpoints.length === 0) return "--target endpoints needs --endpoints";
	const wrong = flags.nemesis.find((kind) => kind !== "kill" && kind !== "kill-all");
	if (wrong !== undefined) return `--nemesis ${wrong}: endpoints can only be killed (kill, kill-all), by hooks`;
	const hooked = flags["kill-hook"] !== undefined && flags["start-hook"] !== undefined;
	if (flags.nemesis.length > 0 && !hooked) return "--nemesis needs --kill-hook and --start-hook to harm endpoints";
	if (flags.workload === "kv") return "the kv workload needs a store that nobody else writes to";
	return undefined;
}

function kubernetesObjection(flags: Flags): string | undefined {
	if (flags.target !== "processes") return `the ${flags.workload} workload runs only with --target processes`;
	if (![1, 3, 5].includes(flags.members)) return `--members: a cluster has 1, 3 or 5 masters, not ${flags.members}`;
	const wrong = flags.nemesis.find((kind) => !["kill", "kill-all"].includes(kind));
	return wrong === undefined ? undefined : `--nemesis ${wrong}: masters can only be killed (kill, kill-all)`;
}

function startMembers(flags: Flags): Promise<Members> {
	const options = {
		size: flags.members,
		requestTimeoutMs: flags["request-timeout"],
		serializableReads: flags["serializable-reads"] === true,
	};
	if (flags.target === "processes") return startStoreMembers(options);
	if (flags.target === "etcd") return startEtcdMembers({ ...options, program: flags.etcd });
	const members = endpointMembers({
		...options,
		endpoints: flags.endpoints,
		api: flags.api as "native" | "etcd",
		prefix: `barque-chaos/${Date.now().toString(36)}/`,
		killHook: flags["kill-hook"],
		startHook: flags["start-hook"],
	});
	return Promise.resolve(members);
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function runOnce(flags: Flags, seed: number): Promise<number> {
	const replay = replayCommand(flags, seed);
	say(`seed ${seed}; again: ${replay}`);
	const { description, outcome } = await execute(flags, seed, (progress) => say(progressLine(progress)));
	await writeFiles(flags, seed, replay, description, outcome);
	process.stdout.write(
		flags.output === "json" ? jsonResult(flags, seed, replay, outcome) : textResult(outcome, replay),
	);
	return outcome.violations.length === 0 ? 0 : 1;
}

interface Execution {
	/** What was tested. */
	readonly description: string;
	readonly outcome: RunOutcome;
}

async function execute(flags: Flags, seed: number, onProgress: (progress: Progress) => void): Promise<Execution> {
	const kubernetes = kubernetesWorkloads.get(flags.workload);
	if (kubernetes !== undefined) {
		const members = await startClusterMembers(flags.members as 1 | 3 | 5);
		return executeOn(flags, seed, kubernetes, members, onProgress);
	}
	return executeOn(flags, seed, kvWorkloads.get(flags.workload)!, await startMembers(flags), onProgress);
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
		const faults = flags.nemesis.length === 0 ? "no faults" : flags.nemesis.join(",");
		say(`${description}; workload ${workload.name}; ${faults}; ${flags.time / 1000} s`);
		const kinds = flags.nemesis as readonly FaultKind[];
		const clock = systemClock;
		const outcome = await runWorkload({
			workload,
			connect: (index) => members.connect(index),
			nemesis: kinds.length === 0 ? undefined : createNemesis({ members, kinds, random: seededRandom(seed), clock }),
			clock,
			seed,
			clients: flags.clients,
			workMs: flags.time,
			rate: flags.rate,
			onProgress,
		});
		return { description, outcome };
	} finally {
		await members.close();
	}
}

/** Wrong by design: it must be caught, and counts as a failure of the matrix when it is not. */
const wrongWorkloads: ReadonlySet<string> = new Set(["lock-unfenced"]);

async function runMatrix(flags: Flags, file: string): Promise<number> {
	const before = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return "";
		throw error;
	});
	const results = parseResults(before);
	const pairs = allPairs(flags);
	const pending = pendingPairs(pairs, flags.target, results);
	say(`${pairs.length} pairs, ${pairs.length - pending.length} of them in ${file} already`);
	for (const [i, { workload, nemesis }] of pending.entries()) {
		const seed = (flags.seed ?? 1) + pairs.length - pending.length + i;
		const { outcome } = await execute({ ...flags, workload, nemesis: [nemesis] }, seed, () => {});
		const { counts, faults } = outcome;
		const violations = [...new Set(outcome.violations.map(({ kind }) => kind))];
		const result = { target: flags.target, workload, nemesis, time: flags.time, seed, ...counts, faults, violations };
		results.push(result satisfies PairResult);
		await appendFile(file, `${JSON.stringify(result)}\n`);
		say(
			`${i + 1} of ${pending.length}: ${counts.ok} ok, ${violations.length === 0 ? "nothing wrong" : violations.join(", ")}`,
		);
	}
	const mine = results.filter((each) => each.target === flags.target);
	process.stdout.write(renderTable(mine));
	const isWrong = ({ workload, violations }: PairResult) => wrongWorkloads.has(workload) === (violations.length === 0);
	return mine.some(isWrong) ? 1 : 0;
}

function allPairs(flags: Flags): Pair[] {
	const chosen = flags.nemesis.length === 0 ? faultKinds : flags.nemesis;
	const pairs = [...kvWorkloads.keys()].flatMap((workload) => chosen.map((nemesis) => ({ workload, nemesis })));
	if (flags.target !== "processes") return pairs;
	const killing = chosen.filter((nemesis) => nemesis === "kill" || nemesis === "kill-all");
	const masters = [...kubernetesWorkloads.keys()].flatMap((workload) =>
		killing.map((nemesis) => ({ workload, nemesis })),
	);
	return [...pairs, ...masters];
}

/** The operations and faults drawn are the same; when exactly they meet is the machine's. */
function replayCommand(flags: Flags, seed: number): string {
	const parts = [`barque chaos --target ${flags.target} --workload ${flags.workload} --time ${flags.time / 1000}s`];
	if (flags.nemesis.length > 0) parts.push(`--nemesis ${flags.nemesis.join(",")}`);
	if (flags.endpoints.length > 0) parts.push(`--api ${flags.api} --endpoints ${flags.endpoints.join(",")}`);
	for (const hook of ["kill-hook", "start-hook"] as const) {
		const command = flags[hook];
		if (command !== undefined) parts.push(`--${hook} '${command.replaceAll("'", "'\\''")}'`);
	}
	if (flags["serializable-reads"] === true) parts.push("--serializable-reads");
	if (flags.rate !== undefined) parts.push(`--rate ${flags.rate}`);
	if (flags["request-timeout"] !== 1000) parts.push(`--request-timeout ${flags["request-timeout"]}ms`);
	parts.push(`--clients ${flags.clients} --members ${flags.members} --seed ${seed}`);
	return parts.join(" ");
}

function progressLine({ elapsedMs, ok, fail, info, faults, lastFault, phase }: Progress): string {
	const at = `${(elapsedMs / 1000).toFixed(0).padStart(4)} s ${phase.padEnd(6)}`;
	return `${at} ${ok} ok, ${fail} failed, ${info} unknown; ${faults} faults${lastFault === "" ? "" : `, last: ${lastFault}`}`;
}

async function writeFiles(
	flags: Flags,
	seed: number,
	replay: string,
	target: string,
	outcome: RunOutcome,
): Promise<void> {
	if (flags.history !== undefined) await writeFile(flags.history, formatHistory(outcome.events));
	if (flags.report === undefined) return;
	const { workload, nemesis } = flags;
	await writeFile(flags.report, renderReport({ workload, nemesis, seed, replay, target, outcome }));
}

function textResult({ violations, counts, faults }: RunOutcome, replay: string): string {
	const lines = violations.map((violation) => `${describeViolation(violation)}\n`);
	const { ok, fail, info } = counts;
	const verdict = violations.length === 0 ? "nothing wrong" : `${violations.length} violations`;
	lines.push(`${verdict}: ${ok} ok, ${fail} failed, ${info} unknown operations; ${faults} faults\n`);
	if (violations.length > 0) lines.push(`again: ${replay}\n`);
	return lines.join("");
}

function jsonResult(flags: Flags, seed: number, replay: string, outcome: RunOutcome): string {
	const { target, workload, nemesis } = flags;
	const { counts, faults, finished, violations } = outcome;
	return `${JSON.stringify({ target, workload, nemesis, seed, replay, ...counts, faults, finished, violations })}\n`;
}
