/** `barque up`, `status`, `kill`, `revive` and `down`. Progress goes to standard error, answers to standard output. */
import path from "node:path";
import { type FlagSpecs, type FlagValues, parseCommand } from "../kit/flags.ts";
import { bringDown, bringUp, killMaster, prepare, purge, reviveMaster } from "./cluster.ts";
import { allParts } from "./compose.ts";
import { findLayout, type Layout, loadLayout, type Runtime } from "./layout.ts";
import { runningPid } from "./processes.ts";
import { clusterStatus, renderStatus } from "./status.ts";

const defaultDir = ".barque";
const dirFlag = {
	dir: { type: "string", default: defaultDir, help: "The cluster's directory: keys, data, logs, kubeconfig." },
} as const satisfies FlagSpecs;

const say = (text: string) => void process.stderr.write(`${text}\n`);
const print = (text: string) => void process.stdout.write(text);

/** What `body` throws is the user's message: printed, exit code 1. */
async function reporting(body: () => Promise<number>): Promise<number> {
	try {
		return await body();
	} catch (error) {
		say(`barque: ${error instanceof Error ? error.message : String(error)}`);
		return 1;
	}
}

const argFlag = (part: string) =>
	({
		type: "list",
		placeholder: `"--flag=value"`,
		help: `One more argument for every ${part}; may be given many times. Kept for later starts.`,
		group: "Arguments of the parts",
	}) as const;

const upFlags = {
	masters: { type: "string", choices: ["1", "3", "5"], default: "3", help: "How many masters." },
	nodes: { type: "integer", default: 2, min: 0, max: 1000, help: "How many nodes (kubelets)." },
	...dirFlag,
	port: {
		type: "integer",
		default: 6443,
		min: 0,
		max: 65_500,
		help: "The balancer's port; master N's apiserver listens on port + N. 0: free ports.",
	},
	runtime: {
		type: "string",
		choices: ["process", "hollow"],
		default: "process",
		help: "process: a container is a child process of this machine. hollow: simulated, for scale.",
	},
	detach: { type: "boolean", help: "Leave the cluster running and return; otherwise Ctrl-C ends it." },
	"store-arg": argFlag("store"),
	"apiserver-arg": argFlag("apiserver"),
	"controller-manager-arg": argFlag("controller-manager"),
	"scheduler-arg": argFlag("scheduler"),
	"kubelet-arg": argFlag("kubelet"),
} as const satisfies FlagSpecs;

function extraArgsOf(values: FlagValues<typeof upFlags>): Layout["extraArgs"] {
	return {
		store: values["store-arg"],
		apiserver: values["apiserver-arg"],
		"controller-manager": values["controller-manager-arg"],
		scheduler: values["scheduler-arg"],
		kubelet: values["kubelet-arg"],
	};
}

function whatNext(layout: Layout, dir: string, detached: boolean): string {
	const shown = path.relative(process.cwd(), dir) || ".";
	const dirArgument = shown === defaultDir ? "" : ` --dir ${shown}`;
	return [
		"",
		detached ? "Now type:" : "Now type, in another terminal:",
		"",
		`  export KUBECONFIG=${layout.adminKubeconfig}`,
		"  kubectl get nodes",
		"  kubectl create deployment hello --image=echo --replicas=3",
		"",
		`  npx barque kill ${layout.masters[0]?.name ?? "master-1"}${dirArgument}      # and go on working`,
		`  npx barque revive ${layout.masters[0]?.name ?? "master-1"}${dirArgument}`,
		`  npx barque status${dirArgument}`,
		`  npx barque down${dirArgument}               # ends everything${detached ? "" : "; so does Ctrl-C here"}`,
		"",
	].join("\n");
}

function untilSignal(): Promise<void> {
	return new Promise((resolve) => {
		const keepAlive = setInterval(() => {}, 60_000);
		for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
			process.once(signal, () => {
				clearInterval(keepAlive);
				resolve();
			});
		}
	});
}

