import assert from "node:assert/strict";
import { FlagError, formatDuration, parseCommand, parseDuration, parseFlags, renderHelp } from "./flags.ts";

const command = {
	name: "barque thing",
	summary: "Does a thing.",
	env: ["THING_"],
	flags: {
		name: { type: "string", default: "default", help: "Its name.", group: "Identity" },
		kind: { type: "string", choices: ["a", "b"], help: "Its kind." },
		count: { type: "integer", default: 3, min: 1, max: 10, help: "How many." },
		tls: { type: "boolean", help: "Whether." },
		wait: { type: "duration", default: 1500, help: "How long." },
		urls: { type: "list", default: ["x"], help: "Where." },
		labels: { type: "map", help: "Pairs." },
	},
	examples: ["barque thing --name=x"],
} as const;

function values(...argv: string[]) {
	const parsed = parseFlags(command, argv);
	assert(parsed !== undefined);
	return parsed.values;
}

function fails(pattern: RegExp, ...argv: string[]) {
	assert.throws(
		() => parseFlags(command, argv),
		(error: unknown) => error instanceof FlagError && pattern.test(error.message),
	);
}

describe("kit/flags", () => {
	it("reads the forms Go's flags have", () => {
		assert.equal(values().name, "default");
		assert.equal(values("--name=x").name, "x");
		assert.equal(values("--name", "x").name, "x");
		assert.equal(values("-name", "x").name, "x");
		assert.equal(values("--name=").name, "");
		assert.equal(values("--tls").tls, true);
		assert.equal(values("--tls=false").tls, false);
		assert.equal(values("--wait=1h0m1.5s").wait, 3_601_500);
		assert.deepEqual(values("--urls=a,b", "--urls", "c").urls, ["a", "b", "c"]);
		assert.deepEqual(values("--labels=a=1,b=x=y").labels, { a: "1", b: "x=y" });
	});

	it("tells flags, values and arguments apart as Go does, dashes and all", () => {
		const spec = {
			name: "t",
			summary: "",
			flags: {
				name: { type: "string", help: "" },
				port: { type: "integer", help: "" },
				verbose: { type: "boolean", help: "" },
				list: { type: "list", help: "" },
			},
			positionals: "X...",
		} as const;
		const table: readonly (readonly [string[], object | string, string[]?])[] = [
			[["-name", "a"], { name: "a" }],
			[["-name=a=b"], { name: "a=b" }],
			[["--port", "-1"], { port: -1 }],
			[["--name", "-name"], { name: "-name" }],
			[["--name", "--help"], { name: "--help" }],
			[["--name", "--"], { name: "--" }],
			[["--name="], { name: "" }],
			[["--verbose", "false"], { verbose: true }, ["false"]],
			[["-verbose=false"], { verbose: false }],
			[["--list", "a,b", "--list=c"], { list: ["a", "b", "c"] }],
			[["a", "--name", "b", "-", "c"], { name: "b" }, ["a", "-", "c"]],
			[["--", "-x", "--name", "-h"], {}, ["-x", "--name", "-h"]],
			[["--help", "--nothing"], "help"],
			[["-h"], "help"],
			[["--nothing", "--help"], "unknown flag: --nothing"],
			[["--nmae=1"], "unknown flag: --nmae (did you mean --name?)"],
			[["-vname"], "unknown flag: --vname"],
			[["--toString"], "unknown flag: --toString"],
			[["--__proto__=1"], "unknown flag: --__proto__"],
			[["--no-verbose"], "unknown flag: --no-verbose"],
			[["--name"], "flag needs an argument: --name"],
		];
		const read = (argv: string[]) => {
			try {
				const parsed = parseFlags(spec, argv);
				if (parsed === undefined) return "help";
				const given = Object.entries(parsed.values).filter(([flag]) => parsed.given.has(flag));
				return [Object.fromEntries(given), parsed.positionals];
			} catch (error) {
				return (error as Error).message;
			}
		};
		for (const [argv, wanted, positionals = []] of table) {
			const text = argv.join(" ");
			if (typeof wanted === "string")
				assert.ok(String(read(argv)).startsWith(wanted), `${text}: ${String(read(argv))}`);
			else assert.deepEqual(read(argv), [wanted, positionals], text);
		}
	});

	it("names the flag and the value in every complaint", () => {
		fails(/unknown flag: --nam \(did you mean --name\?\)/, "--nam=x");
		fails(/unknown flag: --__proto__/, "--__proto__=x");
		fails(/flag needs an argument: --name/, "--name");
		fails(/"many" for "--count": must be an integer/, "--count=many");
		fails(/"11" for "--count": must be at most 10/, "--count=11");
		fails(/"c" for "--kind": must be one of a, b/, "--kind=c");
		fails(/"soon" for "--wait"/, "--wait=soon");
		fails(/unexpected argument "stray"/, "stray");
		fails(/"a" for "--labels": must be of the form key=value/, "--labels=a");
	});

	it("takes the environment for absent flags only", () => {
		const env = { THING_NAME: "from-env", THING_COUNT: "7" };
		const parsed = parseFlags(command, ["--name=given"], env);
		assert.equal(parsed?.values.name, "given");
		assert.equal(parsed?.values.count, 7);
		assert.deepEqual([...(parsed?.given ?? [])].sort(), ["count", "name"]);
	});

	it("exits 2 on a wrong command line and 0 on --help, with grouped help", () => {
		let out = "";
		let err = "";
		const io = { env: {}, stdout: (t: string) => void (out += t), stderr: (t: string) => void (err += t) };
		assert.deepEqual(parseCommand(command, ["--bogus"], io), { exit: 2 });
		assert.match(err, /unknown flag: --bogus/);
		assert.deepEqual(parseCommand(command, ["--help"], io), { exit: 0 });
		assert.equal(out, renderHelp(command));
		assert.match(out, /Identity:\n {2}--name string\n/);
		assert.match(out, /\(default 1.5s\)/);
	});

	it("reads and writes durations as Go does", () => {
		assert.equal(parseDuration("100ms"), 100);
		assert.equal(parseDuration("-1.5h"), -5_400_000);
		assert.equal(parseDuration("1"), undefined);
		assert.equal(parseDuration(""), undefined);
		assert.equal(formatDuration(5_400_000), "1h30m0s");
		assert.equal(formatDuration(100), "100ms");
	});
});
