/**
 * Known bugs, each the loss of one safety rule, planted one at a time in a copy of the source. The product has no switch
 * for any of them. The simulator must find each.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { HuntReport } from "./hunt.ts";

export interface Bug {
	readonly name: string;
	readonly file: string;
	/** Exactly once in the file. */
	readonly text: string;
	readonly replacement: string;
	/** Takes more than a hundred seeds. */
	readonly rare?: true;
}

/** Seeds from 1 within which each bug must be found. */
export const seedBudget = 1000;

export const bugs: readonly Bug[] = [
	{
		name: "the log is not synced before it is acknowledged",
		file: "store/wal/writer.ts",
		text: "await file.write(data, position);\n\t\tawait file.sync();\n\t\tthis.#end = end;",
		replacement: "await file.write(data, position);\n\t\tthis.#end = end;",
	},
	{
		name: "a vote is not persisted",
		file: "store/wal/format.ts",
		text: "this.#buffer.writeBigUInt64LE(state.vote, at + 8);",
		replacement: "this.#buffer.writeBigUInt64LE(0n, at + 8);",
	},
	{
		name: "a second vote in the same term",
		file: "store/raft/raft.ts",
		text: "this.#vote === from || (this.#vote === none",
		replacement: "this.#vote !== this.id || (this.#vote === none",
	},
	{
		name: "a vote for a candidate with an older log",
		file: "store/raft/raft.ts",
		text: "const granted = free && this.#log.isUpToDate(message.index, message.logTerm);",
		replacement: "const granted = free;",
	},
	{
		name: "an entry of an earlier term is committed by counting",
		rare: true,
		file: "store/raft/raft.ts",
		text: "if (index <= before || log.termAt(index) !== this.#term) return;",
		replacement: "if (index <= before) return;",
	},
	{
		name: "a leader counts itself before its own sync",
		file: "store/raft/raft.ts",
		text: "\t\tthis.#log.appendOne(entry);",
		replacement: "\t\tthis.#log.appendOne(entry);\n\t\tthis.#self?.maybeUpdate(entry.index);",
	},
	{
		name: "a follower acknowledges before its sync",
		file: "store/member/member.ts",
		text: "\t\tconst { hardState, entries, snapshot, mustSync } = persist;",
		replacement: "\t\tconst { hardState, entries, snapshot, mustSync } = persist;\n\t\tthis.#send(persist.messages);",
	},
	{
		name: "a heartbeat commits beyond what is known to match",
		file: "store/raft/replicate.ts",
		text: "const commit = Math.min(progress.match, this.#log.committed);",
		replacement: "const commit = this.#log.committed;",
	},
	{
		name: "a stale snapshot is accepted",
		rare: true,
		file: "store/raft/raft.ts",
		text: "if (snapshot.index > log.committed) {",
		replacement: "if (snapshot.index > 0) {",
	},
	{
		name: "what is under way for replaced entries counts for the new ones",
		rare: true,
		file: "store/raft/persist.ts",
		text: "for (const inFlight of this.#queue) if (inFlight.lastIndex > index) inFlight.lastIndex = index;",
		replacement: "for (const inFlight of this.#queue) if (inFlight.lastIndex < 0) inFlight.lastIndex = index;",
	},
	{
		name: "replaced entries still count as durable",
		file: "store/raft/log.ts",
		text: "if (this.#stable >= index) this.#stable = index - 1;",
		replacement: "",
	},
	{
		name: "a read is confirmed without a quorum",
		file: "store/raft/raft.ts",
		text: "this.#leaderReads.confirm(this.#tracker.confirmedRound(),",
		replacement: "this.#leaderReads.confirm(this.#leaderReads.round,",
	},
	{
		name: "a read by the leader's lease, also after a pause",
		file: "store/raft/raft.ts",
		text: "if (this.#self !== undefined) this.#self.ackedRound = round;",
		replacement:
			"if (this.#electionElapsed < this.#config.electionTicks) for (const one of this.#tracker.all) one.ackedRound = round;",
	},
	{
		name: "a read is answered before its index is applied",
		file: "store/member/reads.ts",
		text: "else if (index <= applied) this.#resolve",
		replacement: "else if (index >= 0 && applied >= 0) this.#resolve",
	},
	{
		name: "a transaction that only reads asks no leader",
		file: "store/member/requests.ts",
		text: "if (!isSerializable(request)) await this.replica.linearizableRead();",
		replacement: "",
	},
	{
		name: "the log is released above the durable index",
		file: "store/member/marks.ts",
		text: "const meta = withConf(await machine.sync(), raft.conf);",
		replacement:
			"const meta = withConf({ index: machine.appliedIndex, term: machine.appliedTerm, conf: machine.conf }, raft.conf);",
	},
	{
		name: "the applied index is not written together with the data",
		file: "store/machine/writer.ts",
		text: "await this.#engine.batch(ops, { sync });",
		replacement:
			"const head = ops.pop()!;\n\t\tawait this.#engine.batch([head], { sync: false });\n\t\tawait this.#engine.batch(ops, { sync });",
	},
	{
		name: "deduplication is ignored",
		file: "store/machine/sessions.ts",
		text: "if (answer === undefined) return { run: true };",
		replacement: "if (answer === undefined || sequence > 0) return { run: true };",
	},
	{
		name: "deduplication is lost at a snapshot",
		file: "store/machine/machine.ts",
		text: "const kept = [...sessions.ids()].map((id) => sessions.encode(id)!);",
		replacement: "const kept: Buffer[] = [];",
	},
	{
		name: "a watch resumes one revision too late",
		file: "store/client/watcher.ts",
		text: "startRevision: this.#next }), {",
		replacement: "startRevision: this.#id === 0 ? this.#next : this.#next + 1 }), {",
	},
	{
		name: "a revision's events are split between two batches",
		file: "store/watch/hub.ts",
		text: "\t\tthis.#deliver(watcher, batch);",
		replacement: "\t\tfor (const event of batch.events) this.#deliver(watcher, { ...batch, events: [event] });",
	},
	{
		name: "a lease expires without a look at replicated time",
		rare: true,
		file: "store/machine/execute.ts",
		text: "if (command.expired && !lessor.isExpired(command.id, now))",
		replacement: "if (command.expired && !lessor.has(command.id))",
	},
	{
		name: "leases age by a clock that jumps",
		file: "store/member/lease-clock.ts",
		text: "const now = Math.floor(this.#base + (this.#clock.monotonic() - this.#origin));",
		replacement: "const now = this.#clock.now();",
	},
	{
		name: "a compaction removes one revision too many",
		file: "store/machine/compactor.ts",
		text: "at = this.#space.compactSlice(goal, at, keysPerSlice);",
		replacement: "at = this.#space.compactSlice(goal + 1, at, keysPerSlice);",
	},
	{
		name: "after a failed sync the log goes on with what it can read",
		file: "store/wal/writer.ts",
		text: "await file.truncate(end);\n\t\tawait file.write(last, position);\n\t\tawait file.sync();",
		replacement: "await file.truncate(end);\n\t\tawait file.sync();",
	},
	{
		name: "a new segment's name is not synced",
		file: "store/wal/writer.ts",
		text: "await this.#disk.rename(temporary, path);\n\t\tawait this.#disk.syncDirectory(dirname(path));",
		replacement: "await this.#disk.rename(temporary, path);",
	},
	{
		name: "a wiped member votes: nobody knows it by the data it had",
		file: "store/member/incarnations.ts",
		text: "const loss = known === undefined ? undefined : lossBetween(known, told);",
		replacement: "const loss = known === undefined || known.starts >= 0 ? undefined : lossBetween(known, told);",
	},
	{
		name: "a member with an empty directory begins without asking",
		file: "store/member/bootstrap.ts",
		text: "if (mayBegin(size, [])) resolve();\n\telse transport.greet();",
		replacement: "resolve();",
	},
];

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A copy of the tree that runs, without what the simulation does not need. */
async function copyTree(to: string): Promise<void> {
	for (const folder of ["kit", "store", "chaos"]) {
		await cp(join(root, folder), join(to, folder), { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
	}
	await cp(join(root, "package.json"), join(to, "package.json"));
	await symlink(join(root, "node_modules"), join(to, "node_modules"), "dir");
}

async function plant(tree: string, bug: Bug): Promise<void> {
	const path = join(tree, bug.file);
	const source = await readFile(path, "utf8");
	if (source.split(bug.text).length !== 2) {
		throw new Error(`${bug.file} does not hold, once, the text to change: ${bug.text}`);
	}
	await writeFile(
		path,
		source.replace(bug.text, () => bug.replacement),
	);
}

/** Runs `work` with a copy of the source that has the bug. */
export async function withPlanted<T>(bug: Bug, work: (tree: string) => Promise<T>): Promise<T> {
	const tree = await mkdtemp(join(tmpdir(), "barque-planted-"));
	try {
		await copyTree(tree);
		await plant(tree, bug);
		return await work(tree);
	} finally {
		await rm(tree, { recursive: true });
	}
}

/** `barque sim` of a copy, in a process of its own. */
export function simOf(
	tree: string,
	args: readonly string[],
): Promise<{ readonly code: number; readonly output: string }> {
	const command = pathToFileURL(join(tree, "chaos/sim/command.ts")).href;
	const script = `const { runSim } = await import(${JSON.stringify(command)}); process.exitCode = await runSim(${JSON.stringify(args)});`;
	const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: tree, timeout: 300_000 });
	const chunks: Buffer[] = [];
	child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
	child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code) => resolve({ code: code ?? -1, output: Buffer.concat(chunks).toString() }));
	});
}

