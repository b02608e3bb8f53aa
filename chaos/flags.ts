/** The flags of `barque chaos`, and which combinations of them make no sense. */
import type { parseCommand } from "../kit/flags.ts";
import { faults } from "./nemeses/all.ts";
import {
	type Choice,
	faultRefusal,
	type SystemName,
	systems,
	type TargetName,
	targets,
	workloadRefusal,
} from "./plan.ts";
import { kvWorkloads } from "./workloads/all.ts";
import { kubernetesWorkloads } from "./workloads/kubernetes.ts";

export const spec = {
	name: "barque chaos",
	summary:
		"Runs clients against a cluster while processes, networks, clocks and disks fail, and judges what the clients saw. Exit code 0: nothing wrong; 1: a violation; 2: wrong flags; 3: the run itself failed.",
	flags: {
		target: {
			type: "string",
			default: "processes",
			choices: [...targets],
			help: "where members run: processes on this machine; netns: network namespaces (root); docker: containers; etcd: short for --target processes --system etcd; endpoints: what --endpoints names",
		},
		system: {
			type: "string",
			choices: [...systems],
			help: "what runs there: our store (default; for the k8s workloads masters of a whole cluster), or a real etcd",
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
			choices: [...faults.keys()],
			help: "faults (see --list), combined with commas; none by default",
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
		"unsafe-no-fsync": {
			type: "boolean",
			help: "wrong on purpose, for etcd: nothing is synced before it is acknowledged; power-loss-all must show it",
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
		etcd: { type: "string", default: "etcd", help: "the program of --system etcd: a name on PATH, or a path" },
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
			help: "run every workload under each of the faults of --nemesis (by default all), those of the network on --network-target; keep results in the file, and go on where it ends",
		},
		"network-target": {
			type: "string",
			default: "docker",
			choices: ["netns", "docker"],
			help: "for --matrix: where members run whose network fails",
		},
		sample: {
			type: "integer",
			min: 1,
			max: 10_000,
			help: "for --matrix: only so many of the pairs that must pass, drawn by the seed",
		},
		jobs: { type: "integer", min: 1, max: 16, default: 1, help: "for --matrix: runs at once" },
		list: { type: "boolean", help: "list workloads and faults" },
	},
	examples: [
		"barque chaos --workload register --nemesis kill,pause --time 60s",
		"barque chaos --target docker --workload register --nemesis isolate-leader,majority-ring",
		"barque chaos --target etcd --workload append --nemesis kill-leader --report run.html",
		"barque chaos --target etcd --workload register --serializable-reads --nemesis pause   # must be caught",
		"barque chaos --matrix results.jsonl --time 20s --jobs 2",
		"barque chaos --target endpoints --api etcd --endpoints http://127.0.0.1:2379 --workload bank",
	],
} as const;

export type Flags = Extract<ReturnType<typeof parseCommand<(typeof spec)["flags"]>>, { values: unknown }>["values"];

export function systemOf(flags: Flags): SystemName {
	return (flags.system ?? (flags.target === "etcd" ? "etcd" : "store")) as SystemName;
}

export function choiceOf(flags: Flags): Choice {
	return { target: flags.target as TargetName, system: systemOf(flags), workload: flags.workload };
}

type FlagName = keyof (typeof spec)["flags"];

/** Where flags count that do not count everywhere: whoever gives one elsewhere would think that it did something. */
const scopes: ReadonlyArray<{
	readonly names: readonly FlagName[];
	readonly counts: (flags: Flags) => boolean;
	readonly where: string;
}> = [
	{
		names: ["endpoints", "api", "kill-hook", "start-hook"],
		counts: ({ target }) => target === "endpoints",
		where: "--target endpoints",
	},
	{
		names: ["system", "members"],
		counts: ({ target }) => target !== "endpoints",
		where: "clusters that are started here, not for --target endpoints",
	},
	{
		names: ["etcd", "unsafe-no-fsync"],
		counts: (flags) => flags.target !== "endpoints" && systemOf(flags) === "etcd",
		where: "--system etcd",
	},
	{ names: ["sample", "jobs", "network-target"], counts: ({ matrix }) => matrix !== undefined, where: "--matrix" },
	{
		names: ["workload", "report", "history", "output"],
		counts: ({ matrix }) => matrix === undefined,
		where: "a single run, not for --matrix",
	},
	{
		names: ["serializable-reads", "request-timeout"],
		counts: ({ matrix, workload }) => matrix !== undefined || !kubernetesWorkloads.has(workload),
		where: "workloads over the store, not for those over the Kubernetes API",
	},
];

/** What is wrong with them, for a person; undefined: nothing. `given`: names of those that are no defaults. */
export function objection(flags: Flags, given: ReadonlySet<string>): string | undefined {
	const { target, matrix } = flags;
	if (target === "endpoints" && flags.endpoints.length === 0) return "--target endpoints needs --endpoints";
	if (target === "etcd" && flags.system === "store") return "--target etcd runs etcd; leave out --system store";
	for (const { names, counts, where } of scopes) {
		const vain = names.find((name) => given.has(name));
		if (vain !== undefined && !counts(flags)) return `--${vain} is for ${where}`;
	}
	for (const name of ["time", "request-timeout"] as const) if (flags[name] <= 0) return `--${name} must be more than 0`;
	const complaint = matrix === undefined ? workloadObjection(flags) : matrixObjection(flags);
	return complaint ?? faultObjection(flags) ?? (target === "endpoints" ? endpointsObjection(flags) : undefined);
}

function workloadObjection(flags: Flags): string | undefined {
	const why = workloadRefusal(choiceOf(flags));
	if (why !== undefined || !kubernetesWorkloads.has(flags.workload)) return why;
	return mastersObjection(flags);
}

function mastersObjection({ members }: Flags): string | undefined {
	return [1, 3, 5].includes(members) ? undefined : `--members: a cluster has 1, 3 or 5 masters, not ${members}`;
}

/** Of a matrix, faults that cannot be had are left out; not so those for which there are never enough members. */
function faultObjection(flags: Flags): string | undefined {
	const { target, nemesis, endpoints, matrix } = flags;
	const choice = choiceOf(flags);
	const size = target === "endpoints" ? endpoints.length : flags.members;
	for (const name of matrix === undefined || nemesis.length > 0 ? nemesis : faults.keys()) {
		const fault = faults.get(name)!;
		const why = matrix === undefined || target === "endpoints" ? faultRefusal(choice, fault) : undefined;
		if (why !== undefined) return `--nemesis ${name}: ${why}`;
		const least = fault.members ?? 1;
		if (size < least) return `--nemesis ${name}: it takes at least ${least} members`;
	}
	return undefined;
}

function matrixObjection(flags: Flags): string | undefined {
	const { target, nemesis } = flags;
	if (target !== "processes" && target !== "etcd" && nemesis.length === 0)
		return `--matrix runs all faults, so on --target processes or etcd; on ${target} only with those that --nemesis names`;
	return target === "endpoints" || systemOf(flags) === "etcd" ? undefined : mastersObjection(flags);
}

function endpointsObjection(flags: Flags): string | undefined {
	const hooked = flags["kill-hook"] !== undefined && flags["start-hook"] !== undefined;
	return flags.nemesis.length === 0 || hooked
		? undefined
		: "--nemesis needs --kill-hook and --start-hook to harm endpoints";
}
