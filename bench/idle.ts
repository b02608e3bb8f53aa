/** `barque bench idle`: processor time of three members of ours and of an etcd that have nothing to do, side by side. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { StoreProcesses } from "../cluster/store-processes.ts";
import { parseCommand } from "../kit/flags.ts";
import { type EtcdMembers, startEtcd } from "./etcd.ts";

/** Linux's USER_HZ, the unit of /proc's processor times, is 100 on every platform that Node runs on. */
const msPerTick = 10;
/** The kernel's placing of `utime` and `stime` among the fields after the command's name (proc(5): 14 and 15). */
const utimeField = 11;

const command = {
	name: "barque bench idle",
	summary:
		"Starts three members of Barque's store and three of etcd and prints what processor time (user and system) both take while nobody asks them anything.",
	flags: {
		etcd: { type: "string", default: "etcd", help: "The etcd to measure beside ours, by path or as found on PATH." },
		rounds: { type: "integer", default: 3, min: 1, max: 100, help: "Rounds; medians are compared." },
		interval: { type: "duration", default: 10_000, help: "Time measured in each round." },
		settle: { type: "duration", default: 5_000, help: "Time given to both after their start." },
		output: { type: "string", default: "text", choices: ["text", "json"], help: "Form of the result." },
	},
	examples: [
		"barque bench idle",
		"barque bench idle --etcd=/usr/local/bin/etcd --rounds=5 --interval=20s --output=json",
	],
} as const;

/** Percent of one processor, for the three members together. */
interface Round {
	readonly barque: number;
	readonly etcd: number;
}

interface Result {
	readonly etcdVersion: string;
	readonly intervalMs: number;
	readonly rounds: readonly Round[];
	/** Medians. */
	readonly barque: number;
	readonly etcd: number;
	/** Of the medians: above 1 we take more. */
	readonly ratio: number;
}

/** User and system time of all threads of a process since its start, ms. */
export function processorMs(stat: string): number {
	// The name, in parentheses, may hold anything.
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[utimeField]) + Number(fields[utimeField + 1])) * msPerTick;
}

async function spent(pids: readonly number[]): Promise<number> {
	const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8")));
	return stats.reduce((sum, stat) => sum + processorMs(stat), 0);
}

/** Both over the same time, since other work on the machine is never the same twice; who is read first takes turns. */
async function measure(
	ours: readonly number[],
	theirs: readonly number[],
	intervalMs: number,
	turn: number,
): Promise<Round> {
	const read = async (): Promise<readonly [number, number, number]> => {
		if (turn % 2 === 0) return [await spent(ours), await spent(theirs), performance.now()];
		const etcd = await spent(theirs);
		return [await spent(ours), etcd, performance.now()];
	};
	const before = await read();
	await delay(intervalMs);
	const after = await read();
	const percent = (i: 0 | 1) => (100 * (after[i] - before[i])) / (after[2] - before[2]);
	return { barque: percent(0), etcd: percent(1) };
}

export function median(values: readonly number[]): number {
	return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function versionOf(program: string): Promise<string> {
	const { stdout } = await promisify(execFile)(program, ["--version"]);
	return /etcd Version: (\S+)/.exec(stdout)?.[1] ?? "unknown";
}

export async function runBenchIdle(argv: readonly string[]): Promise<number> {
	const parsed = parseCommand(command, argv);
	if ("exit" in parsed) return parsed.exit;
	const { values } = parsed;
	if (process.platform !== "linux") {
		process.stderr.write("barque bench idle: processor times are read from /proc, which only Linux has\n");
		return 2;
	}
	let etcdVersion: string;
	try {
		etcdVersion = await versionOf(values.etcd);
	} catch (error) {
		process.stderr.write(`barque bench idle: --etcd: ${values.etcd}: ${(error as Error).message}\n`);
		return 2;
	}
	const store = await StoreProcesses.create(3);
	let etcd: EtcdMembers | undefined;
	try {
		await store.startAll();
		etcd = await startEtcd(`${store.directory}/etcd`, values.etcd);
		await delay(values.settle);
		const rounds: Round[] = [];
		for (let turn = 0; turn < values.rounds; turn++) {
			rounds.push(await measure(store.pids, etcd.pids, values.interval, turn));
		}
		const ours = median(rounds.map((round) => round.barque));
		const theirs = median(rounds.map((round) => round.etcd));
		print(
			{ etcdVersion, intervalMs: values.interval, rounds, barque: ours, etcd: theirs, ratio: ours / theirs },
			values.output,
		);
		return 0;
	} finally {
		await etcd?.close();
		await store.close();
	}
}

function print(result: Result, form: string): void {
	if (form === "json") {
		process.stdout.write(`${JSON.stringify(result)}\n`);
		return;
	}
	const line = (name: string, { barque, etcd }: Round) =>
		`${name.padEnd(10)} ${barque.toFixed(2).padStart(8)} % ${etcd.toFixed(2).padStart(14)} %  ${(barque / etcd).toFixed(2).padStart(8)}\n`;
	process.stdout.write(`processor time of three idle members, user and system, of one processor\n`);
	process.stdout.write(
		`${"".padEnd(10)} ${"barque".padStart(10)} ${`etcd ${result.etcdVersion}`.padStart(16)}  ${"ratio".padStart(8)}\n`,
	);
	for (const [i, round] of result.rounds.entries()) process.stdout.write(line(`round ${i + 1}`, round));
	process.stdout.write(line("median", result));
}
