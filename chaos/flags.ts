/** The flags of `barque chaos`, and which combinations of them make no sense. */
import type { parseCommand } from "../kit/flags.ts";
import { faults } from "./nemeses/all.ts";
import { type Choice, faultRefusal, type SystemName, systems, type TargetName, targets } from "./plan.ts";
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

/** What is wrong with them, for a person; undefined: nothing. */
export function objection(flags: Flags): string | undefined {
	const { target, endpoints } = flags;
	if (target === "etcd" && flags.system === "store") return "--target etcd runs etcd; leave out --system store";
	if (flags["unsafe-no-fsync"] === true && systemOf(flags) !== "etcd") return "--unsafe-no-fsync is for --system etcd";
	if (target !== "endpoints" && endpoints.length > 0) return "--endpoints is for --target endpoints";
	if (flags.matrix !== undefined) return matrixObjection(flags);
	const choice = choiceOf(flags);
	if (kubernetesWorkloads.has(flags.workload)) {
		if (target === "endpoints" || choice.system === "etcd")
			return `the ${flags.workload} workload runs only on a cluster of ours`;
		if (![1, 3, 5].includes(flags.members)) return `--members: a cluster has 1, 3 or 5 masters, not ${flags.members}`;
	}
	for (const name of flags.nemesis) {
		const why = faultRefusal(choice, faults.get(name)!);
		if (why !== undefined) return `--nemesis ${name}: ${why}`;
	}
	return target === "endpoints" ? endpointsObjection(flags) : undefined;
}

function matrixObjection({ target, nemesis }: Flags): string | undefined {
	if (target === "processes" || target === "etcd" || nemesis.length > 0) return undefined;
	return `--matrix runs all faults, so on --target processes or etcd; on ${target} only with those that --nemesis names`;
}

function endpointsObjection(flags: Flags): string | undefined {
	if (flags.endpoints.length === 0) return "--target endpoints needs --endpoints";
	const hooked = flags["kill-hook"] !== undefined && flags["start-hook"] !== undefined;
	if (flags.nemesis.length > 0 && !hooked) return "--nemesis needs --kill-hook and --start-hook to harm endpoints";
	if (flags.workload === "kv") return "the kv workload needs a store that nobody else writes to";
	return undefined;
}
