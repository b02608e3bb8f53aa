// `npm test`, `npm run lint`, `npm run build`: the developer's commands, under a new enough Node.
import { spawnSync } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { ensureInstalled, findNode, packageRoot } from "./launch.js";

ensureInstalled({ development: true });
const node = findNode();
const tool = (...parts) => path.join(packageRoot, "node_modules", ...parts);

function run(label, ...args) {
	const started = Date.now();
	const result = spawnSync(node, args, {
		cwd: packageRoot,
		stdio: "inherit",
		env: { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env["PATH"] ?? ""}` },
	});
	if (result.status !== 0) {
		process.stderr.write(`barque: ${label} failed after ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
		process.exit(result.status ?? 1);
	}
}

const typecheck = (...args) => run("type check", tool("typescript", "lib", "tsc.js"), ...args);
const lint = () => {
	run("biome", tool("@biomejs", "biome", "bin", "biome"), "check", "--error-on-warnings", ".");
	run("house rules", path.join("test", "house", "rules.ts"));
	typecheck("-p", "tsconfig.json");
};
const commands = {
	lint,
	typecheck,
	format: () => run("biome", tool("@biomejs", "biome", "bin", "biome"), "check", "--write", "."),
	build: () => {
		run("clean", "-e", 'require("node:fs").rmSync("dist", { recursive: true, force: true })');
		typecheck("-p", "tsconfig.build.json");
	},
	test: (...args) => {
		if (args.length === 0) lint();
		const specs = args.length === 0 ? ["{kit,store,apiserver,agents,cluster,chaos,bench,test,bin}/**/*.test.ts"] : args;
		run("tests", tool("mocha", "bin", "mocha.js"), ...specs);
	},
};

const [name = "", ...rest] = process.argv.slice(2);
const command = commands[name];
if (command === undefined) {
	process.stderr.write(`usage: node bin/dev.js ${Object.keys(commands).join("|")}\n`);
	process.exit(2);
}
command(...rest);
