/** Members in network namespaces of their own on this machine, so that their network can be harmed. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { launcher } from "../../bin/cluster/launcher.ts";
import { LinkRules, linkTools } from "../faults/links.ts";
import { cleanUpOnInterrupt } from "./cleanup.ts";
import { MachineFaults } from "./machine-faults.ts";
import { Fabric, type Namespace, namespaceTools } from "./namespaces.ts";
import type { Command, Place, PlaceOptions } from "./place.ts";
import { ProcessHost } from "./process-host.ts";
import { requireRootAndTools, toolEnvironment } from "./tools.ts";

const peerPort = 2380;
const clientPort = 2379;

/** Needs root. Throws MissingToolError where this machine cannot do it. */
export async function startNetnsPlace(options: PlaceOptions): Promise<Place> {
	const { size } = options;
	if (!(size >= 1 && size <= 7)) throw new RangeError(`size: ${size} is not between 1 and 7`);
	await requireRootAndTools("network namespaces", { ...namespaceTools, ...linkTools, setpriv: "util-linux" });
	const undo = new Undo();
	try {
		return await undo.after(start(options, undo));
	} catch (error) {
		await undo.run();
		throw error;
	}
}

async function start(options: PlaceOptions, undo: Undo): Promise<Place> {
	const folder = await mkdtemp(path.join(tmpdir(), "barque-netns-"));
	const removeFolder = () => rmSync(folder, { recursive: true, force: true });
	process.on("exit", removeFolder);
	undo.add(async () => {
		await rm(folder, { recursive: true, force: true });
		process.off("exit", removeFolder);
	});
	const names = Array.from({ length: options.size }, (_, i) => `m${i + 1}`);
	const faults = await MachineFaults.create(names, options);
	undo.add(() => faults.close());
	const fabric = await Fabric.create(options.size);
	undo.add(() => fabric.close());
	const members = names.map((name, i) => {
		const dataDir = faults.dataDir(name) ?? path.join(folder, name);
		return { name, address: fabric.addresses[i]!, namespace: fabric.namespaces[i]!, dataDir };
	});
	const hosts = members.map(
		({ name, address, namespace, dataDir }) =>
			new ProcessHost({
				name,
				peerAddress: address,
				clientAddress: address,
				peerPort,
				clientPort,
				dataDir,
				wrap: (command) => bound(namespace, command),
				env: () => ({ ...withoutProxies(), ...faults.env(name, dataDir) }),
			}),
	);
	const network = new LinkRules(
		members.map(({ name, address, namespace }) => {
			return { name, address, enter: (command) => namespace.enter(command) };
		}),
	);
	undo.add(async () => {
		await Promise.all([network.close(), ...hosts.map((host) => host.end("SIGKILL"))]);
	});
	return {
		description: "network namespaces on this machine",
		hosts,
		node: process.execPath,
		launcher,
		network,
		clocks: faults.clocks,
		disks: faults.disks((name) => hosts.find((host) => host.name === name)!.end("SIGKILL")),
		enter: async (name, command) => {
			const member = members.find((each) => each.name === name);
			if (member === undefined) throw new RangeError(`no host ${name}; there are ${names.join(", ")}`);
			return bound(member.namespace, command);
		},
		close: () => undo.run(),
	};
}

/** In the namespace; and what we can no longer end ends with us. */
function bound(namespace: Namespace, { program, args }: Command): Command {
	return namespace.enter({ program: "setpriv", args: ["--pdeathsig", "KILL", "--", program, ...args] });
}

/** Members reach each other and nothing else, a proxy least of all. */
function withoutProxies(): NodeJS.ProcessEnv {
	const entries = Object.entries(toolEnvironment()).filter(([name]) => !/^(https?|all)_proxy$/i.test(name));
	return Object.fromEntries(entries);
}

/** What takes back what was done, the latest first; once, and also when the run is interrupted. */
class Undo {
	readonly #steps: (() => Promise<void>)[] = [];
	readonly #forget = cleanUpOnInterrupt(() => this.run());
	#work: Promise<unknown> | undefined;
	#result: Promise<void> | undefined;

	/** Nothing is taken back before this has come to its end, well or not. */
	after<T>(work: Promise<T>): Promise<T> {
		this.#work = work;
		return work;
	}

	add(step: () => Promise<void>): void {
		this.#steps.unshift(step);
	}

	/** Every step is taken, whatever became of those before; then it rejects with the first failure. */
	run(): Promise<void> {
		this.#result ??= this.#take();
		return this.#result;
	}

	async #take(): Promise<void> {
		await Promise.allSettled([this.#work]);
		const failures: unknown[] = [];
		for (const step of this.#steps) await step().catch((error: unknown) => failures.push(error));
		this.#forget();
		if (failures.length > 0) throw failures[0];
	}
}
