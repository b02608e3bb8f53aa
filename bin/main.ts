/** The `barque` command: finds the subcommand and hands it the rest of the line; each is loaded only when asked for. */
import { AssertionError } from "node:assert";
import { readFileSync } from "node:fs";
import path from "node:path";
import { lostLeadershipExit } from "../agents/shell/exit-codes.ts";
import { launcher } from "../cluster/launcher.ts";
import { packageRoot } from "../cluster/package-root.ts";
import { restartInPlace } from "../cluster/restart.ts";

interface Command {
	readonly summary: string;
	readonly group: "A cluster on this machine" | "Its parts, each alone" | "Measuring and proving";
	/** Resolves to the exit code. */
	readonly run: (argv: readonly string[]) => Promise<number>;
}

const commands: Readonly<Record<string, Command>> = {
	up: {
		group: "A cluster on this machine",
		summary: "start masters, nodes and a balancer, and wait until they are ready",
		run: async (argv) => (await import("../cluster/commands.ts")).runUp(argv),
	},
	status: {
		group: "A cluster on this machine",
		summary: "show every part, its health, and who leads",
		run: async (argv) => (await import("../cluster/commands.ts")).runStatus(argv),
	},
	kill: {
		group: "A cluster on this machine",
		summary: "SIGKILL to everything on one master",
		run: async (argv) => (await import("../cluster/commands.ts")).runKill(argv),
	},
	revive: {
		group: "A cluster on this machine",
		summary: "start a killed master again",
		run: async (argv) => (await import("../cluster/commands.ts")).runRevive(argv),
	},
	down: {
		group: "A cluster on this machine",
		summary: "end everything",
		run: async (argv) => (await import("../cluster/commands.ts")).runDown(argv),
	},
	store: {
		group: "Its parts, each alone",
		summary: "a member of the replicated store",
		run: async (argv) => (await import("../store/process/command.ts")).runStore(argv),
	},
	apiserver: {
		group: "Its parts, each alone",
		summary: "a replica of the Kubernetes API",
		run: async (argv) => (await import("../apiserver/command.ts")).runApiserver(argv),
	},
	"controller-manager": {
		group: "Its parts, each alone",
		summary: "the controllers, leader-elected",
		run: async (argv) => (await import("../agents/controller-manager/command.ts")).runControllerManager(argv),
	},
	scheduler: {
		group: "Its parts, each alone",
		summary: "the scheduler, leader-elected",
		run: async (argv) => (await import("../agents/scheduler/command.ts")).runScheduler(argv),
	},
	kubelet: {
		group: "Its parts, each alone",
		summary: "a node",
		run: async (argv) => (await import("../agents/kubelet/command.ts")).runKubelet(argv),
	},
	balancer: {
		group: "Its parts, each alone",
		summary: "a TCP balancer in front of apiservers",
		run: async (argv) => (await import("../cluster/balancer.ts")).runBalancer(argv),
	},
	envtest: {
		group: "Its parts, each alone",
		summary: "write launchers named etcd, kube-apiserver and kubectl, for suites that start their own control plane",
		run: async (argv) => (await import("../cluster/envtest.ts")).runEnvtest(argv),
	},
	bench: {
		group: "Measuring and proving",
		summary: "measure the store (put) and the watch path (watch-fanout)",
		run: async (argv) => (await import("../bench/command.ts")).runBench(argv),
	},
	chaos: {
		group: "Measuring and proving",
		summary: "kill and pause real processes under a workload, and judge what its clients saw",
		run: async (argv) => (await import("../chaos/command.ts")).runChaos(argv),
	},
	sim: {
		group: "Measuring and proving",
		summary: "run the store in deterministic simulation, or replay a seed",
		run: async (argv) => (await import("../chaos/sim/command.ts")).runSim(argv),
	},
};

export function version(): string {
	const manifest = JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8")) as { version: string };
	return manifest.version;
}

function help(): string {
	const lines = [
		"barque: Kubernetes' control plane and the replicated store under it.",
		"",
		"Usage:",
		"  barque COMMAND [flags]",
	];
	for (const group of new Set(Object.values(commands).map((command) => command.group))) {
		lines.push("", `${group}:`);
		for (const [name, command] of Object.entries(commands)) {
			if (command.group === group) lines.push(`  ${name.padEnd(19)} ${command.summary}`);
		}
	}
	lines.push(
		"",
		"Examples:",
		"  barque up --detach && export KUBECONFIG=$PWD/.barque/admin.kubeconfig && kubectl get nodes",
		"  barque kill master-1",
		"  barque COMMAND --help                                   # flags and examples of one command",
		"",
	);
	return lines.join("\n");
}

/** Becomes a new run of the same command under the same process id, so that the pid file stays true. */
function startAnew(argv: readonly string[]): void {
	process.execve?.(process.execPath, [process.execPath, launcher, ...argv], process.env as Record<string, string>);
}

/** What a person can act on is told without our stack; a mistake of ours is told with it. */
function tell(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const ours = [TypeError, ReferenceError, AssertionError].some((kind) => error instanceof kind);
	const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
	return ours ? (error.stack ?? error.message) : error.message + cause;
}

async function run(name: string, command: Command, argv: readonly string[]): Promise<number> {
	try {
		return await command.run(argv);
	} catch (error) {
		process.stderr.write(`barque ${name}: ${tell(error)}\n`);
		return 1;
	}
}

/** Runs the command line and ends the process with the command's exit code once its output is written. */
export async function main(argv: readonly string[]): Promise<void> {
	const [name = "help", ...rest] = argv;
	if (["help", "--help", "-h"].includes(name)) {
		process.stdout.write(help());
		return;
	}
	if (["version", "--version"].includes(name)) {
		process.stdout.write(`barque ${version()}\n`);
		return;
	}
	const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
	if (command === undefined) {
		process.stderr.write(`barque: unknown command ${JSON.stringify(name)}; "barque help" lists them\n`);
		process.exitCode = 2;
		return;
	}
	process.exitCode = await run(name, command, rest);
	if (process.exitCode === lostLeadershipExit && process.env[restartInPlace] !== undefined) startAnew(argv);
	// A part that has stopped must not linger on a forgotten handle.
	await new Promise((resolve) => process.stdout.write("", resolve));
	process.exit();
}