export interface Found {
	readonly seed: number;
	readonly violation: string;
}

/** The first seed that fails in the copy; undefined when none within the budget does. */
export async function findIn(tree: string, budget = seedBudget): Promise<Found | undefined> {
	const { output } = await simOf(tree, ["--seeds", String(budget), "--output", "json"]);
	const line = output.split("\n").find((each) => each.startsWith("{"));
	if (line === undefined) throw new Error(`no report:\n${output}`);
	const [bad] = (JSON.parse(line) as HuntReport).bad;
	return bad === undefined ? undefined : { seed: bad.seed, violation: bad.violations[0]! };
}

/** Finds each bug, and prints the table of docs/chaos-sim.md. Resolves to the exit code. */
export async function findPlanted(): Promise<number> {
	if (!existsSync(join(root, bugs[0]!.file))) {
		process.stderr.write(
			"barque sim: --planted changes copies of the source, which is not here: run it in a checkout\n",
		);
		return 2;
	}
	const rows: string[] = [];
	let missed = 0;
	for (const bug of bugs) {
		const found = await withPlanted(bug, (tree) => findIn(tree));
		if (found === undefined) missed++;
		const what = found?.violation.split(":")[0] ?? "not found";
		const row = `| ${bug.name} | \`${bug.file}\` | ${found?.seed ?? `more than ${seedBudget}`} | ${what} |`;
		process.stderr.write(`${row}\n`);
		rows.push(row);
	}
	process.stdout.write(
		`| bug | file | seeds until found | what is violated |\n|---|---|---|---|\n${rows.join("\n")}\n`,
	);
	return missed === 0 ? 0 : 1;
}
