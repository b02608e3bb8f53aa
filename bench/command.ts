/** `barque bench`: chooses the benchmark. */
const benches: Readonly<
	Record<string, { readonly summary: string; readonly run: (argv: readonly string[]) => Promise<number> }>
> = {
	put: {
		summary: "durable puts against a store",
		run: async (argv) => (await import("./put.ts")).runBenchPut(argv),
	},
	idle: {
		summary: "processor time of three members that have nothing to do, beside etcd's",
		run: async (argv) => (await import("./idle.ts")).runBenchIdle(argv),
	},
	"watch-fanout": {
		summary: "how long a change takes from an apiserver to each of many watchers",
		run: async (argv) => (await import("./watch-fanout.ts")).runBenchWatchFanout(argv),
	},
};

export async function runBench(argv: readonly string[]): Promise<number> {
	const [name = "--help", ...rest] = argv;
	const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
	if (bench !== undefined) return bench.run(rest);
	const lines = Object.entries(benches).map(([known, { summary }]) => `  ${known.padEnd(14)} ${summary}`);
	const usage = `Usage:\n  barque bench NAME [flags]\n\nBenchmarks:\n${lines.join("\n")}\n\n"barque bench NAME --help" shows flags and examples.\n`;
	if (["help", "--help", "-h"].includes(name)) {
		process.stdout.write(usage);
		return 0;
	}
	process.stderr.write(`barque bench: unknown benchmark ${JSON.stringify(name)}\n${usage}`);
	return 2;
}
