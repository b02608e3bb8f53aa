import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const command = JSON.stringify(new URL("./command.ts", import.meta.url).href);
const script = `import(${command}).then(({ runStore }) => runStore(process.argv.slice(1))).then((code) => { process.exitCode = code; })`;

function start(argv: readonly string[]): {
	readonly child: ChildProcess;
	readonly ended: Promise<number | null>;
	readonly text: () => string;
} {
	const child = spawn(process.execPath, ["-e", script, "--", ...argv], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	let text = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream?.on("data", (chunk: Buffer) => {
			text += chunk.toString();
		});
	}
	return { child, ended: new Promise((resolve) => child.once("close", resolve)), text: () => text };
}

describe("store/process/command", function () {
	this.timeout(60_000);

	it("exits 2 on wrong flags, naming them, and 0 on --help", async () => {
		const cases: readonly (readonly [string[], RegExp])[] = [
			[["--data-dri=x"], /unknown flag: --data-dri \(did you mean --data-dir\?\)/],
			[["--election-timeout=100", "--heartbeat-interval=100"], /--election-timeout\[100ms\]/],
			[["--listen-client-urls=https://127.0.0.1:0"], /needs --cert-file and --key-file/],
			[["--initial-cluster=x=http://127.0.0.1:1"], /couldn't find local name "default"/],
			[["--auto-compaction-retention=soon"], /"soon" is not a duration/],
		];
		const runs = cases.map(([argv]) => start(argv));
		for (const [i, run] of runs.entries()) {
			assert.equal(await run.ended, 2, run.text());
			assert.match(run.text(), cases[i]?.[1] ?? /^$/);
		}
		const help = start(["--help"]);
		assert.equal(await help.ended, 0);
		assert.match(help.text(), /Clustering:[\s\S]*--initial-cluster /);
	});

	it("starts, says so, and ends with 0 on SIGTERM, leaving nothing open", async () => {
		const directory = await mkdtemp(join(tmpdir(), "barque-command-"));
		const peer = "http://127.0.0.1:0";
		const argv = [
			`--data-dir=${join(directory, "data")}`,
			`--initial-advertise-peer-urls=${peer}`,
			`--listen-peer-urls=${peer}`,
			"--listen-client-urls=http://127.0.0.1:0",
		];
		try {
			for (let round = 0; round < 2; round++) {
				const run = start(argv);
				await new Promise<void>((resolve) => {
					run.child.stdout?.on("data", () => {
						if (/barque store default ready/.test(run.text())) resolve();
					});
					run.ended.then(() => resolve());
				});
				run.child.kill("SIGTERM");
				assert.equal(await run.ended, 0, run.text());
				assert.match(run.text(), /store member stopped/);
			}
		} finally {
			await rm(directory, { recursive: true, force: true });
		}
	});
});