export async function runUp(argv: readonly string[]): Promise<number> {
	const flags = parseCommand(
		{
			name: "barque up",
			summary: "Starts a highly available cluster on this machine and shows when its nodes are Ready.",
			flags: upFlags,
			examples: [
				"barque up",
				"barque up --masters 5 --nodes 3 --detach",
				"barque up --dir /tmp/one --port 7443 --runtime hollow --nodes 100",
				"barque up --controller-manager-arg=--node-monitor-grace-period=5s",
			],
		},
		argv,
	);
	if ("exit" in flags) return flags.exit;
	const { values } = flags;
	const dir = path.resolve(values.dir);
	const started = performance.now();
	const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
	const progress = (message: string) => say(`  ${seconds().padStart(6)}  ${message}`);
	return reporting(async () => {
		const existing = await findLayout(dir);
		if (existing !== undefined && (await runsAlready(dir, existing))) {
			throw new Error(`a cluster runs in ${dir} already: see "barque status", or end it with "barque down"`);
		}
		say(`barque: ${values.masters} masters, ${values.nodes} nodes in ${dir}`);
		const layout = await prepare(
			{
				dir,
				masters: Number(values.masters),
				nodes: values.nodes,
				port: values.port,
				runtime: values.runtime as Runtime,
				extraArgs: extraArgsOf(values),
			},
			progress,
		);
		let interrupted = false;
		const interrupt = () => {
			interrupted = true;
			void bringDown(dir, layout, { graceMs: 0 }).then(() => process.exit(130));
		};
		process.once("SIGINT", interrupt);
		process.once("SIGTERM", interrupt);
		await bringUp(dir, layout, interrupted ? () => {} : progress);
		process.off("SIGINT", interrupt);
		process.off("SIGTERM", interrupt);
		say(`barque: ready in ${seconds()} (from start to every node Ready)`);
		say(whatNext(layout, dir, values.detach));
		if (values.detach) return 0;
		await untilSignal();
		say("barque: stopping (state is kept; remove it with barque down --purge)");
		await bringDown(dir, layout);
		return 0;
	});
}

async function runsAlready(dir: string, layout: Layout): Promise<boolean> {
	const pids = await Promise.all(allParts(dir, layout).map((part) => runningPid(dir, part.name)));
	return pids.some((pid) => pid !== undefined);
}

export async function runStatus(argv: readonly string[]): Promise<number> {
	const flags = parseCommand(
		{
			name: "barque status",
			summary: "Shows every part of the cluster: process, address, health, and who leads.",
			flags: {
				...dirFlag,
				output: { type: "string", choices: ["text", "json"], default: "text", help: "Form of the answer." },
			} as const,
			examples: ["barque status", "barque status --output json"],
		},
		argv,
	);
	if ("exit" in flags) return flags.exit;
	return reporting(async () => {
		const dir = path.resolve(flags.values.dir);
		const status = await clusterStatus(dir, await loadLayout(dir));
		print(flags.values.output === "json" ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status));
		return status.healthy ? 0 : 1;
	});
}

function oneMaster(name: string, summary: string) {
	return {
		name: `barque ${name}`,
		summary,
		flags: dirFlag,
		positionals: "MASTER",
		examples: [`barque ${name} master-2`],
	} as const;
}

async function onMaster(
	argv: readonly string[],
	name: string,
	summary: string,
	act: (dir: string, layout: Layout, master: string) => Promise<void>,
): Promise<number> {
	const flags = parseCommand(oneMaster(name, summary), argv);
	if ("exit" in flags) return flags.exit;
	const [master, ...rest] = flags.positionals;
	if (master === undefined || rest.length > 0) {
		say(`Error: give one master, e.g. "barque ${name} master-1"`);
		return 2;
	}
	return reporting(async () => {
		const dir = path.resolve(flags.values.dir);
		await act(dir, await loadLayout(dir), master);
		return 0;
	});
}

export const runKill = (argv: readonly string[]): Promise<number> =>
	onMaster(argv, "kill", "Sends SIGKILL to everything on a master.", async (dir, layout, master) => {
		const killed = await killMaster(dir, layout, master);
		print(killed.length === 0 ? `${master}: nothing was running\n` : `killed ${killed.join(", ")}\n`);
	});

export const runRevive = (argv: readonly string[]): Promise<number> =>
	onMaster(argv, "revive", "Starts a killed master again and waits until it is ready.", async (dir, layout, master) => {
		const started = performance.now();
		await reviveMaster(dir, layout, master);
		print(`${master} ready after ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
	});

export async function runDown(argv: readonly string[]): Promise<number> {
	const flags = parseCommand(
		{
			name: "barque down",
			summary: "Ends every process of the cluster; another up continues where it was.",
			flags: {
				...dirFlag,
				purge: { type: "boolean", help: "Remove the directory with all data and keys, too." },
			} as const,
			examples: ["barque down", "barque down --purge"],
		},
		argv,
	);
	if ("exit" in flags) return flags.exit;
	return reporting(async () => {
		const dir = path.resolve(flags.values.dir);
		await bringDown(dir, await loadLayout(dir));
		if (flags.values.purge) await purge(dir);
		print(flags.values.purge ? `cluster ended, ${dir} removed\n` : `cluster ended; its state stays in ${dir}\n`);
		return 0;
	});
}
