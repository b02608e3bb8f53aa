/**
 * The house's own lint: which room and folder may import which and no circles (docs/ARCHITECTURE.md, rooms.ts), and which
 * files must stay free of time, randomness, disk and sockets so that they run unchanged in simulation.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { append } from "../../kit/lists.ts";
import { backtrackingPatterns, canAnalyse } from "./backtracking.ts";
import { backwardArrows, type Import, importCircles, importsOf } from "./imports.ts";
import { isTest } from "./rooms.ts";
import { unboundedSpreads } from "./spreads.ts";
import type { Violation } from "./violation.ts";

/** Folders whose production files take Clock, Random, Disk and sockets as arguments. */
const pureFolders = [
	"store/raft/",
	"store/machine/",
	"store/mvcc/",
	"store/lease/",
	"store/watch/",
	"store/member/",
	"apiserver/machinery/",
	"apiserver/cache/",
	"agents/controller-manager/",
	"agents/scheduler/",
];
/** The doors of those folders: they compose the real world, and own no logic. */
const shells = [/\/command\.ts$/, /\/cli\.ts$/, /\/fixtures\//, /\.test\.ts$/, /\/testing\//, /\/data-dir\.ts$/];

const impure: ReadonlyArray<readonly [RegExp, string]> = [
	[/\bDate\.now\(/, "Date.now(): take a Clock"],
	[/\bnew Date\(\)/, "new Date(): take a Clock"],
	[/\bperformance\.now\(/, "performance.now(): take a Clock"],
	[/(?<![.\w])(setTimeout|setInterval)\(/, "a timer: take a Clock"],
	[/\bMath\.random\(/, "Math.random(): take a Random"],
	[
		/\bfrom "node:(fs|fs\/promises|net|tls|http|https|http2|dgram|child_process|worker_threads)"/,
		"the outside world: take it as an argument",
	],
];

/** The one place that skips tests, since it says why. */
const skipHelper = "test/skip.ts";

/** Checks one file's text; `file` is its path from the repository root. */
export function checkFile(file: string, text: string): Violation[] {
	const violations = backwardArrows(file, importsOf(file, text));
	const isPure = pureFolders.some((folder) => file.startsWith(folder)) && !shells.some((shell) => shell.test(file));
	for (const [index, line] of text.split("\n").entries()) {
		const report = (message: string) => violations.push({ file, line: index + 1, message });
		if (!isPure || /^\s*(\/\/|\*|\/\*)/.test(line)) continue;
		for (const [pattern, message] of impure) {
			if (pattern.test(line)) report(message);
		}
	}
	if (
		!isTest(file) &&
		!file.includes("/images/") &&
		/\bfrom "node:https?"/.test(text) &&
		/\b(https?\.createServer|createHttps?Server)\(/.test(text) &&
		!/\bguarded\(/.test(text)
	) {
		violations.push({
			file,
			line: 1,
			message: "an HTTP server whose listener may end the process: guarded (kit/guarded.ts)",
		});
	}
	if (file !== skipHelper && /\b(?:this|context)\.skip\(\)|\b(?:it|describe)\.skip\(/.test(text)) {
		violations.push({ file, line: 1, message: `a test is skipped without a reason that the run tells: ${skipHelper}` });
	}
	if (!isTest(file)) {
		for (const { line, operand } of unboundedSpreads(text)) {
			const message = `${operand}: a long list in a call throws; append (kit/lists.ts), or say "bounded: why" beside it`;
			violations.push({ file, line, message });
		}
		for (const { line, pattern, why } of backtrackingPatterns(text)) {
			const message = `${pattern}: ${why} on some text; rewrite it, or say "linear: why" beside it`;
			violations.push({ file, line, message });
		}
	}
	return violations;
}

/** What holds no sources of ours. */
const notRooms = new Set(["node_modules", "dist", "docs"]);

function* sources(root: string, folder: string): Generator<string> {
	for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
		const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
		if (entry.isDirectory() && !notRooms.has(entry.name) && !entry.name.startsWith(".")) yield* sources(root, name);
		else if (entry.isFile() && name.endsWith(".ts")) yield name;
	}
}

/** Every violation in the tree under `root`. */
export function checkTree(root: string): Violation[] {
	const violations: Violation[] = [];
	const imports = new Map<string, Import[]>();
	for (const file of sources(root, "")) {
		const text = readFileSync(path.join(root, file), "utf8");
		imports.set(file, importsOf(file, text));
		append(violations, checkFile(file, text));
	}
	append(violations, importCircles(imports));
	return violations;
}

if (import.meta.main) {
	if (!canAnalyse)
		process.stderr.write("house rules: regular expressions are not checked without scslre (npm install)\n");
	const violations = checkTree(path.resolve(import.meta.dirname, "..", ".."));
	for (const { file, line, message } of violations) process.stderr.write(`${file}:${line}: ${message}\n`);
	process.exitCode = violations.length === 0 ? 0 : 1;
}
